"""Shared pieces of the tests of experiments."""

import pytest

SMALL = """
format = 1
id = "tiny"
title = "Growth with and without CXCL12"
claim = "CXCL12 raises the number of cells."
scenario = "culture"
replicates = 3

[set]
geometry.size = ["100 um", "100 um", "100 um"]
time.duration = "2 d"
time.step = "60 min"
output.readouts_every = "12 h"
seeding = [{ cell = "tumour", density = "60000 /mm^3" }]

[bounded]
replicates = 2
set.time.duration = "1 d"

[arms.with]
label = "with CXCL12"
set.fields.cxcl12.held_at = "16 nM"

[arms.without]
set.fields.cxcl12.held_at = "0 nM"

[arms.blocked]
knockouts = ["CXCR4"]
set.fields.cxcl12.held_at = "16 nM"

[[readout]]
name = "cells"
unit = "cells"
measure = "cells"
options = { cell = "tumour" }

[[readout]]
name = "early"
measure = "cells"
options = { cell = "tumour" }
at = "12 h"

[[rule]]
name = "more cells"
kind = "ratio"
readout = "cells"
of = "with"
to = "without"
expected = [1.0, 3.0]
supports = { above = 1.0 }
falsifies = { below = 1.0 }

[[rule]]
name = "through CXCR4 (negative control)"
kind = "ratio"
readout = "cells"
of = "blocked"
to = "without"
supports = { within = [0.9, 1.1] }
"""


@pytest.fixture(scope="session")
def small_experiment():
    """Text of a small experiment."""
    return SMALL


@pytest.fixture
def tiny(tmp_path):
    """A function that writes a small experiment, with replacements in its text, and returns the file."""

    def write(*changes, name="tiny.toml"):
        text = SMALL
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
