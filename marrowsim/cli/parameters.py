"""`parameters`: every default with its unit, range, source and mark."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import typer
from rich.table import Column, Table

from marrowsim import catalogue
from marrowsim.cli.console import output
from marrowsim.config import CellType, Config, Drug, FieldType, load_config
from marrowsim.parameters import ParameterRecord, ParameterSet, records
from marrowsim.processes import PROCESSES
from marrowsim.units import In

MARKS = (
    "marks: V read in the source; VC read in public code; C computed or measured; R recalled; "
    "E estimate or modelling choice"
)


def own_processes(scenario: str | None) -> dict[str, type[ParameterSet]]:
    """Processes by name that the extensions of a scenario bring; none where no scenario is given."""
    if scenario is None:
        return {}
    processes = load_config(scenario, PROCESSES).processes
    return {name: type(process) for name, process in processes.items() if name not in PROCESSES}


def all_records(own: Mapping[str, type[ParameterSet]]) -> list[ParameterRecord]:
    """Every parameter that carries a default: sections, processes and `own` ones, cell types, fields, drugs."""
    lines = []
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, ParameterSet):
            lines += map(_split, records(field.annotation, name))
    for name, model in {**PROCESSES, **own}.items():
        lines += map(_split, records(model, f"processes.{name}"))
    for section, model in (("cells", CellType), ("fields", FieldType), ("drugs", Drug)):
        for key, leaf in catalogue.leaves(catalogue.load(section), section):
            lines.append(_catalogue_record(key, leaf, model))
    return lines


def _split(record: ParameterRecord) -> ParameterRecord:
    """The record with the number and the unit of its default apart."""
    parts = [part.partition(" ") for part in re.sub(r"[()']", "", record.value).split(", ")]
    unit = parts[0][2] or record.unit or "1"
    return replace(record, value=" x ".join(number for number, _, _ in parts), unit=unit)


def _catalogue_record(key: str, leaf: dict[str, Any], model: type[ParameterSet]) -> ParameterRecord:
    """One entry of a catalogue file; its meaning and unit are those of the field of its model."""
    _, entry, name, *rest = key.split(".")
    field = model.model_fields[name]
    value, _, unit = str(leaf["value"]).partition(" ")
    meaning = f"{entry}: {field.description}" + (f" ({rest[0]})" if rest else "")
    return ParameterRecord(
        key, "", meaning, value, unit or _unit(field), str(leaf["range"]), leaf["source"], leaf["mark"]
    )


def _unit(field: Any) -> str:
    return next((item.unit for item in field.metadata if isinstance(item, In)), "1")


def print_parameters(scenario: str | None, *, as_json: bool) -> None:
    """The parameter table, with what the extensions of a scenario add."""
    lines = all_records(own_processes(scenario))
    if as_json:
        typer.echo(json.dumps([line.as_dict() for line in lines], indent=2, ensure_ascii=False))
        return
    table = Table(
        Column("key", overflow="fold"),
        "symbol",
        "value",
        "range",
        "mark",
        "meaning; source",
        caption=MARKS,
        caption_justify="left",
    )
    for line in lines:
        about = f"{line.meaning}; {line.source}" if line.source else line.meaning
        value = line.value if line.unit == "1" else f"{line.value} {line.unit}"
        table.add_row(line.key, line.symbol, value, line.range, line.mark, about)
    output().print(table)


def preset_lines() -> list[tuple[str, str, list[tuple[str, dict[str, Any]]]]]:
    """The presets: name, meaning, and what each sets as pairs of dotted key and metadata table."""
    return [
        (name, preset["meaning"], [pair for section in preset["set"] for pair in _leaves(preset["set"], section)])
        for name, preset in catalogue.load("presets").items()
    ]


def _leaves(values: dict[str, Any], section: str) -> list[tuple[str, dict[str, Any]]]:
    return list(catalogue.leaves(values[section], section))


def print_presets(*, as_json: bool) -> None:
    """The sets of values that a scenario can start from."""
    if as_json:
        lines = {name: {"meaning": meaning, "set": dict(leaves)} for name, meaning, leaves in preset_lines()}
        typer.echo(json.dumps(lines, indent=2, ensure_ascii=False))
        return
    table = Table(
        "preset", "meaning", "sets", "mark", "source",
        caption='in a scenario: presets = ["<preset>"]; what it says itself wins', caption_justify="left",
    )  # fmt: skip
    for name, meaning, leaves in preset_lines():
        for number, (key, leaf) in enumerate(leaves):
            first = (name, meaning) if number == 0 else ("", "")
            table.add_row(*first, f"{key} = {leaf['value']}", leaf["mark"], leaf["source"])
    output().print(table)


def print_arrows(scenario: str | None, *, as_json: bool) -> None:
    """The arrows of the biology that a scenario can knock out, with those of its extensions."""
    arrows = dict(catalogue.load("arrows"))
    for process in own_processes(scenario).values():
        arrows |= {name: {**arrow, "set": dict(arrow["set"])} for name, arrow in process.arrows.items()}
    if as_json:
        typer.echo(json.dumps(arrows, indent=2, ensure_ascii=False))
        return
    table = Table(
        "arrow", "meaning", "knocked out by", caption='in a scenario: knockouts = ["<arrow>"]', caption_justify="left"
    )
    for name, arrow in arrows.items():
        table.add_row(name, arrow["meaning"], ", ".join(f"{key} = {value}" for key, value in arrow["set"].items()))
    output().print(table)
