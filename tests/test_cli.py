"""Every command on a tiny run, as a user types it."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from marrowsim import __version__
from marrowsim.cli.app import app
from marrowsim.config import SCENARIOS, load_config
from marrowsim.estimate import estimate
from marrowsim.processes import PROCESSES

COMMANDS = (
    "new",
    "check",
    "run",
    "resume",
    "info",
    "compare",
    "parameters",
    "measure",
    "render",
    "export",
    "benchmark",
)
SMALL = ["--set", 'geometry.size=["200 um", "200 um", "200 um"]', "--days", "0.025"]
TINY = [*SMALL, "--threads", "1", "--no-picture"]


def invoke(*arguments, code=0):
    """Run a command in this process; its result, after a look at the exit code."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty present folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of six steps."""
    path = tmp_path_factory.mktemp("runs") / "a"
    invoke("run", "homing", *TINY, "-o", path)
    return path


@pytest.fixture
def run(finished, here):
    """A copy of that run."""
    shutil.copytree(finished, here / "a")
    return here / "a"


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command):
    said = invoke(command, "--help").stdout
    assert "Usage" in said
    assert command in said
    assert said == invoke(command, "-h").stdout


def test_help_lists_every_command():
    said = invoke("--help").stdout
    assert "marrowsim run homing" in said
    assert all(command in said for command in COMMANDS)


def test_version():
    assert invoke("--version").stdout == f"marrowsim {__version__}\n"


def test_as_a_module(here):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "marrowsim", "run", "homing", *TINY],
        cwd=here, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "state hash" in done.stdout
    assert "growing bone" in done.stderr
    assert "growing bone" not in done.stdout
    assert (here / "runs/homing-1/run.json").is_file()


@pytest.mark.parametrize("name", SCENARIOS)
def test_new_prints_a_scenario_that_is_right_as_it_stands(name, here):
    (here / "my.toml").write_text(invoke("new", name).stdout)
    assert load_config(here / "my.toml", PROCESSES) == load_config(name, PROCESSES)
    assert "nothing is wrong" in invoke("check", "my.toml").stdout


def test_check_prints_the_estimate(here):
    said = invoke("check", "homing").stdout
    cost = estimate(load_config("homing", PROCESSES))
    assert "100 x 100 x 100 = 1,000,000 voxels of 10 um" in said
    assert "3 days, 720 steps of 6 min" in said
    assert f"{cost.memory / 2**20:.1f} MiB" in said
    assert "on one thread" in said
    assert not list(here.iterdir())


def test_check_reads_the_image(here):
    bone = np.zeros((10, 12, 14), bool)
    bone[:, :4] = True
    np.savez("bone.npz", bone=bone, spacing_um=20.0)
    said = invoke("check", "homing", "--bone", "bone.npz", "--voxel", "10").stdout
    assert "28 x 24 x 20 = 13,440 voxels of 10 um" in said


def test_a_run_has_everything_and_says_where(here):
    result = invoke("run", "homing", *SMALL, "--threads", "1", "-o", "b")
    folder = here / "b"
    assert json.loads((folder / "run.json").read_text())["hash"] in result.stdout
    assert (folder / "picture.png").stat().st_size > 1000
    assert "picture:" in result.stdout
    assert "step 6 of 6" in result.stderr
    assert not (folder / "bone.png").exists()


def test_a_run_with_remodelling_has_a_picture_of_bone(here):
    result = invoke("run", "remodelling", *SMALL, "--threads", "1", "-o", "b")
    assert (here / "b" / "bone.png").read_bytes() != (here / "b" / "picture.png").read_bytes()
    assert "bone:" in result.stdout


def test_the_default_folder_is_never_overwritten(here):
    for _ in range(3):
        invoke("run", "homing", *TINY, "--seed", "7")
    folders = sorted(item.name for item in (here / "runs").iterdir())
    assert folders == ["homing-7", "homing-7-2", "homing-7-3"]
    assert len({json.loads((here / "runs" / name / "run.json").read_text())["hash"] for name in folders}) == 1


def test_overwrite_replaces_a_run(run):
    invoke("run", "homing", *TINY, "--seed", "2", "-o", "a", "--overwrite")
    assert json.loads((run / "run.json").read_text())["seed"] == 2


