"""The same bits for any thread count, and from release to release (target A14)."""

import json
from pathlib import Path

import pytest

from marrowsim import Simulation

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
BOXES = {"homing": ("240 um", "6 min"), "healthy": ("240 um", "30 min"), "culture": ("200 um", "30 min")}


def hash_after(scenario, threads, steps=30):
    size, step = BOXES[scenario]
    overrides = {"geometry.size": [size] * 3, "time.step": step}
    simulation = Simulation.from_scenario(scenario, threads=threads, overrides=overrides)
    simulation.run(steps=steps)
    return simulation.state.hash()


@pytest.mark.parametrize("scenario", BOXES)
def test_thread_count_changes_no_bit(scenario):
    assert len({hash_after(scenario, threads) for threads in (1, 2, 3, 8)}) == 1


@pytest.mark.parametrize("scenario", BOXES)
def test_results_are_those_of_the_release(scenario):
    """A change here is a change of results: it goes into CHANGELOG.md with the new hash."""
    assert hash_after(scenario, 1) == GOLDEN[scenario]


def test_another_seed_is_another_run():
    size, step = BOXES["homing"]
    overrides = {"geometry.size": [size] * 3, "time.step": step}
    hashes = set()
    for seed in (1, 2):
        simulation = Simulation.from_scenario("homing", seed=seed, overrides=overrides)
        simulation.run(steps=2)
        hashes.add(simulation.state.hash())
    assert len(hashes) == 2


def test_two_simulations_of_one_configuration_do_not_disturb_each_other():
    size, step = BOXES["homing"]
    first = Simulation.from_scenario("homing", threads=1, overrides={"geometry.size": [size] * 3, "time.step": step})
    second = Simulation(first.config, threads=1)
    for _ in range(3):
        first.run(steps=10)
        second.run(steps=10)
    assert first.state.hash() == second.state.hash() == GOLDEN["homing"]


def test_thread_count_changes_no_bit_with_every_process_at_work(begin):
    hashes = set()
    for threads in (1, 2, 3, 8):
        simulation = begin(threads=threads)
        simulation.run()
        hashes.add(simulation.state.hash())
    assert len(hashes) == 1
