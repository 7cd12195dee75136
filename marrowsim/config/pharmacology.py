"""Drugs and the doses in which they are given."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from marrowsim.parameters import ParameterSet
from marrowsim.units import Duration, DurationOrNever, Fraction, In, PositiveDuration

TARGETS = ("cxcr4", "rankl", "osteoclast survival")
"""What a drug can inhibit: names that rules ask for by `State.inhibition`."""

DosePerMass = Annotated[float, In("mg/kg", high=1e4)]
MolarMass = Annotated[float, In("g/mol", low=1.0)]
VolumePerMass = Annotated[float, In("L/kg", low=1e-3)]
InhibitionConstant = Annotated[float, In("nM", low=1e-6)]


class Drug(ParameterSet):
    """A drug: one compartment with first-order absorption and elimination, and what it inhibits there.

    d depot / dt = -ln 2 / t_a depot;  d body / dt = ln 2 / t_a depot - ln 2 / t_e body;  level = body / volume.
    A drug with a `bone_share` s binds to bone, and inhibits by its level there:
    d bone / dt = s ln 2 / t_e body - ln 2 / t_b bone;  level = bone / volume of bone.
    """

    label: str
    """name in legends and tables"""
    like: str | None = None
    """drug that this one was derived from"""
    molar_mass: MolarMass
    """molar mass"""
    distribution_volume: VolumePerMass
    """volume that the absorbed drug seems to fill, per body mass"""
    absorption_half_life: PositiveDuration
    """half-life of the dose in the depot under the skin"""
    elimination_half_life: PositiveDuration
    """half-life of the absorbed drug in the body"""
    bone_share: Fraction = 0.0
    """share of what leaves the body that binds to bone"""
    bone_half_life: DurationOrNever = "never"
    """half-life of the bound drug in bone"""
    bone_volume: VolumePerMass = "0.04 L/kg"
    """volume of bone, per body mass"""
    inhibits: dict[str, InhibitionConstant] = {}
    """level that inhibits a target by half, in the absence of what competes with the drug"""

    def level(self, amount: float) -> float:
        """Concentration (nM) of an amount in the body (mg/kg)."""
        return amount / (self.molar_mass * self.distribution_volume) * 1e6

    def bone_level(self, amount: float) -> float:
        """Concentration in bone (nM) of an amount bound there (mg/kg)."""
        return amount / (self.molar_mass * self.bone_volume) * 1e6


class Dose(ParameterSet):
    """A drug given at a time, once or again and again."""

    drug: str
    """name of the drug"""
    amount: DosePerMass
    """drug given each time, per body mass"""
    at: Duration = "0 min"
    """time of the first dose after the start of the run"""
    every: PositiveDuration | None = None
    """time from one dose to the next; one dose only where not given"""
    count: Annotated[int, Field(ge=1)] | None = None
    """number of doses; where not given, one, or with `every` as many as the run has time for"""

    def times_within(self, begin: float, end: float) -> list[float]:
        """The times of doses from `begin` on and before `end`, all in minutes."""
        if self.every is None:
            return [self.at] if begin <= self.at < end else []
        first = max(0, int((begin - self.at) / self.every) - 1)
        last = int(max(0.0, end - self.at) / self.every) + 1
        last = last if self.count is None else min(last, self.count - 1)
        times = (self.at + number * self.every for number in range(first, last + 1))
        return [time for time in times if begin <= time < end]
