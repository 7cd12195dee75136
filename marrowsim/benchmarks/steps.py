"""Whole steps of the bundled scenarios, each process of them, geometry and memory."""

from __future__ import annotations

from collections.abc import Iterator

from marrowsim.benchmarks.machine import PeakMemory
from marrowsim.benchmarks.measure import NEVER, Row, clocks, digest, since
from marrowsim.config import Config, load_config
from marrowsim.geometry.build import Geometry, build_geometry
from marrowsim.processes import PROCESSES, Clock
from marrowsim.simulation import Simulation

SCENARIOS = ("homing", "healthy")
VOXEL_UM = 10.0
APART = {"title", "time", "output", "injection", "fields", "processes", "knockouts"}


def step_rows(size: int, rounds: int, scenarios: tuple[str, ...] = SCENARIOS) -> Iterator[Row]:
    """Geometry, first fields, whole step and every process of scenarios on a lattice of `size`^3 voxels.

    Scenarios that differ in nothing of the place share one geometry. The hash is that of the state after
    `rounds` + 2 steps.
    """
    geometry, place = None, None
    for name in scenarios:
        config = load_config(name, PROCESSES, {"geometry.size": [f"{size * VOXEL_UM:g} um"] * 3})
        if _place(config) != place:
            memory, start = PeakMemory(), clocks()
            geometry, place = build_geometry(config), _place(config)
            took = since(start)
            values = {"scenario": name, "bytes per voxel": _per_voxel(memory.grown(), size)}
            yield Row("step", "geometry", size, took, 1, _of_geometry(geometry), values)
        yield from _scenario_rows(name, config, geometry, size, rounds)


def _scenario_rows(scenario: str, config: Config, geometry: Geometry, size: int, rounds: int) -> Iterator[Row]:
    memory, start = PeakMemory(), clocks()
    simulation = Simulation(config, geometry=geometry, threads=1)
    prepared = since(start)
    state = simulation.state
    best = dict.fromkeys((process.name for process in simulation.schedule), NEVER)
    whole = NEVER
    for number in range(rounds + 2):
        clock = Clock(state.step, config.time.step, config.seed, simulation.threads)
        spent, begun = {}, clocks()
        for process in simulation.schedule:
            start = clocks()
            process.update(state, clock)
            spent[process.name] = since(start)
        step = since(begun)
        state.step += 1
        if number >= 2:  # the first steps bring the cells into the blood and the work space into being
            best = {name: best[name].least(took) for name, took in spent.items()}
            whole = whole.least(step)
    peak, outcome = memory.grown(), state.hash()[:16]
    if peak is not None:
        peak += (
            geometry.tissue.nbytes + geometry.slots.nbytes + sum(item.nbytes for item in geometry.residents.values())
        )
    shared = {"scenario": scenario, "cells": len(state.cells)}
    yield Row("step", "seeding and first fields", size, prepared, 1, "", shared)
    yield Row("step", "whole step", size, whole, 1, outcome, shared | {"bytes per voxel": _per_voxel(peak, size)})
    for name, took in best.items():
        yield Row("step", name, size, took, 1, "", shared)


def _place(config: Config) -> dict:
    """What the geometry is made from."""
    return config.model_dump(exclude=APART)


def _of_geometry(geometry: Geometry) -> str:
    return digest(geometry.tissue, geometry.slots, *geometry.residents.values())


def _per_voxel(grown: int | None, size: int) -> float | None:
    return None if grown is None else grown / size**3
