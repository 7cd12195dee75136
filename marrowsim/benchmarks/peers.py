"""Other solvers on the same discrete problem, to the same error against the same reference, one thread.

Matrices hold the open voxels only. What is timed is the solve: assembling a matrix is not, and an
algebraic multigrid's set-up stands apart.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Iterator

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg

from marrowsim.benchmarks.fields import ERROR
from marrowsim.benchmarks.measure import NEVER, Row, Took, clocks, digest, fastest, since
from marrowsim.benchmarks.problem import FieldProblem

OPTIONAL = ("numba", "pyamg")
ITERATIONS = 20_000
STEPS = 100_000
CHECK_EVERY = 0.01
TIGHT = 1e-10


class Reached(Exception):
    """Raised by a callback to stop a solver that has come to the error asked for."""


def missing() -> list[str]:
    """Optional packages that are not installed."""
    return [name for name in OPTIONAL if importlib.util.find_spec(name) is None]


class Matrix:
    """The equations of the open voxels: (degree + kappa) c - sum of open neighbours = source h^2 / D."""

    def __init__(self, problem: FieldProblem, dtype: type = np.float64):
        self.problem = problem
        self.open = problem.relative > 0
        number = np.full(self.open.shape, -1, np.int32)
        number[self.open] = np.arange(np.count_nonzero(self.open), dtype=np.int32)
        rows, columns = [], []
        for axis in range(3):
            low = np.moveaxis(number, axis, 0)[:-1].ravel()
            high = np.moveaxis(number, axis, 0)[1:].ravel()
            pair = (low >= 0) & (high >= 0)
            rows += [low[pair], high[pair]]
            columns += [high[pair], low[pair]]
        row, column = np.concatenate(rows), np.concatenate(columns)
        count = int(number.max()) + 1
        self.diagonal = (np.bincount(row, minlength=count) + problem.kappa).astype(dtype)
        adjacency = sparse.csr_array((np.full(len(row), -1, dtype), (row, column)), shape=(count, count))
        self.matrix = (adjacency + sparse.diags_array(self.diagonal)).tocsr().astype(dtype)
        self.right = (problem.source[self.open] * problem.scale).astype(dtype)
        self._exact = problem.reference[self.open].astype(np.float64)
        self._norm = float(np.linalg.norm(self._exact))

    def error(self, values: np.ndarray) -> float:
        """Relative L2 distance of the open voxels' values from the tight solution."""
        return float(np.linalg.norm(values - self._exact)) / self._norm


def verified(problem: FieldProblem) -> float:
    """Relative L2 distance of the tight solution from conjugate gradients in float64 (relative residual 1e-10)."""
    system = Matrix(problem)
    inverse = 1.0 / system.diagonal
    jacobi = LinearOperator(system.matrix.shape, lambda values: inverse * values, dtype=np.float64)
    solution, failed = cg(system.matrix, system.right, rtol=TIGHT, M=jacobi, maxiter=ITERATIONS)
    if failed:
        raise ArithmeticError(f"conjugate gradients stopped with {failed}")
    return float(np.linalg.norm(solution - system._exact) / np.linalg.norm(solution))


def peer_rows(problem: FieldProblem, seconds: float, absent: Collection[str] = ()) -> Iterator[Row]:
    """The faster of scipy's CG in two precisions, the fastest of pyamg's variants, and an explicit numba step.

    Parameters
    ----------
    problem : the problem and its tight solution.
    seconds : time to spend on each figure.
    absent : optional packages to do without.

    Raises
    ------
    ArithmeticError
        Where a peer does not come to the error.
    """
    yield from _best(_cg(problem, dtype, seconds) for dtype in (np.float64, np.float32))
    if "pyamg" not in absent:
        yield from _best(_amg(problem, seconds))
    if "numba" not in absent:
        yield _explicit(problem)


def _best(rows: Iterator[Row]) -> Iterator[Row]:
    """The fastest of several variants of a peer."""
    yield min(rows, key=lambda row: row.seconds)


