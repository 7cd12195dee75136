"""The composed picture, with and without OpenGL."""

import logging
from itertools import pairwise
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from skimage.color import rgb2lab

from marrowsim.errors import RenderError
from marrowsim.tissues import IS_ENTERABLE
from marrowsim.viz import curves, figure, opengl, palette, panels, sections
from marrowsim.viz.description import Scene
from marrowsim.viz.legend import Entry
from marrowsim.viz.page_model import curves_of

SMALL = (800, 500)


@pytest.fixture(params=["opengl", "sections"])
def way(request, monkeypatch):
    """Both ways of drawing; the first is skipped where it cannot be."""
    if request.param == "opengl" and not opengl.rendering_available():
        pytest.skip(f"no OpenGL here; remedy: {opengl.REMEDY}")
    if request.param == "sections":
        monkeypatch.setenv(opengl.SWITCH, "1")
    return request.param


def words(axes_or_figure):
    return [text.get_text() for text in axes_or_figure.texts if text.get_text()]


def axes_named(composed, name):
    return next(axes for axes in composed.axes if axes.get_label() == name)


def test_a_picture_is_written_at_its_size(frame, readouts, tmp_path, way, caplog):
    with caplog.at_level(logging.WARNING, "marrowsim.viz"):
        made = figure.picture(frame, readouts, tmp_path / "picture.png", size=SMALL)
    assert made.opengl == (way == "opengl")
    pixels = matplotlib.image.imread(made.path)
    assert pixels.shape[:2] == (500, 800)
    assert pixels[..., :3].std() > 0.1
    assert (opengl.REMEDY in " ".join(made.notes)) == (way == "sections")
    assert (opengl.REMEDY in caplog.text) == (way == "sections")


def test_a_dish_without_bone_vessels_or_readouts_is_drawn(dish, tmp_path, way):
    for name in ("a.png", "b.pdf"):
        assert figure.picture(dish, None, tmp_path / name, size=SMALL).path.stat().st_size > 5000


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_same_frame_gives_the_same_picture(dish, readouts, tmp_path, way, kind):
    first, second = (
        figure.picture(dish, readouts, tmp_path / f"{name}.{kind}", size=SMALL).path.read_bytes() for name in "ab"
    )
    assert first == second
    assert {path.name for path in tmp_path.iterdir()} == {f"a.{kind}", f"b.{kind}"}


def test_the_legend_lists_what_is_there_with_its_number(frame, dish, way):
    texts = words(axes_named(figure.compose(frame, size=SMALL)[0], "legend"))
    assert "Bone" in texts and "Arteriole" in texts and "HPC, in a niche" in texts
    assert texts[texts.index("Tumour cell, arrested in a vessel") + 1] == "8"
    bare = words(axes_named(figure.compose(dish, size=SMALL)[0], "legend"))
    assert bare == ["number", "TUMOUR CELLS", "Tumour cell, on the move", str(len(dish.cells))]
    chosen = words(axes_named(figure.compose(frame, size=SMALL, scene=Scene(layers=["bone", "car"]))[0], "legend"))
    assert "Bone" in chosen and not any("umour" in text or "inusoid" in text for text in chosen)


@pytest.mark.parametrize("dpi", [60, 200, 300])
def test_no_line_of_the_legend_runs_into_its_number_or_off_the_page(dpi):
    entries = [
        Entry("TUMOUR CELLS, ON THEIR WAY FROM VESSEL TO NICHE"),
        Entry("Cancer-associated fibroblast (CAF)", "o", "#D55E00", 1_140_400, 13_349, "caf"),
    ]
    axes = figure.new_figure((1200, 800), dpi).add_axes((0.79, 0.5, 0.2, 0.4))
    panels.draw_legend(axes, entries, True)
    spans = {}
    for text in axes.texts:
        spans.setdefault(text.get_position()[1], []).append(panels.reach(text))
    assert max(right for line in spans.values() for _, right in line) < 1.005
    assert all(one[1] < other[0] for line in spans.values() for one, other in pairwise(sorted(line)))


def test_the_words_on_the_picture(frame, readouts, way):
    composed, notes, _ = figure.compose(frame, readouts, title="A run", size=SMALL, scene=Scene(layers="tumour,lining"))
    texts = " | ".join(words(composed))
    assert "A run" in texts and "3 d 0 h" in texts
    assert "Of 48 tumour cells in the tissue 8 are arrested in vessels, 16 move" in texts
    assert "not in this frame: lining" in texts and notes[0] == "not in this frame: lining"


@pytest.mark.parametrize(
    ("minutes", "text"), [(0, "0 d 0 h"), (4320, "3 d 0 h"), (1506, "1 d 1 h 6 min"), (59.6, "0 d 1 h")]
)
def test_time_stamps(minutes, text):
    assert figure.time_stamp(minutes) == text


