"""A run that was stopped and resumed, after any step and with any number of threads, has the same bits."""

import pytest

from marrowsim.storage import RunFolder, open_run
from marrowsim.storage.compare import compare_runs

STEPS = 20


def contents(folder):
    """What must be the same, byte for byte, however often a run was stopped."""
    files = [folder / "readouts.csv", *sorted((folder / "frames").iterdir())]
    return {path.name: path.read_bytes() for path in files}


def test_something_happens_in_the_run(whole):
    run = open_run(whole)
    last = run.readouts.iloc[-1]
    assert last["tumour in marrow (cells)"] > 5
    assert last["tumour born (events)"] + last["tumour died (events)"] > 0
    assert 0 < last["slots held by hpc (1)"] <= 1
    tallies = run.simulation().state.tallies
    for what in ("converted to caf:fibroblast", "converted to damaged_car:car", "set out:tip", "joined a vessel:tip"):
        assert tallies[what] > 0
    assert tallies["joined a vessel:epc"] > 0 and tallies["left into blood:tumour"] > 0
    assert run.simulation().state.records["drugs/given"].sum() == pytest.approx(3 * 0.08)
    assert last["plerixafor (nM)"] > 500


@pytest.mark.parametrize("stop", range(STEPS))
def test_resume_after_every_step(begin, whole, tmp_path, stop):
    simulation = begin(threads=1 + stop % 2)
    with RunFolder.create(tmp_path / "run", simulation) as folder:
        simulation.run(steps=stop, recorders=[folder])
    run = open_run(folder.path)
    assert run.last[0] == stop
    simulation = run.simulation(threads=3 - stop % 2)
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert open_run(folder.path).record["hash"] == open_run(whole).record["hash"]
    assert contents(folder.path) == contents(whole)


def test_resume_after_every_step_of_one_run(begin, whole, tmp_path):
    simulation = begin()
    RunFolder.create(tmp_path / "run", simulation)
    for step in range(STEPS):
        run = open_run(tmp_path / "run")
        simulation = run.simulation(threads=1 + step % 3)
        assert simulation.state.step == step
        with run.recorder(simulation) as folder:
            simulation.run(steps=1, recorders=[folder])
    assert compare_runs(open_run(folder.path), open_run(whole)) == []
    assert contents(folder.path) == contents(whole)
    assert len(open_run(folder.path).record["resumed"]) == STEPS


def test_running_longer_gives_the_long_run(begin, whole, tmp_path):
    simulation = begin(**{"time.duration": "66 min"})
    with RunFolder.create(tmp_path / "run", simulation) as folder:
        simulation.run(recorders=[folder])
    assert open_run(folder.path).status == "finished"
    run = open_run(folder.path)
    simulation = run.simulation(days=2 / 24)
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert contents(folder.path) == contents(whole)
    assert open_run(folder.path).config == open_run(whole).config


def test_resume_in_the_middle_of_a_course(begin, tmp_path):
    """Oxygen is held at other values before and after the stop, and the response to it goes on."""
    course = [{"from": f"{hours} h", "value": f"{pressure} mmHg"} for hours, pressure in ((0, 100), (0.5, 5), (1, 50))]
    changes = {"fields.oxygen.held_at": course}
    never_stopped = begin(**changes)
    never_stopped.run()
    simulation = begin(threads=2, **changes)
    with RunFolder.create(tmp_path / "run", simulation) as folder:
        simulation.run(steps=7, recorders=[folder])
    resumed = open_run(folder.path).simulation(threads=3)
    resumed.run()
    assert resumed.state.hash() == never_stopped.state.hash()
    assert len(set(never_stopped.readouts["oxygen mean (mmHg)"])) == 3
