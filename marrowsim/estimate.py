"""What a run will take: memory, time and disk, before it is started."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from marrowsim.config import Config
from marrowsim.geometry.sites import GAP

BYTES_BASE = 240e6
# The state with what is derived from it, and a checkpoint while it is packed, with three fields; each further field;
# mineral and depth of bone that is remodelled; the field solver.
BYTES_PER_VOXEL_STATE = 28.5
BYTES_PER_VOXEL_FIELD = 4.0
BYTES_PER_VOXEL_REMODELLING = 5.0
BYTES_PER_VOXEL_SOLVER = 38.0
SECONDS_PER_VOXEL_BUILDING = 0.5e-6
SECONDS_PER_VOXEL_BONE = 0.6e-6
SECONDS_PER_VOXEL_STEP = 18e-9
SECONDS_PER_CELL_STEP = 90e-9
SECONDS_PER_VOXEL_READOUTS = 10e-9
# Morphometry of bone that is remodelled, at every row of readouts.
SECONDS_PER_VOXEL_STRUCTURE = 1.3e-6
SECONDS_PER_VOXEL_FRAME = 100e-9
SECONDS_PER_VOXEL_CHECKPOINT = 130e-9
FRAME_BYTES_PER_VOXEL = 3.0
CHECKPOINT_BYTES_PER_VOXEL = 5.5
# What these count, and what each further field adds.
FIELDS_COUNTED = 3
FRAME_BYTES_PER_FIELD = 1.7
CHECKPOINT_BYTES_PER_FIELD = 2.8


@dataclass(frozen=True)
class Estimate:
    """What a run will take on one thread; good within a factor of two or so.

    Attributes
    ----------
    shape : voxels along (x, y, z).
    steps : number of steps.
    memory, disk : bytes.
    seconds : wall time, the building of the lattice included.
    """

    shape: tuple[int, int, int]
    steps: int
    memory: float
    disk: float
    seconds: float

    @property
    def voxels(self) -> int:
        """Number of voxels of the lattice."""
        return int(np.prod(self.shape))


def estimate(config: Config, extent: tuple[float, float, float] | None = None) -> Estimate:
    """Estimate what a run takes, from figures measured on one common processor.

    Parameters
    ----------
    config : Config
    extent : edges of the image (x, y, z) in um, where the bone is from one.
    """
    edges, width = extent or config.geometry.size, config.soft_tissue.width
    shape = tuple(max(1, round(edge / config.geometry.voxel)) for edge in edges)
    if width:
        shape = (shape[0] + GAP + round(width / config.geometry.voxel), *shape[1:])
    voxels = float(np.prod(shape))
    steps = config.time.steps
    minutes, output = steps * config.time.step, config.output
    frames = 2 + minutes // output.frames_every
    writing = frames * SECONDS_PER_VOXEL_FRAME
    writing += (2 + minutes // output.checkpoint_every) * SECONDS_PER_VOXEL_CHECKPOINT
    structure = SECONDS_PER_VOXEL_STRUCTURE * config.processes["remodelling"].enabled
    writing += (1 + minutes // output.readouts_every) * (SECONDS_PER_VOXEL_READOUTS + structure)
    building = SECONDS_PER_VOXEL_BUILDING + SECONDS_PER_VOXEL_BONE * (config.geometry.kind == "trabecular")
    solved = sum(field.held_at is None for field in config.active_fields.values()) / 2
    stroma = config.stroma
    density = max(stroma.car + stroma.fibroblast + stroma.slots + stroma.hpc_free, config.soft_tissue.fibroblast)
    density += sum(entry.density for entry in config.injection)
    volume = voxels * config.voxel_volume
    cells = volume * density
    for entry in config.seeding:
        ball = math.inf if entry.within is None else 4 / 3 * math.pi * entry.within**3
        cells += entry.density * min(volume, ball)
    further = max(0, len(config.active_fields) - FIELDS_COUNTED)
    state = BYTES_PER_VOXEL_STATE + BYTES_PER_VOXEL_FIELD * further
    state += BYTES_PER_VOXEL_REMODELLING * config.processes["remodelling"].enabled
    frame = FRAME_BYTES_PER_VOXEL + FRAME_BYTES_PER_FIELD * further
    checkpoint = CHECKPOINT_BYTES_PER_VOXEL + CHECKPOINT_BYTES_PER_FIELD * further
    per_step = voxels * SECONDS_PER_VOXEL_STEP * solved + cells * SECONDS_PER_CELL_STEP
    return Estimate(
        shape,
        steps,
        BYTES_BASE + voxels * (state + BYTES_PER_VOXEL_SOLVER * (solved > 0)),
        voxels * (frames * frame + 2 * checkpoint),
        voxels * (building + writing) + steps * per_step,
    )
