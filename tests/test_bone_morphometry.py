"""Morphometry against closed forms, a brute-force sphere fit and a measured specimen."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from marrowsim.bone_morphometry import (
    SPHERE_EXCESS,
    UNITS,
    euler_characteristic,
    fabric,
    local_thickness,
    morphometry,
    surface_area,
    thickness_moments,
)
from marrowsim.errors import ImageError

DATA = Path(os.environ.get("MARROWSIM_DATA", Path(__file__).parents[2] / "shared" / "data"))
SPECIMEN = DATA / "human_trabecular_3155.npz"


def grid(edge):
    """Coordinates (z, y, x) of voxel centres from the centre of a cube."""
    return np.indices((edge,) * 3) - (edge - 1) / 2


def blob(seed, edge=13, terms=6):
    """A smooth random phase: the sign of a sum of waves."""
    state = np.float64(seed)
    total = np.zeros((edge,) * 3)
    for term in range(terms):
        wave = np.sin(np.array([1.3, 2.7, 4.1]) * (term + 1) + state) * 0.7
        total += np.cos(np.tensordot(wave, grid(edge), axes=1) + state * term)
    return total > 0.3


def fitted_by_force(phase):
    """Largest covering sphere of each voxel, from the distances between all points and voxels, in half voxels."""
    voxels, others = 2 * np.argwhere(phase), 2 * np.argwhere(~phase)
    best = np.zeros(len(voxels), dtype=np.int64)
    for centres in np.array_split(np.indices(2 * np.array(phase.shape) - 1).reshape(3, -1).T, 200):
        reach = squared_distances(centres, others).min(axis=1)
        inside = squared_distances(voxels, centres) < reach
        best = np.maximum(best, np.where(inside, reach, 0).max(axis=1))
    out = np.zeros(phase.shape)
    out[phase] = np.sqrt(best) - SPHERE_EXCESS
    return out


def drawn_by_force(phase):
    """The same for larger volumes: every sphere drawn, the smallest first."""
    points = np.ones(2 * np.array(phase.shape) - 1, dtype=bool)
    points[::2, ::2, ::2] = phase
    reach = np.rint(ndimage.distance_transform_edt(points) ** 2).astype(int)
    best = np.zeros(phase.shape, dtype=int)
    order = np.argsort(reach, axis=None, kind="stable")
    for flat in order[np.searchsorted(reach.ravel()[order], 1) :]:
        centre = np.unravel_index(flat, reach.shape)
        width = int(np.sqrt(reach[centre])) + 1
        window = tuple(slice(max(0, (c - width) // 2), (c + width) // 2 + 1) for c in centre)
        steps = [
            2 * np.arange(part.start, min(part.stop, n)) - c
            for part, n, c in zip(window, phase.shape, centre, strict=True)
        ]
        far = steps[0][:, None, None] ** 2 + steps[1][:, None] ** 2 + steps[2] ** 2
        best[window][far < reach[centre]] = reach[centre]
    out = np.zeros(phase.shape)
    out[phase] = np.sqrt(best[phase]) - SPHERE_EXCESS
    return out


def squared_distances(first, second):
    first, second = first.astype(np.float32), second.astype(np.float32)
    return (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_local_thickness_is_the_largest_covering_sphere(seed):
    phase = blob(seed)
    expected = fitted_by_force(phase)
    np.testing.assert_allclose(local_thickness(phase), expected, rtol=1e-6)
    np.testing.assert_allclose(drawn_by_force(phase), expected, rtol=1e-6)


PLACES = [(0, 0, 0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), (0.5, 0, 0.5), (0.37, 0.08, 0.44)]


@pytest.mark.parametrize("width", [4.0, 5.5, 8.0, 12.0, 20.0])
@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 1, 1), (1, 2, 3), (1, 1, 0)])
def test_thickness_wherever_a_phantom_lies_on_the_grid(width, direction):
    """Within the larger of one voxel and 2 %; balls 1.15 voxels, where the centre is on no half voxel."""
    edge = int(2 * width) + 14 if width < 16 else 44
    axis = np.array(direction) / np.linalg.norm(direction)
    middle = np.abs(grid(edge)).max(axis=0) < 6
    for place in PLACES:
        position = grid(edge) + np.array(place)[:, None, None, None]
        along = np.tensordot(axis, position, axes=1)
        squared = (position**2).sum(axis=0)
        # As wide as its voxels where they lie in rows along it.
        plate = np.abs(along) < width / 2
        wide = plate[edge // 2, edge // 2].sum() if direction == (0, 0, 1) else width
        assert local_thickness(plate)[plate & middle].mean() == pytest.approx(wide, rel=0.02, abs=1.0)
        rod = squared - along**2 < (width / 2) ** 2
        assert local_thickness(rod)[rod & middle].mean() == pytest.approx(width, rel=0.02, abs=1.0)
        ball = squared < (width / 2) ** 2
        assert thickness_moments(ball)[0] == pytest.approx(width, rel=0.02, abs=1.15)


def test_threads_do_not_change_the_thickness():
    phase = blob(2, edge=60)
    assert np.array_equal(local_thickness(phase, threads=1), local_thickness(phase, threads=3))
    assert np.array_equal(local_thickness(phase, 0.1, threads=1), local_thickness(phase, 0.1, threads=3))


@pytest.mark.parametrize("width", [4, 5, 10, 15])
def test_plate(width):
    bone = np.zeros((60, 40, 40), dtype=bool)
    bone[20 : 20 + width] = True
    measured = morphometry(bone, 10.0)
    assert measured["BV/TV"] == pytest.approx(width / 60)
    assert measured["Tb.Th"] == pytest.approx(10 * width, abs=10.0)
    assert measured["BS/TV"] == pytest.approx(2 / 0.6, rel=0.001)
    assert measured["BS/BV"] == pytest.approx(2000 / (10 * width), rel=0.001)
    # A plate cut from a larger one adds nothing to its Euler characteristic.
    assert measured["Conn.D"] == pytest.approx(1 / (60 * 40 * 40 * 1e-6))


def test_separation_of_parallel_plates_and_their_number():
    bone = np.zeros((120, 60, 60), dtype=bool)
    for start in range(13, 120, 30):
        bone[start : start + 4] = True
    measured = morphometry(bone, 20.0)
    assert measured["Tb.Sp"] == pytest.approx(26 * 20, rel=0.03)
    assert measured["Tb.Th"] == pytest.approx(4 * 20, abs=20)
    assert measured["Tb.N"] == pytest.approx(1000 / (30 * 20), rel=0.05)


@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 2, 3), (1, 1, 0)])
@pytest.mark.parametrize("width", [8.0, 12.0])
def test_rod(direction, width):
    axis = np.array(direction) / np.linalg.norm(direction)
    position = grid(49)
    squared = (position**2).sum(axis=0) - np.tensordot(axis, position, axes=1) ** 2
    bone = squared < (width / 2) ** 2
    middle = (slice(12, 36),) * 3
    assert local_thickness(bone)[middle][bone[middle]].mean() == pytest.approx(width, abs=1.0)
    ball = (position**2).sum(axis=0) < 20**2
    chord = 2 * np.sqrt(20**2 - (width / 2) ** 2)
    assert surface_area(bone, ball) == pytest.approx(np.pi * width * chord, rel=0.06)


@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 2, 3), (1, 1, 0)])
def test_fabric_of_plates_and_rods(direction):
    axis = np.array(direction) / np.linalg.norm(direction)
    position = grid(60) + np.array([0.13, 0.31, 0.27])[:, None, None, None]
    along = np.tensordot(axis, position, axes=1)
    ball = (position**2).sum(axis=0) < 27**2
    plates = fabric((along + 100) % 16 < 6, 10.0, ball)
    assert plates.lengths[2] == pytest.approx(80, rel=0.05)
    assert abs(plates.axes[2] @ axis[::-1]) > 0.999
    assert plates.anisotropy > 0.97
    rod = fabric((position**2).sum(axis=0) - along**2 < 36, 10.0, ball)
    # Lines across a rod of radius r cross 2 x 2 r h / V times a length; h is its length in the ball.
    across = 10 * np.count_nonzero(ball) / (4 * 6 * 2 * np.sqrt(27**2 - 36))
    np.testing.assert_allclose(rod.lengths[1:], across, rtol=0.06)
    assert abs(rod.axes[0] @ axis[::-1]) > 0.99
    assert rod.anisotropy > 0.9


def test_fabric_of_a_sphere_is_isotropic():
    sphere = fabric((grid(60) ** 2).sum(axis=0) < 15**2, 10.0)
    np.testing.assert_allclose(sphere.lengths, 10 * 60**3 / (2 * np.pi * 15**2), rtol=0.04)
    assert sphere.anisotropy < 0.02


def test_fabric_of_a_tilted_ellipsoid():
    turn = np.linalg.qr(np.array([[1.0, 2, 3], [0, 1, 1], [1, 0, 1]]))[0]
    half = np.array([24.0, 16, 10])
    along = np.tensordot(turn, grid(64), axes=1)
    found = fabric(((along / half[:, None, None, None]) ** 2).sum(axis=0) < 1, 10.0)
    # The shadow of an ellipsoid along one of its axes is pi times the product of the other two.
    np.testing.assert_allclose(found.lengths, 10 * 64**3 * half / (2 * np.pi * half.prod()), rtol=0.04)
    np.testing.assert_allclose(np.abs((found.axes * turn[:, ::-1]).sum(axis=1)), 1.0, atol=0.002)
    assert found.anisotropy == pytest.approx(1 - 10 / 24, abs=0.03)


def test_fabric_agrees_with_test_lines_through_what_was_drawn():
    """Crossings counted along lines, in bodies as they are, not their voxels: overlapping ellipsoids, tilted."""
    edge, random = 60, np.random.default_rng(2)
    turn = np.linalg.qr(np.array([[1.0, 2, 3], [0, 1, 1], [1, 0, 1]]))[0]
    half, places = np.array([20.0, 8, 8]), random.uniform(-45, 45, (60, 3))
    bone = np.zeros((edge,) * 3, dtype=bool)
    for place in places:
        along = np.tensordot(turn, grid(edge) - place[:, None, None, None], axes=1)
        bone |= ((along / half[:, None, None, None]) ** 2).sum(axis=0) < 1
    ball = (grid(edge) ** 2).sum(axis=0) < 29**2
    found = fabric(bone, 1.0, ball)
    for axis, length in zip(turn, found.lengths, strict=True):
        across = np.linalg.svd(axis[None])[2][1:]
        spot = random.uniform(-29, 29, (3000, 2))
        spot = spot[(spot**2).sum(axis=1) < 29**2]
        ends = np.sqrt(29**2 - (spot**2).sum(axis=1))
        steps = np.arange(-29, 29, 0.25)
        within = np.zeros((len(spot), len(steps)), dtype=bool)
        for place in places:
            start = ((spot @ across - place) @ turn.T) / half
            way = turn @ axis / half
            squared = (start**2).sum(axis=1)[:, None] + 2 * (start @ way)[:, None] * steps + (way @ way) * steps**2
            within |= squared < 1
        crossed = (
            (within[:, 1:] != within[:, :-1])
            & (np.abs(steps[1:]) < ends[:, None])
            & (np.abs(steps[:-1]) < ends[:, None])
        )
        assert length == pytest.approx(2 * ends.sum() / crossed.sum(), rel=0.10)


@pytest.mark.parametrize("width", [16, 24, 33])
def test_sphere(width):
    bone = (grid(45) ** 2).sum(axis=0) < (width / 2) ** 2
    mean, _ = thickness_moments(bone)
    assert mean == pytest.approx(width, abs=1.0)
    assert surface_area(bone) == pytest.approx(np.pi * width**2, rel=0.05)


def test_thickness_beyond_the_fine_grid():
    bone = np.zeros((150, 64, 64), dtype=bool)
    bone[10:120] = True
    mean, deviation = thickness_moments(bone)
    assert mean == pytest.approx(110, rel=0.03)
    assert deviation < 0.05 * mean


def test_euler_characteristic_of_simple_bodies():
    ring = np.zeros((9, 9, 9), dtype=bool)
    ring[4, 2:7, 2:7] = True
    ring[4, 4, 4] = False
    shell = np.zeros((9, 9, 9), dtype=bool)
    shell[2:7, 2:7, 2:7] = True
    shell[4, 4, 4] = False
    two = np.zeros((9, 9, 9), dtype=bool)
    two[1:3, 1:3, 1:3] = two[5:7, 5:7, 5:7] = True
    assert [euler_characteristic(body) for body in (ring, shell, two)] == [0, 2, 2]
    # A body that touches no border of the block belongs to it entirely.
    assert [euler_characteristic(body, edge_correction=True) for body in (ring, shell, two)] == [0, 2, 2]


def test_edge_correction_gives_what_a_block_adds_to_a_lattice_of_rods():
    cell = np.zeros((20, 20, 20), dtype=bool)
    cell[8:12, 8:12, :] = cell[8:12, :, 8:12] = cell[:, 8:12, 8:12] = True
    # One node and three half-rods shared with neighbours: two handles a cell.
    assert euler_characteristic(cell, edge_correction=True) == pytest.approx(1 - 3)
    assert euler_characteristic(np.tile(cell, (2, 2, 2)), edge_correction=True) == pytest.approx(8 * (1 - 3))


def test_region_limits_tissue_volume_and_surface():
    bone = np.zeros((40, 40, 40), dtype=bool)
    bone[:, :, :10] = True
    region = np.zeros_like(bone)
    region[:, :, 4:24] = True
    measured = morphometry(bone, 10.0, region)
    assert measured["BV/TV"] == pytest.approx(6 / 20)
    assert measured["BS/TV"] == pytest.approx(1 / 0.2, rel=0.001)
    assert measured["Tb.Sp"] == pytest.approx(140, abs=10)


def test_absent_bone_has_no_thickness():
    measured = morphometry(np.zeros((12, 12, 12), dtype=bool), 10.0)
    assert list(measured) == list(UNITS)
    assert measured["BV/TV"] == 0
    assert measured["BS/TV"] == 0
    assert all(np.isnan(measured[name]) for name in ("BS/BV", "Tb.Th", "Tb.Th.SD", "Conn.D"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros((4, 4)), 10.0), "needs a volume"),
        ((np.zeros((4, 4, 4)), 0.0), "voxel edge"),
        ((np.zeros((4, 4, 4)), np.nan), "voxel edge"),
        ((np.zeros((4, 4, 4)), 10.0, np.ones((4, 4, 3))), "region does not fit"),
        ((np.zeros((4, 4, 4)), 10.0, np.zeros((4, 4, 4))), "region does not fit"),
    ],
)
def test_bad_input_is_refused(arguments, words):
    with pytest.raises(ImageError, match=words):
        morphometry(*arguments)


@pytest.mark.slow
@pytest.mark.skipif(not SPECIMEN.exists(), reason=f"no {SPECIMEN.name} (set MARROWSIM_DATA)")
def test_human_specimen():
    archive = np.load(SPECIMEN)
    bone = np.unpackbits(archive["bone"], count=200**3).reshape(archive["shape"]).astype(bool)
    measured = morphometry(bone, float(archive["spacing_um"][0]))
    assert measured["BV/TV"] == pytest.approx(0.194, abs=0.01)
    assert measured["Tb.Th"] == pytest.approx(224, rel=0.10)
    assert measured["Tb.Sp"] == pytest.approx(780, rel=0.10)
    assert measured["Conn.D"] == pytest.approx(3.95, rel=0.02)
    assert measured["DA"] == pytest.approx(0.287, abs=0.02)


@pytest.mark.slow
@pytest.mark.skipif(not SPECIMEN.exists(), reason=f"no {SPECIMEN.name} (set MARROWSIM_DATA)")
@pytest.mark.parametrize("corner", [(20, 30, 40), (110, 90, 60)])
def test_sub_volumes_of_the_specimen_agree_with_spheres_fitted_by_force(corner):
    archive = np.load(SPECIMEN)
    bone = np.unpackbits(archive["bone"], count=200**3).reshape(archive["shape"]).astype(bool)
    part = bone[tuple(slice(start, start + 44) for start in corner)]
    for phase in (part, ~part):
        expected = drawn_by_force(phase)[phase]
        mean, deviation = thickness_moments(phase)
        assert mean == pytest.approx(expected.mean(), rel=0.05)
        assert deviation == pytest.approx(expected.std(), rel=0.05)