def test_the_scale_bar_has_the_length_that_it_says(frame, way):
    composed, _, _ = figure.compose(frame, size=SMALL)
    axes = axes_named(composed, "view" if way == "opengl" else "section")
    bar = next(line for line in axes.lines if line.get_gid() == "scale bar")
    (left, _), (right, _) = axes.transData.transform(np.column_stack(bar.get_data()))
    label = next(text.get_text() for text in axes.texts if text.get_text().endswith("µm"))
    if way == "opengl":
        from marrowsim.viz import layers, scene  # noqa: PLC0415

        size = figure._pixels(composed, axes)
        view = scene.render(frame, Scene(layers=()), layers.slab(frame), size, foot=0.08)
        start = np.array([100.0, 100.0, 100.0])
        ends = view.project([start, start + 50 * view.right])
        expected = (ends[1, 0] - ends[0, 0]) / 50
    else:
        expected = axes.get_window_extent().width / (28 * 10)
    assert right - left == pytest.approx(float(label.split()[0]) * expected, abs=1.0)


@pytest.mark.parametrize(("most", "length"), [(1, 1), (9.9, 5), (260, 200), (499.9, 200), (2100, 2000)])
def test_scale_bars_are_round(most, length):
    assert panels.round_length(most) == length


def test_the_colour_bar_names_the_field_and_its_unit(frame, way):
    composed, _, _ = figure.compose(frame, size=SMALL, scene=Scene(layers=["bone", "oxygen"]))
    bars = [child for axes in composed.axes for child in axes.child_axes if child.get_label() == "colour bar"]
    assert [bar.get_title().split(",")[0] for bar in bars] == ["Oxygen (mmHg)"]


def test_a_section_is_painted_with_tissue_and_field():
    tissue = np.ones((6, 8), np.uint8)
    tissue[:, :3] = 2
    values = np.where(tissue == 1, np.linspace(0, 1, 8), 0).astype(np.float32)
    shading = sections.Shade("cxcl12", 0.0, 1.0)
    picture = sections.paint(tissue, values, shading, ("bone", "cxcl12"), 4, 1.0)
    assert picture.shape == (24, 32, 3)
    assert np.allclose(picture[:, :10], matplotlib.colors.to_rgb(palette.TISSUES[2].colour))
    assert (np.diff(picture[12, 14:].sum(1)) <= 1e-6).all()
    hidden = sections.paint(tissue, values, shading, ("cxcl12",), 4, 1.0)
    assert np.allclose(hidden[:, :10], sections.PLAIN_MARROW)


def test_bad_requests_are_refused_together(frame, tmp_path):
    with pytest.raises(RenderError, match="out of bounds") as caught:
        figure.picture(frame, None, tmp_path / "picture.gif", size=(100, 5000))
    assert len(caught.value.faults) == 2
    with pytest.raises(RenderError, match="no such folder"):
        figure.picture(frame, None, tmp_path / "missing" / "a.png", size=SMALL, scene=Scene(layers=["tumour"]))
    with pytest.raises(RenderError, match="there is no layer 'boen'"):
        figure.picture(frame, None, tmp_path / "a.png", scene=Scene(layers=["boen"]))
    assert not list(tmp_path.iterdir())


def test_curves_are_chosen_by_the_names_of_the_columns(readouts):
    chosen = curves.choose_panels(readouts)
    assert [title for title, _, _ in chosen] == [
        "Tumour cells in blood and marrow",
        "Tumour cells at the niches",
        "HPCs in niches",
        "Who holds the niche places",
    ]
    assert chosen[0][2][0] == "tumour in blood (cells)"
    few = curves.choose_panels(readouts[["time (h)", "oxygen mean (mmHg)"]])
    assert few == [("Oxygen in the marrow", "mmHg", ["oxygen mean (mmHg)"])]
    alone = curves.choose_panels(readouts[["time (h)", "tumour in marrow (cells)"]])
    assert alone == [("Tumour in marrow", "cells", ["tumour in marrow (cells)"])]
    soft = curves.choose_panels(readouts[["time (h)", "tumour in blood (cells)", "tumour arrested (cells)"]])
    assert [title for title, _, _ in soft] == ["Tumour cells in blood and vessels"]
    healthy = readouts.assign(**{name: 0 for name in readouts if "tumour" in name and "slots" not in name})
    assert [title for title, _, _ in curves.choose_panels(healthy)][:2] == [
        "HPCs in niches",
        "Who holds the niche places",
    ]
    own = curves.choose_panels(readouts[["time (h)"]].assign(**{"my count (cells)": 1.0, "name": "a"}))
    assert own == [("my count", "cells", ["my count (cells)"])]
    assert curves.choose_panels(None) == curves.choose_panels(readouts[:1]) == []


def test_units_of_curves_are_written_as_in_the_legend():
    table = pd.DataFrame({"time (h)": [0.0, 24.0], "bone resorbed (mm3)": [0.0, 0.1], "bone formed (mm3)": [0.0, 0.2]})
    axes = Figure().add_subplot()
    (panel,) = curves.choose_panels(table)
    curves.draw(axes, table, panel)
    assert axes.get_ylabel() == "mm³"
    assert [panel["unit"] for panel in curves_of(table)["panels"]] == ["mm³"]


