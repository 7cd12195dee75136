"""A run in a window of the desktop: the same scene, a column that explains it, a slider of time and keys (PyVista)."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import numpy as np
import pyvista as pv
from vtkmodules.vtkRenderingCore import vtkActor2D, vtkImageMapper

from marrowsim.errors import Fault, RenderError
from marrowsim.storage import Run
from marrowsim.viz import opengl
from marrowsim.viz.cameras import CAMERAS
from marrowsim.viz.column import column
from marrowsim.viz.description import Scene
from marrowsim.viz.figure import time_stamp
from marrowsim.viz.stage import new_plotter
from marrowsim.viz.viewer import LEGEND_WIDTH, Viewer

SIZE = (1400, 900)
NO_DISPLAY = Fault(
    "there is no display for a window",
    "a desktop, or DISPLAY set",
    "none",
    "leave --window out: the page is reached from any machine, through ssh too",
)
KEYS = ["left, right: frame before, after     v: next view", "i: what is under the mouse     q: close"]

# Kinds of window of VTK that no display shows.
UNSEEN = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow")

INK = "#222222"

# The share of the height that the slider takes, and its place as shares of the height.
FOOT, SLIDER = 0.11, 0.06


class Window:
    """A viewer's window: its slider, its keys, and what is written beside the view.

    Parameters
    ----------
    viewer : what is seen; its plotter is the window.
    """

    def __init__(self, viewer: Viewer):
        self.viewer = viewer
        self._cameras = list(CAMERAS)
        self._seen = (0, 0)
        self.slider = None
        self._beside = vtkActor2D()
        self._beside.SetMapper(vtkImageMapper())
        self._beside.GetMapper().SetColorWindow(255)
        self._beside.GetMapper().SetColorLevel(127.5)
        plotter = viewer.stage.plotter
        plotter.add_actor(self._beside, name="beside", reset_camera=False, render=False)
        viewer.stage.look(foot=FOOT, side=LEGEND_WIDTH / plotter.window_size[0])
        last = len(viewer.timeline) - 1
        if last:
            end = 0.95 * (1 - viewer.stage.side)
            self.slider = plotter.add_slider_widget(
                lambda at: self.go(round(at) - 1),
                (1, last + 1),
                value=viewer.index + 1,
                pointa=(0.05, SLIDER),
                pointb=(end, SLIDER),
                fmt=f"frame %.0f of {last + 1}",
                color=INK,
                style="modern",
                tube_width=0.004,
                slider_width=0.016,
                title_height=0.018,
                interaction_event="always",
            )
            plotter.add_key_event("Right", lambda: self.move(1))
            plotter.add_key_event("Left", lambda: self.move(-1))
        # PyVista's own: an isometric view.
        plotter.clear_events_for_key("v", raise_on_missing=False)
        plotter.add_key_event("v", self.turn)
        plotter.add_key_event("i", self.pick)
        self.write()

    @property
    def title(self) -> str:
        """What the desktop calls the window."""
        return f"marrowsim: {self.viewer.title}, {time_stamp(self.viewer.frame.time)}"

    def go(self, index: int) -> None:
        """Show the frame of a place of the timeline."""
        if index != self.viewer.index:
            self.viewer.show(index)
            self.write()

    def move(self, by: int) -> None:
        """Go on or back by some frames, as far as there are any."""
        index = min(max(self.viewer.index + by, 0), len(self.viewer.timeline) - 1)
        self.go(index)
        self.slider.GetRepresentation().SetValue(index + 1)
        self.viewer.stage.plotter.render()

    def turn(self) -> None:
        """Look from the next preset."""
        self._cameras.append(self._cameras.pop(0))
        self.viewer.look(self._cameras[0])
        self.write()
        self.viewer.stage.plotter.render()

    def pick(self) -> None:
        """Write what is known of the cell or voxel under the mouse."""
        plotter = self.viewer.stage.plotter
        x, y = plotter.iren.get_event_position()
        width, height = plotter.window_size
        self.viewer.pick(x / width, 1 - y / height)
        self.write()
        plotter.render()

    def turned(self) -> None:
        """The user has turned or zoomed."""
        self.viewer.stage.turned()
        self.write()

    def resized(self) -> None:
        """The window may have another size."""
        width, height = self.viewer.stage.plotter.window_size
        if (width, height) != self._seen and width > LEGEND_WIDTH:
            self.viewer.stage.look(side=LEGEND_WIDTH / width)
            self.write()
            if self.slider is not None:
                # Off and on again, or VTK leaves it out after a change of size.
                self.slider.Off()
                self.slider.On()
            self.viewer.stage.plotter.render()

    def write(self) -> None:
        """The column at the right: time, legend, scales, and the values of what was picked."""
        width, height = self._seen = tuple(self.viewer.stage.plotter.window_size)
        picture = column(self.viewer, height, KEYS)
        image = pv.ImageData(dimensions=(LEGEND_WIDTH, height, 1))
        image.point_data["colour"] = np.ascontiguousarray(picture[::-1]).reshape(-1, 3)
        self._beside.GetMapper().SetInputData(image)
        self._beside.SetPosition(width - LEGEND_WIDTH, 0)
        self.viewer.stage.plotter.render_window.SetWindowName(self.title)


def require_display() -> None:
    """Say so where no window can be opened.

    Raises
    ------
    RenderError
    """
    unix = sys.platform.startswith("linux")
    if unix and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise RenderError(NO_DISPLAY)
    kind = os.environ.get(opengl.WINDOW)
    if kind in UNSEEN:
        raise RenderError(
            Fault("VTK is told to draw without a window", given=f"{opengl.WINDOW}={kind}", remedy="unset it")
        )


def open_window(run: Run, scene: Scene, index: int | None = None) -> None:
    """Show a run in a window until it is closed.

    Raises
    ------
    RenderError : where there is no display, or none that answers, or no OpenGL.
    """
    require_display()
    if not opengl.rendering_available():
        raise RenderError(Fault("a window needs OpenGL", given="none", remedy=opengl.REMEDY))
    plotter: pv.Plotter = new_plotter(SIZE, off_screen=False)
    if plotter.render_window.GetClassName() in UNSEEN:
        plotter.close()
        display = f"DISPLAY={os.environ.get('DISPLAY', '')}"
        raise RenderError(replace(NO_DISPLAY, what="the display does not answer", given=display))
    window = Window(Viewer(run, scene, plotter, index))
    plotter.iren.add_observer("EndInteractionEvent", lambda *_: window.turned())
    plotter.iren.add_observer("ConfigureEvent", lambda *_: window.resized())
    plotter.show(title=window.title)
