"""What the tests of sprouts share."""

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim.processes.sprouts import Sprouts
from marrowsim.state import Status

QUIET = {"processes.angiogenesis.tip_rate": "0 /min", "processes.angiogenesis.branching": "0 /um"}


@pytest.fixture
def box(make_state):
    """A function that makes a state with 30 min steps; sprouts are asked for by hand unless told otherwise."""

    def make(tissue, cells=None, types=None, overrides=None, seed=1, slots=()):
        settings = {"time.step": "30 min", **QUIET, **(overrides or {})}
        return make_state(tissue.shape, cells, types, settings, seed, slots, tissue)

    return make


@pytest.fixture
def consistent():
    """A function that asserts that cells, lattice and table of sprouts tell the same."""

    def check(state):
        """Cells are where the lattice says, in voxels that cells live in, and the table of sprouts is the lattice's."""
        cells, tissue = state.cells, state.tissue.reshape(-1)
        here = np.flatnonzero(cells.site >= 0)
        np.testing.assert_array_equal(state.occupant.reshape(-1)[cells.site[here]], here)
        assert np.count_nonzero(state.occupant >= 0) == len(here)
        free = cells.site[cells.status == Status.FREE]
        assert tissues.IS_ENTERABLE[tissue[free]].all()
        assert tissues.IS_LUMEN[tissue[cells.site[cells.status == Status.ARRESTED]]].all()
        np.testing.assert_array_equal(np.flatnonzero(tissue == tissues.SPROUT), Sprouts(state).voxels("voxel"))
        ids = cells.id[cells.type == state.config.code("tip")]
        np.testing.assert_array_equal(np.sort(ids), Sprouts(state).tips("id"))

    return check
