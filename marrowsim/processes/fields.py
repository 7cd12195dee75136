"""The diffusible fields: oxygen, CXCL12, and whatever the scenario adds."""

from __future__ import annotations

import weakref
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, PrivateAttr

from marrowsim import tissues
from marrowsim._engine import exchange
from marrowsim.config import Config, FieldType
from marrowsim.fieldsolver import FieldSolver
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.processes.hypoxia import sensed_response
from marrowsim.state import State

CELL_VOLUME = 1000.0
"""Volume that an explicit cell takes from the implicit background, um^3."""

DIAGNOSTICS = ("update norm", "mass balance", "undershoot", "quasi-steady error")
"""What the last solution of a field is judged by; the last one where the field has `quasi_steady_check`."""


class Fields(ShippedProcess):
    """Each field obeys div(D grad c) - k c - q c / (c + K) + s = 0, or its backward Euler step, with zero flux
    where it does not diffuse. Sources and sinks are those of tissue, vessel wall and cells at the time.
    With low oxygen the secretion of a cell rises as 1 + (F - 1) x, x its response to hypoxia, and that of the vessel
    wall as 1 + (F - 1) h(p), h(p) = 1 / (1 + (p / p50)^n), at once.

    Solved in the order of the catalogue, by multigrid from the last solution, once a step or, where a field has an
    `interval`, once in that time; a field that is 0 and that nothing secretes stays so. What other processes release
    into a field stands in the records `release/<field>/voxel` (int64, each once) and `.../rate` (float32, field unit /
    min).
    """

    name: ClassVar[str] = "fields"
    reads: ClassVar[tuple[str, ...]] = ("cells", "occupant", "tissue", "fields")
    writes: ClassVar[tuple[str, ...]] = ("fields",)

    cold_cycles: Annotated[int, Field(ge=1, le=1000)] = 12
    """multigrid cycles for a solution without a good first guess"""

    _solvers: dict[bytes, FieldSolver] = PrivateAttr(default_factory=dict)
    _seen: dict[bytes, int] = PrivateAttr(default_factory=dict)
    _owner: Any = PrivateAttr(default=None)
    _work: dict[str, np.ndarray] = PrivateAttr(default_factory=dict)

    def prepare(self, state: State, clock: Clock) -> None:
        """Solve all fields from their first guesses."""
        self._solve_all(state, clock, cold=True)
        hypoxia = state.config.processes["hypoxia"]
        if hypoxia.enabled:
            hypoxia.prepare(state, clock)
        self._solve_all(state, clock, cold=True)  # secretion depends on oxygen, uptake on the field itself

    def update(self, state: State, clock: Clock) -> None:
        """Solve all fields for the present cells."""
        self._solve_all(state, clock, cold=False)

    def _belong_to(self, state: State) -> None:
        """Forget the work space of another state that was run with the same configuration."""
        if self._owner is None or self._owner() is not state:
            for cache in (self._solvers, self._seen, self._work):
                cache.clear()
            self._owner = weakref.ref(state)

    def _solve_all(self, state: State, clock: Clock, *, cold: bool) -> None:
        self._belong_to(state)
        for name, field in state.config.active_fields.items():
            values = state.fields[name]
            if field.held_at is not None:
                held = np.float32(field.held(state.minutes))
                values[...] = np.where(permeability(field)[state.tissue] > 0, held, np.float32(0))
                continue
            due = cold or is_due(field, clock)
            if not (due and (is_secreted(state, name, field) or values.any())):
                kinds = DIAGNOSTICS if field.quasi_steady_check else DIAGNOSTICS[:-1]
                state.diagnostics |= {f"{name} {kind}": 0.0 for kind in kinds}
                continue
            source, decay, uptake = self._exchange(state, clock, name, field)
            solver = self._solver(state, field)
            terms = {"uptake": uptake if uptake.size else None, "half_saturation": field.half_saturation}
            checked = values.copy() if field.quasi_steady_check and not cold else None
            report = solver.solve(
                values, source, decay, **terms,
                time_step=clock.dt if field.time_scheme == "implicit" and not cold else None,
                cycles=self.cold_cycles if cold or field.flattened else field.cycles, threads=clock.threads,
            )  # fmt: skip
            state.diagnostics[f"{name} update norm"] = report.update_norm
            state.diagnostics[f"{name} mass balance"] = report.mass_balance
            state.diagnostics[f"{name} undershoot"] = report.undershoot
            if field.quasi_steady_check:
                state.diagnostics[f"{name} quasi-steady error"] = 0.0
            if checked is not None:
                solver.solve(
                    checked, source, decay, **terms, time_step=clock.dt, cycles=self.cold_cycles, threads=clock.threads
                )
                state.diagnostics[f"{name} quasi-steady error"] = relative_distance(checked, values)
            if field.flattened:
                permeable = permeability(field)[state.tissue] > 0
                values[permeable] = np.float32(values[permeable].mean(dtype=np.float64))
        self._work.clear()  # 12 B a voxel that the writing of a checkpoint may need

    def _solver(self, state: State, field: FieldType) -> FieldSolver:
        """The solver of a field, with the present tissue.

        Fields of the same permeability have one solver, and all solvers share one working memory.
        """
        relative = permeability(field)
        key = relative.tobytes()
        if key not in self._solvers:
            like = next(iter(self._solvers.values()), None)
            self._solvers[key] = FieldSolver(
                relative, state.config.geometry.voxel, field.diffusivity, like=like, codes=state.tissue
            )
        elif self._seen[key] != state.tissue_version:
            voxels = state.tissue_changes_since(self._seen[key])
            if voxels is None:
                self._solvers[key].update_mask(relative, state.tissue)
            else:
                self._solvers[key].update_voxels(voxels, relative[state.tissue.reshape(-1)[voxels]])
        self._seen[key] = state.tissue_version
        self._solvers[key].diffusivity = field.diffusivity
        return self._solvers[key]

    def _exchange(self, state: State, clock: Clock, name: str, field: FieldType) -> tuple[np.ndarray, ...]:
        """Source, decay and uptake arrays (no uptake: no planes); they are overwritten by the next field."""
        config, cells = state.config, state.cells
        table, cell_rates = by_tissue(config, name, field), by_cell(config, name)
        saturable = bool(table[..., 2].any() or cell_rates[:, 2].any())
        out = tuple(self._array(key, state.tissue.shape) for key in ("source", "decay"))
        out += (self._array("uptake", state.tissue.shape) if saturable else np.zeros((0, 0, 0), np.float32),)
        induced = table[..., 3].any()
        exchange.spread(
            state.tissue, state.walls, table, state.fields["oxygen"] if induced else np.zeros((0, 0, 0), np.float32),
            config.hypoxia.half_pressure, config.hypoxia.exponent, *out, clock.threads,
        )  # fmt: skip
        exchange.add_cells(
            cells.site, cells.type, cells.cxcr4, cells.hypoxia, state.tissue, tissues.IS_ENTERABLE, cell_rates,
            max(0.0, 1.0 - CELL_VOLUME / config.voxel_volume),
            field.receptor_uptake * CELL_VOLUME / config.voxel_volume,
            state.fields[name], state.half_occupancy, *out, clock.threads,
        )  # fmt: skip
        voxels, rates = (state.records.get(f"release/{name}/{what}") for what in ("voxel", "rate"))
        if voxels is not None:
            out[0].reshape(-1)[voxels] += rates
        return out

    def _array(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        if key not in self._work:
            self._work[key] = np.empty(shape, dtype=np.float32)
        return self._work[key]


def is_due(field: FieldType, clock: Clock) -> bool:
    """Whether a field is solved in this step: in the first one of each of its intervals."""
    if field.interval <= clock.dt:
        return True
    now, before = (step * clock.dt // field.interval for step in (clock.step, clock.step - 1))
    return now != before


def relative_distance(a: np.ndarray, b: np.ndarray) -> float:
    """L2 norm of a - b relative to that of b. `a` is overwritten."""
    np.square(np.subtract(a, b, out=a), out=a)
    change = a.sum(dtype=np.float64)
    total = np.square(b, out=a).sum(dtype=np.float64)
    return float(np.sqrt(change / total)) if total > 0 else 0.0


def is_secreted(state: State, name: str, field: FieldType) -> bool:
    """Whether vessel walls, blood, what bone releases or a cell that is there now give to a field."""
    released = state.records.get(f"release/{name}/voxel", ())
    if field.wall_secretion > 0 or any(field.blood.values()) or len(released):
        return True
    present = np.bincount(state.cells.type, minlength=len(state.config.cells)) > 0
    return bool((state.config.exchange("secretion", name)[present] > 0).any())


def permeability(field: FieldType) -> np.ndarray:
    """Relative diffusivity by tissue code: float32, shape (256,)."""
    return tissues.lookup({tissues.CODES[name]: value for name, value in field.relative_diffusivity.items()})


def by_tissue(config: Config, name: str, field: FieldType) -> np.ndarray:
    """Source, decay and uptake of a voxel of each tissue with each number of faces at a vessel wall, and its further
    source in anoxia.

    float32, shape (256, 8, 4), in field unit / min.
    """
    table = np.zeros((256, 8, 4))
    background = config.per_voxel(name, field.background_uptake * config.voxel_volume / CELL_VOLUME)
    for code in tissues.ENTERABLE:
        table[code, :, 1] = field.decay
        table[code, :, 2] = background * field.relative_background.get(tissues.NAMES[code], 0.0)
    for tissue, value in field.blood.items():
        table[tissues.CODES[tissue]] = (field.blood_exchange * value, field.blood_exchange, 0.0, 0.0)
    enterable, edge = tissues.IS_ENTERABLE.astype(bool), config.geometry.voxel
    wall_source = config.per_voxel(name, field.wall_secretion * edge**2 / 100.0) * np.arange(1, 8)
    induced = (field.wall_induction - 1.0) * wall_source
    table[enterable, 1:, 0] += wall_source
    if config.hypoxia.sensed is None:
        table[enterable, 1:, 3] += induced
    else:
        table[enterable, 1:, 0] += induced * sensed_response(config, config.hypoxia.sensed)
    table[enterable, 1:, 1] += field.wall_decay * 10.0 / edge
    return table.astype(np.float32)


def by_cell(config: Config, name: str) -> np.ndarray:
    """Secretion, induction and uptake of a cell of each type: float64, shape (types, 3)."""
    columns: list[Any] = [
        config.per_voxel(name, config.exchange("secretion", name)),
        config.exchange("induction", name, 1.0),
        config.per_voxel(name, config.exchange("uptake", name)),
    ]
    return np.ascontiguousarray(np.stack(columns, axis=1))
