"""The sections of a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import FiniteFloat, field_validator

from marrowsim.parameters import ParameterSet, parameter
from marrowsim.units import (
    Concentration,
    Density,
    Duration,
    Fraction,
    In,
    Number,
    PositiveDuration,
    PositiveLength,
    Pressure,
    SurfaceDensity,
)

VoxelEdge = Annotated[float, In("um", low=1.0, high=100.0)]
TimeStep = Annotated[float, In("min", low=0.1, high=240.0)]


class Time(ParameterSet):
    """How long a run lasts, and its time step."""

    duration: Duration = parameter("3 d", "time that the run simulates", mark="E")
    step: TimeStep = parameter(
        "6 min", "time step of the automaton", symbol="dt", span="1-60 min", source="Bishop 2024 code", mark="VC"
    )

    @property
    def steps(self) -> int:
        """Number of steps of the run."""
        return round(self.duration / self.step)


class BoneImage(ParameterSet):
    """An image of bone to build the marrow in."""

    file: Path
    """image file, or folder of TIFF slices"""
    spacing: PositiveLength | tuple[PositiveLength, PositiveLength, PositiveLength] | None = None
    """voxel size in the image (x, y, z), where its header does not tell"""
    threshold: FiniteFloat | None = None
    """grey value above which a voxel is bone; Otsu's where not given"""
    crop: PositiveLength | tuple[PositiveLength, PositiveLength, PositiveLength] | None = None
    """edge lengths (x, y, z) of the central box to use; the whole image where not given"""
    labels: dict[Literal["outside", "marrow", "bone", "sinusoid", "arteriole"], list[int]] | None = None
    """values of a label image"""

    @field_validator("file")
    @classmethod
    def _from_anywhere(cls, value: Path) -> Path:
        """The scenario of a run folder must name the same file wherever it is read."""
        return value.expanduser().absolute()


class Geometry(ParameterSet):
    """The lattice and its bone: generated, read from an image, or a dish without bone."""

    kind: Literal["trabecular", "image", "dish"] = "trabecular"
    """generated trabecular bone, an image, or a dish of medium"""
    voxel: VoxelEdge = parameter(
        "10 um", "voxel edge", symbol="h", span="8-12 um", source="Bishop 2024 code: one cell a voxel", mark="VC"
    )
    size: tuple[PositiveLength, PositiveLength, PositiveLength] = parameter(
        ("1 mm", "1 mm", "1 mm"), "edges of the box (x, y, z); not for images", mark="E"
    )
    preset: Literal["mouse", "human"] = "mouse"
    """trabecular bone to generate"""
    bone_volume_fraction: Fraction | None = None
    """BV/TV to generate instead of the preset's"""
    trabecular_thickness: PositiveLength | None = None
    """Tb.Th to generate instead of the preset's"""
    trabecular_separation: PositiveLength | None = None
    """Tb.Sp to generate instead of the preset's"""
    image: BoneImage | None = None
    """the image, with kind = "image" """


class Vessels(ParameterSet):
    """Sinusoids and arterioles."""

    source: Literal["grown", "labels", "none"] = "grown"
    """grown in the marrow, taken from the labels of the image, or none"""
    volume_fraction: Fraction = parameter(
        0.12,
        "share of the marrow space that is vessel lumen",
        symbol="phi_sin",
        span="0.08-0.30",
        source="30 +- 5 % of marrow, Nombela-Arrieta 2013 Nat Cell Biol; less at 10 um",
        mark="V/E",
    )
    diameter: PositiveLength = parameter(
        "25 um", "sinusoid diameter", span="15-40 um", source="mouse imaging", mark="R"
    )
    distance: PositiveLength = parameter(
        "60 um",
        "distance between neighbouring vessels, centre to centre",
        span="40-100 um",
        source="gives a median distance of 22-30 um from tissue to vessel",
        mark="C",
    )
    arteriole_fraction: Fraction = parameter(
        0.05,
        "share of the lumen that is arteriole, near the endosteum",
        span="0.03-0.10",
        source="Kunisaki 2013 Nature; Spencer 2014 Nature",
        mark="R/E",
    )
    arteriole_diameter: PositiveLength = parameter("15 um", "arteriole diameter", span="10-30 um", mark="E")
    endosteal_distance: PositiveLength = parameter(
        "35 um",
        "farthest distance of an arteriole from bone",
        span="20-50 um",
        source="arterioles run along the endosteum: Kunisaki 2013 Nature",
        mark="V/E",
    )


