"""kill -9 at any moment, then resume until the run is finished: the same bits."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from marrowsim.storage import open_run

# Imports once, then forks a process for every kill, so that all moments fall into the work itself.
KILLER = """
import json, os, random, signal, sys, time
from pathlib import Path
from marrowsim.processes import PROCESSES
from marrowsim.config import load_config
from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder, open_run

scenario, path, kills, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

LONGER = {"time.duration": "12 h", "output.checkpoint_every": "6 min"}

def work(path, threads):
    if path.exists():
        run = open_run(path)
        simulation = run.simulation(threads=threads)
        folder = run.recorder(simulation)
    else:
        simulation = Simulation(load_config(scenario, PROCESSES, LONGER), threads=threads)
        folder = RunFolder.create(path, simulation)
    with folder:
        simulation.run(recorders=[folder])

def reached():
    return max((int(item.stem) for item in (path / "checkpoints").glob("0*.h5")), default=-1)

moments = random.Random(seed)
steps = []
for number in range(kills):
    child = os.fork()
    if not child:
        work(path, 1 + number % 2)
        os._exit(0)
    goal = reached() + moments.randint(0, 3)
    while reached() < goal or not path.exists():
        if os.waitpid(child, os.WNOHANG)[0]:
            sys.exit("the run ended before it was killed")
        time.sleep(0.001)
    time.sleep(moments.uniform(0.0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    steps.append(reached())
work(path, 1)
work(path.with_name("whole"), 1)
print(json.dumps(steps))
"""


def contents(folder):
    """What must be the same, byte for byte, however often a run was stopped."""
    files = [folder / "readouts.csv", *sorted((folder / "frames").iterdir())]
    return {path.name: path.read_bytes() for path in files}


def test_twenty_kills(scenario_file, tmp_path):
    path, whole = tmp_path / "run", tmp_path / "whole"
    command = [sys.executable, "-P", "-c", KILLER, str(scenario_file), str(path), "20", "5"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert answer.returncode == 0, answer.stderr
    steps = json.loads(answer.stdout)
    assert len(steps) == 20 and len(set(steps)) > 5
    run = open_run(path)
    assert run.status == "finished"
    assert run.record["hash"] == open_run(whole).record["hash"]
    assert contents(path) == contents(whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_kill_the_command_at_any_moment(scenario_file, whole, tmp_path, seed):
    path = tmp_path / "run"
    command = [sys.executable, "-P", "-m", "marrowsim"]
    run = [*command, "run", str(scenario_file), "-o", str(path), "--no-picture"]
    resume = [*command, "resume", str(path), "--no-picture"]
    moments = random.Random(seed)
    for _ in range(3):
        process = subprocess.Popen(
            resume if path.exists() else run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.3, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(resume if path.exists() else run, check=True, capture_output=True)
    assert open_run(path).record["hash"] == open_run(whole).record["hash"]
    assert contents(path) == contents(whole)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_stops_politely(scenario_file, whole, tmp_path, number, code):
    path = tmp_path / "run"
    command = [sys.executable, "-P", "-m", "marrowsim"]
    longer = [*command, "run", str(scenario_file), "-o", str(path), "--no-picture", "--days", "400"]
    process = subprocess.Popen(longer, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (path / "readouts.csv").exists() or (path / "readouts.csv").read_text().count("\n") < 3:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert f"marrowsim resume {path}" in errors and "Traceback" not in errors
    run = open_run(path)
    assert run.status == "interrupted" and run.last[0] > 0
