"""Networks of curved tubes in open space: nodes, edges that stay clear of solids, and their voxels.

Positions are (z, y, x) in voxel edges; voxel i spans i to i + 1. Nothing here knows a tissue.
"""

from itertools import product

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree

from marrowsim._engine.rng import Stream, uniform, words

SCATTER_ROUNDS = 6
SAMPLES_PER_EDGE = 2.5
CHUNK = 20_000


def thin(points, priority, reach):
    """Which points stay when each, in order of increasing priority, removes the later ones within `reach`.

    Returns a bool array of shape (n,): the maximal set that the sequential greedy choice gives.
    """
    kept = np.ones(len(points), dtype=bool)
    first, second = cKDTree(points).query_pairs(reach, output_type="ndarray").T
    swap = priority[first] > priority[second]
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    while len(first):
        beaten = np.zeros(len(points), dtype=bool)
        beaten[second] = True
        kept[second[~beaten[first]]] = False
        left = kept[first] & kept[second]
        first, second = first[left], second[left]
    return kept


def scatter(clear, reach, *, seed, draw):
    """Random nodes in the true voxels of `clear`, no two within `reach` (Poisson disk, nearly maximal).

    Parameters
    ----------
    clear : ndarray of bool, shape (nz, ny, nx)
    reach : float
        Smallest distance of two nodes (voxel edges).
    seed, draw : int
        Draws of STREAM_VESSEL, keyed by a grid of cells that hold at most one node each; `draw` to
        `draw + SCATTER_ROUNDS - 1` are used.

    Returns
    -------
    ndarray of float64, shape (n, 3)
    """
    edge = reach / np.sqrt(3)
    grid = np.ceil(np.array(clear.shape) / edge).astype(np.int64)
    cells = np.arange(grid.prod())
    corner = np.stack(np.unravel_index(cells, grid), axis=1)
    nodes = np.empty((0, 3))
    for number in range(SCATTER_ROUNDS):
        u = (words(seed, Stream.STREAM_VESSEL, 0, cells, draw + number) + 0.5) / 2.0**32
        points = (corner + u[:, :3]) * edge
        inside = np.flatnonzero((points < clear.shape).all(axis=1))
        inside = inside[clear[tuple(points[inside].astype(np.int64).T)]]
        if len(nodes):
            near, _ = cKDTree(nodes).query(points[inside], distance_upper_bound=reach)
            inside = inside[np.isinf(near)]
        if len(inside):
            points = points[inside]
            nodes = np.concatenate([nodes, points[thin(points, u[inside, 3], reach)]])
    return nodes


def curve(start, control, end, count):
    """`count` points along quadratic Bezier curves: shape (n, count, 3)."""
    t = np.linspace(0, 1, count)[None, :, None]
    return start[:, None] * (1 - t) ** 2 + 2 * control[:, None] * t * (1 - t) + end[:, None] * t**2


def samples(longest):
    """Number of samples that keeps steps below half a voxel edge along curves of a straight length."""
    return int(np.ceil(SAMPLES_PER_EDGE * longest)) + 1


def chain(points, shape):
    """Flat indices of the face-connected voxels under sampled curves: shape (n, 3 count - 2).

    Steps of the samples must be below one voxel edge. The voxels depend on the samples, so a curve is to
    be drawn with the samples it was tested with.
    """
    voxels = points.astype(np.int64)
    before, after = voxels[:, :-1], voxels[:, 1:]
    turn = np.stack([after[..., 0], before[..., 1], before[..., 2]], axis=-1)
    second = np.stack([after[..., 0], after[..., 1], before[..., 2]], axis=-1)
    steps = np.concatenate([voxels, turn, second], axis=1)
    return np.ravel_multi_index(tuple(np.moveaxis(steps, -1, 0)), shape)


class Edges:
    """Curved edges between nodes, all of whose voxels are clear.

    Attributes
    ----------
    first, second : ndarray of int64, shape (n,)
        Node numbers.
    start, control, end : ndarray of float64, shape (n, 3)
        Quadratic Bezier curves.
    backward : ndarray of bool, shape (n,)
        Edges that grow from their second node. The curve keeps its direction, as its voxels depend on it.
    count : int
        Samples along each curve.
    """

    PARTS = ("first", "second", "start", "control", "end", "backward")

    def __init__(self, first, second, start, control, end, backward, count):
        self.first, self.second = first, second
        self.start, self.control, self.end = start, control, end
        self.backward = backward
        self.count = count

    def __len__(self):
        return len(self.first)

    def __getitem__(self, chosen):
        return Edges(*(getattr(self, name)[chosen] for name in self.PARTS), self.count)

    @property
    def length(self):
        """Straight length (voxel edges), shape (n,)."""
        return np.linalg.norm(self.end - self.start, axis=1)

    def followed_by(self, other):
        """These edges and then those of `other`, which has as many samples."""
        joined = (np.concatenate([getattr(self, name), getattr(other, name)]) for name in self.PARTS)
        return Edges(*joined, self.count)

    def graph(self, number):
        """Sparse symmetric matrix of lengths over `number` nodes."""
        both = np.concatenate([self.first, self.second]), np.concatenate([self.second, self.first])
        return csr_array((np.tile(self.length, 2), both), shape=(number, number))


