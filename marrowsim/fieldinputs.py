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


def mask_of(relative, codes: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """The relative diffusivity of each voxel, or of each code (float32 [1, 1, 256]); some voxel is open."""
    if codes is None:
        relative = term("relative_diffusivity", relative, shape)
        is_open = bool(relative.any())
    else:
        if not (isinstance(codes, np.ndarray) and codes.dtype == np.uint8 and codes.flags.c_contiguous):
            raise FieldError(
                Fault(
                    "the codes cannot be read in place",
                    allowed="uint8 [z, y, x] in C order",
                    given=f"{getattr(codes, 'dtype', type(codes).__name__)}",
                )
            )
        shaped("codes", codes[:1, :1, :1], (1, 1, 1) if codes.ndim == 3 else None)
        if codes.shape != shape:
            raise FieldError(Fault("codes has the wrong shape", f"[z, y, x] = {shape}", str(codes.shape)))
        relative = term("relative_diffusivity", np.reshape(relative, (1, 1, -1)), (1, 1, 256))
        is_open = any((codes == code).any() for code in np.flatnonzero(relative))
    if not is_open:
        raise FieldError(
            Fault(
                "no voxel is open to the substance",
                allowed="a relative diffusivity above 0 in at least one voxel",
                given="0 everywhere",
                remedy="give the tissue that the substance moves in a relative diffusivity of 1",
            )
        )
    return relative


def relative_by_code(tissue: np.ndarray, relative: Mapping[int, float] | None) -> tuple[np.ndarray, np.ndarray]:
    """Codes (uint8) and the relative diffusivity of each (256 numbers) from a mask or from tissue codes."""
    table = np.zeros(256, np.float32)
    if tissue.dtype == bool and relative is None:
        table[1] = 1
        return np.ascontiguousarray(tissue).view(np.uint8), table
    if relative is None or tissue.dtype.kind not in "iu":
        raise FieldError(
            Fault(
                "it is not said which voxels are open",
                allowed="a bool mask, or integer tissue codes with relative_diffusivity={code: number}",
                given=f"an array of {tissue.dtype} {'without' if relative is None else 'with'} a mapping",
            )
        )
    for code, value in relative.items():
        factor = number(f"relative_diffusivity[{code}]", value, "relative to diffusivity")
        if 0 <= code < 256:
            table[code] = factor
    missing = np.setdiff1d(np.unique(tissue), [code for code in relative if 0 <= code < 256])
    if missing.size:
        raise FieldError(
            Fault(
                "relative_diffusivity does not name every tissue",
                allowed="a number for each code in the array, 0 to 255",
                given=f"nothing for {', '.join(str(code) for code in missing)}",
                remedy="add the codes, with 0 for impermeable tissue",
            )
        )
    return np.ascontiguousarray(tissue, np.uint8), table
