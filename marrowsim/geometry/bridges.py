"""Routes around solids that join the parts of a network within one piece of open space."""

import numpy as np
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from skimage.graph import MCP

from marrowsim.geometry.network import chain, curve, join


def bridge(nodes, edges, clear):
    """Join parts of a network, each to the nearest other by the shortest route through `clear`.

    Parameters
    ----------
    nodes, edges : as `network.scatter` and `network.join` return them
    clear : ndarray of bool, shape (nz, ny, nx)

    Returns
    -------
    nodes, edges
        With the turning points of the routes as further nodes. Nodes that a face-connected piece of
        `clear` holds are one connected part.
    """
    piece = ndimage.label(clear)[0][tuple(nodes.astype(np.int64).T)]
    _, part = connected_components(edges.graph(len(nodes)), directed=False)
    for _ in _strays(part, piece):
        stray = part == _strays(part, piece)[0]
        others = ~stray & (piece == piece[stray][0])
        first, turns, last = _route(nodes, stray, others, clear, edges.count)
        stops = np.concatenate([[first], len(nodes) + np.arange(len(turns)), [last]])
        nodes = np.concatenate([nodes, turns])
        piece = np.concatenate([piece, np.full(len(turns), piece[first])])
        pairs = np.sort(np.stack([stops[:-1], stops[1:]], axis=1), axis=1)
        edges = edges.followed_by(join(nodes, pairs, clear, edges.count))
        _, part = connected_components(edges.graph(len(nodes)), directed=False)
    return nodes, edges[np.lexsort((edges.second, edges.first))]


def _strays(part, piece):
    """Parts that are not the largest of their piece, smallest first."""
    size = np.bincount(part)
    order = np.lexsort((part, -size[part], piece))
    leading = part[order][np.unique(piece[order], return_index=True)[1]]
    strays = np.setdiff1d(part, leading)
    return strays[np.argsort(size[strays], kind="stable")]


def _route(nodes, sources, targets, clear, count):
    """The shortest route from some nodes to others: first node, turning points, last node."""
    voxels = nodes.astype(np.int64)
    low = np.maximum(voxels[sources].min(axis=0) - count, 0)
    high = np.minimum(voxels[sources].max(axis=0) + count + 1, clear.shape)
    for corner, end in ((low, high), (np.zeros(3, dtype=np.int64), np.array(clear.shape))):
        near = np.flatnonzero(targets & ((voxels >= corner) & (voxels < end)).all(axis=1))
        if len(near) == 0:
            continue
        box = clear[tuple(slice(a, b) for a, b in zip(corner, end, strict=True))]
        costs = MCP(np.where(box, 1.0, np.inf), fully_connected=False)
        ends = voxels[near] - corner
        reached, _ = costs.find_costs(voxels[sources] - corner, ends, find_all_ends=False)
        best = int(np.argmin(reached[tuple(ends.T)]))
        if np.isfinite(reached[tuple(ends[best])]):
            break
    path = np.array(costs.traceback(ends[best])) + corner
    first = np.flatnonzero(sources & (voxels == path[0]).all(axis=1))[0]
    last = near[best]
    return first, _turns(nodes[first], path + 0.5, nodes[last], clear, count), last


def _turns(start, path, end, clear, count):
    """The fewest points of a path, taken greedily, each in sight of the one before, and that one in its own."""
    flat = clear.reshape(-1)
    stops = np.concatenate([[start], path[1:-1], [end]])
    chosen = [0]
    while chosen[-1] < len(stops) - 1:
        here = stops[chosen[-1]]
        ahead = stops[chosen[-1] + 1 :]
        ahead = ahead[: np.argmax(np.linalg.norm(ahead - here, axis=1) > count / 3) or len(ahead)]
        here = np.broadcast_to(here, ahead.shape)
        middle = (here + ahead) / 2  # a line has other voxels from its far end, and the edge may start there
        there, back = (
            chain(curve(*ends, count), clear.shape) for ends in ((here, middle, ahead), (ahead, middle, here))
        )
        in_sight = flat[there].all(axis=1) & flat[back].all(axis=1)
        chosen.append(chosen[-1] + 1 + int(np.flatnonzero(in_sight)[-1]))
    return stops[chosen[1:-1]]
