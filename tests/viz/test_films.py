"""Contact sheets, comparisons and films: one scale for all, and what is read back from the file."""

import re
from functools import partial
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
from PIL import Image

from marrowsim.errors import RenderError
from marrowsim.viz import figure, files, opengl, sections, sheet
from marrowsim.viz.description import Scene

ffmpeg = pytest.importorskip("imageio_ffmpeg")
from marrowsim.viz import film  # noqa: E402

needs_opengl = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")
SIZE = (640, 400)


def later(frame, hours, factor=1.0):
    fields = {name: (values * factor).astype(np.float32) for name, values in frame.fields.items()}
    return SimpleNamespace(**vars(frame) | {"time": 60.0 * hours, "fields": fields})


def row(frame, readouts, factors, title="a"):
    frames = [partial(later, frame, 24 * n, factor) for n, factor in enumerate(factors)]
    return sheet.Row(title, frames, readouts=readouts)


def named(composed, name):
    return [axes for axes in composed.axes if axes.get_label() == name]


def words(composed):
    return [text.get_text() for text in composed.texts]


def test_one_scale_holds_every_frame_of_every_run(frame, readouts):
    rows = [row(frame, readouts, (1.0, 0.5)), row(frame, readouts, (3.0, 1.0))]
    same = sheet.fixed(Scene(), rows)
    scene, boxes = same.scene, same.boxes
    shades = [sections.shade(read(), "cxcl12") for run in rows for read in run.frames]
    assert scene.limits == (min(s.low for s in shades), max(s.high for s in shades))
    assert boxes[0] == boxes[1]
    assert sheet.fixed(Scene(limits=(0.0, 9.0)), rows).scene.limits == (0.0, 9.0)


@needs_opengl
def test_two_runs_are_drawn_alike(frame, readouts):
    """The same frame has the same picture in both columns, although the other frames differ."""
    rows = [row(frame, readouts, (1.0, 0.5), "a"), row(frame, readouts, (3.0, 0.5), "b")]
    composed, _ = sheet.compose_sheet(rows, Scene(), title="Two", size=SIZE)
    views = [axes.images[0].get_array() for axes in named(composed, "view")]
    assert len(views) == 4
    np.testing.assert_array_equal(views[1], views[3])
    assert (views[0] != views[2]).any()
    assert {"Two", "a, 0 d 0 h", "b, 1 d 0 h"} <= set(words(composed))
    bars = [bar for axes in composed.axes for bar in axes.child_axes if bar.get_label() == "colour bar"]
    assert [bar.get_title() for bar in bars] == ["CXCL12 (nM), on the far wall"]
    assert bars[0].get_xlim() == pytest.approx(sheet.fixed(Scene(), rows).scene.limits)


@needs_opengl
def test_a_sheet_has_a_view_a_frame_with_time_and_a_true_scale_bar(frame, readouts, tmp_path):
    run = row(frame, readouts, (1.0, 1.1, 1.2, 1.3))
    composed, notes = sheet.compose_sheet([run], Scene(layers="bone,tumour,lining"), size=SIZE)
    assert [text for text in words(composed) if re.fullmatch(r"\d d 0 h", text)] == [f"{n} d 0 h" for n in range(4)]
    assert "not in these frames: lining" in notes
    legend = [text.get_text() for text in named(composed, "legend")[0].texts]
    assert "Bone" in legend and "Sinusoid (venous vessel)" not in legend
    axes = named(composed, "view")[0]
    bar = next(line for line in axes.lines if line.get_gid() == "scale bar")
    length = float(next(text.get_text() for text in axes.texts if text.get_text().endswith("µm")).split()[0])
    same = sheet.fixed(Scene(layers="bone,tumour"), [run])
    assert same.part == "0.28 x 0.28 x 0.28 mm (x, y, z), voxels of 10 µm; drawn: slab y = 40 to 140 µm of 280 µm"
    assert same.part in words(composed)
    tile = axes.images[0].get_array().shape[1::-1]
    scale = sheet.common_scale(same.scene, [run], same.boxes, tile, 0.08)
    assert np.ptp(bar.get_xdata()) * scale == pytest.approx(length)
    sheet.sheet([run], Scene(), tmp_path / "sheet.png", size=SIZE)
    assert matplotlib.image.imread(tmp_path / "sheet.png").shape[:2] == (400, 640)


@needs_opengl
def test_a_film_is_read_back_with_its_pictures(frame, readouts, tmp_path):
    path, calls = tmp_path / "a.mp4", []
    run = row(frame, readouts, (1.0, 1.5, 2.0))
    done = film.film([run], Scene(), path, size=SIZE, fps=5, turn=40, progress=lambda *now: calls.append(now))
    assert done == 3 and calls == [(1, 3), (2, 3), (3, 3)]
    reader = ffmpeg.read_frames(str(path))
    meta = next(reader)
    pictures = [np.frombuffer(data, np.uint8).reshape(400, 640, 3).astype(int) for data in reader]
    assert (meta["size"], meta["fps"], len(pictures)) == (SIZE, 5, 3)
    drawn = film.Pictures([run], Scene(), "", SIZE, 40.0)
    try:
        for number in (0, 2):
            assert np.abs(pictures[number] - drawn.draw(number)).mean() < 4
        assert np.abs(pictures[0] - pictures[2]).mean() > 4
    finally:
        drawn.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]


