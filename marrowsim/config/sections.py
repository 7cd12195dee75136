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
    Length,
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
    """The lattice and its bone: generated, read from an image, or a dish or soft tissue without bone."""

    kind: Literal["trabecular", "image", "dish", "soft"] = "trabecular"
    """generated trabecular bone, an image, a dish of medium, or soft tissue"""
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


class SoftTissue(ParameterSet):
    """The primary site: soft tissue without bone or niches, on the lattice and the blood that the marrow is on.

    Its capillaries are grown as sinusoids are; with `geometry.kind = "soft"` the whole box is of it.
    """

    width: Length = parameter("0 um", "extent along x of a slab beside the marrow; 0 for none", mark="E")
    vessel_volume_fraction: Fraction = parameter(
        0.015,
        "share of the soft tissue that is capillary lumen; 0 for no vessels",
        span="0.005-0.03",
        source="what the distance comes to in capillaries a voxel wide",
        mark="C/E",
    )
    vessel_diameter: PositiveLength = parameter(
        "12 um", "capillary diameter", span="5-15 um", source="drawn a voxel wide at 10 um", mark="E"
    )
    vessel_distance: PositiveLength = parameter(
        "130 um",
        "distance between neighbouring capillaries, centre to centre",
        span="100-200 um",
        source="sparser than the sinusoids of the marrow; tumour tissue is hypoxic beyond 100-150 um",
        mark="E",
    )
    fibroblast: Density = parameter(
        "10000 /mm^3",
        "fibroblasts, anywhere in the soft tissue",
        span="1000-50000 /mm^3",
        source="connective tissue has more of them than marrow",
        mark="E",
    )


class Vessels(ParameterSet):
    """Sinusoids and arterioles of the marrow."""

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
    hot_fraction: Fraction = parameter(
        0.15,
        "share of the CAR cells that stand in hot vascular domains",
        symbol="f_hot",
        span="0.05-0.3",
        source="discontinuous vessels rich in SDF-1: Sipkins 2005 Nature 435:969; digit estimated",
        mark="V/E",
    )
    hot_scale: PositiveLength = parameter(
        "120 um",
        "distance between the centres of neighbouring vascular domains",
        span="60-300 um",
        source="imaging of discrete domains: Sipkins 2005 Nature 435:969; digit estimated",
        mark="V/E",
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
        source="calibrated: puts 85 % of the bound HPCs within 10 um of a sinusoid, as HSCs in Acar 2015 "
        "Nature 526:126 (calibration slot-decay)",
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
        "500 /mm^3", "HPCs outside niches at the start", source="steady state of division, exit and release", mark="C"
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
    """HIF response h(p) = 1 / (1 + (p / p50)^n), and how fast a cell follows it."""

    half_pressure: Pressure = parameter(
        "13 mmHg",
        "pO2 at half of the HIF-1 maximum",
        symbol="p50",
        span="8-15 mmHg",
        source="Jiang 1996 Am J Physiol 271:C1172",
        mark="V",
    )
    exponent: Number = parameter(
        3.0, "Hill coefficient", symbol="n_H", span="2-4", mark="C/E",
        source="0.98 of the maximum at 3.8 mmHg, 0.04 at 38: after the course of Jiang 1996 Am J Physiol 271:C1172",
    )  # fmt: skip
    rise_time: PositiveDuration = parameter(
        "10 h",
        "time constant of a cell's response where it rises",
        symbol="tau_up",
        span="6-24 h",
        source="surface CXCR4 is up within 10 h at 6 % oxygen: Fiegl 2009 Blood 113:1504",
        mark="V",
    )
    fall_time: PositiveDuration = parameter(
        "4 h",
        "time constant of a cell's response where it falls",
        symbol="tau_down",
        span="1-12 h",
        source="decreases rapidly on reoxygenation: Fiegl 2009 Blood 113:1504",
        mark="E",
    )
    blood_pressure: Pressure = parameter(
        "60 mmHg",
        "pO2 that circulating cells sense",
        span="40-95 mmHg",
        source="between mixed venous (40) and arterial blood (95); the response is below 0.04 all over the range",
        mark="E",
    )
    sensed: Pressure | None = parameter(
        None, "pO2 that all cells and vessel walls sense instead of their own (a clamp, such as 160 mmHg)", mark="E"
    )


class Seeding(ParameterSet):
    """Cells put at random free voxels of a site, or of a ball or shell in it, at the start.

    Entries follow each other; each takes voxels that are free, and all of them where it wants more.
    """

    cell: str
    """type of the cells"""
    density: Density
    """cells per volume of the tissue that they are put into, vessels and bone apart"""
    site: Literal["marrow", "soft_tissue"] | None = None
    """where; the marrow, or soft tissue where there is no marrow, if not given"""
    within: PositiveLength | None = None
    """largest distance from the centre"""
    beyond: Length = "0 um"
    """smallest distance from the centre"""
    centre: tuple[Length, Length, Length] | None = None
    """point (x, y, z) that these are measured from; the middle of the site if not given"""


class Region(ParameterSet):
    """A part of the specimen, ball or box, that bone is also measured in by itself where it is remodelled."""

    centre: tuple[Length, Length, Length] | None = None
    """its middle (x, y, z); that of the specimen if not given"""
    within: PositiveLength | None = None
    """radius of a ball"""
    size: tuple[PositiveLength, PositiveLength, PositiveLength] | None = None
    """edges (x, y, z) of a box"""


class Injection(ParameterSet):
    """Cells that enter the blood of the domain at a time."""

    cell: str
    """type of the cells"""
    density: Density
    """cells per volume of the marrow and soft tissue that this blood runs through"""
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
