"""Conversion of one cell type into another: activated fibroblasts, damaged stroma."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from marrowsim._engine import conversion as kernel
from marrowsim.config import Config
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State


class Conversion(ShippedProcess):
    """A cell of a type with `converts_to` turns into that type at rate `conversion_rate`, with probability
    1 - exp(-r dt) a step, while at least one cell of the type `converted_by` is within `conversion_reach` of it.

    All cells look at what their neighbours were at the start of the step. What a converted cell is from then on
    follows from the parameters of its new type; identity, place and inherited CXCR4 level stay.
    """

    name: ClassVar[str] = "conversion"
    reads: ClassVar[tuple[str, ...]] = ("cells", "occupant")
    writes: ClassVar[tuple[str, ...]] = ("cells",)

    def update(self, state: State, clock: Clock) -> None:
        """Convert; at no cost but a count of types where nothing that induces is there."""
        cells, config = state.cells, state.config
        rules, into = self._rules(config)
        there = np.bincount(cells.type, minlength=len(into)) > 0
        able = (rules[:, 0] > 0) & there & there[rules[:, 1].astype(int)]
        if not able.any():
            return
        rows = np.flatnonzero(able[cells.type] & (cells.site >= 0)).astype(np.int32)
        converts = np.zeros(len(rows), dtype=np.uint8)
        kernel.decide(
            clock.seed, clock.step, clock.dt, rows, cells.id, cells.type, cells.site, state.occupant, rules,
            converts, clock.threads,
        )  # fmt: skip
        rows = rows[converts.view(bool)]
        target = into[cells.type[rows]]
        for code in np.unique(target):
            state.tally(f"converted to {config.cell_names[code]}", rows[target == code])
        cells.type[rows] = target
        state.express(rows)

    @staticmethod
    def _rules(config: Config) -> tuple[np.ndarray, np.ndarray]:
        """Rate, inducing type and reach in voxel edges of each type, and the type that it turns into."""
        rules = np.zeros((len(config.cells), 3))
        into = np.arange(len(config.cells), dtype=np.uint8)
        for code, cell in enumerate(config.cells.values()):
            if cell.converts_to is not None and cell.converted_by is not None:
                reach = cell.conversion_reach / config.geometry.voxel
                rules[code] = cell.conversion_rate, config.code(cell.converted_by), reach
                into[code] = config.code(cell.converts_to)
        return rules, into
