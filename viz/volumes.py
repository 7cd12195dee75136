"""A field as a translucent volume (VTK's ray casting)."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkPiecewiseFunction
from vtkmodules.vtkRenderingCore import vtkColorTransferFunction, vtkVolume, vtkVolumeProperty
from vtkmodules.vtkRenderingVolumeOpenGL2 import vtkSmartVolumeMapper

from marrowsim.viz.layers import Box
from marrowsim.viz.meshes import centres
from marrowsim.viz.sections import Shade

# Opacity that the highest value has along one twentieth of the lattice's longest edge.
MOST_OPAQUE = 0.5


def volume_of(frame, shading: Shade, box: Box) -> vtkVolume:
    """A field of a frame as a volume that is the more opaque the higher the value; shares the field's memory.

    Only what lies in the box is shown. The ends of the shading are those of colour and opacity.
    """
    grid = centres(frame.fields[shading.name], frame.spacing, shading.name)
    mapper = vtkSmartVolumeMapper()
    mapper.SetInputData(grid)
    mapper.SetScalarModeToUsePointFieldData()
    mapper.SelectScalarArray(shading.name)
    low, high = box.bounds(frame.spacing)
    mapper.CroppingOn()
    mapper.SetCroppingRegionFlagsToSubVolume()
    mapper.SetCroppingRegionPlanes(*np.column_stack([low, high]).ravel())
    colours, opacity = vtkColorTransferFunction(), vtkPiecewiseFunction()
    for share in np.linspace(0, 1, 16):
        value = shading.low + share * (shading.high - shading.low)
        colours.AddRGBPoint(value, *shading.style.colormap(share)[:3])
        opacity.AddPoint(value, MOST_OPAQUE * share**1.5)
    look = vtkVolumeProperty()
    look.SetColor(colours)
    look.SetScalarOpacity(opacity)
    look.SetScalarOpacityUnitDistance(max(frame.tissue.shape) * frame.spacing / 20)
    look.SetInterpolationTypeToLinear()
    volume = vtkVolume()
    volume.SetMapper(mapper)
    volume.SetProperty(look)
    return volume
