"""The blocks of docs/OWN_PROCESS.md are files, scripts and commands that work as they stand."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import marrowsim as ms
from marrowsim.processes import PROCESSES

PAGE = Path(__file__).parents[1] / "docs" / "OWN_PROCESS.md"
KILLED = "radiotherapy: killed (events)"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A folder in which every file of the page was written, and every script and command run; what they said."""
    here, said = tmp_path_factory.mktemp("page"), {}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for kind, text in re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        commands = text.splitlines()
        if kind != "sh":
            name = text.partition("\n")[0].removeprefix("# ")
            (here / name).write_text(text, encoding="utf-8")
            commands = [f"{sys.executable} -P {name}"] * (kind == "python" and name != "radiotherapy.py")
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", command], cwd=here, capture_output=True, text=True, check=False,
                env={**os.environ, "PATH": path},
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            said[command.removeprefix(f"{sys.executable} -P ")] = done.stdout
    return here, said


def test_the_formula_and_the_control(page):
    """The script's own assertions hold: survival by the law at two pO2, a dose of 0 without effect."""
    lines = page[1]["formula.py"].splitlines()
    survived = [float(line.split()[2]) for line in lines]
    assert len(survived) == 2 and survived[0] < survived[1]
    assert (page[0] / "formula.py").read_text().count("assert ") == 2


def test_run_and_parameters(page):
    here, said = page
    once, twice = (pd.read_csv(here / name / "readouts.csv")[KILLED] for name in ("irradiated", "twice"))
    assert once.tolist()[0] == 0 and once.iloc[-1] > 1000
    assert twice.iloc[-1] > once.iloc[-1]
    listed = json.loads(said["marrowsim parameters --scenario dish.toml --json"])
    (dose,) = (item for item in listed if item["key"] == "processes.radiotherapy.dose")
    assert (dose["value"], dose["unit"], dose["symbol"], dose["range"]) == ("2", "Gy", "D", "1-8 Gy")


def test_the_sweep(page):
    table = pd.read_csv(page[0] / "sweeps/doses/results.csv")
    dose, oxygen = "processes.radiotherapy.dose (Gy)", "fields.oxygen.held_at (mmHg)"
    killed = table.pivot(index=dose, columns=oxygen, values="value")
    assert (killed.loc[0] == 0).all()
    assert (killed.diff().iloc[1:] > 0).all(axis=None)
    assert (killed.loc[2:, 1] < killed.loc[2:, 150]).all()


def test_the_experiment(page):
    assert "supported" in page[1]["marrowsim knockout protection.toml"]
    assert "not supported" not in page[1]["marrowsim knockout protection.toml"]
    arm = ms.load_config(page[0] / "knockouts/protection/scenarios/air_spared.toml", PROCESSES)
    assert arm.processes["radiotherapy"].dose == 0


def test_the_class_from_python(page):
    assert [line.split(":")[0] for line in page[1]["script.py"].splitlines()] == ["0 h", "1 h"]


def test_types_are_data(page):
    types = ast.literal_eval(page[1]["mixed.py"])
    assert types["tumour"] > types["slow"] > 0
