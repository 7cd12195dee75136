"""Niche slots: Langmuir occupancy, displacement, conservation (target A12)."""

import numpy as np
import pytest
from scipy import stats

from marrowsim._engine.rng import Stream, uniform
from marrowsim.processes import Clock
from marrowsim.state import Status

SHAPE = (60, 60, 60)
TYPES = {
    "rival": {"label": "rival", "cxcr4": 1.0, "niche_affinity": 2.0},
    "native": {"label": "native", "cxcr4": 1.0, "niche_affinity": 1.0},
}
OVERRIDES = {
    "fields.cxcl12.held_at": "1 nM",
    "processes.niche.binding_rate": "0.002 /min",
    "processes.niche.release_rate": "0.004 /min",
}


def slots_apart():
    """Slots three voxels from one another, so that no voxel faces two of them."""
    grid = np.zeros(SHAPE, dtype=bool)
    grid[2:-2:4, 2:-2:4, 2:-2:4] = True
    return np.flatnonzero(grid)


def outside_in_drawn_order(slots):
    """All voxels outside the slots, shuffled."""
    outside = np.setdiff1d(np.arange(np.prod(SHAPE)), slots)
    return outside[np.argsort(uniform(3, Stream.STREAM_USER, 0, outside))]


def mix(state, voxels, draw):
    """Put every free cell at another voxel outside the slots: well mixed."""
    free = np.flatnonzero(state.cells.status == Status.FREE)
    flat = state.occupant.reshape(-1)
    flat[state.cells.site[free]] = -1
    offset = int(uniform(3, Stream.STREAM_USER, 1, [draw])[0] * len(voxels))
    sites = np.roll(voxels, offset)[: len(free)]
    state.cells.site[free] = sites
    flat[sites] = free


def signal(concentration=1.0):
    theta = concentration / (concentration + 4.0)
    return theta / (1 + 0.83 * theta)


def test_two_species_fill_the_slots_as_langmuir_says(make_state, record_property):
    """Occupancy K_i n_i / (1 + K_T n_T + K_H n_H) with K_i = 6 k_on (a / a_ref) affinity_i / k_off'."""
    slots = slots_apart()
    voxels = outside_in_drawn_order(slots)
    cells = {"rival": voxels[:9_000], "native": voxels[9_000:24_000]}
    state = make_state(SHAPE, cells, TYPES, OVERRIDES, slots=slots)
    niche = state.config.processes["niche"]
    rival, native = state.config.code("rival"), state.config.code("native")
    shares, densities = [], []
    for step in range(1500):
        mix(state, voxels, step)
        niche.update(state, Clock(step, 2.0, 1, 1))
        if step >= 500:
            bound = state.cells.status == Status.BOUND
            held = np.array([np.count_nonzero(bound & (state.cells.type == code)) for code in (rival, native)])
            shares.append(held / len(slots))
            densities.append((np.array([9_000, 15_000]) - held) / (np.prod(SHAPE) - len(slots)))
    share, density = np.mean(shares, axis=0), np.mean(densities, axis=0)
    strength = signal() / 0.15
    on = 6 * 0.002 * strength * np.array([2.0, 1.0]) * density
    off = 0.004 * np.exp(2.0 * (1 - strength))
    langmuir = on / off / (1 + (on / off).sum())
    record_property("Closed forms", f"A12 | {np.abs(share / langmuir - 1).max():.1%} off at most")
    np.testing.assert_allclose(share, langmuir, rtol=0.02)


def test_antagonist_lets_cells_go(make_state):
    """Without signal the release rate rises e^2-fold over the reference."""
    slots = slots_apart()
    quiet = OVERRIDES | {"receptor.antagonist": "1 M", "processes.niche.binding_rate": "0 /min"}
    state = make_state(SHAPE, {"rival": outside_in_drawn_order(slots)[:1]}, TYPES, quiet, slots=slots)
    state.add_cells(state.config.code("native"), slots, np.ones(len(slots)), Status.BOUND)
    niche = state.config.processes["niche"]
    for step in range(20):
        niche.update(state, Clock(step, 1.0, 1, 1))
    held = np.count_nonzero(state.cells.status == Status.BOUND)
    expected = len(slots) * np.exp(-0.004 * np.e**2 * 20)
    assert held == pytest.approx(expected, abs=4 * np.sqrt(len(slots) * 0.25))


@pytest.mark.parametrize(("level", "displaces"), [(1.0, True), (0.0, False)])
def test_only_cells_with_signal_displace_and_the_holder_changes_places(make_state, level, displaces):
    slots = slots_apart()
    beside = slots + 1
    types = TYPES | {"rival": TYPES["rival"] | {"cxcr4": level, "displacement_rate": "0.01 /min"}}
    overrides = OVERRIDES | {"processes.niche.binding_rate": "0 /min", "processes.niche.release_rate": "0 /min"}
    state = make_state(SHAPE, {"rival": beside}, types, overrides, slots=slots)
    state.add_cells(state.config.code("native"), slots, np.ones(len(slots)), Status.BOUND)
    niche = state.config.processes["niche"]
    for step in range(50):
        niche.update(state, Clock(step, 1.0, 1, 1))
    holders = state.occupant.ravel()[slots]
    taken = np.count_nonzero(state.cells.type[holders] == state.config.code("rival"))
    assert (state.cells.status[holders] == Status.BOUND).all()
    assert taken == state.tallies.get("displaced another:rival", 0)
    rate = 0.01 * 2.0 / 3.0 if displaces else 0.0
    expected = len(slots) * (1 - np.exp(-rate * 50))
    assert taken == pytest.approx(expected, abs=4 * np.sqrt(len(slots) * 0.25) * displaces)
    assert len(np.unique(state.cells.site)) == 2 * len(slots)
    np.testing.assert_array_equal(state.occupant.ravel()[state.cells.site], np.arange(len(state.cells)))


