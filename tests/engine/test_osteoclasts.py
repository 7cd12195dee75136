"""Fusion, life, resorption and steps of osteoclasts, against their laws."""

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim._engine import osteoclasts

SOLID = tissues.lookup({tissues.BONE: 1}, np.uint8)
NORMALS = [(0, 0, 1), (0, 1, 1), (1, 1, 1)]
LEAST = 1 / 3
OSTEOCLAST, MOTILE = 0, 1
YIELDS = (np.arange(256) == MOTILE).astype(np.uint8)


def vigour(signal):
    """1/3 + 4/3 H(L), H(L) = L^2 / (1 + L^2)."""
    return LEAST + (1 - LEAST) * 2 * signal**2 / (1 + signal**2)


def half_space(shape, normal, offset):
    """Bone where z, y, x times a normal of whole numbers is below an offset, marrow elsewhere."""
    height = np.tensordot(np.array(normal), np.indices(shape), axes=1)
    return np.where(height < offset, tissues.BONE, tissues.MARROW).astype(np.uint8), height


class Box:
    """A lattice of bone and marrow, with osteoclasts or others on some sites; ids are rows."""

    def __init__(self, tissue, sites, signal=1.0, types=OSTEOCLAST):
        self.tissue, self.site = tissue.copy(), np.array(sites, np.int32)
        self.occupant = np.full(tissue.shape, -1, np.int32)
        self.occupant.reshape(-1)[self.site] = np.arange(len(self.site))
        self.content = (tissue == tissues.BONE).astype(np.float32)
        self.depth = np.zeros(tissue.shape, np.uint8)
        self.signal = np.full(tissue.shape, signal, np.float32)
        self.id = np.arange(len(self.site))
        self.type = np.broadcast_to(np.array(types, np.uint8), self.site.shape).copy()
        self.status = np.zeros(len(self.site), np.uint8)
        self.step = 0

    def resorb(self, amount, deepest=1e3, hops=0.0, steps=1, rows=None):
        """The voxels that open in some steps of a minute."""
        rows = np.arange(len(self.site), dtype=np.int32) if rows is None else rows
        opened = []
        for _ in range(steps):
            opened.append(
                osteoclasts.resorb(
                    1, self.step, 0, 1.0, rows, self.id, self.type, self.status, self.site, YIELDS, self.occupant,
                    self.tissue, SOLID, tissues.IS_ENTERABLE, tissues.MARROW, self.content, self.depth, self.signal,
                    1.0, 1.0, 2.0, LEAST, amount, deepest, hops,
                )
            )  # fmt: skip
            self.step += 1
        return np.concatenate(opened)

    @property
    def total(self):
        return self.content.sum(dtype=np.float64)


def founders(tissue, site, signal, dt, rate, step=0, scale=1.0, half=1.0, exponent=2.0):
    field = np.full(tissue.shape, signal, np.float32)
    rows, ids = np.arange(len(site), dtype=np.int32), np.arange(len(site))
    return osteoclasts.found(
        1, step, dt, rows, ids, site.astype(np.int32), tissue, SOLID, field, scale, rate, half, exponent
    )


@pytest.mark.parametrize("normal", NORMALS)
@pytest.mark.parametrize("dt", [1.0, 30.0])
@pytest.mark.parametrize("signal", [0.3, 1.0, 3.0])
def test_precursors_fuse_at_a_rate_per_area_times_hill_however_the_surface_lies(normal, dt, signal):
    """A voxel of the first layer over a plane has the area |n| h^2; within four standard errors."""
    tissue, height = half_space((60, 60, 60), normal, 60)
    tissue, height = tissue[1:, 1:, 1:].copy(), height[1:, 1:, 1:]
    site = np.flatnonzero(height == 60)
    if normal == (0, 0, 1):
        tissue, height = half_space((60, 60, 60), normal, 30)
        site = np.flatnonzero(height == 30)
    inner = np.all([axis > 0 for axis in np.unravel_index(site, tissue.shape)], axis=0)
    site = site[inner]
    rate = 0.003
    hill = signal**2 / (1 + signal**2)
    share = 1 - np.exp(-rate * np.sqrt(np.dot(normal, normal)) * hill * dt)
    steps = 10
    found = sum(founders(tissue, site, signal, dt, rate, step).shape[1] for step in range(steps))
    n = steps * len(site)
    assert found == pytest.approx(n * share, abs=4 * np.sqrt(n * share * (1 - share)))


