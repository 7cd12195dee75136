"""Where bone went and came, in frames, views, sections and the legend."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from marrowsim import tissues
from marrowsim.simulation import Simulation
from marrowsim.storage.frames import Frame, read_frame, write_frame
from marrowsim.viz import figure, layers, legend, opengl, palette, sections

pv = pytest.importorskip("pyvista")
from marrowsim.viz import meshes, scene  # noqa: E402
from marrowsim.viz.description import Scene  # noqa: E402

needs_opengl = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")

# A plate of bone across z, a hole 8 voxels wide through it, and a block 6 wide that was laid on it.
HOLE, BLOCK = np.s_[12:18, 6:14, 6:14], np.s_[18:24, 18:24, 18:24]
LATTICE = (30, 30, 30)


@pytest.fixture
def remodelled(frame):
    tissue = np.full(LATTICE, tissues.MARROW, np.uint8)
    tissue[12:18] = tissues.BONE
    change = np.zeros(LATTICE, np.int8)
    tissue[HOLE], change[HOLE] = tissues.MARROW, -1
    tissue[BLOCK], change[BLOCK] = tissues.BONE, 1
    parts = {"tissue": tissue, "bone_change": change, "fields": {}}
    return SimpleNamespace(**vars(frame) | parts | {"cells": frame.cells[:0], "slots": frame.slots[:0]})


def test_a_frame_knows_where_bone_went_and_came(tmp_path):
    overrides = {"geometry.size": ["100 um"] * 3, "geometry.bone_volume_fraction": 0.2}
    state = Simulation.from_scenario("healthy", overrides=overrides, threads=1).state
    assert Frame.of(state).bone_change is None
    bone, marrow = (np.flatnonzero(state.tissue == code)[:5] for code in (tissues.BONE, tissues.MARROW))
    state.tissue.reshape(-1)[bone] = tissues.MARROW
    state.tissue.reshape(-1)[marrow] = tissues.BONE
    path = tmp_path / "frame.vtkhdf"
    write_frame(path, Frame.of(state))
    change = read_frame(path).bone_change
    np.testing.assert_array_equal(np.flatnonzero(change < 0), bone)
    np.testing.assert_array_equal(np.flatnonzero(change > 0), marrow)
    assert "bone_change" not in read_frame(path).fields
    np.testing.assert_array_equal(pv.read(path).cell_data["bone_change"], change.ravel())


def test_a_run_with_remodelling_has_the_array_from_the_first_frame():
    overrides = {"geometry.size": ["100 um"] * 3, "processes.remodelling.enabled": True}
    frame = Frame.of(Simulation.from_scenario("healthy", overrides=overrides, threads=1).state)
    assert frame.bone_change is not None
    assert "bone_change" not in layers.present(frame)


def test_the_change_is_drawn_unasked_where_there_is_one(frame, remodelled):
    assert "bone_change" in layers.choose(remodelled, None)[0]
    assert "bone_change" not in layers.choose(frame, None)[0]


def test_the_slab_is_cut_where_bone_went(remodelled):
    assert layers.slab(remodelled, 1, thickness=80.0).slices[1] == slice(6, 14)


def test_bone_alone_is_drawn_deeper_and_told_in_shares(frame, remodelled):
    said = figure.caption(remodelled, ("bone", "bone_change"))
    assert said == "7.1 % of the bone is gone, and 4 % stands where none was."
    wide = SimpleNamespace(**vars(remodelled))
    wide.tissue, wide.bone_change = (np.tile(part, (1, 2, 1)) for part in (remodelled.tissue, remodelled.bone_change))
    wide.cells = frame.cells
    for drawn, thick in (("bone,bone_change", 200), ("bone,bone_change,osteoclast", 200), (None, 100)):
        made = figure.compose(wide, scene=Scene(layers=drawn))[0]
        low, high = next(
            re.search(r"slab y = (\d+) to (\d+)", text.get_text()).groups()
            for text in made.texts
            if "slab" in text.get_text()
        )
        assert int(high) - int(low) == thick, drawn


def test_the_former_surface_covers_what_was_lost_alone(remodelled):
    mesh = meshes.former_surface(remodelled, layers.whole(remodelled))
    low, high = mesh.points.min(0), mesh.points.max(0)
    np.testing.assert_allclose([low, high], [[60, 60, 120], [140, 140, 180]], atol=6)
    # Two lids over the hole; its walls are present surface.
    assert mesh.area == pytest.approx(2 * 80.0**2, rel=0.15)


def test_shares_around_points_are_those_of_half_spaces():
    part = np.zeros(LATTICE, bool)
    part[:, :, :15] = True
    points = np.array([[20.0, 150, 150], [150, 150, 150], [280, 150, 150]])
    np.testing.assert_allclose(meshes.share_at(points, part, np.ones_like(part), 10.0), [1, 0.5, 0], atol=1e-3)


@needs_opengl
def test_formed_bone_has_its_colour_and_lost_bone_is_seen_through(remodelled):
    """From above: the block in its colour, the far wall through the lids of the hole, tinted."""
    box = layers.whole(remodelled)
    look = scene.render(remodelled, Scene(layers="bone,bone_change", camera="top"), box, (300, 300))
    plain = scene.render(remodelled, Scene(layers="bone", camera="top"), box, (300, 300))

    def shown(view, point):
        column, row = view.project(point)[0].astype(int)
        return view.image[row, column].astype(float)

    block, hole, plate = (shown(look, point) for point in ([210, 210, 240], [100, 100, 180], [60, 220, 180]))
    red, green, blue = block
    assert red < 0.5 * min(green, blue)
    assert hole[2] > hole[0] > hole[1]
    np.testing.assert_array_equal(shown(plain, [100, 100, 180]), 255)
    np.testing.assert_allclose(plate, shown(plain, [60, 220, 180]), atol=3)


def test_sections_and_the_legend_show_it_with_volumes(remodelled):
    layer = (remodelled.tissue[15], None, None, ("bone", "bone_change"), 4, 1.0, remodelled.bone_change[15])
    picture = sections.paint(*layer)
    np.testing.assert_allclose(picture[40, 40], to_rgb(palette.BONE_LOST.colour))
    np.testing.assert_allclose(picture[100, 100], to_rgb(palette.TISSUES[tissues.BONE].colour))
    entries = legend.legend_entries(remodelled, ("bone", "bone_change"), layers.Box((0, 0, 0), (15, 30, 30)))
    lost, formed = entries[-2:]
    assert (lost.label, formed.label) == ("Bone lost (mm³)", "Bone formed (mm³)")
    assert (lost.total, lost.shown) == pytest.approx((384e-6, 192e-6))
    assert (formed.total, formed.shown) == pytest.approx((216e-6, 0))
