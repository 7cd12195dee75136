"""Looking at a run without a browser: timeline, viewer, window, notebook, key and port."""

import io
import shutil
import socket
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from marrowsim.cli import main
from marrowsim.errors import RenderError, RunFolderError
from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder, open_run
from marrowsim.viz import curvesheet, opengl
from marrowsim.viz.timeline import Timeline

pytest.importorskip("pyvista")
from marrowsim.viz import notebook, window
from marrowsim.viz.description import Scene
from marrowsim.viz.viewer import Viewer

needs_opengl = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")
OVERRIDES = {"geometry.size": ["150 um"] * 3, "output.frames_every": "2 h", "time.duration": "4 h"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("seen") / "run"
    simulation = Simulation.from_scenario("homing", seed=1, threads=1, overrides=OVERRIDES)
    with RunFolder.create(path, simulation) as recorder:
        simulation.run(recorders=[recorder])
    return path


@pytest.fixture
def viewer(folder):
    viewer = Viewer(open_run(folder), Scene())
    yield viewer
    viewer.stage.plotter.close()


def test_frames_are_read_once_and_new_ones_found(folder, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    last = sorted((copy / "frames").iterdir())[-1]
    last.rename(copy / last.name)
    timeline = Timeline(open_run(copy))
    assert timeline.steps == [0, 20]
    assert timeline.frame(1) is timeline.frame(1)
    assert not timeline.refresh()
    (copy / last.name).rename(last)
    assert timeline.refresh()
    assert timeline.frame(2).step == 40
    few = Timeline(open_run(copy), kept=1)
    first = few.frame(0)
    few.frame(1)
    assert few.frame(0) is not first
    shutil.rmtree(copy / "frames")
    with pytest.raises(RunFolderError, match="no frames yet"):
        Timeline(open_run(copy))


def test_the_curves_tell_where_a_time_is(folder):
    sheet = curvesheet.sheet(open_run(folder).readouts)
    assert sheet.svg.startswith("data:image/svg+xml;base64,")
    assert [sheet.share(minutes) for minutes in (-5, 0, 120, 240, 999)] == [0, 0, 0.5, 1, 1]
    assert all(0 < left < left + width < 1 and 0 < top < top + high < 1 for left, top, width, high in sheet.panels)


@needs_opengl
def test_switched_layers_and_colour_limits_hold_for_all_frames(viewer):
    viewer.switch("car", False)
    limits = viewer.stage.shading
    for index in (0, 1, 2):
        viewer.show(index)
        assert "car" not in viewer.layers
        assert "bone" in viewer.layers
        assert viewer.stage.shading == limits
        rows = {row["label"]: row for row in viewer.legend() if row["layer"]}
        assert not rows["CAR cell (makes CXCL12)"]["on"]
        assert rows["Bone"]["on"]
    viewer.switch("car", True)
    assert "car" in viewer.layers


@needs_opengl
def test_the_legend_of_surfaces_stands_under_its_heading_and_is_not_off(viewer):
    viewer.change(field="oxygen", field_as="isosurface")
    rows = viewer.legend()
    at = [row["label"] for row in rows].index("SURFACES OF EQUAL CONCENTRATION")
    levels = [row for row in rows if row["label"].startswith("Oxygen = ")]
    assert levels and rows[at + 1 :] == levels
    assert all(row["on"] and not row["layer"] for row in levels)
    viewer.change(field_as="wall")
    assert not any("Oxygen = " in row["label"] for row in viewer.legend())


@needs_opengl
def test_every_change_is_in_the_next_picture(viewer):
    images = [viewer.image()]
    viewer.show(0)
    images.append(viewer.image())
    viewer.switch("bone", False)
    images.append(viewer.image())
    viewer.look("top")
    images.append(viewer.image())
    assert all((one != other).any() for one, other in pairwise(images))


@needs_opengl
def test_the_window_goes_by_its_slider_and_keys(viewer):
    shown = window.Window(viewer)
    said = shown.slider.GetRepresentation()
    assert said.GetLabelFormat() % said.GetValue() == "frame {0} of {0}".format(len(viewer.timeline))
    said.SetValue(1)
    shown.slider.InvokeEvent("InteractionEvent")
    assert viewer.frame.step == 0
    shown.move(1)
    assert viewer.frame.step == 20
    assert said.GetValue() == 2
    shown.move(99)
    assert viewer.index == 2
    before = viewer.image()
    shown.turn()
    assert (viewer.image() != before).any()


def test_a_window_without_a_display_says_what_to_do(folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.argv", ["marrowsim", "view", str(folder), "--window"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "no display" in capsys.readouterr().err
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setenv(opengl.WINDOW, "vtkEGLRenderWindow")
    with pytest.raises(SystemExit):
        main()
    assert "without a window" in capsys.readouterr().err


@needs_opengl
def test_a_notebook_shows_the_frame_that_was_asked_for(folder):
    sight = notebook.view(folder, step=20, layers="bone,tumour")
    picture = np.array(Image.open(io.BytesIO(sight._repr_png_())))
    assert picture.shape[1] > picture.shape[0] > 500
    assert sight.viewer.frame.step == 20
    assert sight.viewer.layers == ("bone", "tumour")
    sight.at(0).change(clip=("x", 70))
    assert sight.viewer.clip == ("x", 70)
    with pytest.raises(RunFolderError, match="no frame of that step"):
        sight.at(7)
    sight.viewer.stage.plotter.close()


@needs_opengl
def test_the_page_in_a_notebook_is_served_and_stops(folder):
    pytest.importorskip("trame")
    page = notebook.view(folder).page()
    assert page.url in page._repr_html_()
    port = int(page.url.split(":")[2].split("/")[0])
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    page.stop()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_port_in_use_is_refused_and_another_one_found():
    access = pytest.importorskip("marrowsim.viz.access")
    with socket.socket() as taken:
        taken.bind((access.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RenderError, match="in use"):
            access.free_port(port)
    assert access.free_port(port) == port
    assert len({access.new_key() for _ in range(3)}) == 3
