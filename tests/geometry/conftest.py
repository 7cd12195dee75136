"""Images of a small bone, in every format."""

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

SHAPE = (16, 20, 24)


def _bars(shape=SHAPE):
    """A mask of bars along x, of another layout along each axis."""
    mask = np.zeros(shape, dtype=bool)
    mask[3:8, 5:11] = True
    mask[:, 5:11, 2:6] = True
    return mask


def _grey_bars(dtype=np.uint8):
    """The same in grey values, with a regular texture."""
    texture = (np.indices(SHAPE).sum(axis=0) % 5) - 2
    return (np.where(_bars(), 180, 60) + texture).astype(dtype)


def _write_vti(path, values, spacing, points=True):
    image = vtkImageData()
    image.SetDimensions(*(np.array(values.shape[::-1]) + (0 if points else 1)))
    image.SetSpacing(*spacing)
    array = numpy_to_vtk(values.ravel(), deep=True)
    array.SetName("grey")
    (image.GetPointData() if points else image.GetCellData()).SetScalars(array)
    writer = vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.Write()


def _write_itk(path, values, spacing):
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))


def _write(folder, ending, values):
    """An image file whose voxels are 20 um, and what must be said about them in the call."""
    path = folder / f"bone{ending}"
    if ending == ".npz":
        np.savez(path, grey=values, spacing_um=20.0)
        return path, {}
    if ending == ".npy":
        np.save(path, values)
        return path, {"spacing": 20.0}
    if ending == ".vti":
        _write_vti(path, values, (0.02, 0.02, 0.02))
        return path, {"spacing": 20.0}
    if ending == ".tif":
        tifffile.imwrite(
            path,
            values,
            imagej=True,
            resolution=(0.05, 0.05),
            metadata={"spacing": 20.0, "unit": "um", "axes": "ZYX"},
        )
        return path, {}
    if ending == ".ome.tiff":
        metadata = {f"PhysicalSize{axis}": 0.02 for axis in "XYZ"}
        metadata |= {f"PhysicalSize{axis}Unit": "mm" for axis in "XYZ"} | {"axes": "ZYX"}
        tifffile.imwrite(path, values, metadata=metadata, ome=True)
        return path, {}
    _write_itk(path, values, (0.02, 0.02, 0.02))
    return path, {}


@pytest.fixture
def bars():
    """A function that makes the mask."""
    return _bars


@pytest.fixture
def grey_bars():
    """A function that makes it in grey values."""
    return _grey_bars


@pytest.fixture
def write_vti():
    """A function that writes a VTI file."""
    return _write_vti


@pytest.fixture
def write_itk():
    """A function that writes what SimpleITK can."""
    return _write_itk


@pytest.fixture
def write():
    """A function that writes any format."""
    return _write
