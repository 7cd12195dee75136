"""The multigrid kernels against plain NumPy in double precision."""

import numpy as np
import pytest
from scipy import ndimage

from marrowsim._engine import (
    components,
    multigrid,
    multigrid_faces,
    multigrid_levels,
    multigrid_pockets,
    multigrid_terms,
)

NOTHING = np.zeros((0, 0, 0), np.float32)
GAUSS_SEIDEL = (1.0, 1.0, 1.0, 1.0)


def case(shape, seed=1, solid=0.2, partly=True):
    rng = np.random.default_rng(seed)
    relative = np.where(rng.random(shape) < solid, 0, rng.choice([0.3, 1.0] if partly else [1.0], shape))
    relative = relative.astype(np.float32)
    is_open = relative > 0
    return {
        "relative": relative,
        "field": (is_open * rng.random(shape)).astype(np.float32),
        "source": (is_open * rng.random(shape)).astype(np.float32),
        "rate": rng.random(shape).astype(np.float32),
        "uptake": rng.random(shape).astype(np.float32) if partly else NOTHING,
    }


def hierarchy(relative, threads=1):
    levels = multigrid_levels.build_levels(*relative.shape)
    multigrid_faces.set_diffusivity(levels, relative, threads)
    return levels


def terms_of(c, field, half_saturation=0.5, scale=0.7):
    return multigrid_terms.Terms(field, c["source"], c["rate"], 0.0, c["uptake"], half_saturation, scale)


def neighbours(a):
    """Sum over the six neighbours, zero outside."""
    p = np.pad(a, 1)
    inner = slice(1, -1)
    total = p[:-2, inner, inner] + p[2:, inner, inner] + p[inner, :-2, inner] + p[inner, 2:, inner]
    return total + p[inner, inner, :-2] + p[inner, inner, 2:]


def reciprocal(d):
    """1 / d to 0.3 %: the bits of d taken from a constant, and one step of Newton's method."""
    guess = (0x7EF311C7 - d.astype(np.float32).view(np.int32)).view(np.float32).astype(float)
    return guess * (2 - d * guess)


def relaxed(c, omega, half_saturation=0.5, scale=0.7):
    """Red-black relaxation in terms of concentrations, in double precision."""
    root = np.sqrt(c["relative"].astype(float))
    field = c["field"].astype(float)
    uptake = c["uptake"].astype(float) if c["uptake"].size else 0.0
    slope = uptake * half_saturation / (half_saturation + field) ** 2
    offset = uptake * field**2 / (half_saturation + field) ** 2
    diagonal = root * neighbours(root) + (c["rate"] + slope) * scale
    scaled = np.where(root > 0, diagonal / np.where(root > 0, root, 1) ** 2, 1.0)
    colour = np.indices(field.shape).sum(axis=0) & 1
    for half_sweep, weight in enumerate(omega):
        residual = root * neighbours(root * field) + (c["source"] - offset) * scale - diagonal * field
        step = np.where(root > 0, weight * reciprocal(scaled) * scaled / np.where(root > 0, diagonal, 1), 0) * residual
        field = np.where(colour == half_sweep & 1, field + step, field)
    return field


def test_levels_shrink_to_one_voxel():
    levels = multigrid_levels.build_levels(100, 3, 1)
    sizes = [(level.nz, level.ny, level.nx) for level in levels]
    assert sizes == [(100, 3, 1), (50, 2, 1), (25, 1, 1), (13, 1, 1), (7, 1, 1), (4, 1, 1), (2, 1, 1), (1, 1, 1)]


@pytest.mark.parametrize("shape", [(6, 7, 8), (5, 4, 9), (1, 6, 11), (3, 1, 2), (4, 70, 150)])
@pytest.mark.parametrize("omega", [GAUSS_SEIDEL, (1.2, 1.2, 1.2, 1.0)])
@pytest.mark.parametrize("partly", [False, True])
def test_smoothing_is_red_black_relaxation(shape, omega, partly):
    c = case(shape, partly=partly)
    field = c["field"].copy()
    seen, least, _ = multigrid.relax(hierarchy(c["relative"])[0], terms_of(c, field), omega)
    expected = relaxed(c, omega)
    np.testing.assert_allclose(field, np.maximum(expected, 0), rtol=3e-5, atol=3e-6)
    assert least == pytest.approx(expected[c["relative"] > 0].min(), rel=3e-5, abs=3e-6)
    assert not seen[0]
    assert not seen[1]


