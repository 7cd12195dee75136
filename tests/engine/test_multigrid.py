"""The multigrid kernels against plain NumPy in double precision."""

import numpy as np
import pytest

from marrowsim._engine import multigrid, multigrid_faces, multigrid_pockets, multigrid_terms

NOTHING = np.zeros((0, 0, 0), np.float32)


def case(shape, seed=1, solid=0.2):
    rng = np.random.default_rng(seed)
    relative = np.where(rng.random(shape) < solid, 0, rng.choice([0.3, 1.0], shape)).astype(np.float32)
    is_open = relative > 0
    return {
        "relative": relative,
        "field": (is_open * rng.random(shape)).astype(np.float32),
        "source": (is_open * rng.random(shape)).astype(np.float32),
        "rate": rng.random(shape).astype(np.float32),
        "uptake": rng.random(shape).astype(np.float32),
    }


def hierarchy(relative, threads=1):
    levels = multigrid.build_levels(*relative.shape)
    scratch = multigrid_terms.scratch_for(levels[0])
    multigrid_faces.set_diffusivity(levels, relative, scratch, threads)
    return levels, scratch


def load(levels, scratch, c, threads=1, half_saturation=0.5, scale=0.7):
    return multigrid_terms.load(
        levels, c["field"], c["source"], c["rate"], 0.0, c["uptake"], half_saturation, scale, scratch, threads
    )


def store(levels, scratch, c, field, threads=1, half_saturation=0.5):
    return multigrid_terms.store(
        levels[0], field, c["source"], c["rate"], 0.0, c["uptake"], half_saturation, scratch, threads
    )


def neighbours(a):
    """Sum over the six neighbours, zero outside."""
    p = np.pad(a, 1)
    inner = slice(1, -1)
    total = p[:-2, inner, inner] + p[2:, inner, inner] + p[inner, :-2, inner] + p[inner, 2:, inner]
    return total + p[inner, inner, :-2] + p[inner, inner, 2:]


def relaxed(c, sweeps, half_saturation=0.5, scale=0.7):
    """Red-black Gauss-Seidel in terms of concentrations, in double precision."""
    root = np.sqrt(c["relative"].astype(float))
    field, uptake = c["field"].astype(float), c["uptake"].astype(float)
    slope = uptake * half_saturation / (half_saturation + field) ** 2
    offset = uptake * field**2 / (half_saturation + field) ** 2
    diagonal = root * neighbours(root) + (c["rate"] + slope) * scale
    colour = np.indices(field.shape).sum(axis=0) & 1
    for half_sweep in range(2 * sweeps):
        mean = (root * neighbours(root * field) + (c["source"] - offset) * scale) / diagonal
        field = np.where((root > 0) & (colour == half_sweep & 1), mean, field)
    return field


def test_levels_shrink_to_one_voxel():
    levels = multigrid.build_levels(100, 3, 1)
    sizes = [(level.nz, level.ny, level.nx) for level in levels]
    assert sizes == [
        (100, 3, 1),
        (50, 2, 1),
        (25, 1, 1),
        (13, 1, 1),
        (7, 1, 1),
        (4, 1, 1),
        (2, 1, 1),
        (1, 1, 1),
    ]


@pytest.mark.parametrize("shape", [(6, 7, 8), (5, 4, 9), (1, 6, 11), (3, 1, 2)])
@pytest.mark.parametrize("sweeps", [1, 3])
def test_smoothing_is_red_black_gauss_seidel(shape, sweeps):
    c = case(shape)
    levels, scratch = hierarchy(c["relative"])
    load(levels, scratch, c)
    multigrid.smooth(levels[0], sweeps)
    field = c["field"].copy()
    least, _ = store(levels, scratch, c, field)
    expected = relaxed(c, sweeps)
    np.testing.assert_allclose(field, np.maximum(expected, 0), rtol=2e-5, atol=2e-6)
    assert least == pytest.approx(expected[c["relative"] > 0].min(), rel=2e-5, abs=2e-6)


