"""Shared pieces of the tests of sweeps."""

import pytest

TINY = """
format = 1
id = "tiny"
title = "Cells in a dish by CXCL12 and density"
scenario = "culture"
design = "grid"
replicates = 2

[set]
geometry.size = ["100 um", "100 um", "100 um"]
time.duration = "6 h"
time.step = "60 min"

[[parameter]]
key = "fields.cxcl12.held_at"
label = "CXCL12"
low = "0.1 nM"
high = "10 nM"
scale = "log"
count = 3

[[parameter]]
key = "seeding.0.density"
values = ["20000 /mm^3", "6e-5 /um^3"]

[[readout]]
name = "cells"
unit = "cells"
measure = "cells"
options = { cell = "tumour" }

[[readout]]
name = "CXCR4"
measure = "cxcr4"
options = { cell = "tumour" }
"""


@pytest.fixture(scope="session")
def tiny_text():
    """Text of a small sweep: 3 x 2 points, 2 replicates."""
    return TINY


@pytest.fixture
def tiny(tmp_path):
    """A function that writes a small sweep, with replacements in its text, and returns the file."""

    def write(*changes, name="tiny.toml"):
        text = TINY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