@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("nz", [33, 67, 140])
def test_threads_change_no_bit(nz, partly):
    c = case((nz, 60, 61), partly=partly)
    results = set()
    for threads in (1, 2, 3, 8):
        levels = hierarchy(c["relative"], threads)
        field = c["field"].copy()
        terms = terms_of(c, field)
        seen = multigrid.descend(levels, terms, threads)
        multigrid.ascend(levels, None, threads)
        multigrid.descend(levels, None, threads)
        least, sums = multigrid.ascend(levels, terms, threads)
        results.add((seen, field.tobytes(), least, sums.tobytes()))
    assert len(results) == 1


def test_values_of_one_do_not_need_the_general_rows():
    """The rows for diffusivities of 0 and 1 give the bits of the general ones."""
    c = case((9, 34, 35), partly=False)
    fields = []
    for uptake in (NOTHING, np.zeros_like(c["field"])):
        field = c["field"].copy()
        levels = hierarchy(c["relative"])
        terms = terms_of(c | {"uptake": uptake}, field)
        multigrid.descend(levels, terms)
        least, sums = multigrid.ascend(levels, terms)
        fields.append((field.tobytes(), least, sums.tobytes()))
    assert fields[0] == fields[1]


def test_limits_of_the_equations():
    c = case((4, 5, 6))
    levels = hierarchy(c["relative"])
    unphysical, stray, least = multigrid.descend(levels, terms_of(c, c["field"]))
    slope = c["uptake"] * 0.5 / (0.5 + c["field"]) ** 2
    with np.errstate(divide="ignore"):
        sink = (c["rate"] + slope) * 0.7 / c["relative"]
    assert least == pytest.approx(sink[c["relative"] > 0].min(), rel=1e-5)
    assert not unphysical
    assert not stray
    c["source"][c["relative"] == 0] = 2.5
    assert multigrid.descend(levels, terms_of(c, c["field"]))[1]
    for name in ("field", "source", "rate", "uptake"):
        for value in (-1e-3, np.nan, np.inf):
            bad = {key: values.copy() for key, values in c.items()}
            bad[name][3, 4, 5] = value
            assert multigrid.descend(levels, terms_of(bad, bad["field"]))[0], (name, value)


def test_store_sums_and_clips():
    c = case((3, 4, 37))
    c["uptake"] *= 4
    field = c["field"].copy()
    _, least, sums = multigrid.relax(hierarchy(c["relative"])[0], terms_of(c, field), GAUSS_SEIDEL)
    assert least < 0
    assert field.min() == 0
    assert not field[c["relative"] == 0].any()
    before, after = c["field"].astype(float), field.astype(float)
    loss = after * (c["rate"] + c["uptake"] / (0.5 + after))
    terms = [(after - before) ** 2, after**2, c["source"].astype(float), loss]
    np.testing.assert_allclose(sums.sum(axis=2), np.stack([term.sum(axis=(1, 2)) for term in terms], axis=1), rtol=1e-5)


def test_solution_stays():
    c = case((12, 13, 14))
    c["uptake"] = NOTHING
    levels = hierarchy(c["relative"])
    field = c["field"].copy()
    terms = terms_of(c, field)
    for cycle in range(12):
        multigrid.descend(levels, None if cycle else terms)
        multigrid.ascend(levels, terms)
    before = field.copy()
    multigrid.descend(levels)
    multigrid.ascend(levels, terms)
    np.testing.assert_allclose(field, before, rtol=1e-6)
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
    c = {"source": np.zeros((n, n, n), np.float32), "uptake": NOTHING}
    c["source"][:period, :period, :period] = relative[:period, :period, :period]
    c["rate"] = np.full((n, n, n), 1 / length**2, np.float32)
    levels = hierarchy(relative)
    field = np.zeros((n, n, n), np.float32)
    terms = terms_of(c, field, scale=1.0)
    fields = []
    for cycle in range(12):
        multigrid.descend(levels, None if cycle else terms)
        multigrid.ascend(levels, terms)
        fields.append(field.copy())
    assert np.linalg.norm(fields[3] - fields[11]) < 1e-3 * np.linalg.norm(fields[11])


