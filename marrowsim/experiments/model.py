"""What an experiment file says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, FiniteFloat, model_validator
from pydantic_core import PydanticCustomError

from marrowsim.experiments.statistics import Effect
from marrowsim.parameters import ParameterSet
from marrowsim.units import Duration

FORMAT = 1
Replicates = Annotated[int, Field(ge=2, le=10_000)]


def _in_order(band: tuple[float, float]) -> tuple[float, float]:
    if band[0] > band[1]:
        raise PydanticCustomError("band", "the ends of a band are the other way round", {"allowed": "the lower first"})
    return band


Band = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(_in_order)]
ARMS_OF = {"ratio": ("to",), "ratio of means": ("to",), "difference": ("to",), "share": ("full", "none"), "value": ()}
"""Arms besides `of` that a kind of rule compares with."""


class Arm(ParameterSet):
    """One arm: what it changes of the experiment's scenario, and nothing else."""

    label: str = ""
    """words for tables and figures; the arm's name where not given"""
    scenario: str | None = None
    """a scenario of its own instead of the experiment's"""
    knockouts: list[str] = []
    """arrows switched off, besides the experiment's"""
    set: dict[str, Any] = {}
    """values that win over the experiment's"""


class Bounded(ParameterSet):
    """The quick form of an experiment: smaller, shorter, with fewer replicates. It decides nothing for good."""

    replicates: Replicates = 6
    """seeds"""
    set: dict[str, Any] = {}
    """values that win over the experiment's, and over which those of an arm win"""


class Readout(ParameterSet):
    """One number that every arm is measured by."""

    name: str
    """name in tables"""
    measure: str
    """function of `marrowsim.experiments.measures`"""
    unit: str = "1"
    """unit of the number"""
    options: dict[str, Any] = {}
    """what the measure takes"""
    at: Duration | None = None
    """time of measuring; the end where not given"""


class Bounds(ParameterSet):
    """A statement about an interval [low, high]; one of four."""

    above: FiniteFloat | None = None
    """the whole interval lies above this"""
    below: FiniteFloat | None = None
    """the whole interval lies below this"""
    within: Band | None = None
    """the whole interval lies between these (equivalence)"""
    includes: FiniteFloat | None = None
    """the interval includes this"""

    @model_validator(mode="after")
    def _one(self) -> Bounds:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise PydanticCustomError(
                "bounds", "not one condition on an interval", {"allowed": "one of above, below, within, includes"}
            )
        return self

    def hold(self, effect: Effect) -> bool:
        """Whether the interval is so; never where there is none, or too few replicates to judge by it."""
        if not effect.conclusive:
            return False
        if self.above is not None:
            return effect.low > self.above
        if self.below is not None:
            return effect.high < self.below
        if self.within is not None:
            return self.within[0] <= effect.low and effect.high <= self.within[1]
        return effect.low <= self.includes <= effect.high

    def __str__(self) -> str:
        (name, value), *_ = self.model_dump(exclude_none=True).items()
        if name == "within":
            return f"within {value[0]:g} to {value[1]:g}"
        return f"{name} {value:g}"


class Rule(ParameterSet):
    """A comparison of arms, and what its interval says about the claim."""

    name: str
    """the rule in words"""
    kind: Literal["ratio", "ratio of means", "difference", "share", "value"]
    """what is estimated: of / to (paired, geometric mean, or of the means), of - to, (of - none) / (full - none), of"""
    readout: str
    """what is compared"""
    of: str
    """arm"""
    to: str | None = None
    """arm that it is compared with (ratio, difference)"""
    full: str | None = None
    """arm with the whole effect (share)"""
    none: str | None = None
    """arm without the effect (share)"""
    expected: Band | None = None
    """where the estimate was expected; reported as met or missed, decides nothing"""
    supports: Bounds | None = None
    """what the interval must be for support of the claim"""
    falsifies: Bounds | None = None
    """what the interval must be to falsify the claim"""

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms in the order in which the statistic takes them."""
        return tuple(name for name in (self.of, self.to, self.full, self.none) if name is not None)


class Experiment(ParameterSet):
    """An experiment: a claim, arms with paired seeds, readouts, and the rules of its decision."""

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    """version of the format of experiments"""
    id: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """short name, as S4"""
    title: str
    """what is tested, in a few words"""
    claim: str
    """the claim in one sentence"""
    scenario: str
    """a bundled scenario, or a file beside this one"""
    replicates: Replicates = 20
    """seeds"""
    knockouts: list[str] = []
    """arrows switched off in every arm"""
    set: dict[str, Any] = {}
    """values of the scenario that every arm has"""
    bounded: Bounded = Bounded()
    arms: Annotated[dict[str, Arm], Field(min_length=1)]
    readout: Annotated[list[Readout], Field(min_length=1)]
    rule: Annotated[list[Rule], Field(min_length=1)]
