"""Division and death against their rates (target A13)."""

import numpy as np
import pytest
from scipy import stats

from marrowsim.processes import Clock

CELL = {"label": "cell"}


def spread(count, shape):
    """Every other voxel along each axis, so that each cell has room."""
    grid = np.zeros(shape, dtype=bool)
    grid[1::3, 1::3, 1::3] = True
    return np.flatnonzero(grid)[:count]


def live(state, minutes, dt):
    """Run the cycle alone; yields the time after each step."""
    cycle = state.config.processes["cycle"]
    for step in range(round(minutes / dt)):
        state.step = step
        cycle.update(state, Clock(step, dt, state.config.seed, 1))
        yield (step + 1) * dt


@pytest.mark.parametrize("dt", [1.0, 6.0, 30.0])
def test_times_of_death_are_exponential_for_any_step(make_state, record_property, dt):
    """Kolmogorov-Smirnov on times to death, spread evenly over the step in which they fall."""
    shape = (45, 45, 45)
    cell = CELL | {"death_rate": "1 /d"}
    state = make_state(shape, {"cell": spread(3000, shape)}, {"cell": cell}, {"time.step": f"{dt} min"})
    times = []
    for now in live(state, 4320, dt):
        died = 3000 - len(state.cells) - len(times)
        times += list(now - dt + dt * (np.arange(died) + 0.5) / max(died, 1))
    times = np.array(times)
    law = stats.truncexpon(b=3.0, scale=1440.0)
    probability = stats.kstest(times, law.cdf).pvalue
    record_property("Closed forms", f"A13 | p = {probability:.2f} at {dt:g} min")
    assert probability > 0.01
    assert len(times) == pytest.approx(3000 * (1 - np.exp(-3.0)), abs=4 * np.sqrt(3000 * np.exp(-3.0)))


def test_divisions_follow_oxygen_and_the_receptor_signal(make_state):
    """Rate (ln 2 / T) p / (p + 3) (1 + g a / (a + 0.2)); compared with the births of one hour."""
    shape = (60, 60, 60)
    cell = CELL | {"division_time": "10 h", "growth_gain": 0.5, "cxcr4": 1.0}
    for pressure, concentration in ((3.0, 0.0), (30.0, 0.0), (30.0, 4.0)):
        overrides = {"fields.oxygen.held_at": f"{pressure} mmHg", "fields.cxcl12.held_at": f"{concentration} nM"}
        state = make_state(shape, {"cell": spread(8000, shape)}, {"cell": cell}, overrides)
        first = len(state.cells)
        assert first == 8000
        for _ in live(state, 60, 6.0):
            pass
        theta = concentration / (concentration + 4.0)
        signal = theta / (1 + 0.83 * theta)
        rate = np.log(2) / 600 * pressure / (pressure + 3) * (1 + 0.5 * signal / (signal + 0.2))
        grown = first * np.exp(rate * 60)
        assert len(state.cells) == pytest.approx(grown, abs=4 * np.sqrt(grown - first))


def grown(make_state, overrides, cell, minutes=60):
    """Cells after some time, of 8000 with much oxygen and no CXCL12."""
    shape = (60, 60, 60)
    held = {"fields.oxygen.held_at": "30 mmHg", "fields.cxcl12.held_at": "0 nM"}
    state = make_state(shape, {"cell": spread(8000, shape)}, {"cell": CELL | cell}, held | overrides)
    for _ in live(state, minutes, 6.0):
        pass
    return len(state.cells)


@pytest.mark.parametrize("level", [0.0, 0.5, 4.0])
def test_divisions_follow_the_growth_factor_from_bone(make_state, level):
    """Rate (ln 2 / T) p / (p + 3) (1 + g_T c / (c + 0.5)), with a gain far above 1 to try the bounds of the draws."""
    held = {"processes.remodelling.enabled": True, "fields.tgf_beta.held_at": level}
    cell = {"division_time": "20 h", "bone_growth_gain": 3.0, "growth_gain": 0.5, "cxcr4": 1.0}
    rate = np.log(2) / 1200 * 30 / 33 * (1 + 3.0 * level / (level + 0.5))
    expected = 8000 * np.exp(rate * 60)
    assert grown(make_state, held, cell) == pytest.approx(expected, abs=4 * np.sqrt(expected - 8000))


def test_a_run_without_remodelling_has_no_growth_factor(make_state):
    """The same births as without any gain, which are those with remodelling and a gain of 0, too."""
    cell = {"division_time": "20 h"}
    plain = grown(make_state, {}, cell)
    held = {"processes.remodelling.enabled": True, "fields.tgf_beta.held_at": 4.0}
    assert grown(make_state, {}, cell | {"bone_growth_gain": 1.5}) == plain
    assert grown(make_state, held, cell) == plain
    assert grown(make_state, held, cell | {"bone_growth_gain": 1.5}) > plain + 100


def test_below_the_necrotic_oxygen_cells_die_and_do_not_divide(make_state):
    shape = (45, 45, 45)
    cell = CELL | {"division_time": "2 h", "necrosis_time": "24 h"}
    state = make_state(shape, {"cell": spread(3000, shape)}, {"cell": cell}, {"fields.oxygen.held_at": "0.5 mmHg"})
    for _ in live(state, 1440, 30.0):
        pass
    assert "born:cell" not in state.tallies
    assert len(state.cells) == pytest.approx(3000 / np.e, abs=4 * np.sqrt(3000 * 0.37 * 0.63))


def test_a_cell_without_room_does_not_divide(make_state):
    shape = (8, 8, 8)
    cell = CELL | {"division_time": "1 h"}
    state = make_state(shape, {"cell": np.arange(512)}, {"cell": cell})
    for _ in live(state, 600, 30.0):
        pass
    assert len(state.cells) == 512


def test_daughters_stand_beside_their_mothers_and_inherit(make_state):
    shape = (30, 30, 30)
    cell = CELL | {"division_time": "1 h", "cxcr4": 2.0, "cxcr4_spread": 0.5}
    state = make_state(shape, {"cell": spread(100, shape)}, {"cell": cell})
    mothers = {
        tuple(np.unravel_index(site, shape)): level
        for site, level in zip(state.cells.site, state.cells.cxcr4, strict=True)
    }
    for _ in live(state, 10, 10.0):
        pass
    daughters = np.flatnonzero(state.cells.id >= 100)
    assert len(daughters) > 3
    for row in daughters:
        z, y, x = np.unravel_index(state.cells.site[row], shape)
        near = [level for (a, b, c), level in mothers.items() if max(abs(z - a), abs(y - b), abs(x - c)) == 1]
        assert state.cells.cxcr4[row] in near


def test_dormant_cells_wait(make_state):
    shape = (30, 30, 30)
    state = make_state(shape, {"cell": spread(500, shape)}, {"cell": CELL | {"division_time": "1 h"}})
    state.cells.dormant_until[:] = 20
    counts = [len(state.cells) for _ in live(state, 60, 1.0)]
    assert counts[19] == 500
    assert counts[-1] > 700
