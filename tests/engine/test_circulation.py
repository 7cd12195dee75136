"""Blood and vessel wall: rates, conservation, and where cells arrest."""

import numpy as np
import pytest
from scipy import stats

from marrowsim import tissues
from marrowsim.processes import Clock
from marrowsim.processes.circulation import LEFT, SEEDED
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


def test_levels_are_kept_of_cells_as_they_leave_and_as_they_arrest_in_marrow(make_state):
    """Counts and sums of levels 1, 2, ... are those of the cells found in the blood, or in the marrow's vessel."""
    tissue = vessel()
    tissue[:, :, :12][tissue[:, :, :12] == tissues.SINUSOID] = tissues.CAPILLARY
    leaving = CELL | {"egress_rate": "0.01 /min"}
    arresting = CELL | {"arrest_rate": "0.05 /min", "arrest_floor": 1.0, "extravasation_time": "1000 h"}
    marrow = np.flatnonzero(tissue.ravel() == tissues.MARROW)
    for cell, sites, what in ((leaving, marrow, LEFT), (arresting, [-1] * 200, SEEDED)):
        state = make_state(tissue.shape, {}, {"cell": cell}, {"fields.cxcl12.held_at": "0 nM"}, tissue=tissue)
        status = Status.FREE if what == LEFT else Status.CIRCULATING
        rows = state.add_cells(state.config.code("cell"), np.array(sites), np.arange(1.0, len(sites) + 1), status)
        state.cells.cxcr4[rows] *= 2
        circulate(state, 30)
        cells = state.cells
        if what == LEFT:
            passed = cells.status == Status.CIRCULATING
        else:
            passed = (cells.site >= 0) & (tissue.ravel()[cells.site] == tissues.SINUSOID)
            assert np.count_nonzero(cells.site >= 0) > np.count_nonzero(passed)
        assert np.count_nonzero(passed) > 20
        sums = cells.cxcr4[passed].sum(dtype=float), cells.constitutive[passed].sum(dtype=float)
        assert sums[0] == 2 * sums[1]
        np.testing.assert_array_equal(state.records[what][state.config.code("cell")], (np.count_nonzero(passed), *sums))


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


@pytest.mark.parametrize(("exponent", "antagonist"), [(1.0, 0.0), (3.0, 0.0), (3.0, 200.0)])
def test_a_competing_organ_takes_its_share_for_good(make_state, exponent, antagonist):
    """Rate k_c (f + (1 - f) x^n / (x^n + K^n)) beside clearance; no vessel on the lattice, so nothing else happens."""
    cell = CELL | {
        "clearance_rate": "0.01 /min", "arrest_rate": "0.02 /min", "competitor_contact": 1.5, "arrest_floor": 0.12,
        "arrest_half_level": 0.1, "arrest_exponent": exponent,
    }  # fmt: skip
    overrides = {"processes.circulation.competitor_cxcl12": "0.8 nM", "receptor.antagonist": f"{antagonist} nM"}
    nowhere = np.full((6, 6, 6), tissues.MARROW, dtype=np.uint8)
    state = in_blood(make_state, 20_000, cell, nowhere, overrides)
    circulate(state, 10, dt=6.0)
    theta = 0.8 / (0.8 + 4.0 * (1 + antagonist / 100.0))
    taken = 0.03 * (0.12 + 0.88 * theta**exponent / (theta**exponent + 0.1**exponent))
    gone = 20_000 * (1 - np.exp(-(0.01 + taken) * 60))
    expected = {"cleared:cell": gone * 0.01 / (0.01 + taken), "homed to competitor:cell": gone * taken / (0.01 + taken)}
    assert len(state.cells) == 20_000 - sum(state.tallies.values())
    for name, count in expected.items():
        assert state.tallies[name] == pytest.approx(count, abs=4 * np.sqrt(count))


@pytest.mark.parametrize("exponent", [1.0, 2.5])
def test_arrest_rises_with_the_exponent_given(make_state, exponent):
    """First contacts at a wall of 4 nM: theta is 1/2, and so is the CXCR4-dependent share at K = 1/2 for any n."""
    cell = CELL | {"arrest_rate": "0.05 /min", "arrest_exponent": exponent}
    counts = []
    for half_level in (0.5, 0.25):
        arrested = 0
        for seed in range(30):
            overrides = {"fields.cxcl12.held_at": "4 nM", "seed": seed}
            state = in_blood(make_state, 50, cell | {"arrest_half_level": half_level}, overrides=overrides)
            state.config.processes["circulation"].update(state, Clock(0, 1.0, seed, 1))
            arrested += state.tallies.get("arrested:cell", 0)
        counts.append(arrested)
    for count, half_level in zip(counts, (0.5, 0.25), strict=True):
        share = 0.5**exponent / (0.5**exponent + half_level**exponent)
        expected = 1500 * (1 - np.exp(-0.05 * share))
        assert count == pytest.approx(expected, abs=4 * np.sqrt(expected) + 0.03 * expected)


@pytest.mark.parametrize("dt", [1.0, 6.0, 30.0])
def test_influx_adds_up_to_rate_volume_and_time(make_state, dt):
    """100 cells /(mm^3 h) into 0.014 mm^3 of tissue, in steps of any length; ids in order, none from another type."""
    tissue = vessel()
    types = {"flowing": CELL | {"influx": "100 /(mm^3 h)"}, "resident": CELL}
    state = make_state(tissue.shape, {}, types, {"cells.epc.influx": "0 /(mm^3 d)"}, tissue=tissue)
    volume = np.count_nonzero(tissue == tissues.MARROW) * 1e-6
    for step in range(round(180 / dt)):
        state.step = step
        state.config.processes["injection"].update(state, Clock(step, dt, 1, 1))
        assert len(state.cells) == round(100 * volume * (step + 1) * dt / 60)
    assert state.tallies == {"flowed in:flowing": len(state.cells)}
    assert (state.cells.status == Status.CIRCULATING).all()
    np.testing.assert_array_equal(state.cells.id, np.arange(len(state.cells)))


def test_without_vessels_nothing_flows_in(make_state):
    state = make_state((6, 6, 6), {}, {"flowing": CELL | {"influx": "1 /(mm^3 min)"}})
    for step in range(1000):
        state.config.processes["injection"].update(state, Clock(step, 60.0, 1, 1))
    assert len(state.cells) == 0