def test_lines_of_a_common_legend_keep_their_places():
    assert sheet.merged([["b", "d"], ["a", "b", "c", "d"], [], ["e", "d", "f"]]) == ["e", "a", "b", "c", "d", "f"]


@needs_opengl
def test_the_legend_of_a_film_has_what_only_earlier_frames_show(frame, readouts):
    first, run = later(frame, 0), row(frame, readouts, (1.0, 1.0))
    first.cells = frame.cells.assign(status=frame.cells["status"].where(frame.cells["type"] != "tumour", "arrested"))
    last = later(frame, 24)
    last.cells = frame.cells[frame.cells["status"] != "arrested"]
    run.frames = [lambda: first, lambda: last]
    drawn = film.Pictures([run], Scene(), "", SIZE, 0.0)
    try:
        lines = [text.get_text() for text in named(drawn.figure, "legend")[0].texts]
        tumour = [line.partition(", ")[2] for line in lines if line.startswith("Tumour cell, ")]
        assert sorted(tumour) == ["arrested in a vessel", "in a niche", "on the move"]
        assert any("drawn: slab y = " in text for text in words(drawn.figure))
    finally:
        drawn.close()


@needs_opengl
def test_the_directions_turn_with_the_camera_of_a_film(frame, readouts):
    run = row(frame, readouts, (1, 2, 3))
    drawn = film.Pictures([run], Scene(camera="front"), "", SIZE, 90.0)
    (axes,) = named(drawn.figure, "view")

    def arrows():
        found = {text.get_text(): text.xyann for text in axes.texts if text.get_text() in ("x", "y", "z")}
        return {name: np.round(np.array(place) / 30, 6).tolist() for name, place in found.items()}

    drawn.draw(0)
    assert arrows() == {"x": [1, 0], "z": [0, 1]}
    drawn.draw(1)
    assert set(arrows()) == {"x", "y", "z"}
    drawn.draw(2)
    assert arrows() == {"y": [-1, 0], "z": [0, 1]} or arrows() == {"y": [1, 0], "z": [0, 1]}
    drawn.close()


def test_the_time_is_marked_in_the_curves_of_a_film(frame, readouts):
    drawn = film.Pictures(
        [row(frame, readouts, (1.0, 1.0)), row(frame, readouts * 2, (1.0, 1.0), "b")], Scene(), "", SIZE, 0
    )
    try:
        drawn.draw(1)
        assert [mark.get_xdata()[0] for mark, _ in drawn.marks] == [24.0] * 4
        assert drawn.clock.get_text() == "1 d 0 h"
        first = named(drawn.figure, "readouts")[0]
        dashed = [line for line in first.lines if line.get_linestyle() == "--"]
        assert len(dashed) == 4
        np.testing.assert_allclose(dashed[0].get_ydata(), 2 * readouts["tumour in blood (cells)"])
    finally:
        drawn.close()


def test_films_that_cannot_be_are_refused_before_anything_is_written(frame, readouts, tmp_path):
    rows = [row(frame, readouts, (1.0,)), row(frame, readouts, (1.0, 2.0))]
    with pytest.raises(RenderError) as caught:
        film.film(rows, Scene(), tmp_path / "a.gif", size=(10, 10), fps=500)
    assert len(caught.value.faults) == 4
    assert not list(tmp_path.iterdir())


def test_a_film_without_its_library_names_the_line_that_brings_it(frame, readouts, tmp_path, monkeypatch):
    monkeypatch.setattr(film, "find_spec", lambda name: None)
    with pytest.raises(RenderError, match=r"pip install 'marrowsim\[film\]'"):
        film.film([row(frame, readouts, (1.0,))], Scene(), tmp_path / "a.mp4")


def test_a_file_that_is_no_picture_is_kept(frame, tmp_path):
    target = tmp_path / "notes.svg"
    target.write_text("my notes")
    with pytest.raises(RenderError, match="no picture of this kind"):
        figure.picture(frame, None, target, size=SIZE)
    assert target.read_text() == "my notes"
    figure.picture(frame, None, target, size=SIZE, force=True)
    assert list(files.target_faults(target)) == []


def test_resolution_multiplies_pixels_and_leaves_the_page(dish, tmp_path):
    figure.picture(dish, None, tmp_path / "a.png", size=SIZE, dpi=150)
    assert matplotlib.image.imread(tmp_path / "a.png").shape[:2] == (600, 960)
    with Image.open(tmp_path / "a.png") as written:
        assert written.info["dpi"] == pytest.approx((150, 150), abs=0.1)
    pages = []
    for dpi in (100, 200):
        figure.picture(dish, None, tmp_path / "a.svg", size=SIZE, dpi=dpi)
        pages.append(re.search(r'viewBox="([^"]*)"', (tmp_path / "a.svg").read_text())[1])
    assert pages[0] == pages[1]
    with pytest.raises(RenderError, match="resolution"):
        figure.picture(dish, None, tmp_path / "b.png", size=(1600, 1000), dpi=5000)


@needs_opengl
def test_a_transparent_picture_has_no_background(dish, tmp_path):
    figure.picture(dish, None, tmp_path / "a.png", size=SIZE, transparent=True)
    pixels = matplotlib.image.imread(tmp_path / "a.png")
    assert pixels[0, 0, 3] == 0
    assert 0.02 < (pixels[..., 3] == 1).mean() < 0.9
