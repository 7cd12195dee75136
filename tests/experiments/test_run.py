"""Running experiments into folders."""

import json
import shutil
import tomllib

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import marrowsim as ms
from marrowsim.cli.app import app
from marrowsim.errors import ExperimentError
from marrowsim.experiments import knockout
from marrowsim.experiments.files import arm_configs, load_experiment
from marrowsim.experiments.model import Rule
from marrowsim.experiments.report import row, rule_text
from marrowsim.experiments.run import points_of
from marrowsim.experiments.workers import run_points

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_experiment):
    """The small experiment, run in this process."""
    path = tmp_path_factory.mktemp("finished") / "tiny.toml"
    path.write_text(small_experiment)
    return path, knockout(path, output=path.parent / "serial", processes=1)


@pytest.fixture
def serial(finished, tiny, tmp_path):
    """The same in a folder of its own: the file, the folder and the outcome."""
    _, outcome = finished
    shutil.copytree(outcome.folder, tmp_path / "serial")
    return tiny(), tmp_path / "serial", outcome


def times(folder):
    return {item.name: item.stat().st_mtime_ns for item in (folder / "points").iterdir()}


def which(names):
    """Arm and seed of files of results."""
    return {name.rsplit("-", 1)[0] for name in names}


def test_a_report_folder(serial):
    _, folder, outcome = serial
    assert outcome.seeds == SEEDS and outcome.folder.name == folder.name
    table = pd.read_csv(folder / "table.csv")
    assert list(table.columns) == ["arm", "seed", "readout", "unit", "value"]
    assert len(table) == 3 * 3 * 2
    cells = table[table.readout == "cells"].set_index(["arm", "seed"]).value
    assert cells["blocked", 2] == cells["without", 2] == outcome.values["cells"]["without"][1]
    assert (cells["with"].mean(), cells["without"].mean()) == (
        outcome.values["cells"]["with"].mean(), outcome.values["cells"]["without"].mean()
    )  # fmt: skip
    report = (folder / "report.md").read_text()
    for words in ("CXCL12 raises the number", "too few replicates to judge", "**not supported**", "without `CXCR4`"):
        assert words in report


@pytest.mark.parametrize(("kind", "unit", "end"), [("difference", "h", "a, b (h)"), ("difference", "1", "a, b"),
                                                   ("ratio", "h", "a, b")])  # fmt: skip
def test_an_estimate_is_told_with_its_unit(kind, unit, end):
    rule = Rule(name="later", kind=kind, readout="time", of="a", to="b")
    assert rule_text(rule, unit) == f"{kind} of time: {end}"


def test_words_cannot_break_a_table():
    assert row(("a | b", "c")) == r"| a \| b | c |"


def test_scenarios_of_the_arms_give_their_points(serial):
    """A resolved scenario of the folder, run by itself, gives the numbers of the table."""
    _, folder, outcome = serial
    scenario = tomllib.loads((folder / "scenarios" / "with.toml").read_text())
    simulation = ms.Simulation.from_scenario(scenario, seed=2)
    simulation.run()
    assert len(simulation.state.cells) == outcome.values["cells"]["with"][1]


