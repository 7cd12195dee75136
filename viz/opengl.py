"""Whether this machine can render with OpenGL, found out without risk.

VTK does not raise where the OpenGL libraries are missing: it ends the whole process with a segmentation
fault at the first picture. So a first small picture is made in a process of its own.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys

log = logging.getLogger("marrowsim.viz")

REMEDY = "apt-get install --no-install-recommends libegl1 libgl1-mesa-dri"

# "1": draw without OpenGL even where it is there.
SWITCH = "MARROWSIM_NO_OPENGL"

# What the probe found, so that child processes need not probe again ("1" or "0").
FOUND = "MARROWSIM_OPENGL"

WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"

# Seconds; a first import of VTK from a cold disk can take more than ten.
PROBE_TIMEOUT = 90

PROBE = """
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkActor, vtkPolyDataMapper
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkFiltersSources import vtkSphereSource
import vtkmodules.vtkRenderingOpenGL2
sphere, mapper, actor, renderer = vtkSphereSource(), vtkPolyDataMapper(), vtkActor(), vtkRenderer()
mapper.SetInputConnection(sphere.GetOutputPort())
actor.SetMapper(mapper)
renderer.AddActor(actor)
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(32, 32)
window.AddRenderer(renderer)
window.Render()
pixel = vtkUnsignedCharArray()
window.GetPixelData(16, 16, 16, 16, 1, pixel, 0)
print("picture", max(pixel.GetValue(channel) for channel in range(3)))
"""


def choose_window() -> None:
    """Let VTK render without a screen where there is none, unless the user has chosen a kind of window."""
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault(WINDOW, "vtkEGLRenderWindow")


def probe(program: str = PROBE, timeout: float = PROBE_TIMEOUT) -> bool:
    """Make one small picture in a process of its own, and say whether it came out.

    Parameters
    ----------
    program : the Python program that makes it and prints "picture" and the brightness of its middle.
    timeout : seconds after which the program counts as failed.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", program],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.debug("the OpenGL probe did not run: %s", error)
        return False
    answer = done.stdout.split()
    log.debug("the OpenGL probe ended with code %s: %s", done.returncode, done.stderr.strip())
    return done.returncode == 0 and answer[:1] == ["picture"] and answer[1:] != ["0"]


def rendering_available() -> bool:
    """Whether PyVista can make pictures here. Probed once; child processes inherit the answer.

    `MARROWSIM_NO_OPENGL=1` in the environment says no without a probe.
    """
    if os.environ.get(SWITCH, "0") not in ("", "0"):
        return False
    choose_window()
    if FOUND not in os.environ:
        os.environ[FOUND] = "1" if probe() else "0"
    return os.environ[FOUND] == "1"
