"""The frozen configuration of a run: every constant, resolved, in canonical units."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from pydantic import Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from marrowsim.config.entities import CellType, FieldType
from marrowsim.config.own_process import Extension
from marrowsim.config.pharmacology import Dose, Drug
from marrowsim.config.sections import (
    Geometry,
    HypoxiaResponse,
    Injection,
    Output,
    Receptor,
    Region,
    Seeding,
    SoftTissue,
    Stroma,
    Time,
    Vessels,
)
from marrowsim.parameters import ParameterSet

FORMAT = 1


class Config(ParameterSet):
    """Everything that is constant in a run.

    Cell type codes are positions in `cells`. Process parameter sets are validated against the classes
    passed as validation context `{"processes": {name: class}}`.
    """

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    """version of the scenario format"""
    title: str = ""
    """one line that says what the scenario is"""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """seed of every random draw"""
    presets: list[str] = []
    """sets of values that the scenario starts from (see `marrowsim parameters --presets`)"""
    knockouts: list[str] = []
    """arrows that are switched off (see `marrowsim parameters --arrows`)"""
    extensions: list[Extension] | None = None
    """Python files with processes of the user's own"""
    time: Time = Time()
    geometry: Geometry = Geometry()
    vessels: Vessels = Vessels()
    soft_tissue: SoftTissue = SoftTissue()
    stroma: Stroma = Stroma()
    receptor: Receptor = Receptor()
    hypoxia: HypoxiaResponse = HypoxiaResponse()
    seeding: list[Seeding] = []
    injection: list[Injection] = []
    dose: list[Dose] = []
    region: Region | None = None
    """region of interest: where bone is also measured by itself"""
    output: Output = Output()
    cells: dict[str, CellType]
    fields: dict[str, FieldType]
    drugs: dict[str, Drug] = {}
    processes: dict[str, SerializeAsAny[ParameterSet]] = Field(default={}, validate_default=True)

    @field_validator("processes", mode="before")
    @classmethod
    def _known_processes(cls, value: Any, info: ValidationInfo) -> dict[str, ParameterSet]:
        known: Mapping[str, type[ParameterSet]] = (info.context or {}).get("processes", {})
        if not isinstance(value, dict):
            raise PydanticCustomError("dict_type", "not a table")
        faults: list[InitErrorDetails] = []
        sets = {}
        for name in value:
            if name not in known:
                error = PydanticCustomError("extra_forbidden", "unknown process")
                faults.append({"type": error, "loc": (name,), "input": value[name]})
        for name, model in known.items():
            try:
                sets[name] = model.model_validate(value.get(name, {}))
            except ValidationError as error:
                for item in error.errors(include_url=False):
                    kind = PydanticCustomError(item["type"], "{msg}", {"msg": item["msg"], **item.get("ctx", {})})
                    faults.append({"type": kind, "loc": (name, *item["loc"]), "input": item["input"]})
        if faults:
            raise ValidationError.from_exception_data("processes", faults)
        return sets

    @cached_property
    def cell_names(self) -> tuple[str, ...]:
        """Names of the cell types; the position is the code."""
        return tuple(self.cells)

    @cached_property
    def active_fields(self) -> dict[str, FieldType]:
        """The fields that runs have, by name: all but those of processes that are not enabled."""
        return {
            name: field
            for name, field in self.fields.items()
            if field.process is None or self.processes[field.process].enabled
        }

    def code(self, cell: str) -> int:
        """Code of a cell type."""
        return self.cell_names.index(cell)

    def family(self, cell: str) -> np.ndarray:
        """Codes of a cell type and of all that are `like` it, or like one of those: int64, sorted."""
        found = {cell}
        while True:
            more = {name for name, kind in self.cells.items() if kind.like in found} - found
            if not more:
                return np.array(sorted(map(self.code, found)), dtype=np.int64)
            found |= more

    @cached_property
    def dosed(self) -> tuple[str, ...]:
        """Names of the drugs that are given, in the order of `drugs`."""
        given = {entry.drug for entry in self.dose}
        return tuple(name for name in self.drugs if name in given)

    def column(self, name: str) -> np.ndarray:
        """One parameter of all cell types, by code: float64, shape (types,), canonical units."""
        return np.array([getattr(cell, name) for cell in self.cells.values()], dtype=np.float64)

    def columns(self, *names: str) -> np.ndarray:
        """Several parameters of all cell types: float64, shape (types, names), canonical units."""
        return np.array([[getattr(cell, name) for name in names] for cell in self.cells.values()], dtype=np.float64)

    def exchange(self, kind: str, field: str, default: float = 0.0) -> np.ndarray:
        """`uptake`, `secretion` or `induction` of one field by all cell types, by code: float64."""
        return np.array([getattr(cell, kind).get(field, default) for cell in self.cells.values()], dtype=np.float64)

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in um^3 (1000 um^3 = 1 pL)."""
        return self.geometry.voxel**3

    def per_voxel(self, field: str, amount_rate: np.ndarray | float) -> np.ndarray | float:
        """Amount per time (amol/min) of one cell as a rate of change (field unit / min) of its voxel."""
        micromolar = np.asarray(amount_rate) / self.voxel_volume * 1e3
        return micromolar / self.fields[field].amount_per_unit

    def resolved(self) -> dict[str, Any]:
        """The configuration as nested plain values with units, exact to the last bit."""
        return self.model_dump(mode="json", exclude_none=True)

    def digest(self) -> str:
        """SHA-256 of the resolved configuration."""
        text = json.dumps(self.resolved(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
