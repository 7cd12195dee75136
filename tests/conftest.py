"""Shared pieces of the tests."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim.config import load_config
from marrowsim.geometry.build import Geometry
from marrowsim.processes import PROCESSES
from marrowsim.seeding import seeded_state

DISH = {
    "geometry": {"kind": "dish"},
    "vessels": {"source": "none"},
    "processes": {"motility": {"free_fraction": 1.0, "gradient_floor": "0 /um"}},
    "fields": {"oxygen": {"held_at": "150 mmHg"}, "cxcl12": {"held_at": "0 nM"}},
}
WALKER = {
    "label": "walker",
    "motility": "1000 um^2/h",  # 60 hops/h at 10 um: 1 a minute
}


def pytest_addoption(parser):
    """How many seeds the slow statistics take."""
    parser.addoption("--seeds", type=int, help="seeds of each slow measurement, instead of its own number")


@pytest.fixture(scope="session")
def seeds(request):
    """A function that gives the seeds of a slow measurement, from how many it takes by itself."""
    return lambda own: range(1, 1 + (request.config.getoption("--seeds") or own))


@pytest.fixture(scope="session")
def block():
    """A function that makes a block of marrow for pictures (`made_block.block`)."""
    spec = importlib.util.spec_from_file_location("made_block", Path(__file__).with_name("made_block.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.block


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real bone and marrow; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("MARROWSIM_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent (set MARROWSIM_DATA)")
    return folder


@pytest.fixture(scope="session")
def make_state():
    """A function that builds the state of a box of medium.

    make_state(shape, cells={type: sites}, types={type: {...}}, overrides={dotted key: value}, seed=1)
    """

    def build(shape, cells=None, types=None, overrides=None, seed=1, slots=(), tissue=None):
        scenario = {**DISH, "seed": seed, "cells": types or {"walker": WALKER}}
        config = load_config(scenario, PROCESSES, {"time.step": "1 min", **(overrides or {})})
        box = np.full(shape, tissues.MARROW, dtype=np.uint8) if tissue is None else tissue
        residents = {name: np.asarray(sites) for name, sites in (cells or {}).items()}
        geometry = Geometry(box, 10.0, residents, np.asarray(slots, dtype=np.int64), np.zeros(0, dtype=np.int64))
        state = seeded_state(config, geometry)
        for name, field in config.active_fields.items():
            state.fields[name][...] = field.held_at or 0.0
        return state

    return build
