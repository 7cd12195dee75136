"""One level of the multigrid hierarchy, in two compact colours.

Voxel (z, y, x) belongs to colour (z + y + x) & 1 and is kept at [colour, z + 1, y + 1, x // 2]. Closed
voxels stand for the surroundings: a border of planes and rows, and the end of each row, which is also
what lies before the next one. All neighbours of a voxel have the other colour, so a half sweep reads
one colour and writes the other: it vectorises, and no order matters. Rows start at cache lines.
"""


cdef class Level:
    cdef readonly Py_ssize_t nz, ny, nx
    cdef readonly Py_ssize_t half   # voxels of one colour in a row, rounded up to a multiple of 16
    cdef readonly Py_ssize_t row    # floats from row to row, a multiple of 16
    cdef readonly bint finest
    cdef Py_ssize_t between         # voxels whose w is neither 0 nor 1
    cdef float[:, :, :, ::1] u    # unknown: scaled field on the finest level, correction below
    cdef float[:, :, :, ::1] d    # diagonal; CLOSED in closed voxels
    cdef float[:, :, :, ::1] s    # right-hand side
    cdef float[:, :, :, ::1] w    # root of the relative diffusivity; 1 in open voxels of a coarse level
    cdef float[:, :, :, ::1] n    # sum of the face conductances (coarse levels)
    cdef float[:, :, :, ::1] gx   # conductance of the face to the next voxel along x (coarse levels)
    cdef float[:, :, :, ::1] gy
    cdef float[:, :, :, ::1] gz


cdef inline float* place(float[:, :, :, ::1] a, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    """Element of a level array by its lattice coordinates, from -1 on."""
    return &a[(z + y + x) & 1, z + 1, y + 1, 0] + (x >> 1)


cdef inline float at(float[:, :, :, ::1] a, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    return place(a, z, y, x)[0]


cdef inline void put(float[:, :, :, ::1] a, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x,
                     float value) noexcept nogil:
    place(a, z, y, x)[0] = value


cdef extern from "multigrid_rows.h" nogil:
    const float CLOSED

    void relax_unit(float* u, const float* d, const float* s, const float* v, Py_ssize_t rows, Py_ssize_t n,
                    Py_ssize_t row, Py_ssize_t plane, Py_ssize_t parity, float omega, Py_ssize_t ahead)
    void relax_faces(float* u, const float* d, const float* s, const float* v, const float* gx,
                     const float* gy, const float* gz, const float* hx, const float* hy, const float* hz,
                     Py_ssize_t rows, Py_ssize_t n, Py_ssize_t row, Py_ssize_t plane, Py_ssize_t parity,
                     float omega)
    void residual_unit(float* sums, const float* w, const float* u, const float* d, const float* s,
                       const float* v, Py_ssize_t n, Py_ssize_t row, Py_ssize_t plane, Py_ssize_t parity)
    void residual_faces(float* sums, const float* u, const float* d, const float* s, const float* v,
                        const float* gx, const float* gy, const float* gz, const float* hx, const float* hy,
                        const float* hz, Py_ssize_t n, Py_ssize_t row, Py_ssize_t plane, Py_ssize_t parity)
    void add_correction(float* u, const float* w, const float* d, const float* e, Py_ssize_t n)
    void add_sinks(float* sums, const float* d, const float* faces, Py_ssize_t n)
    void set_diagonal(float* d, const float* w, const float* faces, const float* sinks, Py_ssize_t n)
    void split_row(float* even, float* odd, const float* line, Py_ssize_t n)
    void merge_row(float* line, const float* even, const float* odd, Py_ssize_t n)


cdef extern from "multigrid_terms.h" nogil:
    ctypedef struct Inspection:
        unsigned int largest
        unsigned int stray
        unsigned int least

    ctypedef struct Part:
        float* u
        float* d
        float* s
        const float* w

    void load_plain(const Part* even, const Part* odd, float* sinks, const float* c, const float* source,
                    const float* rate, float scale, Py_ssize_t nx, Py_ssize_t row, Py_ssize_t plane,
                    Inspection* seen)
    void load_general(const Part* even, const Part* odd, float* sinks, const float* c, const float* source,
                      const float* rate, const float* uptake, float half_saturation, float scale, Py_ssize_t nx,
                      Py_ssize_t row, Py_ssize_t plane, Inspection* seen)
    void store_plain(float* field, float* terms, const float* u0, const float* u1, const float* d0,
                     const float* d1, const float* source, const float* rate, Py_ssize_t nx, int* least,
                     double* sums)
    void store_general(float* field, float* terms, const float* u0, const float* u1, const float* w0,
                       const float* w1, const float* source, const float* rate, const float* uptake,
                       float half_saturation, Py_ssize_t nx, int* least, double* sums)