def test_sweeps_together_equal_sweeps_one_by_one():
    c = case((9, 8, 7))
    results = []
    for calls in ((3,), (1, 1, 1), (2, 1)):
        levels, scratch = hierarchy(c["relative"])
        load(levels, scratch, c)
        for sweeps in calls:
            multigrid.smooth(levels[0], sweeps)
        field = c["field"].copy()
        store(levels, scratch, c, field)
        results.append(field.tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("nz", [33, 67])
def test_threads_change_no_bit(nz):
    c = case((nz, 60, 61))
    results = set()
    for threads in (1, 2, 3, 8):
        levels, scratch = hierarchy(c["relative"], threads)
        limits = load(levels, scratch, c, threads)
        multigrid.cycle(levels, scratch, 2, threads)
        field = c["field"].copy()
        least, sums = store(levels, scratch, c, field, threads)
        results.add((limits, field.tobytes(), least, sums.tobytes()))
    assert len(results) == 1


def test_limits_of_the_equations():
    c = case((4, 5, 6))
    levels, scratch = hierarchy(c["relative"])
    least, stray = load(levels, scratch, c)
    slope = c["uptake"] * 0.5 / (0.5 + c["field"]) ** 2
    with np.errstate(divide="ignore"):
        sink = (c["rate"] + slope) * 0.7 / c["relative"]
    assert least == pytest.approx(sink[c["relative"] > 0].min(), rel=1e-5)
    assert stray == 0
    c["source"][c["relative"] == 0] = 2.5
    assert load(levels, scratch, c)[1] == 2.5


def test_store_sums_and_clips():
    c = case((3, 4, 37))
    c["uptake"] *= 4
    levels, scratch = hierarchy(c["relative"])
    load(levels, scratch, c)
    multigrid.smooth(levels[0], 1)
    field = c["field"].copy()
    least, sums = store(levels, scratch, c, field)
    assert least < 0
    assert field.min() == 0
    assert not field[c["relative"] == 0].any()
    before, after = c["field"].astype(float), field.astype(float)
    loss = after * (c["rate"] + c["uptake"] / (0.5 + after))
    terms = [(after - before) ** 2, after**2, c["source"].astype(float), loss]
    np.testing.assert_allclose(sums, np.stack([term.sum(axis=(1, 2)) for term in terms], axis=1), rtol=1e-5)


def test_solution_stays():
    c = case((12, 13, 14))
    c["uptake"][:] = 0
    levels, scratch = hierarchy(c["relative"])
    load(levels, scratch, c)
    for _ in range(12):
        multigrid.cycle(levels, scratch)
    field = c["field"].copy()
    store(levels, scratch, c, field)
    multigrid.cycle(levels, scratch)
    after = field.copy()
    store(levels, scratch, c, after)
    np.testing.assert_allclose(after, field, rtol=1e-6)
    residual = c["source"] * 0.7 - c["rate"] * 0.7 * field
    root = np.sqrt(c["relative"].astype(float))
    residual += root * (neighbours(root * field) - neighbours(root) * field)
    assert np.abs(residual[c["relative"] > 0]).max() < 1e-5


@pytest.mark.parametrize("length", [5, 10, 30])
def test_chambers_joined_by_single_voxels_converge(length):
    # Face conductances that are just summed make the coarse correction of such chambers too large.
    n, period = 40, 8
    at = np.indices((n, n, n)) % period
    relative = ((at > 0).all(axis=0) | ((at == period // 2).sum(axis=0) >= 2)).astype(np.float32)
    c = {"field": np.zeros((n, n, n), np.float32), "source": np.zeros((n, n, n), np.float32)}
    c["source"][:period, :period, :period] = relative[:period, :period, :period]
    c["rate"], c["uptake"] = np.full((n, n, n), 1 / length**2, np.float32), NOTHING
    levels, scratch = hierarchy(relative)
    load(levels, scratch, c, scale=1.0)
    fields = []
    for cycle in range(12):
        multigrid.cycle(levels, scratch)
        if cycle in (3, 11):
            fields.append(np.zeros((n, n, n), np.float32))
            store(levels, scratch, c, fields[-1])
    assert np.linalg.norm(fields[0] - fields[1]) < 1e-3 * np.linalg.norm(fields[1])


def test_pockets_are_balanced():
    c = case((5, 6, 7), solid=1.0)
    pocket = [(1, 2, 3), (1, 2, 4), (2, 2, 4)]
    for voxel in pocket:
        c["relative"][voxel] = c["source"][voxel] = 1
    c["rate"][:] = 0.01
    c["uptake"][:] = 0
    levels, scratch = hierarchy(c["relative"])
    load(levels, scratch, c, scale=1.0)
    voxels = np.array([np.ravel_multi_index(voxel, (5, 6, 7)) for voxel in pocket], np.int64)
    multigrid_pockets.balance_pockets(levels[0], voxels, np.array([0, 3], np.int64))
    field = c["field"].copy()
    store(levels, scratch, c, field)
    assert 0.01 * field.sum(dtype=float) == pytest.approx(3.0, rel=1e-5)
