"""Checks of what a field equation is made of; each raises FieldError with the remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np

from marrowsim.errors import Fault, FieldError


def number(name: str, value, unit: str) -> float:
    """The value, if it is a finite number of at least 0."""
    if not (isinstance(value, Real) and math.isfinite(value) and value >= 0):
        raise FieldError(Fault(f"{name} is not physical", f"a finite number >= 0 ({unit})", repr(value)))
    return float(value)


def positive(name: str, value, unit: str) -> float:
    """The value, if it is a finite number above 0."""
    if number(name, value, unit) == 0:
        raise FieldError(Fault(f"{name} is not physical", f"a finite number > 0 ({unit})", repr(value)))
    return float(value)


def count(name: str, value) -> int:
    """The value, if it is a whole number of at least 1."""
    if not (isinstance(value, Integral) and value >= 1):
        raise FieldError(Fault(f"{name} is not a count", "a whole number >= 1", repr(value)))
    return int(value)


def shaped(name: str, values, shape: tuple[int, int, int] | None = None) -> np.ndarray:
    """The array as float32 in C order, if its shape is right; its values are not looked at."""
    try:
        values = np.ascontiguousarray(values, np.float32)
    except (TypeError, ValueError) as reason:
        raise FieldError(Fault(f"{name} is not an array of numbers", given=str(reason))) from reason
    if values.ndim != 3 or values.size == 0 or (shape is not None and values.shape != shape):
        raise FieldError(
            Fault(
                f"{name} has the wrong shape",
                allowed=f"[z, y, x] = {shape}" if shape else "three axes [z, y, x], none of them empty",
                given=str(values.shape),
            )
        )
    return values


def term(name: str, values, shape: tuple[int, int, int] | None = None) -> np.ndarray:
    """The array as float32 in C order, if its shape is right and its values are finite and >= 0."""
    values = shaped(name, values, shape)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high < np.inf):
        raise FieldError(Fault(f"{name} has values that are not physical", "finite and >= 0", f"{low:g} to {high:g}"))
    return values


def writable(field, shape: tuple[int, int, int]) -> None:
    """Refuse a field that cannot be solved in place."""
    if not (isinstance(field, np.ndarray) and field.dtype == np.float32 and field.flags.carray):
        given = f"{field.dtype}" if isinstance(field, np.ndarray) else type(field).__name__
        raise FieldError(
            Fault(
                "the field cannot be solved in place",
                allowed="a writable float32 array [z, y, x] in C order",
                given=given,
                remedy="np.ascontiguousarray(field, np.float32)",
            )
        )
    shaped("field", field, shape)


def relative_by_voxel(tissue: np.ndarray, relative: Mapping[int, float] | None) -> np.ndarray:
    """Relative diffusivity of each voxel from a mask or from tissue codes."""
    if tissue.dtype == bool and relative is None:
        return tissue.astype(np.float32)
    if relative is None or tissue.dtype.kind not in "iu":
        raise FieldError(
            Fault(
                "it is not said which voxels are open",
                allowed="a bool mask, or integer tissue codes with relative_diffusivity={code: number}",
                given=f"an array of {tissue.dtype} {'without' if relative is None else 'with'} a mapping",
            )
        )
    out = np.full(tissue.shape, np.nan, np.float32)
    for code, value in relative.items():
        out[tissue == code] = number(f"relative_diffusivity[{code}]", value, "relative to diffusivity")
    missing = np.unique(tissue[np.isnan(out)])
    if missing.size:
        raise FieldError(
            Fault(
                "relative_diffusivity does not name every tissue",
                allowed="a number for each code in the array",
                given=f"nothing for {', '.join(str(code) for code in missing)}",
                remedy="add the codes, with 0 for impermeable tissue",
            )
        )
    return out
