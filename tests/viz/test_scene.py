"""The view in three dimensions, where this machine has OpenGL."""

import numpy as np
import pandas as pd
import pytest

from marrowsim.errors import RenderError
from marrowsim.viz import cameras, layers, opengl

pv = pytest.importorskip("pyvista")
from marrowsim.viz import meshes, scene, stage  # noqa: E402
from marrowsim.viz.description import Scene  # noqa: E402

needs_opengl = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")
SIZE = (260, 240)


def test_the_lattice_is_not_copied_on_the_way_to_vtk(frame):
    grid = meshes.lattice(frame)
    assert np.shares_memory(np.asarray(grid.cell_data["tissue"]), frame.tissue)
    for name, values in frame.fields.items():
        assert np.shares_memory(np.asarray(grid.cell_data[name]), values)
    index = grid.find_containing_cell((45, 125, 205))
    assert grid.cell_data["cxcl12"][index] == frame.fields["cxcl12"][20, 12, 4]


def test_a_surface_encloses_its_tissue(frame):
    box = layers.whole(frame)
    mesh = meshes.surface(frame.tissue == 2, frame.spacing, box)
    assert mesh.is_manifold
    assert mesh.volume == pytest.approx((frame.tissue == 2).sum() * 1000.0, rel=0.08)
    low, high = box.bounds(frame.spacing)
    assert (mesh.points.min(0) >= low - 5.01).all() and (mesh.points.max(0) <= high + 5.01).all()


def test_points_of_a_surface_of_many_triangles_are_merged_and_vessels_stay_in_one_piece(monkeypatch):
    mask = np.zeros((60, 60, 60), bool)
    for step in range(3, 55):
        across = 5 + step // 3
        mask[step, across : across + 2, across : across + 2] = True
    box = layers.Box((0, 0, 0), mask.shape)
    fine = meshes.surface(mask, 10.0, box)
    monkeypatch.setattr(meshes, "MERGED_FROM", 1000)
    merged = meshes.surface(mask, 10.0, box)
    assert merged.n_cells < 0.45 * fine.n_cells
    assert merged.connectivity().point_data["RegionId"].max() == 0
    assert 0.6 * fine.volume < merged.volume < fine.volume
    place = {tuple(point): row for row, point in enumerate(fine.points)}
    of = [place[tuple(point)] for point in merged.points]
    np.testing.assert_array_equal(merged.point_data["Normals"], fine.point_data["Normals"][of])
    assert np.unique(merged.regular_faces).size == merged.n_points


def test_points_of_tubes_one_voxel_wide_are_not_merged(monkeypatch):
    mask = np.zeros((40, 12, 12), bool)
    mask[3:35, 6, 6] = True
    box = layers.Box((0, 0, 0), mask.shape)
    fine = meshes.surface(mask, 10.0, box, thin=True)
    monkeypatch.setattr(meshes, "MERGED_FROM", 100)
    np.testing.assert_array_equal(meshes.surface(mask, 10.0, box, thin=True).points, fine.points)


def test_triangles_are_drawn_from_the_farthest_to_the_nearest():
    mesh = pv.Sphere().compute_normals(split_vertices=False)
    towards = np.array([0.0, -1.0, 0.0])
    ordered = meshes.back_to_front(mesh, towards)
    depth = (ordered.points @ towards)[ordered.regular_faces].sum(1)
    assert (np.diff(depth) >= -np.ptp(depth) / meshes.DEPTHS).all()
    assert np.corrcoef(depth, np.arange(len(depth)))[0, 1] > 0.98
    assert ordered.n_cells == mesh.n_cells


def test_cages_are_cubes_around_their_points():
    mesh = meshes.cages(np.array([[5.0, 5, 5], [25, 5, 5]]), 10.0)
    assert mesh.n_lines == 24
    lines = mesh.lines.reshape(-1, 3)[:, 1:]
    lengths = np.linalg.norm(mesh.points[lines[:, 0]] - mesh.points[lines[:, 1]], axis=1)
    assert np.allclose(lengths, 10)
    assert mesh.bounds == pytest.approx((0, 30, 0, 10, 0, 10))


