"""Conversion of cells: exact in time, by reach, and only where an inducing cell is."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from marrowsim.errors import ScenarioError
from marrowsim.processes import Clock

SHAPE = (60, 60, 60)
RATE = 0.01
RESIDENT = {
    "label": "resident", "converts_to": "changed", "converted_by": "inducer", "conversion_rate": f"{RATE} /min",
    "conversion_reach": "30 um", "cxcr4": 1.0,
}  # fmt: skip
TYPES = {
    "resident": RESIDENT,
    "changed": {"label": "changed", "cxcr4": 1.0, "cxcr4_induction": 2.0},
    "inducer": {"label": "inducer"},
}
CENTRES = np.flatnonzero(np.indices(SHAPE).sum(axis=0) >= 0).reshape(SHAPE)[4:-4:8, 4:-4:8, 4:-4:8].ravel()
PLANE, ROW = SHAPE[1] * SHAPE[2], SHAPE[2]


def run(state, minutes, dt, threads=1):
    for step in range(round(minutes / dt)):
        state.config.processes["conversion"].update(state, Clock(step, dt, 1, threads))


def changed(state):
    return np.count_nonzero(state.cells.type == state.config.code("changed"))


@pytest.mark.parametrize("dt", [1.0, 10.0, 60.0])
def test_the_share_converted_is_exponential_whatever_the_step(make_state, dt):
    """1 - exp(-r t) of the cells, within four standard errors; each is counted once, and so is its old type."""
    around = np.arange(0, PLANE * SHAPE[0], 4)
    state = make_state(SHAPE, {"resident": around, "inducer": around + 1}, TYPES)
    run(state, 60, dt)
    share = 1 - np.exp(-RATE * 60)
    assert changed(state) == pytest.approx(len(around) * share, abs=4 * np.sqrt(len(around) * share * (1 - share)))
    assert state.tallies == {"converted to changed:resident": changed(state)}


@pytest.mark.parametrize(
    ("offset", "reach", "converts"),
    [
        (3 * ROW, "30 um", True),
        (3 * ROW + 1, "30 um", False),
        (2 * PLANE + 2 * ROW + 1, "30 um", True),
        (PLANE + ROW + 1, "0 um", True),
        (2, "0 um", False),
        (2, "19.9 um", False),
    ],
)
def test_reach_is_a_distance_between_centres_and_contact_the_26_voxels_around(make_state, offset, reach, converts):
    types = TYPES | {"resident": RESIDENT | {"conversion_reach": reach, "conversion_rate": "10 /min"}}
    state = make_state(SHAPE, {"resident": CENTRES, "inducer": CENTRES + offset}, types)
    run(state, 10, 10.0)
    assert changed(state) == (len(CENTRES) if converts else 0)


def test_cells_at_a_face_of_the_box_do_not_see_the_other_side(make_state):
    types = TYPES | {"resident": RESIDENT | {"conversion_rate": "10 /min"}}
    state = make_state(SHAPE, {"resident": [ROW - 1], "inducer": [ROW]}, types)
    run(state, 10, 10.0)
    assert changed(state) == 0


def test_a_chain_of_conversions_looks_at_what_neighbours_were(make_state):
    """A cell that was not changed at the start of the step induces nothing in it."""
    late = {"label": "late", "converts_to": "inducer", "converted_by": "changed", "conversion_rate": "10 /min"}
    types = TYPES | {"resident": RESIDENT | {"conversion_rate": "10 /min"}, "late": late}
    state = make_state(SHAPE, {"inducer": CENTRES, "resident": CENTRES + 1, "late": CENTRES + 2}, types)
    run(state, 10, 10.0)
    assert (changed(state), state.tallies.get("converted to inducer:late", 0)) == (len(CENTRES), 0)
    run(state, 10, 10.0)
    assert state.tallies["converted to inducer:late"] == len(CENTRES)


def test_a_converted_cell_keeps_itself_and_expresses_as_its_new_type(make_state):
    types = TYPES | {"resident": RESIDENT | {"conversion_rate": "10 /min"}}
    state = make_state(SHAPE, {"resident": CENTRES, "inducer": CENTRES + 1}, types)
    state.cells.hypoxia[:] = 0.5
    ids, sites, inherited = (state.cells.id.copy(), state.cells.site.copy(), state.cells.constitutive.copy())
    run(state, 10, 10.0)
    assert_array_equal(state.cells.id, ids)
    assert_array_equal(state.cells.site, sites)
    assert_array_equal(state.cells.constitutive, inherited)
    rows = state.cells.type == state.config.code("changed")
    assert_array_equal(state.cells.cxcr4[rows], inherited[rows] * np.float32(1.5))


def test_threads_and_the_order_of_rows_change_nothing(make_state):
    around = np.arange(0, PLANE * SHAPE[0], 4)
    hashes = set()
    for threads, turned in ((1, False), (3, False), (2, True)):
        state = make_state(SHAPE, {"resident": around, "inducer": around + 1}, TYPES)
        if turned:
            state.cells.reorder(np.arange(len(state.cells))[::-1])
            state.occupant.reshape(-1)[state.cells.site] = np.arange(len(state.cells))
        run(state, 30, 10.0, threads)
        hashes.add(state.hash())
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"converts_to": "chnged"}, "unknown cell type"),
        ({"converted_by": "indcer"}, "unknown cell type"),
        ({"converts_to": "resident"}, "converts to itself"),
        ({"conversion_reach": "300 um"}, "out of bounds"),
    ],
)
def test_what_cannot_be_is_refused(make_state, change, what):
    with pytest.raises(ScenarioError, match=what):
        make_state((4, 4, 4), types=TYPES | {"resident": RESIDENT | change})


def test_half_a_conversion_is_refused(make_state):
    half = {key: value for key, value in RESIDENT.items() if key != "converted_by"}
    with pytest.raises(ScenarioError, match="converted_by"):
        make_state((4, 4, 4), types=TYPES | {"resident": half})