@pytest.mark.parametrize("rivals", [2, 6])
def test_rivals_at_several_faces_compete_for_one_slot(make_state, rivals):
    """N rivals of twice the holder's affinity take its slot at rate d 2 N / (2 N + 1), not N times the rate of one."""
    slots = slots_apart()
    faces = np.array([1, -1, SHAPE[2], -SHAPE[2], SHAPE[1] * SHAPE[2], -SHAPE[1] * SHAPE[2]])[:rivals]
    types = TYPES | {"rival": TYPES["rival"] | {"displacement_rate": "0.01 /min"}}
    overrides = OVERRIDES | {"processes.niche.binding_rate": "0 /min", "processes.niche.release_rate": "0 /min"}
    state = make_state(SHAPE, {"rival": (slots[:, None] + faces).ravel()}, types, overrides, slots=slots)
    state.add_cells(state.config.code("native"), slots, np.ones(len(slots)), Status.BOUND)
    for step in range(50):
        state.config.processes["niche"].update(state, Clock(step, 1.0, 1, 1))
    taken = np.count_nonzero(state.cells.type[state.occupant.ravel()[slots]] == state.config.code("rival"))
    expected = 1 - np.exp(-0.01 * 50 * 2 * rivals / (2 * rivals + 1))
    assert taken / len(slots) == pytest.approx(expected, abs=3 * np.sqrt(0.25 / len(slots)))


def test_a_cell_takes_one_slot_only(make_state):
    """A cell between two vacant slots that both choose it is bound once."""
    slots = np.sort(np.ravel_multi_index(([5, 5], [5, 5], [4, 6]), SHAPE))
    middle = np.ravel_multi_index((5, 5, 5), SHAPE)
    overrides = OVERRIDES | {"processes.niche.binding_rate": "100 /min", "processes.niche.release_rate": "0 /min"}
    state = make_state(SHAPE, {"native": [middle]}, TYPES, overrides, slots=slots)
    state.config.processes["niche"].update(state, Clock(0, 1.0, 1, 1))
    assert state.cells.status.tolist() == [Status.BOUND]
    assert state.cells.site[0] in slots
    assert state.tallies["bound:native"] == 1


@pytest.mark.parametrize("displacement", [0.01, 0.2])
def test_competition_with_displacement_settles_where_the_mean_field_does(make_state, displacement):
    """Well mixed; n free cells around a slot, k_i = k_on (a / a_ref) affinity_i, D the mean, over the number
    N of free rivals at its six faces (binomial), of 1 - exp(-d N w_T / (N w_T + w_H)) in a step of 1 min:

    h / v = k_H n_H / (k_off + D),   t / v = (k_T n_T + D h / v) / k_off,   h + t + v = 1   (MacLean 2014 PNAS)
    """
    grid = np.zeros(SHAPE, dtype=bool)
    grid[1:-1:3, 1:-1:3, 1:-1:3] = True
    slots = np.flatnonzero(grid)
    voxels = outside_in_drawn_order(slots)
    types = TYPES | {"rival": TYPES["rival"] | {"displacement_rate": f"{displacement} /min"}}
    rates = {"processes.niche.binding_rate": "0.01 /min", "processes.niche.release_rate": "0.02 /min"}
    cells = {"rival": voxels[:6_000], "native": voxels[6_000:26_000]}
    state = make_state(SHAPE, cells, types, OVERRIDES | rates, slots=slots)
    niche = state.config.processes["niche"]
    rival, native = state.config.code("rival"), state.config.code("native")
    counts = []
    for step in range(800):
        mix(state, voxels, step)
        niche.update(state, Clock(step, 1.0, 1, 1))
        if step >= 250:
            bound = state.cells.status == Status.BOUND
            counts.append([np.count_nonzero(bound & (state.cells.type == code)) for code in (rival, native)])
    held = np.mean(counts, axis=0)
    tumour, hpc = 6 * (np.array([6_000, 20_000]) - held) / len(voxels)
    strength = signal() / 0.15
    off, on = 0.02 * np.exp(2.0 * (1 - strength)), 0.01 * strength
    rivals = np.arange(7)
    chance = 1 - np.exp(-displacement * 2.0 * rivals / (2.0 * rivals + 1.0))
    taken = (stats.binom.pmf(rivals, 6, tumour / 6) * chance).sum()
    h = on * hpc / (off + taken)
    t = (2.0 * on * tumour + taken * h) / off
    np.testing.assert_allclose(held / len(slots), np.array([t, h]) / (1 + t + h), rtol=0.04)
