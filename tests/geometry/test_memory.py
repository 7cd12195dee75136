"""Building the lattice takes few bytes a voxel beyond the lattice itself."""

import tracemalloc

import numpy as np
import pytest

from marrowsim.geometry import placement
from marrowsim.geometry.distance import distance_to
from marrowsim.geometry.vessels import grow_vessels
from marrowsim.tissues import BONE, MARROW, SINUSOID

SPACING = 10.0
EDGE = 160
SLACK = 24e6
"""What does not grow with the lattice: blocks of sites, the tables of junctions of this box."""


def peak_per_voxel(function, voxels=EDGE**3):
    tracemalloc.start()
    try:
        function()
        return (tracemalloc.get_traced_memory()[1] - SLACK) / voxels
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def tissue():
    box = np.full((EDGE, EDGE, EDGE), MARROW, dtype=np.uint8)
    box[::40] = BONE
    return box


def test_distances(tissue):
    assert peak_per_voxel(lambda: distance_to(tissue == BONE, SPACING)) < 6


def test_vessels(tissue):
    assert peak_per_voxel(lambda: grow_vessels(tissue, SPACING, seed=1)) < 22


def test_cells_and_slots(tissue):
    box = tissue.copy()
    box[5::10, 5::10] = SINUSOID

    def place():
        placed = placement.place_stroma(box, SPACING, seed=1)
        taken = np.concatenate(list(placed.values()))
        slots = placement.place_slots(box, SPACING, placed["car"], seed=1, occupied=taken)
        placement.place_hpc(box, SPACING, slots, taken, seed=1)

    assert peak_per_voxel(place) < 10