def test_options_reach_the_scenario(here):
    chosen = ["--voxel", "8", "--set", "cells.tumour.cxcr4=0.5", "--set", 'knockouts=["CXCL12->chemotaxis"]']
    invoke("run", "homing", *TINY, *chosen, "-o", "b")
    config = load_config(here / "b/scenario.toml", PROCESSES)
    assert (config.geometry.voxel, config.cells["tumour"].cxcr4) == (8.0, 0.5)
    assert config.knockouts == ["CXCL12->chemotaxis"]
    assert config.time.steps == 6


def test_resume_goes_on_as_one_long_run(run):
    assert "is finished" in invoke("resume", "a").stdout
    resumed = invoke("resume", "a", "--days", "0.05", "--no-picture").stdout
    invoke("run", "homing", *TINY, "--days", "0.05", "-o", "long")
    assert json.loads((run / "run.json").read_text())["hash"] in resumed
    assert "identical" in invoke("compare", "a", "long").stdout


def test_info(run):
    said = invoke("info", "a").stdout
    assert "finished" in said
    assert "step 6 of 6 (0.025 of 0.025 days)" in said
    record = json.loads(invoke("info", "a", "--json").stdout)
    assert (record["status"], record["checkpoint_step"], record["frames"]) == ("finished", 6, [0, 6])
    assert record["state_hash"] == record["hash"]


def test_compare_tells_by_its_exit_code(run):
    assert "identical" in invoke("compare", "a", "a").stdout
    invoke("run", "homing", *TINY, "--seed", "2", "-o", "b")
    said = invoke("compare", "a", "b", code=1).stdout
    assert "scenario: seed: 1 and 2" in said
    assert "step 0: tissue at voxel" in said


def test_parameters_are_complete():
    records = json.loads(invoke("parameters", "--json").stdout)
    wanted = {"key", "symbol", "meaning", "value", "unit", "range", "source", "mark"}
    assert all(set(record) == wanted for record in records)
    assert all(record["value"] and record["mark"] and record["meaning"] for record in records)
    assert len({record["key"] for record in records}) == len(records) > 90
    by_key = {record["key"]: record for record in records}
    assert [by_key["time.step"][name] for name in ("symbol", "value", "unit")] == ["dt", "6", "min"]
    assert [by_key["cells.tumour.motility"][name] for name in ("value", "unit")] == ["8.33", "um^2/h"]
    table = invoke("parameters").stdout
    assert all(record["key"] in table for record in records)


def test_arrows():
    arrows = json.loads(invoke("parameters", "--arrows", "--json").stdout)
    table = invoke("parameters", "--arrows").stdout
    assert len(arrows) > 5
    assert all(name in table for name in arrows)


def test_presets():
    presets = json.loads(invoke("parameters", "--presets", "--json").stdout)
    table = invoke("parameters", "--presets").stdout
    assert presets["myeloma"]["set"]["cells.tumour.bone_growth_gain"]["value"] == 0.0
    assert all(name in table for name in presets)


def test_measure_a_run_and_an_image(run, here):
    of_run = json.loads(invoke("measure", "a", "--json").stdout)
    assert of_run["spacing (um)"] == 10.0
    first, *later = [values for name, values in of_run.items() if name.endswith(" d")]
    assert first["BV/TV"] == pytest.approx(0.12, abs=0.01)
    assert later == [first]
    plate = np.zeros((20, 20, 40), bool)
    plate[..., 15:25] = True
    np.savez("plate.npz", bone=plate)
    of_image = json.loads(invoke("measure", "plate.npz", "--spacing", "5", "--json").stdout)
    assert of_image["BV/TV"] == 0.25
    assert of_image["Tb.Th"] == pytest.approx(50.0, rel=0.1)
    half = plate.copy()
    half[..., :20] = False
    np.savez("half.npz", bone=half)
    boxed = json.loads(
        invoke("measure", "plate.npz", "--spacing", "5", "--box", "100,0,0,200,100,100", "--json").stdout
    )
    assert boxed["BV/TV"] == 0.25
    masked = json.loads(invoke("measure", "plate.npz", "--spacing", "5", "--region", "half.npz", "--json").stdout)
    assert masked["BV/TV"] == 1.0
    axes = np.array(of_image["fabric axes (x, y, z)"])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-6)
    assert abs(axes[2, 0]) == pytest.approx(1.0)
    table = invoke("measure", "plate.npz", "--spacing", "5").stdout
    assert "BV/TV" in table
    assert "40 x 20 x 20 voxels of 5 um" in table


