"""Units at the surface, one canonical unit for each dimension inside.

Users write quantities as text with a unit (`"36 h"`, `"300 um^2/min"`); the program works in
um, min, amol, mmHg and nM. A bare number is accepted only where the quantity has no dimension.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

NEVER = "never"
BARE = re.compile(r"\s*[-+]?[\d.]+(e[-+]?\d+)?\s*$", re.IGNORECASE)
"""a number as text, without a unit; mg/kg and the like would take it for a share"""


@cache
def _registry():
    import pint  # noqa: PLC0415  (half a second, needed only once a scenario is read)

    registry = pint.UnitRegistry(cache_folder=None)
    registry.define("cell = 1 * count")
    registry.define("molecule = particle")
    return registry


@cache
def convert(text: str, unit: str) -> float:
    """A quantity such as `"5 um/h"` as a number of `unit`.

    Raises
    ------
    ValueError
        Where the text is no quantity, has no unit although one is needed, or has another dimension.
    """
    import pint  # noqa: PLC0415

    registry = _registry()
    try:
        quantity = registry.Quantity(text)
        return float(quantity.m_as(registry.Unit(unit) if unit != "1" else registry.dimensionless))
    except pint.DimensionalityError as error:
        raise ValueError(f"'{text}' is not a quantity in {unit}") from error
    except Exception as error:
        raise ValueError(f"'{text}' is not a number with a unit") from error


class In:
    """Marks a float field as a quantity in a canonical unit, for use in `Annotated[float, In("um")]`.

    Parameters
    ----------
    unit : canonical unit that the value is held in; `"1"` where there is no dimension.
    low, high : closed bounds, in that unit, beyond which a value makes no sense.
    never : whether the word `"never"` (an infinite time) is allowed.
    """

    def __init__(self, unit: str, low: float = 0.0, high: float = math.inf, never: bool = False):
        self.unit, self.low, self.high, self.never = unit, low, high, never

    def parse(self, value: Any) -> float:
        """The value in the canonical unit; a `PydanticCustomError` says what is wrong with it."""
        allowed = self.allowed()
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise PydanticCustomError("quantity", "not a quantity", {"allowed": allowed})
        if isinstance(value, str) and value.strip() == NEVER and self.never:
            return math.inf
        if self.unit != "1" and (not isinstance(value, str) or BARE.match(value)):
            raise PydanticCustomError("unit_missing", "a number without its unit", {"allowed": allowed})
        try:
            number = convert(value.strip(), self.unit) if isinstance(value, str) else float(value)
        except ValueError as error:
            raise PydanticCustomError("unit", "{text}", {"text": str(error), "allowed": allowed}) from None
        if not math.isfinite(number) or not self.low <= number <= self.high:
            raise PydanticCustomError("bounds", "out of bounds", {"allowed": allowed})
        return number

    def allowed(self) -> str:
        """What a value may be, in words."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        example = f'a quantity with a unit, such as "1{unit}"' if unit else "a number"
        bounds = "" if (self.low, self.high) == (-math.inf, math.inf) else f" from {self.low:g}"
        bounds += f" to {self.high:g}{unit}" if math.isfinite(self.high) else f"{unit} up" if bounds else ""
        return example + "," * bool(bounds) + bounds + f', or "{NEVER}"' * self.never

    def text(self, number: float) -> str | float:
        """The number as a user would write it, exact to the last bit."""
        if math.isinf(number):
            return NEVER
        return number if self.unit == "1" else f"{number!r} {self.unit}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler):
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(self.text)
        )


Length = Annotated[float, In("um")]
PositiveLength = Annotated[float, In("um", low=1e-3)]
Duration = Annotated[float, In("min")]
PositiveDuration = Annotated[float, In("min", low=1e-6)]
DurationOrNever = Annotated[float, In("min", low=1e-6, never=True)]
Rate = Annotated[float, In("1/min")]
Diffusivity = Annotated[float, In("um^2/min")]
Density = Annotated[float, In("1/um^3")]
DensityRate = Annotated[float, In("1/(um^3 min)")]
SurfaceDensity = Annotated[float, In("1/um^2")]
Concentration = Annotated[float, In("nM")]
Pressure = Annotated[float, In("mmHg")]
PressureRate = Annotated[float, In("mmHg/min")]
AmountRate = Annotated[float, In("amol/min")]
Number = Annotated[float, In("1")]
Fraction = Annotated[float, In("1", high=1.0)]
