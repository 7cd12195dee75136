"""The field solver against direct solvers in double precision, its contract and its errors."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

import marrowsim.fieldsolver as fields
from marrowsim.errors import FieldError

SPACING = 10.0


def laplacian(relative):
    """Conductance matrix of the 7-point stencil with geometric mean face diffusivities."""
    root = np.sqrt(relative.astype(float)).ravel()
    index = np.arange(relative.size).reshape(relative.shape)
    rows, columns, values = [], [], []
    for axis in range(3):
        a = np.take(index, range(relative.shape[axis] - 1), axis).ravel()
        b = np.take(index, range(1, relative.shape[axis]), axis).ravel()
        g = root[a] * root[b]
        rows += [a, b, a, b]
        columns += [b, a, a, b]
        values += [-g, -g, g, g]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(entries, (relative.size, relative.size))


def direct(relative, source, decay, diffusivity, uptake=None, half_saturation=1.0):
    """Steady field by a sparse direct solver in double precision, Newton's method for the uptake."""
    is_open = relative.ravel() > 0
    matrix = laplacian(relative)[is_open][:, is_open] * (diffusivity / SPACING**2)
    k = np.broadcast_to(decay, relative.shape).ravel()[is_open].astype(float)
    s = source.ravel()[is_open].astype(float)
    q = np.zeros(len(s)) if uptake is None else uptake.ravel()[is_open].astype(float)
    c = np.full(len(s), 20.0)
    for _ in range(60):
        slope = q * half_saturation / (half_saturation + c) ** 2
        offset = q * c**2 / (half_saturation + c) ** 2
        last, c = c, spsolve((matrix + sparse.diags(k + slope)).tocsc(), s - offset)
        c = np.maximum(c, 0)
        if np.abs(c - last).max() < 1e-12 * np.abs(c).max():
            break
    out = np.zeros(relative.size)
    out[is_open] = c
    return out.reshape(relative.shape)


def error(field, reference):
    """Relative L2 error."""
    return np.linalg.norm(field.astype(float) - reference) / np.linalg.norm(reference)


def decay_for(length, diffusivity=300.0):
    """Decay rate that gives a decay length in voxels."""
    return diffusivity / (length * SPACING) ** 2


def random_case(shape, solid, seed, share=0.025):
    rng = np.random.default_rng(seed)
    relative = (rng.random(shape) >= solid).astype(np.float32)
    source = (relative * (rng.random(shape) < share) * 6).astype(np.float32)
    return relative, source


@pytest.mark.parametrize("length", [3.0, 5.0, 10.0])
def test_random_solid_against_direct_solver(length):
    relative, source = random_case((25, 26, 24), 0.2, seed=int(length))
    decay = decay_for(length)
    reference = direct(relative, source, decay, 300.0)
    c = fields.steady_field(relative > 0, source, diffusivity=300.0, decay=decay, spacing=SPACING)
    assert error(c, reference) < 1e-4
    assert not c[relative == 0].any()
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    errors = []
    for cycles in (1, 2, 3, 4):
        c = np.zeros_like(source)
        report = solver.solve(c, source, decay, cycles=cycles)
        errors.append(error(c, reference))
    assert errors[2] < 1e-3
    assert errors[2] < 0.25 * errors[1]
    assert abs(report.mass_balance) < 1e-3
    # Warm start: the default two cycles after sources moved by a few percent.
    moved = (source * np.linspace(0.9, 1.1, 24)).astype(np.float32)
    solver.solve(c, moved, decay)
    assert error(c, direct(relative, moved, decay, 300.0)) < 1e-3


def test_variable_diffusivity_against_direct_solver():
    rng = np.random.default_rng(4)
    shape = (20, 21, 22)
    blocks = np.kron(rng.random((5, 6, 6)), np.ones((4, 4, 4)))[:20, :21, :22]
    relative = np.choose((blocks * 4).astype(int), [0.0, 0.3, 1.0, 2.5]).astype(np.float32)
    source = ((relative > 0) * (rng.random(shape) < 0.05)).astype(np.float32)
    decay = rng.uniform(0.02, 0.3, shape).astype(np.float32)
    codes = np.searchsorted([0.0, 0.3, 1.0, 2.5], relative - 0.01).astype(np.uint8)
    c = fields.steady_field(
        codes,
        source,
        diffusivity=300.0,
        decay=decay,
        spacing=SPACING,
        relative_diffusivity={0: 0.0, 1: 0.3, 2: 1.0, 3: 2.5},
    )
    assert error(c, direct(relative, source, decay, 300.0)) < 1e-4


