"""Cells and niche slots: as many as the densities say, where the distance laws say, one a voxel."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chisquare

from marrowsim.errors import GeometryError
from marrowsim.geometry import placement
from marrowsim.geometry.vessels import grow_vessels
from marrowsim.tissues import ARTERIOLE, BONE, MARROW, SINUSOID

SPACING = 10.0


@pytest.fixture(scope="module")
def tissue():
    """Plates of bone 100 um thick and 400 um apart, with grown vessels."""
    plates = np.full((75, 75, 75), MARROW, dtype=np.uint8)
    plates[20:25] = BONE
    plates[60:65] = BONE
    plates[20:65, :8, :8] = MARROW
    return grow_vessels(plates, SPACING, seed=1)


@pytest.fixture(scope="module")
def stroma(tissue):
    return placement.place_stroma(tissue, SPACING, seed=1)


@pytest.fixture(scope="module")
def slots(tissue, stroma):
    return placement.place_slots(tissue, SPACING, stroma["car"], seed=1, occupied=everyone(stroma))


def everyone(stroma):
    return np.concatenate(list(stroma.values()))


def straight_vessel():
    """One sinusoid along x in a box without bone."""
    box = np.full((41, 41, 60), MARROW, dtype=np.uint8)
    box[20, 20] = SINUSOID
    return box


def test_walls_lumina_and_endosteum_are_face_neighbours():
    box = np.full((5, 5, 5), MARROW, dtype=np.uint8)
    box[0] = BONE
    box[3, 2, 2] = SINUSOID
    box[3, 2, 3] = ARTERIOLE
    walls = np.column_stack(np.unravel_index(placement.wall_sites(box), box.shape))
    assert sorted(map(tuple, walls)) == sorted(
        [
            (2, 2, 2),
            (4, 2, 2),
            (3, 1, 2),
            (3, 3, 2),
            (3, 2, 1),
            (2, 2, 3),
            (4, 2, 3),
            (3, 1, 3),
            (3, 3, 3),
            (3, 2, 4),
        ]
    )
    assert placement.luminal_sites(box).tolist() == np.flatnonzero(np.isin(box, (SINUSOID, ARTERIOLE))).tolist()
    assert placement.luminal_sites(box, (ARTERIOLE,)).tolist() == np.flatnonzero(box == ARTERIOLE).tolist()
    assert placement.endosteal_sites(box).tolist() == list(range(25, 50))


def test_distances_are_from_voxel_centre_to_surface():
    box = straight_vessel()
    distance = placement.vessel_distance(box, SPACING)
    assert distance[20, 21, 5] == pytest.approx(5.0)
    assert distance[21, 21, 5] == pytest.approx(np.sqrt(200) - 5, abs=1e-4)
    assert distance.dtype == np.float32
    assert np.isinf(placement.bone_distance(box, SPACING)).all()


def test_bone_area_is_that_of_a_sphere():
    z, y, x = np.ogrid[-30:31, -30:31, -30:31]
    ball = np.where(z**2 + y**2 + x**2 <= 25**2, BONE, MARROW).astype(np.uint8)
    assert placement.bone_area(ball, 2.0) == pytest.approx(4 * np.pi * 50**2, rel=0.02)


def test_numbers_follow_the_densities(tissue, stroma, slots):
    volume = np.count_nonzero(tissue == MARROW) * SPACING**3
    assert len(stroma["car"]) == round(25e-6 * volume)
    assert len(stroma["fibroblast"]) == round(2e-6 * volume)
    assert len(stroma["lining"]) == round(placement.bone_area(tissue, SPACING) / 2770)
    assert len(slots) == round(3e-6 * volume)


def test_everyone_stands_alone_in_the_marrow(tissue, stroma, slots):
    bound, free = placement.place_hpc(tissue, SPACING, slots, everyone(stroma), seed=1)
    sites = np.concatenate([everyone(stroma), slots, free])
    assert len(np.unique(sites)) == len(sites)
    assert (tissue.reshape(-1)[sites] == MARROW).all()
    assert np.isin(stroma["lining"], placement.endosteal_sites(tissue)).all()
    for group in (*stroma.values(), slots, bound, free):
        assert group.dtype == np.int64
        assert (np.diff(group) > 0).all()


def test_car_cells_follow_the_exponential_law():
    box = straight_vessel()
    found = np.zeros(6)
    expected = np.zeros(6)
    distance = placement.vessel_distance(box, SPACING).reshape(-1)
    marrow = box.reshape(-1) == MARROW
    edges = np.array([0, 10, 20, 30, 40, 60, 1000])
    weight = np.exp(-np.maximum(distance - 10, 0) / 10)
    for seed in range(40):
        car = placement.place_stroma(box, SPACING, seed=seed, car_density=3e-7, fibroblast_density=0)["car"]
        found += np.histogram(distance[car], edges)[0]
    for number, (low, high) in enumerate(pairwise(edges)):
        expected[number] = weight[marrow & (distance >= low) & (distance < high)].sum()
    assert chisquare(found, expected * found.sum() / expected.sum()).pvalue > 0.01


def test_slots_touch_a_car_cell_near_a_sinusoid(tissue, stroma, slots):
    car = np.zeros(tissue.shape, dtype=bool)
    car.reshape(-1)[stroma["car"]] = True
    assert placement.touching(car).reshape(-1)[slots].all()
    assert placement.vessel_distance(tissue, SPACING, (SINUSOID,)).reshape(-1)[slots].max() <= 20


def test_bound_progenitors_lie_at_sinusoids(tissue, stroma, slots):
    # Acar et al. 2015: 85 % within 10 um, range 80 to 90 %.
    bound, free = placement.place_hpc(tissue, SPACING, slots, everyone(stroma), seed=1)
    distance = placement.vessel_distance(tissue, SPACING, (SINUSOID,)).reshape(-1)
    assert 0.80 <= np.mean(distance[bound] <= 10) <= 0.90
    assert np.isin(bound, slots).all()
    assert len(bound) == round(0.65 * len(slots))
    assert not np.isin(free, slots).any()


def test_same_seed_same_sites_other_seed_others(tissue, stroma):
    again = placement.place_stroma(tissue, SPACING, seed=1)
    other = placement.place_stroma(tissue, SPACING, seed=2)
    for name, sites in stroma.items():
        assert np.array_equal(again[name], sites)
        assert not np.array_equal(other[name], sites)


def test_where_too_few_voxels_are_admissible_all_are_taken():
    box = straight_vessel()
    car = np.array([np.ravel_multi_index((19, 20, 30), box.shape)])
    slots = placement.place_slots(box, SPACING, car, seed=1, density=1e-3)
    places = [(18, 20, 30), (19, 19, 30), (19, 20, 29), (19, 20, 31), (19, 21, 30)]
    assert slots.tolist() == sorted(np.ravel_multi_index(place, box.shape) for place in places)
    everywhere = placement.seed_cells(box == MARROW, SPACING, car, seed=1, draw=0, density=1e-2)
    assert len(everywhere) == np.count_nonzero(box == MARROW) - 1


def test_draws_of_groups_differ():
    box = straight_vessel()
    groups = [placement.seed_cells(box == MARROW, SPACING, [], seed=1, draw=n, density=1e-6) for n in range(2)]
    assert not np.array_equal(*groups)


def test_choice_without_weights_is_fair_and_complete():
    sites = np.arange(1000)
    assert placement.choose(sites, 2000, seed=1, draw=0).tolist() == sites.tolist()
    assert placement.choose(sites, 0, seed=1, draw=0).tolist() == []
    counts = sum(
        np.bincount(placement.choose(sites, 100, seed=seed, draw=0) // 100, minlength=10) for seed in range(50)
    )
    assert chisquare(counts).pvalue > 0.01


def test_impossible_placements_are_refused():
    empty = np.full((20, 20, 20), MARROW, dtype=np.uint8)
    with pytest.raises(GeometryError, match="no place for any car"):
        placement.place_stroma(empty, SPACING, seed=1)
    with pytest.raises(GeometryError, match="no place for any niche slot"):
        placement.place_slots(empty, SPACING, np.array([50]), seed=1)
    with pytest.raises(GeometryError, match="density of car"):
        placement.place_stroma(empty, SPACING, seed=1, car_density=-1)
    with pytest.raises(GeometryError, match="occupancy"):
        placement.place_hpc(empty, SPACING, np.array([5]), np.array([6]), seed=1, occupancy=1.2)
    none = placement.place_stroma(empty, SPACING, seed=1, car_density=0, fibroblast_density=0)
    assert [len(sites) for sites in none.values()] == [0, 0, 0]
