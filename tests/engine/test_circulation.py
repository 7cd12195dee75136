"""Blood and vessel wall: rates, conservation, and where cells arrest."""

import numpy as np
import pytest
from scipy import stats

from marrowsim import tissues
from marrowsim.processes import Clock
from marrowsim.schedule import schedule_of, updates
from marrowsim.state import Status

CELL = {"label": "cell", "cxcr4": 1.0}


def vessel(shape=(24, 24, 24)):
    """A straight vessel of 4 x 4 voxels through medium."""
    tissue = np.full(shape, tissues.MARROW, dtype=np.uint8)
    tissue[:, 10:14, 10:14] = tissues.SINUSOID
    return tissue


def circulate(state, steps, dt=1.0):
    circulation = state.config.processes["circulation"]
    for step in range(steps):
        state.step = step
        circulation.update(state, Clock(step, dt, 1, 1))


def in_blood(make_state, count, cell, tissue=None, overrides=None):
    state = make_state((24, 24, 24), {}, {"cell": cell}, overrides, tissue=vessel() if tissue is None else tissue)
    state.add_cells(state.config.code("cell"), np.full(count, -1), np.ones(count), Status.CIRCULATING)
    return state


def test_clearance_is_exponential(make_state):
    state = in_blood(make_state, 5000, CELL | {"clearance_rate": "0.02 /min"})
    circulate(state, 35)
    left = 5000 * np.exp(-0.7)
    assert len(state.cells) == pytest.approx(left, abs=4 * np.sqrt(left / 2))
    assert state.tallies == {"cleared:cell": 5000 - len(state.cells)}


@pytest.mark.parametrize("dt", [1.0, 6.0, 30.0])
def test_times_of_clearance_are_exponential_for_any_step(make_state, dt):
    """Target A13: counts of each half hour against the law."""
    state = in_blood(make_state, 6000, CELL | {"clearance_rate": "0.02 /min"})
    circulation, left = state.config.processes["circulation"], [6000]
    for step in range(round(180 / dt)):
        circulation.update(state, Clock(step, dt, 1, 1))
        if (step + 1) * dt % 30 == 0:
            left.append(len(state.cells))
    expected = 6000 * np.exp(-0.02 * np.arange(0, 181, 30))
    counts, law = (np.append(-np.diff(numbers), numbers[-1]) for numbers in (left, expected))
    assert stats.chisquare(counts, law).pvalue > 0.01


def test_substeps_follow_one_another(make_state):
    """In one long step cells arrest, cross the wall, and leave again."""
    cell = CELL | {"arrest_rate": "1 /min", "arrest_floor": 1.0, "extravasation_time": "2 min", "egress_rate": "1 /min"}
    state = in_blood(make_state, 200, cell)
    for process, part in updates(schedule_of(state.config), state.config, Clock(0, 30.0, 1, 1)):
        if process.name == "circulation":
            process.update(state, part)
    assert state.tallies["arrested:cell"] > 400
    assert state.tallies["left into blood:cell"] > 200
    assert len(state.cells) == 200


@pytest.mark.parametrize(("concentration", "antagonist"), [(0.0, 0.0), (1.0, 0.0), (1.0, 1000.0), (4.0, 0.0)])
def test_arrest_has_a_floor_and_a_part_that_needs_the_signal(make_state, concentration, antagonist):
    """Contact 0.004 /min times f + (1 - f) R theta / (R theta + K), few enough cells that none is in the way."""
    cell = CELL | {"arrest_rate": "0.004 /min", "arrest_floor": 0.12, "arrest_half_level": 0.1}
    overrides = {"fields.cxcl12.held_at": f"{concentration} nM", "receptor.antagonist": f"{antagonist} nM"}
    arrested = 0
    for _ in range(40):
        state = in_blood(make_state, 30, cell, overrides=overrides | {"seed": 100 + _})
        circulation = state.config.processes["circulation"]
        for step in range(50):
            circulation.update(state, Clock(step, 1.0, 100 + _, 1))
        arrested += np.count_nonzero(state.cells.status == Status.ARRESTED)
    theta = concentration / (concentration + 4.0 * (1 + antagonist / 100.0))
    rate = 0.004 * (0.12 + 0.88 * theta / (theta + 0.1))
    share = 1 - np.exp(-rate * 50)
    assert arrested == pytest.approx(1200 * share, abs=4 * np.sqrt(1200 * share * (1 - share)) + 0.03 * 1200 * share)


