"""The field solver on the field problem: cycles, error and time, cold and warm."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from marrowsim.benchmarks.measure import Row, digest, fastest
from marrowsim.benchmarks.problem import DIFFUSIVITY, SPACING, FieldProblem
from marrowsim.errors import Fault, FieldError
from marrowsim.fieldsolver import FieldSolver, steady_field

ERROR = 1e-3
CYCLES = 40


def field_rows(problem: FieldProblem, threads: Sequence[int], seconds: float) -> Iterator[Row]:
    """Set-up of a solver, cold and warm solves to a relative L2 error of 1e-3, and a call of `steady_field`.

    Parameters
    ----------
    problem : the problem and its tight solution.
    threads : numbers of threads.
    seconds : time to spend on each figure.
    """
    rows = list(_solver_rows(problem, threads, seconds))
    yield from rows
    cycles = rows[0].values["cycles"]
    yield _call_row(problem, "steady_field, cycles given", cycles, seconds / 4)
    yield _call_row(problem, "steady_field", None, seconds / 4)


def _solver_rows(problem: FieldProblem, threads: Sequence[int], seconds: float) -> Iterator[Row]:
    """Cold and warm by every number of threads, and the set-up; the solver's memory is free afterwards."""
    solver = FieldSolver(problem.relative, SPACING, DIFFUSIVITY)
    shared = {"decay length (voxels)": problem.decay_length}
    for count in threads:
        for name, start in (("cold", np.zeros_like(problem.source)), ("warm", problem.old_reference)):
            cycles, field = needed_cycles(problem, solver, start, count)
            values = shared | {"cycles": cycles, "error": problem.error(field)}
            solve = functools.partial(solver.solve, field, problem.source, problem.decay, cycles=cycles, threads=count)
            took = fastest(solve, seconds, before=functools.partial(np.copyto, field, start))
            yield Row("field", name, problem.size, took, count, digest(field), values)
    masks = [problem.relative, _eaten(problem.relative)]

    def change() -> None:
        masks.reverse()
        solver.update_mask(masks[0])

    build = functools.partial(FieldSolver, problem.relative, SPACING, DIFFUSIVITY)
    for name, call in (("set-up", build), ("changed mask", change)):
        yield Row("field", name, problem.size, fastest(call, seconds / 4, least=4), 1, "", shared)


def _eaten(relative: np.ndarray) -> np.ndarray:
    """The mask after the solid in the cube of an eighth of the edge at the middle was opened."""
    half, reach = len(relative) // 2, max(1, len(relative) // 16)
    middle = slice(half - reach, half + reach)
    changed = relative.copy()
    changed[middle, middle, middle] = 1
    return changed


def needed_cycles(
    problem: FieldProblem, solver: FieldSolver, start: np.ndarray, threads: int = 1
) -> tuple[int, np.ndarray]:
    """The fewest cycles that bring the error from `start` to 1e-3, and the field that they leave."""
    field = np.empty_like(start)
    for cycles in range(1, CYCLES + 1):
        np.copyto(field, start)
        solver.solve(field, problem.source, problem.decay, cycles=cycles, threads=threads)
        if problem.error(field) <= ERROR:
            return cycles, field
    raise FieldError(
        Fault(
            "the field solver did not reach the error of the benchmark",
            f"{ERROR:g} within {CYCLES} cycles",
            f"{problem.error(field):.2g}",
        )
    )


def _call_row(problem: FieldProblem, name: str, cycles: int | None, seconds: float) -> Row:
    """`steady_field` as a user calls it: arrays in, solver built, solved; by default to a change of 1e-5 a cycle."""
    outcome = []

    def call() -> None:
        outcome[:] = [
            steady_field(
                problem.relative > 0, problem.source, diffusivity=DIFFUSIVITY, decay=problem.decay, spacing=SPACING,
                cycles=cycles,
            )
        ]  # fmt: skip

    took = fastest(call, seconds, least=2)
    values = {"decay length (voxels)": problem.decay_length, "cycles": cycles, "error": problem.error(outcome[0])}
    return Row("field", name, problem.size, took, 1, digest(outcome[0]), values)
