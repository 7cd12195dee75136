"""From what is wrong with a scenario to words that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from marrowsim.config.model import FORMAT, Config
from marrowsim.errors import Fault, nearest
from marrowsim.parameters import ParameterSet

SECTION = re.compile(r"^\s*\[+\s*(?P<path>[^\]]+?)\s*\]+\s*(#.*)?$")
KEY = re.compile(r"""^\s*(?P<key>[\w."'>\-]+?)\s*=""")
ONE_OR_THREE = re.compile(r"^(function-plain|tuple)\[")
IMAGE = ("geometry", "image", "file")
TABLES = ("model_type", "model_attributes_type", "dict_type")
SHAPES = {
    "list_type": ("this is not a list", "values in square brackets, or [[{key}]] for each one of several tables"),
    "tuple_type": ("these are not three values", 'x, y and z, such as ["1 mm", "1 mm", "1 mm"]'),
    "string_type": ("this is not text", "text in quotation marks"),
    "path_type": ("this is no file name", "the path of a file in quotation marks"),
}
BOUNDS = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less", "lt": "less than {}"}


class Places:
    """Where a key of a scenario stands: file and line, or the override that set it."""

    def __init__(self, text: str, where: str, overridden: Iterable[tuple[str, ...]]):
        self.where, self.overridden = where, set(overridden)
        self.lines: dict[tuple[str, ...], int] = {}
        section: tuple[str, ...] = ()
        counts: dict[tuple[str, ...], int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if match := SECTION.match(line):
                section = _split(match["path"])
                if line.lstrip().startswith("[["):
                    counts[section] = counts.get(section, -1) + 1
                    section = (*section, str(counts[section]))
                self.lines.setdefault(section, number)
            elif match := KEY.match(line):
                self.lines.setdefault((*section, *_split(match["key"])), number)

    def __call__(self, path: tuple[str, ...]) -> str:
        key = ".".join(path)
        if any(path[: len(item)] == item[: len(path)] for item in self.overridden):
            return f"override {key}"
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.where}:{self.lines[path[:length]]}: {key}"
        return f"{self.where}: {key}"


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def allowed_names(extra: Mapping[str, Mapping[str, type[ParameterSet]]]) -> Callable[[tuple[str, ...]], list[str]]:
    """A function that lists the keys allowed at a path."""

    def allowed(path: tuple[str, ...]) -> list[str]:
        model: Any = Config
        for name in path:
            if model is Config and name in extra:
                model = extra[name]
            elif isinstance(model, Mapping):
                model = model.get(name)
            elif model is not None and isinstance(model, type) and issubclass(model, BaseModel):
                field = model.model_fields.get(name)
                model = _model_in(field.annotation) if field else None
        if isinstance(model, Mapping):
            return list(model)
        return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []

    return allowed


def _model_in(annotation: Any) -> Any:
    """The parameter set inside an annotation such as `dict[str, CellType]` or `BoneImage | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)


def faults_of(error: ValidationError, places: Places, names: Callable[[tuple[str, ...]], list[str]]) -> list[Fault]:
    """The errors of pydantic in our own words; `names` gives the keys that are allowed at a path."""
    items = error.errors(include_url=False)
    lists = {
        item["loc"][:-1] for item in items if _alternative(item) == "one" and isinstance(item["input"], (list, tuple))
    }
    faults = []
    for item in items:
        alternative = _alternative(item)
        tags = [index for index, part in enumerate(item["loc"]) if ONE_OR_THREE.match(str(part))]
        if alternative and (item["loc"][: tags[0]] in lists) != (alternative == "three"):
            continue
        item["loc"] = tuple(part for index, part in enumerate(item["loc"]) if index not in tags)
        faults.append(_fault(item, places, names))
    return faults


def _alternative(item: Mapping[str, Any]) -> str:
    """Of values that may be one quantity or three: which of the two the error is about, if of any."""
    tag = next((match for part in item["loc"] if (match := ONE_OR_THREE.match(str(part)))), None)
    return "" if tag is None else "three" if tag[1] == "tuple" else "one"


def _fault(item: Mapping[str, Any], places: Places, names: Callable[[tuple[str, ...]], list[str]]) -> Fault:
    path = tuple(str(part) for part in item["loc"])
    kind, context, given = item["type"], item.get("ctx", {}), item.get("input")
    where = places(path)
    if kind == "extra_forbidden":
        known = names(path[:-1])
        return Fault("unknown key", ", ".join(known), path[-1], nearest(path[-1], known) or "remove it", where)
    if kind == "missing":
        remedy = "give --bone FILE, or file under [geometry.image]" if path == IMAGE else f"give {path[-1]}"
        if path[-1].isdigit():
            remedy = "give a value for each of x, y and z"
        return Fault("a value is missing", remedy=remedy, where=where)
    shown = "a table" if isinstance(given, dict) else repr(given)
    if path == ("format",):
        remedy = "use the version of marrowsim that this scenario was written for"
        return Fault("the scenario is of another format", f"{FORMAT}", shown, remedy, where)
    if kind in TABLES:
        return Fault("this is a table, not a value", f"keys under [{'.'.join(path)}]", shown, "", where)
    if kind in SHAPES:
        what, allowed = SHAPES[kind]
        return Fault(what, allowed.format(key=".".join(path)), shown, "", where)
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        return Fault("unknown word", ", ".join(known), shown, nearest(str(given), known), where)
    bounds = [words.format(context[name]) for name, words in BOUNDS.items() if name in context]
    allowed = str(context.get("allowed", "")) or (f"a number, {bounds[0]}" if bounds else "")
    what = "out of bounds" if bounds else re.sub(r"^Input should be", "this should be", item["msg"])
    return Fault(what, allowed, shown, str(context.get("remedy", "")), where)
