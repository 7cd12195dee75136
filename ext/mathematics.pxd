"""Exponential and logarithm that round alike on every machine, and the rules written with them.

The C library picks its own by processor (with or without fused multiply-add), which changes last bits.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy


cdef inline double exponential(double x) noexcept nogil:
    """exp(x) to about 1e-15 relative; x is cut to [-700, 700]."""
    if x > 700.0:
        x = 700.0
    elif x < -700.0:
        x = -700.0
    cdef int64_t k = <int64_t> (x * 1.4426950408889634 + (0.5 if x >= 0.0 else -0.5))
    # ln 2 in two parts, so that the reduced argument is exact
    cdef double r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10
    cdef double p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    cdef uint64_t bits = <uint64_t> (k + 1023) << 52
    cdef double power
    memcpy(&power, &bits, 8)
    return p * power


cdef inline double logarithm(double x) noexcept nogil:
    """ln(x) for finite x > 0 in the normal range, to about 1e-15."""
    cdef uint64_t bits
    memcpy(&bits, &x, 8)
    cdef int64_t k = <int64_t> (bits >> 52) - 1023
    bits = (bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull
    cdef double m
    memcpy(&m, &bits, 8)
    if m > 1.4142135623730951:
        m = 0.5 * m
        k = k + 1
    cdef double s = (m - 1.0) / (m + 1.0)
    cdef double z = s * s
    cdef double p = 1.0 / 21.0
    p = p * z + 1.0 / 19.0
    p = p * z + 1.0 / 17.0
    p = p * z + 1.0 / 15.0
    p = p * z + 1.0 / 13.0
    p = p * z + 1.0 / 11.0
    p = p * z + 1.0 / 9.0
    p = p * z + 1.0 / 7.0
    p = p * z + 1.0 / 5.0
    p = p * z + 1.0 / 3.0
    p = p * z + 1.0
    return k * 0.6931471805599453 + 2.0 * s * p


cdef inline double event_probability(double rate, double dt) noexcept nogil:
    """Probability 1 - exp(-rate dt) that an event of that rate happens within dt."""
    return 1.0 - exponential(-rate * dt)


cdef inline double occupancy(double concentration, double half) noexcept nogil:
    """Share of receptors with ligand: C / (C + K)."""
    return concentration / (concentration + half)


cdef inline double receptor_signal(double level, double theta, double desensitisation) noexcept nogil:
    """Signal R theta / (1 + beta theta) of a receptor of level R."""
    return level * theta / (1.0 + desensitisation * theta)


cdef inline double saturating(double x, double half) noexcept nogil:
    """x / (x + half), and 0 at x = 0."""
    return x / (x + half) if x > 0.0 else 0.0


cdef inline double hill_inhibition(double x, double half, double exponent) noexcept nogil:
    """1 / (1 + (x / half)^n): 1 at x = 0, falling to 0."""
    if x <= 1e-30:
        return 1.0
    return 1.0 / (1.0 + exponential(exponent * logarithm(x / half)))
