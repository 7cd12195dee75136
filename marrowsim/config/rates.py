"""Whether the time step resolves the events that compete for a cell.

A step decides once a cell which of several events happens, so their rates R and the step dt must keep
R dt below `MOST_EVENTS`; a single event has its exact probability 1 - exp(-r dt) at any step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from marrowsim.config.entities import CellType
from marrowsim.errors import Fault
from marrowsim.units import In

MOST_EVENTS = 0.3
"""Largest expected number of competing events of one cell in a step."""
RESIDENTS = ("hpc", "car", "lining", "fibroblast")


def rate_faults(
    cells: Mapping[str, Any], added: set[str], step: float, *, vessels: bool, where: str
) -> Iterator[Fault]:
    """A fault for each cell type of the run whose competing events are too fast for the time step.

    Parameters
    ----------
    cells : the tables of the cell types, as written; values that cannot be read are left to other checks.
    added : types that are seeded or injected, besides those that live in every marrow.
    step : time step (min).
    vessels : whether there is blood to be in.
    where : the place of the time step.
    """
    for name in cells:
        if name not in added and name not in RESIDENTS:
            continue
        total = max(_total(rates) for rates in _competing(cells[name], vessels))
        if total * step >= MOST_EVENTS:
            longest = MOST_EVENTS / total
            longest = math.floor(longest) if longest > 2.0 else math.floor(longest * 99.0) / 100.0
            yield Fault(
                f"time.step is too long for cells of type '{name}', which meet competing events at "
                f"up to {total:.3g} /min",
                f"a step below {MOST_EVENTS / total:.3g} min ({MOST_EVENTS:g} events a step)",
                f"{step:g} min",
                f'a shorter step, such as time.step = "{longest:g} min", or slower events',
                where,
            )


def _competing(cell: Any, vessels: bool) -> Iterator[tuple[float, ...]]:
    """Rates (1/min) of the events that compete: in the marrow, and in the blood."""
    value = {name: _number(cell, name) for name in CellType.model_fields}
    division = math.log(2.0) / value["division_time"] * (1.0 + value["growth_gain"])
    yield division, value["death_rate"], 1.0 / value["differentiation_time"]
    yield value["death_rate"], 1.0 / value["necrosis_time"], 1.0 / value["differentiation_time"]
    if vessels:
        yield value["clearance_rate"], value["arrest_rate"]


def _total(rates: tuple[float, ...]) -> float:
    """The sum of rates, where there are two or more that compete."""
    return sum(rates) if sum(rate > 0.0 for rate in rates) > 1 else 0.0


def _number(cell: Any, name: str) -> float:
    """A value of a cell type in its canonical unit; its default where it is not given or cannot be read."""
    field = CellType.model_fields[name]
    quantity = next((item for item in field.metadata if isinstance(item, In)), None)
    if quantity is None:
        return math.nan
    try:
        return quantity.parse(cell[name])
    except (PydanticCustomError, KeyError, TypeError):
        return quantity.parse(field.default)