@pytest.mark.parametrize("half_saturation", [2.5, 0.01])
@pytest.mark.parametrize("time_step", [None, 0.05])
def test_uptake_against_newton(half_saturation, time_step):
    rng = np.random.default_rng(5)
    shape = (13, 14, 15)
    relative = np.where(rng.random(shape) < 0.15, 0.3, 1.0).astype(np.float32)
    vessel = rng.random(shape) < 0.08
    exchange = np.where(vessel, 900.0, 0.0).astype(np.float32)
    uptake = np.where(vessel | (relative < 1), 0.0, rng.choice([240.0, 900.0, 5000.0], shape))
    solver = fields.FieldSolver(relative, SPACING, 1.2e5)
    c = np.full(shape, 20, np.float32)
    terms = {"uptake": uptake, "half_saturation": half_saturation, "time_step": time_step}
    report = solver.solve(c, exchange * 20, exchange, cycles=20, **terms)
    storage = 0 if time_step is None else 1 / time_step
    source, decay = exchange * 20 + 20 * storage, exchange + storage
    reference = direct(relative, source, decay, 1.2e5, uptake, half_saturation)
    assert error(c, reference) < 1e-4
    assert abs(report.mass_balance) < 1e-4


def test_implicit_steps_reach_the_steady_field():
    relative, source = random_case((15, 16, 17), 0.2, seed=6)
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    steady, c = np.zeros((2, *source.shape), np.float32)
    solver.solve(steady, source, 0.15, cycles=10)
    distances = []
    for _ in range(40):
        solver.solve(c, source, 0.15, time_step=2.0)
        distances.append(error(c, steady))
    assert all(later < earlier for earlier, later in pairwise(distances[:20]))
    # Backward Euler damps the slowest mode by 1 / (1 + k dt) a step.
    assert distances[19] / distances[18] == pytest.approx(1 / 1.3, rel=0.05)
    assert distances[-1] < 1e-3


def test_implicit_step_against_direct_solver():
    relative, source = random_case((14, 15, 16), 0.2, seed=7)
    rng = np.random.default_rng(8)
    start = (relative * rng.random(relative.shape)).astype(np.float32)
    c = start.copy()
    report = fields.FieldSolver(relative, SPACING, 300.0).solve(c, source, 0.15, time_step=6.0, cycles=6)
    reference = direct(relative, source + start / 6.0, 0.15 + 1 / 6.0, 300.0)
    assert error(c, reference) < 1e-5
    assert abs(report.mass_balance) < 1e-5


@pytest.mark.parametrize("uptake", [False, True])
def test_same_bits_for_any_thread_count(uptake):
    shape = (67, 40, 41)
    relative, source = random_case(shape, 0.2, seed=9)
    relative[:, :, 20] *= np.float32(0.3)
    terms = {"uptake": relative * 3, "half_saturation": 1.0} if uptake else {}
    results = []
    for threads in (1, 2, 3, 8):
        solver = fields.FieldSolver(relative, SPACING, 300.0, threads=threads)
        c = np.zeros(shape, np.float32)
        report = solver.solve(c, source, 0.05, cycles=3, **terms)
        results.append((c.tobytes(), report))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 1, 9), (1, 12, 13), (2, 9, 17), (3, 30, 7), (7, 5, 3), (25, 13, 50), (33, 17, 9)]
)
def test_odd_and_thin_boxes(shape):
    relative, source = random_case(shape, 0.1, seed=sum(shape), share=0.2)
    relative.flat[0] = source.flat[0] = 1
    c = fields.steady_field(relative > 0, source, diffusivity=300.0, decay=0.03, spacing=SPACING)
    assert error(c, direct(relative, source, 0.03, 300.0)) < 1e-4


def pocket_case():
    """A large open region, and pockets of 1, 2 and 12 voxels inside a solid block."""
    relative = np.ones((20, 20, 20), np.float32)
    relative[4:16, 4:16, 4:16] = 0
    relative[6, 6, 6] = 1
    relative[9, 8, 8:10] = 1
    relative[11:14, 10:12, 12:14] = 1
    source = np.zeros_like(relative)
    source[0, 0, 0] = source[6, 6, 6] = source[9, 8, 8] = source[12, 10, 12] = 1
    return relative, source


def test_pockets_against_direct_solver():
    relative, source = pocket_case()
    reference = direct(relative, source, 0.003, 300.0)
    c = fields.steady_field(relative > 0, source, diffusivity=300.0, decay=0.003, spacing=SPACING)
    assert error(c, reference) < 1e-4
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    c = np.zeros_like(source)
    solver.solve(c, source, 0.003, cycles=3)
    assert error(c, reference) < 1e-3


