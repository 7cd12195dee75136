"""NetCDF 4 with CF attributes: what `Run.to_xarray` gives, in one file."""

from __future__ import annotations

from pathlib import Path

import h5netcdf
import numpy as np

from marrowsim.export.source import Source
from marrowsim.storage.files import CHUNK, growing_hdf5


def write(source: Source, folder: Path, stem: str) -> None:
    """Write `<stem>.nc`, one array of one frame at a time; times in h, lengths in um, compressed without loss."""
    dataset = source.run.to_xarray(source.steps, source.fields)
    ny, nx = dataset.sizes["y"], dataset.sizes["x"]
    chunks = (1, int(np.clip(CHUNK // (ny * nx), 1, dataset.sizes["z"])), ny, nx)
    with growing_hdf5(folder / f"{stem}.nc") as content, h5netcdf.File(content, "w") as file:
        file.dimensions = dict(dataset.sizes)
        file.attrs.update(dataset.attrs)
        packed = {"chunks": chunks, "compression": "gzip", "compression_opts": 1, "shuffle": True}
        for name, variable in dataset.variables.items():
            settings = packed if name in dataset.data_vars else {}
            written = file.create_variable(name, variable.dims, variable.dtype, **settings)
            written.attrs.update(variable.attrs)
            if name in dataset.data_vars:
                written.attrs["coordinates"] = "step"  # CF: of the coordinates that are no axis
            if name in dataset.coords:
                written[...] = variable.values
        for number in source.each():
            for name in dataset.data_vars:
                file.variables[name][number] = dataset[name][number].values
            content.require_written()