def test_measure_refuses_what_does_not_fit(run, here):
    bone = np.zeros((8, 8, 8), bool)
    bone[2:5] = True
    np.savez("block.npz", bone=bone)
    np.savez("other.npz", bone=bone[:6])
    np.savez("nowhere.npz", bone=np.zeros_like(bone))
    image = ("measure", "block.npz", "--spacing", "5")
    for arguments, words in [
        ((*image, "--box", "0,0,0,10,10"), "two corners"),
        ((*image, "--box", "0,0,0,10,10,wide"), "two corners"),
        ((*image, "--box", "10,10,10,0,0,0"), "holds no voxel centre"),
        ((*image, "--box", "900,900,900,990,990,990"), "holds no voxel centre"),
        ((*image, "--region", "other.npz"), "does not fit"),
        ((*image, "--region", "nowhere.npz"), "does not fit"),
        ((*image, "--step", "0"), "no steps"),
        (("measure", "a", "--spacing", "5"), "knows its voxel size"),
        (("measure", "a", "--step", "1000000"), "1000000"),
        (("measure", "a", "--step", "-3"), "-3"),
    ]:
        assert words in " ".join(invoke(*arguments, code=2).stderr.split())


def test_render(run, here):
    invoke("render", "a")
    assert (run / "picture.png").read_bytes().startswith(b"\x89PNG")
    said = invoke("render", "a", "-o", "first.png", "--frame", "0").stdout
    assert said == "picture: first.png\n"
    assert (here / "first.png").read_bytes() != (run / "picture.png").read_bytes()
    invoke("render", "a", "-o", "bone.png", "--layers", "bone,tumour")
    assert (here / "bone.png").read_bytes() != (run / "picture.png").read_bytes()
    wrong = invoke("render", "a", "--layers", "bon", code=2)
    assert "did you mean 'bone'" in wrong.stderr


def test_render_takes_frames_by_step_and_time(run, here):
    said = invoke("render", "a", "-o", "f.png", "--frame", "all", "--size", "640x400").stdout
    names = [line.split()[-1] for line in said.splitlines()]
    assert names[0] == "f-00000000.png" and len(names) > 1
    assert sorted(names) == sorted(path.name for path in here.glob("f-*.png"))
    invoke("render", "a", "-o", "start.png", "--at", "0 h", "--size", "640x400")
    assert (here / "start.png").read_bytes() == (here / names[0]).read_bytes()


def test_render_refuses_what_does_not_fit(run, here):
    (here / "notes.png").write_text("mine")
    for arguments, words in [
        (("--frame", "7"), "no frame of that step"),
        (("--frame", "soon"), "the frame is not understood"),
        (("--at", "soon"), "the time is not understood"),
        (("--at", "1d", "--frame", "0"), "by step or by time"),
        (("--clip", "x=3", "--limits", "a,b"), "2 faults"),
        (("--as", "cloud"), "cannot be drawn like that"),
        (("--levels", "1,2"), "add --as isosurface"),
        (("--as", "volume", "--slices", "1,2,3"), "add --as slices"),
        (("--size", "big"), "WIDTHxHEIGHT"),
        (("--turn", "90"), "only films turn"),
        (("--fps", "30"), "only films have a speed"),
        (("-o", "a.mp4", "--turn", "nan"), "no number of degrees"),
        (("--camera", "30,nan"), "the camera is not understood"),
        (("--as", "slices", "--slices", "50,9999,50"), "a slice is outside the lattice"),
        (("--as", "none", "--field", "oxygen", "--limits", "0,1"), "2 faults"),
        (("--as", "volume", "--layers", "bone"), "--as volume is of a field"),
        (("--limits", "0,1", "--layers", "bone", "--sheet"), "--limits is of a field"),
        (("-o", "a.mp4", "--sheet"), "a film is no sheet"),
        (("-o", "notes.png"), "no picture of this kind"),
        (("-o", "there/a.png"), "no such folder"),
        (("--track", "99999999"), "no frame has a cell of that id"),
        (("--beside", "b"), "no such run folder"),
    ]:
        said = " ".join(invoke("render", "a", *arguments, code=2).stderr.split())
        assert words in said, (arguments, said)
    assert (here / "notes.png").read_text() == "mine"
    assert {path.name for path in here.iterdir()} == {"a", "notes.png"}
