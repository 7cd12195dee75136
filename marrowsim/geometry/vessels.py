"""Sinusoids and arterioles grown as a connected network of tubes in the marrow space."""

import numpy as np
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from marrowsim._engine.rng import Stream, uniform
from marrowsim.errors import Fault, GeometryError
from marrowsim.geometry.bridges import bridge
from marrowsim.geometry.distance import distance_to
from marrowsim.geometry.network import grow_order, join, neighbours, samples, scatter, stamp, thin
from marrowsim.tissues import ARTERIOLE, BONE, MARROW, OUTSIDE, SINUSOID

LARGEST_FRACTION = 0.4
TOLERANCE = 0.005
NOMINAL = np.pi / 4

# Poisson-disk junctions this far apart, with 2.7 edges each, have one vessel per distance squared of section.
JUNCTIONS_PER_DISTANCE = 1.17
WIDENING, FARTHEST = 1.1, 2.0
# A box of few junctions has no tree to speak of: better a cut one than none.
FEW_JUNCTIONS = 8
# Voxels per voxel edge of a face-connected line of random direction.
LINE_SECTION = 1.5
BEND = 0.25
# Steps (um) short enough to follow the endosteum around a trabecula.
ARTERIOLE_STEP = 45.0
ROOTS_PER_DISTANCE, LEAVES_PER_DISTANCE = 4.0, 1.5

DRAW_SINUSOID, DRAW_BEND, DRAW_LOOP = 0, 100, 101
DRAW_ARTERIOLE, DRAW_ARTERIOLE_BEND, DRAW_LEAF = 200, 300, 301
UNSTAMPED = np.iinfo(np.int32).max


def grow_vessels(
    tissue,
    spacing,
    *,
    seed,
    volume_fraction=0.12,
    diameter=25.0,
    distance=60.0,
    arteriole_fraction=0.05,
    arteriole_diameter=15.0,
    endosteal_distance=35.0,
):
    """Grow a vessel network in the marrow.

    Sinusoids: junctions are scattered in the marrow (Poisson disk), joined by a minimum spanning tree of
    curves that stay clear of solids, and then by loops in drawn order, first at the dead ends, until the
    tubes fill the volume fraction. Arterioles: thin trees that follow the endosteum from roots on the
    nearest sinusoids. A specimen without bone has no arterioles, and where the endosteum cannot hold
    their share, sinusoids take the rest.

    Parameters
    ----------
    tissue : ndarray of uint8, shape (nz, ny, nx)
        Tissue codes, without vessels.
    spacing : float
        Voxel edge (um).
    seed : int
    volume_fraction : float
        Lumen as a share of the marrow space (marrow and lumen), 0 (no vessels) to 0.4.
    diameter : float
        Sinusoid diameter (um). A tube thinner than about 1.4 voxels is drawn as a face-connected line of
        voxels, which then is as wide as the lattice allows.
    distance : float
        Typical centre-to-centre distance of neighbouring vessels (um). Volume fraction, diameter and
        distance are not independent: about 0.79 (diameter / distance)**2 is the fraction that goes with the
        other two. Where the tree alone would pass the volume fraction, or all its loops do not reach it,
        junctions are set farther apart or closer in steps of a tenth, at most twofold.
    arteriole_fraction : float
        Arterioles as a share of the lumen.
    arteriole_diameter : float
        um.
    endosteal_distance : float
        Arterioles lie within this distance of bone (um), but for the piece that joins a sinusoid.

    Returns
    -------
    ndarray of uint8, shape (nz, ny, nx)
        Copy of `tissue` with SINUSOID and ARTERIOLE voxels, connected by faces within each piece of marrow
        that is wide enough for a tube.

    Raises
    ------
    GeometryError
        Bad arguments, no room for a network, or a volume fraction that cannot be met within 0.005.

    Notes
    -----
    Volume fraction and spacing of bone marrow sinusoids: Nombela-Arrieta et al. 2013 (Nat Cell Biol
    15:533); arterioles near the endosteum: Kunisaki et al. 2013 (Nature 502:637).
    """
    ranges = (
        ("volume_fraction", volume_fraction, 0.0, LARGEST_FRACTION, ""),
        ("distance", distance, 2 * spacing, np.inf, " um"),
        ("diameter", diameter, spacing / 2, distance, " um"),
        ("arteriole_fraction", arteriole_fraction, 0.0, 0.5, ""),
        ("arteriole_diameter", arteriole_diameter, spacing / 2, diameter, " um"),
        ("endosteal_distance", endosteal_distance, arteriole_diameter, np.inf, " um"),
    )
    _check(tissue, spacing, ranges)
    marrow = tissue == MARROW
    wanted = round(volume_fraction * np.count_nonzero(marrow))
    grown = tissue.copy()
    if wanted == 0:
        return grown
    from_solid = distance_to(~marrow, spacing)
    key, nodes = _sinusoids(marrow, from_solid >= diameter / 2, spacing, wanted, seed, diameter, distance)
    share = round(arteriole_fraction * wanted)
    if share and (tissue == BONE).any():
        solid = distance_to(tissue == BONE, spacing) if (tissue == OUTSIDE).any() else from_solid
        clear = from_solid >= arteriole_diameter / 2
        shell = clear & (solid + arteriole_diameter / 2 <= endosteal_distance)
        lumen = _prefix(key, wanted - share)
        used = nodes[lumen[tuple(nodes.astype(np.int64).T)]]
        own = _arterioles(marrow & ~lumen, clear, shell, used, spacing, share, seed, arteriole_diameter, distance)
        grown[_prefix(own, share)] = ARTERIOLE
        key[grown == ARTERIOLE] = UNSTAMPED
        wanted -= np.count_nonzero(grown == ARTERIOLE)
    grown[_prefix(key, wanted)] = SINUSOID
    return grown


