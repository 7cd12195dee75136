"""VTI, VTP, PVD and VTKHDF, read by the readers of VTK."""

from xml.etree import ElementTree

import numpy as np
import pytest
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkDataArray
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
from vtkmodules.vtkIOHDF import vtkHDFReader
from vtkmodules.vtkIOXML import vtkXMLImageDataReader, vtkXMLPolyDataReader

from marrowsim.export import export

UNITS = {"oxygen": "mmHg", "cxcl12": "nM"}


def words(data, name):
    """Strings of an array of field data."""
    array = data.GetFieldData().GetAbstractArray(name)
    return [array.GetValue(number) for number in range(array.GetNumberOfValues())]


def check_names(data, frame):
    assert words(data, "cell_type names") == ["none", *frame.cells["type"].cat.categories]
    assert words(data, "tissue names")[:4] == ["outside", "marrow", "bone", "sinusoid"]
    assert words(data, "status names") == list(frame.cells["status"].cat.categories)


def check_image(image, frame, lattice):
    """The whole image: geometry, names of the arrays, and all their values."""
    assert image.GetDimensions() == tuple(length + 1 for length in frame.tissue.shape[::-1])
    assert image.GetSpacing() == (frame.spacing,) * 3
    assert image.GetOrigin() == (0.0, 0.0, 0.0)
    data = image.GetCellData()
    assert {data.GetArrayName(number) for number in range(data.GetNumberOfArrays())} == set(lattice)
    for name, values in lattice.items():
        found = vtk_to_numpy(data.GetArray(name))
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found.reshape(values.shape), values, err_msg=name)
    check_names(image, frame)


def check_points(cloud, frame):
    """All cells with a place, one vertex each."""
    cells = frame.cells[frame.cells["x"].notna()]
    points = vtk_to_numpy(cloud.GetPoints().GetData())
    np.testing.assert_array_equal(points, cells[["x", "y", "z"]].to_numpy(np.float32))
    np.testing.assert_array_equal(vtk_to_numpy(cloud.GetVerts().GetConnectivityArray()), np.arange(len(cells)))
    np.testing.assert_array_equal(vtk_to_numpy(cloud.GetVerts().GetOffsetsArray()), np.arange(len(cells) + 1))
    assert cloud.GetNumberOfCells() == len(cells)
    data = cloud.GetPointData()
    np.testing.assert_array_equal(vtk_to_numpy(data.GetArray("id")), cells["id"])
    np.testing.assert_array_equal(vtk_to_numpy(data.GetArray("cell_type")), cells["type"].cat.codes + 1)
    np.testing.assert_array_equal(vtk_to_numpy(data.GetArray("status")), cells["status"].cat.codes)
    np.testing.assert_array_equal(vtk_to_numpy(data.GetArray("cxcr4")), cells["cxcr4"])
    check_names(cloud, frame)


def collection(path):
    """Times and files of a PVD file."""
    entries = ElementTree.parse(path).getroot().iter("DataSet")
    return [(float(entry.get("timestep")), path.parent / entry.get("file")) for entry in entries]


def read(reader, path):
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


def test_pvd(run, frames, lattices, tmp_path):
    paths = export(run, tmp_path / "a & b.pvd")
    assert paths == [tmp_path / name for name in ("a & b.pvd", "a & b_cells.pvd", "a & b_pvd")]
    images, clouds = collection(paths[0]), collection(paths[1])
    assert [time for time, _ in images] == [time for time, _ in clouds] == [frame.time / 60 for frame in frames]
    assert len(list(paths[2].iterdir())) == 2 * len(frames)
    for (time, file), (_, points), frame, lattice in zip(images, clouds, frames, lattices, strict=True):
        image = read(vtkXMLImageDataReader(), file)
        check_image(image, frame, lattice)
        assert image.GetFieldData().GetArray("TimeValue").GetValue(0) == time
        for name, unit in UNITS.items():
            assert image.GetCellData().GetArray(name).GetInformation().Get(vtkDataArray.UNITS_LABEL()) == unit
        assert "a small run" in words(image, "marrowsim")[0]
        check_points(read(vtkXMLPolyDataReader(), points), frame)


def at_each_time(path):
    """Times and data of a temporal VTKHDF file."""
    reader = vtkHDFReader()
    reader.SetFileName(str(path))
    reader.UpdateInformation()
    times = reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS())
    for time in times:
        reader.UpdateTimeStep(time)
        yield time, reader.GetOutputDataObject(0)


def test_vtkhdf(run, frames, lattices, tmp_path):
    lattice_file, cell_file = export(run, tmp_path / "a.vtkhdf")
    seen = []
    for (time, image), frame, lattice in zip(at_each_time(lattice_file), frames, lattices, strict=True):
        check_image(image, frame, lattice)
        seen.append(time)
    assert seen == [frame.time / 60 for frame in frames]
    for (time, cloud), frame in zip(at_each_time(cell_file), frames, strict=True):
        assert time == frame.time / 60
        check_points(cloud, frame)


def test_vtkhdf_backwards(run, frames, lattices, tmp_path):
    """A slider goes back too: each frame is found from any other."""
    paths = export(run, tmp_path / "a.vtkhdf")
    for path, check in zip(paths, (check_image, check_points), strict=True):
        reader = vtkHDFReader()
        reader.SetFileName(str(path))
        for number in (5, 0, 3, 1):
            reader.UpdateTimeStep(frames[number].time / 60)
            parts = (frames[number], lattices[number]) if check is check_image else (frames[number],)
            check(reader.GetOutputDataObject(0), *parts)


@pytest.mark.parametrize("ending", [".pvd", ".vtkhdf"])
def test_some_frames_and_fields(run, frames, ending, tmp_path):
    path = export(run, tmp_path / f"a{ending}", frames=[16, 4], fields=["oxygen"])[0]
    if ending == ".pvd":
        found = [(time, read(vtkXMLImageDataReader(), file)) for time, file in collection(path)]
    else:
        found = list(at_each_time(path))
    assert [time for time, _ in found] == [24 / 60, 96 / 60]
    data = found[-1][1].GetCellData()
    names = {data.GetArrayName(number) for number in range(data.GetNumberOfArrays())}
    assert names == {"tissue", "bone_change", "cell_type", "oxygen"}
    np.testing.assert_array_equal(vtk_to_numpy(data.GetArray("oxygen")), frames[4].fields["oxygen"].ravel())
