"""What a scenario with an extension gives, and what is refused."""

import json

import pytest
from typer.testing import CliRunner

from marrowsim.cli.app import app
from marrowsim.config import load_config
from marrowsim.errors import ScenarioError
from marrowsim.processes import PROCESSES, SHIPPED
from marrowsim.schedule import schedule_of
from marrowsim.simulation import Simulation

NAMES = [process.name for process in SHIPPED]


def faults_of(**overrides):
    with pytest.raises(ScenarioError) as refused:
        load_config("dish.toml", PROCESSES, overrides)
    return refused.value.faults


def test_parameters_are_keys_with_units(here):
    config = load_config("dish.toml", PROCESSES, {"processes.culling.rate": "6 /d"})
    process = config.processes["culling"]
    assert (process.dose, process.rate) == (0.5, pytest.approx(6 / 1440))
    assert load_config(config.resolved(), PROCESSES) == config


def test_it_stands_where_it_says(here, change):
    for name, after in (("second", '"cycle"'), ("third", '"first"'), ("fourth", "None")):
        text = (here / "culling.py").read_text().replace('"culling"', f'"{name}"').replace("culling->", f"{name}->")
        (here / f"{name}.py").write_text(text.replace('"cycle"', after))
    change('"culling"', '"first"', "first.py")
    files = ["first.py", "second.py", "third.py", "fourth.py"]
    config = load_config("dish.toml", PROCESSES, {"extensions": files, "processes": {"drugs": {"enabled": False}}})
    order = [process.name for process in schedule_of(config)]
    place = NAMES.index("cycle") + 1
    expected = [*NAMES[:place], "first", "third", "second", *NAMES[place:], "fourth"]
    assert order == [name for name in expected if name not in ("drugs", "remodelling")]


def test_arrow_switch_and_readout(here):
    def lost(**overrides):
        simulation = Simulation(load_config("dish.toml", PROCESSES, overrides))
        simulation.run()
        return simulation.readouts, simulation.state.hash()

    column = "culling: lost (events)"
    usual, first = lost()
    assert usual[column].iloc[0] == 0 and usual[column].is_monotonic_increasing
    assert 60 < usual[column].iloc[-1] < 200
    assert usual.columns[-1] == column
    cut, _ = lost(knockouts=["culling->tumour"])
    assert (cut[column] == 0).all()
    off, _ = lost(**{"processes.culling.enabled": False})
    assert column not in off
    assert lost()[1] == first


def test_any_number_of_threads(here):
    hashes = set()
    for threads in (1, 2):
        simulation = Simulation(load_config("dish.toml", PROCESSES), threads=threads)
        simulation.run()
        hashes.add(simulation.state.hash())
    assert len(hashes) == 1


CLASS = "culling.py: Culling"


@pytest.mark.parametrize(
    ("old", "new", "what", "where"),
    [
        ("class Culling(", "class Culling((", "this is not valid Python", "culling.py:12"),
        ("import numpy as np", "import nothing_of_the_kind", "the extension cannot be loaded", "culling.py:5"),
        ('mark="E"', 'mark="X"', "the extension cannot be loaded", "culling.py:21"),
        ("(ms.OwnProcess)", "", "the extension has no process", "culling.py"),
        ('name = "culling"', "", "the process has no name", CLASS),
        (' = "culling"', ' = "cycle"', "the program has a process of that name", CLASS),
        ("def update", "def updates", "the process does nothing", CLASS),
        ('"1 Gy", "scale', '"1 s", "scale', "'1 s' is not a quantity in Gy", f"{CLASS}.dose"),
        (' = "cycle"', ' = "cicle"', "there is no such process to come after", "culling: after"),
        (' = "cycle"', ' = ["cycle"]', "after names no process", CLASS),
        ('lambda state: state.tallies.get("culled:tumour", 0)', "0", "readouts are not declared as such", CLASS),
        (' = "cycle"', ' = "niche"', "these processes take sub-steps together", "culling: after"),
        ('"0 /h"}}}', '"0 /h"}}}.keys()', "arrows are not declared as such", CLASS),
        ('"culling->tumour"', '"CXCR4"', "there is an arrow of that name", CLASS),
        ('"processes.culling.rate"', '"rate"', "the arrow 'culling->tumour' does not say what it sets", CLASS),
        ("),)\n    arrows", "),) * 2\n    arrows", "two readouts of one name", CLASS),
        ('ms.OwnReadout("lost"', 'print("lost"', "readouts are not declared as such", CLASS),
    ],
)  # fmt: skip
def test_code_that_is_refused(change, old, new, what, where):
    """Each with its place, and without a second fault for the section of the scenario."""
    change(old, new)
    (fault,) = faults_of()
    assert (fault.what, fault.where) == (what, where)


def test_names_and_values_that_are_refused(here):
    (missing,) = faults_of(extensions=["none.py"])
    assert missing.what == "there is no such Python file" and missing.where == "override extensions.0"
    (word,) = faults_of(extensions="culling.py")
    assert word.what == "this is not a list"
    (number,) = faults_of(extensions=[3])
    assert number.what == "this names no Python file"
    table = {"name": "../culling.py", "sha256": "", "source": ""}
    (elsewhere,) = faults_of(extensions=[table])
    assert elsewhere.what == "this names no Python file"
    (twice,) = faults_of(extensions=["culling.py", "culling.py"])
    assert twice.what == "two extensions of one name"
    (unit,) = faults_of(**{"processes.culling.dose": "1 um"})
    assert unit.what == "'1 um' is not a quantity in Gy" and unit.where == "override processes.culling.dose"
    (key,) = faults_of(**{"processes.culling.does": "1 Gy"})
    assert (key.what, key.allowed, key.remedy) == ("unknown key", "enabled, rate, dose", "did you mean 'dose'?")
    (arrow,) = faults_of(knockouts=["culling"])
    assert arrow.what == "unknown arrow" and arrow.remedy == "did you mean 'culling->tumour'?"


def test_two_processes_of_one_name(here, change):
    change("cells are lost", "the same", "other.py")
    (fault,) = faults_of(extensions=["culling.py", "other.py"])
    assert (fault.what, fault.where) == ("another extension has a process of that name", "other.py: Culling")


def test_bundled_scenarios_do_not_change():
    """A scenario without extensions resolves as it always did."""
    assert "extensions" not in load_config("homing", PROCESSES).resolved()


def test_listed_with_its_arrows(here):
    listed = json.loads(CliRunner().invoke(app, ["parameters", "--scenario", "dish.toml", "--json"]).stdout)
    (rate,) = (item for item in listed if item["key"] == "processes.culling.rate")
    assert rate == {
        "key": "processes.culling.rate", "symbol": "k", "meaning": "rate of loss at 1 Gy", "value": "0.3", "unit": "/h",
        "range": "0.1-1 /h", "source": "made up", "mark": "E",
    }  # fmt: skip
    arrows = json.loads(CliRunner().invoke(app, ["parameters", "--arrows", "--scenario", "dish.toml", "--json"]).stdout)
    assert arrows["culling->tumour"]["set"] == {"processes.culling.rate": "0 /h"}
    checked = CliRunner().invoke(app, ["check", "dish.toml"])
    assert "culling.py, SHA-256" in checked.stdout
