"""The page of several experiments, and `knockout` over several that is killed and goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from typer.testing import CliRunner

from marrowsim.cli.app import app
from marrowsim.experiments.files import load_experiment
from marrowsim.experiments.overview import MATRIX, decisive, matrix, overview_text, reference
from marrowsim.experiments.run import Outcome
from marrowsim.experiments.verdict import judge_all
from marrowsim.viz.matrix import draw_matrix


@pytest.fixture
def outcome(tiny):
    """The small experiment with values made up: twice the cells with CXCL12, blocked none early."""
    experiment = load_experiment(tiny()).experiment
    spread = np.array([8.0, 9.0, 10.0, 11.0, 12.0, 10.0])
    cells = {"with": 2 * spread, "without": spread, "blocked": spread}
    early = {"with": spread, "without": spread[::-1], "blocked": 0 * spread}
    values = {"cells": cells, "early": early}
    return Outcome(experiment, False, tuple(range(1, 7)), values, judge_all(experiment, values), None)


def test_the_reference_changes_nothing_or_is_the_first(outcome, tiny):
    assert reference(outcome.experiment) == "with"
    plain = tiny(('[arms.without]\nset.fields.cxcl12.held_at = "0 nM"', "[arms.without]"))
    assert reference(load_experiment(plain).experiment) == "without"


def test_the_matrix_is_of_ratios_to_the_reference(outcome):
    found = matrix(outcome)
    assert set(found) == {(arm, name) for arm in ("with", "without", "blocked") for name in ("cells", "early")}
    assert found["without", "cells"].estimate == pytest.approx(0.5)
    assert found["blocked", "early"].estimate == 0
    assert decisive(outcome.experiment) == {("with", "cells"), ("without", "cells"), ("blocked", "cells")}


def test_the_page_has_claims_verdicts_and_the_matrix(outcome):
    text = overview_text([outcome, outcome], "overview.png")
    claims, _, below = text.partition(MATRIX)
    assert claims.count("[tiny](tiny/report.md)") == 2 and claims.count("| **supported** |") == 2
    assert "2 supported" in claims and "| more cells | 2 [2, 2] | 6 | 2 of 2 | 1 of 1 |" in claims
    assert "](overview.png)" in below and "Not finished" not in text
    assert "**Not finished: S3.**" in overview_text([outcome], "overview.png", ["S3"])
    assert "| with CXCL12 |  | mean 20 | mean 10 |" in below
    assert "| blocked | CXCR4 | **0.5 [0.5, 0.5]** | 0 [0, 0] |" in below


def test_the_figure_shows_more_where_a_ratio_is_high(outcome, tmp_path):
    """Red grows and blue vanishes when an arm turns from half of the reference into twice it."""
    draw_matrix([outcome] * 3, tmp_path / "low.png")
    cells = outcome.values["cells"]
    cells["with"], cells["without"], cells["blocked"] = cells["without"], cells["with"], cells["with"]
    draw_matrix([outcome] * 3, tmp_path / "high.png")
    blue, red = [], []
    for name in ("low", "high"):
        picture = image.imread(tmp_path / f"{name}.png")[:-100, :, :3]
        red.append(int((picture[..., 0] - picture[..., 2] > 0.2).sum()))
        blue.append(int((picture[..., 2] - picture[..., 0] > 0.2).sum()))
    assert blue[0] > blue[1] and red[1] > red[0]


def test_experiments_that_were_killed_go_on(tiny, tmp_path, monkeypatch):
    """SIGKILL in the second of two experiments; the same command then runs what is missing, and nothing else."""
    tiny(), tiny(('id = "tiny"', 'id = "second"'), name="second.toml")
    monkeypatch.chdir(tmp_path)
    command = ["knockout", "tiny.toml", "second.toml", "--bounded", "--processes", "1", "-o"]
    with subprocess.Popen([sys.executable, "-P", "-m", "marrowsim", *command, "killed"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True) as running:  # fmt: skip
        points = tmp_path / "killed" / "second" / "points"
        limit = time.monotonic() + 120
        while len(list(points.glob("*.json"))) < 2 and running.poll() is None and time.monotonic() < limit:
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL and not (tmp_path / "killed" / "overview.md").exists()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("*/points/*.json")}
    assert 8 <= len(before) < 12
    for folder in ("killed", "whole"):
        assert CliRunner().invoke(app, [*command, folder]).exit_code == 0
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in before.items())
    for name in ("overview.md", "tiny/table.csv", "second/table.csv", "second/report.md"):
        assert Path(tmp_path, "killed", name).read_bytes() == Path(tmp_path, "whole", name).read_bytes()