@pytest.mark.parametrize(("half", "exponent"), [(0.5, 1.0), (2.0, 4.0)])
def test_the_signal_is_scaled_before_the_hill_function(half, exponent):
    tissue, height = half_space((40, 100, 100), (1, 0, 0), 20)
    site = np.flatnonzero(height == 20)
    hill = 0.6**exponent / (half**exponent + 0.6**exponent)
    share = 1 - np.exp(-0.5 * hill)
    found = founders(tissue, site, 1.5, 5.0, 0.1, scale=0.4, half=half, exponent=exponent).shape[1]
    assert found == pytest.approx(len(site) * share, abs=4 * np.sqrt(len(site) * share * (1 - share)))


def test_nobody_fuses_without_bone_or_without_signal():
    tissue, height = half_space((10, 40, 40), (1, 0, 0), 5)
    beside, above = (np.flatnonzero(height == layer) for layer in (5, 6))
    assert founders(tissue, beside, 1.0, 1e5, 1.0).shape[1] == len(beside)
    assert founders(tissue, above, 1.0, 1e5, 1.0).shape[1] == 0
    assert founders(tissue, beside, 0.0, 1e5, 1.0).shape[1] == 0
    assert founders(tissue, beside, 1.0, 1e5, 1.0, scale=0.0).shape[1] == 0


def fuse(sites, order, partners=2, reach=3.0, shape=(9, 9, 9), types=None):
    site = np.array([np.ravel_multi_index(point, shape) for point in sites], np.int32)
    occupant = np.full(shape, -1, np.int32)
    occupant.reshape(-1)[site] = np.arange(len(site))
    types = np.full(len(site), 3, np.uint8) if types is None else types
    ids = np.arange(len(site)) + 100
    fused, spent = osteoclasts.fuse(np.array(order), ids, types, site, occupant, partners, reach, 7)
    return fused.tolist(), spent.tolist(), types


def test_the_nearest_are_taken_and_ties_go_to_the_smallest_id():
    sites = [(4, 4, 4), (4, 4, 6), (4, 4, 5), (4, 6, 4), (4, 2, 4)]
    fused, spent, types = fuse(sites, [0])
    assert (fused, spent) == ([0], [2, 1])
    assert types.tolist() == [7, 3, 3, 3, 3]


@pytest.mark.parametrize(("reach", "happens"), [(3.0, True), (2.99, False)])
def test_partners_are_within_reach(reach, happens):
    fused, spent, types = fuse([(4, 4, 4), (4, 4, 7), (4, 4, 5)], [0], reach=reach)
    assert (fused, spent) == (([0], [2, 1]) if happens else ([], []))
    assert types[0] == (7 if happens else 3)


def test_only_cells_of_the_same_type_are_partners_and_the_walls_of_the_box_are_its_end():
    kinds = np.array([3, 4, 3], np.uint8)
    assert fuse([(4, 4, 4), (4, 4, 5), (4, 4, 3)], [0], types=kinds)[0] == []
    assert fuse([(4, 4, 8), (4, 5, 0), (4, 5, 1)], [0], partners=1)[0] == []


def test_nobody_fuses_twice_and_the_first_founder_comes_first():
    sites = [(4, 4, x) for x in range(6)]
    for order, expected in (([0, 1, 2, 5], ([0, 5], [1, 2, 4, 3])), ([2, 0, 5], ([2], [1, 3]))):
        fused, spent, _ = fuse(sites, order)
        assert (fused, spent) == expected
        assert len(set(fused + spent)) == len(fused + spent)