def test_parallel_is_serial_to_the_byte(serial, tmp_path):
    path, folder, _ = serial
    other = tmp_path / "parallel"
    knockout(path, output=other, processes=2)
    for name in ("table.csv", "report.md"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()


def test_points_that_are_done_are_not_run_again(serial, tmp_path):
    """What a kill leaves is points, whole or absent: two are taken away, and those two alone are made anew."""
    path, folder, _ = serial
    table, before = (folder / "table.csv").read_bytes(), times(folder)
    lost = [name for name in before if which([name]) < {"with-2", "blocked-3"}]
    for name in lost:
        (folder / "points" / name).unlink()
    (folder / "points" / f".{lost[0]}.tmp").write_text("{")
    seen = []
    knockout(path, output=folder, processes=1, progress=lambda done, todo: seen.append((done, todo)))
    after = times(folder)
    assert {name for name in before if after[name] != before[name]} == set(lost) and len(lost) == 2
    assert seen[0] == (7, 9) and seen[-1] == (9, 9)
    assert (folder / "table.csv").read_bytes() == table


def test_more_replicates_keep_the_first_ones(serial):
    path, folder, outcome = serial
    before = times(folder)
    more = knockout(path, output=folder, replicates=4, processes=1)
    assert before.items() <= times(folder).items()
    np.testing.assert_array_equal(more.values["cells"]["with"][:3], outcome.values["cells"]["with"])


def test_a_changed_arm_is_run_again_and_others_are_not(serial, tiny):
    """What the arm was before keeps its results: back at it, nothing is run."""
    _, folder, _ = serial
    before = times(folder)
    path = tiny(('set.fields.cxcl12.held_at = "0 nM"', 'set.fields.cxcl12.held_at = "0.1 nM"'))
    knockout(path, output=folder, processes=1)
    after = times(folder)
    assert before.items() <= after.items()
    assert which(after.keys() - before.keys()) == {f"without-{seed}" for seed in SEEDS}
    table = (folder / "table.csv").read_bytes()
    seen = []
    knockout(tiny(), output=folder, processes=1, progress=lambda done, todo: seen.append((done, todo)))
    assert seen == [(9, 9)] and times(folder) == after and (folder / "table.csv").read_bytes() != table


def test_changed_rules_run_nothing(serial, tiny):
    _, folder, _ = serial
    before = times(folder)
    knockout(tiny(("supports = { above = 1.0 }", "supports = { above = 1.5 }")), output=folder, processes=1)
    assert times(folder) == before
    assert "above 1.5" in (folder / "report.md").read_text()


def test_folders_of_others_are_refused(serial, tiny, tmp_path):
    path, folder, _ = serial
    with pytest.raises(ExperimentError, match="of another experiment"):
        knockout(path, output=folder, bounded=True)
    with pytest.raises(ExperimentError, match="of another experiment"):
        knockout(tiny(('id = "tiny"', 'id = "tinier"')), output=folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("!")
    with pytest.raises(ExperimentError, match="something else"):
        knockout(path, output=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "!"


def test_a_failing_arm_does_not_stop_the_others(tiny, tmp_path):
    """Lining cells without bone cannot be placed; the arm is last, so that those before it are done."""
    path = tiny(('knockouts = ["CXCR4"]', 'set.stroma.lining = "360 /mm^2"\nset.stroma.slots = "3000 /mm^3"'))
    with pytest.raises(ExperimentError) as error:
        knockout(path, output=tmp_path / "out", processes=1)
    assert {fault.where for fault in error.value.faults} == {f"blocked, seed {seed}" for seed in SEEDS}
    assert which(times(tmp_path / "out")) == {f"{arm}-{seed}" for arm in ("with", "without") for seed in SEEDS}


def test_geometry_is_shared_between_arms_of_one_tissue(tiny, tmp_path, monkeypatch):
    built = []
    build = ms.experiments.points.build_geometry
    monkeypatch.setattr("marrowsim.experiments.points._latest", None)
    monkeypatch.setattr("marrowsim.experiments.points.build_geometry", lambda config: built.append(1) or build(config))
    source = load_experiment(tiny())
    for folder in ("points", "scenarios"):
        (tmp_path / folder).mkdir()
    assert run_points(points_of(source, tmp_path, bounded=True, seeds=(1,)), processes=1) == []
    assert len(built) == 1
    results = {item.stem.rsplit("-", 1)[0]: json.loads(item.read_text()) for item in (tmp_path / "points").iterdir()}
    assert set(results) == {"with-1", "without-1", "blocked-1"}
    configs = arm_configs(source, bounded=True, seed=1)
    alone = ms.Simulation(configs["with"])
    alone.run()
    assert results["with-1"]["values"]["cells"] == len(alone.state.cells)


def test_nothing_is_kept_without_a_folder(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tiny()
    outcome = ms.knockout(path, bounded=True, processes=1)
    assert outcome.folder is None and outcome.seeds == (1, 2)
    assert list(tmp_path.iterdir()) == [path]


def test_commands(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    tiny(), tiny(('id = "tiny"', 'id = "second"'), name="second.toml")
    result = run(app, ["knockout", "tiny.toml", "second.toml", "--bounded", "--processes", "1"])
    assert result.exit_code == 0, result.output
    for name in ("tiny", "second"):
        names = {item.name for item in (tmp_path / "knockouts-bounded" / name).iterdir()}
        assert {"table.csv", "report.md", "figure.png", "experiment.toml", "scenarios", "points"} <= names
    overview = (tmp_path / "knockouts-bounded" / "overview.md").read_text()
    assert "[tiny](tiny/report.md)" in overview and "**not supported**" in overview and "Quick form" in overview
    assert "| 0 of 2 |" in overview and "| tiny | more cells | " in overview and "support asks for above 1" in overview
    listed = run(app, ["knockout", "--list"])
    assert "S8" in listed.output
    printed = run(app, ["knockout", "S8", "--print"])
    assert tomllib.loads(printed.output)["id"] == "S8"


@pytest.mark.parametrize("arguments", [[], ["S88"], ["S8", "S7", "--print"], ["S8", "--replicates", "1"]])
def test_commands_refuse(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["knockout", *arguments])
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []
