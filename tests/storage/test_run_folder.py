"""The run folder: what is in it, who may write it, and what happens when something goes wrong."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest

from marrowsim.config import load_config
from marrowsim.errors import RunFolderError
from marrowsim.processes import PROCESSES
from marrowsim.storage import RunFolder, Stopped, files, open_run, read_frame
from marrowsim.storage.compare import compare_runs, scenario_differences


def contents(folder):
    """Everything that must be the same in two runs of the same thing, by name."""
    names = [folder / "readouts.csv", *sorted((folder / "frames").iterdir())]
    return {path.name: path.read_bytes() for path in names}


@pytest.fixture
def whole(record):
    """A folder with the run that was never stopped."""
    return record("whole")


@pytest.fixture
def record(simulate, tmp_path):
    """A function that records a run of some steps into a folder, and returns the folder."""

    def make(name="a", steps=None, **options):
        simulation = simulate(**options)
        with RunFolder.create(tmp_path / name, simulation) as folder:
            simulation.run(steps=steps, recorders=[folder])
        return folder.path

    return make


def test_a_run_leaves_everything_that_was_promised(record, simulate):
    path = record()
    names = {item.name for item in path.iterdir()} - {".lock"}
    assert names == {"run.json", "scenario.toml", "geometry.h5", "readouts.csv", "frames", "checkpoints", "run.log"}
    assert [item.name for item in sorted((path / "frames").iterdir())] == [
        f"{step:08d}.vtkhdf" for step in range(0, 21, 4)
    ]
    assert [item.name for item in sorted((path / "checkpoints").iterdir())] == ["00000015.h5", "00000020.h5"]
    info = json.loads((path / "run.json").read_text())
    assert (info["status"], info["step"], info["steps"], info["seed"], info["threads"]) == ("finished", 20, 20, 1, 1)
    assert info["software"]["packages"]["numpy"]
    assert info["geometry"] == {"source": "test", "voxels": 990, "fraction": 0.25}
    assert info["wall_seconds"] > 0 and info["started"] <= info["finished"]
    simulation = simulate()
    simulation.run()
    assert info["hash"] == simulation.state.hash()
    assert load_config(path / "scenario.toml", PROCESSES) == simulation.config
    table = pd.read_csv(path / "readouts.csv")
    pd.testing.assert_frame_equal(table, simulation.readouts, check_exact=True)
    assert "finished at step 20" in (path / "run.log").read_text()


def test_a_run_is_opened_and_read(record, simulate):
    run = open_run(record())
    simulation = simulate()
    simulation.run()
    assert run.status == "finished" and run.last == (20, simulation.state.hash())
    assert run.config == simulation.config
    pd.testing.assert_frame_equal(run.readouts, simulation.readouts, check_exact=True)
    assert len(run.frames) == 6 and run.frames[-1].step == 20 and run.frames.at(8).time == 48.0
    assert [frame.step for frame in run.frames[1:3]] == [4, 8] == [frame.step for frame in run.frames][1:3]
    with pytest.raises(RunFolderError, match="the nearest is 8"):
        run.frames.at(9)


@pytest.mark.parametrize("stop", [0, 1, 7, 10, 19])
def test_resume_after_any_step_gives_the_same_files(record, whole, drift, stop):
    part = record("part", steps=stop)
    run = open_run(part)
    assert run.status == "interrupted"
    simulation = run.simulation(threads=2, processes=[drift])
    assert simulation.state.step == stop
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert contents(part) == contents(whole)
    assert compare_runs(open_run(part), open_run(whole)) == []
    assert open_run(part).record["hash"] == open_run(whole).record["hash"]


def test_resume_to_a_longer_duration_gives_the_same_files_as_the_long_run(record, drift):
    short, long = record("short", duration="66 min"), record("long", duration="3 h")
    assert read_frame(short / "frames" / "00000011.vtkhdf").step == 11
    run = open_run(short)
    simulation = run.simulation(days=0.125, processes=[drift])
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert contents(short) == contents(long)
    assert open_run(short).config == open_run(long).config
    assert open_run(short).status == "finished"


def test_what_was_written_after_the_checkpoint_is_written_again(record, simulate, drift, tmp_path):
    whole = record("whole")
    simulation = simulate()
    folder = RunFolder.create(tmp_path / "part", simulation)
    with pytest.raises(ZeroDivisionError), folder:
        simulation.run(steps=14, recorders=[folder])
        _ = 1 / 0
    run = open_run(folder.path)
    assert run.status == "failed" and "ZeroDivisionError" in run.record["error"]
    assert len(run.readouts) == 8
    (folder.path / "readouts.csv").write_text("edited\nby,hand")
    simulation = run.simulation(processes=[drift])
    assert simulation.state.step == 10
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert contents(folder.path) == contents(whole)


def test_a_damaged_checkpoint_is_passed_over_aloud(record, drift, caplog):
    whole, part = record("whole"), record("part")
    last = part / "checkpoints" / "00000020.h5"
    last.write_bytes(last.read_bytes()[:2000])
    run = open_run(part)
    with caplog.at_level(logging.WARNING):
        simulation = run.simulation(processes=[drift])
    assert simulation.state.step == 15
    assert "damaged" in caplog.text and "step 15" in caplog.text
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert contents(part) == contents(whole)
    for path in (part / "checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.raises(RunFolderError, match="damaged") as refusal:
        open_run(part).simulation(processes=[drift])
    assert len(refusal.value.faults) == 2


def test_without_a_checkpoint_the_run_starts_again(record, drift):
    whole, part = record("whole"), record("part", steps=3)
    for path in (part / "checkpoints").iterdir():
        path.unlink()
    run = open_run(part)
    simulation = run.simulation(processes=[drift])
    assert simulation.state.step == 0
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert contents(part) == contents(whole)


def test_recording_may_begin_in_the_middle(record, simulate, tmp_path, drift):
    whole = record("whole")
    simulation = simulate()
    simulation.run(steps=7)
    with RunFolder.create(tmp_path / "late", simulation) as folder:
        simulation.run(recorders=[folder])
    assert (folder.path / "readouts.csv").read_bytes() == (whole / "readouts.csv").read_bytes()
    assert compare_runs(open_run(whole), open_run(folder.path))[0].step == 0


def test_runs_whose_frames_are_compressed_otherwise_are_the_same(record, monkeypatch):
    one = record("one")
    monkeypatch.setattr(files, "SHRINKS", 0.0)
    two = record("two")
    assert contents(one).keys() == contents(two).keys() and contents(one) != contents(two)
    assert compare_runs(open_run(one), open_run(two)) == []


def test_own_processes_are_recorded_and_asked_for(record, drift):
    path = record(steps=3)
    run = open_run(path)
    assert run.record["processes"] == ["drift"] and run.record["shipped_schedule"] is False
    with pytest.raises(RunFolderError, match="processes="):
        run.simulation()
    other = type("Other", (), {"name": "other", "update": lambda *_: None})()
    with pytest.raises(RunFolderError, match="without that process"):
        run.simulation(processes=[drift, other])


def test_a_process_that_is_put_in_after_the_folder_was_made_is_recorded(simulate, tmp_path):
    simulation = simulate(schedule=())
    with RunFolder.create(tmp_path / "a", simulation) as folder:
        simulation.insert(type("Late", (), {"name": "late", "update": lambda *_: None})())
        simulation.run(steps=1, recorders=[folder])
    assert open_run(folder.path).record["processes"] == ["late"]
    with pytest.raises(RunFolderError, match="late"):
        open_run(folder.path).simulation()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_end_and_leaves_a_checkpoint(record, simulate, drift, tmp_path, number):
    whole = record("whole")

    class Signal:
        name = "signal"

        def update(self, state, clock):
            if clock.step == 6:
                os.kill(os.getpid(), number)

    simulation = simulate(schedule=(Signal(), drift))
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped, RunFolder.create(tmp_path / "part", simulation) as folder:
        simulation.run(recorders=[folder])
    assert stopped.value.signal_number == number and signal.getsignal(number) is before
    run = open_run(folder.path)
    assert run.status == "interrupted" and run.last[0] == 7
    calm = type("Calm", (), {"name": "signal", "update": lambda *_: None})()
    simulation = run.simulation(processes=[calm, drift])
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert contents(folder.path) == contents(whole)


def test_a_taken_path_is_refused_and_left_alone(record, simulate, tmp_path):
    path = record()
    before = {item: item.stat().st_mtime_ns for item in path.rglob("*")}
    with pytest.raises(RunFolderError, match="marrowsim resume"):
        RunFolder.create(path, simulate())
    assert before == {item: item.stat().st_mtime_ns for item in path.rglob("*")}
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    for name in ("file", "other"):
        for overwrite in (False, True):
            with pytest.raises(RunFolderError):
                RunFolder.create(tmp_path / name, simulate(), overwrite=overwrite)
    assert (tmp_path / "other" / "mine.txt").read_text() == (tmp_path / "file").read_text() == "mine"
    assert {item.name for item in tmp_path.iterdir()} == {"a", "file", "other"}


def test_overwrite_replaces_a_run_and_nothing_else(record, simulate, tmp_path):
    path = record(steps=20)
    simulation = simulate()
    with RunFolder.create(path, simulation, overwrite=True) as folder:
        simulation.run(steps=2, recorders=[folder])
    assert open_run(path).last[0] == 2 and len(open_run(path).frames) == 1
    assert [item.name for item in tmp_path.iterdir()] == ["a"]
    (path / "notes.txt").write_text("mine")
    with pytest.raises(RunFolderError, match=r"notes\.txt"):
        RunFolder.create(path, simulate(), overwrite=True)
    assert (path / "notes.txt").exists() and open_run(path).last[0] == 2


def test_an_empty_folder_may_be_used(record, tmp_path):
    (tmp_path / "a").mkdir()
    assert open_run(record("a", steps=1)).last[0] == 1


def test_two_writers_are_refused(record, simulate, drift, tmp_path):
    simulation = simulate()
    with RunFolder.create(tmp_path / "a", simulation) as folder:
        simulation.run(steps=3, recorders=[folder])
        run = open_run(folder.path)
        assert run.status == "running"
        with pytest.raises(RunFolderError, match="another process"):
            run.recorder(simulation)
        with pytest.raises(RunFolderError, match="another process"):
            RunFolder.create(folder.path, simulation, overwrite=True)
        code = (
            "from marrowsim.storage.layout import is_locked; from pathlib import Path; "
            f"print(is_locked(Path({str(folder.path)!r})))"
        )
        answer = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
        assert answer.stdout.strip() == "True"
    assert open_run(folder.path).status == "interrupted"


def test_a_full_disk_stops_the_run_and_loses_nothing(record, simulate, drift, tmp_path, monkeypatch):
    whole = record("whole")
    simulation = simulate()
    folder = RunFolder.create(tmp_path / "part", simulation)
    real = os.fsync

    def full(handle):
        if simulation.state.step >= 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunFolderError, match="the disk is full") as refusal, folder:
        simulation.run(recorders=[folder])
    assert "marrowsim resume" in str(refusal.value)
    assert not list(folder.path.rglob("*.tmp"))
    monkeypatch.undo()
    run = open_run(folder.path)
    simulation = run.simulation(processes=[drift])
    assert simulation.state.step == 10
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert contents(folder.path) == contents(whole)


def test_a_full_disk_at_the_start_leaves_nothing(simulate, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunFolderError, match="the disk is full"):
        RunFolder.create(tmp_path / "a", simulate())
    assert not list(tmp_path.iterdir())


def test_a_row_that_was_cut_off_is_not_read(record):
    path = record()
    text = (path / "readouts.csv").read_text()
    (path / "readouts.csv").write_text(text[:-7])
    assert len(open_run(path).readouts) == 10


def test_compare_names_the_first_difference(record, simulate, tmp_path, drift):
    one = open_run(record("one"))

    class Nudge:
        name = "nudge"

        def update(self, state, clock):
            if clock.step == 5:
                state.fields["cxcl12"][4, 3, 2] += 1

    simulation = simulate(schedule=(drift, Nudge()))
    with RunFolder.create(tmp_path / "two", simulation) as folder:
        simulation.run(recorders=[folder])
    found = compare_runs(one, open_run(folder.path))
    assert [item.step for item in found] == [6, 8, 20]
    assert "cxcl12 mean" in found[0].what
    assert found[1].what == "field cxcl12" and found[1].where == "voxel x = 2, y = 3, z = 4 (and 0 more)"
    assert found[2].what == "state, fields/cxcl12"
    three = open_run(record("three", duration="1 h"))
    assert scenario_differences(one, three) == [("time.duration", "120.0 min", "60.0 min")]
    assert {str(item).split(":")[0] for item in compare_runs(one, three)} == {"step 12", "step 10"}
    assert compare_runs(one, one) == []


@pytest.mark.parametrize("harm", ["absent", "empty", "json", "kind", "format", "version"])
def test_what_is_no_run_folder_is_refused(record, tmp_path, harm, drift):
    path = record(steps=1)
    info = json.loads((path / "run.json").read_text())
    if harm == "absent":
        path = tmp_path / "nowhere"
    elif harm == "empty":
        path = tmp_path
    elif harm == "json":
        (path / "run.json").write_text('{"kind": ')
    else:
        info |= {"kind": {"kind": "x"}, "format": {"format": 99}, "version": {"software": {"marrowsim": "0.0.1"}}}[harm]
        (path / "run.json").write_text(json.dumps(info))
    with pytest.raises(RunFolderError):
        open_run(path).simulation(processes=[drift])


def test_a_run_that_is_at_its_end_is_finished_when_it_is_opened_again(record, drift):
    run = open_run(record())
    simulation = run.simulation(processes=[drift])
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert open_run(folder.path).status == "finished"
