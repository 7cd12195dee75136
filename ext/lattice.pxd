"""Sites of the lattice: index, position, neighbours.

A site is the index of a voxel in [z, y, x] order. The box is closed: beyond its faces there is no site.
Directions 0 to 5 are -z, +z, -y, +y, -x, +x; the opposite of d is d ^ 1.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    NOWHERE = -1
    # Status of a cell; the same numbers as marrowsim.state.Status.
    FREE = 0
    BOUND = 1
    ARRESTED = 2
    CIRCULATING = 3


cdef struct Box:
    int32_t nz
    int32_t ny
    int32_t nx


cdef inline int32_t face_neighbour(Box box, int32_t site, int direction) noexcept nogil:
    """The site one step away in a direction, or NOWHERE."""
    cdef int32_t plane = box.ny * box.nx
    cdef int32_t z, y, x
    if direction < 2:
        z = site // plane
        if direction == 0:
            return site - plane if z > 0 else NOWHERE
        return site + plane if z < box.nz - 1 else NOWHERE
    if direction < 4:
        y = (site // box.nx) % box.ny
        if direction == 2:
            return site - box.nx if y > 0 else NOWHERE
        return site + box.nx if y < box.ny - 1 else NOWHERE
    x = site % box.nx
    if direction == 4:
        return site - 1 if x > 0 else NOWHERE
    return site + 1 if x < box.nx - 1 else NOWHERE


cdef inline void face_neighbours(Box box, int32_t site, int32_t* out) noexcept nogil:
    """All six of them at once."""
    cdef int32_t plane = box.ny * box.nx
    cdef int32_t z = site // plane
    cdef int32_t rest = site - z * plane
    cdef int32_t y = rest // box.nx
    cdef int32_t x = rest - y * box.nx
    out[0] = site - plane if z > 0 else NOWHERE
    out[1] = site + plane if z < box.nz - 1 else NOWHERE
    out[2] = site - box.nx if y > 0 else NOWHERE
    out[3] = site + box.nx if y < box.ny - 1 else NOWHERE
    out[4] = site - 1 if x > 0 else NOWHERE
    out[5] = site + 1 if x < box.nx - 1 else NOWHERE


cdef inline int moore_neighbours(Box box, int32_t site, int32_t* out) noexcept nogil:
    """The up to 26 sites that share a face, edge or corner; returns how many."""
    cdef int32_t plane = box.ny * box.nx
    cdef int32_t z = site // plane
    cdef int32_t rest = site - z * plane
    cdef int32_t y = rest // box.nx
    cdef int32_t x = rest - y * box.nx
    cdef int dz, dy, dx
    cdef int n = 0
    for dz in range(-1, 2):
        if z + dz < 0 or z + dz >= box.nz:
            continue
        for dy in range(-1, 2):
            if y + dy < 0 or y + dy >= box.ny:
                continue
            for dx in range(-1, 2):
                if x + dx < 0 or x + dx >= box.nx or (dz == 0 and dy == 0 and dx == 0):
                    continue
                out[n] = site + dz * plane + dy * box.nx + dx
                n = n + 1
    return n


cdef inline int32_t random_free_neighbour(Box box, int32_t site, uint32_t word, uint8_t* tissue, uint8_t* enterable,
                                          int32_t* occupant) noexcept nogil:
    """One of the free voxels around a site, each as likely, by a random word; NOWHERE where there is none."""
    cdef int32_t around[26]
    cdef int32_t free[26]
    cdef int n = moore_neighbours(box, site, around)
    cdef int i
    cdef uint32_t count = 0
    for i in range(n):
        free[count] = around[i]
        # Without branches: the voxels are then asked for all at once.
        count = count + ((occupant[around[i]] < 0) & (enterable[tissue[around[i]]] != 0))
    if count == 0:
        return NOWHERE
    return free[(<uint64_t> word * count) >> 32]


cdef inline bint is_near(uint8_t kind, double reach, Box box, int32_t site, const int32_t* occupant,
                         const uint8_t* types) noexcept nogil:
    """Whether a cell of a type stands in the 26 voxels around a site, or not farther than `reach` edges away."""
    cdef int32_t plane = box.ny * box.nx
    cdef int32_t z = site // plane
    cdef int32_t rest = site - z * plane
    cdef int32_t y = rest // box.nx
    cdef int32_t x = rest - y * box.nx
    cdef int32_t most = max(1, <int32_t> reach)
    cdef double squared = max(3.0, reach * reach)
    cdef int32_t dz, dy, dx, row
    for dz in range(max(-most, -z), min(most, box.nz - 1 - z) + 1):
        for dy in range(max(-most, -y), min(most, box.ny - 1 - y) + 1):
            for dx in range(max(-most, -x), min(most, box.nx - 1 - x) + 1):
                if dz * dz + dy * dy + dx * dx <= squared:
                    row = occupant[site + dz * plane + dy * box.nx + dx]
                    if row != NOWHERE and types[row] == kind:
                        return True
    return False


cdef inline int faces_on(Box box, int32_t site, const uint8_t* tissue, const uint8_t* wanted) noexcept nogil:
    """Number of faces of a voxel at tissues that are wanted (by code)."""
    cdef int32_t around[6]
    cdef int count = 0
    cdef int d
    face_neighbours(box, site, around)
    for d in range(6):
        if around[d] != NOWHERE and wanted[tissue[around[d]]]:
            count = count + 1
    return count


cdef inline bint is_marked(int64_t site, const int64_t* marked, Py_ssize_t count) noexcept nogil:
    """Whether a site is one of `count` marked ones, which are sorted: binary search."""
    cdef Py_ssize_t low = 0
    cdef Py_ssize_t high = count
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) // 2
        if marked[middle] < site:
            low = middle + 1
        else:
            high = middle
    return low < count and marked[low] == site
