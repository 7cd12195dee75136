"""The scene description and the stage that draws it: clipping, layers, fields, tracks, picking, memory."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from marrowsim.errors import RenderError
from marrowsim.viz import layers, opengl, palette, sections, tracks
from marrowsim.viz.description import Scene

pv = pytest.importorskip("pyvista")
from marrowsim.viz import ingredients, meshes, volumes  # noqa: E402
from marrowsim.viz.stage import Stage, new_plotter  # noqa: E402

needs_opengl = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")
SIZE = (300, 260)


@pytest.fixture
def stage():
    """A stage in a small plotter."""
    plotter = new_plotter(SIZE)
    yield Stage(plotter)
    plotter.close()


def picture(stage):
    stage.plotter.render_window.Render()
    return stage.plotter.screenshot(None, return_img=True).astype(int)


def points(stage, name):
    return np.asarray(stage.actors[name].mapper.dataset.points)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"field_as": "walls"}, "did you mean 'wall'"),
        ({"limits": (3, 1)}, "low < high"),
        ({"levels": ()}, "name one at least"),
        ({"slices": (1, 2)}, "three places"),
        ({"clip": ("w", 20.0)}, "an axis"),
        ({"clip": ("x", float("nan"))}, "an axis"),
        ({"camera": "obliqe"}, "did you mean 'oblique'"),
        ({"camera": (1, 2, 3)}, "azimuth and elevation"),
    ],
)
def test_a_scene_that_cannot_be_is_refused_at_once(parts, words):
    with pytest.raises(RenderError, match=re.escape(words)):
        Scene(**parts)


def test_every_fault_of_a_scene_is_told():
    with pytest.raises(RenderError) as caught:
        Scene(field_as="cloud", limits=(1, 1), clip=("x",))
    assert len(caught.value.faults) == 3


def test_layers_may_be_one_text():
    assert Scene(layers="bone, tumour") == Scene(layers=["bone", "tumour"])


@pytest.mark.parametrize(
    ("clip", "low", "high"), [(("x", 104), (0, 0, 0), (28, 28, 10)), (("-z", 96), (10, 0, 0), None)]
)
def test_the_clipping_plane_goes_between_voxels(frame, clip, low, high):
    box = Scene(clip=clip).cut(layers.whole(frame), frame.spacing)
    assert (box.low, box.high) == (low, high or (28, 28, 28))


def test_a_clipping_plane_that_leaves_nothing_is_refused(frame):
    with pytest.raises(RenderError, match="leaves nothing"):
        Scene(clip=("-y", 280)).cut(layers.whole(frame), frame.spacing)


@needs_opengl
@pytest.mark.parametrize("way", ["wall", "slices", "isosurface"])
def test_clipping_cuts_everything_alike(stage, frame, way):
    stage.show(frame)
    stage.change(field_as=way, clip=("-y", 140.0))
    assert {"layer:bone", "layer:translucent", "layer:niches", "layer:car free", "outline"} <= set(stage.actors)
    for name in stage.actors:
        low = points(stage, name)[:, 1].min()
        assert low >= 140 - 6 * (name in ("layer:bone", "layer:translucent", "layer:niches")), name
    assert points(stage, "layer:car free")[:, 1].min() == 145
    legend = {entry.label: entry for entry in stage.legend}
    kept = frame.cells[(frame.cells["type"] == "car") & (frame.cells["y"] > 140)]
    assert legend["CAR cell (makes CXCL12)"].shown == len(kept) < legend["CAR cell (makes CXCL12)"].total
    stage.change(clip=None)
    assert points(stage, "layer:car free")[:, 1].min() < 140


@needs_opengl
def test_a_hidden_layer_is_not_in_the_plotter(stage, frame):
    stage.show(frame)
    everything = picture(stage)
    shown = stage.layers
    for name, actors in {
        "bone": {"layer:bone"},
        "niches": {"layer:niches"},
        "car": {"layer:car free"},
        "tumour": {"layer:tumour free", "layer:tumour bound", "layer:tumour arrested"},
        "cxcl12": {"layer:wall"},
    }.items():
        before = set(stage.actors)
        stage.change(layers=tuple(layer for layer in shown if layer != name))
        assert before - set(stage.actors) == actors
        assert set(stage.plotter.actors) >= set(stage.actors)
        assert not actors & set(stage.plotter.actors)
        assert (picture(stage) != everything).any()
        stage.change(layers=shown)
        np.testing.assert_array_equal(picture(stage), everything)
    before = len(points(stage, "layer:translucent"))
    stage.change(layers=tuple(layer for layer in shown if layer != "arterioles"))
    assert len(points(stage, "layer:translucent")) < before
    stage.change(layers=("bone",))
    assert set(stage.actors) == {"layer:bone", "outline"}


@needs_opengl
def test_the_next_frame_keeps_what_did_not_change(stage, frame):
    stage.show(frame)
    stage.plotter.camera.zoom(2.0)
    actors, camera = dict(stage.actors), stage.plotter.camera_position
    bone = stage.actors["layer:bone"].mapper.dataset
    before = bone.points.copy()
    cells = frame.cells.assign(x=frame.cells["x"] % 270 + 10)
    stage.show(SimpleNamespace(**vars(frame) | {"cells": cells, "tissue": frame.tissue.copy()}))
    assert stage.plotter.camera_position == camera
    assert stage.actors == actors
    np.testing.assert_array_equal(bone.points, before)
    assert not np.array_equal(points(stage, "layer:car free"), frame.cells.query("type == 'car'")[["x", "y", "z"]])
    tissue = frame.tissue.copy()
    tissue[:, :, :14][tissue[:, :, :14] == 2] = 1
    stage.show(SimpleNamespace(**vars(frame) | {"tissue": tissue}))
    assert stage.actors["layer:bone"] is actors["layer:bone"]
    assert points(stage, "layer:bone")[:, 0].min() > 130


@needs_opengl
def test_a_new_frame_gives_the_picture_that_a_new_stage_gives(stage, frame, dish):
    for number, other in enumerate((frame, dish, frame)):
        stage.show(other)
        if number == 0:
            first = picture(stage)
    np.testing.assert_array_equal(picture(stage), first)


def test_fields_and_tissue_go_to_vtk_without_a_copy(frame):
    field = frame.fields["cxcl12"]
    assert np.shares_memory(np.asarray(meshes.centres(field, 10.0, "cxcl12").point_data["cxcl12"]), field)
    volume = volumes.volume_of(frame, sections.shade(frame, "cxcl12"), layers.whole(frame))
    grid = pv.wrap(volume.GetMapper().GetInput())
    assert np.shares_memory(np.asarray(grid.point_data["cxcl12"]), field)


def test_an_isosurface_lies_where_the_field_has_its_level(frame):
    z = np.arange(28.0)[:, None, None] * np.ones((1, 28, 28))
    tissue = np.ones((28, 28, 28), np.uint8)
    tissue[:, :, 20:] = 2
    lattice = SimpleNamespace(**vars(frame) | {"tissue": tissue, "fields": {"cxcl12": z.astype(np.float32)}})
    mesh = meshes.isosurfaces(lattice, "cxcl12", [7.25], layers.whole(lattice))[7.25]
    np.testing.assert_allclose(mesh.points[:, 2], 7.75 * 10, atol=1e-3)
    assert mesh.bounds[:4] == pytest.approx((5, 200, 5, 275))
    cut = meshes.isosurfaces(lattice, "cxcl12", [7.25], layers.Box((0, 0, 0), (28, 28, 10)))[7.25]
    assert cut.bounds[1] <= 105


def test_isosurfaces_are_of_the_mean_that_the_notes_tell(stage, frame):
    field = np.zeros((28, 28, 28), np.float32)
    field[14, 14, 14] = 100
    lattice = SimpleNamespace(**vars(frame) | {"tissue": np.ones_like(frame.tissue), "fields": {"cxcl12": field}})
    width = 10 * meshes.FIELD_SMOOTHING
    level = 100 * 1000 / (2 * np.pi * width**2) ** 1.5 / 2  # half the height of a Gaussian of what one voxel holds
    mesh = meshes.isosurfaces(lattice, "cxcl12", [level], layers.whole(lattice))[level]
    away = np.linalg.norm(mesh.points - 145, axis=1)
    np.testing.assert_allclose(away, width * np.sqrt(2 * np.log(2)), rtol=0.04)
    stage.show(lattice)
    stage.change(field_as="isosurface", levels=(level,))
    assert f"CXCL12: surfaces of its mean over a Gaussian of {width:g} µm" in stage.notes


@needs_opengl
def test_levels_stand_in_the_legend_with_their_unit(stage, frame):
    stage.show(frame)
    stage.change(field_as="isosurface", field="oxygen", levels=(15.0, 5.0, 99.0))
    assert stage.levels == (5.0, 15.0)
    labels = [entry.label for entry in stage.legend]
    assert labels[labels.index("SURFACES OF EQUAL CONCENTRATION") + 1 :][:2] == ["Oxygen = 5 mmHg", "Oxygen = 15 mmHg"]
    assert "Oxygen does not have the level 99 mmHg in what is drawn" in stage.notes
    assert stage.bar.title == "Oxygen (mmHg), surfaces"
    stage.change(levels=None, field="cxcl12")
    usual = np.quantile(sections.samples(frame, "cxcl12"), ingredients.USUAL_LEVELS).tolist()
    assert list(stage.levels) == pytest.approx(usual)


@needs_opengl
def test_slices_stand_in_the_middle_of_the_voxels_they_show(stage, frame):
    stage.show(frame)
    stage.change(field_as="slices", slices=(31.0, 148.0, 279.9))
    for name, axis, place in (("x", 0, 35), ("y", 1, 145), ("z", 2, 275)):
        np.testing.assert_allclose(points(stage, f"layer:slice {name}")[:, axis], place)
    stage.change(clip=("y", 140.0))
    assert "layer:slice y" not in stage.actors
    stage.change(field_as="volume")
    assert not any(name.startswith("layer:slice") for name in stage.actors)
    planes = stage.actors["layer:volume"].GetMapper().GetCroppingRegionPlanes()
    assert planes == (0, 280, 0, 140, 0, 280)
    stage.change(field_as="none")
    assert "layer:volume" not in stage.actors and stage.bar is None


@needs_opengl
def test_limits_are_those_of_the_bar(stage, frame):
    stage.show(frame)
    low, high = np.percentile(sections.samples(frame, "cxcl12"), [1, 99])
    assert (stage.bar.low, stage.bar.high) == pytest.approx((low, high))
    before = picture(stage)
    stage.change(limits=(0.0, 0.5))
    assert (stage.bar.low, stage.bar.high, stage.bar.unit) == (0.0, 0.5, "nM")
    assert (picture(stage) != before).any()


@needs_opengl
def test_an_unknown_field_changes_nothing(stage, frame):
    stage.show(frame)
    with pytest.raises(RenderError, match="did you mean 'oxygen'"):
        stage.change(field="oxigen")
    with pytest.raises(RenderError, match="leaves nothing"):
        stage.change(clip=("x", -5.0))
    assert stage.scene == Scene() and stage.shading.name == "cxcl12"


def walk():
    """Frames of three cells: one walks, one passes through the blood, one is born in the last frame."""
    places = [(15.0, 15.0), (25.0, np.nan), (35.0, 105.0)]
    frames = []
    for number, (first, second) in enumerate(places):
        rows = [(7, first), (9, second)] + [(11, 55.0)] * (number == 2)
        cells = pd.DataFrame(
            {"id": [r[0] for r in rows], "type": "tumour", "status": "free", "x": [r[1] for r in rows], "y": 45.0}
        ).assign(z=75.0)
        frames.append(SimpleNamespace(time=60.0 * number, cells=cells))
    return frames


def test_tracks_follow_the_table():
    table = tracks.tracks_of(walk(), (9, 7))
    assert table[["id", "time"]].to_numpy().tolist() == [[7, 0], [7, 60], [7, 120], [9, 0], [9, 60], [9, 120]]
    assert table["x"].tolist()[:3] == [15, 25, 35]
    found = tracks.paths(table, 60.0)
    assert [(name, kind, len(points)) for name, kind, points in found] == [(7, "tumour", 2), (9, "tumour", 1)]
    assert [len(points) for name, _, points in tracks.paths(table, 120.0) if name == 9] == [1, 1]
    far = table.assign(x=table["x"] + 200 * (table["time"] > 60))
    assert [points[:, 0].tolist() for name, _, points in tracks.paths(far, 120.0) if name == 7] == [[15, 25], [235]]
    with pytest.raises(RenderError, match="no frame has a cell of that id"):
        tracks.tracks_of(walk(), (7, 1234))


@needs_opengl
def test_a_track_is_drawn_up_to_the_time_of_the_frame(stage, dish):
    table = tracks.tracks_of(walk(), (7,))
    stage.change(tracks=(7,))
    with pytest.raises(RenderError, match="tracks need the frames"):
        stage.show(dish)
    for time, ends in ((60.0, 25), (200.0, 35)):
        stage.show(SimpleNamespace(**vars(dish) | {"time": time}), table)
        assert points(stage, "layer:track tumour")[:, 0].tolist() == list(range(15, ends + 1, 10))
    entry = stage.legend[-1]
    assert (entry.label, entry.colour) == ("Way of cell 7 (tumour)", palette.cell_style("tumour", "free").colour)
    assert "TRACKS" not in [line.label for line in (stage.change(tracks=()) or stage.legend)]


@needs_opengl
@pytest.mark.parametrize("camera", ["oblique", "top"])
def test_a_cell_is_picked_where_it_is_projected(stage, frame, camera):
    stage.show(frame)
    stage.change(camera=camera, layers=("tumour",))
    stage.plotter.camera.zoom(1.5)
    stage.turned()
    tumour = frame.cells[frame.cells["type"] == "tumour"]
    depth = tumour[["x", "y", "z"]].to_numpy() @ stage.eye.towards
    cell = tumour.iloc[int(depth.argmax())]
    column, row = stage.eye.project(cell[["x", "y", "z"]].to_numpy(float))[0]
    found = stage.pick(column, row)
    assert found.kind == "cell"
    assert found.values["id"] == (cell["id"], "") and found.values["type"] == ("tumour", "")
    voxel = tuple(int(cell[axis] // 10) for axis in "zyx")
    assert found.voxel == voxel
    assert found.values["cxcl12"] == (pytest.approx(frame.fields["cxcl12"][voxel]), "nM")
    assert stage.pick(-500, 1) is None


@needs_opengl
def test_bone_hides_a_cell_from_the_picker_as_from_the_eye(stage, frame):
    tissue = np.ones((28, 28, 28), np.uint8)
    tissue[:, 10:12] = 2
    cells = frame.cells[:2].assign(type="tumour", status="free", x=145.0, y=[55.0, 205.0], z=[45.0, 235.0])
    lattice = SimpleNamespace(**vars(frame) | {"tissue": tissue, "cells": cells, "slots": frame.slots[:0]})
    stage.show(lattice)
    stage.change(camera="front")
    before, behind = (stage.pick(*stage.eye.project(cells.iloc[[n]][["x", "y", "z"]].to_numpy())[0]) for n in (0, 1))
    assert (before.kind, behind.kind) == ("cell", "voxel")
    assert behind.values["tissue"] == ("bone", "") and behind.voxel[1] == 10
    stage.change(layers=("tumour",))
    assert stage.pick(*stage.eye.project([[145.0, 205.0, 235.0]])[0]).kind == "cell"
