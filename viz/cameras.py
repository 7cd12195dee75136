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


def fitting_scale(bounds: np.ndarray, camera, size: tuple[int, int], foot: float = 0.0, side: float = 0.0) -> float:
    """The scale (um a pixel) at which a box, its bounds (2, 3) in um, just fits into a picture of a size in pixels.

    `foot` and `side` are the shares of the picture's height and width that stay empty at its foot and at its right.
    """
    right, up, _ = axes_of(camera)
    half = np.ptp(bounds, axis=0) / 2
    extent = [2 * half @ np.abs(axis) for axis in (right, up)]
    return 1.04 * max(extent[0] / size[0] / (1 - side), extent[1] / size[1] / (1 - foot))


def eye(camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions in space of right, up and towards the eye, of a VTK camera."""
    towards = -np.array(camera.GetDirectionOfProjection())
    right = np.cross(camera.GetViewUp(), towards)
    right /= np.linalg.norm(right)
    return right, np.cross(towards, right), towards


class Eye:
    """The camera of a plotter: where it stands, and how points of the lattice (um) and pixels go together.

    Parameters
    ----------
    plotter : whose camera it is; it has to be a parallel projection.
    """

    def __init__(self, plotter):
        self.plotter = plotter

    def place(
        self, bounds: np.ndarray, camera, foot: float = 0.0, side: float = 0.0, scale: float | None = None
    ) -> None:
        """Look at a box, its bounds (2, 3) in um, from where `camera` says.

        Parameters
        ----------
        foot, side : the shares of the picture's height and width that stay empty at its foot and at its right.
        scale : um a pixel; None so that the box just fits.
        """
        size = self.plotter.window_size
        scale = scale or fitting_scale(bounds, camera, size, foot, side)
        right, up, towards = axes_of(camera)
        focus = bounds.mean(0) + scale / 2 * (side * size[0] * right - foot * size[1] * up)
        distance = 4 * np.linalg.norm(bounds[1] - bounds[0])
        self.plotter.camera_position = [tuple(focus + distance * towards), tuple(focus), tuple(up)]
        self.plotter.camera.parallel_scale = scale * size[1] / 2

    @property
    def um_per_pixel(self) -> float:
        """Scale of the picture as it is now (um a pixel of the plotter's window)."""
        return 2 * self.plotter.camera.parallel_scale / self.plotter.window_size[1]

    @property
    def towards(self) -> np.ndarray:
        """Direction in space from the picture towards the eye."""
        return eye(self.plotter.camera)[2]

    def project(self, points) -> np.ndarray:
        """Pixels (n, 2), column and row from the upper left corner of the window, of points (n, 3) in um."""
        right, up, _ = eye(self.plotter.camera)
        away = (np.atleast_2d(points) - np.array(self.plotter.camera.focal_point)) / self.um_per_pixel
        width, height = self.plotter.window_size
        return np.column_stack([width / 2 + away @ right, height / 2 - away @ up])

    def ray(self, x: float, y: float, far: float) -> tuple[np.ndarray, np.ndarray]:
        """Origin (um), `far` um before the focal plane, and direction of the ray through a pixel."""
        (width, height), scale = self.plotter.window_size, self.um_per_pixel
        right, up, towards = eye(self.plotter.camera)
        away = (x - width / 2) * scale * right + (height / 2 - y) * scale * up
        return np.array(self.plotter.camera.focal_point) + away + far * towards, -towards
