"""Counter-based draws for Python: the same numbers that the kernels use."""

import numpy as np


from libc.stdint cimport int64_t, uint32_t, uint64_t
from .rng cimport philox


def words(uint64_t seed, uint32_t stream, uint32_t step, entities, uint32_t draw=0):
    """Raw Philox4x32-10 words.

    Parameters
    ----------
    seed, stream, step, draw : int
        `stream` from the list in `rng.pxd`; `stream` and `draw` below 65536.
    entities : array_like of int64, shape (n,)
        Persistent cell ids or voxel indices.

    Returns
    -------
    ndarray of uint32, shape (n, 4)
    """
    cdef int64_t[::1] ids = np.ascontiguousarray(entities, dtype=np.int64)
    out = np.empty((ids.shape[0], 4), dtype=np.uint32)
    cdef uint32_t[:, ::1] view = out
    cdef Py_ssize_t i
    with nogil:
        for i in range(ids.shape[0]):
            philox(seed, stream, step, <uint64_t> ids[i], draw, &view[i, 0])
    return out


def uniform(uint64_t seed, uint32_t stream, uint32_t step, entities, uint32_t draw=0):
    """Uniform numbers in (0, 1) with 53 random bits, one for each entity.

    Parameters as in `words`. Returns float64, shape (n,).
    """
    w = words(seed, stream, step, entities, draw)
    high = (w[:, 0] >> np.uint32(5)).astype(np.float64)
    low = (w[:, 1] >> np.uint32(6)).astype(np.float64)
    return (high * 67108864.0 + low + 0.5) / 9007199254740992.0


def uniform2(uint64_t seed, uint32_t stream, uint32_t step, entities, uint32_t draw=0):
    """Two independent uniform numbers in (0, 1) for each entity, 32 random bits each: float64, shape (n, 2)."""
    w = words(seed, stream, step, entities, draw)
    return (w[:, 2:].astype(np.float64) + 0.5) / 4294967296.0
