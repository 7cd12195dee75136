"""Where the eye stands. Every view is a parallel projection."""

from __future__ import annotations

import numpy as np

from marrowsim.errors import Fault, RenderError, nearest

# (azimuth, elevation) in degrees; 0, 0 looks along +y with z up.
CAMERAS = {
    "oblique": (-16.0, 16.0),
    "front": (0.0, 0.0),
    "side": (-90.0, 0.0),
    "top": (0.0, 90.0),
    "corner": (-40.0, 30.0),
}


def axes_of(camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions in space of right, up and towards the eye, of a camera's name or (azimuth, elevation).

    Raises
    ------
    RenderError : where there is no camera of that name.
    """
    if isinstance(camera, str):
        if camera not in CAMERAS:
            raise RenderError(
                Fault(
                    f"there is no camera '{camera}'",
                    allowed=", ".join(CAMERAS) + ", or (azimuth, elevation) in degrees",
                    given=camera,
                    remedy=nearest(camera, CAMERAS) or "choose a camera of this list",
                )
            )
        camera = CAMERAS[camera]
    azimuth, elevation = np.radians(camera)
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    forward = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    above = np.array([0.0, 0.0, 1.0])
    up = np.cos(elevation) * above + np.sin(elevation) * forward
    return right, up, np.sin(elevation) * above - np.cos(elevation) * forward


def facing(towards: np.ndarray) -> tuple[int, bool]:
    """The axis of the lattice (0 z, 1 y, 2 x) that a view looks along, and whether towards higher indices."""
    axis = int(np.argmax(np.abs(towards)))
    return 2 - axis, bool(towards[axis] < 0)


def fitting_scale(bounds: np.ndarray, camera, size: tuple[int, int], foot: float = 0.0) -> float:
    """The scale (um a pixel) at which a box, its bounds (2, 3) in um, just fits into a picture of a size in pixels.

    `foot` is the share of the picture's height that stays empty at its foot.
    """
    right, up, _ = axes_of(camera)
    half = np.ptp(bounds, axis=0) / 2
    extent = [2 * half @ np.abs(axis) for axis in (right, up)]
    return 1.04 * max(extent[0] / size[0], extent[1] / size[1] / (1 - foot))


def eye(camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions in space of right, up and towards the eye, of a VTK camera."""
    towards = -np.array(camera.GetDirectionOfProjection())
    right = np.cross(camera.GetViewUp(), towards)
    right /= np.linalg.norm(right)
    return right, np.cross(towards, right), towards