POCKET = [(1, 2, 3), (1, 2, 4), (2, 2, 4)]


def test_pockets_are_balanced():
    c = case((5, 6, 7), solid=1.0)
    for voxel in POCKET:
        c["relative"][voxel] = c["source"][voxel] = 1
    c["rate"][:] = 0.01
    c["uptake"] = NOTHING
    levels = hierarchy(c["relative"])
    field = c["field"].copy()
    terms = terms_of(c, field, scale=1.0)
    voxels = np.array([np.ravel_multi_index(voxel, (5, 6, 7)) for voxel in POCKET], np.int64)
    multigrid.descend(levels, terms)
    multigrid.ascend(levels, terms)
    multigrid_pockets.balance_pockets(levels[0], voxels, np.array([0, 3], np.int64), field)
    assert 0.01 * field.sum(dtype=float) == pytest.approx(3.0, rel=1e-5)


def test_flood_finds_the_pockets_of_the_seeds():
    relative = np.zeros((5, 6, 7), np.float32)
    relative[4] = 1
    relative[0, 0, 0] = 1
    for voxel in POCKET:
        relative[voxel] = 1
    level = hierarchy(relative)[0]
    voxels = [np.ravel_multi_index(voxel, relative.shape) for voxel in POCKET]
    seeds = np.arange(relative.size, dtype=np.int64)
    (found,) = multigrid_pockets.flood(level, seeds, 40)
    assert list(found) == voxels
    assert [len(pocket) for pocket in multigrid_pockets.flood(level, seeds, 42)] == [3, 42]
    assert multigrid_pockets.flood(level, seeds[:20], 40) == []
    around = multigrid_pockets.with_neighbours(level, np.array([0, voxels[0]], np.int64))
    expected = {0, 1, 7, 42} | {voxels[0] + step for step in (0, 1, -1, 7, -7, 42, -42)}
    assert set(around.tolist()) == expected


@pytest.mark.parametrize("solid", [0.05, 0.5, 0.7, 1.0])
def test_components_are_those_of_scipy(solid):
    relative = case((9, 10, 37), solid=solid, seed=5)["relative"]
    level = hierarchy(relative)[0]
    labels, count = ndimage.label(relative > 0)
    found = components.Components(level)
    assert np.count_nonzero(found.size) == count
    rows = np.arange(len(found.root))
    voxels = found.voxels(rows)
    assert sorted(voxels) == list(np.flatnonzero(relative))
    label_of_run = labels.ravel()[found.first]
    first = {label: run for run, label in reversed(list(zip(rows, label_of_run, strict=True)))}
    assert [first[label] for label in label_of_run] == list(found.root)
    np.testing.assert_array_equal(found.size[found.root], np.bincount(labels.ravel())[label_of_run])
    values = np.zeros_like(relative)
    values.flat[voxels[-1:]] = 1
    touched = found.touched_by(values)
    assert set(touched) <= {-1, *voxels[-1:]}
    assert (touched >= 0).sum() == len(voxels[-1:])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_changed_voxels_leave_the_hierarchy_of_a_new_one(seed):
    rng = np.random.default_rng(seed)
    relative = case((13, 14, 33), seed=seed)["relative"]
    levels = hierarchy(relative)
    for changes in (1, 5, 40):
        voxels = rng.choice(relative.size, changes, replace=False)
        before = relative.flat[voxels]
        relative.flat[voxels] = rng.choice([0.0, 0.3, 1.0], changes)
        changed = multigrid_faces.set_voxels(levels, voxels.astype(np.int64), relative.ravel()[voxels])
        assert changed.tolist() == (relative.flat[voxels] != before).tolist()
    c = case(relative.shape, seed=seed) | {"relative": relative}
    c["source"] *= relative > 0
    fields = []
    for hierarchy_ in (levels, hierarchy(relative)):
        field = c["field"].copy()
        multigrid.descend(hierarchy_, terms_of(c, field))
        multigrid.ascend(hierarchy_, terms_of(c, field))
        fields.append(field.tobytes())
    assert fields[0] == fields[1]
