"""Long tables: every cell, or every niche slot, of every frame; or the readouts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from marrowsim.export.source import Source

COLUMNS = {"x": "x (um)", "y": "y (um)", "z": "z (um)", "cxcr4": "cxcr4 (1)"}


def write_csv(source: Source, folder: Path, stem: str) -> None:
    """Write the table as text: UTF-8, one header line with units, numbers exact to the last bit."""
    with open(folder / f"{stem}.csv", "w", encoding="utf-8", newline="") as file:
        for number, table in enumerate(_parts(source)):
            table.to_csv(file, index=False, header=number == 0, lineterminator="\n")


def write_parquet(source: Source, folder: Path, stem: str) -> None:
    """Write the table as Parquet, one row group a frame; provenance is in the metadata, key `marrowsim`."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    writer = None
    try:
        for table in _parts(source):
            rows = pa.Table.from_pandas(table, preserve_index=False)
            if writer is None:
                schema = rows.schema.with_metadata({**rows.schema.metadata, "marrowsim": source.provenance_text})
                writer = parquet.ParquetWriter(folder / f"{stem}.parquet", schema, compression="zstd")
            writer.write_table(rows.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()


def _parts(source: Source) -> Iterator[pd.DataFrame]:
    """The table in parts, all of the same columns and types."""
    if source.table == "readouts":
        yield source.run.readouts
        return
    for number in source.each():
        frame = source.cells(number)
        table = (frame.cells if source.table == "cells" else frame.slots).rename(columns=COLUMNS)
        table.insert(0, "step", frame.step)
        table.insert(1, "time (h)", source.hours[number])
        yield table
