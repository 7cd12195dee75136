"""Cell types, fields, drugs, presets and arrows as data: the numbers of the model with their sources.

Each entry of the TOML files beside this module is a table of parameters, and each parameter a table
`{value, range, source, mark}`. A scenario may change any value, and may add types that are `like`
one of these.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

FILES = ("cells", "fields", "drugs", "presets", "arrows")


@cache
def load(name: str) -> dict[str, Any]:
    """A catalogue file as nested tables, metadata included. `name` is one of `FILES`."""
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def is_record(node: Any) -> bool:
    """Whether a node of a catalogue file is one parameter with its metadata."""
    return isinstance(node, dict) and "value" in node


def values(node: Any) -> Any:
    """The same tables with every parameter replaced by its bare value."""
    if is_record(node):
        return node["value"]
    if isinstance(node, dict):
        return {key: values(child) for key, child in node.items()}
    return node


def leaves(node: dict[str, Any], prefix: str):
    """All parameters below a node, as pairs of dotted key and metadata table."""
    for key, child in node.items():
        path = f"{prefix}.{key}"
        if is_record(child):
            yield path, child
        elif isinstance(child, dict):
            yield from leaves(child, path)
