"""Where two runs begin to differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marrowsim import tissues
from marrowsim.config import Config
from marrowsim.storage.checkpoints import checkpoint_arrays, checkpoints
from marrowsim.storage.frames import Frame
from marrowsim.storage.runs import Run


@dataclass(frozen=True)
class Difference:
    """One thing in which two runs differ: the step, what it is, where, and both values."""

    step: int
    what: str
    where: str = ""
    first: str = ""
    second: str = ""

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        values = f": {self.first} and {self.second}" if self.first or self.second else ""
        return f"step {self.step}: {self.what}{place}{values}"


def compare_runs(first: Run, second: Run) -> list[Difference]:
    """The first difference between the readouts, the frames and the last states of two runs.

    An empty list says that all three are the same, bit by bit, however their files are compressed.
    """
    found = [_readouts(first, second), _frames(first, second), _states(first, second)]
    return sorted((item for item in found if item), key=lambda item: item.step)


def scenario_differences(first: Run, second: Run) -> list[tuple[str, Any, Any]]:
    """Keys of the resolved scenarios that differ, with both values; code by its SHA-256."""
    one, two = (dict(_flat(_told(run.config))) for run in (first, second))
    return [(key, one.get(key), two.get(key)) for key in sorted({*one, *two}) if one.get(key) != two.get(key)]


def _told(config: Config) -> dict[str, Any]:
    """The resolved scenario with the digests of its extensions by their names."""
    return {**config.resolved(), "extensions": {item.name: item.sha256 for item in config.extensions or ()}}


def _flat(node: Any, prefix: str = ""):
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, node


def _readouts(first: Run, second: Run) -> Difference | None:
    one, two = first.readouts, second.readouts
    minutes = first.record["step_minutes"]
    if list(one.columns) != list(two.columns):
        return Difference(0, "columns of the readouts", min(set(one.columns) ^ set(two.columns), default="order"))
    for index, (row, other) in enumerate(zip(one.to_dict("records"), two.to_dict("records"), strict=False)):
        for name, value in row.items():
            if value != other[name] and not (value != value and other[name] != other[name]):
                where = f"{row['time (h)']:g} h, row {index + 1}"
                return Difference(
                    round(row["time (h)"] * 60 / minutes), f"readout '{name}'", where, repr(value), repr(other[name])
                )
    if len(one) != len(two):
        longer = max(one, two, key=len)
        step = round(longer["time (h)"].iloc[min(len(one), len(two))] * 60 / minutes)
        return Difference(step, "one run has more readouts", "", f"{len(one)} rows", f"{len(two)} rows")
    return None


def _frames(first: Run, second: Run) -> Difference | None:
    one, two = first.frames, second.frames
    for step in sorted({*one.steps, *two.steps}):
        if step not in one.steps or step not in two.steps:
            given = ["a frame" if step in frames.steps else "none" for frames in (one, two)]
            return Difference(step, "one run has a frame that the other has not", "", *given)
        same = one.paths[one.steps.index(step)].read_bytes() == two.paths[two.steps.index(step)].read_bytes()
        if not same and (found := _frame(one.at(step), two.at(step))):
            return found
    return None


def _frame(one: Frame, two: Frame) -> Difference | None:
    step = one.step
    if one.tissue.shape != two.tissue.shape or one.spacing != two.spacing:
        given = (f"{frame.tissue.shape[::-1]} of {frame.spacing:g} um" for frame in (one, two))
        return Difference(step, "lattice", "", *given)
    if found := _voxel(step, "tissue", one.tissue, two.tissue, one.spacing):
        names = [tissues.NAMES.get(int(value), value) for value in (found.first, found.second)]
        return Difference(step, found.what, found.where, *names)
    for name in sorted({*one.fields, *two.fields}):
        if name not in one.fields or name not in two.fields:
            return Difference(step, f"only one run has the field {name}")
        if found := _voxel(step, f"field {name}", one.fields[name], two.fields[name], one.spacing):
            return found
    if (one.bone_change is None) != (two.bone_change is None):
        return Difference(step, "only one run has the change of bone")
    if one.bone_change is not None and (found := _voxel(step, "change of bone", one.bone_change, two.bone_change)):
        return found
    for what, left, right in (("cell", one.cells, two.cells), ("slot", one.slots, two.slots)):
        if len(left) != len(right):
            return Difference(step, f"number of {what}s", "", str(len(left)), str(len(right)))
        for column in left:
            a, b = left[column].astype(object).to_numpy(), right[column].astype(object).to_numpy()
            rows = np.flatnonzero((a != b) & ~((a != a) & (b != b)))
            if len(rows):
                row = rows[0]
                name = f"{what} {left['id'][row] if what == 'cell' else row}"
                return Difference(step, f"{column} of {name}", "", str(a[row]), str(b[row]))
    return None


def _voxel(step: int, what: str, one: np.ndarray, two: np.ndarray, spacing: float | None = None) -> Difference | None:
    """The first voxel in which two arrays differ."""
    if one.shape != two.shape or one.dtype != two.dtype:
        return Difference(step, f"size of {what}", "", str(one.shape), str(two.shape))
    unequal = (one != two) & ~((one != one) & (two != two))
    count = int(np.count_nonzero(unequal))
    if not count:
        return None
    index = np.unravel_index(int(np.argmax(unequal)), one.shape)
    if one.ndim == 3:
        place = ", ".join(f"{axis} = {position}" for axis, position in zip("xyz", index[::-1], strict=True))
        where = f"voxel {place} (and {count - 1} more)"
    else:
        where = f"row {index[0]} (and {count - 1} more)"
    return Difference(step, what, where, str(one[index]), str(two[index]))


def _states(first: Run, second: Run) -> Difference | None:
    one, two = first.last, second.last
    if one is None or two is None or one == two:
        return None
    if one[0] != two[0]:
        return Difference(min(one[0], two[0]), "one run is farther", "", f"step {one[0]}", f"step {two[0]}")
    left, right = (checkpoint_arrays(checkpoints(run.path / "checkpoints")[-1]) for run in (first, second))
    for name in left:
        if name not in right:
            return Difference(one[0], f"only one state has {name}")
        if found := _voxel(one[0], f"state, {name}", left[name], right[name]):
            return found
    return Difference(one[0], "counters of the state", "", one[1], two[1])
