"""Vessel walls follow a change of tissue at its cost, as if they were counted anew."""

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim._engine import census
from marrowsim._engine.rng import Stream, words


def draws(number, below, count):
    return words(7, Stream.STREAM_USER, number, np.arange(count))[:, 0].astype(np.int64) % below


def walls_of(tissue):
    walls = census.wall_faces(tissue, tissues.IS_LUMEN, tissues.IS_ENTERABLE)
    return walls, np.flatnonzero(tissues.IS_LUMEN[tissue].astype(bool) & (walls > 0))


@pytest.mark.parametrize("changed", [1, 5, 60, 1000])
def test_walls_after_changes_are_those_of_the_whole_lattice(make_state, changed):
    shape = (12, 13, 14)
    size = int(np.prod(shape))
    state = make_state(shape, tissue=draws(0, 8, size).astype(np.uint8).reshape(shape))
    assert len(state.luminal_sites)
    for number in range(1, 6):
        voxels = draws(number, size, changed)
        state.tissue.reshape(-1)[voxels] = draws(10 + number, 8, changed)
        state.tissue_changed(voxels)
        walls, sites = walls_of(state.tissue)
        np.testing.assert_array_equal(state.walls, walls)
        np.testing.assert_array_equal(state.luminal_sites, sites)


def test_a_vessel_that_vanishes_leaves_no_wall_and_one_that_appears_has_one(make_state):
    tissue = np.full((6, 6, 6), tissues.MARROW, np.uint8)
    state = make_state(tissue.shape, tissue=tissue)
    assert len(state.luminal_sites) == 0
    state.tissue[2, 2, 2] = tissues.SINUSOID
    voxel = np.ravel_multi_index((2, 2, 2), tissue.shape)
    state.tissue_changed([voxel])
    assert state.luminal_sites.tolist() == [voxel]
    assert state.walls[2, 2, 2] == 6
    assert state.walls.sum() == 12
    state.tissue[2, 2, 2] = tissues.SPROUT
    state.tissue_changed([voxel])
    assert len(state.luminal_sites) == 0
    assert not state.walls.any()


def test_a_change_of_unknown_extent_makes_all_walls_anew(make_state):
    tissue = np.full((6, 6, 6), tissues.MARROW, np.uint8)
    state = make_state(tissue.shape, tissue=tissue)
    assert len(state.luminal_sites) == 0
    state.tissue[1:3, 1:3, 1:3] = tissues.CAPILLARY
    state.tissue_changed()
    assert len(state.luminal_sites) == 8
