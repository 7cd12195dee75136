"""Code belongs to its results: run folders, sweeps and experiments keep it, and tell other code from it."""

import json
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from typer.testing import CliRunner

import marrowsim as ms
from marrowsim.cli.app import app
from marrowsim.config import load_config
from marrowsim.errors import ExperimentError, ScenarioError
from marrowsim.experiments.workers import run_points
from marrowsim.processes import PROCESSES
from marrowsim.sweeps import load_sweep
from marrowsim.sweeps.run import forecast, plan_of

SWEEP = """
id = "doses"
title = "Loss over dose"
scenario = "dish.toml"
design = "grid"

[[parameter]]
key = "processes.culling.dose"
values = ["0 Gy", "0.5 Gy", "1 Gy"]

[[readout]]
name = "lost"
measure = "column"
options = { column = "culling: lost (events)" }
"""

EXPERIMENT = """
id = "loss"
title = "Loss"
claim = "Cells are lost by culling."
scenario = "culture"
replicates = 6

[set]
extensions = ["culling.py"]
geometry.size = ["100 um", "100 um", "100 um"]
time.duration = "4 h"
output.readouts_every = "1 h"
seeding = [{ cell = "tumour", density = "300000 /mm^3" }]

[arms.usual]

[arms.twice]
set.processes.culling.dose = "2 Gy"

[arms.spared]
knockouts = ["culling->tumour"]

[[readout]]
name = "lost"
measure = "column"
options = { column = "culling: lost (events)" }

[[rule]]
name = "a higher dose"
kind = "difference"
readout = "lost"
of = "twice"
to = "usual"
supports = { above = 0 }

[[rule]]
name = "than without it"
kind = "difference"
readout = "lost"
of = "usual"
to = "spared"
supports = { above = 0 }
"""


