"""Drugs in the body, by their dose schedules."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from marrowsim._engine import kinetics
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State

ACCOUNTS = ("given", "depot", "body", "eliminated", "level")


class Drugs(ShippedProcess):
    """Each `[[dose]]` goes into a depot, from where it is absorbed into one compartment and eliminated, both of
    first order, solved exactly. What acts during a step is the mean level over it: the amount eliminated in
    the step over rate, time and volume.

    Records, float64 by drug in the order of `Config.dosed`: `drugs/given`, `depot`, `body`, `eliminated` (mg/kg,
    given = depot + body + eliminated), and `drugs/level`, the mean over the step (nM).
    """

    name: ClassVar[str] = "drugs"
    reads: ClassVar[tuple[str, ...]] = ("records",)
    writes: ClassVar[tuple[str, ...]] = ("records",)

    def prepare(self, state: State, clock: Clock) -> None:
        """Open the accounts of the drugs that are dosed."""
        if state.config.dosed:
            for account in ACCOUNTS:
                state.records[f"drugs/{account}"] = np.zeros(len(state.config.dosed))

    def update(self, state: State, clock: Clock) -> None:
        """Go from dose to dose through the step."""
        config = state.config
        if not config.dosed:
            return
        if "drugs/given" not in state.records:
            self.prepare(state, clock)
        drugs = [config.drugs[name] for name in config.dosed]
        absorption = np.array([math.log(2.0) / drug.absorption_half_life for drug in drugs])
        elimination = np.array([math.log(2.0) / drug.elimination_half_life for drug in drugs])
        given, depot, body, eliminated, level = (state.records[f"drugs/{account}"] for account in ACCOUNTS)
        begin, end = clock.step * clock.dt, (clock.step + 1) * clock.dt
        lost = np.zeros(len(drugs))
        now = begin
        for time, number, amount in [*self._doses(state, begin, end), (end, 0, 0.0)]:
            held = depot + body
            kinetics.advance(depot, body, absorption, elimination, time - now)
            lost += held - (depot + body)
            depot[number] += amount
            given[number] += amount
            now = time
        eliminated += lost
        for number, drug in enumerate(drugs):
            level[number] = max(0.0, drug.level(lost[number] / (elimination[number] * (end - begin))))

    @staticmethod
    def _doses(state: State, begin: float, end: float) -> list[tuple[float, int, float]]:
        """Time, number of the drug and amount of the doses from `begin` on and before `end`, in their order."""
        config = state.config
        return sorted(
            (time, config.dosed.index(entry.drug), entry.amount)
            for entry in config.dose
            for time in entry.times_within(begin, end)
        )
