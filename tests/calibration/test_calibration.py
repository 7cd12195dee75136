"""Calibrations against posteriors in closed form, through the command's own way; their files, folders and faults."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import qmc
from typer.testing import CliRunner

from marrowsim.calibration import BUNDLED, calibrate, calibration_text, load_calibration
from marrowsim.calibration.posterior import correlation, posterior, quantiles
from marrowsim.cli.app import app
from marrowsim.cli.parameters import all_records
from marrowsim.errors import ExperimentError
from marrowsim.sweeps import sweep
from marrowsim.sweeps.designs import rows_of

TWO = """
format = 1
id = "two"
title = "Cells of two seedings"
scenario = "culture"
design = "halton"
samples = 64
accept = 0.2

[set]
geometry.size = ["200 um", "200 um", "200 um"]
time.duration = "30 min"
seeding = [{ cell = "tumour", density = "10000 /mm^3" }, { cell = "tumour", density = "10000 /mm^3" }]

[[parameter]]
key = "seeding.0.density"
low = "0 /mm^3"
high = "50000 /mm^3"

[[parameter]]
key = "seeding.1.density"
low = "0 /mm^3"
high = "50000 /mm^3"

[[readout]]
name = "cells"
unit = "cells"
measure = "cells"
options = { cell = "tumour" }
at = "0 h"

[[target]]
readout = "cells"
aim = 400
sd = 24
source = "made up"
"""
FILES = ("results.csv", "posterior.csv", "accepted.csv", "report.md")
VOLUME = 0.008
"""mm3: cells = (x0 + x1) * VOLUME."""


@pytest.fixture
def two(tmp_path):
    """A function that writes the calibration with replacements in its text, and returns the file."""

    def write(*changes):
        text = TWO
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "two.toml").write_text(text)
        return tmp_path / "two.toml"

    return write


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The calibration, run in this process."""
    path = tmp_path_factory.mktemp("finished") / "two.toml"
    path.write_text(TWO)
    return path, calibrate(path, output=path.parent / "out", processes=1)


def test_only_the_sum_is_known(finished):
    """Cells tell the sum of two densities, 50000 /mm3 with an sd of 3000, and nothing of either: they trade off."""
    _, found = finished
    weight = found.posterior.weight
    assert found.reliable and np.isclose(weight.sum(), 1)
    total = quantiles(found.values.sum(axis=1), weight)
    assert abs(total[2] - 50000) < 1500
    # 95 % of a normal distribution is 3.92 standard deviations wide; the kernel and few points add a little.
    assert 0.8 < (total[4] - total[0]) / (3.92 * 3000) < 1.6
    assert found.correlation.iloc[0, 1] < -0.9
    # Each by itself is spread over all of its prior, evenly.
    assert (found.table["25 %"].between(7000, 20000)).all() and (found.table["75 %"].between(30000, 43000)).all()


def test_the_folder(finished):
    path, found = finished
    folder = path.parent / "out"
    table = pd.read_csv(folder / "posterior.csv")
    assert list(table["parameter"]) == ["seeding.0.density", "seeding.1.density"]
    assert list(table["unit"]) == ["/mm^3"] * 2 and list(table["high"]) == [50000] * 2
    accepted = pd.read_csv(folder / "accepted.csv")
    assert 10 < len(accepted) < 64 and accepted["distance"].is_monotonic_increasing
    densities = accepted["seeding.0.density (/mm^3)"] + accepted["seeding.1.density (/mm^3)"]
    np.testing.assert_allclose(accepted["cells (cells)"], densities * VOLUME, atol=2)
    np.testing.assert_allclose(accepted["distance"], abs(accepted["cells (cells)"] - 400) / 24, rtol=1e-9)
    assert accepted["weight"].sum() == pytest.approx(1)
    report = (folder / "report.md").read_text()
    for words in (
        "local linear regression",
        "Correlations in the posterior",
        "400 +- 24 cells",
        "\n## The sweep: Cells",
        "\n### Sensitivity",
    ):
        assert words in report
    assert len(pd.read_csv(folder / "results.csv")) == 64
    assert bool(found.check["met"].all())


