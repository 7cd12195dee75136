"""What lives on the lattice: cell types and fields, as sets of parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_serializer, field_validator
from pydantic_core import PydanticCustomError

from marrowsim.parameters import ParameterSet
from marrowsim.units import (
    AmountRate,
    DensityRate,
    Diffusivity,
    Duration,
    DurationOrNever,
    Fraction,
    In,
    Number,
    Rate,
)


class CellType(ParameterSet):
    """A cell type. What a type does not mention, it does not do.

    Secretion and uptake are amounts per cell and time, so that they do not depend on the voxel edge.
    """

    label: str
    """name in legends and tables"""
    like: str | None = None
    """type that this one was derived from"""
    process: str | None = None
    """process that renews the cells; none arise by themselves in runs without that process"""

    cxcr4: Number = 0.0
    """mean CXCR4 level without hypoxia, relative to 25,000 receptors a cell"""
    cxcr4_spread: Number = 0.0
    """standard deviation of the logarithm of the CXCR4 level between cells"""
    cxcr4_induction: Number = 1.0
    """factor on the CXCR4 level in anoxia"""
    hif: Literal["responsive", "absent", "constitutive"] = "responsive"
    """response to hypoxia: by the oxygen, none (HIF-null), or always in full (VHL-null)"""

    motility: Diffusivity = "0 um^2/min"
    """random motility coefficient h^2 m / 6 without CXCR4 signal; m is the hop rate on a lattice of edge h"""
    motility_gain: Number = 0.0
    """relative rise of the hop rate at full CXCR4 signal (chemokinesis)"""
    motility_half_signal: Number = 0.5
    """CXCR4 signal at half of that rise"""
    persistence_time: Duration = "0 min"
    """mean time over which a cell keeps its direction"""
    chemotactic_sensitivity: Number = 0.0
    """kappa in the hop weight exp(kappa R s dtheta)"""

    division_time: DurationOrNever = "never"
    """shortest cycle; the division rate is ln 2 over it"""
    division_factor_bound: Number = 1.0
    """factor on the division rate while bound in a niche (quiescence below 1)"""
    death_rate: Rate = "0 /min"
    """death rate without survival signal"""
    growth_gain: Number = 0.0
    """relative rise of the division rate at full CXCR4 signal"""
    survival_gain: Fraction = 0.0
    """share of the death rate that full CXCR4 signal takes away"""
    bone_growth_gain: Number = 0.0
    """relative rise of the division rate by much TGF-beta, which resorbed bone releases"""
    dormancy: Duration = "0 min"
    """time without division after arrival from the blood"""
    necrosis_time: DurationOrNever = "never"
    """mean time to death below the necrotic pO2"""
    differentiation_time: DurationOrNever = "never"
    """mean time outside a niche to leaving as a mature blood cell"""

    niche_affinity: Number = 0.0
    """affinity to niche slots relative to an HPC; 0 does not bind"""
    displacement_rate: Rate = "0 /min"
    """rate at which an adjacent cell turns a slot's holder out, at infinite relative affinity"""

    converts_to: str | None = None
    """type that the cell may turn into"""
    converted_by: str | None = None
    """type whose cells make it do so"""
    conversion_rate: Rate = "0 /min"
    """rate of that while such a cell is within reach"""
    conversion_reach: Annotated[float, In("um", high=200.0)] = "0 um"
    """distance between centres up to which it is; the 26 voxels around always count, so that 0 um is contact"""

    clearance_rate: Rate = "0 /min"
    """loss from the blood to the rest of the body"""
    arrest_rate: Rate = "0 /min"
    """rate at which a circulating cell touches the vessel wall of the domain"""
    arrest_floor: Fraction = 0.0
    """share of contacts that arrest without CXCR4 signal"""
    arrest_half_level: Annotated[float, In("1", low=1e-6, never=True)] = 1.0
    """R theta at which half of the CXCR4-dependent share arrests"""
    arrest_exponent: Annotated[float, In("1", low=0.1, high=20.0)] = 1.0
    """Hill coefficient of R theta in arrest"""
    competitor_contact: Number = 0.0
    """contacts with the vessels of a competing organ, per contact with those of the domain"""
    influx: DensityRate = "0 /(mm^3 d)"
    """cells that the rest of the body sends into the blood of the domain, per volume of tissue and time"""
    renewal: DensityRate = "0 /(mm^3 d)"
    """cells that the implicit haematopoietic cells of the marrow give rise to, per volume of marrow and time"""
    extravasation_time: DurationOrNever = "never"
    """mean time from arrest to crossing the vessel wall"""
    egress_rate: Rate = "0 /min"
    """rate of entering the blood from a voxel at the vessel wall, without CXCL12"""

    incorporation_rate: Rate = "0 /min"
    """rate at which a free cell that touches a sprout becomes part of its wall"""
    crowding: Fraction = 0.0
    """how much a cell counts in the crowd in which vessels collapse"""

    uptake: dict[str, AmountRate] = {}
    """uptake of a field at saturation, per cell"""
    secretion: dict[str, AmountRate] = {}
    """secretion into a field in normoxia, per cell"""
    induction: dict[str, Number] = {}
    """factor on that secretion in anoxia"""

    @property
    def motile(self) -> bool:
        """Whether cells of the type can leave their voxel by themselves."""
        return self.motility > 0


