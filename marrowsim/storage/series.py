"""readouts.csv: one row a time, units in the header, numbers exact to the last bit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def line(values: Iterable[Any]) -> str:
    """One line of the table, with its end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([_text(value) for value in values])
    return text.getvalue()


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return str(int(value)) if isinstance(value, (bool, np.bool_, int, np.integer)) else str(value)


def rows(text: str) -> list[dict[str, Any]]:
    """The rows of a table; a last line that was cut off while it was written is left out."""
    whole = text[: text.rfind("\n") + 1]
    return [{name: _value(item) for name, item in row.items()} for row in csv.DictReader(io.StringIO(whole))]


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


class Series:
    """A table that grows row by row, kept in memory as the text of its file."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()):
        self._columns: list[str] = []
        self._lines: list[str] = []
        for row in rows:
            self.append(row)

    @property
    def text(self) -> str:
        """The whole table as CSV."""
        return "".join(self._lines)

    def append(self, row: Mapping[str, Any]) -> str:
        """Add a row and return what the file grows by: the row, and the header before the first."""
        added = []
        if not self._columns:
            self._columns = list(row)
            added.append(line(self._columns))
        if list(row) != self._columns:
            changed = set(row).symmetric_difference(self._columns)
            raise ValueError(f"the columns of the readouts changed during the run: {sorted(changed)}")
        added.append(line(row.values()))
        self._lines += added
        return "".join(added)
