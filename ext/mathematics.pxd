"""Exponential and logarithm that round alike on every machine, and the rules written with them (mathematics.h)."""

cdef extern from "mathematics.h" nogil:
    double exponential(double x) noexcept
    double logarithm(double x) noexcept
    double event_probability(double rate, double dt) noexcept
    double occupancy(double concentration, double half) noexcept
    double receptor_signal(double level, double theta, double desensitisation) noexcept
    double saturating(double x, double half) noexcept
    double hill_inhibition(double x, double half, double exponent) noexcept