class FieldType(ParameterSet):
    """A diffusible substance: div(D grad c) - k c - U(c) + s = 0, zero flux where it does not diffuse.

    Concentrations are in `unit`; an amount of 1 uM is `1 / solubility` of it (1 nM is 1e-3 uM).
    """

    label: str
    """name in legends and tables"""
    unit: Literal["nM", "mmHg", "1"]
    """unit of the concentration; 1 for one relative to `reference`"""
    process: str | None = None
    """process that the field is there for; runs without that process do not have it"""
    solubility: Annotated[float, In("uM/mmHg", low=1e-9)] = "1 uM/mmHg"
    """amount dissolved at unit pressure; only for fields in mmHg"""
    reference: Annotated[float, In("nM", low=1e-9)] = "1 nM"
    """concentration that 1 stands for; only for fields without a unit"""
    diffusivity: Diffusivity
    """effective diffusivity in marrow"""
    relative_diffusivity: dict[str, Fraction]
    """diffusivity in a tissue relative to marrow; tissues not named are impermeable"""
    initial: float
    """value from which the first solution starts"""
    decay: Rate = "0 /min"
    """first-order loss in marrow and soft tissue"""
    wall_decay: Rate = "0 /min"
    """further loss in voxels of marrow and soft tissue at a vessel wall"""
    wall_secretion: AmountRate = "0 amol/min"
    """secretion of the endothelium, per 100 um^2 of wall"""
    wall_induction: Number = 1.0
    """factor on that secretion in anoxia"""
    receptor_uptake: Rate = "0 /min"
    """loss by CXCR4 of explicit cells, per unit of R theta, in a voxel of 1000 um^3"""
    background_uptake: AmountRate = "0 amol/min"
    """uptake at saturation of the implicit haematopoietic cells, per 1000 um^3 of marrow"""
    relative_background: dict[str, Number] = {"marrow": 1.0}
    """uptake of the implicit cells of a tissue relative to those of the marrow; tissues not named have none"""
    half_saturation: float = 0.0
    """Michaelis constant of every uptake, in the unit of the field"""
    blood: dict[str, float] = {}
    """value in the blood of a lumen tissue, in the unit of the field"""
    blood_exchange: Rate = "0 /min"
    """rate of exchange between lumen voxel and blood"""
    held_at: float | tuple[tuple[float, float], ...] | None = None
    """a value that the field is held at everywhere, instead of being solved (a dish, a clamp); or a course of values,
    a list of {from = "48 h", value = "7 mmHg"}, the first from 0 h: each holds for the steps that start from then on"""
    flattened: bool = False
    """whether the field is replaced by its mean over the permeable voxels (an experiment on gradients)"""
    time_scheme: Literal["steady", "implicit"] = "steady"
    """steady state in every step, or backward Euler"""
    interval: Duration = "0 min"
    """time between solutions, where a field changes so slowly that not every step needs one"""
    quasi_steady_check: bool = False
    """whether to solve the backward Euler step too, and write down how far the steady state is from it"""
    cycles: Annotated[int, Field(ge=1, le=100)] = 1
    """multigrid cycles a step; one leaves less than the cells' next hops change"""

    @field_validator("initial", "half_saturation", "blood", mode="before")
    @classmethod
    def _in_own_unit(cls, value: Any, info: ValidationInfo) -> Any:
        quantity = In(info.data.get("unit", "1"))
        if isinstance(value, dict):
            return {key: quantity.parse(item) for key, item in value.items()}
        return value if value is None or value == 0 else quantity.parse(value)

    @field_validator("held_at", mode="before")
    @classmethod
    def _value_or_course(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, (list, tuple)):
            return cls._in_own_unit(value, info)
        course = tuple(cls._course_entry(entry, info) for entry in value)
        times = [start for start, _ in course]
        if times[:1] != [0.0] or times != sorted(set(times)):
            allowed = "the first from 0 h, each one later than the one before"
            raise PydanticCustomError("course", "the times of a course are out of order", {"allowed": allowed})
        return course

    @classmethod
    def _course_entry(cls, entry: Any, info: ValidationInfo) -> tuple[float, float]:
        if not isinstance(entry, dict) or set(entry) != {"from", "value"}:
            allowed = 'a list of tables such as {from = "48 h", value = "7 mmHg"}'
            raise PydanticCustomError("course", "this is no entry of a course", {"allowed": allowed})
        return In("min").parse(entry["from"]), cls._in_own_unit(entry["value"], info)

    @field_serializer("held_at")
    def _value_or_course_with_units(self, value: Any) -> Any:
        if not isinstance(value, tuple):
            return self._with_own_unit(value)
        return [{"from": In("min").text(start), "value": self._with_own_unit(held)} for start, held in value]

    def held(self, minutes: float) -> float:
        """The value that the field is held at from this time on; only where it is held."""
        course = self.held_at if isinstance(self.held_at, tuple) else ((0.0, self.held_at),)
        return [value for start, value in course if start <= minutes][-1]

    @field_serializer("initial", "half_saturation", "blood")
    def _with_own_unit(self, value: Any) -> Any:
        quantity = In(self.unit)
        if isinstance(value, dict):
            return {key: quantity.text(item) for key, item in value.items()}
        return value if value is None else quantity.text(value)

    @property
    def amount_per_unit(self) -> float:
        """uM dissolved per unit of the field."""
        return {"mmHg": self.solubility, "nM": 1e-3, "1": 1e-3 * self.reference}[self.unit]
