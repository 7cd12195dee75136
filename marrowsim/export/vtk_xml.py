"""VTI and VTP files of each frame, and the PVD files that put them on a time axis: what every ParaView opens."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkDataArray, vtkPoints, vtkStringArray
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkDataSet, vtkDataSetAttributes, vtkImageData, vtkPolyData
from vtkmodules.vtkIOXML import vtkXMLImageDataWriter, vtkXMLPolyDataWriter, vtkXMLWriter

from marrowsim.export.points import POINT_UNITS, points_of
from marrowsim.export.source import Source

NO_SPACE = 28
"""`errno.ENOSPC`, which VTK tells as an error code of its own"""


def write(source: Source, folder: Path, stem: str) -> None:
    """Write the lattice as `<stem>.pvd`, the cells as `<stem>_cells.pvd`, both with times in hours.

    The files of the frames are in `<stem>_pvd/`. The lattice holds cell data (one value a voxel), in um from the
    corner of the lattice. Cells are points at the centres of their voxels; those in the blood have no place, and are
    left out.
    """
    parts = folder / f"{stem}_pvd"
    parts.mkdir()
    lattices, cells = [], []
    for number in source.each():
        step = source.steps[number]
        lattices.append(f"lattice_{step:08d}.vti")
        cells.append(f"cells_{step:08d}.vtp")
        _write(vtkXMLImageDataWriter(), _image(source, number), parts / lattices[-1])
        _write(vtkXMLPolyDataWriter(), _points(source, number), parts / cells[-1])
    for name, files in ((f"{stem}.pvd", lattices), (f"{stem}_cells.pvd", cells)):
        lines = [
            f'    <DataSet timestep={quoteattr(repr(time))} part="0" file={quoteattr(f"{parts.name}/{file}")}/>'
            for time, file in zip(source.hours, files, strict=True)
        ]
        content = [
            '<?xml version="1.0"?>',
            "<!-- times in hours, lengths in micrometres -->",
            '<VTKFile type="Collection" version="0.1" byte_order="LittleEndian">',
            "  <Collection>",
            *lines,
            "  </Collection>",
            "</VTKFile>",
        ]
        (folder / name).write_text("\n".join(content) + "\n", encoding="utf-8")


def _image(source: Source, number: int) -> vtkImageData:
    header = source.headers[number]
    image = vtkImageData()
    image.SetDimensions(*(length + 1 for length in header.shape[::-1]))
    image.SetSpacing(*[header.spacing] * 3)
    for name in source.arrays:
        unit = source.unit(name) if name in source.fields else ""
        _add(image.GetCellData(), name, source.voxels(number, name).reshape(-1), unit)
    image.GetCellData().SetActiveScalars("tissue")
    _tell(image, source, number)
    return image


def _points(source: Source, number: int) -> vtkPolyData:
    coordinates, values = points_of(source.cells(number))
    places = vtkPoints()
    places.SetData(numpy_to_vtk(coordinates, deep=True))
    vertices = vtkCellArray()
    vertices.SetData(
        numpy_to_vtkIdTypeArray(np.arange(len(coordinates) + 1, dtype=np.int64), deep=True),
        numpy_to_vtkIdTypeArray(np.arange(len(coordinates), dtype=np.int64), deep=True),
    )
    cloud = vtkPolyData()
    cloud.SetPoints(places)
    cloud.SetVerts(vertices)
    for name, array in values.items():
        _add(cloud.GetPointData(), name, array, POINT_UNITS.get(name, ""))
    cloud.GetPointData().SetActiveScalars("cell_type")
    _tell(cloud, source, number)
    return cloud


def _add(data: vtkDataSetAttributes, name: str, values: np.ndarray, unit: str) -> None:
    """Add an array, which VTK shares, with its unit where it has one."""
    array = numpy_to_vtk(np.ascontiguousarray(values))
    array.SetName(name)
    if unit:
        array.GetInformation().Set(vtkDataArray.UNITS_LABEL(), unit)
    data.AddArray(array)


def _tell(data: vtkDataSet, source: Source, number: int) -> None:
    """Put time, names of codes and provenance into the field data."""
    time = numpy_to_vtk(np.array([source.hours[number]]), deep=True)
    time.SetName("TimeValue")
    time.GetInformation().Set(vtkDataArray.UNITS_LABEL(), "h")
    data.GetFieldData().AddArray(time)
    texts = {f"{name} names": words for name, words in source.names.items()}
    for name, words in {**texts, "marrowsim": [source.provenance_text]}.items():
        array = vtkStringArray()
        array.SetName(name)
        for word in words:
            array.InsertNextValue(word)
        data.GetFieldData().AddArray(array)


def _write(writer: vtkXMLWriter, data: vtkDataSet, path: Path) -> None:
    writer.SetInputData(data)
    writer.SetFileName(str(path))
    writer.SetDataModeToAppended()
    writer.EncodeAppendedDataOff()
    writer.SetCompressionLevel(1)
    if not writer.Write() or writer.GetErrorCode():
        raise OSError(NO_SPACE, "VTK could not write it", str(path))