def invoke(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture
def whole(here):
    """A finished run."""
    invoke("run", "dish.toml", "-o", "whole", "--no-picture")
    return here / "whole"


@pytest.fixture
def doses(here):
    """The file of a sweep."""
    (here / "doses.toml").write_text(SWEEP)
    return here / "doses.toml"


def test_killed_and_resumed_without_the_original(whole, here):
    """kill -9 in mid-run; the folder alone is enough to go on to the same bits."""
    command = [sys.executable, "-P", "-m", "marrowsim", "run", "dish.toml", "-o", "killed", "--no-picture"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        while not list((here / "killed/checkpoints").glob("0000000[3-9].h5")) and child.poll() is None:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
    (here / "culling.py").unlink()
    assert ms.open_run("killed").status == "interrupted"
    said = invoke("resume", "killed", "--no-picture").output
    assert "with culling.py as kept in the folder" in said
    assert ms.open_run("killed").record["hash"] == ms.open_run(whole).record["hash"]
    assert (here / "killed/readouts.csv").read_bytes() == (whole / "readouts.csv").read_bytes()
    invoke("compare", "killed", "whole")


def test_a_run_folder_holds_the_code(whole, here):
    text = (here / "culling.py").read_text()
    assert (whole / "extensions/culling.py").read_text() == text
    digest = json.loads((whole / "run.json").read_text())["extensions"]["culling.py"]
    assert f'sha256 = "{digest}"' in (whole / "scenario.toml").read_text()
    assert digest in invoke("info", "whole").stdout
    (here / "culling.py").unlink()
    invoke("run", "whole/scenario.toml", "-o", "again", "--no-picture")
    invoke("compare", "whole", "again")
    invoke("run", "whole/scenario.toml", "-o", "again", "--no-picture", "--overwrite")


def test_comparing_runs_tells_code_apart(whole, here, change):
    change("self.rate * self.dose", "2 * self.rate * self.dose")
    invoke("run", "dish.toml", "-o", "other", "--no-picture")
    said = invoke("compare", "whole", "other", code=1).stdout
    digests = [
        json.loads((here / name / "run.json").read_text())["extensions"]["culling.py"] for name in ("whole", "other")
    ]
    assert f"scenario: extensions.culling.py: {digests[0]} and {digests[1]}" in said
    assert "import numpy" not in said


def test_changed_code_is_refused(whole):
    kept = whole / "extensions/culling.py"
    text = kept.read_text()
    kept.write_text(text + "\n# another thought\n")
    said = " ".join(invoke("resume", "whole", "--days", "1", "--no-picture", code=2).output.split())
    assert "the code of culling.py was changed since the scenario was resolved" in said
    kept.write_text(text)
    invoke("resume", "whole", "--days", "0.2", "--no-picture")


def test_looking_at_a_run_does_not_run_its_code(here, change):
    change("class Culling", "with open('ran', 'a') as file:\n    file.write('x')\n\n\nclass Culling")
    invoke("run", "dish.toml", "-o", "run", "--no-picture")
    ran = (here / "ran").read_text()
    run = ms.open_run("run")
    assert run.config.processes["culling"].dose == "0.5 Gy"
    assert run.provenance["config_sha256"] == run.record["config_sha256"]
    invoke("info", "run")
    invoke("compare", "run", "run")
    invoke("export", "run", "--to", "run.pvd")
    invoke("render", "run", "-o", "run.svg", "--field", "oxygen")
    assert (here / "ran").read_text() == ran == "x"
    with pytest.raises(ScenarioError, match="the code of the process was not run"):
        ms.Simulation(run.config)


def test_sweeps_are_the_same_in_processes_that_lack_the_file(doses, here):
    ms.sweep(doses, output="serial", processes=1)
    assert (here / "serial/extensions/culling.py").read_text() == (here / "culling.py").read_text()
    plan = plan_of(load_sweep(doses), here / "parallel")
    (here / "parallel/points").mkdir(parents=True)
    (here / "culling.py").rename(here / "elsewhere.py")
    assert run_points(plan.points, processes=2) == []
    (here / "elsewhere.py").rename(here / "culling.py")
    serial = pd.read_csv("serial/results.csv")
    assert serial["value"].iloc[0] == 0 and serial["value"].is_monotonic_increasing
    assert [point.result()["lost"] for point in plan.points] == serial["value"].tolist()


def test_changed_code_is_another_point(doses, here, change, caplog):
    first = ms.sweep(doses, output="out", processes=1)
    assert forecast(doses, output="out").done == 3
    change("self.rate * self.dose", "2 * self.rate * self.dose")
    expected = forecast(doses, output="out")
    assert expected.done == 0 and expected.unused.startswith("3 results in the folder are of other points")
    second = ms.sweep(doses, output="out", processes=1)
    assert "3 results in the folder are of other points" in caplog.text
    assert not set(first.results["digest"]) & set(second.results["digest"])
    assert second.results["value"].iloc[-1] > first.results["value"].iloc[-1]


def test_points_that_fail_say_why(doses, change):
    change('state.tally("culled", lost)', "state.no_such_thing()")
    failures = ms.sweep(doses, processes=1).failures
    assert len(failures) == 3
    assert failures["failure"].str.contains("no_such_thing").all()
    assert failures["failure"].str.contains("the code of the extension failed").all()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("= np.flatnonzero(chance", "= np.no_such_thing(chance"),
        ("def update", "def prepare(self, state, clock):\n        state.no_such_thing()\n\n    def update"),
        ("state.tallies.get", "state.no_such_thing"),
    ],
)
def test_code_that_fails_is_told_with_its_line(here, change, old, new):
    """And is not taken for a mistake of the program."""
    change(old, new)
    lines = (here / "culling.py").read_text().splitlines()
    (line,) = (number for number, text in enumerate(lines, start=1) if "no_such_thing" in text)
    said = invoke("run", "dish.toml", "-o", "run", "--no-picture", code=2).output
    assert f"culling.py:{line}: the code of the extension failed" in said


def test_an_experiment_with_it_in_arms(here):
    (here / "sub").mkdir()
    (here / "sub/loss.toml").write_text(EXPERIMENT)
    with pytest.raises(ExperimentError, match=r"sub[/\\]culling.py"):
        ms.knockout("sub/loss.toml", processes=1)
    (here / "culling.py").rename(here / "sub/culling.py")
    outcome = ms.knockout("sub/loss.toml", output="out", processes=1)
    assert outcome.verdict == "supported"
    lost = outcome.values["lost"]
    assert (lost["twice"] > lost["usual"]).all() and (lost["usual"] > 0).all() and (lost["spared"] == 0).all()
    (here / "sub/culling.py").unlink()
    arm = load_config("out/scenarios/twice.toml", PROCESSES)
    assert arm.processes["culling"].dose == 2.0
    again = ms.Simulation(arm)
    again.run()
    assert again.state.tallies["culled:tumour"] == lost["twice"][0]
