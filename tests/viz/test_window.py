"""The window of the desktop, on a virtual display (Xvfb), driven by its keys (xdotool)."""

import os
import shutil
import subprocess
import sys
import time
from itertools import count

import numpy as np
import pytest

from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder, open_run
from marrowsim.viz import opengl

pytest.importorskip("pyvista")
from marrowsim.viz import column
from marrowsim.viz.description import Scene
from marrowsim.viz.viewer import LEGEND_WIDTH, Viewer

MISSING = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
needs_opengl = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")
OVERRIDES = {"geometry.size": ["150 um"] * 3, "output.frames_every": "2 h", "time.duration": "4 h"}
PATIENCE = 90


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("window") / "run"
    simulation = Simulation.from_scenario("homing", seed=1, threads=1, overrides=OVERRIDES)
    with RunFolder.create(path, simulation) as recorder:
        simulation.run(recorders=[recorder])
    return path


@pytest.fixture
def display():
    """An environment with a virtual display, without the choice of a window that is never seen."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1500x1000x24", "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        yield {name: value for name, value in os.environ.items() if name != opengl.WINDOW} | {"DISPLAY": f":{number}"}
        server.terminate()


@needs_opengl
@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}; remedy: apt-get install xvfb xdotool")
def test_keys_go_through_the_frames_and_close_the_window(folder, display):
    def xdotool(*words):
        done = subprocess.run(["xdotool", *words], env=display, stdout=subprocess.PIPE, text=True, check=False)
        return done.stdout

    def wait_for(look, wanted):
        for _ in count():
            found = look()
            if wanted in found or time.monotonic() > end:
                return found
            time.sleep(0.1)

    end = time.monotonic() + PATIENCE
    command = [sys.executable, "-P", "-m", "marrowsim", "view", str(folder), "--window"]
    with subprocess.Popen(command, env=display, stderr=subprocess.PIPE, text=True) as shown:
        try:
            name = wait_for(lambda: xdotool("search", "--name", "marrowsim"), "\n").strip()
            assert name, "no window has appeared"

            def title():
                return xdotool("getwindowname", name).strip()

            assert wait_for(title, "0 d 4 h").endswith(", 0 d 4 h")
            xdotool("windowfocus", "--sync", name)
            xdotool("mousemove", "500", "400")

            def to_the_first():  # a key pressed before the window listens is lost
                xdotool("key", "Left")
                time.sleep(0.5)
                return title()

            assert wait_for(to_the_first, "0 d 0 h").endswith(", 0 d 0 h")
            xdotool("key", "Right")
            assert wait_for(title, "0 d 2 h").endswith(", 0 d 2 h")
            xdotool("key", "v", "key", "i", "key", "Right")
            assert wait_for(title, "0 d 4 h").endswith(", 0 d 4 h")
            xdotool("windowsize", "--sync", name, "1200", "800", "key", "Left")
            assert wait_for(title, "0 d 2 h").endswith(", 0 d 2 h")
            xdotool("key", "q")
            assert shown.wait(timeout=PATIENCE) == 0
            assert "Traceback" not in shown.stderr.read()
        finally:
            shown.kill()


@needs_opengl
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X displays")
def test_a_display_that_does_not_answer_is_told(folder):
    env = {name: value for name, value in os.environ.items() if name not in (opengl.WINDOW, "WAYLAND_DISPLAY")}
    command = [sys.executable, "-P", "-m", "marrowsim", "view", str(folder), "--window"]
    done = subprocess.run(command, env=env | {"DISPLAY": ":5999"}, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "the display does not answer" in done.stderr and "DISPLAY=:5999" in done.stderr


@needs_opengl
def test_the_column_measures_the_view_and_tells_what_was_picked(folder):
    viewer = Viewer(open_run(folder), Scene())
    before = column.column(viewer, 800, ["q: close"])
    assert before.shape == (800, LEGEND_WIDTH, 3)
    foot = (before[-column.RULER - 20 :].max(-1) < 60).astype(int)
    runs = [np.diff(np.flatnonzero(np.diff(row, prepend=0, append=0)))[::2] for row in foot]
    longest = max(int(run.max(initial=0)) for run in runs)
    lengths = np.array([1, 2, 5, 10, 20, 50, 100, 200]) / viewer.stage.eye.um_per_pixel
    assert np.abs(lengths - longest).min() <= 2 < longest
    cell = viewer.frame.cells.query("x == x")[["x", "y", "z"]].iloc[[0]]
    viewer.pick(*(viewer.stage.eye.project(cell.to_numpy())[0] / viewer.stage.plotter.window_size))
    assert viewer.picked()
    after = column.column(viewer, 800, ["q: close"])
    np.testing.assert_array_equal(after[-column.RULER :], before[-column.RULER :])
    assert (after != before).any()
    viewer.stage.plotter.close()