@pytest.mark.parametrize("signal", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("dt", [10.0, 600.0])
def test_life_is_exponential_and_grows_with_the_signal(signal, dt):
    n, life = 20000, 1000.0
    site = np.arange(n, dtype=np.int32)
    field = np.full((20, 40, 40), signal, np.float32)
    dies = osteoclasts.expire(1, 0, dt, site, np.arange(n), site, field, 1.0, 1.0, 2.0, LEAST, life)
    share = 1 - np.exp(-dt / (life * vigour(signal)))
    assert dies.sum() == pytest.approx(n * share, abs=4 * np.sqrt(n * share * (1 - share)))


@pytest.mark.parametrize(("amount", "steps"), [(2.0, 2), (0.25, 16), (0.0125, 320)])
def test_what_is_resorbed_is_rate_times_time_however_it_is_divided(amount, steps):
    """Eight osteoclasts, two of which share their bone; nothing is lost where a voxel opens within a step."""
    tissue, _ = half_space((16, 40, 40), (1, 0, 0), 10)
    points = [(10, y, x) for y in (5, 20) for x in (5, 6, 20, 30)]
    box = Box(tissue, [np.ravel_multi_index(point, tissue.shape) for point in points])
    start = box.total
    opened = box.resorb(amount, steps=steps)
    assert start - box.total == pytest.approx(8 * amount * steps, rel=1e-5)
    assert len(np.unique(opened)) == len(opened)
    assert np.array_equal(np.flatnonzero((box.tissue != tissue).ravel()), np.sort(opened))
    assert np.all(box.content.ravel()[opened] == 0)
    assert np.all((box.content > 0) == (box.tissue == tissues.BONE))


@pytest.mark.parametrize(("signal", "deepest"), [(0.1, 1), (1.0, 2), (3.0, 3)])
def test_erosion_stops_at_the_depth_that_the_signal_gives(signal, deepest):
    """2 V voxels, to the nearest; a voxel that was opened from its side may count as deeper."""
    tissue, height = half_space((12, 8, 8), (1, 0, 0), 9)
    box = Box(tissue, [np.ravel_multi_index((9, 4, 4), tissue.shape)], signal)
    box.resorb(1.0, deepest=2.0, hops=2.0, steps=4000)
    opened = box.tissue != tissue
    assert height[opened].min() == 9 - deepest
    assert np.array_equal(np.unique(box.depth[opened]), np.arange(1, deepest + 1))
    assert np.all(box.depth[opened] >= 9 - height[opened])
    assert not box.depth[~opened].any()
    assert opened[height == 8].all()


def test_bone_that_was_started_on_comes_first_and_then_the_most_exposed():
    tissue, _ = half_space((8, 9, 9), (1, 0, 0), 4)
    tissue[4, 4, 4] = tissues.BONE  # a spike with five open faces
    here = np.ravel_multi_index((4, 4, 5), tissue.shape)
    spike = np.ravel_multi_index((4, 4, 4), tissue.shape)
    box = Box(tissue, [here])
    box.resorb(0.3)
    assert np.flatnonzero(box.content.ravel() != (tissue == tissues.BONE).ravel()).tolist() == [spike]
    box = Box(tissue, [here])
    box.content[3, 5, 5] = 0.5
    assert box.resorb(0.4).tolist() == []
    assert box.content[3, 5, 5] == pytest.approx(0.1)
    assert box.resorb(0.2).tolist() == [np.ravel_multi_index((3, 5, 5), tissue.shape)]
    assert box.content[4, 4, 4] == pytest.approx(0.9)


def test_equals_are_taken_evenly():
    """The nine voxels of a plane below an osteoclast are equals: each is first as often, within four sigma."""
    tissue, _ = half_space((4, 120, 120), (1, 0, 0), 2)
    points = [(2, y, x) for y in range(1, 120, 3) for x in range(1, 120, 3)]
    box = Box(tissue, [np.ravel_multi_index(point, tissue.shape) for point in points])
    box.resorb(0.5)
    touched = np.argwhere(box.content[1] == 0.5)
    counts = np.bincount(touched[:, 0] % 3 * 3 + touched[:, 1] % 3, minlength=9)
    n = len(points)
    assert counts.sum() == n
    assert np.abs(counts - n / 9).max() < 4 * np.sqrt(n / 9 * 8 / 9)


def test_it_steps_where_there_is_nothing_to_resorb_along_bone_and_only_to_free_voxels():
    tissue, height = half_space((12, 12, 12), (1, 0, 0), 6)
    start = np.ravel_multi_index((6, 6, 6), tissue.shape)
    wall = np.flatnonzero(height == 6)
    box = Box(tissue, [start])
    for _ in range(200):
        before = box.site[0]
        box.resorb(1.0, deepest=0.0, hops=0.5)
        moved = np.abs(np.diff(np.unravel_index([before, box.site[0]], tissue.shape))).max()
        assert moved <= 1 and box.site[0] in wall
    assert np.array_equal(box.tissue, tissue)
    around = [point for point in np.ndindex(3, 3, 3) if point != (1, 1, 1)]
    near = [np.ravel_multi_index(np.add(point, 5), tissue.shape) for point in around if point[0] > 0]
    box = Box(tissue, [start, *near])
    only = np.array([0], np.int32)
    box.resorb(1.0, deepest=0.0, hops=1e3, rows=only)
    assert box.site[0] == start
    box.occupant.reshape(-1)[near[-1]] = -1
    box.resorb(1.0, deepest=0.0, hops=1e3, rows=only)
    assert box.site[0] == near[-1]
    assert box.occupant.reshape(-1)[[start, near[-1]]].tolist() == [-1, 0]


def test_the_share_that_steps_is_exponential():
    tissue, _ = half_space((4, 120, 120), (1, 0, 0), 2)
    points = [(2, y, x) for y in range(1, 120, 3) for x in range(1, 120, 3)]
    box = Box(tissue, [np.ravel_multi_index(point, tissue.shape) for point in points])
    before = box.site.copy()
    box.resorb(1.0, deepest=0.0, hops=0.3)
    share, n = 1 - np.exp(-0.3), len(points)
    assert np.count_nonzero(box.site != before) == pytest.approx(n * share, abs=4 * np.sqrt(n * share * (1 - share)))


def test_it_changes_places_with_those_that_give_way_and_with_no_others():
    """Around it all is taken: by one motile cell, free or bound, among others that stay."""
    tissue, _ = half_space((12, 12, 12), (1, 0, 0), 6)
    around = [point for point in np.ndindex(3, 3, 3) if point[0] > 0 and point != (1, 1, 1)]
    sites = [np.ravel_multi_index(np.add(point, 5), tissue.shape) for point in [(1, 1, 1), *around]]
    for status, moves in ((0, True), (1, False)):
        box = Box(tissue, sites, types=[OSTEOCLAST, MOTILE] + [OSTEOCLAST] * (len(sites) - 2))
        box.status[1] = status
        box.resorb(1.0, deepest=0.0, hops=1e3, rows=np.array([0], np.int32))
        expected = [sites[1], sites[0]] if moves else sites[:2]
        assert box.site[:2].tolist() == expected
        assert box.occupant.reshape(-1)[expected].tolist() == [0, 1]
        assert np.array_equal(box.site[2:], sites[2:])


def test_precursors_squeeze_past_free_motile_cells_at_their_rate():
    """Pairs far apart: the partner is at one of six faces, so that r dt / 6 of them change places, and no others do."""
    shape = (100, 40, 100)
    here = np.array(
        [np.ravel_multi_index(point, shape) for point in np.ndindex(*shape) if not np.any(np.mod(point, 4))]
    )
    here = here[np.all(np.array(np.unravel_index(here, shape)) > 0, axis=0)]
    n = len(here)
    for kind, share in ((MOTILE, (1 - np.exp(-0.9)) / 6), (OSTEOCLAST, 0.0)):
        site = np.concatenate([here, here + 1]).astype(np.int32)
        occupant = np.full(shape, -1, np.int32)
        occupant.reshape(-1)[site] = np.arange(2 * n)
        types = np.repeat([OSTEOCLAST, kind], n).astype(np.uint8)
        rows, status = np.arange(n, dtype=np.int32), np.zeros(2 * n, np.uint8)
        osteoclasts.squeeze(1, 0, 30.0, rows, np.arange(2 * n), types, status, site, occupant, YIELDS, 0.03)
        moved = np.count_nonzero(site[:n] != here)
        assert moved == pytest.approx(n * share, abs=4 * np.sqrt(n * share))
        assert np.array_equal(occupant.reshape(-1)[site], np.arange(2 * n))
        assert np.array_equal(np.sort(site), np.sort(np.concatenate([here, here + 1])))