def _sinusoids(marrow, clear, spacing, wanted, seed, diameter, distance):
    """Sample numbers of the grown tubes (see `stamp`), about `wanted` voxels or more, and the junctions."""
    radius = diameter / 2 / spacing
    section = max(np.pi * radius**2, LINE_SECTION)
    first_reach = reach = JUNCTIONS_PER_DISTANCE * distance / spacing
    slack = TOLERANCE * np.count_nonzero(marrow)
    held, closer = 0, False
    while first_reach / FARTHEST <= reach <= first_reach * FARTHEST:
        count = samples(2 * reach)
        nodes = scatter(clear, reach, seed=seed, draw=DRAW_SINUSOID)
        pairs = neighbours(nodes, 2 * reach)
        edges = join(nodes, pairs, clear, count, bend=BEND, seed=seed, draw=DRAW_BEND)
        if len(edges) == 0:
            reach, closer = reach / WIDENING, True
            continue
        nodes, edges = bridge(nodes, edges, clear)
        edges, tree = grow_order(nodes, edges, seed=seed, draw=DRAW_LOOP)
        if not closer and len(nodes) > FEW_JUNCTIONS and section * edges.length[:tree].sum() > wanted:
            reach *= WIDENING
            continue
        key, held = _fill(marrow, edges, radius, section, wanted)
        if held >= wanted - slack:
            return key, nodes
        reach, closer = reach / WIDENING, True
    limit = "the network is cut short" if held == 0 else f"the network holds {held / marrow.sum():.3g}"
    raise GeometryError(
        Fault(
            "the vessels do not fit the marrow",
            allowed=f"a volume_fraction near {NOMINAL * (diameter / distance) ** 2:.3g} at this diameter and "
            f"distance, in marrow wider than {diameter + spacing:g} um",
            given=f"volume_fraction {wanted / marrow.sum():.3g}, diameter {diameter:g} um, "
            f"distance {distance:g} um in {marrow.sum()} marrow voxels of {spacing:g} um; {limit}",
            remedy="change volume_fraction or distance, take a larger region, or volume_fraction = 0",
        )
    )


def _arterioles(room, clear, shell, junctions, spacing, wanted, seed, diameter, distance):
    """Sample numbers of thin trees in the endosteal `shell`, rooted on sinusoid junctions."""
    radius = diameter / 2 / spacing
    step = max(ARTERIOLE_STEP / spacing, 2.0)
    nodes = scatter(shell, step, seed=seed, draw=DRAW_ARTERIOLE)
    count = samples(max(2 * step, 2 * distance / spacing))
    edges = join(nodes, neighbours(nodes, 2 * step), shell, count, bend=BEND, seed=seed, draw=DRAW_ARTERIOLE_BEND)
    joints = _joints(nodes, junctions, clear, distance / spacing, count)
    if len(edges) and len(joints):
        leaf_reach = LEAVES_PER_DISTANCE * distance / spacing
        edges = _endosteal_trees(nodes, edges, joints, leaf_reach, seed)
    else:
        edges = joints[:0]
    return _fill(room, edges, radius, max(np.pi * radius**2, LINE_SECTION), wanted)[0]


