"""Exact level of small isolated pockets of open voxels, which coarse levels mix with their surroundings."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from .lattice cimport Box, NOWHERE, face_neighbours
from .multigrid_levels cimport Level, at, put


cdef inline double around(float[:, :, :, ::1] a, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    """Sum over the six neighbours."""
    return ((<double> at(a, z, y, x - 1) + at(a, z, y, x + 1))
            + (<double> at(a, z, y - 1, x) + at(a, z, y + 1, x))
            + (<double> at(a, z - 1, y, x) + at(a, z + 1, y, x)))


def balance_pockets(Level level, const int64_t[::1] voxels, const int64_t[::1] starts, float[:, :, ::1] field=None):
    """Shift each pocket by one concentration so that its sources and losses balance.

    Parameters
    ----------
    level : the finest level, with its equations loaded.
    voxels : int64, flat indices [z, y, x] of the voxels of all pockets, pocket after pocket.
    starts : int64, first place of each pocket in `voxels`, and the length of `voxels` at the end.
        A pocket is a whole connected component of the open voxels.
    field : float32 [z, y, x], where to put the solution in the pockets too, clipped at zero.
    """
    cdef Py_ssize_t pocket, place, z, y, x
    cdef double w, excess, sink, faces
    for pocket in range(starts.shape[0] - 1):
        excess = sink = faces = 0.0
        for place in range(starts[pocket], starts[pocket + 1]):
            x = voxels[place] % level.nx
            y = voxels[place] // level.nx % level.ny
            z = voxels[place] // (level.nx * level.ny)
            w = at(level.w, z, y, x)
            excess += w * (at(level.s, z, y, x) + around(level.u, z, y, x) - <double> at(level.d, z, y, x)
                           * at(level.u, z, y, x))
            faces += w * around(level.w, z, y, x)
            sink += w * w * at(level.d, z, y, x) - w * around(level.w, z, y, x)
        if sink <= 1e-6 * faces:
            continue
        for place in range(starts[pocket], starts[pocket + 1]):
            x = voxels[place] % level.nx
            y = voxels[place] // level.nx % level.ny
            z = voxels[place] // (level.nx * level.ny)
            w = at(level.w, z, y, x)
            put(level.u, z, y, x, <float> (at(level.u, z, y, x) + w * (excess / sink)))
            if field is not None:
                field[z, y, x] = max(<float> 0.0, <float> (at(level.u, z, y, x) / w))


def with_neighbours(Level level, const int64_t[::1] voxels):
    """The voxels and their face neighbours, each once: sorted int64."""
    cdef Box box = Box(<int32_t> level.nz, <int32_t> level.ny, <int32_t> level.nx)
    cdef Py_ssize_t i
    out = np.empty((voxels.shape[0], 7), np.int32)
    cdef int32_t[:, ::1] found = out
    for i in range(voxels.shape[0]):
        found[i, 0] = <int32_t> voxels[i]
        face_neighbours(box, found[i, 0], &found[i, 1])
    return np.unique(out[out != NOWHERE]).astype(np.int64)


cdef inline bint is_open(Level level, int64_t here) noexcept nogil:
    cdef int64_t plane = level.ny * level.nx
    return at(level.w, here // plane, here // level.nx % level.ny, here % level.nx) > 0


cdef inline Py_ssize_t place_of(const int64_t* keys, Py_ssize_t room, int64_t voxel) noexcept nogil:
    """Where a voxel stands in an open hash table of `room` (a power of two) places, or would."""
    cdef Py_ssize_t place = <Py_ssize_t> ((<uint64_t> voxel * 0x9E3779B97F4A7C15ULL) >> 32) & (room - 1)
    while keys[place] != voxel and keys[place] >= 0:
        place = (place + 1) & (room - 1)
    return place


cdef enum Found:
    FOUND_NOW
    FOUND_SMALL
    FOUND_LARGE


cdef class Floods:
    """The voxels that floods of a level have come to, and which kind of component each belongs to."""

    cdef Level level
    cdef Box box
    cdef Py_ssize_t limit, room, count
    cdef int64_t[::1] keys
    cdef uint8_t[::1] found
    cdef int64_t[::1] front        # voxels of the flood under way, in the order in which it came to them

    def __init__(self, Level level, Py_ssize_t limit):
        self.level, self.limit, self.count, self.room = level, limit, 0, 1
        self.box = Box(<int32_t> level.nz, <int32_t> level.ny, <int32_t> level.nx)
        self.front = np.empty(limit + 7, np.int64)
        self.keys, self.found = np.zeros(0, np.int64), np.zeros(0, np.uint8)
        self.make_room()

    cdef void make_room(self):
        """Keep the table at most half full for one more flood."""
        cdef int64_t[::1] keys = self.keys
        cdef uint8_t[::1] found = self.found
        cdef Py_ssize_t i, place
        if 2 * (self.count + self.limit + 7) <= keys.shape[0]:
            return
        while self.room < 4 * (self.count + self.limit + 7):
            self.room = 2 * self.room
        self.keys, self.found = np.full(self.room, -1, np.int64), np.zeros(self.room, np.uint8)
        for i in range(keys.shape[0]):
            if keys[i] >= 0:
                place = place_of(&self.keys[0], self.room, keys[i])
                self.keys[place], self.found[place] = keys[i], found[i]

    cdef bint enter(self, int64_t voxel) noexcept nogil:
        """Take a voxel into the flood under way; False where a flood came to it before."""
        cdef Py_ssize_t place = place_of(&self.keys[0], self.room, voxel)
        if self.keys[place] >= 0:
            return False
        self.keys[place], self.found[place] = voxel, FOUND_NOW
        self.count = self.count + 1
        return True

    cdef Py_ssize_t run(self, int64_t seed):
        """Flood from a voxel; the number of voxels of its component, 0 where it is beyond the limit or known."""
        cdef int32_t near[6]
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t reached = 1
        cdef Py_ssize_t i
        cdef bint large = False
        cdef int k
        self.make_room()
        if not is_open(self.level, seed) or not self.enter(seed):
            return 0
        self.front[0] = seed
        while done < reached and not large:
            face_neighbours(self.box, <int32_t> self.front[done], near)
            done = done + 1
            for k in range(6):
                if near[k] == NOWHERE or not is_open(self.level, near[k]):
                    continue
                if self.enter(near[k]):
                    self.front[reached] = near[k]
                    reached = reached + 1
                    large = large or reached > self.limit
                elif self.found[place_of(&self.keys[0], self.room, near[k])] == FOUND_LARGE:
                    large = True
        for i in range(reached):
            self.found[place_of(&self.keys[0], self.room, self.front[i])] = FOUND_LARGE if large else FOUND_SMALL
        return 0 if large else reached


def flood(Level level, const int64_t[::1] seeds, Py_ssize_t limit):
    """The pockets of 2 ... `limit` open voxels that hold any of the seeds.

    Returns
    -------
    list of int64 arrays, the sorted voxels of each.
    """
    cdef Floods floods = Floods(level, limit)
    cdef Py_ssize_t i, size
    pockets = []
    for i in range(seeds.shape[0]):
        size = floods.run(seeds[i])
        if size > 1:
            pockets.append(np.sort(floods.front[:size]))
    return pockets


def sinks_near(Level level, const int64_t[::1] changed, sinks, Py_ssize_t limit):
    """A sink in every component that a changed voxel is in or faces.

    Parameters
    ----------
    changed : int64, flat indices.
    sinks : list of one or two float32 [z, y, x], loss coefficients; a voxel with any of them above 0 is a sink.
    limit : voxels to look at around each.

    Returns
    -------
    int64, flat indices; None where there is a component in which none was found within the limit.
    """
    cdef const float[:, :, ::1] first = sinks[0]
    cdef const float[:, :, ::1] second = sinks[len(sinks) - 1]
    cdef const float* one = &first[0, 0, 0]
    cdef const float* other = &second[0, 0, 0]
    cdef Box box = Box(<int32_t> level.nz, <int32_t> level.ny, <int32_t> level.nx)
    cdef int32_t near[6]
    cdef int64_t seed, here
    cdef Py_ssize_t i
    cdef int k
    found = []
    for i in range(changed.shape[0]):
        face_neighbours(box, <int32_t> changed[i], near)
        seeds = [changed[i]] if is_open(level, changed[i]) else [site for site in near if site != NOWHERE]
        for seed in seeds:
            if not is_open(level, seed):
                continue
            known, front = {seed}, [seed]
            for here in front:
                if one[here] > 0 or other[here] > 0:
                    found.append(here)
                    break
                face_neighbours(box, <int32_t> here, near)
                for k in range(6):
                    if len(known) < limit and near[k] != NOWHERE and near[k] not in known and is_open(level, near[k]):
                        known.add(near[k])
                        front.append(near[k])
            else:
                return None
    return np.unique(np.array(found, np.int64))
