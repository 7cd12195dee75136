"""Runs of sprouts with everything at once: no cell lost, and the same bits for any threads and after resume."""

import numpy as np

from marrowsim import Simulation, tissues
from marrowsim._engine.rng import Stream, uniform
from marrowsim.processes import Clock
from marrowsim.state import State


def ecology(box, seed=1):
    """Everything at once: sprouting, branching, progenitors, a crowd, anastomosis within hours."""
    tissue = np.full((20, 20, 30), tissues.MARROW, np.uint8)
    tissue[:, :, [3, 14, 25]] = tissues.SINUSOID
    overrides = {
        "processes.angiogenesis.tip_rate": "2e-4 /min", "processes.angiogenesis.branching": "0.01 /um",
        "processes.angiogenesis.lumen_time": "2 h", "processes.angiogenesis.spacing": "30 um",
        "processes.angiogenesis.collapse_rate": "1 /d", "processes.angiogenesis.regression_time": "3 h",
        "processes.angiogenesis.tip_speed": "30 um/h",
    }  # fmt: skip
    marrow = np.flatnonzero(tissue.reshape(-1) == tissues.MARROW)
    chance = uniform(3, Stream.STREAM_USER, 0, marrow)
    types = {"walker": {"label": "walker", "motility": "50 um^2/h", "crowding": 1.0, "division_time": "6 h"}}
    cells = {"walker": marrow[chance < 0.4], "epc": marrow[chance > 0.97]}
    state = box(tissue, cells, types, overrides, seed)
    state.fields["vegf"][...] = 0.03
    state.fields["vegf"][:8] = 0.001
    return state


def run(state, steps, threads=1, first=0):
    for step in range(first, first + steps):
        state.step = step
        for name in ("angiogenesis", "cycle", "motility"):
            state.config.processes[name].update(state, Clock(step, 30.0, 1, threads))
    state.step = first + steps


def test_cells_are_conserved_and_threads_and_row_order_change_no_bit(box, consistent):
    hashes = set()
    for threads, shuffle in ((1, False), (2, False), (3, True)):
        state = ecology(box)
        for step in range(40):
            run(state, 1, threads, step)
            if shuffle:
                order = np.argsort(uniform(step, Stream.STREAM_USER, 0, state.cells.id))
                state.cells.reorder(order)
                here = np.flatnonzero(state.cells.site >= 0)
                state.occupant.reshape(-1)[state.cells.site[here]] = here
        hashes.add(state.hash())
        consistent(state)
        tallies, count = state.tallies, np.bincount(state.cells.type, minlength=len(state.config.cells))
        code = state.config.code
        ended = tallies["joined a vessel:tip"] + tallies.get("regressed:tip", 0)
        assert count[code("tip")] == tallies["set out:tip"] - ended
        assert tallies["laid vessel wall:epc"] > 3
        assert (state.tissue == tissues.SINUSOID).sum() > 0
    assert len(hashes) == 1


def restored(state):
    """The state as a checkpoint would bring it back."""
    scalars = {"step": state.step, "next_id": state.next_id, "tallies": dict(state.tallies)}
    arrays = {name: array.copy() for name, array in state.parts()}
    return State.restored(state.config, state.geometry, scalars, arrays)


def test_a_state_restored_after_every_step_goes_on_with_the_same_bits(box):
    whole, again = ecology(box), ecology(box)
    for step in range(30):
        run(whole, 1, first=step)
        again = restored(again)
        run(again, 1, 1 + step % 3, first=step)
        assert again.hash() == whole.hash()
    assert whole.tallies["joined a vessel:tip"] > 0


def test_fields_follow_new_vessels_with_the_same_bits_after_resume_and_for_any_threads():
    """The whole schedule with solved fields; a simulation that is made anew after every step gives the same."""
    overrides = {
        "geometry.size": ["200 um"] * 3, "soft_tissue.vessel_distance": "60 um", "seeding": [],
        "processes.angiogenesis.tip_rate": "0.3 /d", "processes.angiogenesis.lumen_time": "2 h",
        "processes.angiogenesis.spacing": "30 um", "processes.angiogenesis.threshold": "1e-6 nM",
        "processes.angiogenesis.tip_speed": "30 um/h",
    }  # fmt: skip
    overrides["seeding"] = [
        {"cell": "tumour", "density": "400000 /mm^3", "within": "80 um"},
        {"cell": "epc", "density": "20000 /mm^3"},
    ]
    whole = Simulation.from_scenario("primary", threads=1, overrides=overrides)
    again = Simulation(whole.config, geometry=whole.geometry, threads=2)
    before = np.count_nonzero(whole.state.tissue == tissues.CAPILLARY)
    for step in range(24):
        whole.run(steps=1)
        again = Simulation(whole.config, geometry=whole.geometry, state=restored(again.state), threads=1 + step % 3)
        again.run(steps=1)
        assert again.state.hash() == whole.state.hash()
    assert np.count_nonzero(whole.state.tissue == tissues.CAPILLARY) > before
    assert whole.state.tallies["laid vessel wall:epc"] > 0
