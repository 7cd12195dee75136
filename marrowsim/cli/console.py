"""What the commands say and where: results to stdout, progress and errors to stderr."""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from marrowsim.errors import Fault, MarrowsimError

BAD_INPUT = 2
LINE_EVERY = 20.0
FILE_WIDTH = 1000


def output() -> Console:
    """The console of results; what is not read on a terminal is never cut to its width."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)


def messages() -> Console:
    """The console of progress, warnings and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def short(path: Path) -> Path:
    """A path relative to the present folder, where it is below it."""
    absolute = path.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute


def print_error(error: MarrowsimError) -> None:
    """Every fault of an error, with its remedy."""
    console = messages()
    for fault in error.faults:
        console.print(Text("error: ", style="bold red"), Text(str(fault)), sep="")
    if len(error.faults) > 1:
        console.print(f"{len(error.faults)} faults")


def guarded(command: Callable) -> Callable:
    """A command whose refusals end in a message and an exit code, never in a traceback."""

    @functools.wraps(command)
    def run(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except MarrowsimError as error:
            print_error(error)
            raise typer.Exit(BAD_INPUT) from None
        except MemoryError:
            remedy = "a smaller size or crop, or a larger voxel; `marrowsim check` tells what a scenario needs"
            print_error(MarrowsimError(Fault("there is not enough memory", remedy=remedy)))
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt as stop:
            raise typer.Exit(128 + getattr(stop, "signal_number", 2)) from None
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (closed with the process; keeps its exit quiet)
            raise typer.Exit(0) from None

    return run


class Stages(logging.Handler):
    """Shows what the program says of itself: the stage it is in, its warnings, and the steps of a run.

    On a terminal this is a live bar with the time left; elsewhere plain lines, some a minute.
    """

    def __init__(self, first: str):
        super().__init__(logging.INFO)
        self.console = messages()
        self.live = self.console.is_terminal
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[speed]}"),
            console=self.console,
            refresh_per_second=4,
        )
        self._first = first
        self._task = self.bar.add_task(first, total=None, speed="")
        self._since = self._shown = 0.0

    def __enter__(self) -> Stages:
        logger = logging.getLogger("marrowsim")
        self._level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self)
        if self.live:
            self.bar.start()
        else:
            self.say(self._first)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        logger = logging.getLogger("marrowsim")
        logger.removeHandler(self)
        logger.setLevel(self._level)
        self.bar.stop()

    def emit(self, record: logging.LogRecord) -> None:
        """A stage, or a warning that stays on the screen."""
        if record.levelno >= logging.ERROR:
            return
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.console.print(Text("warning: ", style="yellow"), Text(text), sep="")
        else:
            self.say(text)

    def say(self, text: str) -> None:
        """Show the present stage."""
        if self.live:
            self.bar.update(self._task, description=text)
        else:
            self.console.print(Text(text))

    def parts(self, done: int, todo: int, text: str) -> None:
        """Show which of several parts of a work is under way."""
        if self.live:
            self.bar.update(self._task, description=text, completed=done, total=todo)
        else:
            self.say(f"{done + 1} of {todo}: {text}")

    def points(self, what: str, unit: str = "points") -> Callable[[int, int], None]:
        """The progress function of a work of many points (or frames), some of which may be done before it begins."""
        begun, first, shown = time.monotonic(), None, 0.0

        def progress(done: int, todo: int) -> None:
            nonlocal first, shown
            first = done if first is None else first
            text = f"{what}, {done} of {todo} {unit}"
            moment = time.monotonic()
            if self.live:
                self.bar.update(self._task, description=text, completed=done, total=todo)
            elif moment - shown >= LINE_EVERY or done == todo:
                shown = moment
                left = (moment - begun) / (done - first) * (todo - done) if done > first else None
                ending = "" if left is None else time.strftime(", %H:%M:%S left", time.gmtime(left))
                self.say(text + ending)

        return progress

    def steps(self, step_minutes: float, first: int) -> Callable[[int, int], None]:
        """The progress function of a run that begins at step `first`."""
        self._since = self._shown = time.monotonic()
        self.bar.remove_task(self._task)
        self._task = self.bar.add_task("", total=None, speed="")

        def progress(done: int, todo: int) -> None:
            moment = time.monotonic()
            last = done == todo
            if moment - self._shown < (0.2 if self.live else LINE_EVERY) and not last and done > 1:
                return
            self._shown = moment
            speed = done / max(moment - self._since, 1e-9)
            clock = f"{(first + done) * step_minutes / 60:.1f} of {(first + todo) * step_minutes / 60:g} h"
            rate = f"{speed:.1f} steps/s"
            if self.live:
                self.bar.update(self._task, description=clock, completed=done, total=todo, speed=rate)
            else:
                left = time.strftime("%H:%M:%S", time.gmtime((todo - done) / speed))
                self.console.print(f"{clock}, step {first + done} of {first + todo}, {rate}, {left} left")

        return progress
