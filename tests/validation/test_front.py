"""Target A10: an invasion front of motile, dividing cells against the speed of the linearised automaton."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from marrowsim.processes import Clock

pytestmark = pytest.mark.slow
HOP = 1.0  # per minute
STEP = 0.5
SUBSTEPS = 3  # of motility: HOP * STEP at most 0.2 each
WIDTH, LENGTH = 24, 320
LATE = 0.4  # share of the run that is left to the transient
EXCESS = 0.02  # over the linear speed: noise, and daughters whom the crowd leaves only voxels ahead


def linear_front(ratio):
    """Speed (voxels a minute) and decay (1/voxel) of the front that the automaton selects far ahead of the crowd.

    A front exp(-a x) grows in a step by G(a) = (1 + b (9 cosh a + 4) / 13) (1 + p (cosh a - 1) / 3)^n, as 9 of the
    26 voxels that a daughter may take lie ahead and 9 behind, and 1 of 6 hops leads either way. It moves at
    ln G / (a dt), and the front selected is the slowest (Fisher 1937; van Saarloos 2003, Phys Rep 386:29).
    """
    birth, hop = 1 - np.exp(-ratio * HOP * STEP), HOP * STEP / SUBSTEPS

    def speed(a):
        born = np.log1p(birth * (9 * np.cosh(a) + 4) / 13)
        return (born + SUBSTEPS * np.log1p(hop * (np.cosh(a) - 1) / 3)) / (a * STEP)

    found = minimize_scalar(speed, bounds=(1e-3, 5.0), method="bounded")
    return found.fun, found.x


def deficit(speed, decay, minutes):
    """What the measured speed may lack, as a share: the slow approach, and the cells being whole.

    3 / (2 a t) at time t (Bramson 1983), here in the mean over the late part of the run; and pi^2 / (2 ln^2 N) at
    most, with N sites across a decay length of the front (Brunet & Derrida 1997, Phys Rev E 56:2597).
    """
    approach = 3 / (2 * decay) * np.log(1 / LATE) / ((1 - LATE) * minutes)
    return approach / speed + np.pi**2 / (2 * np.log(WIDTH**2 / decay) ** 2)


@pytest.mark.parametrize("ratio", [0.02, 0.1])
def test_front_moves_at_the_speed_of_the_linearised_automaton(make_state, record_property, ratio):
    """Ratio of division to hop rate; the continuum's 2 sqrt(r D), D = h^2 m / 6, is that speed for a ratio of 0."""
    shape = (WIDTH, WIDTH, LENGTH)
    box = np.zeros(shape, dtype=bool)
    box[:, :, :8] = True
    division_time = f"{np.log(2) / (ratio * HOP)} min"
    walker = {"label": "walker", "motility": "1000 um^2/h", "division_time": division_time}
    overrides = {"fields.oxygen.held_at": "1e6 mmHg", "time.step": f"{STEP} min", "processes.motility.attempts": 0.2}
    state = make_state(shape, {"walker": np.flatnonzero(box)}, {"walker": walker}, overrides)
    cycle, motility = state.config.processes["cycle"], state.config.processes["motility"]
    speed, decay = linear_front(ratio)
    minutes = 0.7 * (LENGTH - 20) / speed
    times, fronts = [], []
    for step in range(int(minutes / STEP)):
        state.step = step
        cycle.update(state, Clock(step, STEP, 1, 1))
        motility.update(state, Clock(step, STEP, 1, 1))
        times.append(STEP * (step + 1))
        fronts.append(len(state.cells) / WIDTH**2)
    assert fronts[-1] < LENGTH - 20
    late = slice(int(LATE * len(times)), None)
    measured = np.polyfit(times[late], fronts[late], 1)[0]
    continuum = 2 * np.sqrt(ratio * HOP / 6)
    record_property(
        "Closed forms", f"A10 | r/m {ratio}: {measured / speed:.3f}, or {measured / continuum:.3f} of 2 sqrt(r D)"
    )
    assert 1 - deficit(speed, decay, minutes) < measured / speed < 1 + EXCESS
