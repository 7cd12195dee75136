"""Sources and sinks of a field against plain NumPy."""

import numpy as np
import pytest

from marrowsim import Simulation, tissues
from marrowsim._engine import exchange
from marrowsim.processes import Clock

NO_PLANES = np.zeros((0, 0, 0), np.float32)
HALF_PRESSURE, EXPONENT = 13.0, 3.0


def arrays(shape):
    return tuple(np.full(shape, np.nan, np.float32) for _ in range(3))


@pytest.mark.parametrize("threads", [1, 3])
def test_every_voxel_has_the_entry_of_its_tissue_and_faces(threads):
    rng = np.random.default_rng(1)
    tissue, walls = rng.integers(0, 5, (4, 5, 6), np.uint8), rng.integers(0, 7, (4, 5, 6), np.uint8)
    table = rng.random((256, 8, 4)).astype(np.float32)
    out = arrays(tissue.shape)
    exchange.spread(tissue, walls, table, NO_PLANES, HALF_PRESSURE, EXPONENT, *out, threads)
    for column, values in enumerate(out):
        np.testing.assert_array_equal(values, table[tissue, walls, column])
    source, decay, _ = arrays(tissue.shape)
    exchange.spread(tissue, walls, table, NO_PLANES, HALF_PRESSURE, EXPONENT, source, decay, NO_PLANES, threads)
    np.testing.assert_array_equal(source, out[0])


@pytest.mark.parametrize("threads", [1, 3])
def test_low_oxygen_induces_the_further_source(threads):
    """s + s_a / (1 + (p / p50)^n), over planes that are longer than a block and no multiple of it."""
    rng = np.random.default_rng(2)
    shape = (3, 29, 31)
    tissue, walls = rng.integers(0, 5, shape, np.uint8), rng.integers(0, 7, shape, np.uint8)
    table = rng.random((256, 8, 4)).astype(np.float32)
    table[:, :3, 3] = 0.0
    oxygen = (40 * rng.random(shape)).astype(np.float32)
    oxygen[0, 0, :7], walls[0, 0, :7] = 0.0, 6
    source, decay, uptake = arrays(shape)
    exchange.spread(tissue, walls, table, oxygen, HALF_PRESSURE, EXPONENT, source, decay, uptake, threads)
    entry = table[tissue, walls]
    expected = entry[..., 0] + entry[..., 3] / (1 + (oxygen.astype(float) / HALF_PRESSURE) ** EXPONENT)
    np.testing.assert_allclose(source, expected, rtol=2e-7)
    np.testing.assert_array_equal(decay, entry[..., 1])


def test_the_vessel_wall_secretes_by_its_oxygen(make_state):
    """Half of the induction of 4 is there at 13 mmHg: 2.5 times as much as at high oxygen, without any delay."""
    tissue = np.full((3, 3, 3), tissues.MARROW, np.uint8)
    tissue[1, 1, 1] = tissues.SINUSOID
    sources = []
    for pressure, sensed in ((1e6, None), (13.0, None), (1e6, 13.0)):
        overrides = {"fields.cxcl12.wall_induction": 4.0, "cells.walker": {"label": "walker"}}
        overrides |= {"hypoxia.sensed": f"{sensed} mmHg"} if sensed else {}
        state = make_state((3, 3, 3), tissue=tissue, overrides=overrides)
        state.fields["oxygen"][...] = pressure
        field = state.config.fields["cxcl12"]
        source = state.config.processes["fields"]._exchange(state, Clock(0, 6.0, 1, 1), "cxcl12", field)[0]
        assert np.count_nonzero(source) == 6
        sources.append(source.max())
    assert sources[1] / sources[0] == pytest.approx(2.5, rel=1e-6)
    assert sources[2] / sources[0] == pytest.approx(2.5, rel=1e-6)


def test_cells_secrete_by_their_response_and_take_up_by_occupancy():
    shape = (3, 4, 5)
    tissue = np.full(shape, tissues.MARROW, np.uint8)
    tissue[2] = tissues.SINUSOID
    site = np.array([3, -1, 17, 45], np.int32)  # the second is in the blood, the last in a lumen
    types, level = np.array([0, 1, 1, 1], np.uint8), np.array([0.5, 1.0, 2.0, 3.0], np.float32)
    response = np.array([0.5, 0.0, 1.0, 1.0], np.float32)
    by_cell = np.array([[6.0, 3.0, 10.0], [0.0, 1.0, 20.0]])
    field = np.full(shape, 4.0, np.float32)
    source, decay, uptake = (np.full(shape, value, np.float32) for value in (0.25, 0.5, 8.0))
    exchange.add_cells(
        site, types, level, response, tissue, tissues.IS_ENTERABLE, by_cell, 0.25, 0.1, field, 4.0,
        source, decay, uptake, 1,
    )  # fmt: skip
    expected = {3: (0.25 + 6 * 2, 0.5 + 0.1 * 0.5 * 0.5, 12), 17: (0.25, 0.5 + 0.1 * 2 * 0.5, 22), 45: (0.25, 0.5, 22)}
    for voxel in range(60):
        found = [values.flat[voxel] for values in (source, decay, uptake)]
        assert found == pytest.approx(expected.get(voxel, (0.25, 0.5, 8.0)), rel=1e-6)


def test_oxygen_takes_what_cells_and_background_use(make_state):
    """In a closed dish the only way out of the equations of the process is the uptake of the cells."""
    state = make_state((6, 7, 8), {"walker": np.arange(0, 336, 5)}, {"walker": {"label": "walker"}})
    process, field = state.config.processes["fields"], state.config.fields["oxygen"]
    source, decay, uptake = process._exchange(state, Clock(0, 6.0, 1, 1), "oxygen", field)
    assert not source.any()
    assert uptake.size == decay.size == 336
    with_cell = np.zeros(336, bool)
    with_cell[::5] = True
    assert len(np.unique(uptake.ravel()[~with_cell])) == 1
    own = state.config.per_voxel("oxygen", state.config.exchange("uptake", "oxygen"))[state.config.code("walker")]
    np.testing.assert_allclose(uptake.ravel()[with_cell], own, rtol=1e-6)


def test_error_of_the_quasi_steady_state_is_that_of_the_implicit_step():
    """After a step of 60 min CXCL12 (k = 0.15 /min) has forgotten its start; after 1 min it has not."""
    errors = []
    for step in ("1 min", "60 min"):
        overrides = {
            "geometry.size": ["150 um"] * 3, "time.step": step, "fields.cxcl12.quasi_steady_check": True,
            "cells.hpc.chemotactic_sensitivity": 0,
        }  # fmt: skip
        simulation = Simulation.from_scenario("healthy", overrides=overrides)
        simulation.state.fields["cxcl12"] *= 2
        simulation.run(steps=1)
        errors.append(simulation.state.diagnostics["cxcl12 quasi-steady error"])
    assert errors[0] > 0.3
    assert errors[1] < 0.2 * errors[0]
    assert "cxcl12 quasi-steady error (1)" in simulation.readouts
