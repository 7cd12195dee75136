"""A scene as a picture in memory, with where the points of the lattice are in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from marrowsim.viz.cameras import axes_of
from marrowsim.viz.description import Scene
from marrowsim.viz.layers import Box
from marrowsim.viz.legend import Bar, Entry
from marrowsim.viz.stage import Stage, new_plotter

# Pictures are rendered finer than shown, and averaged.
SUPERSAMPLING = 2


@dataclass
class View:
    """A rendered picture, and where the points of the lattice are in it.

    image : uint8 (height, width, 3), or 4 where the background is transparent; um_per_pixel : um; right, up :
    directions of the picture's axes in space; focus : point (x, y, z) in um at the picture's middle; notes : what a
    viewer has to know; legend, bar : what the stage says is drawn.
    """

    image: np.ndarray
    um_per_pixel: float
    right: np.ndarray
    up: np.ndarray
    focus: np.ndarray
    notes: list[str] = field(default_factory=list)
    legend: list[Entry] = field(default_factory=list)
    bar: Bar | None = None

    def project(self, points) -> np.ndarray:
        """Pixel positions (n, 2), column and row from the upper left corner, of points (n, 3) in um."""
        height, width = self.image.shape[:2]
        away = np.atleast_2d(points) - self.focus
        across, upward = away @ self.right / self.um_per_pixel, away @ self.up / self.um_per_pixel
        return np.column_stack([width / 2 + across, height / 2 - upward])


def averaged(blocks: np.ndarray) -> np.ndarray:
    """Means of blocks of pixels (rows, n, columns, n, 3 or 4); of colours by their opacity where there is one."""
    if blocks.shape[-1] == 3:
        return blocks.mean((1, 3)).round().astype(np.uint8)
    weight = blocks[..., 3:].astype(np.float32)
    total = weight.sum((1, 3))
    colour = (blocks[..., :3] * weight).sum((1, 3)) / np.maximum(total, 1)
    return np.concatenate([colour, total / (blocks.shape[1] * blocks.shape[3])], -1).round().astype(np.uint8)


class Camera:
    """Makes views of a size of one scene and box, frame after frame, and keeps what frames share.

    Parameters
    ----------
    scene, box : what is drawn, and the part of the lattice.
    size : width and height in pixels.
    foot : the share of the picture's height that stays empty at its foot.
    scale : um a pixel; None so that the box just fits.
    transparent : without a background.

    Notes
    -----
    Call `opengl.rendering_available()` first: VTK ends the process where OpenGL is missing. Close it in the end, or
    use it in a `with` statement.
    """

    def __init__(
        self,
        scene: Scene,
        box: Box,
        size: tuple[int, int],
        *,
        foot: float = 0.0,
        scale: float | None = None,
        transparent: bool = False,
    ):
        self.size, self.transparent = size, transparent
        self.plotter = new_plotter((SUPERSAMPLING * size[0], SUPERSAMPLING * size[1]))
        self.stage = Stage(self.plotter, scene, box)
        self.stage.look(foot=foot, scale=None if scale is None else scale / SUPERSAMPLING)

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the plotter."""
        self.plotter.close()

    def view(self, frame, tracks: pd.DataFrame | None = None) -> View:
        """The view of a frame (see `Stage.show`)."""
        self.stage.show(frame, tracks)
        width, height = self.size
        fine = self.stage.image(transparent=self.transparent)
        image = averaged(fine.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, -1))
        stage = self.stage
        right, up, _ = axes_of(stage.scene.camera)
        focus = np.array(self.plotter.camera.focal_point)
        scale = SUPERSAMPLING * stage.eye.um_per_pixel
        return View(image, scale, right, up, focus, list(stage.notes), stage.legend, stage.bar)


def render(
    frame,
    scene: Scene,
    box: Box,
    size: tuple[int, int],
    *,
    foot: float = 0.0,
    scale: float | None = None,
    tracks: pd.DataFrame | None = None,
    transparent: bool = False,
) -> View:
    """View of one frame (see `Camera`)."""
    with Camera(scene, box, size, foot=foot, scale=scale, transparent=transparent) as camera:
        return camera.view(frame, tracks)
