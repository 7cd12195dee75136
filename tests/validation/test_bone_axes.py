"""Remodelling does not see the axes of the lattice: turned and tilted specimens lose and gain the same bone."""

import numpy as np
import pytest

from marrowsim import Simulation, tissues
from marrowsim._engine import census
from marrowsim.config import load_config
from marrowsim.geometry.build import Geometry
from marrowsim.geometry.trabecular import PRESETS, generate_trabecular
from marrowsim.processes import PROCESSES

pytestmark = pytest.mark.slow

EDGE, DAYS = 32, 8
SCENARIO = {
    "time": {"step": "60 min"},
    "geometry": {"kind": "dish", "size": [f"{10 * EDGE} um"] * 3},
    "vessels": {"source": "none"},
    "fields": {
        "oxygen": {"held_at": "50 mmHg"}, "cxcl12": {"held_at": "1 nM"}, "vegf": {"held_at": "0 nM"},
        "rankl": {"held_at": 1.0}, "tgf_beta": {"held_at": 0.0},
    },
    "processes": {
        "remodelling": {"enabled": True, "osteoclast_density": "60 /mm^2"}, "angiogenesis": {"enabled": False},
        "niche": {"enabled": False},
    },
}  # fmt: skip


def tilted_plate(normal, half=3.5):
    """Voxels within a distance of the plane through the middle of the box."""
    normal = np.array(normal) / np.linalg.norm(normal)
    height = np.tensordot(normal, np.indices((EDGE,) * 3) - (EDGE - 1) / 2, axes=1)
    return np.where(np.abs(height) < half, tissues.BONE, tissues.MARROW).astype(np.uint8)


def surface(tissue):
    """Area of the surface in mm2: sqrt(f) faces of an edge of 10 um for each marrow voxel with f faces on bone."""
    codes = [tissues.lookup({code: 1}, np.uint8) for code in (tissues.BONE, tissues.MARROW)]
    faces = census.wall_faces(tissue, *codes)
    return float(np.sqrt(faces[tissue == tissues.MARROW]).sum()) * 1e-4


def rates(tissue, seed):
    """Voxels resorbed and formed a day."""
    config = load_config({**SCENARIO, "seed": seed}, PROCESSES)
    nobody = np.zeros(0, np.int64)
    run = Simulation(config, geometry=Geometry(np.ascontiguousarray(tissue), 10.0, {}, nobody, nobody), threads=1)
    run.run(days=DAYS)
    return [run.state.tallies[what] / DAYS for what in ("resorbed:osteoclast", "formed:osteoblast")]


def mean_and_error(values):
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def test_a_specimen_turned_by_a_right_angle_loses_and_gains_the_same_bone(seeds):
    bone = generate_trabecular(PRESETS["mouse"], (EDGE,) * 3, 10.0, 3)
    turned = [bone, *(np.rot90(bone, axes=axes) for axes in ((1, 2), (0, 2), (0, 1)))]
    found = [mean_and_error(np.array([rates(tissue, seed) for seed in seeds(6)])) for tissue in turned]
    for mean, error in found[1:]:
        assert np.all(np.abs(mean - found[0][0]) < 4 * np.hypot(error, found[0][1]))


def test_a_plate_loses_and_gains_as_much_a_day_and_area_however_it_is_tilted(seeds):
    """Within 15 % of the plate along the axes, besides four standard errors: erosion depth counts faces."""
    found = []
    for normal in ((0, 0, 1), (0, 1, 1), (1, 1, 1), (0, 1, 2)):
        tissue = tilted_plate(normal)
        found.append(mean_and_error(np.array([rates(tissue, seed) for seed in seeds(5)]) / surface(tissue)))
    for mean, error in found[1:]:
        assert np.all(np.abs(mean - found[0][0]) < 0.15 * found[0][0] + 4 * np.hypot(error, found[0][1]))
