"""Where points are run: in this process, in processes of this machine, or on a Dask cluster; results do not differ."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from marrowsim import __version__
from marrowsim.errors import ExperimentError, Fault, MarrowsimError
from marrowsim.experiments.memory import available_memory
from marrowsim.experiments.points import Point, measure_point

POLL = 0.5
"""Seconds between looks at workers that say nothing."""
TRIES = 3
"""Times that a point is begun whose worker was killed; Dask has a number of its own."""
SHARE = 0.9
"""Part of the memory that is available which points may take together."""
INSTALL = "pip install 'marrowsim[sweep]'"
log = logging.getLogger("marrowsim")


class KilledError(Exception):
    """The worker of a point was killed, as often as a point is tried."""


def require_cluster() -> None:
    """Refuse to go on where Dask is not installed.

    Raises
    ------
    ExperimentError
    """
    try:
        import distributed  # noqa: F401, PLC0415
    except ImportError:
        raise ExperimentError(Fault("a Dask cluster needs dask and distributed", remedy=INSTALL)) from None


def require_one_place(processes: int | None, scheduler: str | None) -> None:
    """Refuse processes of this machine beside the workers of a scheduler.

    Raises
    ------
    ExperimentError
    """
    if processes is not None and scheduler is not None:
        what, given = "processes and a scheduler at once", f"processes {processes}, scheduler {scheduler}"
        remedy = "leave processes out: how many workers a cluster has is said where it is started"
        raise ExperimentError(Fault(what, "one of them", given, remedy, "--scheduler"))


class Pool(Protocol):
    """Something that runs points.

    Attributes
    ----------
    tries : times that a point is begun whose worker was killed.
    """

    tries: int

    def choose(self, waiting: list[Point], running: Collection[Point]) -> Point | None:
        """The point to begin now, if there is room for one."""

    def submit(self, point: Point) -> Any:
        """Begin a point. Returns its future."""

    def wait(self, futures: Collection[Any]) -> Iterable[Any]:
        """Those that ended, after at most `POLL` seconds."""

    def outcome(self, future: Any) -> dict[str, Any] | BaseException:
        """The record of a point that ended, or what went wrong; KilledError where its worker was killed."""


def run_points(
    points: Iterable[Point],
    *,
    processes: int,
    threads: int = 1,
    scheduler: str | None = None,
    after: Callable[[int], None] = lambda done: None,
) -> list[tuple[Point, BaseException]]:
    """Run points and keep the result of each as soon as it is there; what fails does not stop the rest.

    Parameters
    ----------
    points : to be run.
    processes : worker processes on this machine; one is this process itself.
    threads : of each run.
    scheduler : address of a Dask scheduler, whose workers are used instead.
    after : called with the number of results that were kept, after each point and now and then.

    Returns
    -------
    Points that failed, in the order of `points`, and why.

    Raises
    ------
    ExperimentError
        Where there is no scheduler at that address, or it is lost.
    """
    order = list(points)
    if not order:
        return []
    if scheduler is None and (most := max(point.memory for point in order)) > (free := available_memory()):
        what = "a run is estimated to take %.1f GiB of memory, and %.1f GiB are available: the system may kill it"
        log.warning(what, most / 2**30, free / 2**30)
    if scheduler is None and processes == 1:
        failed = _run_here(order, threads, after)
    else:
        opened = _LocalPool.opened(processes, threads) if scheduler is None else _DaskPool.opened(scheduler, threads)
        with opened as pool:
            failed = _run_in(pool, order, after)
    places = {point.path: place for place, point in enumerate(order)}
    return sorted(failed, key=lambda item: places[item[0].path])


def _run_here(points: list[Point], threads: int, after: Callable[[int], None]) -> list[tuple[Point, BaseException]]:
    failed: list[tuple[Point, BaseException]] = []
    kept = 0
    for point in points:
        try:
            record = measure_point(point, threads)
        except Exception as error:
            failed.append((point, error))
        else:
            point.keep(record)
            kept += 1
        after(kept)
    return failed


def _run_in(pool: Pool, points: list[Point], after: Callable[[int], None]) -> list[tuple[Point, BaseException]]:
    waiting, running = list(points), {}
    tries: Counter[Path] = Counter()
    failed: list[tuple[Point, BaseException]] = []
    kept = 0
    while waiting or running:
        while waiting and (point := pool.choose(waiting, running.values())) is not None:
            running[pool.submit(point)] = point
            waiting.remove(point)
        for future in pool.wait(running):
            point, found = running.pop(future), pool.outcome(future)
            tries[point.path] += 1
            if isinstance(found, KilledError) and tries[point.path] < pool.tries:
                log.warning("the worker of %s, seed %d, was killed: it is run again", point.name, point.seed)
                waiting.insert(0, point)
            elif isinstance(found, BaseException):
                failed.append((point, found))
            elif found["version"] != __version__:
                what = "the workers run another version of marrowsim"
                raise ExperimentError(Fault(what, __version__, found["version"], where="--scheduler"))
            else:
                point.keep(found)
                kept += 1
        after(kept)
    return failed


class _Worker(SpawnProcess):
    """A worker that does not import the user's main module: scripts need no guard, and may be standard input."""

    def start(self) -> None:
        """Begin, with an empty module in the place of the main one."""
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main