@pytest.mark.parametrize("dpi", [50, 300])
def test_names_of_curves_stay_on_the_page(readouts, dpi):
    table = readouts[["time (h)"]].assign(**{"BV/TV (1)": 0.12, "BV/TV in region (1)": np.linspace(0.1, 0.09, 73)})
    composed = figure.new_figure((1200, 800), dpi)
    axes = composed.add_axes((0.7825, 0.5, 0.165, 0.2))
    curves.draw(axes, table, curves.choose_panels(table)[0])
    assert [text.get_text() for text in axes.texts] == ["bone", "bone in region"]
    assert max(text.get_window_extent().x1 for text in axes.texts) < composed.bbox.x1


def test_percentiles_are_drawn_as_a_band_around_the_mean(readouts):
    mean = np.linspace(1.0, 1.1, len(readouts))
    table = readouts[["time (h)"]].assign(**{"cxcl12 mean (nM)": mean, "cxcl12 p05 (nM)": 0.5, "cxcl12 p95 (nM)": 2})
    (panel,) = curves.choose_panels(table)
    axes = Figure().subplots()
    curves.draw(axes, table, panel)
    assert len(axes.lines) == 1
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0.5 and band[:, 1].max() == 2
    assert axes.get_title(loc="left") == "CXCL12 in the marrow: mean, 5 to 95 %"


def test_times_are_shown_in_hours_or_days(readouts):
    times, label = curves.time_axis(readouts)
    assert label == "time (h)" and times[-1] == 72
    days, label = curves.time_axis(readouts.assign(**{"time (h)": readouts["time (h)"] * 4}))
    assert label == "time (d)" and days[-1] == 12
    assert curves.time_axis(readouts[["step"]])[1] == "row of the table"


def test_labels_of_curves_do_not_overlap():
    heights = curves.spread(np.array([0.5, 0.5, 0.51, 1.0]), 0.13)
    assert np.diff(np.sort(heights)).min() >= 0.13 - 1e-9 and heights.max() <= 1.0


def test_one_colour_a_kind_everywhere():
    used = [style.colour for states in palette.CELLS.values() for style in states.values()]
    used += [style.colour for style in palette.TISSUES.values()]
    assert len(set(used)) == len(used)
    assert palette.curve_colour("tumour bound", 0) == palette.CELLS["tumour"]["bound"].colour
    assert palette.curve_colour("tumour in niches", 0) == palette.CELLS["tumour"]["bound"].colour
    assert palette.cell_style("osteoclast", "free") == palette.cell_style("osteoclast", "bound")


# Machado, Oliveira & Fernandes (2009), severity 1, for linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_cells_and_tissues_are_told_apart_by_the_colour_blind(blindness):
    styles = [style for kind in ("tumour", "hpc", "car") for style in palette.CELLS[kind].values()]
    styles += [palette.TISSUES[2], palette.TISSUES[3]]
    colours = np.array([matplotlib.colors.to_rgb(style.colour) for style in styles])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(BLINDNESS[blindness]), 0, 1)
    shown = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = rgb2lab(shown[None])[0]
    difference = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 100 * np.eye(len(lab))
    assert difference.min() > 10


def test_without_opengl_a_picture_says_what_of_the_scene_is_not_in_it(frame, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv(opengl.SWITCH, "1")
    scene = Scene(field_as="volume", tracks=(1,), camera="corner", clip=("y", 140))
    with caplog.at_level(logging.WARNING, "marrowsim.viz"):
        notes = figure.picture(frame, None, tmp_path / "a.png", size=SMALL, scene=scene).notes
    (said,) = (note for note in notes if note.startswith(figure.WITHOUT))
    assert said in caplog.text
    assert all(part in said for part in ("volume of the field", "tracks", "looks along y"))
    for scene in (Scene(), Scene(field_as="none", camera="top", clip=("y", 140))):
        assert not any(note.startswith(figure.WITHOUT) for note in figure.compose(frame, scene=scene)[1])
    with pytest.raises(RenderError, match="did you mean 'oxygen'"):
        figure.compose(frame, scene=Scene(field="oxigen"))


def filled(frame):
    """The frame with a tumour cell in every voxel that cells can enter."""
    z, y, x = np.nonzero(IS_ENTERABLE[frame.tissue])
    places = {axis: (index + 0.5) * frame.spacing for axis, index in zip("xyz", (x, y, z), strict=True)}
    kind = pd.Categorical(["tumour"] * x.size)
    cells = pd.DataFrame({"id": np.arange(x.size), "type": kind, "status": "free", **places, "cxcr4": np.float32(1)})
    return SimpleNamespace(**vars(frame) | {"cells": cells})


def test_where_cells_hide_everything_oxygen_takes_the_place_of_the_close_up(wide, readouts):
    if not opengl.rendering_available():
        pytest.skip(f"no OpenGL here; remedy: {opengl.REMEDY}")
    crowded = filled(wide)
    for frame, scene, shown, not_shown in (
        (wide, None, "close-up", "section"),
        (crowded, None, "section", "close-up"),
        (crowded, Scene(layers="tumour"), "close-up", "section"),
    ):
        names = [axes.get_label() for axes in figure.compose(frame, readouts, scene=scene)[0].axes]
        assert shown in names and not_shown not in names
