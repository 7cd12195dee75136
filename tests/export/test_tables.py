"""CSV and Parquet, read by pandas and pyarrow."""

import json

import numpy as np
import pandas as pd
import pytest

from marrowsim.export import export

CELL_COLUMNS = ["step", "time (h)", "id", "type", "status", "x (um)", "y (um)", "z (um)", "cxcr4 (1)"]


def read(path):
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


@pytest.fixture(params=[".csv", ".parquet"])
def ending(request):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="the extra analysis is not installed")
    return request.param


def test_cells(run, frames, ending, tmp_path):
    table = read(export(run, tmp_path / f"a{ending}")[0])
    assert list(table.columns) == CELL_COLUMNS
    assert len(table) == sum(len(frame.cells) for frame in frames)
    for frame in frames:
        part = table[table["step"] == frame.step]
        np.testing.assert_array_equal(part["time (h)"], frame.time / 60)
        for column in ("id", "type", "status"):
            assert part[column].astype(str).tolist() == frame.cells[column].astype(str).tolist()
        for column, found in zip(("x", "y", "z"), CELL_COLUMNS[5:8], strict=True):
            np.testing.assert_array_equal(part[found], frame.cells[column])
        np.testing.assert_array_equal(part["cxcr4 (1)"].astype(np.float32), frame.cells["cxcr4"])
    assert (table.loc[table["x (um)"].isna(), "status"] == "circulating").all()


def test_niches(run, frames, ending, tmp_path):
    table = read(export(run, tmp_path / f"a{ending}", table="niches", frames="last")[0])
    assert list(table.columns) == ["step", "time (h)", "x (um)", "y (um)", "z (um)", "occupied"]
    assert (table["step"] == frames[-1].step).all()
    np.testing.assert_array_equal(table["x (um)"], frames[-1].slots["x"])
    np.testing.assert_array_equal(table["occupied"], frames[-1].slots["occupied"])


def test_readouts(run, ending, tmp_path):
    table = read(export(run, tmp_path / f"a{ending}", table="readouts")[0])
    pd.testing.assert_frame_equal(table, run.readouts)


def test_parquet_tells_where_it_comes_from(run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra analysis is not installed")
    file = parquet.ParquetFile(export(run, tmp_path / "a.parquet")[0])
    told = json.loads(file.schema_arrow.metadata[b"marrowsim"])
    assert (told["title"], told["seed"]) == ("a small run", 1)
    assert file.num_row_groups == len(run.frames)
    assert str(file.schema_arrow.field("type").type).startswith("dictionary<values=string")
