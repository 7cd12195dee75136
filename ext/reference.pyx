"""A frozen loop that benchmarks are measured against. Never tune it: its time is the unit.

One Jacobi sweep of the seven-point stencil in single precision, one thread, plain rows.
"""


def sweep(const float[:, :, ::1] source, float[:, :, ::1] target):
    """`target` becomes the mean of the six face neighbours in `source`; faces of the box are left alone.

    Parameters
    ----------
    source, target : float32, shape (nz, ny, nx).
    """
    cdef Py_ssize_t z, y, x
    cdef float sixth = 1.0 / 6.0
    with nogil:
        for z in range(1, source.shape[0] - 1):
            for y in range(1, source.shape[1] - 1):
                for x in range(1, source.shape[2] - 1):
                    target[z, y, x] = sixth * (
                        source[z - 1, y, x] + source[z + 1, y, x] + source[z, y - 1, x]
                        + source[z, y + 1, x] + source[z, y, x - 1] + source[z, y, x + 1])
