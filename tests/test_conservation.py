"""Cells in are cells out and cells there, for every type, on the lattice and in the blood, with everything on."""

import numpy as np
import pytest

from marrowsim import Simulation
from marrowsim.state import Status

SOURCES = ("injected", "flowed in", "born", "set out")
SINKS = (
    "died",
    "necrosed",
    "matured",
    "cleared",
    "homed to competitor",
    "regressed",
    "joined a vessel",
)
INTO_BLOOD = ("injected", "flowed in", "left into blood", "released into blood")
OUT_OF_BLOOD = ("arrested", "cleared", "homed to competitor")
SCENARIO = {
    "seed": 5,
    "time": {"duration": "8 h", "step": "12 min"},
    "geometry": {"size": ["200 um", "180 um", "160 um"]},
    "stroma": {"slots": "20000 /mm^3", "hpc_free": "10000 /mm^3"},
    "injection": [{"cell": "tumour", "density": "50000 /mm^3", "at": "24 min"}],
    "dose": [{"drug": "plerixafor", "amount": "0.24 mg/kg", "at": "1 h", "every": "3 h"}],
    "cells": {
        "tumour": {
            "extravasation_time": "30 min", "dormancy": "0 h", "division_time": "2 h", "death_rate": "0.2 /h",
            "displacement_rate": "1 /h", "egress_rate": "0.2 /h", "influx": "4000 /(mm^3 h)",
        },
        "fibroblast": {"conversion_rate": "1 /h"}, "car": {"conversion_rate": "1 /h"},
        "epc": {"influx": "4000 /(mm^3 h)", "extravasation_time": "10 min"},
        "hpc": {
            "differentiation_time": "8 h", "division_time": "4 h", "competitor_contact": 1.0, "egress_rate": "1 /h",
        },
    },
    "processes": {
        "cycle": {"oxygen_necrotic": "13.5 mmHg"}, "niche": {"release_rate": "0.003 /min"},
        "angiogenesis": {"tip_rate": "1 /h", "threshold": "1e-5 nM"},
    },
}  # fmt: skip


def counted(state, names):
    """Tallies of these events, by cell type code."""
    types = state.config.cell_names
    return np.array([sum(state.tallies.get(f"{name}:{cell}", 0) for name in names) for cell in types])


def converted(state):
    """Cells that conversion added to each type, less those that it took, by cell type code."""
    types = state.config.cell_names
    gain = np.zeros(len(types), dtype=int)
    for key, count in state.tallies.items():
        what, _, cell = key.partition(":")
        if what.startswith("converted to "):
            gain[types.index(what.removeprefix("converted to "))] += count
            gain[types.index(cell)] -= count
    return gain


@pytest.fixture(scope="module")
def run():
    return Simulation.from_scenario(SCENARIO, threads=1)


def test_cells_are_conserved_in_every_step(run):
    """Start + sources + converted = there + sinks, on the lattice and in the blood."""
    state, kinds = run.state, len(run.config.cells)
    start = np.bincount(state.cells.type, minlength=kinds)
    for _ in range(run.config.time.steps):
        run.run(steps=1)
        cells = state.cells
        there = np.bincount(cells.type, minlength=kinds)
        np.testing.assert_array_equal(start + counted(state, SOURCES) + converted(state), there + counted(state, SINKS))
        circulating = cells.status == Status.CIRCULATING
        blood = np.bincount(cells.type[circulating], minlength=kinds)
        np.testing.assert_array_equal(blood, counted(state, INTO_BLOOD) - counted(state, OUT_OF_BLOOD))
        np.testing.assert_array_equal(cells.site < 0, circulating)
        rows = np.flatnonzero(~circulating)
        np.testing.assert_array_equal(state.occupant.reshape(-1)[cells.site[rows]], rows)
        assert np.count_nonzero(state.occupant >= 0) == len(rows)
        assert len(np.unique(cells.id)) == len(cells)
        assert cells.id.max() < state.next_id == start.sum() + counted(state, SOURCES).sum()
        held = np.isin(state.slots, cells.site[cells.status == Status.BOUND])
        assert np.count_nonzero(held) == np.count_nonzero(cells.status == Status.BOUND)


def test_all_of_it_happened(run):
    tumour, hpc = run.config.code("tumour"), run.config.code("hpc")
    for name in (
        "injected",
        "flowed in",
        "born",
        "died",
        "necrosed",
        "cleared",
        "homed to competitor",
        "left into blood",
        "arrested",
    ):
        assert counted(run.state, (name,))[tumour] > 0, name
    for name in ("born", "matured", "homed to competitor", "left into blood", "arrested"):
        assert counted(run.state, (name,))[hpc] > 0, name
    for name, cell in (("set out", "tip"), ("laid vessel wall", "tip"), ("joined a vessel", "epc")):
        assert counted(run.state, (name,))[run.config.code(cell)] > 0, name
    assert converted(run.state)[[run.config.code("caf"), run.config.code("damaged_car")]].all()
    assert run.state.inhibition("cxcr4") > 1
