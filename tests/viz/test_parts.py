"""Which part of a lattice is drawn: slabs, what large lattices begin with, and what is said of it."""

from types import SimpleNamespace

import numpy as np
import pytest

from marrowsim.cli.rendering import scene_of
from marrowsim.errors import RenderError
from marrowsim.viz import layers, opengl, parts
from marrowsim.viz.description import WHOLE, Scene

pytest.importorskip("pyvista")
from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder, open_run
from marrowsim.viz.viewer import Viewer

needs_opengl = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")
OVERRIDES = {"geometry.size": ["300 um"] * 3, "time.duration": "2 h"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("parts") / "run"
    simulation = Simulation.from_scenario("homing", seed=1, threads=1, overrides=OVERRIDES)
    with RunFolder.create(path, simulation) as recorder:
        simulation.run(recorders=[recorder])
    return open_run(path)


@pytest.fixture
def crowded(monkeypatch):
    """Lattices of 300 um count as large ones."""
    monkeypatch.setattr(parts, "CROWDED", 30**3)


@pytest.mark.parametrize(
    ("text", "clip"),
    [
        ("x:250", ("x", 250)),
        ("-y:100um", ("-y", 100)),
        ("z:-5", ("z", -5)),
        ("y:40-90 um", ("y", 40, 90)),
        ("none", WHOLE),
    ],
)
def test_a_clip_is_read_as_it_is_written(text, clip):
    assert scene_of({"clip": text}).clip == clip


@pytest.mark.parametrize("text", ["y:90-40", "-y:40-90", "all", "y:40-", "y:1-2-3"])
def test_a_clip_that_is_none_is_refused(text):
    with pytest.raises(RenderError, match="not understood"):
        scene_of({"clip": text})


def test_a_slab_lies_between_voxels_inside_the_lattice(frame):
    box = Scene(clip=("y", 96, 204)).cut(layers.whole(frame), frame.spacing)
    assert (box.low, box.high) == ((0, 10, 0), (28, 20, 28))
    assert Scene(clip=WHOLE).cut(layers.whole(frame), frame.spacing) == layers.whole(frame)
    with pytest.raises(RenderError, match="a voxel thick at least"):
        Scene(clip=("y", 101, 104)).cut(layers.whole(frame), frame.spacing)


def test_a_large_lattice_begins_with_the_slab_of_its_pictures(frame, crowded):
    large = SimpleNamespace(**vars(frame) | {"tissue": np.tile(frame.tissue, (1, 2, 1))})
    scene = parts.opened(large, Scene())
    box = parts.parts_of(large, Scene())[0]
    assert scene.clip == ("y", box.low[1] * 10.0, box.high[1] * 10.0) and box.high[1] - box.low[1] == 10
    assert parts.opened(large, Scene(camera="side")).clip[0] == "x"
    assert parts.opened(frame, Scene()).clip is None
    for said in (Scene(clip=WHOLE), Scene(clip=("x", 50.0)), Scene(field_as="slices"), Scene(tracks=(1,))):
        assert parts.opened(large, said) is said
    assert parts.parts_of(large, Scene(clip=WHOLE))[:2] == (layers.whole(large), None)


@needs_opengl
def test_a_viewer_of_a_large_lattice_says_what_it_draws(run, crowded):
    viewer = Viewer(run, Scene())
    _, low, high = viewer.stage.scene.clip
    assert viewer.clip == ("slab y", (low + high) / 2)
    assert f"drawn: slab y = {low:g} to {high:g} µm of 300 µm" in viewer.stage.notes
    cells = viewer.frame.cells.query("type == 'car'")
    inside = int(cells["y"].between(low, high).sum())
    assert next(row["count"] for row in viewer.legend() if row["layer"] == "car") == f"{inside:,} of {len(cells):,}"
    points = np.asarray(viewer.stage.actors["layer:car free"].mapper.dataset.points)
    assert len(points) == inside and points[:, 1].min() > low and points[:, 1].max() < high
    near = viewer.stage.eye.um_per_pixel
    viewer.change(clip=viewer.cut("slab y", 0.0))
    assert viewer.stage.scene.clip == ("y", 0.0, high - low)
    viewer.change(clip=viewer.cut("slab y", 1e6))
    assert viewer.stage.scene.clip == ("y", 300 - (high - low), 300.0)
    viewer.change(clip=viewer.cut("", 0.0))
    assert viewer.clip == ("", 0.0) and viewer.stage.notes == []
    assert viewer.stage.eye.um_per_pixel > near
    assert next(row["count"] for row in viewer.legend() if row["layer"] == "car") == f"{len(cells):,}"
    viewer.change(clip=viewer.cut("slab z", 150.0))
    assert viewer.stage.scene.clip == ("z", 100.0, 200.0)
    viewer.stage.plotter.close()


@needs_opengl
def test_a_viewer_of_a_small_lattice_draws_all_of_it(run):
    viewer = Viewer(run, Scene())
    assert viewer.clip == ("", 0.0)
    assert viewer.stage.box == layers.whole(viewer.frame)
    viewer.stage.plotter.close()
