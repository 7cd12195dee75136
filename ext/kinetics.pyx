"""Drugs in the body: first-order absorption and elimination, and what of it binds to bone."""

from .mathematics cimport exponential

cdef enum:
    MOST = 4    # compartments of a chain
    TERMS = 20  # of a series


def advance(double[::1] depot, double[::1] body, double[::1] bone, double[::1] body_area, double[::1] bone_area,
            const double[::1] absorption, const double[::1] elimination, const double[::1] share,
            const double[::1] release, double dt):
    """Exact solution over a time of

        d depot / dt = -a depot,  d body / dt = a depot - e body,  d bone / dt = s e body - b bone.

    Parameters
    ----------
    depot, body, bone : float64, shape (drugs,). Amounts, in any one unit; changed.
    body_area, bone_area : float64, shape (drugs,). The integrals of these amounts over the time are added to them.
    absorption, elimination, release : float64, shape (drugs,). a, e and b (1/min); any of them may be 0, or equal.
    share : float64, shape (drugs,). s.
    dt : time, in minutes.
    """
    cdef Py_ssize_t i
    cdef double a, e, b, bound
    cdef double[3] through_body
    cdef double[MOST] through_bone
    for i in range(depot.shape[0]):
        a, e, b = absorption[i] * dt, elimination[i] * dt, release[i] * dt
        bound = share[i] * e
        through_body[:] = [0.0, e, a]
        through_bone[:] = [0.0, b, e, a]
        body_area[i] += dt * (body[i] * _convolved(through_body, 2) + depot[i] * a * _convolved(through_body, 3))
        bone_area[i] += dt * (bone[i] * _convolved(through_bone, 2)
                              + bound * (body[i] * _convolved(through_bone, 3)
                                         + depot[i] * a * _convolved(through_bone, 4)))
        bone[i] = bone[i] * exponential(-b) + bound * (
            body[i] * _convolved(&through_bone[1], 2) + depot[i] * a * _convolved(&through_bone[1], 3))
        body[i] = body[i] * exponential(-e) + depot[i] * a * _convolved(&through_body[1], 2)
        depot[i] = depot[i] * exponential(-a)


cdef double _convolved(const double* rates, int n) noexcept nogil:
    """What has come to the end of a chain of `n` compartments after unit time, from unit amount in the first and unit
    rates of transfer: the convolution of exp(-x t) over the rates x of loss, which is a divided difference of exp(-x).
    """
    cdef double[MOST] x
    cdef double value
    cdef int i, j
    for i in range(n):
        value = rates[i]
        j = i
        while j > 0 and x[j - 1] > value:
            x[j] = x[j - 1]
            j -= 1
        x[j] = value
    return _divided_difference(x, n)


cdef double _divided_difference(const double* x, int n) noexcept nogil:
    """|exp(-x) [x_1, ..., x_n]| of rates in ascending order: by recursion where they lie apart, else by the series
    exp(-x_1) sum_k (-1)^k h_k / (k + n - 1)!, h_k the complete homogeneous polynomial of the differences to x_1.
    """
    cdef double spread = x[n - 1] - x[0]
    cdef double[TERMS] h
    cdef double total = 0.0
    cdef double factor = 1.0
    cdef int i, k
    if n == 1:
        return exponential(-x[0])
    if spread > 1.0:
        return (_divided_difference(x, n - 1) - _divided_difference(x + 1, n - 1)) / spread
    h[0] = 1.0
    for k in range(1, TERMS):
        h[k] = 0.0
    for i in range(1, n):
        for k in range(1, TERMS):
            h[k] = h[k] + (x[i] - x[0]) * h[k - 1]
    for k in range(2, n):
        factor = factor / k
    for k in range(TERMS):
        total = total + factor * h[k]
        factor = -factor / (k + n)
    return exponential(-x[0]) * total
