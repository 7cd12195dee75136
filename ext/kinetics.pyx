"""Drugs in the body: one compartment with first-order absorption and elimination."""

from .mathematics cimport exponential


def advance(double[::1] depot, double[::1] body, const double[::1] absorption, const double[::1] elimination,
            double dt):
    """Exact solution of d depot / dt = -a depot, d body / dt = a depot - e body over a time.

    Parameters
    ----------
    depot, body : float64, shape (drugs,). Amounts, in any one unit; changed.
    absorption, elimination : float64, shape (drugs,). a and e (1/min).
    dt : time, in minutes.
    """
    cdef Py_ssize_t i
    cdef double slower, apart, absorbed
    for i in range(depot.shape[0]):
        slower = min(absorption[i], elimination[i])
        apart = max(absorption[i], elimination[i]) - slower
        absorbed = depot[i] * absorption[i] * dt * exponential(-slower * dt) * _mean_decay(apart * dt)
        body[i] = body[i] * exponential(-elimination[i] * dt) + absorbed
        depot[i] = depot[i] * exponential(-absorption[i] * dt)


cdef inline double _mean_decay(double x) noexcept nogil:
    """(1 - exp(-x)) / x, the mean of exp(-x s) over s from 0 to 1; 1 at x = 0."""
    cdef double total = 1.0
    cdef double term = 1.0
    cdef int k
    if x > 0.5:
        return (1.0 - exponential(-x)) / x
    for k in range(2, 18):
        term = -term * x / k
        total = total + term
    return total
