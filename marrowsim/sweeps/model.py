"""What the file of a sweep says."""

from __future__ import annotations

import math
import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from marrowsim.experiments.model import Readout
from marrowsim.parameters import ParameterSet
from marrowsim.units import convert

FORMAT = 1
QUANTITY = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(.*?)\s*$", re.IGNORECASE)
DIGITS = 9
"""Significant digits of drawn and converted values, so that other machines draw the same ones."""
Design = Literal["grid", "latin hypercube", "halton", "sobol", "morris"]


class Parameter(ParameterSet):
    """A key of the scenario that is varied: over values, or between two of them."""

    key: Annotated[str, Field(min_length=1)]
    """key of the scenario, as for --set"""
    label: str = ""
    """words for figures; the key where not given"""
    values: Annotated[list[Any], Field(min_length=1)] | None = None
    """values to take; designs other than grids draw them with equal probability"""
    low: float | str | None = None
    """smallest value, with its unit"""
    high: float | str | None = None
    """largest value, with its unit"""
    scale: Literal["linear", "log"] = "linear"
    """whether values are spread evenly, or evenly in their logarithm"""
    count: Annotated[int, Field(ge=2)] | None = None
    """values between low and high, in a grid"""

    @model_validator(mode="after")
    def _one_way(self) -> Parameter:
        ends = self.low is not None, self.high is not None
        if (self.values is not None) == any(ends) or any(ends) != all(ends):
            raise _refused("neither values nor a range", "values, or low and high")
        if self.values is not None:
            if self.scale == "log" or self.count is not None:
                raise _refused("scale and count belong to a range", "values alone, or low and high with them")
            keys = [repr(value) for value in self.values]
            if len(set(keys)) < len(keys):
                raise _refused("a value is there twice", "different values")
            return self
        try:
            low, high = self.ends
        except ValueError as error:
            raise _refused(str(error), "numbers with one unit, or without") from None
        if not low < high:
            raise _refused("the range is empty", "low less than high")
        if self.scale == "log" and low <= 0:
            raise _refused("a logarithmic range begins above 0", "low more than 0")
        return self

    @cached_property
    def unit(self) -> str:
        """Unit of `number`: that of the first value, or of `low`; empty where there is none."""
        first = self.low if self.values is None else self.values[0]
        return _parts(first)[1] if isinstance(first, str) and QUANTITY.match(first) else ""

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Both ends of the range in `unit`."""
        return self.number(self.low), self.number(self.high)

    @property
    def title(self) -> str:
        """The key with its unit, as the head of a column."""
        return f"{self.key} ({self.unit})" if self.unit else self.key

    @property
    def words(self) -> str:
        """Label with the unit, for figures."""
        return (self.label or self.key) + (f" ({self.unit})" if self.unit else "")

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers of one unit."""
        return self.values is None or all(isinstance(self.shown(value), float) for value in self.values)

    def number(self, value: Any) -> float:
        """A value in `unit`. ValueError where it is no quantity in it."""
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError(f"{value!r} is not a number")
        if not isinstance(value, str):
            if self.unit:
                raise ValueError(f"{value!r} has no unit")
            return float(value)
        amount, unit = _parts(value)
        if unit and not self.unit:
            raise ValueError(f"'{value}' has a unit, and others have none")
        return amount if unit == self.unit else _rounded(convert(value, _unit(self.unit)))

    def shown(self, value: Any) -> float | str:
        """A value as tables show it: a number in `unit`, or text where it is none."""
        try:
            return self.number(value)
        except ValueError:
            return str(value)

    def at(self, share: float) -> Any:
        """The value of the scenario at a place between 0 and 1 of the range or of the values."""
        if self.values is not None:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        low, high = self.ends
        if self.scale == "log":
            number = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            number = low + share * (high - low)
        number = _rounded(number)
        return f"{number!r} {_unit(self.unit)}" if isinstance(self.low, str) else number

    @property
    def extremes(self) -> dict[str, Any]:
        """Values that the scenario must take, by what they are called in the file."""
        if self.values is not None:
            return {f"values.{number}": value for number, value in enumerate(self.values)}
        return {"low": self.at(0.0), "high": self.at(1.0)}


def _refused(what: str, allowed: str) -> PydanticCustomError:
    return PydanticCustomError("parameter", "{what}", {"what": what, "allowed": allowed})


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def _parts(text: str) -> tuple[float, str]:
    match = QUANTITY.match(text)
    if match is None:
        raise ValueError(f"'{text}' is not a number with a unit")
    return float(match[1]), match[2]


def _unit(text: str) -> str:
    """A unit as pint reads it by itself: "/d" is "1/d"."""
    return f"1{text}" if text.startswith("/") else text


class Reference(ParameterSet):
    """What runs are compared with: the same point with the same seed, changed."""

    knockouts: list[str] = []
    """arrows switched off in it, besides the sweep's"""
    set: dict[str, Any] = {}
    """values that win over those of the point; where they settle each parameter, the points of a seed share it"""
    readouts: Annotated[list[str], Field(min_length=1)]
    """those that are given as the value in the point over the value in its reference"""


class Sweep(ParameterSet):
    """A scenario, the parameters that are varied, and how."""

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    """version of the format of sweeps"""
    id: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """short name"""
    title: str
    """what is asked, in a few words"""
    scenario: str
    """a bundled scenario, or a file beside this one"""
    knockouts: list[str] = []
    """arrows switched off in every point"""
    set: dict[str, Any] = {}
    """values of the scenario that every point has"""
    design: Design
    """which points: all combinations, a Latin hypercube, a scrambled Halton sequence, Saltelli's scheme on a Sobol
    sequence, Morris trajectories"""
    samples: Annotated[int, Field(ge=2, le=1_000_000)] | None = None
    """points of a hypercube or a Halton sequence, base samples of a Sobol design, trajectories of a Morris one; grids
    have none"""
    replicates: Annotated[int, Field(ge=1, le=10_000)] = 1
    """seeds of each point"""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """what the design and the seeds of the replicates are drawn from"""
    random_numbers: Literal["common", "independent"] = "common"
    """whether the points of one replicate share a seed, or each has its own"""
    parameter: Annotated[list[Parameter], Field(min_length=1)]
    readout: Annotated[list[Readout], Field(min_length=1)]
    reference: Reference | None = None
