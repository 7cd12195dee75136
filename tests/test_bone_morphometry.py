"""Morphometry against closed forms, a brute-force sphere fit and a measured specimen."""

import os
from pathlib import Path

import numpy as np
import pytest

from marrowsim.bone_morphometry import (
    SPHERE_EXCESS,
    UNITS,
    euler_characteristic,
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
    """Largest covering sphere of each voxel, from the distances between all pairs of voxels."""
    voxels, others = np.argwhere(phase), np.argwhere(~phase)
    squared = ((voxels[:, None] - others[None]) ** 2).sum(axis=2).min(axis=1)
    pairs = ((voxels[:, None] - voxels[None]) ** 2).sum(axis=2)
    best = np.where(pairs < squared[None], squared[None], 0).max(axis=1)
    out = np.zeros(phase.shape)
    out[phase] = 2 * np.sqrt(best) - SPHERE_EXCESS
    return out


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_local_thickness_is_the_largest_covering_sphere(seed):
    phase = blob(seed)
    found, expected = local_thickness(phase), fitted_by_force(phase)
    np.testing.assert_allclose(found[~phase], 0.0)
    # The opening by a ball misses a voxel here and there where the ball is a polyhedron of voxels.
    assert np.abs(found - expected)[phase].mean() < 0.03 * expected[phase].mean()
    assert found[phase].mean() == pytest.approx(expected[phase].mean(), rel=0.02)


@pytest.mark.parametrize("width", [4, 5, 10, 15])
def test_plate(width):
    bone = np.zeros((60, 40, 40), dtype=bool)
    bone[20 : 20 + width] = True
    measured = morphometry(bone, 10.0)
    assert measured["BV/TV"] == pytest.approx(width / 60)
    assert measured["Tb.Th"] == pytest.approx(10 * width, abs=5.0 + 1e-3)
    assert measured["BS/TV"] == pytest.approx(2 / 0.6, rel=0.001)
    assert measured["BS/BV"] == pytest.approx(2000 / (10 * width), rel=0.001)
    assert measured["Conn.D"] == pytest.approx(0.0)


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
    assert measured["Conn.D"] == pytest.approx(3.3, rel=0.10)
