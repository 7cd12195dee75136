"""`marrowsim benchmark` on tiny lattices, and the pieces that its figures rest on."""

import importlib.util
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from marrowsim.benchmarks import suite
from marrowsim.benchmarks.fields import ERROR, needed_cycles
from marrowsim.benchmarks.measure import Took, Yardsticks, clocks, digest, fastest, since
from marrowsim.benchmarks.motion import one_per_site
from marrowsim.benchmarks.peers import Matrix, verified
from marrowsim.benchmarks.problem import DIFFUSIVITY, SPACING, FieldProblem
from marrowsim.benchmarks.report import BEGIN, END, number, placed, table
from marrowsim.cli.app import app
from marrowsim.fieldsolver import FieldSolver
from marrowsim.simulation import Simulation

TINY = ["--quick", "--sizes", "24"]
GROUPS = {"reference", "field", "peer", "motion", "automaton", "step"}
ROW = {
    "group", "name", "size", "threads", "seconds", "wall (s)", "copies", "sweeps", "ns per voxel", "hash", "values",
}  # fmt: skip


def invoke(*arguments, code=0):
    result = CliRunner().invoke(app, ["benchmark", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def problem():
    return FieldProblem.make(24, 5)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of the command without the optional packages, and what it said."""
    folder = tmp_path_factory.mktemp("benchmark")
    document = folder / "document.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suite, "missing", lambda: ["numba", "pyamg"])
        result = invoke(*TINY, "--threads", "1,2", "-o", folder / "results", "--update", document)
    return folder, result, json.loads((folder / "results/benchmark.json").read_text())


def test_the_json_has_the_machine_and_every_group(made):
    results = made[2]
    assert {"processor", "cores", "caches", "date", "packages", "git_revision"} <= set(results["machine"])
    assert all(len(results[key]) == 3 for key in ("load before", "load after"))
    assert {row["group"] for row in results["rows"]} == GROUPS
    assert all(set(row) == ROW for row in results["rows"])
    assert all(row["seconds"] >= 0 and row["copies"] >= 0 for row in results["rows"])
    assert [item["size"] for item in results["yardsticks"]] == [24]


def test_copies_are_of_the_same_lattice(made):
    results = made[2]
    copy = results["yardsticks"][0]["copy (s)"]
    for row in results["rows"]:
        assert row["copies"] == pytest.approx(row["seconds"] / copy)


def test_errors_are_reached_and_the_reference_is_right(made):
    rows = made[2]["rows"]
    assert all(row["values"]["distance"] < 5e-5 for row in rows if row["group"] == "reference")
    reached = [row["values"]["error"] for row in rows if "error" in row["values"]]
    assert len(reached) == 14
    assert max(reached) <= ERROR


def test_threads_give_the_same_hashes(made):
    for name in ("cold", "warm", "chemotaxis and persistence"):
        rows = [row for row in made[2]["rows"] if row["name"] == name]
        assert {row["threads"] for row in rows} == {1, 2}
        assert len({row["hash"] for row in rows}) == len(rows) // 2


def test_the_tables_are_written_and_put_into_the_document(made):
    folder = made[0]
    text = (folder / "results/benchmark.md").read_text()
    titles = ["Fields", "Fields beside other solvers", "Motion", "Whole steps", "Threads", "Hashes of the outcomes"]
    assert all(f"### {title}\n\n|" in text for title in titles)
    assert "DIFFERENT" not in text
    assert (folder / "document.md").read_text() == f"before\n{BEGIN}\n{text}\n{END}\nafter\n"
    assert (folder / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "results/benchmark.png").stat().st_size > 10_000


def test_what_is_left_out_is_said(made):
    said = made[1].stdout
    for name in ("numba", "pyamg"):
        assert f"{name} is not installed; to have it: pip install 'marrowsim[benchmark]'" in said
    assert "Left out:" in (made[0] / "results/benchmark.md").read_text()
    assert "6 of 6: geometry and whole steps, 24^3" in made[1].stderr


def test_an_existing_folder_is_refused(here):
    (here / "results").mkdir()
    (here / "results/mine.txt").write_text("mine")
    result = invoke(*TINY, "-o", "results", code=2)
    assert "there is something already in the place of the results" in result.stderr
    assert [item.name for item in (here / "results").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "arguments", [["--sizes", "64,x"], ["--sizes", "8"], ["--threads", "0"], ["--sizes", ""], ["--update", "absent.md"]]
)
def test_bad_options_are_refused(arguments, here):
    result = invoke(*arguments, "-o", "results", code=2)
    assert arguments[0] in result.stderr
    assert not (here / "results").exists()


def test_a_document_without_a_place_is_refused(here):
    (here / "plain.md").write_text("nothing\n")
    assert BEGIN in invoke(*TINY, "--update", "plain.md", code=2).stderr
    assert placed(f"{END}{BEGIN}", "text") is None


def test_the_problem_is_as_described(problem):
    assert 1 - problem.relative.mean() == pytest.approx(0.2, abs=0.01)
    assert (problem.source > 0).mean() == pytest.approx(0.025, abs=0.003)
    assert not problem.source[problem.relative == 0].any()
    assert not problem.old_source[problem.relative == 0].any()
    assert np.count_nonzero(problem.old_source) == np.count_nonzero(problem.source)
    moved = np.argwhere((problem.old_source > 0) & (problem.source == 0))
    left = np.argwhere((problem.old_source == 0) & (problem.source > 0))
    assert len(moved) == round(0.1 * np.count_nonzero(problem.source))
    distance = np.abs(moved[:, None] - left[None]).sum(axis=2)
    assert (distance.min(axis=1) == 1).all()


def test_the_matrix_is_that_of_the_solver(problem):
    system = Matrix(problem)
    assert verified(problem) < 1e-5
    residual = system.matrix @ problem.reference[problem.relative > 0].astype(float) - system.right
    assert np.linalg.norm(residual) < 1e-4 * np.linalg.norm(system.right)
    assert system.matrix.sum() == pytest.approx(problem.kappa * np.count_nonzero(problem.relative))


def test_fewest_cycles(problem):
    solver = FieldSolver(problem.relative, SPACING, DIFFUSIVITY)
    cycles, field = needed_cycles(problem, solver, np.zeros_like(problem.source))
    assert problem.error(field) <= ERROR
    fewer = np.zeros_like(field)
    solver.solve(fewer, problem.source, problem.decay, cycles=cycles - 1)
    assert problem.error(fewer) > ERROR


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed (pip install numba)")
def test_the_explicit_step_and_the_automaton():
    from marrowsim.benchmarks.numba_loops import automaton_step, explicit_step, seed_generator  # noqa: PLC0415

    old = np.zeros((5, 5, 5), np.float32)
    old[2, 2, 2] = 1.0
    new = np.zeros_like(old)
    keep = np.zeros_like(old)
    keep[1:4, 1:4, 1:4] = 0.4
    explicit_step(old, keep, np.zeros_like(old), np.float32(0.1), new)
    assert new[2, 2, 2] == np.float32(0.4)
    assert new[1, 2, 2] == new[2, 2, 3] == np.float32(0.1)
    assert new.sum() == pytest.approx(1.0)

    seed_generator(1)
    sites, order, around = np.full(1000, -1, np.int32), np.empty(1000, np.int32), np.empty(6, np.int32)
    grid = np.full((10, 10, 10), -1, np.int32)
    sites[:100] = np.arange(0, 1000, 10)
    grid.reshape(-1)[sites[:100]] = np.arange(100)
    alive = automaton_step(sites, 100, grid, order, around, 0.0, 0.0, 1.0)
    assert alive == 100
    assert len(np.unique(sites[:100])) == 100
    assert (sites[:100] != np.arange(0, 1000, 10)).all()
    alive = automaton_step(sites, alive, grid, order, around, 0.0, 1.0, 0.0)
    assert 150 < alive <= 200
    assert (grid.reshape(-1)[sites[:alive]] == np.arange(alive)).all()
    assert np.count_nonzero(grid >= 0) == alive
    assert automaton_step(sites, alive, grid, order, around, 1.0, 0.0, 0.0) == 0
    assert (grid == -1).all()


def test_the_automaton_scenario_has_its_rates():
    simulation = Simulation.from_scenario(one_per_site(30, 2700), threads=1)
    simulation.run(steps=20)
    tallies = simulation.state.tallies
    for what in ("born", "died"):
        assert tallies[f"{what}:automaton"] == pytest.approx(20 * 0.01 * 2700, rel=0.2)


def test_clocks_and_minima():
    start = clocks()
    took = fastest(lambda: sum(range(1000)), 0.001)
    spent = since(start)
    assert 0 < took.wall < spent.wall
    assert Took(3, 1).least(Took(2, 2)) == (2, 1)
    assert Took(3, 1).times(2) == (6, 2)
    yardsticks = Yardsticks()
    yardsticks.measure(16, 0.001)
    assert 0 < yardsticks.copy(16) < yardsticks.sweep(16)


def test_words_and_digits():
    assert [number(value) for value in (None, 7, "a", 1234.5, 0.012345)] == ["-", "7", "a", "1234", "0.0123"]
    assert table(["a", "b"], [(1, 2.0)]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert digest(np.zeros(3)) != digest(np.zeros(4))
