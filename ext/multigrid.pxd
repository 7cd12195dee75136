"""One level of the multigrid hierarchy, in two compact colours.

Voxel (z, y, x) belongs to colour (z + y + x) & 1 and is kept at [colour, z + 1, y + 1, x // 2 + 1];
a border of zeros stands for the closed surroundings. All neighbours of a voxel have the other
colour, so a half sweep reads one colour and writes the other: it vectorises, and no order matters.
"""


cdef class Level:
    cdef readonly Py_ssize_t nz, ny, nx
    cdef readonly Py_ssize_t half
    cdef readonly bint finest
    cdef float[:, :, :, ::1] u    # unknown: scaled field on the finest level, correction below
    cdef float[:, :, :, ::1] d    # diagonal; 0 in closed voxels
    cdef float[:, :, :, ::1] s    # right-hand side
    cdef float[:, :, :, ::1] w    # root of the relative diffusivity; 1 in open voxels of a coarse level
    cdef float[:, :, :, ::1] n    # sum of the face conductances (coarse levels)
    cdef float[:, :, :, ::1] gx   # conductance of the face to the next voxel along x (coarse levels)
    cdef float[:, :, :, ::1] gy
    cdef float[:, :, :, ::1] gz


cdef inline float at(float[:, :, :, ::1] a, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    """Element of a level array by its lattice coordinates."""
    return a[(z + y + x) & 1, z + 1, y + 1, (x >> 1) + 1]


cdef inline void put(float[:, :, :, ::1] a, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x,
                     float value) noexcept nogil:
    a[(z + y + x) & 1, z + 1, y + 1, (x >> 1) + 1] = value


cdef extern from "multigrid_rows.h" nogil:
    void relax_unit(float* u, const float* d, const float* s, const float* v, Py_ssize_t ny, Py_ssize_t n,
                    Py_ssize_t row, Py_ssize_t plane, Py_ssize_t parity)
    void relax_faces(float* u, const float* d, const float* s, const float* v, const float* gx,
                     const float* gy, const float* gz, const float* hx, const float* hy, const float* hz,
                     Py_ssize_t ny, Py_ssize_t n, Py_ssize_t row, Py_ssize_t plane, Py_ssize_t parity)
    void residual_unit(float* sums, const float* w, const float* u, const float* d, const float* s,
                       const float* v, Py_ssize_t n, Py_ssize_t row, Py_ssize_t plane, Py_ssize_t parity)
    void residual_faces(float* sums, const float* w, const float* u, const float* d, const float* s,
                        const float* v, const float* gx, const float* gy, const float* gz, const float* hx,
                        const float* hy, const float* hz, Py_ssize_t n, Py_ssize_t row, Py_ssize_t plane,
                        Py_ssize_t parity)
    void add_scaled(float* u, const float* w, const float* e, Py_ssize_t n)
    void split_row(float* even, float* odd, const float* line, Py_ssize_t n)
    void merge_row(float* line, const float* even, const float* odd, Py_ssize_t n)
    void load_row(float* u, float* d, float* s, float* sinks, float* kept, float* stray, const float* w,
                  const float* v, const float* c, const float* source, const float* rate, const float* uptake,
                  float half_saturation, float scale, Py_ssize_t n, Py_ssize_t row, Py_ssize_t plane,
                  Py_ssize_t parity, float* least)
    void unscale_row(float* values, const float* u, const float* w, Py_ssize_t n)
    void store_row(float* field, float* terms, const float* values, const float* source, const float* rate,
                   const float* uptake, float half_saturation, Py_ssize_t n, float* least, double* sums)