def test_more_samples_keep_what_is_done(finished, two, tmp_path):
    """Stopped after a third, extended, and one point lost: the tables of a run without interruption, to the byte."""
    _, whole = finished
    out = tmp_path / "out"
    part = calibrate(two(("samples = 64", "samples = 24"), ("accept = 0.2", "accept = 0.5")), output=out, processes=1)
    assert part.sweep.points == 24
    times = {item.name: item.stat().st_mtime_ns for item in out.glob("points/*.json")}
    lost = sorted(times)[0]
    (out / "points" / lost).unlink()
    again = calibrate(two(), output=out, processes=1)
    after = {item.name: item.stat().st_mtime_ns for item in out.glob("points/*.json")}
    assert len(after) == 64 and all(after[name] == time for name, time in times.items() if name != lost)
    for name in FILES:
        assert (out / name).read_bytes() == (whole.sweep.folder / name).read_bytes(), name
    assert again.sweep.failures.empty


def test_a_target_out_of_reach_is_told(finished, tmp_path):
    path, _ = finished
    (tmp_path / "far.toml").write_text(TWO.replace("aim = 400", "aim = 1200"))
    found = calibrate(tmp_path / "far.toml", output=path.parent / "out-of-reach", processes=1)
    assert not found.check["met"].any() and "| **no** |" in found.report


def linear(points, slopes, sd, aim=0.5, seed=3):
    """Places and scores of a model whose readouts are linear in the places, with targets at `aim` of each."""
    slopes = np.atleast_2d(slopes)
    place = qmc.Halton(slopes.shape[1], rng=np.random.default_rng(seed)).random(points)
    return place, (place - aim) @ slopes.T / sd


@pytest.mark.parametrize("accept", [0.02, 0.1, 0.3])
def test_normal_posterior(accept):
    """Of y = x with a target 0.5 +- 0.05 the posterior is that normal distribution, whatever share is accepted."""
    place, score = linear(400, [[1.0]], 0.05)
    found = posterior(place, score, accept, seed=1)
    expected = 0.5 + 0.05 * np.array([-1.96, -0.674, 0, 0.674, 1.96])
    np.testing.assert_allclose(quantiles(found.place[:, 0], found.weight), expected, atol=0.012)
    assert found.effective > 20


def test_two_targets_know_two_parameters():
    """x0 + x1 and x0 - x1 with the same error know x0 and x1 to it over sqrt(2), independently."""
    place, score = linear(2000, [[1.0, 1.0], [1.0, -1.0]], 0.08)
    found = posterior(place, score, 0.05, seed=1)
    spread = np.sqrt(np.average((found.place - 0.5) ** 2, axis=0, weights=found.weight))
    np.testing.assert_allclose(spread, 0.08 / np.sqrt(2), rtol=0.15)
    assert abs(correlation(found.place, found.weight)[0, 1]) < 0.1


def test_points_without_a_result_are_left_out():
    place, score = linear(200, [[1.0]], 0.05)
    score[place[:, 0] > 0.5] = np.nan
    found = posterior(place, score, 0.2, seed=1)
    assert (found.of_point[place[:, 0] > 0.5] == 0).all() and found.of_point.sum() == pytest.approx(1)
    assert posterior(place, np.full_like(score, np.nan), 0.2, seed=1) is None


def test_nothing_leaves_the_prior():
    place, score = linear(200, [[1.0]], 0.2, aim=0.98)
    found = posterior(place, score, 0.3, seed=1)
    assert found.place.min() > 0 and found.place.max() < 1


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ('design = "halton"', 'design = "sobol"', 6, "unknown word"),
        ("samples = 64\n", "", None, "a value is missing"),
        ("accept = 0.2", "accept = 0", 8, "out of bounds"),
        ('readout = "cells"', 'readout = "cell"', 33, "unknown readout"),
        ("aim = 400\n", "", None, "neither an aim nor a band"),
        ("sd = 24", "sd = 0", 35, "out of bounds"),
        ("aim = 400\nsd = 24", "band = [440, 360]", None, "the band is empty"),
        ('source = "made up"\n', "", None, "a value is missing"),
        ('low = "0 /mm^3"\nhigh = "50000 /mm^3"', 'values = ["0 /mm^3", "5 /mm^3"]', 17, "a prior is a range"),
        ("[[target]]", '[[target]]\nreadout = "cells"\nband = [1, 2]\nsource = "x"\n\n[[target]]', 38, "two targets"),
    ],
)  # fmt: skip
def test_faults(old, new, line, what, two):
    path = two((old, new))
    with pytest.raises(ExperimentError) as error:
        load_calibration(path)
    found = [fault for fault in error.value.faults if what in fault.what]
    assert found, error.value
    if line is not None:
        assert any(fault.where.startswith(f"{path}:{line}:") for fault in found), error.value


