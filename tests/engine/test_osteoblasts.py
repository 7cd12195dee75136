"""Recruitment, loss, formation and fates of osteoblasts, against their laws."""

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim._engine import osteoblasts
from marrowsim._engine.osteoblasts import Fate

SOLID = tissues.lookup({tissues.BONE: 1}, np.uint8)
OSTEOBLAST, LINING, TUMOUR = 1, 2, 3
GIVES_WAY = (np.arange(256) == LINING).astype(np.uint8)
SHAPE = (4, 100, 100)


def plate(shape=SHAPE, top=2):
    tissue = np.full(shape, tissues.MARROW, np.uint8)
    tissue[:top] = tissues.BONE
    return tissue


def flat(points, shape=SHAPE):
    return np.array([np.ravel_multi_index(point, shape) for point in points], np.int64)


def occupied(shape, sites, types):
    occupant = np.full(shape, -1, np.int32)
    occupant.reshape(-1)[sites] = np.arange(len(sites))
    return occupant, np.array(types, np.uint8)


def recruited(pits, dt=1.0, rate=0.01, sites=(), types=(), reach=3.0, factor=0.1, step=0, tissue=None):
    tissue = plate() if tissue is None else tissue
    occupant, kinds = occupied(tissue.shape, np.array(sites, np.int64), types)
    inhibitors = np.array([TUMOUR], np.uint8)
    return osteoblasts.recruit(
        1, step, dt, pits, kinds, occupant, tissue, SOLID, GIVES_WAY, rate, inhibitors, reach, factor
    ).astype(bool)


@pytest.mark.parametrize("dt", [1.0, 30.0, 240.0])
def test_cavities_are_set_to_work_in_exponentially(dt):
    pits = flat([(2, y, x) for y in range(100) for x in range(100)])
    share = 1 - np.exp(-0.01 * dt)
    n = len(pits)
    assert recruited(pits, dt).sum() == pytest.approx(n * share, abs=4 * np.sqrt(n * share * (1 - share)))


def test_only_beside_bone_and_only_where_free_or_where_the_cell_gives_way():
    pits = flat([(3, 5, 5), (2, 5, 5), (2, 6, 6), (2, 7, 7)])
    there = recruited(pits, 1e6, sites=pits[2:], types=[LINING, OSTEOBLAST])
    assert there.tolist() == [False, True, True, False]


@pytest.mark.parametrize(("distance", "near"), [(3, True), (4, False)])
@pytest.mark.parametrize("factor", [0.0, 0.1, 1.0])
def test_inhibiting_cells_within_reach_take_a_factor_off_the_rate(distance, near, factor):
    """Voxels seven apart, each with a tumour cell at a distance of so many edges."""
    pits = flat([(2, y, x) for y in range(3, 97, 7) for x in range(3, 92, 9)])
    steps, share = 40, 0.2
    dt = -np.log(1 - share) / 0.01
    got = sum(
        recruited(pits, dt, sites=pits + distance, types=[TUMOUR] * len(pits), factor=factor, step=step).sum()
        for step in range(steps)
    )
    n, p = steps * len(pits), share * (factor if near else 1.0)
    assert got == pytest.approx(n * p, abs=4 * np.sqrt(n * p * (1 - p)))


@pytest.mark.parametrize(("distance", "near"), [(3, True), (4, False)])
def test_inhibiting_cells_drive_osteoblasts_out(distance, near):
    sites = flat([(2, y, x) for y in range(3, 97, 3) for x in range(3, 92, 9)])
    n, rate, dt = len(sites), 0.01, 60.0
    occupant, types = occupied(SHAPE, np.concatenate([sites, sites + distance]), [OSTEOBLAST] * n + [TUMOUR] * n)
    rows, ids = np.arange(n, dtype=np.int32), np.arange(2 * n)
    site = np.concatenate([sites, sites + distance]).astype(np.int32)
    lost = osteoblasts.lose(1, 0, dt, rows, ids, types, site, occupant, rate, np.array([TUMOUR], np.uint8), 3.0)
    share = 1 - np.exp(-rate * dt)
    expected = n * share if near else 0.0
    assert lost.sum() == pytest.approx(expected, abs=4 * np.sqrt(n * share * (1 - share)) if near else 0)


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, 1, 1), (1, 1, 1)])
def test_bone_grows_along_its_normal_at_one_speed_however_it_lies(normal):
    """Layers |n| to the edge, each filled |n| times as fast: the front moves by MAR t, within 1 %."""
    shape = (24, 24, 24)
    height = np.tensordot(np.array(normal), np.indices(shape), axes=1)
    middle = height[12, 12, 12]
    tissue = np.where(height < middle, tissues.BONE, tissues.MARROW).astype(np.uint8)
    content = (tissue == tissues.BONE).astype(np.float32)
    amount, layers, steps = 1 / 640, 3, 0
    inside = np.zeros(shape, bool)
    inside[8:17, 8:17, 8:17] = True
    for layer in range(middle, middle + layers):
        site = np.flatnonzero((height == layer) & inside).astype(np.int32)
        rows = np.arange(len(site), dtype=np.int32)
        full = np.zeros(len(site), bool)
        while not full.any():
            full = osteoblasts.form(rows, site, tissue, SOLID, content, amount).astype(bool)
            steps += 1
        assert full.all() and np.all(content.ravel()[site] == 1)
        tissue[height == layer] = tissues.BONE
    normal_length = np.sqrt(np.dot(normal, normal))
    assert layers / normal_length == pytest.approx(amount * steps, rel=0.01)


