"""Sensitivity indices against closed forms, through the command's own way."""

import numpy as np
import pytest

from marrowsim.sweeps import sweep

ADDITIVE = """
format = 1
id = "additive"
title = "Cells of two seedings and a key that does nothing"
scenario = "culture"
{design}

[set]
geometry.size = ["200 um", "200 um", "200 um"]
time.duration = "30 min"
seeding = [{{ cell = "tumour", density = "10000 /mm^3" }}, {{ cell = "tumour", density = "10000 /mm^3" }}]

[[parameter]]
key = "seeding.0.density"
low = "0 /mm^3"
high = "90000 /mm^3"

[[parameter]]
key = "seeding.1.density"
low = "0 /mm^3"
high = "45000 /mm^3"

[[parameter]]
key = "fields.oxygen.held_at"
low = "40 mmHg"
high = "150 mmHg"

[[readout]]
name = "cells"
measure = "cells"
options = {{ cell = "tumour" }}
at = "0 h"
"""
# y = (x1 + x2) V with x uniform: the variance is that of x1 and x2, (90^2 + 45^2) / 12, and nothing interacts.
SHARES = np.array([0.8, 0.2, 0.0])
CELLS = np.array([720.0, 360.0, 0.0])
"""Cells that each parameter adds over its range, in 0.008 mm^3."""


def indices(tmp_path, design):
    pytest.importorskip("SALib")
    path = tmp_path / "additive.toml"
    path.write_text(ADDITIVE.format(design=design))
    outcome = sweep(path, output=tmp_path / "out", processes=1)
    assert outcome.failures.empty
    return {name: some.reset_index() for name, some in outcome.sensitivity.groupby("index")}


def test_sobol(tmp_path):
    found = indices(tmp_path, 'design = "sobol"\nsamples = 64')
    for name in ("S1", "ST"):
        np.testing.assert_allclose(found[name]["estimate"], SHARES, atol=0.08)
        assert (found[name]["low"] - 0.01 <= SHARES).all() and (found[name]["high"] + 0.01 >= SHARES).all()


def test_morris(tmp_path):
    found = indices(tmp_path, 'design = "morris"\nsamples = 8')
    np.testing.assert_allclose(found["mu_star"]["estimate"], CELLS, atol=3)
    assert (found["sigma"]["estimate"] < 5).all()
    assert (found["mu_star"]["low"] <= found["mu_star"]["estimate"]).all()
    assert (found["mu_star"]["estimate"] <= found["mu_star"]["high"]).all()


def test_rank_correlation(tmp_path):
    found = indices(tmp_path, 'design = "latin hypercube"\nsamples = 48')["rank correlation"]
    first, second, third = found.itertuples()
    assert 0.8 < first.low <= first.estimate <= first.high <= 1
    assert 0.1 < second.estimate < 0.7 and third.low < 0 < third.high
