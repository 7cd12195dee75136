"""Parameters that say what they are: every number carries symbol, unit, range, source and mark.

Confidence marks: V = read in the source's own text; VC = read in public source code; C = computed
from other numbers or measured in a small numerical test; R = recalled, the digit may be off;
E = estimate or modelling choice.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from marrowsim.units import In

MARKS = ("V", "VC", "C", "R", "E")


class ParameterSet(BaseModel):
    """A frozen set of parameters; unknown names and quantities of the wrong kind are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)


@dataclass(frozen=True)
class ParameterRecord:
    """One line of the parameter table (`marrowsim parameters`)."""

    key: str
    symbol: str
    meaning: str
    value: str
    unit: str
    range: str
    source: str
    mark: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def parameter(default: Any, meaning: str, *, symbol: str = "", span: str = "", source: str = "", mark: str = "E"):
    """Declare a parameter of a `ParameterSet`.

    Parameters
    ----------
    default : value as a user would write it, with its unit; `...` where the catalogue must give it.
    meaning : what it is, in a few words.
    symbol : symbol in equations.
    span : range of values found in the literature or thought plausible.
    source : where the default comes from.
    mark : confidence mark or marks, separated by '/'.
    """
    unknown = set(mark.split("/")) - set(MARKS)
    if unknown:
        raise ValueError(f"unknown confidence mark {unknown} on '{meaning}'; allowed: {MARKS}")
    extra = {"symbol": symbol, "range": span, "source": source, "mark": mark}
    return Field(default=default, description=meaning, json_schema_extra=extra)


def unit_of(field: Any) -> str:
    """Canonical unit of a pydantic field that was annotated with `In`, else an empty string."""
    return next((item.unit for item in field.metadata if isinstance(item, In)), "")


def records(model: type[ParameterSet], prefix: str) -> list[ParameterRecord]:
    """The parameters that a set declares with `parameter`, as lines of the parameter table."""
    lines = []
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("mark"):
            value = "none" if field.default is None else str(field.default)
            lines.append(
                ParameterRecord(
                    f"{prefix}.{name}",
                    str(extra["symbol"]),
                    field.description or "",
                    value,
                    unit_of(field),
                    str(extra["range"]),
                    str(extra["source"]),
                    str(extra["mark"]),
                )
            )
    return lines
