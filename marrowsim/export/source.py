"""What of a run is exported: its frames one after another, with names, units and where they come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from marrowsim import tissues
from marrowsim.errors import ExportError, Fault, nearest
from marrowsim.storage.frames import (
    OTHER_ARRAYS,
    STATUSES,
    Frame,
    FrameHeader,
    read_frame,
    read_header,
    read_voxels,
    series_of,
)
from marrowsim.storage.runs import Run

TABLES = ("cells", "niches", "readouts")
ALL, FIRST, LAST = "all", "first", "last"
MINUTES_PER_HOUR = 60.0


@dataclass(frozen=True, eq=False)
class Source:
    """The part of a run that is exported.

    Attributes
    ----------
    run : Run
    steps : tuple of int
        Numbers of the steps of the frames, ascending.
    fields : tuple of str
        Names of fields.
    table : str
        What a table is of: one of `TABLES`.
    progress : function
        Called with the number of frames done, and of those to do.
    max_size : int or None
        Bytes that a format with a size may take.
    """

    run: Run
    steps: tuple[int, ...]
    fields: tuple[str, ...]
    table: str
    progress: Callable[[int, int], None]
    max_size: int | None = None

    @classmethod
    def of(
        cls,
        run: Run,
        frames: str | Sequence[int],
        fields: Iterable[str] | None,
        table: str | None,
        progress: Callable[[int, int], None],
        *,
        tables: bool,
        max_size: int | None = None,
    ) -> Source:
        """What was asked for; every fault of it is an `ExportError`."""
        steps = _steps(run, frames)
        if table is not None and (not tables or table not in TABLES):
            what = "there is no such table" if tables else "only .csv and .parquet hold tables"
            remedy = nearest(table, TABLES) if tables else "leave --table out"
            raise ExportError(Fault(what, ", ".join(TABLES), table, remedy, "--table"))
        if fields is not None and tables:
            raise ExportError(Fault("a table has no fields", "", "--fields", "leave --fields out", "--fields"))
        return cls(run, steps, () if tables else _fields(run, fields), table or TABLES[0], progress, max_size)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Files of the frames."""
        return tuple(self.run.frames.paths_of(self.steps))

    @cached_property
    def headers(self) -> tuple[FrameHeader, ...]:
        """What each frame holds; all have the lattice, the fields and the cell types of the first."""
        return series_of(self.paths)

    @property
    def hours(self) -> list[float]:
        """Times of the frames in hours."""
        return [header.time / MINUTES_PER_HOUR for header in self.headers]

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of the arrays of the lattice: tissue, what else there is of that kind, and the fields chosen."""
        there = set().union(*(header.voxels for header in self.headers))
        return (*(name for name in OTHER_ARRAYS if name in there), *self.fields)

    def dtype(self, name: str) -> np.dtype:
        """Type of an array of the lattice."""
        return next(header.voxels[name] for header in self.headers if name in header.voxels)

    def each(self) -> Iterator[int]:
        """Numbers of the frames from 0, with the progress told."""
        for done in range(len(self.paths)):
            self.progress(done, len(self.paths))
            yield done
        self.progress(len(self.paths), len(self.paths))

    def cells(self, number: int) -> Frame:
        """A frame without its fields."""
        return read_frame(self.paths[number], fields=())

    def voxels(self, number: int, name: str) -> np.ndarray:
        """One array of the lattice of a frame: shape (nz, ny, nx)."""
        return read_voxels(self.paths[number], name)

    @property
    def names(self) -> dict[str, list[str]]:
        """What the codes of `tissue`, `cell_type` and `status` stand for, from 0."""
        return {
            "tissue": [tissues.NAMES[code] for code in sorted(tissues.NAMES)],
            "cell_type": ["none", *self.headers[0].cell_types],
            "status": list(STATUSES),
        }

    def unit(self, field: str) -> str:
        """Unit of a field; "1" where it has none."""
        kind = self.run.config.fields.get(field)
        return kind.unit if kind else "1"

    def label(self, field: str) -> str:
        """Name of a field for people."""
        kind = self.run.config.fields.get(field)
        return kind.label if kind else field

    @property
    def provenance_text(self) -> str:
        """Where it comes from, as JSON."""
        return json.dumps(self.run.provenance)


def _steps(run: Run, frames: str | Sequence[int]) -> tuple[int, ...]:
    there = [int(path.stem) for path in run.frames.paths_of()]
    if isinstance(frames, str):
        if frames in (ALL, FIRST, LAST):
            return tuple({ALL: there, FIRST: there[:1], LAST: there[-1:]}[frames])
        try:
            frames = [int(part) for part in frames.split(",")]
        except ValueError:
            allowed = f"{ALL}, {FIRST}, {LAST}, or steps with commas between"
            raise ExportError(Fault("these are no frames", allowed, frames, "", "--frames")) from None
    absent = sorted(set(frames).difference(there))
    if absent or not frames:
        given = ", ".join(map(str, absent)) or "none"
        raise ExportError(Fault("there is no frame of that step", ", ".join(map(str, there)), given, "", "--frames"))
    return tuple(sorted(set(frames)))


def _fields(run: Run, fields: Iterable[str] | None) -> tuple[str, ...]:
    there = tuple(sorted(read_header(run.frames.paths[0]).fields))
    if fields is None:
        return there
    wanted = tuple(dict.fromkeys(fields))
    faults = [
        Fault("the run has no such field", ", ".join(there), name, nearest(name, there), "--fields")
        for name in wanted
        if name not in there
    ]
    if faults:
        raise ExportError(*faults)
    return tuple(name for name in there if name in wanted)
