"""The lattice of a run, from its configuration: bone, vessels, stroma, niches, first cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from marrowsim import tissues
from marrowsim.config import Config
from marrowsim.errors import Fault, GeometryError
from marrowsim.geometry import placement
from marrowsim.geometry.image import read_bone
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
    if np.count_nonzero(tissue == tissues.MARROW) < SMALLEST_MARROW:
        raise GeometryError(
            Fault(
                "there is too little marrow to simulate",
                f"{SMALLEST_MARROW} marrow voxels or more",
                f"{np.count_nonzero(tissue == tissues.MARROW)} of {tissue.size} voxels",
                "choose a larger crop, a finer voxel, or another threshold",
            )
        )
    tissue = _vessels(config, tissue, say)
    say("placing stroma, niches and progenitors")
    residents, slots, held = _cells(config, tissue)
    counts = {name: len(sites) for name, sites in residents.items()}
    report |= {"shape": list(tissue.shape), "slots": len(slots), "hpc in niches": len(held), "residents": counts}
    report["tissue voxels"] = {name: int(np.count_nonzero(tissue == code)) for code, name in tissues.NAMES.items()}
    return Geometry(tissue, config.geometry.voxel, residents, slots, held, report)


def _bone_words(config: Config) -> str:
    words = {"dish": "filling the dish", "image": "reading the image", "trabecular": "growing bone"}
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
    for number, entry in enumerate(config.seeding):
        taken = np.concatenate([slots, *residents.values()])
        sites = placement.seed_cells(tissue, spacing, taken, seed=seed, draw=number, density=entry.density)
        residents[entry.cell] = np.concatenate([residents.get(entry.cell, sites[:0]), sites])
    return residents, slots, held