class Stroma(ParameterSet):
    """What is placed in the marrow before the run."""

    car: Density = parameter(
        "25000 /mm^3",
        "CAR cells",
        symbol="n_CAR",
        span="1e4-5e4 /mm^3",
        source="Gomariz 2018 Nat Commun 9:2532",
        mark="V/R",
    )
    fibroblast: Density = parameter("2000 /mm^3", "fibroblasts", symbol="n_NF", span="500-5000 /mm^3", mark="E")
    lining: SurfaceDensity = parameter(
        "360 /mm^2",
        "bone-lining cells on bone surface",
        span="200-600 /mm^2",
        source="about 19 nuclei /mm: Miller 1980",
        mark="R",
    )
    slots: Density = parameter(
        "3000 /mm^3", "niche slots", symbol="n_slot", span="2e3-1e4 /mm^3", source="for an occupancy of 0.65", mark="E"
    )
    vessel_plateau: PositiveLength = parameter(
        "10 um",
        "distance from a vessel up to which stroma and slots are densest",
        source="Acar 2015 Nature 526:126",
        mark="V/E",
    )
    vessel_decay: PositiveLength = parameter(
        "10 um",
        "distance over which the density of stroma falls to 1/e beyond",
        source="Acar 2015; Ding & Morrison 2013",
        mark="V/E",
    )
    slot_decay: PositiveLength = parameter(
        "3.5 um",
        "distance over which the density of slots falls to 1/e beyond",
        span="2-10 um",
        source="puts 85 % of the slots within 10 um of a sinusoid, as HSCs in Acar 2015 Nature 526:126",
        mark="C",
    )
    slot_reach: PositiveLength = parameter(
        "20 um", "farthest distance of a slot from a sinusoid", span="10-20 um", mark="E"
    )
    occupancy: Fraction = parameter(
        0.65,
        "share of slots held by HPCs at the start",
        symbol="f_occ",
        span="0.3-1",
        source="empty niches exist: Shimoto 2017 Blood 129:2124",
        mark="V/E",
    )
    hpc_free: Density = parameter(
        "470 /mm^3", "HPCs outside niches at the start", source="steady state of division, exit and release", mark="C"
    )


class Receptor(ParameterSet):
    """CXCR4 occupancy theta = C / (C + K_d (1 + A / K_A + sum of drug level / its constant)) and signal
    a = R theta / (1 + beta theta).
    """

    dissociation_constant: Concentration = parameter(
        "4 nM",
        "CXCL12-CXCR4",
        symbol="K_d",
        span="1-10 nM",
        source="4.4 nM: Wu & Lin 2011 PLoS One 6:e18805",
        mark="V/R",
    )
    desensitisation: Number = parameter(
        0.83,
        "internalisation over recycling",
        symbol="beta",
        span="0.3-3",
        source="0.0033 /s over 0.004 /s: Wu & Lin 2011 PLoS One 6:e18805",
        mark="V",
    )
    antagonist: Concentration = parameter("0 nM", "antagonist (AMD3100) in all of the marrow", symbol="A", mark="E")
    inhibition_constant: Concentration = parameter(
        "100 nM", "of the antagonist", symbol="K_A", span="44-650 nM", source="Fricker 2006", mark="R"
    )


class HypoxiaResponse(ParameterSet):
    """HIF response h(p) = 1 / (1 + (p / p50)^n)."""

    half_pressure: Pressure = parameter(
        "13 mmHg",
        "pO2 at half of the HIF-1 maximum",
        symbol="p50",
        span="8-15 mmHg",
        source="Jiang 1996 Am J Physiol 271:C1172",
        mark="V",
    )
    exponent: Number = parameter(
        3.0, "Hill coefficient", symbol="n_H", span="2-4", source="fit to Jiang 1996", mark="C/E"
    )


class Seeding(ParameterSet):
    """Cells put at random free marrow voxels at the start."""

    cell: str
    """type of the cells"""
    density: Density
    """cells per volume of marrow"""


class Injection(ParameterSet):
    """Cells that enter the blood of the domain at a time."""

    cell: str
    """type of the cells"""
    density: Density
    """cells per volume of tissue"""
    at: Duration = "0 min"
    """time after the start of the run"""


class Output(ParameterSet):
    """What a run folder records, and how often."""

    readouts_every: PositiveDuration = "1 h"
    """time between rows of readouts.csv"""
    frames_every: PositiveDuration = "12 h"
    """time between frames of the lattice"""
    checkpoint_every: PositiveDuration = "6 h"
    """simulated time between checkpoints"""
