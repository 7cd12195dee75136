"""Runs with a soft-tissue site: the same bits for any thread count and after a resume; traffic between sites."""

import numpy as np
import pytest

from marrowsim import Simulation, tissues
from marrowsim.config import load_config
from marrowsim.geometry.build import build_geometry
from marrowsim.processes import PROCESSES
from marrowsim.readouts import measure_readouts
from marrowsim.state import State

STEPS = 30
SMALL = {"geometry.size": ["200 um"] * 3, "seeding.0.within": "80 um"}
BOXES = {"primary": SMALL, "metastasis": SMALL | {"soft_tissue.width": "200 um"}}


def begin(scenario, threads=1, **overrides):
    """A simulation of a few thousand voxels; cells leave the primary often, so that some arrive in so short a time."""
    often = {"cells.tumour.egress_rate": "10 /d", "cells.tumour.extravasation_time": "1 h"}
    return Simulation.from_scenario(scenario, threads=threads, overrides=BOXES[scenario] | often | overrides)


@pytest.fixture(scope="module")
def ends():
    """The simulations on one thread, at their end."""
    simulations = {scenario: begin(scenario) for scenario in BOXES}
    for simulation in simulations.values():
        simulation.run(steps=STEPS)
    return simulations


@pytest.mark.parametrize("scenario", BOXES)
def test_two_threads_give_the_same_bits(scenario, ends):
    other = begin(scenario, threads=2)
    other.run(steps=STEPS)
    assert other.state.hash() == ends[scenario].state.hash()


@pytest.mark.parametrize("scenario", BOXES)
@pytest.mark.parametrize("step", [1, 17])
def test_a_resumed_run_gives_the_same_bits(scenario, step, ends):
    first = begin(scenario)
    first.run(steps=step)
    state = first.state
    scalars = {"step": state.step, "next_id": state.next_id, "tallies": state.tallies}
    arrays = {name: array.copy() for name, array in state.parts()}
    config = load_config(first.config.resolved(), PROCESSES)
    geometry = build_geometry(config)
    again = Simulation(config, geometry=geometry, state=State.restored(config, geometry, scalars, arrays), threads=1)
    again.run(steps=STEPS - step)
    assert again.state.hash() == ends[scenario].state.hash()


def test_cells_of_the_primary_reach_the_marrow_by_the_blood_alone(ends):
    state = ends["metastasis"].state
    tallies, cells = state.tallies, state.cells
    assert tallies["left into blood:tumour"] > 100
    assert tallies["entered marrow:tumour"] > 5
    marrow = tissues.IS_OF_BONE[state.tissue].reshape(-1).astype(bool)
    tumour = cells.site[(cells.type == state.config.code("tumour")) & (cells.site >= 0)]
    assert np.count_nonzero(marrow[tumour]) > 5
    closed = begin("metastasis", **{"cells.tumour.egress_rate": "0 /d"})
    closed.run(steps=STEPS)
    assert "entered marrow:tumour" not in closed.state.tallies
    assert measure_readouts(closed.state)["tumour in marrow (cells)"] == 0


def test_readouts_count_each_site_by_its_own_tissue(ends):
    state = ends["metastasis"].state
    row = measure_readouts(state)
    cells = state.cells
    tumour = (cells.type == state.config.code("tumour")) & (cells.site >= 0)
    codes = state.tissue.reshape(-1)[cells.site[tumour]]
    assert row["tumour in marrow (cells)"] == np.count_nonzero(codes == tissues.MARROW) > 0
    assert row["tumour in soft tissue (cells)"] == np.count_nonzero(codes == tissues.SOFT) > 0
    assert row["tumour arrested (cells)"] == np.count_nonzero(tissues.IS_LUMEN[codes])
    for name, unit in (("oxygen", "mmHg"), ("cxcl12", "nM")):
        for words, code in (("", tissues.MARROW), (" in soft tissue", tissues.SOFT)):
            inside = state.fields[name][state.tissue == code].astype(float)
            assert row[f"{name}{words} mean ({unit})"] == pytest.approx(inside.mean())
            assert row[f"{name}{words} p95 ({unit})"] == pytest.approx(np.percentile(inside, 95))
    bone, soft = (np.count_nonzero(state.tissue == code) for code in (tissues.BONE, tissues.SOFT))
    assert row["BV/TV (1)"] == pytest.approx(bone / 20**3)
    assert soft > 0.9 * 20**3


def test_a_run_has_the_columns_of_its_sites(ends):
    table = ends["primary"].readouts
    rare = ["endothelium from EPCs (1)", *table.filter(regex="CXCR4 on").columns]  # nothing to average until it happens
    assert not table.drop(columns=rare).isna().any(axis=None)
    for name in ("tumour in marrow (cells)", "BV/TV (1)", "slots held by hpc (1)", "oxygen mean (mmHg)"):
        assert name not in table
        assert name in ends["metastasis"].readouts
    marrow = Simulation.from_scenario("homing", threads=1, overrides={"geometry.size": ["200 um"] * 3})
    assert not [name for name in measure_readouts(marrow.state) if "soft tissue" in name]
