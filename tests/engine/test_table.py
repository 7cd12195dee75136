"""The cell table: rows come and go, and their order has no meaning."""

import math
import tracemalloc

import numpy as np

from marrowsim import Simulation
from marrowsim._engine.rng import Stream, uniform
from marrowsim.processes import Clock
from marrowsim.state import Cells

SHAPE = (40, 40, 40)
TYPES = {
    "walker": {"label": "walker", "motility": "1000 um^2/h", "division_time": "2 h", "death_rate": "0.3 /h"},
    "hunter": {
        "label": "hunter", "cxcr4": 1.0, "motility": "500 um^2/h", "motility_gain": 1.0, "persistence_time": "5 min",
        "chemotactic_sensitivity": 20.0, "death_rate": "0.1 /h",
    },
    "stone": {"label": "stone"},
}  # fmt: skip


def mixture(make_state):
    """Movers with and without receptors among cells that never move, 30 % of the voxels."""
    draws = uniform(4, Stream.STREAM_USER, 0, np.arange(40**3))
    cells = {
        "walker": np.flatnonzero(draws < 0.1),
        "hunter": np.flatnonzero((draws > 0.1) & (draws < 0.2)),
        "stone": np.flatnonzero((draws > 0.2) & (draws < 0.3)),
    }
    state = make_state(SHAPE, cells, TYPES)
    state.fields["cxcl12"][...] = np.linspace(0.2, 2.0, SHAPE[2], dtype=np.float32)
    return state


def live(state, steps, threads=1, between=None):
    for step in range(steps):
        state.step = step
        if between:
            between(state)
        for name in ("cycle", "motility"):
            state.config.processes[name].update(state, Clock(step, 1.0, 1, threads))


def consistent(state):
    """Every cell on the lattice is where the lattice says, and nobody else is."""
    sites = state.cells.site
    np.testing.assert_array_equal(state.occupant.ravel()[sites], np.arange(len(sites)))
    return np.count_nonzero(state.occupant != -1) == len(sites)


def by_site(state):
    """Put the rows in the order of their sites, however scattered they are."""
    state.cells.sort_by_site()
    state.occupant.ravel()[state.cells.site] = np.arange(len(state.cells))


def test_order_of_ids():
    cells, draw = Cells(), np.random.default_rng(3)
    ids = np.unique(np.concatenate([draw.integers(0, 2**17, 5000), draw.integers(0, 2**50, 5000)]))
    draw.shuffle(ids)
    cells.append(**dict.fromkeys(Cells.COLUMNS, 0) | {"id": ids})
    assert cells.by_id().tolist() == np.argsort(ids).tolist()


def test_order_of_rows_changes_no_bit(make_state):
    hashes = set()
    for threads, between in ((1, None), (1, by_site), (3, None), (2, by_site)):
        state = mixture(make_state)
        live(state, 30, threads, between)
        assert consistent(state)
        hashes.add(state.hash())
    assert len(hashes) == 1


def test_scattered_cells_are_gathered_and_nothing_else_changes(make_state):
    state = mixture(make_state)
    before = state.hash()
    order = np.argsort(uniform(5, Stream.STREAM_USER, 0, state.cells.id))
    state.cells.reorder(order)
    state.occupant.ravel()[state.cells.site] = np.arange(len(order))
    state.gather_cells()
    assert (np.diff(state.cells.site) > 0).all()
    assert consistent(state)
    assert state.hash() == before


def test_cells_in_the_blood_survive_gathering(make_state):
    state = mixture(make_state)
    blood = np.arange(0, len(state.cells), 2)
    state.occupant.ravel()[state.cells.site[blood]] = -1
    state.cells.site[blood] = -1
    state.cells.status[blood] = 3
    before = state.hash()
    state.cells.reorder(np.argsort(uniform(5, Stream.STREAM_USER, 0, state.cells.id)))
    here = state.cells.site >= 0
    state.occupant.ravel()[state.cells.site[here]] = np.flatnonzero(here)
    state.gather_cells()
    here = state.cells.site >= 0
    np.testing.assert_array_equal(state.occupant.ravel()[state.cells.site[here]], np.flatnonzero(here))
    assert state.hash() == before


def test_removed_rows_are_filled_from_the_end(make_state):
    state = mixture(make_state)
    count = len(state.cells)
    doomed = np.concatenate([np.arange(0, 2000, 7), np.arange(count - 500, count, 2)]).astype(np.int32)
    gone = set(state.cells.id[doomed].tolist())
    stay = {int(i): int(s) for i, s in zip(state.cells.id, state.cells.site, strict=True) if int(i) not in gone}
    state.remove_cells(doomed)
    assert {int(i): int(s) for i, s in zip(state.cells.id, state.cells.site, strict=True)} == stay
    assert consistent(state)


def test_all_cells_can_be_removed_by_mask(make_state):
    state = mixture(make_state)
    state.remove_cells(np.ones(len(state.cells), dtype=bool))
    assert len(state.cells) == 0
    assert (state.occupant == -1).all()
    live(state, 2)


def test_no_more_than_56_bytes_a_cell_while_it_grows_and_is_sorted():
    """Table, room for claims and whatever is taken on the way, once it does not grow any more."""
    cells = Cells()
    columns = {name: np.arange(1000).astype(dtype) for name, dtype in Cells.COLUMNS.items()}
    tracemalloc.start()
    for _ in range(100):
        cells.append(**columns)
        cells.claims()
    tracemalloc.reset_peak()
    cells.claims()
    cells.sort_by_site()
    cells.claims()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 56 * len(cells)


def test_a_run_of_the_automaton_keeps_its_rates():
    """Each step a cell dies or divides with probability 0.01, and tries to hop with 0.5."""
    half = -math.log(0.98) / 2
    automaton = {
        "label": "automaton", "motility": "500 um^2/h", "division_time": f"{math.log(2) / half!r} min",
        "death_rate": f"{half!r} /min",
    }  # fmt: skip
    overrides = {
        "geometry.size": ["300 um", "300 um", "300 um"], "time.step": "1 min", "cells.automaton": automaton,
        "seeding": [{"cell": "automaton", "density": "1e5 /mm^3"}],
        "processes.cycle.oxygen_half": "1e-9 mmHg", "processes.motility.attempts": 0.6,
    }  # fmt: skip
    simulation = Simulation.from_scenario("culture", seed=3, threads=1, overrides=overrides)
    start = len(simulation.state.cells)
    assert start == 2700
    simulation.run(steps=50)
    tallies = simulation.state.tallies
    died, born = tallies["died:automaton"], tallies["born:automaton"]
    assert len(simulation.state.cells) == start + born - died
    exposure = 50 * start
    assert abs(died / exposure - 0.01) < 4 * np.sqrt(0.01 / exposure)
    assert abs(born / exposure - 0.01) < 4 * np.sqrt(0.01 / exposure)
