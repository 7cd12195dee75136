"""Shared pieces of the tests of extensions: a small process, and a dish that names it."""

import pytest

CODE = '''
from pathlib import Path
from typing import Annotated

import numpy as np

import marrowsim as ms
from marrowsim._engine.rng import Stream, uniform
from marrowsim.units import In, Rate


class Culling(ms.OwnProcess):
    """Tumour cells are lost at a rate that a dose scales."""

    name = "culling"
    after = "cycle"
    readouts = (
        ms.OwnReadout("lost", "events", "since the start", lambda state: state.tallies.get("culled:tumour", 0)),)
    arrows = {"culling->tumour": {"meaning": "cells are lost", "set": {"processes.culling.rate": "0 /h"}}}

    rate: Rate = ms.parameter("0.3 /h", "rate of loss at 1 Gy", symbol="k", span="0.1-1 /h", source="made up", mark="E")
    dose: Annotated[float, In("Gy")] = ms.parameter("1 Gy", "scale of the rate")

    def update(self, state, clock):
        chance = uniform(clock.seed, Stream.STREAM_USER, clock.step, state.cells.id)
        lost = np.flatnonzero(chance < self.rate * self.dose * clock.dt)
        state.records["culling/last"] = np.array([len(lost)])
        state.tally("culled", lost)
        state.remove_cells(lost)
'''

DISH = """
title = "A dish"
extensions = ["culling.py"]

[time]
duration = "4 h"

[geometry]
kind = "dish"
size = ["100 um", "100 um", "100 um"]

[vessels]
source = "none"

[stroma]
car = "0 /mm^3"
fibroblast = "0 /mm^3"
lining = "0 /mm^2"
slots = "0 /mm^3"
hpc_free = "0 /mm^3"

[[seeding]]
cell = "tumour"
density = "300000 /mm^3"

[output]
readouts_every = "1 h"
checkpoint_every = "6 min"

[processes.culling]
dose = "0.5 Gy"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A present folder with the dish and its process."""
    (tmp_path / "dish.toml").write_text(DISH)
    (tmp_path / "culling.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def change(here):
    """A function that replaces text in the file of the process."""

    def write(old, new, name="culling.py"):
        assert old in CODE
        (here / name).write_text(CODE.replace(old, new))

    return write
