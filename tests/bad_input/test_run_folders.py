"""Run folders that are broken, in use, or on a full disk."""

import errno
import json
import shutil

import h5py
import pytest
from filelock import FileLock
from typer.testing import CliRunner

from marrowsim.cli.app import app
from marrowsim.storage import files as storage_files

SMALL = ["--set", 'geometry.size=["200 um", "200 um", "200 um"]', "--days", "0.025"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of six steps."""
    path = tmp_path_factory.mktemp("runs") / "a"
    result = CliRunner().invoke(app, ["run", "homing", *SMALL, "--no-picture", "--threads", "1", "-o", str(path)])
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def run(finished, here):
    """A copy of that run."""
    shutil.copytree(finished, here / "a")
    return here / "a"


def cut(path):
    """Drop the end of a file."""
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])


def edit_record(path, **change):
    record = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(record | change))


def edit_attribute(path, **change):
    with h5py.File(path, "r+") as file:
        file.attrs.update(change)


def every_checkpoint(path, harm):
    for item in (path / "checkpoints").iterdir():
        harm(item)


def edit_scenario(path, old, new):
    text = (path / "scenario.toml").read_text()
    assert old in text
    (path / "scenario.toml").write_text(text.replace(old, new, 1))


LONGER = ["resume", "a", "--days", "0.05", "--no-picture"]
# Run folders: what is done to a finished run, the command, and words of the message.
RUNS = {
    "taken": (lambda a: None, ["run", "homing", *SMALL, "-o", "a"], ["exists already", "marrowsim resume", "-o DIR"]),
    "foreign files": (
        lambda a: (a / "thesis.txt").write_text("precious"),
        ["run", "homing", *SMALL, "-o", "a", "--overwrite"],
        ["only a run folder is overwritten", "thesis.txt", "-o DIR"],
    ),
    "a file": (
        lambda a: (shutil.rmtree(a), a.write_text("precious")),
        ["run", "homing", *SMALL, "-o", "a"],
        ["something else in the place", "-o DIR"],
    ),
    "a file, overwriting": (
        lambda a: (shutil.rmtree(a), a.write_text("precious")),
        ["run", "homing", *SMALL, "-o", "a", "--overwrite"],
        ["only a run folder is overwritten", "-o DIR"],
    ),
    "below a file": (
        lambda a: None,
        ["run", "homing", *SMALL, "-o", "a/run.json/b"],
        ["cannot be made", "choose another one with -o DIR"],
    ),
    "not a run, resume": (lambda a: (a / "run.json").unlink(), LONGER, ["not a run folder", "run.json"]),
    "not a run, info": (lambda a: (a / "run.json").unlink(), ["info", "a"], ["not a run folder", "run.json"]),
    "not a run, render": (lambda a: (a / "run.json").unlink(), ["render", "a"], ["not a run folder", "run.json"]),
    "not a run, compare": (
        lambda a: (a / "run.json").unlink(),
        ["compare", "a", "a"],
        ["not a run folder", "run.json"],
    ),
    "not a run, measure": (lambda a: (a / "run.json").unlink(), ["measure", "a"], ["holds no slices", ".tif"]),
    "damaged record": (lambda a: cut(a / "run.json"), LONGER, ["not a run folder", "run.json"]),
    "record of something else": (lambda a: edit_record(a, kind="cake"), ["info", "a"], ["not a run folder", "cake"]),
    "record without its parts": (
        lambda a: (a / "run.json").write_text(
            '{"kind": "marrowsim run", "format": 1, "software": {"marrowsim": "0"}, "status": "running",'
            ' "processes": [], "resumed": []}'
        ),
        ["info", "a"],
        ["not a run folder", "run.json lacks title"],
    ),
    "foreign format": (lambda a: edit_record(a, format=99), LONGER, ["another format", "99", "use marrowsim"]),
    "foreign version": (
        lambda a: edit_record(a, software={"marrowsim": "9.9"}),
        LONGER,
        ["another version", "install marrowsim 9.9"],
    ),
    "foreign checkpoint": (
        lambda a: every_checkpoint(a, lambda item: edit_attribute(item, format=99)),
        LONGER,
        ["another version", "format 99", "start anew"],
    ),
    "foreign geometry": (
        lambda a: edit_attribute(a / "geometry.h5", format=99),
        LONGER,
        ["another version", "format 99", "start anew"],
    ),
    "truncated checkpoints": (lambda a: every_checkpoint(a, cut), LONGER, ["checkpoint is damaged", "start anew"]),
    "truncated checkpoints, info": (
        lambda a: every_checkpoint(a, cut),
        ["info", "a"],
        ["checkpoint is damaged", "start anew"],
    ),
    "truncated geometry": (lambda a: cut(a / "geometry.h5"), LONGER, ["geometry is damaged", "start anew"]),
    "truncated geometry, measure": (lambda a: cut(a / "geometry.h5"), ["measure", "a"], ["geometry is damaged"]),
    "no geometry": (lambda a: (a / "geometry.h5").unlink(), LONGER, ["geometry is damaged or missing", "start anew"]),
    "edited scenario": (
        lambda a: edit_scenario(a, "seed = 1", "seed = 2"),
        LONGER,
        ["another scenario", "undo the change to scenario.toml"],
    ),
    "broken scenario": (lambda a: edit_scenario(a, "seed = 1", "seed = "), LONGER, ["not valid TOML", "scenario.toml"]),
    "no scenario": (lambda a: (a / "scenario.toml").unlink(), LONGER, ["no such scenario", "scenario.toml"]),
    "fewer days than done": (lambda a: None, ["resume", "a", "--days", "0.01"], ["farther", "0.025 days"]),
    "negative days": (lambda a: None, ["resume", "a", "--days", "-1"], ["out of bounds"]),
    "no thread": (lambda a: None, ["resume", "a", "--threads", "0"], ["--threads", "greater than or equal to 1"]),
    "no such frame": (lambda a: None, ["render", "a", "--frame", "5"], ["no frame of that step", "the nearest is 6"]),
    "no frames": (lambda a: shutil.rmtree(a / "frames"), ["render", "a"], ["no frames", "marrowsim resume"]),
    "truncated frame": (lambda a: cut(a / "frames/00000006.vtkhdf"), ["render", "a"], ["the frame cannot be read"]),
    "picture of unknown format": (lambda a: None, ["render", "a", "-o", "a.jpeg"], [".png"]),
    "picture into no folder": (lambda a: None, ["render", "a", "-o", "b/a.png"], ["no such folder", "make it"]),
    "picture in place of a folder": (lambda a: None, ["render", "a", "-o", "a"], ["a"]),
    "no readouts": (lambda a: (a / "readouts.csv").unlink(), ["render", "a"], ["readouts", "marrowsim resume"]),
    "spacing of a run": (lambda a: None, ["measure", "a", "--spacing", "5"], ["--spacing", "leave --spacing out"]),
}


@pytest.mark.parametrize("case", RUNS)
def test_run_folders(case, run, here, refuse, tree):
    harm, arguments, words = RUNS[case]
    harm(run)
    before = tree(here)
    refuse(arguments, *words)
    assert tree(here) == before


@pytest.mark.parametrize("arguments", [LONGER, ["run", "homing", *SMALL, "-o", "a", "--overwrite"]])
def test_a_run_that_is_being_written_is_left_alone(arguments, run, here, refuse, tree):
    before = tree(here)
    with FileLock(run / ".lock"):
        refuse(arguments, "another process is writing this run", "wait until")
    assert tree(here) == before


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_at_the_start_leaves_nothing(here, monkeypatch, refuse, tree):
    monkeypatch.setattr(storage_files.os, "fsync", full)
    refuse(["run", "homing", *SMALL, "--no-picture", "-o", "new"], "the disk is full", "make room")
    assert tree(here) == {}


def test_a_full_disk_while_going_on_loses_nothing(run, finished, monkeypatch, refuse, tree):
    with monkeypatch.context() as patch:
        patch.setattr(storage_files.os, "fsync", full)
        refuse(LONGER, "the disk is full", "make room", "marrowsim resume")
    before, after = tree(finished), tree(run)
    changing = ("run.log", "run.json", "scenario.toml")
    assert all(after[name] == data for name, data in before.items() if name not in changing)
    result = CliRunner().invoke(app, LONGER)
    assert result.exit_code == 0, result.output
