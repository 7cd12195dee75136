"""Drugs in the body, by their dose schedules."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from marrowsim._engine import kinetics
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State

ACCOUNTS = ("given", "depot", "body", "eliminated", "level")
BONE = "drugs/bone"


class Drugs(ShippedProcess):
    """Each `[[dose]]` goes into a depot, from where it is absorbed into one compartment and eliminated, both of
    first order, solved exactly. Of some drugs a share of what leaves the body binds to bone, which gives it up slowly.
    What acts during a step is the mean level over it, in the body, or in bone for a drug that binds there.

    Records, float64 by drug in the order of `Config.dosed`: `drugs/given`, `depot`, `body`, `eliminated` (mg/kg,
    given = depot + body + bone + eliminated), `drugs/level`, the mean over the step (nM), and where a drug that binds
    to bone is dosed, `drugs/bone` (mg/kg).
    """

    name: ClassVar[str] = "drugs"
    reads: ClassVar[tuple[str, ...]] = ("records",)
    writes: ClassVar[tuple[str, ...]] = ("records",)

    def prepare(self, state: State, clock: Clock) -> None:
        """Open the accounts of the drugs that are dosed."""
        config = state.config
        if config.dosed:
            for account in ACCOUNTS:
                state.records[f"drugs/{account}"] = np.zeros(len(config.dosed))
            if any(config.drugs[name].bone_share for name in config.dosed):
                state.records[BONE] = np.zeros(len(config.dosed))

    def update(self, state: State, clock: Clock) -> None:
        """Go from dose to dose through the step."""
        config = state.config
        if not config.dosed:
            return
        if "drugs/given" not in state.records:
            self.prepare(state, clock)
        drugs = [config.drugs[name] for name in config.dosed]
        half_lives = [[item.absorption_half_life, item.elimination_half_life, item.bone_half_life] for item in drugs]
        absorption, elimination, release = np.ascontiguousarray((math.log(2.0) / np.array(half_lives)).T)
        share = np.array([drug.bone_share for drug in drugs])
        body_area, bone_area = np.zeros((2, len(drugs)))
        given, depot, body, eliminated, level = (state.records[f"drugs/{account}"] for account in ACCOUNTS)
        bone = state.records.get(BONE, np.zeros(len(drugs)))
        begin, end = clock.step * clock.dt, (clock.step + 1) * clock.dt
        now = begin
        for time, number, amount in [*self._doses(state, begin, end), (end, 0, 0.0)]:
            held = depot + body + bone
            kinetics.advance(
                depot, body, bone, body_area, bone_area, absorption, elimination, share, release, time - now
            )
            eliminated += held - (depot + body + bone)
            depot[number] += amount
            given[number] += amount
            now = time
        for number, drug in enumerate(drugs):
            acting = drug.bone_level(bone_area[number]) if drug.bone_share else drug.level(body_area[number])
            level[number] = acting / (end - begin)

    @staticmethod
    def _doses(state: State, begin: float, end: float) -> list[tuple[float, int, float]]:
        """Time, number of the drug and amount of the doses from `begin` on and before `end`, in their order."""
        config = state.config
        return sorted(
            (time, config.dosed.index(entry.drug), entry.amount)
            for entry in config.dose
            for time in entry.times_within(begin, end)
        )
