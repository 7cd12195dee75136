"""A run in a notebook: a picture that shows itself, and the page of the run inside the notebook."""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from marrowsim.errors import Fault, RenderError
from marrowsim.storage import Run, open_run
from marrowsim.viz import opengl
from marrowsim.viz.description import Scene


class Page:
    """The page of a run (`marrowsim view`), served by a process of its own until `stop` or the end of this one.

    Attributes
    ----------
    url : where it is, with its key.
    """

    def __init__(self, path: Path, height: int):
        command = [sys.executable, "-P", "-m", "marrowsim", "view", str(path), "--no-browser"]
        # Messages go to a file: a pipe that nobody reads would stop the server when it is full.
        self._messages = tempfile.TemporaryFile("w+")  # noqa: SIM115  (open as long as the server)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._messages, text=True)
        atexit.register(self.stop)
        self._height = height
        self.url = next((line.strip() for line in self._process.stdout if line.startswith("http")), "")
        if not self.url:
            self._messages.seek(0)
            given = self._messages.read().strip()
            raise RenderError(Fault("the page could not be served", given=given, remedy=f"marrowsim view {path}"))

    def stop(self) -> None:
        """End the process that serves the page."""
        self._process.terminate()
        self._process.wait()

    def _repr_html_(self) -> str:
        return f'<iframe src="{escape(self.url)}" width="100%" height="{self._height}" style="border:0"></iframe>'


class Sight:
    """A frame of a run as a notebook shows it: a picture, drawn when it is asked for.

    Attributes
    ----------
    run : the run folder.
    viewer : the stage and timeline behind it (`marrowsim.viz.viewer.Viewer`).
    """

    def __init__(self, run: Run, scene: Scene, step: int | None):
        if not opengl.rendering_available():
            raise RenderError(Fault("this picture needs OpenGL", given="none", remedy=opengl.REMEDY))
        from marrowsim.viz.viewer import Viewer  # noqa: PLC0415

        self.run = run
        self.viewer = Viewer(run, scene)
        if step is not None:
            self.at(step)

    def at(self, step: int) -> Sight:
        """Go to the frame of a step.

        Raises
        ------
        RunFolderError : where there is none, with the nearest one.
        """
        frame = self.run.frames.at(step)
        self.viewer.show(self.viewer.timeline.steps.index(frame.step))
        return self

    def change(self, **parts: Any) -> Sight:
        """Change parts of the scene: `layers=`, `field=`, `field_as=`, `clip=`, `camera=` ... (see `Scene`)."""
        self.viewer.change(**parts)
        return self

    def page(self, height: int = 760) -> Page:
        """The page of the run inside the notebook, where notebook and browser are on one machine (or a tunnel is)."""
        return Page(self.run.path, height)

    def _repr_png_(self) -> bytes:
        return self.viewer.png()


def view(run: Run | str | Path, step: int | None = None, **scene: Any) -> Sight:
    """Show a run in a notebook.

    Parameters
    ----------
    run : a run or its folder.
    step : step number of the frame; the last one where not given.
    scene : parts of the scene, such as `layers="bone,tumour"`, `field_as="slices"`, `clip=("x", 250)`.

    Raises
    ------
    RunFolderError : where there is no such run or frame.
    RenderError : where the scene cannot be drawn, or there is no OpenGL.
    """
    run = run if isinstance(run, Run) else open_run(run)
    return Sight(run, Scene(**scene), step)
