"""The response of cells to low oxygen, which follows what they sense with a delay, and the receptor level it sets."""

from cython.parallel cimport prange
from libc.stdint cimport int32_t, uint8_t
from .blocks cimport BLOCK_ROWS, hill_responses
from .mathematics cimport event_probability, hill_inhibition


cdef struct Response:
    double fixed           # response whatever the oxygen; negative where the type follows its own
    double induction       # factor on the receptor level at full response


def steady(double pressure, double half_pressure, double exponent):
    """Response h(p) = 1 / (1 + (p / half_pressure)^exponent) at a constant oxygen: float, 0 to 1."""
    return hill_inhibition(pressure, half_pressure, exponent)


def respond(double dt, const int32_t[::1] site, const uint8_t[::1] types, const float[::1] constitutive,
            const float[:, :, ::1] oxygen, double blood, double half_pressure, double exponent,
            double rise_rate, double fall_rate, const double[:, ::1] by_type,
            float[::1] response, float[::1] level, int threads):
    """Let the response x of every cell go towards h(p), exactly, and set its level R = R_0 (1 + (F - 1) x):

        x <- x + (h - x) (1 - exp(-r dt)),  h = 1 / (1 + (p / half_pressure)^exponent)

    with rate r, that of rising where x < h, and of falling elsewhere.

    Parameters
    ----------
    dt : minutes; infinite for the steady state.
    site, types, constitutive : columns of the cell table, shape (cells,); R_0 is `constitutive`.
    oxygen : float32, shape (nz, ny, nx); a cell without a site senses `blood`.
    half_pressure, exponent : of the response, in the unit of `oxygen`.
    rise_rate, fall_rate : 1/min.
    by_type : float64, shape (types, 2). Response that is had at once whatever the oxygen, negative where it follows
        the oxygen; and F.
    response, level : CHANGED, float32, shape (cells,). x and R.
    threads : number of threads.
    """
    cdef Py_ssize_t n = site.shape[0]
    if n == 0:
        return
    cdef Py_ssize_t blocks = (n + BLOCK_ROWS - 1) // BLOCK_ROWS
    cdef double rise = event_probability(rise_rate, dt)
    cdef double fall = event_probability(fall_rate, dt)
    cdef const float* field = &oxygen[0, 0, 0]
    cdef const Response* table = <const Response*> &by_type[0, 0]
    cdef Py_ssize_t block, first
    for block in prange(blocks, nogil=True, num_threads=threads, schedule="static"):
        first = block * BLOCK_ROWS
        _respond_block(min(BLOCK_ROWS, n - first), &site[first], &types[first], &constitutive[first], field, blood,
                       half_pressure, exponent, rise, fall, table, &response[first], &level[first])


cdef void _respond_block(Py_ssize_t n, const int32_t* site, const uint8_t* types, const float* constitutive,
                         const float* oxygen, double blood, double half_pressure, double exponent, double rise,
                         double fall, const Response* table, float* response, float* level) noexcept nogil:
    cdef float pressure[BLOCK_ROWS]
    cdef double target[BLOCK_ROWS]
    cdef const Response* kind
    cdef double x
    cdef float induction
    cdef Py_ssize_t i
    for i in range(n):
        pressure[i] = oxygen[site[i]] if site[i] >= 0 else <float> blood
    hill_responses(target, pressure, half_pressure, exponent, n)
    for i in range(n):
        kind = &table[types[i]]
        x = response[i]
        x = kind.fixed if kind.fixed >= 0.0 else x + (target[i] - x) * (rise if x < target[i] else fall)
        response[i] = <float> x
        induction = <float> kind.induction
        level[i] = constitutive[i] * (<float> 1.0 + (induction - <float> 1.0) * response[i])
