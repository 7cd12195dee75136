"""Mean and percentiles of a field in a tissue."""

from __future__ import annotations

import numpy as np

from marrowsim._engine import census


def summary(
    values: np.ndarray, tissue: np.ndarray, code: int, percents: tuple[float, ...], threads: int = 1
) -> tuple[float, ...]:
    """Mean and percentiles of a field in one tissue, as NumPy's but without a copy of the field.

    Parameters
    ----------
    values : float32, shape (nz, ny, nx)
    tissue : uint8, shape (nz, ny, nx)
    percents : 0 to 100; between two values the percentile is interpolated linearly.
    threads : the result does not depend on it.

    Returns
    -------
    tuple of float : NaN where the tissue does not occur, or a value is NaN.
    """
    counts, total = census.spectrum(values, tissue, code, threads)
    number = int(counts.sum())
    if number == 0 or np.isnan(total):
        return (float("nan"),) * (1 + len(percents))
    places = [(number - 1) * percent / 100.0 for percent in percents]
    wanted = sorted({min(int(place) + above, number - 1) for place in places for above in (0, 1)})
    ordered = dict(zip(wanted, _order_statistics(values, tissue, code, counts, wanted, threads), strict=True))
    found = [total / number]
    for place in places:
        below, above = ordered[int(place)], ordered[min(int(place) + 1, number - 1)]
        found.append(below + (above - below) * (place - int(place)))
    return tuple(found)


def _order_statistics(values, tissue, code, counts, wanted: list[int], threads: int) -> list[float]:
    """The values at some places of the sorted order, from the `counts` of `census.spectrum`."""
    ends = np.cumsum(counts)
    upper = np.searchsorted(ends, wanted, side="right")
    kept = np.unique(upper)
    row = np.full(counts.size, len(kept), dtype=np.uint8)
    row[kept] = np.arange(len(kept))
    inner = np.cumsum(census.spectrum_within(values, tissue, code, row, len(kept), threads), axis=1)
    found = []
    for place, half in zip(wanted, upper, strict=True):
        lower = np.searchsorted(inner[row[half]], place - (ends[half] - counts[half]), side="right")
        rank = np.uint32((int(half) << 16) | int(lower))
        bits = rank ^ np.uint32(0x80000000) if rank >> 31 else ~rank
        found.append(float(bits.view(np.float32)))
    return found
