"""Where points are run: admission by memory, and a Dask cluster."""

from pathlib import Path

import psutil
import pytest

from marrowsim.errors import ExperimentError
from marrowsim.experiments import knockout, memory, workers
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


def test_a_run_that_memory_does_not_hold_is_told(monkeypatch, caplog):
    monkeypatch.setattr(workers, "available_memory", lambda: 10 * 2**30)
    for memory_, told in ((8 * 2**30, False), (45 * 2**30, True)):
        assert len(workers.run_points(points(memory_), processes=1)) == 3
        assert ("45.0 GiB of memory, and 10.0 GiB are available" in caplog.text) is told


def test_memory_that_others_took_is_not_given_out(monkeypatch):
    free = [10e9]
    monkeypatch.setattr(workers, "available_memory", lambda: free[0])
    with workers._LocalPool.opened(3, 1) as pool:
        first, *rest = points(3e9)
        assert pool.choose(rest, [first]) is rest[0]
        free[0] = 3e9
        assert pool.choose(rest, [first]) is None
        assert pool.choose(rest, []) is rest[0]


@pytest.mark.parametrize(
    ("line", "top", "names", "nothing"),
    [
        ("0::/jobs/mine", "", ("memory.max", "memory.current", "inactive_file"), "max"),
        ("4:cpu,memory:/jobs/mine", "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
         str(2**63 - 4096)),
    ],
)  # fmt: skip
def test_available_memory(line, top, names, nothing, monkeypatch, tmp_path):
    """The limit of a control group of either version, or of one above it, less what is in use and not in cache."""
    assert 0 < memory.available_memory() <= psutil.virtual_memory().total
    limit, used, cached = names
    (tmp_path / "own").write_text(f"7:devices:/\n{line}\n")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    group = tmp_path / top / "jobs" / "mine"
    group.mkdir(parents=True)
    for place, most in ((group, "3000000"), (group.parent, "9000000")):
        (place / limit).write_text(f"{most}\n")
        (place / used).write_text("1000000\n")
        (place / "memory.stat").write_text(f"anon 500000\n{cached} 400000\n")
    assert memory.available_memory() == 2.4e6
    (group / limit).write_text(f"{nothing}\n")
    assert memory.available_memory() == 8.4e6
    (group.parent / limit).write_text(f"{nothing}\n")
    assert memory.available_memory() > 1e8


def test_a_cluster_is_serial_to_the_byte(tiny, tmp_path):
    distributed = pytest.importorskip("distributed")
    knockout(tiny(), output=tmp_path / "serial", bounded=True, processes=1)
    with distributed.LocalCluster(1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        knockout(tiny(), output=tmp_path / "cluster", bounded=True, scheduler=cluster.scheduler_address)
    for name in ("table.csv", "report.md"):
        assert (tmp_path / "serial" / name).read_bytes() == (tmp_path / "cluster" / name).read_bytes()


def test_processes_beside_a_scheduler_are_refused(tiny, tmp_path):
    """They would not count; nothing is written."""
    with pytest.raises(ExperimentError, match="processes and a scheduler at once"):
        knockout(tiny(), output=tmp_path / "out", processes=2, scheduler="tcp://127.0.0.1:1")
    assert not (tmp_path / "out").exists()


def test_other_versions_are_refused(tiny, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("marrowsim.experiments.workers.__version__", "0.0.0")
    local = distributed.LocalCluster(1, threads_per_worker=1, processes=False, dashboard_address=None)
    with local as cluster, pytest.raises(ExperimentError, match="another version"):
        knockout(tiny(), output=tmp_path / "out", bounded=True, scheduler=cluster.scheduler_address)
    assert not list((tmp_path / "out" / "points").iterdir())
