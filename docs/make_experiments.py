"""Write the tables of docs/EXPERIMENTS.md anew: python docs/make_experiments.py [--check] [--overview FILE]

What the experiments are comes from their files. What they found comes from the overview of a full run,
`marrowsim knockout all -o knockouts`, and stays as it is unless --overview knockouts/overview.md is given. With --check
nothing is written, and the exit code is 1 where the page is not what the files say.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from make_odd import renewed, table

from marrowsim.experiments import CLAIMS, load_experiment
from marrowsim.experiments.measures import MEASURES
from marrowsim.experiments.model import Rule
from marrowsim.experiments.overview import MATRIX
from marrowsim.experiments.report import arm_changes, rule_text

DOCUMENT = Path(__file__).with_name("EXPERIMENTS.md")
PICTURE = DOCUMENT.with_name("experiments.png")
VERDICTS = re.compile(r"<!-- begin verdicts -->\n(.*?)\n\n<!-- end verdicts -->", re.DOTALL)


def experiment(name: str) -> str:
    """Arms, readouts and rules of one experiment."""
    known = load_experiment(name).experiment
    readouts = {readout.name: readout for readout in known.readout}
    arms = [[f"`{key}`", arm.label, arm_changes(arm)] for key, arm in known.arms.items()]
    rules = [
        [rule.name, rule_text(rule, readouts[rule.readout].unit), _band(rule), rule.supports or "",
         rule.falsifies or ""]
        for rule in known.rule
    ]  # fmt: skip
    times = [
        [readout.name, readout.measure + _options(readout.options), _time(readout.at)] for readout in known.readout
    ]
    counts = f"{known.replicates} replicates; {known.bounded.replicates} in the quick form"
    head = f"### {known.id}: {known.title}\n\n{known.claim}\n\nScenario `{known.scenario}`, {counts}."
    parts = [table(["arm", "", "changes"], arms), table(["readout", "measure", "at"], times)]
    parts.append(table(["rule", "estimate", "expected", "supports if", "falsifies if"], rules))
    return "\n\n".join([head, *parts])


def _time(minutes: float | None) -> str:
    return "the end" if minutes is None else f"{minutes / 60:g} h"


def _band(rule: Rule) -> str:
    return f"{rule.expected[0]:g} to {rule.expected[1]:g}" if rule.expected else ""


def _options(options: dict[str, object]) -> str:
    return "".join(f"; {key} {value}" for key, value in options.items())


def measures() -> str:
    """What a readout can measure, with its options."""
    rows = [
        [f"`{name}`", item.meaning, ", ".join(f"`{option}`" for option in item.options.model_fields)]
        for name, item in MEASURES.items()
    ]
    return table(["measure", "what it is", "options"], rows)


def verdicts(text: str, overview: Path | None) -> str:
    """Claims and shortfalls of an overview, without its links, which are to a folder of reports, and with the figure of
    its matrix; what the page has, without an overview.
    """
    if overview is None:
        return VERDICTS.search(text)[1].strip()
    found = overview.read_text(encoding="utf-8").partition("\n")[2].partition(MATRIX)[0].strip()
    found = re.sub(r"\[(\w+)\]\(\1/report\.md\)", r"\1", found).replace("\n## ", "\n### ")
    caption = (
        "Every arm against the arm that changes nothing, or the first; the ratios with intervals are in the overview."
    )
    return f"{found}\n\n![Arms by readouts]({PICTURE.name})\n\n*{caption}*"


def page(text: str, overview: Path | None = None) -> str:
    """The page with every block written anew.

    Raises
    ------
    ValueError
        Where a block is missing from the page, or is none of ours.
    """
    blocks: dict[str, Callable[[], str]] = {name: partial(experiment, name) for name in CLAIMS}
    return renewed(text, blocks | {"measures": measures, "verdicts": partial(verdicts, text, overview)})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is out of date")
    parser.add_argument("--overview", type=Path, help="overview of a full run, to take the verdicts from")
    chosen = parser.parse_args()
    text = DOCUMENT.read_text(encoding="utf-8")
    new = page(text, chosen.overview)
    if chosen.check:
        return int(new != text)
    DOCUMENT.write_text(new, encoding="utf-8")
    if chosen.overview:
        shutil.copyfile(chosen.overview.with_suffix(".png"), PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
