"""Bone that is remodelled beside a tumour, with everything on: the same bits for any thread count, resume and kill."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from marrowsim.storage import RunFolder, open_run
from marrowsim.storage.compare import compare_runs

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
STEPS = 24
SCENARIO = """
title = "A few voxels of bone and tumour"
seed = 4

[time]
duration = "12 h"
step = "30 min"

[geometry]
size = ["200 um", "190 um", "180 um"]
bone_volume_fraction = 0.25

[[seeding]]
cell = "tumour"
density = "40000 /mm^3"

[[dose]]
drug = "plerixafor"
amount = "240 ug/kg"
at = "2 h"
every = "5 h"

[cells.tumour]
dormancy = "0 h"
division_time = "8 h"

[cells.ocp]
renewal = "60000 /(mm^3 d)"

[processes.remodelling]
enabled = true
osteoclast_density = "300 /mm^2"
osteoclast_life = "1 d"
resorption_rate = "60000 um^3/d"
fusion_rate = "30 /d"
fusion_partners = 1
reversal_time = "1 h"
recruitment_rate = "20 /d"
apposition_rate = "40 um/d"
trapped_share = 0.3
lining_share = 0.5
coupling = 0.8

[processes.angiogenesis]
tip_rate = "1 /h"
threshold = "1e-5 nM"
tip_speed = "60 um/h"

[output]
readouts_every = "1 h"
frames_every = "3 h"
checkpoint_every = "2 h"
"""
# Every kill is in a process of its own, forked once everything is imported.
KILLER = """
import json, os, sys
from pathlib import Path
from marrowsim.config import load_config
from marrowsim.processes import PROCESSES
from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder, open_run

path, threads = Path(sys.argv[2]), int(sys.argv[3])
if path.exists():
    run = open_run(path)
    simulation = run.simulation(threads=threads)
    folder = run.recorder(simulation)
else:
    simulation = Simulation(load_config(sys.argv[1], PROCESSES, {"output.checkpoint_every": "30 min"}), threads=threads)
    folder = RunFolder.create(path, simulation)
print("at work", flush=True)
with folder:
    simulation.run(recorders=[folder])
"""


@pytest.fixture(scope="module")
def bone_file(tmp_path_factory):
    """The scenario as a file."""
    path = tmp_path_factory.mktemp("bone") / "bone.toml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def begin_bone(bone_file, beginner):
    """A function that makes the simulation of the scenario anew."""
    return beginner(bone_file)


@pytest.fixture(scope="module")
def bone_run(begin_bone, record_whole):
    """The run that was never stopped."""
    return open_run(record_whole(begin_bone()))


def contents(folder):
    """What must be the same, byte for byte, however often a run was stopped."""
    files = [folder / "readouts.csv", *sorted((folder / "frames").iterdir())]
    return {path.name: path.read_bytes() for path in files}


def test_everything_happens(bone_run):
    tallies = bone_run.simulation().state.tallies
    for what in (
        "resorbed:osteoclast", "formed:osteoblast", "fused:ocp", "arose:ocp", "died:osteoclast",
        "freed by resorption:osteocyte", "trapped:osteoblast", "came to rest:osteoblast", "driven out:osteoblast",
        "born:tumour", "laid vessel wall:tip",
    ):  # fmt: skip
        assert tallies[what] > 0, what


def test_the_readouts_are_sound(bone_run):
    shares = bone_run.readouts["rankl from tumour (1)"].dropna()
    assert len(shares) > 5
    assert shares.between(0, 1.01).all()


def test_the_result_is_that_of_the_release(bone_run):
    """A change here is a change of results: it goes into CHANGELOG.md with the new hash."""
    assert bone_run.record["hash"] == GOLDEN["remodelling"]


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_thread_count_changes_no_bit(begin_bone, bone_run, threads):
    simulation = begin_bone(threads=threads)
    simulation.run()
    assert simulation.state.hash() == bone_run.record["hash"]


@pytest.mark.parametrize("stop", [0, 1, 2, 5, 11, 12, 17, 23])
def test_a_resumed_run_has_the_same_bits(begin_bone, bone_run, tmp_path, stop):
    simulation = begin_bone(threads=1 + stop % 2)
    with RunFolder.create(tmp_path / "run", simulation) as folder:
        simulation.run(steps=stop, recorders=[folder])
    run = open_run(folder.path)
    assert run.last[0] == stop
    simulation = run.simulation(threads=3 - stop % 2)
    with run.recorder(simulation) as folder:
        simulation.run(recorders=[folder])
    assert compare_runs(open_run(folder.path), bone_run) == []
    assert contents(folder.path) == contents(bone_run.path)


def test_kills(bone_file, bone_run, tmp_path):
    """Five kills at any moment, then to the end; a checkpoint is written after every step."""
    path, moments = tmp_path / "run", random.Random(2)
    command = [sys.executable, "-P", "-c", KILLER, str(bone_file), str(path)]
    for number in range(5):
        process = subprocess.Popen([*command, str(1 + number % 2)], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "at work\n"
        time.sleep(moments.uniform(0.0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    subprocess.run([*command, "1"], check=True, capture_output=True, timeout=60)
    assert 1 <= len(open_run(path).record["resumed"]) <= 5
    assert open_run(path).record["hash"] == bone_run.record["hash"]
    assert contents(path) == contents(bone_run.path)


def test_a_difference_in_mineral_is_found_and_named(begin_bone, bone_run, tmp_path):
    simulation = begin_bone()
    with RunFolder.create(tmp_path / "run", simulation) as folder:
        simulation.run(steps=STEPS - 1, recorders=[folder])
        mineral = simulation.state.records["bone/mineral"]
        z, y, x = np.argwhere(mineral == 1)[7]
        mineral[z, y, x] = 0.75
        simulation.run(recorders=[folder])
    found = [str(item) for item in compare_runs(open_run(folder.path), bone_run)]
    assert any(f"records/bone/mineral at voxel x = {x}, y = {y}, z = {z}" in item for item in found), found


def test_what_a_checkpoint_keeps_of_bone_is_small(bone_run):
    """Mineral and depth are 5 B a voxel, nearly all of them equal: they pack into a fraction of a byte."""
    path = sorted((bone_run.path / "checkpoints").glob("0*.h5"))[-1]
    with h5py.File(path) as file:
        stored = sum(file[f"records/bone/{name}"].id.get_storage_size() for name in ("mineral", "depth"))
        voxels = file["tissue"].size
    assert stored < 0.7 * voxels
