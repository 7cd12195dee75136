"""Write the tables and equations of docs/ODD.md anew from the code: python docs/make_odd.py [--check]

What stands between `<!-- begin NAME -->` and `<!-- end NAME -->` comes from here, the prose around it is written by
hand. With --check nothing is written, and the exit code is 1 where the file is not what the code says.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from marrowsim import catalogue
from marrowsim._engine.rng import Stream
from marrowsim.cli.parameters import all_records, preset_lines
from marrowsim.config import SCENARIOS, load_config, scenario_text
from marrowsim.processes import PROCESSES, SHIPPED
from marrowsim.readouts import READOUTS
from marrowsim.state import Cells, State
from marrowsim.tissues import ENTERABLE, LUMEN, NAMES

DOCUMENT = Path(__file__).with_name("ODD.md")
BLOCK = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join(lines)


def _cell(content: object) -> str:
    """One line, without what Markdown would take for its own."""
    return " ".join(str(content).split()).replace("|", "\\|").replace("*", "\\*")


def tissues() -> str:
    """Codes of the lattice."""
    kinds = {code: "cells live in it" for code in ENTERABLE} | {code: "carries blood" for code in LUMEN}
    return table(["code", "tissue", ""], [[code, name, kinds.get(code, "")] for code, name in NAMES.items()])


def state() -> str:
    """State variables, as the classes themselves tell."""
    cells = inspect.getdoc(Cells) or ""
    attributes = (inspect.getdoc(State) or "").split("Attributes\n----------\n")[1]
    return f"```text\n{cells}\n```\n\n```text\n{attributes}\n```"


def cell_types() -> str:
    """What each type can do, with the numbers that are not zero."""
    config = load_config("homing", PROCESSES, files=False)
    rows = []
    for name, cell in config.cells.items():
        fields = [f"{kind} of {field}" for kind in ("secretion", "uptake") for field in getattr(cell, kind)]
        able = {
            "moves": cell.motile,
            "chemotaxis": cell.chemotactic_sensitivity > 0,
            "divides": cell.division_time < float("inf"),
            "dies": cell.death_rate > 0,
            "differentiates": cell.differentiation_time < float("inf"),
            "binds niches": cell.niche_affinity > 0,
            "displaces": cell.displacement_rate > 0,
            "arrests at vessel walls": cell.arrest_rate > 0,
            "enters the blood": cell.egress_rate > 0,
        }
        rows.append([f"`{name}`", cell.label, ", ".join([*(what for what, holds in able.items() if holds), *fields])])
    return table(["type", "what it is", "what it does"], rows)


def fields() -> str:
    """The diffusible substances."""
    config = load_config("homing", PROCESSES, files=False)
    rows = []
    for name, field in config.fields.items():
        length = f"{(field.diffusivity / field.decay) ** 0.5:.0f} um" if field.decay else ""
        rows.append([f"`{name}`", field.label, field.unit, f"{field.diffusivity:g} um2/min", length])
    return table(["field", "substance", "unit", "diffusivity", "decay length (decay alone)"], rows)


def schedule() -> str:
    """The processes in the order of a step."""
    parts = []
    for number, process in enumerate(SHIPPED, 1):
        doc = inspect.getdoc(process) or ""
        sharing = "; takes the sub-steps of a step in turn with its neighbours" if process.interleaved else ""
        reads, writes = (", ".join(names) or "nothing" for names in (process.reads, process.writes))
        parts.append(f"#### {number}. {process.name}\n\n{doc}\n\n*Reads {reads}; writes {writes}{sharing}.*")
    return "\n\n".join(parts)


def streams() -> str:
    """What draws are made for."""
    rows = [[item.value, item.name.removeprefix("STREAM_").lower().replace("_", " ")] for item in Stream]
    return table(["stream", "draws for"], rows)


def arrows() -> str:
    """The switches."""
    rows = [
        [f"`{name}`", arrow["meaning"], ", ".join(f"`{key}` = {value}" for key, value in arrow["set"].items())]
        for name, arrow in catalogue.load("arrows").items()
    ]
    return table(["arrow", "what it is", "knocked out by"], rows)


def presets() -> str:
    """The sets of values to start from."""
    rows = [
        [f"`{name}`" if number == 0 else "", meaning if number == 0 else "", f"`{key}` = {leaf['value']}",
         leaf["range"], leaf["mark"], leaf["source"]]
        for name, meaning, leaves in preset_lines()
        for number, (key, leaf) in enumerate(leaves)
    ]  # fmt: skip
    return table(["preset", "what it is", "sets", "range", "mark", "source"], rows)


def readouts() -> str:
    """The columns of readouts.csv."""
    return table(["column", "what it is"], [[f"`{item.name}`", item.meaning] for item in READOUTS])


def scenarios() -> str:
    """The bundled scenarios."""
    rows = [[f"`{name}`", tomllib.loads(scenario_text(name)[0])["title"]] for name in SCENARIOS]
    return table(["scenario", "what it is"], rows)


def parameters() -> str:
    """Every number with its unit, range, source and mark."""
    rows = [
        [f"`{line.key}`", line.symbol, f"{line.value} {line.unit}".removesuffix(" 1"), line.range, line.mark,
         f"{line.meaning}; {line.source}" if line.source else line.meaning]
        for line in all_records({})
    ]  # fmt: skip
    return table(["parameter", "symbol", "value", "range", "mark", "meaning; source"], rows)


BLOCKS: dict[str, Callable[[], str]] = {
    block.__name__: block
    for block in (
        tissues,
        state,
        cell_types,
        fields,
        schedule,
        streams,
        arrows,
        presets,
        readouts,
        scenarios,
        parameters,
    )
}


def renewed(text: str, blocks: Mapping[str, Callable[[], str]] = BLOCKS) -> str:
    """A document with every block written anew.

    Raises
    ------
    ValueError
        Where a block is missing from the document, or is none of ours.
    """
    found = [match[1] for match in BLOCK.findall(text)]
    if sorted(found) != sorted(blocks):
        raise ValueError(f"blocks of the document: {sorted(found)}; of the code: {sorted(blocks)}")
    return BLOCK.sub(lambda match: f"{match[1]}\n{blocks[match[2]]()}\n\n{match[3]}", text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file is out of date")
    text = DOCUMENT.read_text(encoding="utf-8")
    new = renewed(text)
    if parser.parse_args().check:
        return int(new != text)
    DOCUMENT.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
