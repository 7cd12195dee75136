"""Layers by name, parts of the lattice, and where there is most to see."""

from types import SimpleNamespace

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim.errors import RenderError
from marrowsim.viz import layers
from marrowsim.viz.figure import caption
from marrowsim.viz.layers import Box


def test_an_unknown_layer_is_refused_with_the_nearest_name(frame):
    with pytest.raises(RenderError, match="did you mean 'sinusoids'") as caught:
        layers.choose(frame, ["bone", "sinusoid", "tumours"])
    assert [fault.given for fault in caught.value.faults] == ["sinusoid", "tumours"]


def test_the_usual_layers_are_those_the_frame_holds(frame, dish):
    assert layers.choose(frame, None) == (
        ("bone", "sinusoids", "arterioles", "niches", "tumour", "hpc", "car", "cxcl12"),
        [],
    )
    assert layers.choose(dish, None) == (("tumour", "cxcl12"), [])


def test_a_layer_that_the_frame_lacks_is_told(dish):
    drawn, notes = layers.choose(dish, "bone, tumour, oxygen")
    assert drawn == ("tumour", "oxygen")
    assert notes == ["not in this frame: bone"]


def test_a_cell_type_of_the_users_own_is_a_layer(dish):
    cells = dish.cells.assign(type="megakaryocyte")
    own = SimpleNamespace(**vars(dish) | {"cells": cells})
    assert "megakaryocyte" in layers.choose(own, None)[0]
    assert layers.choose(own, ["megakaryocyte"]) == (("megakaryocyte",), [])


def test_the_rare_are_drawn_after_the_many(frame):
    drawn = [kind for kind, _, _ in layers.groups(frame.cells, layers.LAYERS)]
    assert drawn == sorted(drawn, key=["car", "hpc", "tumour"].index)
    found = layers.census(frame.cells)
    assert sum(found.values()) == len(frame.cells)
    assert found["tumour", "arrested"] == 8


def test_a_box_holds_the_voxels_between_its_ends(frame):
    box = Box((0, 3, 5), (28, 7, 9))
    low, high = box.bounds(10.0)
    assert low.tolist() == [50, 30, 0] and high.tolist() == [90, 70, 280]
    inside = box.inside(frame.cells, 10.0)
    voxels = (inside[["z", "y", "x"]].to_numpy() // 10).astype(int)
    assert len(inside) and ((voxels >= box.low) & (voxels < box.high)).all()
    assert frame.tissue[box.slices].shape == (28, 4, 4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_slab_is_cut_where_the_tumour_is(frame, axis):
    where = "zyx"[axis]
    lattice = SimpleNamespace(
        spacing=2.0,
        tissue=np.ones((100, 100, 100), np.uint8) + (np.arange(100) == 99),
        slots=frame.slots[:0],
        bone_change=None,
        cells=frame.cells[:20].assign(type="tumour", status="free", x=99.0, y=99.0, z=99.0).assign(**{where: 151.0}),
    )
    box = layers.slab(lattice, axis, thickness=20.0)
    assert box.high[axis] - box.low[axis] == 10
    assert box.low[axis] <= 75 < box.high[axis]
    near = layers.close_up(lattice, box, axis, edge=50.0)
    assert near.holds(lattice.cells, 2.0).all()
    assert all(low >= 0 and high <= 100 for low, high in zip(near.low, near.high, strict=True))


def test_a_dish_is_drawn_whole(dish):
    wide = SimpleNamespace(spacing=10.0, tissue=np.ones((20, 90, 90), np.uint8))
    assert layers.slab(wide) == layers.whole(wide)
    assert layers.slab(dish) == layers.whole(dish)
    assert layers.close_up(dish, layers.whole(dish)) is None


def test_soft_tissue_has_layers_and_counts_of_its_own(frame):
    """The right half becomes soft tissue: its capillaries are a layer, and views seek what is in the marrow."""
    tissue, half = frame.tissue.copy(), frame.tissue.shape[2] // 2
    slab = tissue[:, :, half:]
    slab[np.isin(slab, (1, 2))] = tissues.SOFT
    slab[np.isin(slab, (3, 4))] = tissues.CAPILLARY
    both = SimpleNamespace(**vars(frame) | {"tissue": tissue})
    assert "capillaries" in layers.present(both)
    assert "capillaries" not in layers.present(frame)
    tumour = frame.cells[(frame.cells["type"] == "tumour") & (frame.cells["status"] == "free")]
    right = int((tumour["x"] >= half * frame.spacing).sum())
    assert 0 < layers.count_in_soft_tissue(both, "tumour") == right < len(tumour)
    assert layers.count_in_soft_tissue(frame, "tumour") == 0
    assert f"{right:,} are in soft tissue" in caption(both, ("tumour",))
    assert "soft tissue" not in caption(frame, ("tumour",))
