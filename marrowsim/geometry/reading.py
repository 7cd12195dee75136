"""Volumes and their voxel size out of image files: npz, npy, TIFF, NIfTI, NRRD, MetaImage, VTI."""

from __future__ import annotations

import gzip
import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import Fault, ImageError
from .tiff import UM_PER_UNIT, read_slices, read_tiff, slices_of

UNREADABLE = (OSError, ValueError, EOFError, KeyError, IndexError, TypeError, RuntimeError, SyntaxError)
UNREADABLE += (zipfile.BadZipFile, zlib.error, MemoryError)


@dataclass(frozen=True)
class Volume:
    """What a file holds.

    Attributes
    ----------
    values : ndarray, shape (z, y, x)
    spacing : voxel edges (x, y, z) in um, or None where the file does not state them with a unit.
    kind : "mask" where the file says that its values are a bone mask, "" elsewhere.
    note : what the file says about spacing where that cannot be used.
    grey : the grey values that a mask was made of, where the file holds both.
    """

    values: np.ndarray
    spacing: tuple[float, float, float] | None = None
    kind: str = ""
    note: str = ""
    grey: np.ndarray | None = field(default=None, repr=False)


def read_volume(path) -> Volume:
    """Read the volume in a file, or in a folder of TIFF slices.

    NIfTI, NRRD and MetaImage state lengths in mm by convention (another unit where the header names
    one); an edge of exactly 1 on all axes without a unit is their way to state none. ImageJ and OME
    TIFF name their unit. VTI and plain TIFF have no unit, so their spacing is not used. Orientation
    and origin are not used.

    Raises
    ------
    ImageError
        If the file is missing, of an unknown format, or cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise ImageError(Fault("there is no such image", given=str(path), remedy="check the path", where=path.name))
    name = path.name.lower()
    reader = (
        _read_slices
        if path.is_dir()
        else next((read for ending, read in READERS.items() if name.endswith(ending)), None)
    )
    if reader is None:
        raise ImageError(
            Fault(
                "unknown image format",
                allowed=", ".join(READERS) + ", or a folder of TIFF slices",
                given=path.suffix or "a name without an ending",
                remedy="save the image as NRRD, NIfTI or multi-page TIFF",
                where=path.name,
            )
        )
    try:
        return reader(path)
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).strip().splitlines()[-1]
        raise ImageError(
            Fault(
                "the image cannot be read",
                allowed="a complete file of the format that its name says",
                given=reason,
                remedy="check that it was copied completely, and opens elsewhere",
                where=path.name,
            )
        ) from error


def checksum(path) -> str:
    """SHA-256 of a file with the data file its header names, or of the slices of a folder in order."""
    return _checksum(_parts(path))


def known_checksum(path) -> str:
    """The same, computed once for files of the same size and time of change."""
    parts = _parts(path)
    key = tuple((str(part), part.stat().st_size, part.stat().st_mtime_ns) for part in parts)
    if key not in _known:
        _known[key] = _checksum(parts)
    return _known[key]


_known: dict[tuple, str] = {}


def _parts(path) -> list[Path]:
    path = Path(path)
    return list(slices_of(path)) if path.is_dir() else [path, *_detached(path)]


def _checksum(parts: list[Path]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _read_npz(path) -> Volume:
    with np.load(path, allow_pickle=False) as archive:
        names = set(archive.files)
        stated = archive["spacing_um"].ravel().astype(float) if "spacing_um" in names else None
        spacing = None if stated is None else tuple(float(s) for s in np.broadcast_to(stated, 3))
        grey = archive["grey"] if "grey" in names else None
        if "bone" in names:
            bone = archive["bone"]
            if bone.ndim == 1 and "shape" in names:
                shape = tuple(int(length) for length in archive["shape"])
                bone = np.unpackbits(bone, count=int(np.prod(shape))).reshape(shape)
            return Volume(bone.astype(bool), spacing, "mask", grey=grey)
        if grey is not None:
            return Volume(grey, spacing)
        volumes = [name for name in archive.files if archive[name].ndim >= 2]
        if len(volumes) != 1:
            raise ImageError(
                Fault(
                    "it is not clear which array is the image",
                    allowed="an array named grey or bone, or one volume only",
                    given=", ".join(sorted(names)) or "no array",
                    remedy="save the volume alone, or name it grey or bone",
                    where=path.name,
                )
            )
        return Volume(archive[volumes[0]], spacing)


def _read_npy(path) -> Volume:
    return Volume(np.load(path, allow_pickle=False))


def _read_tiff(path) -> Volume:
    values, spacing, note = read_tiff(path)
    return Volume(values, spacing, note=note)


def _read_slices(path) -> Volume:
    values, spacing, note = read_slices(path)
    return Volume(values, spacing, note=note)


def _read_itk(path) -> Volume:
    with _silent_itk():
        image = sitk.ReadImage(str(path))
    if image.HasMetaDataKey("vox_offset"):
        _check_complete_nifti(path, image)
    values = sitk.GetArrayFromImage(image)
    if values.ndim == 4 and values.shape[0] == 1 and image.GetDimension() == 4:
        values = values[0]
    edges = tuple(float(edge) for edge in image.GetSpacing()[:3])
    unit_stated, factor = _itk_unit(path, image)
    if all(edge == 1.0 for edge in edges) and not unit_stated:
        return Volume(values, note="the header says 1, which is what stands there when nothing is known")
    return Volume(values, tuple(edge * factor for edge in edges) if len(edges) == 3 else None)


def _check_complete_nifti(path, image):
    """The library reads a file that breaks off as zeros from there on."""
    bytes_a_voxel = int(image.GetMetaData("bitpix")) // 8
    needed = float(image.GetMetaData("vox_offset")) + image.GetNumberOfPixels() * bytes_a_voxel
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    found = 0
    with opened(path, "rb") as stream:
        while block := stream.read(1 << 20):
            found += len(block)
    if found < needed:
        raise OSError(f"the file holds {found} of {needed:.0f} bytes")


def _itk_unit(path, image) -> tuple[bool, float]:
    """Whether the header names a unit of length, and that unit in um (mm unless named)."""
    if image.HasMetaDataKey("xyzt_units"):
        # The reader has brought m and um to mm.
        return int(image.GetMetaData("xyzt_units")) % 8 != 0, UM_PER_UNIT["mm"]
    if path.suffix.lower() in (".nrrd", ".nhdr"):
        named = re.search(r'^space units:\s*"?([^"\s]+)', _header(path), re.MULTILINE)
        if named and named[1] in UM_PER_UNIT:
            return True, UM_PER_UNIT[named[1]]
    return False, UM_PER_UNIT["mm"]


def _header(path) -> str:
    with path.open("rb") as stream:
        return stream.read(1 << 16).split(b"\n\n")[0].decode("utf-8", "replace")


def _detached(path) -> list[Path]:
    if path.suffix.lower() not in (".mhd", ".nhdr"):
        return []
    named = re.search(r"^(?:ElementDataFile\s*=|data ?file:)\s*(\S.*)$", _header(path), re.MULTILINE)
    data = path.parent / named[1].strip() if named else path
    return [data] if named and data.is_file() else []


@contextmanager
def _silent_itk():
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _read_vti(path) -> Volume:
    # Imported here, so that nobody waits for VTK who reads another format.
    from vtkmodules.util.numpy_support import vtk_to_numpy  # noqa: PLC0415
    from vtkmodules.vtkCommonCore import vtkObject  # noqa: PLC0415
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader  # noqa: PLC0415

    reader = vtkXMLImageDataReader()
    before = vtkObject.GetGlobalWarningDisplay()
    vtkObject.SetGlobalWarningDisplay(0)
    try:
        reader.SetFileName(str(path))
        reader.Update()
    finally:
        vtkObject.SetGlobalWarningDisplay(before)
    image = reader.GetOutput()
    points = np.array(image.GetDimensions())
    for data, shape in ((image.GetCellData(), np.maximum(points - 1, 1)), (image.GetPointData(), points)):
        array = data.GetScalars() or data.GetArray(0)
        if array is not None and array.GetNumberOfTuples() == shape.prod() > 1:
            values = vtk_to_numpy(array).reshape(*shape[::-1], -1).squeeze()
            says = " x ".join(f"{edge:g}" for edge in image.GetSpacing())
            return Volume(values, note=f"the header says {says}, in no unit")
    raise OSError("no complete image in the file")


READERS: dict[str, Callable[[Path], Volume]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".nii": _read_itk,
    ".nii.gz": _read_itk,
    ".nrrd": _read_itk,
    ".nhdr": _read_itk,
    ".mha": _read_itk,
    ".mhd": _read_itk,
    ".vti": _read_vti,
}
"""Reader of each file name ending."""
