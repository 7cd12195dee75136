"""The mark of a claim in the lattice; see claims.pyx."""

from libc.stdint cimport int32_t


cdef enum:
    AHEAD = 16    # claims between asking for a voxel and needing it


cdef inline int32_t mark_of(Py_ssize_t claim) noexcept nogil:
    """What `occupant` holds in a voxel that this claim has won: below -1, so that no cell is there yet."""
    return <int32_t> (-2 - claim)
