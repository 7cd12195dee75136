"""Where points are run: admission by memory, and a Dask cluster."""

from pathlib import Path

import psutil
import pytest

from marrowsim.errors import ExperimentError
from marrowsim.experiments import knockout, workers
from marrowsim.experiments.points import Point


def points(memory):
    return [Point(name, 1, {"of": name}, (), Path(name), memory) for name in ("first", "second", "third")]


@pytest.mark.parametrize(("memory", "together"), [(1e9, 3), (4e9, 2), (8e9, 1), (50e9, 1)])
def test_no_more_points_than_memory_holds(memory, together, monkeypatch):
    """Of 10 GB at most nine tenths are given out, and one point is begun whatever it takes."""
    monkeypatch.setattr(workers, "available_memory", lambda: 10e9)
    with workers._LocalPool.opened(3, 1) as pool:
        running = []
        while len(running) < 3 and (point := pool.choose(points(memory)[len(running) :], running)):
            running.append(point)
    assert [point.name for point in running] == ["first", "second", "third"][:together]


def test_memory_that_others_took_is_not_given_out(monkeypatch):
    free = [10e9]
    monkeypatch.setattr(workers, "available_memory", lambda: free[0])
    with workers._LocalPool.opened(3, 1) as pool:
        first, *rest = points(3e9)
        assert pool.choose(rest, [first]) is rest[0]
        free[0] = 3e9
        assert pool.choose(rest, [first]) is None
        assert pool.choose(rest, []) is rest[0]


def test_available_memory(monkeypatch, tmp_path):
    whole = workers.available_memory()
    assert 0 < whole <= psutil.virtual_memory().total
    if not any(line.startswith("0::") for line in Path("/proc/self/cgroup").read_text().splitlines()):
        pytest.skip("no unified control groups here")
    monkeypatch.setattr(workers, "CGROUPS", tmp_path)
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert workers.available_memory() == 2e6
    (tmp_path / "memory.max").write_text("max\n")
    assert workers.available_memory() > 2e6


def test_a_cluster_is_serial_to_the_byte(tiny, tmp_path):
    distributed = pytest.importorskip("distributed")
    knockout(tiny(), output=tmp_path / "serial", bounded=True, processes=1)
    with distributed.LocalCluster(1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        knockout(tiny(), output=tmp_path / "cluster", bounded=True, scheduler=cluster.scheduler_address)
    for name in ("table.csv", "report.md"):
        assert (tmp_path / "serial" / name).read_bytes() == (tmp_path / "cluster" / name).read_bytes()


def test_other_versions_are_refused(tiny, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("marrowsim.experiments.workers.__version__", "0.0.0")
    local = distributed.LocalCluster(1, threads_per_worker=1, processes=False, dashboard_address=None)
    with local as cluster, pytest.raises(ExperimentError, match="another version"):
        knockout(tiny(), output=tmp_path / "out", bounded=True, scheduler=cluster.scheduler_address)
    assert not list((tmp_path / "out" / "points").iterdir())
