"""One file with all frames: temporal VTKHDF (version 2), image data for the lattice and poly data for the cells.

Source: VTKHDF file format specification, docs.vtk.org.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from marrowsim.export.points import POINT_UNITS, points_of
from marrowsim.export.source import Source
from marrowsim.storage.files import CHUNK, growing_hdf5

VERSION = (2, 3)
POINTS_PER_CHUNK = 1 << 14
TOPOLOGIES = ("Vertices", "Lines", "Polygons", "Strips")
PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def write(source: Source, folder: Path, stem: str) -> None:
    """Write the lattice to `<stem>.vtkhdf`, and the cells with a place to `<stem>_cells.vtkhdf`; times in hours."""
    with (
        growing_hdf5(folder / f"{stem}.vtkhdf") as lattice,
        growing_hdf5(folder / f"{stem}_cells.vtkhdf") as cells,
    ):
        arrays, cloud = _lattice(lattice, source), _Cloud(cells, source)
        for number in source.each():
            for name, array in arrays.items():
                array[number] = source.voxels(number, name)
            cloud.add(number)
            lattice.require_written()
            cells.require_written()
        cloud.close()


def _root(file: h5py.File, kind: str, source: Source) -> h5py.Group:
    """The group VTKHDF with its steps and what tells names, units and provenance."""
    root = file.create_group("VTKHDF")
    root.attrs["Version"] = np.array(VERSION, dtype=np.int64)
    root.attrs.create("Type", np.bytes_(kind), dtype=h5py.string_dtype("ascii", len(kind)))
    steps = root.create_group("Steps")
    steps.attrs["NSteps"] = len(source.steps)
    steps.create_dataset("Values", data=np.array(source.hours)).attrs["units"] = "h"
    texts = root.create_group("FieldData")
    starts, sizes = steps.create_group("FieldDataOffsets"), steps.create_group("FieldDataSizes")
    for name, words in source.names.items():
        data = np.array([word.encode() for word in words], dtype=object)
        texts.create_dataset(f"{name} names", data=data, dtype=h5py.string_dtype("ascii"))
        starts.create_dataset(f"{name} names", data=np.zeros(len(source.steps), dtype=np.int64))
        sizes.create_dataset(f"{name} names", data=np.full((len(source.steps), 2), (1, len(words)), dtype=np.int64))
    file.create_group("marrowsim").attrs.update(length_unit="um", time_unit="h", **source.run.provenance)
    return root


def _lattice(file: h5py.File, source: Source) -> dict[str, h5py.Dataset]:
    """The lattice of all frames, to be filled: arrays of shape (frames, nz, ny, nx) by name."""
    header = source.headers[0]
    nz, ny, nx = header.shape
    root = _root(file, "ImageData", source)
    root.attrs["WholeExtent"] = np.array([0, nx, 0, ny, 0, nz], dtype=np.int64)
    root.attrs["Origin"] = np.zeros(3)
    root.attrs["Spacing"] = np.full(3, header.spacing)
    root.attrs["Direction"] = np.eye(3).ravel()
    voxels = root.create_group("CellData")
    chunks = (1, int(np.clip(CHUNK // (ny * nx), 1, nz)), ny, nx)
    arrays = {}
    for name in source.arrays:
        shape = (len(source.steps), nz, ny, nx)
        arrays[name] = voxels.create_dataset(name, shape, source.dtype(name), chunks=chunks, **PACKED)
        if name in source.fields:
            arrays[name].attrs["units"] = source.unit(name)
    return arrays


class _Cloud:
    """The cells of all frames: points and values one frame after another, and where each frame begins."""

    def __init__(self, file: h5py.File, source: Source):
        self.source = source
        self.root = _root(file, "PolyData", source)
        self.points = self._growing(self.root, "Points", np.float32, (3,))
        self.points.attrs["units"] = "um"
        self.values: dict[str, h5py.Dataset] = {}
        self.point_data = self.root.create_group("PointData")
        self.counts: list[int] = []

    @staticmethod
    def _growing(group: h5py.Group, name: str, dtype: type, row: tuple[int, ...] = ()) -> h5py.Dataset:
        chunks = (POINTS_PER_CHUNK, *row)
        return group.create_dataset(name, (0, *row), dtype, maxshape=(None, *row), chunks=chunks, **PACKED)

    def add(self, number: int) -> None:
        """Append the cells of a frame."""
        coordinates, values = points_of(self.source.cells(number))
        _append(self.points, coordinates)
        for name, array in values.items():
            if name not in self.values:
                self.values[name] = self._growing(self.point_data, name, array.dtype)
                if name in POINT_UNITS:
                    self.values[name].attrs["units"] = POINT_UNITS[name]
            _append(self.values[name], array)
        self.counts.append(len(coordinates))

    def close(self) -> None:
        """Write the topology, one vertex a point, and where each frame begins in it."""
        counts = np.array(self.counts, dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        frames = len(counts)
        self.root["NumberOfPoints"] = counts
        most = int(counts.max())
        vertices = self.root.create_group("Vertices")
        vertices["NumberOfCells"] = vertices["NumberOfConnectivityIds"] = counts
        connectivity = self._growing(vertices, "Connectivity", np.int64)
        offsets = self._growing(vertices, "Offsets", np.int64)
        ids = np.arange(most + 1)
        for count in counts:
            _append(connectivity, ids[:count])
            _append(offsets, ids[: count + 1])
        for name in TOPOLOGIES[1:]:
            empty = self.root.create_group(name)
            empty["NumberOfCells"] = empty["NumberOfConnectivityIds"] = np.zeros(frames, dtype=np.int64)
            empty["Connectivity"] = np.zeros(0, dtype=np.int64)
            empty["Offsets"] = np.zeros(frames, dtype=np.int64)
        steps = self.root["Steps"]
        steps["PartOffsets"] = np.arange(frames)
        steps["NumberOfParts"] = np.ones(frames, dtype=np.int64)
        steps["PointOffsets"] = starts
        in_topologies = np.zeros((frames, len(TOPOLOGIES)), dtype=np.int64)
        in_topologies[:, 0] = starts
        steps["CellOffsets"] = steps["ConnectivityIdOffsets"] = in_topologies
        places = steps.create_group("PointDataOffsets")
        for name in self.values:
            places[name] = starts


def _append(data: h5py.Dataset, rows: Iterable) -> None:
    start = len(data)
    data.resize(start + len(rows), axis=0)
    data[start:] = rows