class _Spawning(SpawnContext):
    """Begins workers, and can end them."""

    def __init__(self):
        super().__init__()
        self.begun: list[_Worker] = []

    def Process(self, *arguments: Any, **keywords: Any) -> _Worker:
        """A worker that is not begun yet."""
        self.begun.append(_Worker(*arguments, **keywords))
        return self.begun[-1]

    def end(self) -> None:
        """End the workers that are still at work."""
        for worker in self.begun:
            if worker.is_alive():
                worker.terminate()


@dataclass
class _Slot:
    """A worker process, and the geometry that it has at hand."""

    pool: ProcessPoolExecutor
    key: str = ""
    future: Future | None = None


class _LocalPool:
    """Processes of this machine, each of which is replaced where it is killed."""

    tries = TRIES

    def __init__(self, processes: int, threads: int):
        self.threads = threads
        self.limit = SHARE * available_memory()
        self.context = _Spawning()
        self.slots = [_Slot(self._process()) for _ in range(processes)]

    @classmethod
    @contextlib.contextmanager
    def opened(cls, processes: int, threads: int) -> Iterator[_LocalPool]:
        pool = cls(processes, threads)
        try:
            yield pool
        except BaseException:
            pool.context.end()
            raise
        finally:
            for slot in pool.slots:
                slot.pool.shutdown(wait=False, cancel_futures=True)

    def _process(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, self.context, _leave_with_parent)

    def choose(self, waiting: list[Point], running: Collection[Point]) -> Point | None:
        """A point of the geometry that an idle worker has, or of one that no other has, or the first."""
        idle = self._idle()
        if idle is None:
            return None
        others = {slot.key for slot in self.slots if slot is not idle}
        first = waiting[0]
        free = next((point for point in waiting if point.geometry_key not in others), first)
        point = next((point for point in waiting if point.geometry_key == idle.key), free)
        taken = sum(item.memory for item in running)
        fits = taken + point.memory <= self.limit and point.memory <= SHARE * available_memory()
        return point if fits or not running else None

    def _idle(self) -> _Slot | None:
        return next((slot for slot in self.slots if slot.future is None), None)

    def submit(self, point: Point) -> Future:
        """Begin a point on the idle worker."""
        slot = self._idle()
        try:
            slot.future = slot.pool.submit(measure_point, point, self.threads)
        except BrokenProcessPool:
            slot.pool = self._process()
            slot.future = slot.pool.submit(measure_point, point, self.threads)
        slot.key = point.geometry_key
        return slot.future

    def wait(self, futures: Collection[Future]) -> Iterable[Future]:
        """Those that ended, after at most `POLL` seconds."""
        return wait(futures, timeout=POLL, return_when=FIRST_COMPLETED).done

    def outcome(self, future: Future) -> dict[str, Any] | BaseException:
        """The record of a point that ended, or what went wrong."""
        slot = next(slot for slot in self.slots if slot.future is future)
        slot.future = None
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            slot.pool.shutdown(wait=False)
            slot.pool, slot.key = self._process(), ""
            return KilledError()
        return future.result() if error is None else error