def test_a_band_is_a_95_percent_interval(two):
    path = two(("aim = 400\nsd = 24", "band = [380.4, 419.6]"))
    np.testing.assert_allclose(load_calibration(path).sweep.target[0].normal, (400, 10), rtol=1e-3)


def test_too_few_points(two, tmp_path):
    with pytest.raises(ExperimentError, match="too few points for a posterior"):
        calibrate(two(("samples = 64", "samples = 2")), output=tmp_path / "out", processes=1)


def value_of(config, key):
    """What a scenario has at a dotted key, as text with its unit or as a number."""
    found = config.resolved()
    for part in key.split("."):
        found = found[part]
    return found


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled(name):
    """A bundled calibration has the name of its file, runs at every end, and the default within its prior."""
    source = load_calibration(name)
    assert source.sweep.id == name
    (parameter,) = source.sweep.parameter
    low, high = parameter.ends
    assert low < parameter.number(value_of(source.config({}), parameter.key)) < high


WITHOUT = {
    "processes.remodelling.rankl_half",
    "cells.tumour.secretion.rankl",
    "processes.niche.release_rate",
    "cells.hpc.differentiation_time",
    "cells.car.secretion.cxcl12",
    "fields.cxcl12.wall_secretion",
}
"""Defaults that were calibrated by hand and have no calibration yet; docs/CALIBRATION.md says why."""


def test_each_calibrated_default_has_a_calibration():
    """What says that it was calibrated names the calibration that fits it, or is told to have none."""
    fitted = {item.key: name for name in BUNDLED for item in load_calibration(name).sweep.parameter}
    said = {item.key: item.source for item in all_records({}) if re.search("calibrat|tuned|fitted", item.source)}
    assert set(said) == set(fitted) | WITHOUT and not WITHOUT & set(fitted)
    for key, name in fitted.items():
        assert f"(calibration {name})" in said[key]
    page = (Path(__file__).parents[2] / "docs" / "CALIBRATION.md").read_text()
    for key in set(said):
        assert f"`{key}`" in page, key
    for name in BUNDLED:
        assert f"`{name}`" in page, name


@pytest.mark.slow
def test_a_bundled_calibration_runs(tmp_path):
    """In a small box, with few points: the mean pO2 rises with the exchange, and the posterior lies in the prior."""
    text, _ = calibration_text("oxygen-exchange")
    small = (
        text.replace("600 um", "200 um")
        .replace("samples = 240", "samples = 16")
        .replace("accept = 0.1", "accept = 0.5")
    )
    (tmp_path / "small.toml").write_text(small)
    found = calibrate(tmp_path / "small.toml", output=tmp_path / "out", processes=1)
    accepted = found.accepted.sort_values("fields.oxygen.blood_exchange (/min)")
    assert found.sweep.points == 16 and accepted["mean pO2 (mmHg)"].is_monotonic_increasing
    low, middle, high = found.table.loc[0, ["2.5 %", "50 %", "97.5 %"]]
    assert 50 < low < middle < high < 3000


def test_a_longer_sequence_goes_on(two):
    few, many = (rows_of(load_calibration(two(("samples = 64", f"samples = {n}"))).sweep) for n in (24, 64))
    assert few == many[:24]


def test_the_command(two, tmp_path, finished):
    runner = CliRunner()
    out = tmp_path / "out"
    result = runner.invoke(app, ["calibrate", str(two(("samples = 64", "samples = 24"))), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "effective points of 24" in result.output
    assert (out / "posterior.png").stat().st_size > 10_000 and (out / "figure.png").exists()
    assert json.loads((out / "sweep.json").read_text())["id"] == "two"
    assert (
        "24 runs" in runner.invoke(app, ["calibrate", str(tmp_path / "two.toml"), "-o", str(out), "--dry-run"]).output
    )
    assert "fusion-rate" in runner.invoke(app, ["calibrate", "--list"]).output
    assert "[[target]]" in runner.invoke(app, ["calibrate", "fusion-rate", "--print"]).output
    assert runner.invoke(app, ["calibrate"]).exit_code == 2
    with pytest.raises(ExperimentError, match="of another sweep"):
        sweep("oxygen-and-cxcl12", output=out)
