"""The lattice of a run, from its configuration: bone, vessels, stroma, niches, first cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from marrowsim import tissues
from marrowsim.config import Config
from marrowsim.config.sections import Seeding
from marrowsim.errors import Fault, GeometryError
from marrowsim.geometry import placement, sites
from marrowsim.geometry.domains import hot_sites
from marrowsim.geometry.image import read_bone
from marrowsim.geometry.region import region_mask
from marrowsim.geometry.trabecular import PRESETS, generate_trabecular
from marrowsim.geometry.vessels import grow_vessels

SMALLEST_MARROW = 64
"""Fewest marrow voxels that a simulation is run in."""


@dataclass(frozen=True)
class Geometry:
    """What is placed before the first step, and constant afterwards.

    Attributes
    ----------
    tissue : uint8, shape (nz, ny, nx)
        Tissue codes at the start.
    spacing : float
        Voxel edge in um.
    residents : dict of int64 arrays
        Voxels of the cells at the start, free on the lattice, by cell type.
    slots : int64, sorted
        Voxels of the niche slots.
    held : int64
        Those of them that an HPC holds at the start.
    report : dict
        What was built, for provenance: source, volume fractions, counts.
    """

    tissue: np.ndarray
    spacing: float
    residents: dict[str, np.ndarray]
    slots: np.ndarray
    held: np.ndarray
    report: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def enterable_volume(self) -> float:
        """Volume of the tissue that cells live in, um^3."""
        return self.volume_of(*tissues.ENTERABLE)

    def volume_of(self, *codes: int) -> float:
        """Volume of some tissues together, um^3."""
        return float(self.voxels[list(codes)].sum()) * self.spacing**3

    @cached_property
    def voxels(self) -> np.ndarray:
        """Number of voxels of each tissue code: int64, shape (256,)."""
        return np.bincount(self.tissue.reshape(-1), minlength=256)

    @cached_property
    def ground(self) -> frozenset[int]:
        """Codes of the tissues that cells live in, as far as the lattice has them: which sites there are."""
        return frozenset(code for code in tissues.ENTERABLE if (self.tissue == code).any())


def build_geometry(config: Config, say: Callable[[str], None] = lambda _: None) -> Geometry:
    """Bone, vessels, stroma, niche slots and first cells of a configuration.

    Parameters
    ----------
    config : Config
    say : called with what is being built, for progress displays.

    Raises
    ------
    ImageError, GeometryError
        Where the image cannot be read, or what is asked for has no place.
    """
    say(_bone_words(config))
    tissue, report = bone_of(config)
    if config.geometry.kind != "soft":
        _require_marrow(tissue)
        tissue = _vessels(config, tissue, say)
    tissue = _with_soft_tissue(config, tissue, say)
    if config.region is not None:
        region_mask(config.region, tissue, config.geometry.voxel)  # says so now where it holds nothing
    say("placing stroma, niches and progenitors")
    residents, slots, held = _cells(config, tissue)
    counts = {name: len(sites) for name, sites in residents.items()}
    report |= {"shape": list(tissue.shape), "slots": len(slots), "hpc in niches": len(held), "residents": counts}
    report["tissue voxels"] = {name: int(np.count_nonzero(tissue == code)) for code, name in tissues.NAMES.items()}
    return Geometry(tissue, config.geometry.voxel, residents, slots, held, report)


def _bone_words(config: Config) -> str:
    words = {"dish": "filling the dish", "image": "reading the image", "trabecular": "growing bone"}
    words["soft"] = "filling the box with soft tissue"
    return words[config.geometry.kind]


def bone_of(config: Config) -> tuple[np.ndarray, dict[str, Any]]:
    """Tissue before vessels, and where it came from."""
    section = config.geometry
    if section.kind == "image":
        image = section.image
        labels = None if image.labels is None else dict(image.labels)
        bone = read_bone(
            image.file,
            spacing=image.spacing,
            threshold=image.threshold,
            labels=labels,
            crop=image.crop,
            voxel=section.voxel,
        )
        return bone.tissue, {"source": bone.source}
    shape = tuple(max(1, round(edge / section.voxel)) for edge in reversed(section.size))
    if section.kind == "soft":
        return np.full(shape, tissues.SOFT, dtype=np.uint8), {"source": {"kind": "soft"}}
    if section.kind == "dish":
        return np.full(shape, tissues.MARROW, dtype=np.uint8), {"source": {"kind": "dish"}}
    named = {
        "bone_volume_fraction": section.bone_volume_fraction,
        "trabecular_thickness": section.trabecular_thickness,
        "trabecular_separation": section.trabecular_separation,
    }
    target = replace(PRESETS[section.preset], **{name: value for name, value in named.items() if value is not None})
    tissue = generate_trabecular(target, shape, section.voxel, config.seed)
    return tissue, {"source": {"kind": "trabecular", "preset": section.preset}}


def _require_marrow(tissue: np.ndarray) -> None:
    found = np.count_nonzero(tissue == tissues.MARROW)
    if found < SMALLEST_MARROW:
        raise GeometryError(
            Fault(
                "there is too little marrow to simulate",
                f"{SMALLEST_MARROW} marrow voxels or more",
                f"{found} of {tissue.size} voxels",
                "choose a larger crop, a finer voxel, or another threshold",
            )
        )


def _with_soft_tissue(config: Config, tissue: np.ndarray, say: Callable[[str], None]) -> np.ndarray:
    """The lattice with the soft-tissue site that the configuration asks for, if any."""
    section, spacing = config.soft_tissue, config.geometry.voxel
    alone = config.geometry.kind == "soft"
    if not alone and section.width == 0:
        return tissue
    say("growing capillaries")
    shape = tissue.shape if alone else (*tissue.shape[:2], round(section.width / spacing))
    slab = sites.soft_tissue(shape, spacing, config.seed, section)
    return slab if alone else sites.beside(tissue, slab)


def _vessels(config: Config, tissue: np.ndarray, say: Callable[[str], None]) -> np.ndarray:
    section = config.vessels
    labelled = bool(tissues.IS_LUMEN[tissue].any())
    if labelled != (section.source == "labels"):
        raise GeometryError(
            Fault(
                "the image labels vessels" if labelled else "the image labels no vessels",
                'vessels.source = "labels" with labelled vessels, "grown" or "none" without',
                f'vessels.source = "{section.source}"',
                'set vessels.source = "labels", or label vessels as marrow'
                if labelled
                else 'set vessels.source = "grown" or "none", or give [geometry.image.labels] sinusoid',
            )
        )
    if section.source != "grown":
        return tissue
    say("growing vessels")
    return grow_vessels(
        tissue,
        config.geometry.voxel,
        seed=config.seed,
        volume_fraction=section.volume_fraction,
        diameter=section.diameter,
        distance=section.distance,
        arteriole_fraction=section.arteriole_fraction,
        arteriole_diameter=section.arteriole_diameter,
        endosteal_distance=section.endosteal_distance,
    )


def _cells(config: Config, tissue: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Residents by type, niche slots, and the slots held by HPCs."""
    section, spacing, seed = config.stroma, config.geometry.voxel, config.seed
    residents = placement.place_stroma(
        tissue,
        spacing,
        seed=seed,
        car_density=section.car,
        car_plateau=section.vessel_plateau,
        car_decay=section.vessel_decay,
        lining_density=section.lining,
        fibroblast_density=section.fibroblast,
        fibroblast_plateau=section.vessel_plateau,
        fibroblast_decay=section.vessel_decay,
    )
    occupied = np.concatenate(list(residents.values()))
    slots = placement.place_slots(
        tissue,
        spacing,
        residents["car"],
        seed=seed,
        occupied=occupied,
        density=section.slots,
        reach=section.slot_reach,
        plateau=section.vessel_plateau,
        decay=section.slot_decay,
    )
    held, residents["hpc"] = placement.place_hpc(
        tissue, spacing, slots, occupied, seed=seed, occupancy=section.occupancy, free_density=section.hpc_free
    )
    hot = hot_sites(
        residents["car"], tissue.shape, spacing, seed=seed, fraction=section.hot_fraction, scale=section.hot_scale
    )
    residents |= {"car": np.setdiff1d(residents["car"], hot), "hot_car": hot}
    draw = placement.DRAWS["soft fibroblast"]
    soft = placement.anywhere(
        tissue == tissues.SOFT, spacing, slots[:0], config.soft_tissue.fibroblast, "fibroblasts", seed, draw
    )
    residents["fibroblast"] = np.concatenate([residents["fibroblast"], soft])
    for number, entry in enumerate(config.seeding):
        taken = np.concatenate([slots, *residents.values()])
        ground = _ground(tissue, spacing, entry, f"seeding.{number}")
        name = f"{entry.cell} (seeding.{number})"
        found = placement.seed_cells(ground, spacing, taken, seed=seed, draw=number, density=entry.density, name=name)
        residents[entry.cell] = np.concatenate([residents.get(entry.cell, found[:0]), found])
    return residents, slots, held


def _ground(tissue: np.ndarray, spacing: float, entry: Seeding, where: str) -> np.ndarray:
    """The voxels that cells may be seeded into: those of the site, or of a ball or shell in it."""
    has_marrow = bool((tissue == tissues.MARROW).any())
    code = sites.TISSUE[entry.site or ("marrow" if has_marrow else "soft_tissue")]
    ground = tissue == code
    if entry.within is None and entry.beyond == 0:
        return ground
    centre = entry.centre or sites.centre_of(tissue, code, spacing)
    outer = np.inf if entry.within is None else entry.within
    ground &= sites.shell(tissue.shape, spacing, centre, entry.beyond, outer)
    if not ground.any():
        extent = " x ".join(f"{edge * spacing:g}" for edge in tissue.shape[::-1])
        point = ", ".join(f"{value:g}" for value in centre)
        raise GeometryError(
            Fault(
                f"no {tissues.NAMES[code]} lies in the part that cells are seeded into",
                f"a ball or shell that reaches {tissues.NAMES[code]} in the box of {extent} um (x, y, z)",
                f"{entry.beyond:g} to {outer:g} um from ({point}) um",
                "change centre, within or beyond",
                where,
            )
        )
    return ground