def _count(solve: Callable, system: Matrix) -> int:
    """Iterations of `solve(callback, most)` until the error is reached."""
    done = 0

    def look(values: np.ndarray) -> None:
        nonlocal done
        done += 1
        if system.error(values) <= ERROR:
            raise Reached

    try:
        solve(callback=look)
    except Reached:
        while done > 1 and system.error(solve(most=done - 1)) <= ERROR:  # some call back before they begin
            done -= 1
        return done
    raise ArithmeticError(f"a peer did not reach an error of {ERROR:g}")


def _row(problem: FieldProblem, name: str, took: Took, values: np.ndarray, error: float, **further) -> Row:
    shown = {"decay length (voxels)": problem.decay_length, "error": error} | further
    return Row("peer", name, problem.size, took, 1, digest(values), shown)


def _cg(problem: FieldProblem, dtype: type, seconds: float) -> Row:
    system = Matrix(problem, dtype)
    inverse = 1 / system.diagonal
    jacobi = LinearOperator(system.matrix.shape, lambda values: inverse * values, dtype=dtype)

    def solve(callback=None, most=ITERATIONS):
        return cg(system.matrix, system.right, rtol=1e-30, atol=0.0, maxiter=most, M=jacobi, callback=callback)[0]

    iterations = _count(solve, system)
    outcome = solve(most=iterations)
    took = fastest(lambda: solve(most=iterations), seconds, least=2)
    name = f"scipy cg, Jacobi, {np.dtype(dtype).name}"
    return _row(problem, name, took, outcome, system.error(outcome), iterations=iterations)


def _amg(problem: FieldProblem, seconds: float) -> Iterator[Row]:
    """Both hierarchies of pyamg, by themselves and as a preconditioner of CG, in float64."""
    import pyamg  # noqa: PLC0415  (optional)

    system = Matrix(problem)
    for title, build in (
        ("smoothed aggregation", pyamg.smoothed_aggregation_solver),
        ("Ruge-Stueben", pyamg.ruge_stuben_solver),
    ):
        start = clocks()
        hierarchy = build(sparse.csr_matrix(system.matrix))
        building = since(start).processor
        for accelerator in (None, "cg"):

            def solve(callback=None, most=100, hierarchy=hierarchy, accelerator=accelerator):
                options = {"tol": 1e-30, "maxiter": most, "accel": accelerator, "callback": callback}
                return hierarchy.solve(system.right, **options)

            iterations = _count(solve, system)
            outcome = solve(most=iterations)
            took = fastest(lambda iterations=iterations, solve=solve: solve(most=iterations), seconds, least=2)
            name = f"pyamg {title}{', cg' if accelerator else ''}"
            further = {"iterations": iterations, "set-up (s)": building}
            yield _row(problem, name, took, outcome, system.error(outcome), **further)


def _explicit(problem: FieldProblem) -> Row:
    """Steps from zero at the stability limit until the error is reached; time per step x steps."""
    from marrowsim.benchmarks.numba_loops import explicit_step  # noqa: PLC0415  (optional)

    wide = np.pad(problem.relative, 1)
    degree = sum(np.roll(wide, shift, axis) for axis in range(3) for shift in (1, -1)) + np.float32(problem.kappa)
    step = np.float32(0.99 * 2.0 / (12.0 + problem.kappa))
    keep = np.where(wide > 0, 1 - step * degree, 0).astype(np.float32)
    inflow = np.pad(problem.source, 1) * np.float32(problem.scale) * step
    old, new = np.zeros_like(wide), np.zeros_like(wide)
    explicit_step(old, keep, inflow, step, new)
    old[...] = new[...] = 0
    best, done = NEVER, 0
    while done < STEPS:
        batch = max(1, int(CHECK_EVERY * done))
        start = clocks()
        for _ in range(batch):
            explicit_step(old, keep, inflow, step, new)
            old, new = new, old
        best = best.least(since(start).times(1 / batch))
        done += batch
        outcome = old[1:-1, 1:-1, 1:-1]
        error = problem.error(outcome)
        if error <= ERROR:
            return _row(problem, "numba explicit step", best.times(done), outcome, error, iterations=done)
    raise ArithmeticError(f"the explicit step did not reach an error of {ERROR:g} in {STEPS} steps")