def test_arrested_cells_stand_in_the_lumen_at_the_wall_and_cross_into_marrow(make_state):
    cell = CELL | {"arrest_rate": "1 /min", "arrest_floor": 1.0, "extravasation_time": "20 min"}
    state = in_blood(make_state, 100, cell)
    circulate(state, 5)
    arrested = state.cells.status == Status.ARRESTED
    assert arrested.any()
    sites = state.cells.site[arrested]
    assert np.isin(sites, state.luminal_sites).all()
    assert (state.tissue.ravel()[sites] == tissues.SINUSOID).all()
    circulate(state, 200)
    entered = state.cells.status == Status.FREE
    assert np.count_nonzero(entered) == 100
    assert (state.tissue.ravel()[state.cells.site] == tissues.MARROW).all()
    np.testing.assert_array_equal(state.occupant.ravel()[state.cells.site], np.arange(100))


def test_cells_that_find_no_room_go_back_to_the_blood(make_state):
    tissue = vessel()
    cell = CELL | {"arrest_rate": "1 /min", "arrest_floor": 1.0, "extravasation_time": "5 min"}
    marrow = np.flatnonzero(tissue.ravel() == tissues.MARROW)
    state = make_state(tissue.shape, {"block": marrow}, {"cell": cell, "block": {"label": "block"}}, tissue=tissue)
    state.add_cells(state.config.code("cell"), np.full(50, -1), np.ones(50), Status.CIRCULATING)
    circulate(state, 50)
    assert state.tallies["released into blood:cell"] > 50
    assert "entered marrow:cell" not in state.tallies
    assert np.count_nonzero(state.cells.type == state.config.code("cell")) == 50


def test_egress_takes_free_cells_at_the_wall_only_and_less_of_them_with_the_ligand(make_state):
    """Rate k (1 - theta)^2 in marrow voxels that touch the lumen."""
    tissue = vessel()
    cell = CELL | {"egress_rate": "0.01 /min"}
    marrow = np.flatnonzero(tissue.ravel() == tissues.MARROW)
    for concentration in (0.0, 4.0):
        overrides = {"fields.cxcl12.held_at": f"{concentration} nM"}
        state = make_state(tissue.shape, {"cell": marrow}, {"cell": cell}, overrides, tissue=tissue)
        at_wall = np.count_nonzero((state.walls > 0) & (tissue == tissues.MARROW))
        assert at_wall == 24 * 16
        circulate(state, 50)
        left = np.count_nonzero(state.cells.status == Status.CIRCULATING)
        theta = concentration / (concentration + 4.0)
        share = 1 - np.exp(-0.01 * (1 - theta) ** 2 * 50)
        assert left == pytest.approx(at_wall * share, abs=4 * np.sqrt(at_wall * share * (1 - share)))
        assert np.count_nonzero(state.occupant >= 0) == len(marrow) - left


def test_cells_in_are_cells_out_and_cells_there(make_state):
    cell = CELL | {
        "arrest_rate": "0.05 /min", "arrest_floor": 0.5, "extravasation_time": "20 min", "clearance_rate": "0.01 /min",
        "egress_rate": "0.05 /min", "motility": "500 um^2/h", "death_rate": "2 /d", "division_time": "12 h",
    }  # fmt: skip
    state = in_blood(make_state, 2000, cell)
    config = state.config
    for step in range(300):
        state.step = step
        for name in ("cycle", "motility", "circulation"):
            config.processes[name].update(state, Clock(step, 2.0, 1, 1))
    tallies = state.tallies
    gone = tallies["cleared:cell"] + tallies["died:cell"]
    assert len(state.cells) == 2000 + tallies["born:cell"] - gone
    status = np.bincount(state.cells.status, minlength=4)
    on_lattice = status[Status.FREE] + status[Status.ARRESTED]
    assert on_lattice == np.count_nonzero(state.occupant >= 0)
    passed = (
        tallies["entered marrow:cell"] - tallies["left into blood:cell"] + tallies["born:cell"] - tallies["died:cell"]
    )
    assert status[Status.FREE] == passed
