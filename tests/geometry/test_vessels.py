"""The grown vessel network: connected, of the volume and at the distances asked for, or refused."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from marrowsim._engine.rng import Stream, uniform
from marrowsim.errors import GeometryError
from marrowsim.geometry.bridges import bridge
from marrowsim.geometry.distance import distance_to
from marrowsim.geometry.network import Edges, join, neighbours, samples, scatter, stamp, thin
from marrowsim.geometry.vessels import grow_vessels
from marrowsim.tissues import ARTERIOLE, BONE, MARROW, OUTSIDE, SINUSOID

SPACING = 10.0


def plates(edge, gap=25, width=5):
    """Bone plates with windows: every gap is open to the next through one corner only."""
    tissue = np.full((edge,) * 3, MARROW, dtype=np.uint8)
    for number, start in enumerate(range(gap, edge - width, gap + width)):
        tissue[start : start + width] = BONE
        corner = slice(0, 10) if number % 2 else slice(edge - 10, edge)
        tissue[start : start + width, corner, corner] = MARROW
    return tissue


def lumen(tissue):
    return (tissue == SINUSOID) | (tissue == ARTERIOLE)


def fraction(tissue):
    return lumen(tissue).sum() / (lumen(tissue) | (tissue == MARROW)).sum()


def connected_share(mask):
    sizes = np.bincount(ndimage.label(mask)[0][mask])
    return sizes.max() / sizes.sum()


@pytest.fixture(scope="module")
def marrow():
    return plates(80)


@pytest.fixture(scope="module")
def grown(marrow):
    return grow_vessels(marrow, SPACING, seed=1)


def test_network_is_one_piece_of_the_volume_asked_for_in_marrow_alone(marrow, grown):
    assert abs(fraction(grown) - 0.12) < 0.001
    assert connected_share(lumen(grown)) == 1
    assert (marrow[lumen(grown)] == MARROW).all()
    assert np.array_equal(grown[~lumen(grown)], marrow[~lumen(grown)])


def test_arterioles_are_a_thin_share_beside_the_bone(marrow, grown):
    arteriole = grown == ARTERIOLE
    assert abs(arteriole.sum() / lumen(grown).sum() - 0.05) < 0.002
    from_bone = distance_to(marrow == BONE, SPACING)[arteriole]
    assert np.mean(from_bone <= 40) >= 0.95
    assert distance_to(~arteriole, SPACING)[arteriole].max() <= 15


@pytest.mark.parametrize("volume_fraction", [0.08, 0.11])
def test_median_distance_between_tissue_and_vessel_voxels(volume_fraction):
    tissue = np.full((70,) * 3, MARROW, dtype=np.uint8)
    grown = grow_vessels(tissue, SPACING, seed=2, volume_fraction=volume_fraction)
    between_centres = distance_to(lumen(grown), SPACING)[grown == MARROW] + SPACING / 2
    assert 22 <= np.median(between_centres) <= 30


def test_marrow_without_bone_has_sinusoids_alone():
    tissue = np.full((40,) * 3, MARROW, dtype=np.uint8)
    grown = grow_vessels(tissue, SPACING, seed=1)
    assert not (grown == ARTERIOLE).any()
    assert abs(fraction(grown) - 0.12) < 0.005


def test_tubes_have_the_diameter_asked_for():
    tissue = np.full((60,) * 3, MARROW, dtype=np.uint8)
    grown = grow_vessels(tissue, 5.0, seed=1, diameter=30.0, distance=80.0)
    inside = distance_to(~lumen(grown), 5.0)
    assert 12.5 <= np.quantile(inside[lumen(grown)], 0.99) <= 20.0


@pytest.mark.parametrize(("edge", "spacing"), [(16, 10.0), (16, 5.0), (16, 19.5), (24, 19.5), (32, 5.0), (20, 10.0)])
def test_small_boxes_and_coarse_and_fine_voxels(edge, spacing):
    tissue = np.full((edge,) * 3, MARROW, dtype=np.uint8)
    tissue[:3] = BONE
    tissue[-2:] = OUTSIDE
    grown = grow_vessels(tissue, spacing, seed=3)
    assert abs(fraction(grown) - 0.12) <= 0.005
    assert connected_share(lumen(grown)) == 1
    assert (tissue[lumen(grown)] == MARROW).all()


def test_a_line_of_voxels_beside_bone_is_not_cut():
    """At this voxel edge an arteriole is a line, and each of its voxels has to stay clear of the bone."""
    z, y, x = np.ogrid[:60, :60, :60]
    waves = np.sin(z / 5.0) * np.cos(y / 5.0) + np.sin(y / 5.0) * np.cos(x / 5.0) + np.sin(x / 5.0) * np.cos(z / 5.0)
    tissue = np.where(waves > 0.6, BONE, MARROW).astype(np.uint8)
    grown = grow_vessels(tissue, 19.5, seed=1)
    assert (grown == ARTERIOLE).any()
    assert connected_share(lumen(grown)) == 1


def test_each_wide_pocket_has_vessels_of_its_own():
    tissue = np.full((40, 40, 80), MARROW, dtype=np.uint8)
    tissue[:, :, 38:42] = BONE
    grown = grow_vessels(tissue, SPACING, seed=1)
    assert fraction(grown[:, :, :38]) > 0.08
    assert fraction(grown[:, :, 42:]) > 0.08


def test_a_slit_too_narrow_for_a_tube_is_left_without():
    tissue = np.full((40, 40, 40), MARROW, dtype=np.uint8)
    tissue[:, :, 20:34] = BONE
    tissue[:, :, 25:27] = MARROW
    grown = grow_vessels(tissue, SPACING, seed=1)
    assert not lumen(grown)[:, :, 25:27].any()
    assert abs(fraction(grown) - 0.12) <= 0.005


def test_same_seed_same_network_other_seed_another(marrow, grown):
    assert np.array_equal(grow_vessels(marrow, SPACING, seed=1), grown)
    other = lumen(grow_vessels(marrow, SPACING, seed=2))
    assert (other & lumen(grown)).sum() < 0.5 * other.sum()


def test_no_volume_no_vessels(marrow):
    assert np.array_equal(grow_vessels(marrow, SPACING, seed=1, volume_fraction=0), marrow)


@pytest.mark.parametrize("volume_fraction", [0.05, 0.25])
def test_junctions_move_where_the_distance_does_not_go_with_the_fraction(volume_fraction):
    tissue = np.full((40,) * 3, MARROW, dtype=np.uint8)
    grown = grow_vessels(tissue, SPACING, seed=1, volume_fraction=volume_fraction)
    assert abs(fraction(grown) - volume_fraction) <= 0.005
    assert connected_share(lumen(grown)) == 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"volume_fraction": 0.5}, "volume_fraction"),
        ({"volume_fraction": -0.1}, "volume_fraction"),
        ({"volume_fraction": np.nan}, "volume_fraction"),
        ({"diameter": 4.0}, "diameter"),
        ({"diameter": 70.0}, "diameter"),
        ({"distance": 15.0}, "distance"),
        ({"arteriole_fraction": 0.9}, "arteriole_fraction"),
        ({"arteriole_diameter": 30.0}, "arteriole_diameter"),
        ({"endosteal_distance": -5.0}, "endosteal_distance"),
        ({"volume_fraction": 0.4, "diameter": 10.0, "arteriole_diameter": 10.0, "distance": 150.0}, "fit"),
        ({"volume_fraction": 0.005}, "fit"),
    ],
)
def test_impossible_vessels_are_refused_with_a_remedy(change, word):
    tissue = np.full((40,) * 3, MARROW, dtype=np.uint8)
    with pytest.raises(GeometryError, match=word) as caught:
        grow_vessels(tissue, SPACING, seed=1, **change)
    fault = caught.value.faults[0]
    assert fault.allowed and fault.given and fault.remedy


def test_bad_specimens_are_refused(marrow, grown):
    with pytest.raises(GeometryError, match="vessels already"):
        grow_vessels(grown, SPACING, seed=1)
    with pytest.raises(GeometryError, match="no marrow"):
        grow_vessels(np.full((20,) * 3, BONE, dtype=np.uint8), SPACING, seed=1)
    with pytest.raises(GeometryError, match="tissue codes"):
        grow_vessels(marrow.astype(float), SPACING, seed=1)
    with pytest.raises(GeometryError, match="voxel edge"):
        grow_vessels(marrow, 0.0, seed=1)
    narrow = np.full((30,) * 3, BONE, dtype=np.uint8)
    narrow[10] = MARROW
    with pytest.raises(GeometryError, match="do not fit"):
        grow_vessels(narrow, SPACING, seed=1)


def test_distance_is_euclidean_from_the_surface():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[4, 4, 4] = True
    distance = distance_to(mask, 2.0)
    assert distance[4, 4, 4] == 0
    assert distance[4, 4, 5] == pytest.approx(1.0)
    assert distance[1, 0, 4] == pytest.approx(2 * (5 - 0.5))
    assert np.isinf(distance_to(np.zeros((3, 3, 3), dtype=bool), 1.0)).all()


def test_scattered_nodes_keep_their_reach_and_leave_no_gap():
    clear = np.ones((40, 40, 40), dtype=bool)
    clear[:10] = False
    nodes = scatter(clear, 6.0, seed=1, draw=0)
    assert (nodes[:, 0] >= 10).all()
    assert pdist(nodes).min() > 6.0
    open_ = np.argwhere(clear) + 0.5
    nearest, _ = cKDTree(nodes).query(open_)
    assert np.mean(nearest <= 6.0) > 0.97


def test_thinning_is_the_sequential_greedy_choice():
    points = np.column_stack([np.arange(6.0), np.zeros(6), np.zeros(6)])
    kept = thin(points, np.array([0.3, 0.1, 0.2, 0.4, 0.6, 0.5]), 1.5)
    assert kept.tolist() == [False, True, False, True, False, True]


def under(edges, shape):
    """The voxels of tubes without a radius."""
    key = np.full(shape, np.iinfo(np.int32).max, dtype=np.int32)
    stamp(key, np.ones(shape, dtype=bool), edges, 0.0, 0)
    return key < np.iinfo(np.int32).max


def test_voxels_under_a_curve_are_connected_by_faces():
    ends = np.array([[[1.2, 1.3, 1.4]], [[14.9, 10.2, 7.7]], [[3.0, 14.0, 2.0]]])
    edges = Edges(np.zeros(1, int), np.ones(1, int), ends[0], ends[2], ends[1], np.zeros(1, bool), samples(20))
    assert ndimage.label(under(edges, (16, 16, 16)))[1] == 1


def test_a_bridge_goes_round_the_corner():
    clear = np.ones((30, 30, 30), dtype=bool)
    clear[:25, :, 14:16] = False
    nodes = np.array([[2.5, 5.5, 5.5], [8.5, 5.5, 5.5], [2.5, 5.5, 24.5], [8.5, 5.5, 24.5]])
    edges = join(nodes, neighbours(nodes, 8.0), clear, samples(30))
    assert len(edges) == 2
    nodes, edges = bridge(nodes, edges, clear)
    mask = under(edges, clear.shape)
    assert ndimage.label(mask)[1] == 1
    assert not (mask & ~clear).any()


@pytest.mark.parametrize("seed", range(4))
def test_bridges_join_all_parts_among_obstacles(seed):
    """Three voxels in ten are solid, drawn by chance; no two nodes see each other."""
    edge = 30
    clear = uniform(seed, Stream.STREAM_USER, 0, np.arange(edge**3)).reshape((edge,) * 3) > 0.3
    pieces = ndimage.label(clear)[0]
    clear &= pieces == np.bincount(pieces[clear]).argmax()
    nodes = scatter(clear, 9.0, seed=seed, draw=0)
    nodes, edges = bridge(nodes, join(nodes, neighbours(nodes, 12.0), clear, samples(edge)), clear)
    assert connected_components(edges.graph(len(nodes)), directed=False)[0] == 1
