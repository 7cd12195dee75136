"""The page of `view` that the browser draws itself: driven in headless Chromium, and what its server answers."""

import gzip
import io
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from marrowsim.cli import main
from marrowsim.errors import Fault, RenderError
from marrowsim.storage import open_run
from marrowsim.tissues import IS_ENTERABLE
from marrowsim.viz import figure, layers, meshes, palette, rendering
from marrowsim.viz.description import Scene

pytest.importorskip("plotly")
pytest.importorskip("aiohttp")
pageserver = pytest.importorskip("marrowsim.viz.pageserver")

TRACE = "key => document.getElementById('view').data.find(trace => trace.meta === key)"


@pytest.fixture(scope="module")
def folder(unfinished):
    return unfinished("200 um", "160 um", "160 um")


@pytest.fixture(scope="module")
def frames(folder):
    return list(open_run(folder).frames)


@pytest.fixture(scope="module")
def served(folder):
    """The page, served by the command without OpenGL: the address, and what the command says."""
    command = [sys.executable, "-P", "-m", "marrowsim", "view", str(folder), "--no-browser"]
    environment = {"PATH": "/usr/bin:/bin", "MARROWSIM_NO_OPENGL": "1", "MPLBACKEND": "agg"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen(command, **pipes) as server:
        yield server.stdout.readline().strip(), server.stderr.readline()
        server.terminate()


class Seen:
    """An open page, what it asked for and what it said."""

    def __init__(self, page, address):
        self.page, self.requests, self.errors = page, [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda text: self.errors.append(text.text) if text.type == "error" else None)
        page.goto(address)
        page.wait_for_selector("#view[data-drawn]", timeout=30_000)

    def after(self, act):
        """Do something that draws anew, and wait until it is drawn."""
        before = self.page.get_attribute("#view", "data-drawn")
        act()
        self.page.wait_for_selector(f"#view[data-drawn]:not([data-drawn='{before}'])", timeout=30_000)

    def go(self, index):
        if self.page.input_value("#frame") != str(index):
            self.after(lambda: self.page.locator("#frame").fill(str(index)))

    def picture(self):
        self.page.mouse.move(5, 5)
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        with Image.open(io.BytesIO(self.page.locator("#view").screenshot())) as image:
            return np.asarray(image.convert("RGB")).astype(int)

    def trace(self, name):
        return self.page.evaluate(TRACE, name)


@pytest.fixture(scope="module")
def opened(browser, served):
    seen = Seen(browser.new_page(viewport={"width": 1000, "height": 700}), served[0])
    yield seen
    assert seen.errors == []


@pytest.fixture
def seen(opened):
    """The page at its last known frame."""
    opened.go(int(opened.page.get_attribute("#frame", "max")))
    return opened


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_without_opengl_the_browser_draws_and_only_who_has_the_key_is_let_in(served):
    address, said = served
    plain, key = address.split("index.html")
    assert address.startswith("http://127.0.0.1:")
    assert "drawn by the browser (5,120 voxels and" in said and "no OpenGL" in said
    for path in ("index.html", "frames/40", "news/3", "planes/40/cxcl12/1/0", "volumes/40/cxcl12", "values/40/0/0/0"):
        assert status(plain + path + key) == 200
        assert status(plain + path) == status(plain + path + key[:-1]) == 403
    for path in ("frames/7", "planes/40/lime/1/0", "planes/40/cxcl12/1/99", "values/40/99/0/0", "arrays/40/0"):
        assert status(plain + path + key) == 404


def test_a_frame_is_asked_of_this_machine_alone_and_only_once(seen):
    assert seen.page.inner_text("#time") == "0 d 4 h"
    seen.requests.clear()
    seen.go(1)
    asked = [re.sub(r"http://127.0.0.1:\d+/", "", url).partition("?")[0] for url in seen.requests]
    assert "frames/20" in asked
    assert not any(path.startswith("volumes/") for path in asked)
    assert all(re.match(r"(frames|arrays|planes|news)/", path) for path in asked)
    assert sum(path.startswith("arrays/") for path in asked) <= 2  # cells and niches; surfaces stay as they are
    seen.go(2)
    seen.requests.clear()
    seen.go(1)
    assert [url for url in seen.requests if "/news/" not in url] == []


def test_the_slider_changes_cells_time_and_mark_and_nothing_else(seen, frames):
    last, bone = seen.picture(), seen.trace("bone")
    seen.go(0)
    assert seen.page.inner_text("#time") == figure.time_stamp(0)
    assert (np.abs(seen.picture() - last).max(2) > 30).mean() > 0.002
    assert seen.trace("tumour arrested")["visible"] is False
    assert seen.trace("bone") == bone
    marks = seen.page.evaluate("() => document.getElementById('curves').layout.shapes.map(mark => mark.x0)")
    assert marks and set(marks) == {0}
    for index in (0, 2):
        seen.go(index)
        for (kind, state), count in layers.census(frames[index].cells).items():
            if state in layers.STATUSES:
                row = seen.page.locator(f"tr[data-layer='{kind} {state}'] td.number")
                assert row.all_inner_texts()[0] == f"{count:,}"
    assert np.array_equal(seen.picture(), last)


def test_play_goes_through_the_frames_and_stops(seen, frames):
    seen.page.evaluate(
        """() => {
          window.times = [];
          const time = document.getElementById("time");
          new MutationObserver(() => window.times.push(time.textContent)).observe(time, { childList: true });
        }"""
    )
    seen.page.click("#play")
    assert seen.page.inner_text("#play") == "❚❚"
    seen.page.wait_for_function("() => document.getElementById('play').textContent === '▶'", timeout=30_000)
    assert seen.page.evaluate("() => window.times") == [figure.time_stamp(frame.time) for frame in frames[:3]]


def test_a_layer_that_is_switched_off_leaves_and_the_rest_stays(seen):
    full, bone = seen.picture(), seen.page.locator("tr[data-layer=bone] input")
    seen.after(bone.click)
    less = seen.picture()
    assert seen.trace("bone")["visible"] is False
    assert seen.trace("sinusoids")["visible"] is seen.trace("car free")["visible"] is True
    assert (np.abs(less - full).max(2) > 30).mean() > 0.05
    seen.go(1)
    assert seen.trace("bone")["visible"] is False
    seen.go(2)
    seen.after(bone.click)
    assert np.array_equal(seen.picture(), full)


def test_fields_are_those_of_the_frame_in_full_resolution(seen, frames):
    assert seen.page.inner_text("#colours-name") == "CXCL12 (nM), on the far wall"
    seen.after(lambda: seen.page.locator("#field").select_option("oxygen"))
    wall = np.array(seen.trace("field")["surfacecolor"], np.float16)
    assert np.array_equal(wall, frames[2].fields["oxygen"][:, -1, :].astype(np.float16))
    seen.after(lambda: seen.page.locator("#field-as").select_option("slices"))
    slices = seen.page.evaluate("() => view.data.filter(trace => trace.meta === 'field').map(t => t.surfacecolor)")
    shape = frames[2].tissue.shape
    expected = [np.take(frames[2].fields["oxygen"], shape[axis] // 2, axis).astype(np.float16) for axis in range(3)]
    assert all(np.array_equal(np.array(a, np.float16), b) for a, b in zip(slices, expected, strict=True))
    seen.after(lambda: seen.page.locator("#field-as").select_option("isosurface"))
    surface = seen.trace("field")
    assert surface["type"] == "isosurface" and len(surface["value"]) == frames[2].tissue.size
    entered = IS_ENTERABLE[frames[2].tissue].ravel() > 0
    mean = meshes.local_mean(frames[2], "oxygen", layers.whole(frames[2]))[0].astype(np.float16).ravel()
    assert np.array_equal(np.array(surface["value"], float)[entered], mean[entered].astype(float))
    seen.after(lambda: seen.page.locator("#field-as").select_option("wall"))
    seen.after(lambda: seen.page.locator("#field").select_option("cxcl12"))


def test_what_is_picked_has_the_values_of_the_frame_and_a_cell_is_followed(seen, frames):
    page, area = seen.page, seen.page.locator("#view").bounding_box()

    def pick(wanted):
        for across, down in ((a, b) for b in np.linspace(0.3, 0.7, 14) for a in np.linspace(0.3, 0.7, 14)):
            page.mouse.move(area["x"] + across * area["width"], area["y"] + down * area["height"])
            page.wait_for_timeout(50)
            if page.is_visible("#tip") and wanted in page.inner_text("#tip"):
                break
        seen.after(lambda: (page.mouse.down(), page.mouse.up()))
        page.wait_for_function("() => document.getElementById('chosen').textContent.includes('Oxygen')")
        return page.inner_text("#chosen")

    told = pick("bone\n")
    x, y, z = (float(re.search(rf"\b{axis} ([\d.]+)", told)[1]) for axis in "xyz")
    site = tuple(int(place / frames[2].spacing) for place in (z, y, x))
    assert told.startswith("Voxel: bone;") and frames[2].tissue[site] == 2
    told = pick("\ncell ")
    cell = frames[2].cells.set_index("id").loc[int(re.match(r"Cell (\d+):", told)[1])]
    assert palette.cell_style(cell["type"], cell["status"]).label in told
    assert f"x {cell['x']:g}, y {cell['y']:g}, z {cell['z']:g} µm" in told
    site = tuple(int(cell[axis] / frames[2].spacing) for axis in "zyx")
    assert f"CXCL12 {frames[2].fields['cxcl12'][site]:.3g} nM" in told
    seen.go(1)
    assert page.inner_text("#chosen").startswith(f"Cell {cell.name}")
    ring, then = seen.trace("chosen"), frames[1].cells.set_index("id").loc[cell.name]
    assert [ring[axis][0] for axis in "xyz"] == [then[axis] for axis in "xyz"]


def test_cameras_turn_and_the_screenshot_has_its_legend(seen):
    first = seen.picture()
    seen.after(lambda: seen.page.get_by_role("button", name="front", exact=True).click())
    assert (np.abs(seen.picture() - first).max(2) > 30).mean() > 0.05
    seen.after(lambda: seen.page.get_by_role("button", name="oblique").click())
    assert not (np.abs(seen.picture() - first).max(2) > 30).any()
    with seen.page.expect_download() as download:
        seen.page.click("#screenshot")
    assert download.value.suggested_filename == "marrowsim-40.png"
    image = np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)
    legend = image[:, -2 * 330 :]
    for colour in (palette.TISSUES[2].colour, palette.CELLS["car"]["free"].colour):
        rgb = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        assert (np.abs(legend - rgb).max(2) < 4).sum() > 100


def test_a_new_frame_appears_by_itself(seen, folder):
    assert seen.page.get_attribute("#frame", "max") == "2"
    waiting = next(folder.glob("*.vtkhdf"))
    seen.after(lambda: waiting.rename(folder / "frames" / waiting.name))
    assert seen.page.inner_text("#time") == "0 d 6 h"
    assert seen.page.inner_text("#place").startswith("frame 4 of 4")


def test_the_scene_of_the_command_is_that_of_the_page(folder):
    drawn = {"layers": "bone,car,oxygen", "field_as": "slices", "slices": (50, 60, 70), "limits": (0, 9)}
    scene = Scene(**drawn, clip=("-x", 50), camera=(30, 10))
    model = pageserver.PageServer(open_run(folder), scene, 1).model
    assert {line["key"] for line in model["layers"] if line["on"]} >= {"bone", "car free"}
    assert not any(line["on"] for line in model["layers"] if line["key"].startswith(("sinusoids", "tumour", "niches")))
    assert model["start"] == {"frame": 1, "field": "oxygen", "fieldAs": "slices", "level": 0.8, "slices": [7, 6, 5]}
    assert model["cut"] == {"axis": 2, "low": 5, "high": 20}
    assert {tuple(field["limits"]) for field in model["fields"]} == {(0.0, 9.0)}
    assert model["camera"]["camera"]["eye"]["z"] == pytest.approx(1.35 * np.sin(np.radians(10)))
    level = pageserver.PageServer(open_run(folder), Scene(limits=(0, 10), field_as="isosurface", levels=(4,))).model
    assert level["start"]["level"] == pytest.approx(0.4)
    with pytest.raises(RenderError, match="no field 'oxygn'"):
        pageserver.PageServer(open_run(folder), Scene(field="oxygn"))


def test_what_was_forgotten_is_made_again(folder, monkeypatch):
    monkeypatch.setattr(pageserver, "KEPT", 1)
    server = pageserver.PageServer(open_run(folder), Scene())
    entry = server.entry(40)
    for key in (entry["cells"], entry["surfaces"]["bone"]):
        content = gzip.decompress(server.array(40, key))
        assert len(content) == sum(int(kind[1]) * size for _, kind, size in entry["blobs"][key])
    server.entry(20)
    assert set(server._store.packed) != set(entry["blobs"])
    assert json.dumps(entry)


@pytest.mark.parametrize(
    ("wanted", "voxels", "cells", "unfit", "opengl", "way"),
    [
        ("auto", 60**3, 20_000, False, True, "browser"),
        ("auto", 60**3, 20_000, True, True, "server"),
        ("auto", 100**3, 20_000, False, True, "server"),
        ("auto", 60**3, 90_000, False, True, "server"),
        ("auto", 60**3, 20_000, False, False, "browser"),
        ("auto", 100**3, 20_000, False, False, None),
        ("auto", 60**3, 20_000, True, False, None),
        ("browser", 100**3, 90_000, False, False, "browser"),
        ("browser", 60**3, 20_000, True, True, None),
        ("server", 60**3, 20_000, False, True, "server"),
        ("server", 60**3, 20_000, False, False, None),
    ],
)
def test_who_draws_follows_from_size_scene_and_opengl(wanted, voxels, cells, unfit, opengl, way):
    faults = [Fault("the browser does not draw volumes")] if unfit else []
    if way is None:
        with pytest.raises(RenderError) as refused:
            rendering.chosen(wanted, voxels, cells, faults, opengl)
        assert all(fault in refused.value.faults for fault in faults)
    else:
        assert rendering.chosen(wanted, voxels, cells, faults, opengl)[0] == way


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rendering", "brwser"], "did you mean 'browser'"),
        (["--rendering", "browser", "--as", "volume"], "does not draw volumes"),
        (["--rendering", "browser", "--track", "1"], "draws no tracks"),
        (["--rendering", "browser", "--as", "isosurface", "--levels", "1,2"], "surface of one value"),
        (["--rendering", "server", "--window"], "a window draws itself"),
    ],
)
def test_what_cannot_be_drawn_as_asked_is_refused(folder, monkeypatch, capsys, options, said):
    monkeypatch.setattr("sys.argv", ["marrowsim", "view", str(folder), *options])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
