"""Generated trabecular bone: targets met, one piece each, the same for the same seed."""

import numpy as np
import pytest
from scipy import ndimage

from marrowsim.bone_morphometry import thickness_moments
from marrowsim.errors import GeometryError
from marrowsim.geometry.foam import LARGEST_PLATE_SHARE, foam_field, grow_foam
from marrowsim.geometry.trabecular import PRESETS, TrabecularTarget, generate_trabecular
from marrowsim.tissues import BONE, MARROW


def share_of_largest(phase):
    pieces, _ = ndimage.label(phase)
    return np.bincount(pieces.ravel())[1:].max() / np.count_nonzero(phase)


def assert_meets(preset, shape, spacing, seed):
    target = PRESETS[preset]
    bone = generate_trabecular(preset, shape, spacing, seed) == BONE
    assert bone.mean() == pytest.approx(target.bone_volume_fraction, abs=0.01)
    # As the search for it measures: spheres centred on voxel centres, which are half a voxel thinner than all spheres.
    assert thickness_moments(bone, 1e-9)[0] * spacing == pytest.approx(target.trabecular_thickness, rel=0.10)
    assert thickness_moments(~bone, 1e-9)[0] * spacing == pytest.approx(target.trabecular_separation, rel=0.10)
    assert share_of_largest(bone) >= 0.99
    assert share_of_largest(~bone) >= 0.99


@pytest.mark.parametrize("seed", [1, 20])
def test_mouse_bone_meets_its_preset(seed):
    assert_meets("mouse", (100, 100, 100), 10.0, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_mouse_bone_meets_its_preset_whatever_the_seed(seed):
    assert_meets("mouse", (100, 100, 100), 10.0, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_human_bone_meets_its_preset(seed):
    assert_meets("human", (165, 165, 165), 20.0, seed)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("shape", [(30, 30, 30), (30, 52, 41)])
def test_small_boxes_hold_connected_bone_of_the_volume_asked_for(preset, shape):
    tissue = generate_trabecular(preset, shape, 10.0, 3)
    assert tissue.shape == shape
    assert tissue.dtype == np.uint8
    assert set(np.unique(tissue)) == {BONE, MARROW}
    assert share_of_largest(tissue == BONE) >= 0.99
    assert share_of_largest(tissue == MARROW) >= 0.99
    assert (tissue == BONE).mean() == pytest.approx(PRESETS[preset].bone_volume_fraction, abs=0.02)


def test_the_seed_decides():
    first, again, other = (generate_trabecular("mouse", (40, 40, 40), 10.0, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.05


def test_a_larger_box_holds_the_same_network():
    small = foam_field(grow_foam((300.0, 300.0, 300.0), 190.0, 0.1, 4), (30, 30, 30), 10.0, 90.0)
    large = foam_field(grow_foam((500.0, 500.0, 500.0), 190.0, 0.1, 4), (50, 50, 50), 10.0, 90.0)
    np.testing.assert_allclose(small, large[10:40, 10:40, 10:40], rtol=1e-3)


def test_plates_and_struts_of_a_foam():
    struts = grow_foam((600.0,) * 3, 200.0, 0.0, 1)
    plates = grow_foam((600.0,) * 3, 200.0, LARGEST_PLATE_SHARE, 1)
    assert not struts.plates
    assert len(plates.plates) > 100
    assert len(plates.struts) > len(struts.struts)
    for polygon in plates.plates[:20]:
        centred = polygon - polygon.mean(axis=0)
        assert np.linalg.svd(centred, compute_uv=False)[2] < 1e-6 * 200


@pytest.mark.parametrize(
    ("target", "shape", "spacing", "words"),
    [
        ("mous", (40, 40, 40), 10.0, "did you mean 'mouse'"),
        ("whale", (40, 40, 40), 10.0, "mouse, human"),
        ("mouse", (5, 40, 40), 10.0, "too small"),
        ("mouse", (40, 40), 10.0, "too small"),
        ("mouse", (40, 40, 40), 20.0, "too coarse"),
        ("mouse", (40, 40, 40), -1.0, "voxel edge"),
        (TrabecularTarget(0.9, 50.0, 200.0), (40, 40, 40), 10.0, "BV/TV is out of range"),
        (TrabecularTarget(0.1, 250.0, 200.0), (40, 40, 40), 10.0, "do not fit together"),
        (TrabecularTarget(0.4, 30.0, 80.0), (60, 60, 60), 10.0, "no network"),
    ],
)
def test_impossible_bone_is_refused(target, shape, spacing, words):
    with pytest.raises(GeometryError, match=words):
        generate_trabecular(target, shape, spacing, 1)