def test_pocket_without_sink_keeps_its_values():
    relative, source = pocket_case()
    pocket = np.zeros(relative.shape, bool)
    pocket[11:14, 10:12, 12:14] = True
    decay = np.where(pocket, 0, 0.01).astype(np.float32)
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    with pytest.raises(FieldError, match="pocket that has a source"):
        solver.solve(np.zeros_like(source), source, decay)
    source[pocket] = 0
    c = np.where(pocket, 7, 0).astype(np.float32)
    solver.solve(c, source, decay, cycles=8)
    assert (c[pocket] == 7).all()
    closed = np.where(pocket, 0, relative)
    assert error(np.where(pocket, 0, c), direct(closed, source, decay, 300.0)) < 1e-4
    # The pocket is open again as soon as there is a sink in it, or time.
    solver.solve(c, source, np.full(c.shape, 0.01), cycles=8)
    assert c[pocket].max() < 0.01
    c[pocket] = 7
    solver.solve(c, source, decay, time_step=1.0)
    assert c[pocket].mean() == pytest.approx(7, rel=1e-5)


def test_no_sink_at_all_is_refused():
    source = np.ones((4, 4, 4), np.float32)
    with pytest.raises(FieldError, match="anywhere"):
        fields.steady_field(source > 0, source, diffusivity=300.0, decay=0.0, spacing=SPACING)


def test_voxels_without_sink_next_to_sinks():
    relative = np.ones((8, 9, 10), np.float32)
    decay = np.zeros_like(relative)
    decay[0, 0, 0] = 1.0
    source = np.zeros_like(relative)
    source[7, 8, 9] = 1.0
    c = fields.steady_field(relative > 0, source, diffusivity=300.0, decay=decay, spacing=SPACING)
    assert error(c, direct(relative, source, decay, 300.0)) < 1e-4
    assert c[0, 0, 0] == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("size", [40, 62, 64])
@pytest.mark.parametrize("length", [5, 10])
def test_two_cycles_from_a_cold_start_and_one_from_a_warm_one(size, length):
    relative, source = random_case((size, size, size), 0.2, seed=4)
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    reference, c = np.zeros((2, *source.shape), np.float32)
    solver.solve(reference, source, decay_for(length), cycles=15)
    solver.solve(c, source, decay_for(length), cycles=2)
    assert error(c, reference) < 1e-3
    moved = np.roll(source, 1, axis=2) * (relative > 0)
    tenth = np.random.default_rng(1).random(source.shape) < 0.1
    solver.solve(c, np.where(tenth, moved, source), decay_for(length), cycles=15)
    before = error(c, reference)
    solver.solve(c, source, decay_for(length), cycles=1)
    assert error(c, reference) < 0.08 * before


def test_update_mask_equals_a_new_solver():
    rng = np.random.default_rng(10)
    relative, source = random_case((23, 26, 29), 0.3, seed=10)
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    for changes in (1, 5, 300, 0):
        relative = relative.copy()
        relative.flat[rng.integers(0, relative.size, changes)] = rng.choice([0.0, 0.3, 1.0])
        source[relative == 0] = 0
        solver.update_mask(relative)
        a, b = np.zeros((2, *relative.shape), np.float32)
        solver.solve(a, source, 0.1)
        fields.FieldSolver(relative, SPACING, 300.0).solve(b, source, 0.1)
        assert a.tobytes() == b.tobytes()


def test_update_voxels_equals_a_new_solver():
    rng = np.random.default_rng(10)
    relative, source = random_case((23, 26, 29), 0.6, seed=10)
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    pockets = 0
    for changes in (1, 5, 300, 0, 3000):
        relative = relative.copy()
        voxels = rng.choice(relative.size, changes, replace=False)
        relative.flat[voxels] = rng.choice([0.0, 0.3, 1.0], changes, p=[0.7, 0.1, 0.2])
        source[relative == 0] = 0
        solver.update_voxels(voxels, relative.flat[voxels])
        a, b = np.zeros((2, *relative.shape), np.float32)
        solver.solve(a, source, 0.1)
        new = fields.FieldSolver(relative, SPACING, 300.0)
        new.solve(b, source, 0.1)
        assert a.tobytes() == b.tobytes()
        pockets = max(pockets, len(new._pockets.starts))
    assert pockets > 50
    with pytest.raises(FieldError, match="outside the lattice"):
        solver.update_voxels([relative.size], 1.0)