def test_content_is_added_by_faces_and_none_without():
    tissue, content = plate(), np.zeros(SHAPE, np.float32)
    tissue[2, 50, 51] = tissues.BONE
    site = flat([(2, 10, 10), (2, 50, 50), (3, 20, 20)]).astype(np.int32)
    for _ in range(7):
        full = osteoblasts.form(np.arange(3, dtype=np.int32), site, tissue, SOLID, content, 0.01)
        assert not full.any()
    assert content.ravel()[site] == pytest.approx([0.07, 0.07 * np.sqrt(2), 0.0], abs=1e-6)
    assert np.count_nonzero(content) == 2


def settled(sites, level, depths, goals, trapped=0.0, rests=0.0, tissue=None, others=(), step=0):
    """Fates and sites of osteoblasts whose voxels are bone now."""
    tissue = plate() if tissue is None else tissue.copy()
    tissue.reshape(-1)[sites] = tissues.BONE
    depth = np.zeros(tissue.shape, np.uint8)
    for voxel, value in depths.items():
        depth.reshape(-1)[voxel] = value
    everyone = np.concatenate([sites, np.array(others, np.int64)])
    occupant, _ = occupied(tissue.shape, everyone, [OSTEOBLAST] * len(everyone))
    site, rows = everyone.astype(np.int32), np.arange(len(sites), dtype=np.int32)
    fates = osteoblasts.settle(
        1, step, rows, np.arange(len(everyone)), site, occupant, tissue, tissues.IS_ENTERABLE, depth,
        np.array(sorted(goals), np.int64), np.array(level, np.uint8), trapped, rests,
    )  # fmt: skip
    rows = np.flatnonzero(occupant.ravel() >= 0)
    np.testing.assert_array_equal(np.sort(site), rows)
    np.testing.assert_array_equal(site[occupant.ravel()[rows]], rows)
    return fates, site[: len(sites)]


def test_it_goes_on_to_a_free_goal_at_a_face_that_is_less_deep():
    here, up, side = flat([(2, 10, 10), (3, 10, 10), (2, 10, 11)])
    start = np.array([here])
    assert settled(start, [2], {up: 1}, [up])[0] == Fate.FATE_MOVED
    assert settled(start, [2], {up: 1, side: 2}, [up, side])[1] == up
    assert settled(start, [2], {side: 2}, [side])[0] == Fate.FATE_GONE
    assert settled(start, [1], {up: 2}, [up])[0] == Fate.FATE_GONE
    assert settled(start, [2], {up: 1}, [])[0] == Fate.FATE_GONE
    assert settled(start, [2], {up: 1}, [up], others=[up])[0] == Fate.FATE_GONE
    corner = flat([(3, 11, 11)])[0]
    assert settled(start, [2], {corner: 1}, [corner])[0] == Fate.FATE_GONE


def test_two_do_not_go_to_one_goal():
    left, middle, right = flat([(2, 10, 10), (2, 10, 11), (2, 10, 12)])
    fates, site = settled(np.array([left, right]), [2, 2], {middle: 1}, [middle])
    assert fates.tolist() == [Fate.FATE_MOVED, Fate.FATE_GONE]
    assert site.tolist() == [middle, right]


@pytest.mark.parametrize(("trapped", "rests"), [(0.04, 0.1), (0.5, 0.3)])
def test_shares_of_the_trapped_and_of_those_that_rest(trapped, rests):
    sites = flat([(2, y, x) for y in range(1, 99, 3) for x in range(1, 99, 3)])
    n = len(sites)
    fates, site = settled(sites, [1] * n, {}, [], trapped, rests)
    for fate, p in ((Fate.FATE_TRAPPED, trapped), (Fate.FATE_RESTS, (1 - trapped) * rests)):
        assert np.count_nonzero(fates == fate) == pytest.approx(n * p, abs=4 * np.sqrt(n * p * (1 - p)))
    rest = fates == Fate.FATE_RESTS
    assert np.array_equal(site[~rest], sites[~rest])
    away = np.abs(np.subtract(np.unravel_index(site[rest], SHAPE), np.unravel_index(sites[rest], SHAPE)))
    assert np.all(away.max(axis=0) == 1)
    assert np.all(site[rest] >= 2 * SHAPE[1] * SHAPE[2])


def test_it_rests_outside_cavities_only():
    tissue = np.full(SHAPE, tissues.BONE, np.uint8)
    here, up, side = flat([(2, 10, 10), (3, 10, 10), (3, 10, 11)])
    tissue.reshape(-1)[[here, up, side]] = tissues.MARROW
    assert settled(np.array([here]), [1], {up: 1}, [], rests=1.0, tissue=tissue)[1] == side
    assert settled(np.array([here]), [1], {up: 1, side: 1}, [], rests=1.0, tissue=tissue)[0] == Fate.FATE_GONE