def join(nodes, pairs, clear, count, *, bend=0.0, seed=0, draw=0, targets=None):
    """Edges for those pairs of nodes that a curve, or else a straight line, joins within `clear`.

    Parameters
    ----------
    nodes : ndarray of float64, shape (n, 3)
    pairs : ndarray of int64, shape (m, 2)
        Numbers in `nodes` (the second in `targets`, where given).
    clear : ndarray of bool, shape (nz, ny, nx)
    count : int
        Samples along each curve, see `samples`.
    bend : float
        Largest offset of the control point on each axis, as a share of the length.
    seed, draw : int
        The offset is drawn from STREAM_VESSEL, keyed by the pair.
    """
    targets = nodes if targets is None else targets
    first, second = pairs.T
    start, end = nodes[first], targets[second]
    length = np.linalg.norm(end - start, axis=1, keepdims=True)
    u = (words(seed, Stream.STREAM_VESSEL, 0, first * len(targets) + second, draw) + 0.5) / 2.0**32
    middle = (start + end) / 2
    control = middle + (2 * u[:, :3] - 1) * bend * length
    control = np.clip(control, 0, np.nextafter(clear.shape, 0))
    chosen = np.zeros(len(pairs), dtype=bool)
    flat = clear.reshape(-1)
    for low in range(0, len(pairs), CHUNK):
        part = slice(low, low + CHUNK)
        curved = flat[chain(curve(start[part], control[part], end[part], count), clear.shape)].all(axis=1)
        control[part][~curved] = middle[part][~curved]
        straight = flat[chain(curve(start[part], middle[part], end[part], count), clear.shape)].all(axis=1)
        chosen[part] = curved | straight
    forward = np.zeros(len(pairs), dtype=bool)
    return Edges(first, second, start, control, end, forward, count)[chosen]


def neighbours(nodes, reach):
    """Pairs of nodes within `reach`, sorted: int64, shape (m, 2)."""
    pairs = cKDTree(nodes).query_pairs(reach, output_type="ndarray").astype(np.int64)
    pairs.sort(axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def grow_order(nodes, edges, *, seed, draw):
    """Edges in the order of growth: a spanning tree outwards from its root, then loops.

    The tree is the minimum spanning tree of each connected part, largest part first; any first n edges
    of a part are connected. Loops are the remaining Gabriel edges (Gabriel & Sokal 1969: no third node in
    the sphere on the edge), one for each dead end of the tree first, then in drawn order.

    Returns
    -------
    Edges
    int
        Number of edges of the tree.
    """
    number = len(nodes)
    tree = minimum_spanning_tree(edges.graph(number))
    _, part = connected_components(tree, directed=False)
    size = np.bincount(part)
    parent, child = [], []
    for label in np.argsort(-size, kind="stable")[: np.count_nonzero(size > 1)]:
        root = np.flatnonzero(part == label)[0]
        visited, before = breadth_first_order(tree, root, directed=False)
        parent.append(before[visited[1:]])
        child.append(visited[1:])
    parent, child = np.concatenate(parent).astype(np.int64), np.concatenate(child).astype(np.int64)
    codes = edges.first * number + edges.second
    order = np.searchsorted(codes, np.minimum(parent, child) * number + np.maximum(parent, child))
    outside = np.ones(len(edges), dtype=bool)
    outside[order] = False
    nearest, _ = cKDTree(nodes).query((edges.start + edges.end) / 2)
    loops = np.flatnonzero(outside & (nearest > edges.length / 2 * (1 - 1e-9)))
    value = uniform(seed, Stream.STREAM_VESSEL, 0, edges.first[loops] * number + edges.second[loops], draw)
    loops = loops[np.argsort(value, kind="stable")]
    degree = np.bincount(np.concatenate([edges.first[order], edges.second[order]]), minlength=number)
    ends = np.stack([edges.first[loops], edges.second[loops]], axis=1).reshape(-1)
    closing = np.unique(np.where(degree[ends] == 1, ends, -1), return_index=True)
    rank = np.ones(len(loops), dtype=np.int64)
    rank[closing[1][closing[0] >= 0] // 2] = 0
    loops = loops[np.argsort(rank, kind="stable")]
    grown = edges[np.concatenate([order, loops])]
    grown.backward[: len(order)] = parent > child
    return grown, len(order)


def stamp(key, room, edges, radius, rank):
    """Write the smallest sample number at each voxel of tubes of `radius` (voxel edges) into `key`.

    Sample j of edge i, counted along its growth, has number rank + i * edges.count + j. A voxel belongs to
    a tube where its centre lies within the radius of a sample, or where the centre line runs through it, so
    that a tube is connected by faces however thin. Only true voxels of `room` are written.

    Parameters
    ----------
    key : ndarray of int32, shape (nz, ny, nx), changed
    room : ndarray of bool, shape (nz, ny, nx)
    """
    flat_key, flat_room = key.reshape(-1), room.reshape(-1)
    size = int(radius + 0.5)
    for low in range(0, len(edges), CHUNK // 4):
        part = edges[low : low + CHUNK // 4]
        points = curve(part.start, part.control, part.end, edges.count)
        line = chain(points, key.shape)
        own = np.arange(points.shape[0] * edges.count, dtype=np.int32).reshape(-1, edges.count)
        own[part.backward] = own[part.backward, ::-1]
        own += rank + low * edges.count
        turn = np.maximum(own[:, 1:], own[:, :-1])
        _lower(flat_key, flat_room, line.reshape(-1), np.hstack([own, turn, turn]).reshape(-1))
        number = own.reshape(-1)
        points = points.reshape(-1, 3)
        corner = np.floor(points).astype(np.int64)
        for offset in product(range(-size, size + 1), repeat=3):
            voxel = corner + offset
            near = ((voxel + 0.5 - points) ** 2).sum(axis=1) <= radius**2
            near &= ((voxel >= 0) & (voxel < key.shape)).all(axis=1)
            _lower(flat_key, flat_room, np.ravel_multi_index(tuple(voxel[near].T), key.shape), number[near])


def _lower(key, room, sites, number):
    open_ = room[sites]
    np.minimum.at(key, sites[open_], number[open_])