def test_sinks_of_pockets_are_known_after_changes_as_to_a_new_solver():
    """Sinks in a fifth of the voxels, while more and more voxels close and some open: parts are cut off, and joined."""
    rng = np.random.default_rng(6)
    relative = (rng.random((18, 20, 22)) < 0.95).astype(np.float32)
    sinks = np.where(rng.random(relative.shape) < 0.2, 0.1, 0).astype(np.float32)
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    closed, known = [], 0
    for changes in (0, 1, 5, *[200] * 25, 0, 3000):
        relative = relative.copy()
        voxels = rng.choice(relative.size, changes, replace=False)
        relative.flat[voxels] = rng.choice([0.0, 1.0], changes, p=[0.8, 0.2])
        solver.update_voxels(voxels, relative.flat[voxels])
        alone = ndimage.convolve(relative, ndimage.generate_binary_structure(3, 1), mode="constant") == 1
        decay = np.where(relative > 0, np.where(alone, np.float32(0.1), sinks), 0)
        a, b = np.full((2, *relative.shape), 3, np.float32)
        known += solver._witnessed([decay])
        solver.solve(a, decay, decay)
        new = fields.FieldSolver(relative, SPACING, 300.0)
        new.solve(b, decay, decay)
        assert a.tobytes() == b.tobytes()
        assert a.max() > 0
        closed.append(len(new._closed))
    assert known > 4
    assert min(closed) == 0 and len(set(closed)) > 2


def test_sinks_that_move_are_followed():
    """Two halves with one sink each, which go to a voxel beside, and then both into one half."""
    relative = np.ones((6, 8, 17), np.float32)
    relative[:, :, 8] = 0
    decay, source = np.zeros((2, *relative.shape), np.float32)
    source[:, :, :8] = 0.1
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    for first, second, known in ((2, 14, False), (3, 13, True), (3, 4, False)):
        decay[...] = 0
        decay[3, 4, [first, second]] = 0.1
        assert solver._witnessed([decay]) == known
        a, b = np.full((2, *relative.shape), 3, np.float32)
        solver.solve(a, source, decay)
        fields.FieldSolver(relative, SPACING, 300.0).solve(b, source, decay)
        assert a.tobytes() == b.tobytes()
        assert (a[:, :, 9:] == 3).all() == (second < 8)


def test_a_cut_off_part_without_a_sink_is_found_however_large_it_is():
    """A wall across a box whose only sinks are at one end, of two halves beyond what is searched for sinks."""
    relative = np.ones((12, 12, 60), np.float32)
    decay = np.zeros_like(relative)
    decay[:, :, :3] = 0.1
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    solver.solve(np.zeros_like(decay), decay, decay)
    wall = np.arange(relative.size).reshape(relative.shape)[:, :, 30].ravel()
    for part, cut in ((wall[:-1], False), (wall[-1:], True)):
        solver.update_voxels(part, 0.0)
        relative.flat[part] = 0
        a, b = np.full((2, *relative.shape), 3, np.float32)
        solver.solve(a, decay, decay)
        fields.FieldSolver(relative, SPACING, 300.0).solve(b, decay, decay)
        assert a.tobytes() == b.tobytes()
        assert (a[:, :, 31:] == 3).all() == cut


def test_solvers_that_share_memory_take_turns():
    relative, source = random_case((12, 13, 14), 0.2, seed=3)
    first = fields.FieldSolver(relative, SPACING, 300.0)
    second = fields.FieldSolver(relative > 0, SPACING, 1200.0, like=first)
    alone = fields.FieldSolver(relative > 0, SPACING, 1200.0)
    for _ in range(2):
        first.solve(np.zeros_like(source), source, 0.1)
        a, b = np.zeros((2, *source.shape), np.float32)
        second.solve(a, source, 0.1)
        alone.solve(b, source, 0.1)
        assert a.tobytes() == b.tobytes()
    with pytest.raises(FieldError, match="shape"):
        fields.FieldSolver(np.ones((3, 3, 3)), SPACING, 300.0, like=first)


def test_memory():
    """Two fields of one lattice take 30 B a voxel together; rows are padded to cache lines."""
    first = fields.FieldSolver(np.ones((100, 100, 250), np.float32), SPACING, 300.0)
    second = fields.FieldSolver(np.ones((100, 100, 250), np.float32), SPACING, 300.0, like=first)
    assert first.nbytes < 23 * 100 * 100 * 250
    assert second.nbytes < 8 * 100 * 100 * 250


