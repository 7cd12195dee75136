"""The first state of a run, and the inherited numbers of new cells."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from marrowsim._engine.rng import Stream, uniform
from marrowsim.config import Config
from marrowsim.geometry.build import Geometry
from marrowsim.state import State, Status


def receptor_levels(config: Config, code: int, ids: np.ndarray) -> np.ndarray:
    """CXCR4 levels of cells of one type: lognormal about the type's mean, by cell id.

    Parameters
    ----------
    code : cell type.
    ids : int64, shape (n,).

    Returns
    -------
    float32, shape (n,), relative to 25,000 receptors a cell.
    """
    cell = config.cells[config.cell_names[code]]
    normal = ndtri(uniform(config.seed, Stream.STREAM_CELL, 0, ids))
    return (cell.cxcr4 * np.exp(cell.cxcr4_spread * normal - 0.5 * cell.cxcr4_spread**2)).astype(np.float32)


def new_cells(state: State, code: int, sites: np.ndarray, status: Status) -> np.ndarray:
    """Put new cells of one type on free voxels, or into the blood (sites of -1). Returns their rows."""
    ids = np.arange(state.next_id, state.next_id + len(sites))
    return state.add_cells(code, sites, receptor_levels(state.config, code, ids), status)


def seeded_state(config: Config, geometry: Geometry) -> State:
    """The state before the first step: residents of the geometry, and HPCs in the held slots."""
    state = State(config, geometry)
    groups = [(name, sites, Status.FREE) for name, sites in geometry.residents.items()]
    groups.append(("hpc", geometry.held, Status.BOUND))
    for name, sites, status in groups:
        if len(sites):
            new_cells(state, config.code(name), sites, status)
    return state
