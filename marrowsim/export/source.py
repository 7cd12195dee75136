"""What of a run is exported: its frames one after another, with names, units and where they come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from marrowsim.errors import ExportError, Fault, RunFolderError, nearest
from marrowsim.storage.frames import Frame
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
    """

    run: Run
    steps: tuple[int, ...]
    fields: tuple[str, ...]
    table: str
    progress: Callable[[int, int], None]

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
    ) -> Source:
        """What was asked for; every fault of it is an `ExportError`."""
        steps = _steps(run, frames)
        if table is not None and (not tables or table not in TABLES):
            what = "there is no such table" if tables else "only .csv and .parquet hold tables"
            remedy = nearest(table, TABLES) if tables else "leave --table out"
            raise ExportError(Fault(what, ", ".join(TABLES), table, remedy, "--table"))
        if fields is not None and tables:
            raise ExportError(Fault("a table has no fields", "", "--fields", "leave --fields out", "--fields"))
        return cls(run, steps, () if tables else _fields(run, fields), table or TABLES[0], progress)

    def frames(self) -> Iterator[Frame]:
        """The frames, each read when it is asked for, with the fields that were chosen."""
        for done, step in enumerate(self.steps):
            self.progress(done, len(self.steps))
            frame = self.run.frames.at(step)
            missing = [name for name in self.fields if name not in frame.fields]
            if missing:
                what, given = "a frame has no such field", f"{', '.join(missing)} in the frame of step {step}"
                raise RunFolderError(Fault(what, "", given, "leave it out with --fields, or the frame with --frames"))
            yield replace(frame, fields={name: frame.fields[name] for name in self.fields})
        self.progress(len(self.steps), len(self.steps))

    def unit(self, field: str) -> str:
        """Unit of a field; "1" where it has none."""
        kind = self.run.config.fields.get(field)
        return kind.unit if kind else "1"

    def label(self, field: str) -> str:
        """Name of a field for people."""
        kind = self.run.config.fields.get(field)
        return kind.label if kind else field

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the export comes from: title, seed, program, hashes."""
        record = self.run.record
        return {
            "title": record["title"],
            "source": f"marrowsim {record['software']['marrowsim']}",
            "seed": record["seed"],
            "step_minutes": record["step_minutes"],
            "config_sha256": record.get("config_sha256", ""),
            "started": record["started"],
        }

    @property
    def provenance_text(self) -> str:
        """The same as JSON."""
        return json.dumps(self.provenance)


def hours(frame: Frame) -> float:
    """Time of a frame in hours."""
    return frame.time / MINUTES_PER_HOUR


def _steps(run: Run, frames: str | Sequence[int]) -> tuple[int, ...]:
    there = run.frames.steps
    if not there:
        remedy = f"let the run go on: marrowsim resume {run.path}"
        raise RunFolderError(Fault("the run has no frames yet", given=str(run.path), remedy=remedy))
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
    there = tuple(sorted(run.frames[0].fields))
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