def _joints(nodes, junctions, clear, distance, count):
    """Straight edges from sinusoid junctions to the nodes that root arterioles, shortest first."""
    length, nearest = cKDTree(junctions).query(nodes, distance_upper_bound=2 * distance)
    near = np.flatnonzero(np.isfinite(length))
    pairs = np.stack([nearest[near], near], axis=1)
    joints = join(junctions, pairs, clear, count, targets=nodes)
    return joints[thin(joints.end, joints.length, ROOTS_PER_DISTANCE * distance)]


def _endosteal_trees(nodes, edges, joints, leaf_reach, seed):
    """Shortest paths from roots to scattered leaves in order of growth, each edge once."""
    number = len(nodes)
    from_root, before, _ = dijkstra(
        edges.graph(number), directed=False, indices=joints.second, min_only=True, return_predecessors=True
    )
    value = uniform(seed, Stream.STREAM_VESSEL, 0, np.arange(number), DRAW_LEAF)
    leaves = np.flatnonzero(np.isfinite(from_root))
    leaves = leaves[thin(nodes[leaves], value[leaves], leaf_reach)]
    order, seen = [], np.zeros(number, dtype=bool)
    for leaf in leaves[np.argsort(value[leaves], kind="stable")]:
        path, node = [], leaf
        while node >= 0 and not seen[node]:
            seen[node] = True
            path.append(node)
            node = before[node]
        order += reversed(path)
    child = np.array(order, dtype=np.int64)
    parent = before[child].astype(np.int64)
    root = parent < 0
    named = np.empty(number, dtype=np.int64)
    named[joints.second] = np.arange(len(joints))
    codes = np.minimum(parent, child) * number + np.maximum(parent, child)
    steps = len(joints) + np.searchsorted(edges.first * number + edges.second, codes)
    grown = joints.followed_by(edges)[np.where(root, named[child], steps)]
    grown.backward[:] = ~root & (parent > child)
    return grown


def _fill(room, edges, radius, section, wanted):
    """Stamp edges in order until they hold `wanted` voxels; the keys (see `stamp`) and the voxels held."""
    key = np.full(room.shape, UNSTAMPED, dtype=np.int32)
    done, count = 0, 0
    while count < wanted and done < len(edges):
        need = 1.1 * (wanted - count) / section
        more = 1 + int(np.searchsorted(np.cumsum(edges.length[done:]), need))
        stamp(key, room, edges[done : done + more], radius, done * edges.count)
        done += more
        count = np.count_nonzero(key < UNSTAMPED)
    return key, count


def _prefix(key, wanted):
    """The voxels of the first samples that together hold `wanted` voxels, or all of them."""
    stamped = key[key < UNSTAMPED]
    if wanted == 0 or len(stamped) == 0:
        return np.zeros(key.shape, dtype=bool)
    wanted = min(wanted, len(stamped))
    return key <= np.partition(stamped, wanted - 1)[wanted - 1]


def _check(tissue, spacing, ranges):
    if tissue.dtype != np.uint8 or tissue.ndim != 3:
        raise GeometryError(
            Fault(
                "tissue is not a volume of tissue codes",
                allowed="uint8 array of three axes",
                given=f"{tissue.dtype} array of shape {tissue.shape}",
                remedy="convert it with .astype('uint8')",
            )
        )
    faults = []
    if not (np.isfinite(spacing) and spacing > 0):
        raise GeometryError(
            Fault("the voxel edge is not positive", "above 0 um", f"{spacing} um", "give spacing in um")
        )
    for name, value, low, high, unit in ranges:
        if not low <= value <= high:
            faults.append(
                Fault(
                    f"{name} of the vessels is out of range",
                    allowed=f"{low:g} to {high:g}{unit} at voxels of {spacing:g} um",
                    given=f"{value:g}{unit}",
                    remedy=f"change {name}, or the voxel edge",
                    where=name,
                )
            )
    if ((tissue == SINUSOID) | (tissue == ARTERIOLE)).any():
        faults.append(
            Fault(
                "the specimen has vessels already",
                allowed="marrow, bone and outside only",
                given="sinusoid or arteriole voxels",
                remedy="keep these vessels, or relabel them as marrow to grow others",
            )
        )
    if not (tissue == MARROW).any():
        faults.append(
            Fault(
                "there is no marrow to grow vessels in",
                allowed="at least one marrow voxel",
                given="none",
                remedy="check the threshold or the labels of the image",
            )
        )
    if faults:
        raise GeometryError(*faults)
