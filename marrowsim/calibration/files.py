"""What the file of a calibration says, and reading it with every fault at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, model_validator
from pydantic_core import PydanticCustomError
from scipy.special import ndtri

from marrowsim.config.faults import Places
from marrowsim.config.load import toml_text
from marrowsim.errors import ExperimentError, Fault, nearest
from marrowsim.experiments.files import tables
from marrowsim.experiments.statistics import LEVEL
from marrowsim.parameters import ParameterSet
from marrowsim.sweeps.files import PARTS, Source, read_source
from marrowsim.sweeps.model import Sweep

BUNDLED = (
    "oxygen-exchange",
    "slot-decay",
    "arrest-rate",
    "displacement-rate",
    "epc-influx",
    "fusion-rate",
    "bone-growth-gain",
)
"""The calibrations that are part of the program."""


class Target(ParameterSet):
    """What a readout should be, and how well that is known."""

    readout: str
    """readout of the file"""
    aim: FiniteFloat | None = None
    """value in the unit of the readout"""
    sd: Annotated[FiniteFloat, Field(gt=0)] | None = None
    """standard deviation of the aim"""
    band: tuple[FiniteFloat, FiniteFloat] | None = None
    """95 % interval, instead of aim and sd"""
    source: Annotated[str, Field(min_length=1)]
    """where the target is from"""

    @model_validator(mode="after")
    def _one_way(self) -> Target:
        given = self.aim is not None, self.sd is not None
        if (self.band is not None) == any(given) or any(given) != all(given):
            raise PydanticCustomError("target", "neither an aim nor a band", {"allowed": "aim and sd, or band"})
        if self.band is not None and not self.band[0] < self.band[1]:
            raise PydanticCustomError("target", "the band is empty", {"allowed": "the lower end first"})
        return self

    @property
    def normal(self) -> tuple[float, float]:
        """Mean and standard deviation, in the unit of the readout."""
        if self.band is None:
            return self.aim, self.sd
        low, high = self.band
        return (low + high) / 2, (high - low) / (2 * float(ndtri((1 + LEVEL) / 2)))


class Calibration(Sweep):
    """A sweep over priors, and the targets that its points are judged by."""

    design: Literal["halton", "latin hypercube"]
    """how the points are spread over the priors; of the first, more samples go on from fewer"""
    samples: Annotated[int, Field(ge=2, le=1_000_000)]
    """points"""
    accept: Annotated[float, Field(gt=0, le=1)] = 0.05
    """share of the draws, those nearest to the targets, that the posterior is made of"""
    target: Annotated[list[Target], Field(min_length=1)]


def calibration_text(name_or_path: str | Path) -> tuple[str, str]:
    """Text of a calibration and where it is from: the name of a bundled one, or a TOML file.

    Raises
    ------
    ExperimentError
        Where there is neither.
    """
    example = f"copy one: marrowsim calibrate {BUNDLED[0]} --print > my.toml"
    return toml_text(name_or_path, "calibration", __package__, BUNDLED, example, ExperimentError)


def load_calibration(name_or_path: str | Path) -> Source:
    """Read and check a calibration; its `sweep` is a `Calibration`.

    Raises
    ------
    ExperimentError
        With one fault for every wrong thing in the file.
    """
    text, where = calibration_text(name_or_path)
    parts = PARTS | {"target": Target}
    return read_source(text, where, bundled=where in BUNDLED, model=Calibration, parts=parts, more=_faults)


def _faults(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """What targets and priors ask of the rest of the file."""
    for number, item in tables(data, "parameter"):
        if "values" in item:
            where = places(("parameter", str(number), "values"))
            yield Fault("a prior is a range", "low, high and scale", str(item["values"]), where=where)
    known = [item["name"] for _, item in tables(data, "readout") if isinstance(item.get("name"), str)]
    seen = set()
    for number, item in tables(data, "target"):
        name, where = item.get("readout"), places(("target", str(number), "readout"))
        if not isinstance(name, str):
            continue
        if name not in known:
            yield Fault("unknown readout", ", ".join(known), f"'{name}'", nearest(name, known), where)
        if name in seen:
            yield Fault("two targets of one readout", given=f"'{name}'", where=where)
        seen.add(name)
