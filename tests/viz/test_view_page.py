"""The page of a run, driven in headless Chromium."""

import base64
import io
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from marrowsim.storage import open_run
from marrowsim.tissues import BONE
from marrowsim.viz import opengl, palette
from marrowsim.viz.layers import ON_REQUEST

pytest.importorskip("trame")
pytestmark = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")


@pytest.fixture(scope="module")
def folder(unfinished):
    return unfinished("200 um", "200 um", "200 um")


@pytest.fixture(scope="module")
def address(folder):
    """The page, served by the command."""
    command = [sys.executable, "-P", "-m", "marrowsim", "view", str(folder), "--no-browser", "--rendering", "server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        yield server.stdout.readline().strip()
        server.terminate()


class Seen:
    """An open page, what it asked for, and its picture as an array."""

    def __init__(self, page):
        self.page, self.requests, self.errors = page, [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    @property
    def source(self):
        return self.page.get_attribute(".picture", "src")

    def settled(self, before=None):
        """The picture (rows, columns, 3) once it is another than before and has not changed for a while."""
        page, last, since = self.page, before, 0
        for _ in range(150):
            page.wait_for_timeout(100)
            found = self.source if page.locator(".picture").count() else None
            since = since + 1 if found == last else 0
            last = found
            if found not in (None, before) and since >= 6:
                break
        assert last not in (None, before), "the picture did not change"
        data = base64.b64decode(last.partition(",")[2])
        return np.array(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)

    def choose(self, control, value):
        """Choose in a list, and see what comes of it."""
        before = self.source
        self.page.locator(f"[data-name={control}]").select_option(value)
        return self.settled(before)

    def restore(self):
        """As the page was at first: all who look at a run share one view of it."""
        for name, value in (("way", "wall"), ("clip", ""), ("field", "cxcl12")):
            if self.page.locator(f"[data-name={name}]").input_value() != value:
                self.choose(name, value)
        for box in self.page.locator("[data-layer]").all():
            box.set_checked(box.get_attribute("data-layer") not in ON_REQUEST)
        if self.page.inner_text(".time") != "0 d 4 h":
            self.page.locator("[data-name=at]").fill("2")
        self.page.get_by_role("button", name="oblique").click()
        return self.settled()

    def rows(self):
        cells = self.page.locator(".picked td").all_inner_texts()
        return dict(zip(cells[::2], cells[1::2], strict=True))


@pytest.fixture(scope="module")
def opened(browser, address):
    page = browser.new_page(viewport={"width": 1300, "height": 800})
    seen = Seen(page)
    page.goto(address)
    page.wait_for_selector(".picture")
    seen.settled()
    return seen


@pytest.fixture
def seen(opened):
    """The page as it was at first."""
    opened.restore()
    yield opened
    assert opened.errors == []


def near(picture, colour, most=40):
    """Number of pixels near a colour."""
    return int((np.abs(picture - 255 * np.array(to_rgb(colour))).max(-1) < most).sum())


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_only_who_has_the_key_is_let_in(address, browser):
    plain = address.partition("?")[0]
    assert address.startswith("http://127.0.0.1:")
    assert len(address.partition("?secret=")[2]) >= 43
    assert status(address) == 200
    for wrong in ("", "?secret=", "?secret=wslink-secret", address[len(plain) : -1]):
        assert status(plain + wrong) == 403
    script = re.search(r'src="\.?/?(assets/[^"]+\.js)"', urllib.request.urlopen(address).read().decode())[1]
    assert status(plain.replace("index.html", script)) == 403
    assert status(plain.replace("index.html", "ws")) == 403
    page = browser.new_page()
    page.goto("about:blank")
    outcome = page.evaluate(
        "url => new Promise(done => { const s = new WebSocket(url); s.onopen = () => done('open'); "
        "s.onerror = () => done('refused'); })",
        plain.replace("http", "ws").replace("index.html", "ws"),
    )
    page.close()
    assert outcome == "refused"


def test_nothing_is_asked_of_another_machine(seen):
    hosts = {re.match(r"(?:http|ws)s?://([^/:]+)", url)[1] for url in seen.requests if not url.startswith("data:")}
    assert hosts == {"127.0.0.1"}


def test_the_slider_shows_another_frame(seen, folder):
    before = seen.source
    assert seen.page.inner_text(".time") == "0 d 4 h"
    mark = seen.page.locator(".now").first.evaluate("mark => mark.offsetLeft")
    seen.page.locator("[data-name=at]").fill("0")
    picture = seen.settled(before)
    assert seen.page.inner_text(".time") == "0 d 0 h"
    assert seen.page.locator(".now").first.evaluate("mark => mark.offsetLeft") < mark - 50
    first = open_run(folder).frames[0].cells
    assert not ((first["type"] == "tumour") & first["x"].notna()).any()
    assert near(picture, palette.CELLS["tumour"]["arrested"].colour, 25) == 0
    assert not any("Tumour" in row for row in seen.page.locator(".row .name").all_inner_texts())


def test_play_goes_through_the_frames_and_stops(seen):
    page, last = seen.page, seen.source
    page.evaluate(
        """() => {
          const watched = { ".time": "times", "[data-name=play]": "labels" };
          for (const [place, name] of Object.entries(watched)) {
            window[name] = [];
            const found = document.querySelector(place), note = () => window[name].push(found.textContent);
            new MutationObserver(note).observe(found, { childList: true, characterData: true, subtree: true });
          }
        }"""
    )
    page.locator("[data-name=play]").click()
    page.wait_for_function("() => window.labels.at(-1) === 'play'", timeout=30_000)
    assert page.evaluate("() => window.labels") == ["pause", "play"]
    assert page.evaluate("() => window.times") == ["0 d 0 h", "0 d 2 h", "0 d 4 h"]
    assert page.locator("[data-name=at]").input_value() == "2"
    assert seen.source == last  # the last frame's picture, as it was before


def test_a_layer_that_is_switched_off_leaves_and_the_rest_stays(seen):
    full, before = seen.choose("way", "none"), seen.source
    seen.page.locator("[data-layer=bone]").uncheck()
    less = seen.settled(before)
    bone, car = palette.TISSUES[BONE].colour, palette.CELLS["car"]["free"].colour
    assert near(full, bone) > 5000
    assert near(less, bone) < 0.02 * near(full, bone)
    assert near(less, car) >= near(full, car) > 0
    before = seen.source
    seen.page.locator("[data-layer=bone]").check()
    assert np.array_equal(seen.settled(before), full)


def test_a_picked_cell_tells_its_id_and_type_and_is_followed(seen, folder):
    run = open_run(folder)
    page, found = seen.page, {}
    box = page.locator(".canvas").bounding_box()
    for name in ("bone", "sinusoids", "arterioles", "niches"):
        page.locator(f"[data-layer={name}]").first.uncheck()
    picture = seen.settled()
    colour = 255 * np.array(to_rgb(palette.CELLS["car"]["free"].colour))
    rows, columns = np.nonzero(np.abs(picture - colour).max(-1) < 12)
    for row, column in list(zip(rows, columns, strict=True))[:: max(1, len(rows) // 10)]:
        x, y = box["x"] + column / picture.shape[1] * box["width"], box["y"] + row / picture.shape[0] * box["height"]
        page.mouse.click(x, y)
        page.wait_for_timeout(300)
        found = seen.rows()
        if found.get("type") == "car":
            break
    assert found["type"] == "car"
    cells = run.frames[-1].cells.set_index("id")
    cell = cells.loc[int(found["cell"])]
    assert cell["type"] == "car"
    assert found["centre (µm)"] == ", ".join(f"{cell[axis]:g}" for axis in "xyz")
    before = seen.source
    page.locator("[data-name=at]").fill("1")
    seen.settled(before)
    assert seen.rows()["cell"] == found["cell"]


def test_clipping_cuts_away_and_says_what_is_left(seen):
    full = seen.settled()
    counts = [text for text in seen.page.locator(".count").all_inner_texts() if text]
    assert not any(" of " in text for text in counts)
    half = seen.choose("clip", "z")
    assert any(" of " in text for text in seen.page.locator(".count").all_inner_texts())
    inked = [(picture.min(-1) < 250).any(1).nonzero()[0] for picture in (full, half)]
    assert inked[1][0] > inked[0][0] + 100  # the upper half is gone
    assert abs(inked[1][-1] - inked[0][-1]) <= 2  # the foot stays
    seen.choose("clip", "slab z")
    assert "drawn: slab z = 50 to 150 µm of 200 µm" in seen.page.locator(".note").all_inner_texts()


def test_the_field_and_its_scale_follow_the_choice(seen):
    assert "CXCL12 (nM)" in seen.page.inner_text(".bar")
    wall = seen.choose("field", "oxygen")
    assert "Oxygen (mmHg)" in seen.page.inner_text(".bar")
    assert (seen.choose("way", "slices") != wall).any(-1).mean() > 0.02
    assert "on the slices" in seen.page.inner_text(".bar")
    seen.choose("way", "none")
    assert seen.page.locator(".bar").count() == 0


def test_cells_drawn_larger_than_they_are_are_told(seen):
    assert seen.page.locator(".note").count() == 0
    before = seen.source
    seen.page.mouse.move(600, 400)
    for _ in range(16):
        seen.page.mouse.wheel(0, 100)
    seen.settled(before)
    assert "tumour cells are drawn larger than they are" in " ".join(seen.page.locator(".note").all_inner_texts())


def test_the_scale_bar_has_its_length(seen):
    """The edge of the lattice, seen from the front, is 200 um: the outline's columns tell the pixels of a um."""
    before = seen.source
    seen.page.get_by_role("button", name="front", exact=True).click()
    picture = seen.settled(before)
    inked = (picture.min(-1) < 250).any(0).nonzero()[0]
    across = (inked[-1] - inked[0]) / picture.shape[1] * seen.page.locator(".canvas").bounding_box()["width"]
    ruler = seen.page.locator(".ruler")
    assert ruler.inner_text() == "50 µm"
    assert ruler.bounding_box()["width"] == pytest.approx(across / 4, rel=0.03)


def test_the_mouse_turns_the_view_and_the_preset_brings_it_back(seen):
    first, before, picked = seen.settled(), seen.source, seen.rows()
    mouse = seen.page.mouse
    mouse.move(600, 400)
    mouse.down()
    mouse.move(720, 430, steps=3)
    mouse.up()
    turned = seen.settled(before)
    assert (turned != first).any(-1).mean() > 0.1
    assert seen.rows() == picked  # a turn is no click
    before = seen.source
    seen.page.get_by_role("button", name="oblique").click()
    assert np.array_equal(seen.settled(before), first)


def test_the_screenshot_is_a_picture_with_its_legend(seen):
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="screenshot").click()
    image = np.array(Image.open(Path(download.value.path())).convert("RGB")).astype(int)
    shown = seen.settled()
    assert download.value.suggested_filename == "marrowsim-40.png"
    assert image.shape[0] == shown.shape[0]
    assert image.shape[1] > shown.shape[1] + 300
    legend = image[:, shown.shape[1] :]
    assert near(legend, palette.TISSUES[BONE].colour, 3) > 50


def test_a_new_frame_appears_by_itself(seen, folder):
    before = seen.source
    waiting = next(folder.glob("*.vtkhdf"))
    waiting.rename(folder / "frames" / waiting.name)
    seen.settled(before)
    assert seen.page.inner_text(".time") == "0 d 6 h"
    assert seen.page.get_attribute("[data-name=at]", "max") == "3"
