"""A run in a window of the desktop: the same scene, with a slider of time and keys (PyVista)."""

from __future__ import annotations

import os
import sys

import pyvista as pv

from marrowsim.errors import Fault, RenderError
from marrowsim.storage import Run
from marrowsim.viz import opengl
from marrowsim.viz.cameras import CAMERAS
from marrowsim.viz.description import Scene
from marrowsim.viz.figure import time_stamp
from marrowsim.viz.stage import new_plotter
from marrowsim.viz.viewer import Viewer

SIZE = (1280, 900)
NO_DISPLAY = Fault(
    "there is no display for a window",
    "a desktop, or DISPLAY set",
    "none",
    "leave --window out: the page is reached from any machine, through ssh too",
)
HELP = "Right, Left: next and last frame   v: next view   click + p: values of what is under the mouse   q: close"

INK = "#222222"
FONT = 11


class Window:
    """A viewer's window: its slider, its keys, and what is written in it.

    Parameters
    ----------
    viewer : what is seen; its plotter is the window.
    """

    def __init__(self, viewer: Viewer):
        self.viewer = viewer
        self._cameras = list(CAMERAS)
        plotter = viewer.stage.plotter
        last = len(viewer.timeline) - 1
        if last:
            self.slider = plotter.add_slider_widget(
                lambda at: self.go(round(at)),
                (0, last),
                value=viewer.index,
                title="frame",
                pointa=(0.25, 0.08),
                pointb=(0.75, 0.08),
                fmt="%.0f",
                color=INK,
                style="modern",
                interaction_event="always",
            )
            plotter.add_key_event("Right", lambda: self.move(1))
            plotter.add_key_event("Left", lambda: self.move(-1))
        plotter.add_key_event("v", self.turn)
        plotter.add_key_event("p", self.pick)
        plotter.add_text(HELP, position="lower_edge", font_size=8, color=INK, name="help")
        self.write()

    def go(self, index: int) -> None:
        """Show the frame of a place of the timeline."""
        if index != self.viewer.index:
            self.viewer.show(index)
            self.write()

    def move(self, by: int) -> None:
        """Go on or back by some frames, as far as there are any."""
        index = min(max(self.viewer.index + by, 0), len(self.viewer.timeline) - 1)
        self.go(index)
        self.slider.GetRepresentation().SetValue(index)
        self.viewer.stage.plotter.render()

    def turn(self) -> None:
        """Look from the next preset."""
        self._cameras.append(self._cameras.pop(0))
        self.viewer.look(self._cameras[0])
        self.viewer.stage.plotter.render()

    def pick(self) -> None:
        """Write what is known of the cell or voxel under the mouse."""
        plotter = self.viewer.stage.plotter
        x, y = plotter.mouse_position or plotter.iren.get_event_position()
        width, height = plotter.window_size
        self.viewer.pick(x / width, 1 - y / height)
        self.write()
        plotter.render()

    def write(self) -> None:
        """Title and time, the scale bar's length, and the values of what was picked."""
        viewer, plotter = self.viewer, self.viewer.stage.plotter
        stamp = f"{viewer.title}\n{time_stamp(viewer.frame.time)}"
        plotter.add_text(stamp, position="upper_left", font_size=FONT, color=INK, name="stamp", render=False)
        values = "\n".join(f"{row['name']}: {row['value']}" for row in viewer.picked())
        plotter.add_text(values, position="upper_right", font_size=FONT, color=INK, name="picked", render=False)
        lines = [(entry.label, entry.colour) for entry in viewer.stage.legend if entry.marker]
        plotter.remove_legend(render=False)
        if lines:
            plotter.add_legend(lines, size=(0.22, 0.026 * len(lines)), loc="center left", face="circle", bcolor=None)


def require_display() -> None:
    """Say so where no window can be opened.

    Raises
    ------
    RenderError
    """
    unix = sys.platform.startswith("linux")
    if unix and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise RenderError(NO_DISPLAY)


def open_window(run: Run, scene: Scene, index: int | None = None) -> None:
    """Show a run in a window until it is closed.

    Raises
    ------
    RenderError : where there is no display or no OpenGL.
    """
    require_display()
    if not opengl.rendering_available():
        raise RenderError(Fault("a window needs OpenGL", given="none", remedy=opengl.REMEDY))
    plotter: pv.Plotter = new_plotter(SIZE, off_screen=False)
    window = Window(Viewer(run, scene, plotter, index))
    plotter.iren.add_observer("EndInteractionEvent", lambda *_: window.viewer.stage.turned())
    plotter.show(title=f"marrowsim: {window.viewer.title}")
