"""The distance transform against the brute force and SciPy's."""

import numpy as np
import pytest
from scipy import ndimage

from marrowsim._engine.distance import squared_distance


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 200), (9, 1, 130), (12, 40, 65), (70, 5, 64)])
@pytest.mark.parametrize("share", [0.3, 0.01])
def test_squared_distances_are_exact(shape, share):
    target = np.random.default_rng(len(shape)).random(shape) < share
    target.flat[target.size // 2] = True
    expected = np.rint(ndimage.distance_transform_edt(~target) ** 2).astype(np.int32)
    assert np.array_equal(squared_distance(target.view(np.uint8)), expected)


def test_one_voxel_is_seen_from_the_far_corner():
    target = np.zeros((40, 50, 200), dtype=np.uint8)
    target[39, 0, 199] = 1
    squared = squared_distance(target)
    z, y, x = np.ogrid[:40, :50, :200]
    assert np.array_equal(squared, (z - 39) ** 2 + y**2 + (x - 199) ** 2)


def test_nothing_to_be_near_to():
    assert (squared_distance(np.zeros((2, 3, 4), dtype=np.uint8)) == 2**30).all()
    assert squared_distance(np.zeros((0, 3, 4), dtype=np.uint8)).shape == (0, 3, 4)