def test_report():
    relative, source = random_case((12, 13, 14), 0.2, seed=11)
    solver = fields.FieldSolver(relative, SPACING, 300.0)
    c = np.zeros_like(source)
    first = solver.solve(c, source, 0.1, cycles=1)
    assert first.update_norm == pytest.approx(1.0)
    before = c.astype(float)
    second = solver.solve(c, source, 0.1, cycles=1)
    assert second.update_norm == pytest.approx(error(c, before) * np.linalg.norm(before) / np.linalg.norm(c), rel=1e-4)
    loss = 0.1 * c.sum(dtype=float)
    gain = source.sum(dtype=float)
    assert second.mass_balance == pytest.approx((gain - loss) / gain, abs=1e-6)
    assert second.minimum <= c[relative > 0].min()
    assert second.cycles == 1


SHAPE = (4, 5, 6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": np.full(SHAPE, -1.0)}, "source has values that are not physical"),
        ({"source": np.full(SHAPE, np.nan)}, "source has values that are not physical"),
        ({"source": np.ones((4, 5))}, "source has the wrong shape"),
        ({"decay": -0.1}, "decay is not physical"),
        ({"decay": np.full(SHAPE, np.inf)}, "decay has values that are not physical"),
        ({"spacing": 0.0}, "spacing is not physical"),
        ({"diffusivity": -300.0}, "diffusivity is not physical"),
        ({"diffusivity": math.nan}, "diffusivity is not physical"),
        ({"cycles": 0}, "cycles is not a count"),
        ({"threads": 0}, "threads is not a count"),
        ({"uptake": np.ones(SHAPE)}, "half_saturation is not physical"),
        ({"field": np.full(SHAPE, -1.0)}, "field has values that are not physical"),
        ({"tissue_or_mask": np.zeros(SHAPE, bool)}, "no voxel is open"),
        ({"tissue_or_mask": np.arange(120).reshape(SHAPE) > 0}, "source lies in impermeable"),
        ({"tissue_or_mask": np.ones(SHAPE, np.uint8)}, "not said which voxels are open"),
        ({"tissue_or_mask": np.ones(SHAPE, np.uint8), "relative_diffusivity": {0: 1}}, "every tissue"),
        ({"tissue_or_mask": np.ones(SHAPE, np.uint8), "relative_diffusivity": {1: -1}}, "not physical"),
    ],
)
def test_bad_input_is_refused(changes, message):
    call = {
        "tissue_or_mask": np.ones(SHAPE, bool),
        "source": np.ones(SHAPE),
        "diffusivity": 300.0,
        "decay": 0.1,
        "spacing": SPACING,
    }
    with pytest.raises(FieldError, match=message):
        fields.steady_field(**(call | changes))


@pytest.mark.parametrize("field", [np.zeros(SHAPE), np.zeros(SHAPE, np.float32)[:, ::-1], [[[0.0]]]])
def test_field_must_be_solved_in_place(field):
    solver = fields.FieldSolver(np.ones(SHAPE), SPACING, 300.0)
    with pytest.raises(FieldError, match="in place"):
        solver.solve(field, np.ones(SHAPE), 0.1)


def test_a_lone_voxel_without_sink_harms_no_other_and_no_later_solution():
    """Its diagonal is 0: what divides by that must not spread."""
    open_voxels = np.ones((8, 8, 8), np.float32)
    source = np.zeros((8, 8, 8), np.float32)
    source[-1] = 0.1
    for lone in [(0, 0, 0), (2, 2, 2), (3, 4, 5)]:
        walled = open_voxels.copy()
        for axis in range(3):
            for step in (-1, 1):
                beside = list(lone)
                beside[axis] += step
                if 0 <= beside[axis] < 8:
                    walled[tuple(beside)] = 0.0
        first = fields.FieldSolver(walled, 10.0, 300.0)
        second = fields.FieldSolver(open_voxels, 10.0, 300.0, like=first)
        for solver, mask in ((first, walled), (second, open_voxels)):
            field = 3.0 * mask
            report = solver.solve(field, source, source, cycles=20)
            reached = (mask > 0) & ~((mask == 1.0) & (solver is first) & _at(lone))
            assert np.isfinite(report.minimum)
            assert field[reached] == pytest.approx(1.0, abs=0.01)
        assert first.solve(3.0 * walled, source, source, cycles=2).minimum > 0


def _at(place):
    there = np.zeros((8, 8, 8), bool)
    there[place] = True
    return there
