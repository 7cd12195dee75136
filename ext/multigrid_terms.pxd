"""The terms of a field equation, and the rows of equations made from them."""

from .multigrid_levels cimport Inspection, Level


cdef class Terms:
    cdef float[:, :, ::1] field
    cdef const float[:, :, ::1] source
    cdef const float[:, :, ::1] rate       # no planes: `uniform_rate` alone
    cdef const float[:, :, ::1] uptake     # no planes: none
    cdef readonly float uniform_rate
    cdef readonly float half_saturation
    cdef readonly float scale


cdef Py_ssize_t scratch_length(Level fine, Py_ssize_t rows) noexcept nogil
cdef void load_rows(Level fine, Level coarse, Terms terms, Py_ssize_t z, Py_ssize_t first, Py_ssize_t last,
                    bint renew, float* scratch, Inspection* seen) noexcept nogil
cdef void store_rows(Level fine, Terms terms, Py_ssize_t z, Py_ssize_t first, Py_ssize_t last, float* scratch,
                     int* least, double* sums) noexcept nogil