@pytest.mark.parametrize("name", cameras.CAMERAS)
def test_cameras_are_right_handed(name):
    axes = np.array(cameras.axes_of(name))
    assert np.allclose(axes @ axes.T, np.eye(3))
    assert np.linalg.det(axes) == pytest.approx(1)


def test_cameras_look_where_they_say():
    assert cameras.facing(cameras.axes_of("oblique")[2]) == (1, True)
    assert cameras.facing(cameras.axes_of("side")[2]) == (2, True)
    assert cameras.facing(cameras.axes_of("top")[2]) == (0, False)
    with pytest.raises(RenderError, match="did you mean 'oblique'"):
        cameras.axes_of("obliqe")


def bare(frame, points, kind="tumour"):
    """The frame with nothing in it but free cells at points."""
    cells = pd.DataFrame(points, columns=["x", "y", "z"]).assign(type=kind, status="free")
    return type(frame)(**{**vars(frame), "cells": cells, "slots": frame.slots[:0], "fields": {}})


@needs_opengl
@pytest.mark.parametrize("camera", ["oblique", "top", "side", (33.0, -20.0)])
def test_cells_are_drawn_where_the_view_projects_them(frame, camera):
    points = np.array([[45.0, 45, 45], [235, 145, 45], [125, 235, 245]])
    for point in points:
        single = bare(frame, point[None])
        empty = bare(frame, np.empty((0, 3)))
        box = layers.whole(frame)
        view, blank = (scene.render(f, Scene(layers=["tumour"], camera=camera), box, SIZE) for f in (single, empty))
        changed = np.argwhere((view.image != blank.image).any(-1)) + 0.5
        assert np.allclose(changed.mean(0)[::-1], view.project(point)[0], atol=0.6)
        width = np.ptp(changed[:, 1]) + 1
        assert width == pytest.approx(13 / view.um_per_pixel, abs=1.5)


@needs_opengl
@pytest.mark.parametrize("layer", ["bone", "sinusoids", "niches", "tumour", "hpc", "car", "cxcl12"])
def test_a_layer_that_is_left_out_is_not_seen(frame, layer):
    shown = layers.choose(frame, None)[0]
    hidden = tuple(name for name in shown if name != layer)
    box = layers.whole(frame)
    full, less, alone, empty = (
        scene.render(frame, Scene(layers=names), box, SIZE) for names in (shown, hidden, (layer,), ())
    )
    assert (full.image != less.image).any(-1).sum() > 50
    assert (alone.image != empty.image).any(-1).sum() > 50
    gone = type(frame)(**vars(frame))
    if layer in ("tumour", "hpc", "car"):
        gone.cells = frame.cells[frame.cells.type != layer]
    elif layer == "niches":
        gone.slots = frame.slots[:0]
    else:
        return
    assert np.array_equal(scene.render(gone, Scene(layers=shown), box, SIZE).image, less.image)


@needs_opengl
def test_what_is_not_all_drawn_or_enlarged_is_told(frame, monkeypatch):
    monkeypatch.setattr(stage, "MOST_POINTS", 100)
    view = scene.render(frame, Scene(layers="car"), layers.whole(frame), SIZE)
    assert view.notes == ["car (free): 1 of every 4 cells drawn"]
    far = type(frame)(**{**vars(frame), "spacing": 1.0})
    far.cells = frame.cells.assign(**{axis: frame.cells[axis] / 10 for axis in "xyz"})
    assert scene.render(far, Scene(layers="tumour"), layers.Box((0, 0, 0), (280, 280, 280)), SIZE).notes == [
        "tumour cells are drawn larger than they are, to be seen"
    ]