def _leave_with_parent() -> None:
    """End this worker when the process that began it is gone, however it went."""
    parent = parent_process()

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _DaskPool:
    """The workers of a Dask cluster; they come and go, and points of those that go are run again by Dask."""

    tries = 1

    def __init__(self, client: Any, threads: int):
        self.client, self.threads, self.told = client, threads, set()

    @classmethod
    @contextlib.contextmanager
    def opened(cls, address: str, threads: int) -> Iterator[_DaskPool]:
        require_cluster()
        from distributed import Client  # noqa: PLC0415

        allowed = "the address of a Dask scheduler that runs, such as tcp://127.0.0.1:8786"
        try:
            client = Client(address, set_as_default=False, timeout="20 s")
        except (OSError, ValueError) as error:
            given = f"{address}: {error}"
            raise ExperimentError(Fault("there is no Dask scheduler", allowed, given, where="--scheduler")) from None
        with client, client.as_current():
            yield cls(client, threads)

    def _tell(self, what: str) -> None:
        if what not in self.told:
            self.told.add(what)
            log.warning(what)

    def choose(self, waiting: list[Point], running: Collection[Point]) -> Point | None:
        """The first point, where a worker whose memory holds it has a thread for it."""
        point = waiting[0]
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        places = 0
        for worker in workers:
            limit = worker["memory_limit"]
            fitting = int(SHARE * limit // point.memory) if limit and point.memory else worker["nthreads"]
            places += min(worker["nthreads"] // self.threads or 1, fitting)
        if not workers:
            self._tell("the cluster has no workers yet: waiting for them")
            return None
        if not places:
            self._tell("no worker has the memory that a point is estimated to take: points are run one at a time")
        return point if len(running) < max(1, places) else None

    def submit(self, point: Point) -> Any:
        """Begin a point somewhere on the cluster."""
        return self.client.submit(measure_point, point, self.threads, pure=False)

    def wait(self, futures: Collection[Any]) -> Iterable[Any]:
        """Those that ended, after at most `POLL` seconds."""
        from distributed import wait as wait_for  # noqa: PLC0415

        if futures:
            try:
                return list(wait_for(list(futures), timeout=POLL, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                return []
            except CancelledError:
                remedy = "the points that are done are kept: start it, and give the same command again"
                fault = Fault("the Dask scheduler was lost", remedy=remedy, where="--scheduler")
                raise ExperimentError(fault) from None
        time.sleep(POLL)
        return []

    def outcome(self, future: Any) -> dict[str, Any] | BaseException:
        """The record of a point that ended, or what went wrong."""
        from distributed import KilledWorker  # noqa: PLC0415

        error = future.exception() if future.status == "error" else None
        return KilledError() if isinstance(error, KilledWorker) else error or future.result()


def fault_of(point: Point, error: BaseException) -> Iterable[Fault]:
    """What went wrong with a point, in words."""
    where = f"{point.name}, seed {point.seed}"
    again = "the points that are done are kept: mend the cause, and give the same command again"
    if isinstance(error, KilledError):
        remedy = f"fewer --processes where memory is short; {again}"
        yield Fault("its worker was killed, as often as it was tried", remedy=remedy, where=where)
    elif isinstance(error, MarrowsimError):
        yield from (Fault(item.what, item.allowed, item.given, item.remedy or again, where) for item in error.faults)
    else:
        yield Fault("the run failed", given=f"{type(error).__name__}: {error}", remedy=again, where=where)
