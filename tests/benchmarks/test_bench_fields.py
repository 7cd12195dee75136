"""Cost of the field solver's kernels and of whole solves, one thread."""

import numpy as np
import pytest

from marrowsim._engine import multigrid, multigrid_terms
from marrowsim.fieldsolver import FieldSolver

NOTHING = np.zeros((0, 0, 0), np.float32)
SPACING, DIFFUSIVITY, DECAY = 10.0, 300.0, 0.03


@pytest.fixture(scope="module", params=[64, 128])
def case(request):
    """20 % solid, sources in 2.5 % of the voxels, a decay length of 10 voxels; solved once."""
    shape = (request.param,) * 3
    rng = np.random.default_rng(1)
    relative = (rng.random(shape) >= 0.2).astype(np.float32)
    source = (6 * relative * (rng.random(shape) < 0.025)).astype(np.float32)
    field = np.zeros(shape, np.float32)
    solver = FieldSolver(relative, SPACING, DIFFUSIVITY)
    solver.solve(field, source, DECAY, cycles=2)
    return solver, relative, source, field, field.copy()


def equations(source, field):
    return multigrid_terms.Terms(field, source, NOTHING, DECAY, NOTHING, 1.0, SPACING**2 / DIFFUSIVITY)


def test_first_half_of_a_cycle(case, benchmark, record):
    """Loading the equations, smoothing, restriction and all coarse levels."""
    solver, _, source, field, outcome = case
    benchmark(multigrid.descend, solver._levels, equations(source, field))
    record(benchmark, outcome)


def test_last_half_of_a_cycle(case, benchmark, record):
    """Correction, smoothing and storing the solution."""
    solver, _, source, field, outcome = case
    multigrid.descend(solver._levels, equations(source, field))
    benchmark(multigrid.ascend, solver._levels, equations(source, np.zeros_like(field)))
    record(benchmark, outcome)


def test_update_mask(case, benchmark, record):
    solver, relative, _, _, outcome = case
    masks = [relative, relative.copy()]
    masks[1][20:40, 20:40, 20:40] = 0

    def swap():
        masks.reverse()
        solver.update_mask(masks[0])

    benchmark.pedantic(swap, rounds=4)
    solver.update_mask(relative)
    record(benchmark, outcome)


def test_update_voxels(case, benchmark, record):
    """A hundred voxels of a lattice open and close."""
    solver, relative, _, _, outcome = case
    voxels = np.flatnonzero(relative)[:: relative.size // 100]
    states = [1.0, 0.0]

    def swap():
        states.reverse()
        solver.update_voxels(voxels, states[0])

    benchmark.pedantic(swap, rounds=20)
    solver.update_voxels(voxels, 1.0)
    record(benchmark, outcome)


@pytest.mark.parametrize("cycles", [1, 2])
def test_solve(case, benchmark, record, cycles):
    solver, _, source, field, outcome = case
    benchmark(solver.solve, field, source, DECAY, cycles=cycles)
    record(benchmark, outcome)


def test_uptake(case, benchmark, record):
    solver, relative, source, field, _ = case
    terms = {"uptake": relative, "half_saturation": 1.0, "cycles": 4}
    outcome = np.zeros_like(field)
    solver.solve(outcome, source, DECAY, **terms)
    benchmark(solver.solve, field, source, DECAY, **terms)
    record(benchmark, outcome)
