"""Hot vascular domains: compact parts of the stroma that secrete more CXCL12 (Sipkins et al. 2005, Nature 435:969)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from marrowsim._engine.rng import Stream, uniform
from marrowsim.geometry.network import thin
from marrowsim.geometry.placement import DRAWS


def hot_sites(
    sites: np.ndarray, shape: tuple[int, ...], spacing: float, *, seed: int, fraction: float, scale: float
) -> np.ndarray:
    """Those of some sites that stand in hot domains.

    The domains are the Voronoi cells of a Poisson-disk choice of the sites. They become hot in drawn order, each
    from its centre outwards, until the fraction is met.

    Parameters
    ----------
    sites : int64, shape (n,)
        Flat voxel indices, sorted.
    shape, spacing : of the lattice; voxel edge in um.
    seed : STREAM_PLACEMENT, keyed by the voxel of a domain's centre.
    fraction : share of the sites that is hot.
    scale : smallest distance of two centres, um; the maximal choice leaves most neighbours little farther apart.

    Returns
    -------
    int64, sorted
    """
    number = round(fraction * len(sites))
    if number == 0:
        return sites[:0]
    points = np.stack(np.unravel_index(sites, shape), axis=1) * spacing
    draws = (uniform(seed, Stream.STREAM_PLACEMENT, 0, sites, DRAWS[name]) for name in ("domain", "hot domain"))
    priority, turn = draws
    centres = np.flatnonzero(thin(points, priority, scale))
    distance, nearest = cKDTree(points[centres]).query(points)
    hot = np.lexsort((sites, distance, turn[centres][nearest]))[:number]
    return np.sort(sites[hot])
