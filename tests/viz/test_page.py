"""The single-file page: read from the disk by a real browser without a network, and compared with the frames."""

import json

import numpy as np
import pytest

import marrowsim as ms
from marrowsim.errors import ExportError, RenderError
from marrowsim.export import export
from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder
from marrowsim.viz import figure, layers, meshes, page, page_data, page_model, palette

pytest.importorskip("plotly")

TITLE = "A <b>tumour</b> & bone </script>"
OVERRIDES = {
    "title": TITLE,
    "geometry.size": ["240 um", "200 um", "220 um"],
    "time.duration": "6 d",
    "output.frames_every": "2 d",
    "output.readouts_every": "1 d",
}
TRACE = "key => document.getElementById('view').data.find(trace => trace.meta === key)"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small osteolysis with everything in it, finished."""
    path = tmp_path_factory.mktemp("page") / "run"
    simulation = Simulation.from_scenario("osteolysis", seed=1, threads=1, overrides=OVERRIDES)
    with RunFolder.create(path, simulation) as folder:
        simulation.run(recorders=[folder])
    found = ms.open_run(path)
    assert found.frames[-1].bone_change.any() and len(found.frames) == 4
    return found


@pytest.fixture(scope="module")
def frames(run):
    return list(run.frames)


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    return export(run, tmp_path_factory.mktemp("pages") / "run.html")[0]


class Reader:
    """A page in the browser, and what it asked for and said."""

    def __init__(self, browser, file):
        self.tab = browser.new_page(viewport={"width": 1200, "height": 800})
        self.requests, self.errors = [], []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", lambda text: self.errors.append(text.text) if text.type == "error" else None)
        self.tab.goto(file.as_uri())
        self.tab.wait_for_selector("#view[data-drawn]", timeout=30_000)
        self.first_part = self.part()

    def after(self, act):
        """Do something that draws anew, and wait until it is drawn."""
        before = self.tab.get_attribute("#view", "data-drawn")
        act()
        self.tab.wait_for_selector(f"#view[data-drawn]:not([data-drawn='{before}'])", timeout=30_000)

    def frame(self, index):
        self.after(lambda: self.tab.locator("#frame").fill(str(index)))

    def switch(self, layer):
        self.after(lambda: self.tab.locator(f"tr[data-layer='{layer}'] input").click())

    def reset(self):
        """Set every control back."""
        switched = "boxes => boxes.flatMap((box, index) => (box.checked === box.defaultChecked ? [] : [index]))"
        for index in self.tab.locator("#legend input").evaluate_all(switched):
            self.after(self.tab.locator("#legend input").nth(index).click)
        for name in ("field", "field-as"):
            wanted = self.tab.locator(f"#{name}").evaluate("e => [...e.options].find(o => o.defaultSelected)?.value")
            if self.tab.input_value(f"#{name}") != (wanted or "wall"):
                self.after(lambda name=name, value=wanted or "wall": self.tab.locator(f"#{name}").select_option(value))
        if self.part() != self.first_part:
            self.after(lambda: self.tab.click("#slab"))
        if self.tab.input_value("#frame") != "3":
            self.frame(3)

    def part(self):
        """The part that is drawn: axis, first voxel, thickness."""
        return [self.tab.input_value(name) for name in ("#axis", "#from", "#thick")]

    def picture(self):
        """The 3D view as it is on the screen: uint8 (height, width, 3)."""
        from io import BytesIO  # noqa: PLC0415

        from PIL import Image  # noqa: PLC0415

        self.tab.mouse.move(5, 5)
        self.tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        with Image.open(BytesIO(self.tab.locator("#view").screenshot())) as image:
            return np.asarray(image.convert("RGB")).astype(int)

    def numbers(self, layer):
        """Number in the frame and number drawn of a line of the legend."""
        return self.tab.locator(f"tr[data-layer='{layer}'] td.number").all_inner_texts()


@pytest.fixture(scope="module")
def opened(browser, file):
    return Reader(browser, file)


@pytest.fixture
def reader(opened):
    """The page, as it is when it has been opened."""
    yield opened
    opened.reset()


def centres_of(trace):
    """Middles of the solids that stand for cells, in um, (n, 3) as x, y, z in the order of the page."""
    points = np.column_stack([trace[axis] for axis in "xyz"])
    faces = np.column_stack([trace[corner] for corner in "ijk"])
    size = 12 if len(faces) % 20 == 0 and len(points) * 20 == len(faces) * 12 else 6
    return points.reshape(-1, size, 3).mean(1)


def test_nothing_is_asked_of_a_network(reader, file):
    reader.frame(0)
    reader.tab.locator("#whole").click()
    assert reader.requests == [file.as_uri()]
    assert reader.errors == []
    refused = reader.tab.evaluate("() => fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    assert reader.requests == [file.as_uri()]


def test_the_slider_changes_picture_time_and_mark_and_nothing_else(reader, frames, run):
    assert reader.tab.inner_text("h1") == TITLE
    assert reader.tab.inner_text("#time") == figure.time_stamp(frames[-1].time)
    last, legend = reader.picture(), reader.tab.locator("#legend label").all_inner_texts()
    camera = reader.tab.evaluate("() => document.getElementById('view')._fullLayout.scene.camera.eye")
    reader.frame(1)
    assert reader.tab.inner_text("#time") == figure.time_stamp(frames[1].time) == "2 d 0 h"
    early = reader.picture()
    assert (np.abs(early - last).max(2) > 30).mean() > 0.01
    assert reader.tab.locator("#legend label").all_inner_texts() == legend
    assert reader.tab.inner_text("h1") == TITLE
    marks = reader.tab.evaluate("() => document.getElementById('curves').layout.shapes.map(mark => mark.x0)")
    assert marks and set(marks) == {2.0}
    reader.frame(3)
    assert np.array_equal(reader.picture(), last)
    assert reader.tab.evaluate("() => document.getElementById('view')._fullLayout.scene.camera.eye") == camera


def test_playing_goes_through_the_frames_and_stops(reader, frames):
    reader.tab.evaluate(
        """() => {
          window.seen = [];
          const watcher = new MutationObserver(() => window.seen.push(document.getElementById("time").textContent));
          watcher.observe(document.getElementById("time"), { childList: true });
        }"""
    )
    reader.tab.click("#play")
    assert reader.tab.inner_text("#play") == "❚❚"
    reader.tab.wait_for_function("() => document.getElementById('play').textContent === '▶'", timeout=30_000)
    assert reader.tab.evaluate("() => window.seen") == [figure.time_stamp(frame.time) for frame in frames]
    assert reader.tab.inner_text("#time") == figure.time_stamp(frames[-1].time)


def test_a_layer_that_is_switched_off_is_hidden(reader):
    def tumour_pixels():
        red, green, blue = np.moveaxis(reader.picture(), 2, 0)
        return np.count_nonzero((red < 40) & (green > 60) & (green < 150) & (blue > 110))

    shown, bone = tumour_pixels(), reader.tab.evaluate(TRACE, "bone")["visible"]
    assert shown > 500
    reader.switch("tumour free")
    assert reader.tab.evaluate(TRACE, "tumour free")["visible"] is False
    assert reader.tab.evaluate(TRACE, "bone")["visible"] is bone is True
    assert tumour_pixels() < 0.02 * shown
    assert reader.numbers("tumour free")[1] == "0"
    reader.switch("tumour free")
    assert tumour_pixels() == shown


def test_the_legend_has_names_units_and_the_numbers_of_every_frame(reader, frames):
    for index, frame in enumerate(frames):
        reader.frame(index)
        counts = layers.census(frame.cells)
        for (kind, status), count in counts.items():
            if status in layers.STATUSES:
                row = reader.tab.locator(f"tr[data-layer='{kind} {status}']")
                assert row.locator("label").inner_text().strip() == palette.cell_style(kind, status).label
                assert reader.numbers(f"{kind} {status}")[0] == f"{count:,}"
        assert reader.numbers("niches")[0] == f"{len(frame.slots):,}"
        assert reader.numbers("vacant")[0] == f"{np.count_nonzero(~frame.slots['occupied']):,}"
        lost = np.count_nonzero(frame.bone_change < 0) * (frame.spacing / 1000) ** 3
        assert float(reader.numbers("bone lost")[0]) == pytest.approx(lost, rel=5e-3)
    assert reader.tab.inner_text("#colours-name") == "CXCL12 (nM), on the far wall"
    assert reader.tab.locator("tr[data-layer='bone lost'] label").inner_text().strip() == "Bone lost (mm³)"
    titles = reader.tab.evaluate("() => 'xyz'.split('').map(a => view.layout.scene[a + 'axis'].title.text)")
    assert titles == ["x (µm)", "y (µm)", "z (µm)"]
    swatch = reader.tab.locator("tr[data-layer='tumour free'] .swatch").evaluate("e => e.style.background")
    assert swatch == "rgb(0, 114, 178)"
    foot = reader.tab.inner_text("footer")
    assert f"marrowsim {ms.__version__}" in foot and "seed 1" in foot and "0.24 \N{MULTIPLICATION SIGN} 0.2" in foot


def test_cells_stand_where_they_are_in_the_frame(reader, frames):
    reader.tab.locator("#whole").click()
    for index in (0, 3):
        reader.frame(index)
        table = frames[index].cells
        for kind, status in (("tumour", "free"), ("car", "free"), ("hpc", "bound"), ("osteoclast", "free")):
            own = table[(table["type"] == kind) & (table["status"] == status)][["x", "y", "z"]].to_numpy()
            if len(own):
                found = centres_of(reader.tab.evaluate(TRACE, f"{kind} {status}"))
                assert np.allclose(found, own, atol=1e-3)
    niches = reader.tab.evaluate(TRACE, "niches")
    x = np.array([value for value in niches["x"] if value is not None]).reshape(-1, 16).mean(1)
    assert x == pytest.approx(frames[3].slots["x"].to_numpy(), abs=2.0)


def test_a_slab_holds_the_cells_inside_it_alone(reader, frames):
    frame = frames[-1]
    reader.after(lambda: reader.tab.locator("#axis").select_option("2"))
    reader.after(lambda: reader.tab.locator("#thick").fill("6"))
    reader.after(lambda: reader.tab.locator("#from").fill("9"))
    assert reader.tab.inner_text("#from-text") == "90 µm" and reader.tab.inner_text("#thick-text") == "60 µm"
    table = frame.cells[(frame.cells["type"] == "tumour") & (frame.cells["status"] == "free")]
    inside = table[(table["x"] > 90) & (table["x"] < 150)]
    assert 0 < len(inside) < len(table)
    found = centres_of(reader.tab.evaluate(TRACE, "tumour free"))
    assert np.allclose(found, inside[["x", "y", "z"]].to_numpy(), atol=1e-3)
    assert reader.numbers("tumour free") == [f"{len(table):,}", f"{len(inside):,}"]
    bone = reader.tab.evaluate(TRACE, "bone")["x"]
    assert min(bone) > 90 - 2 * frame.spacing and max(bone) < 150 + 2 * frame.spacing
    limits = reader.tab.evaluate("() => view._fullLayout.scene.xaxis.range")
    assert limits == pytest.approx([90, 150], abs=1)


def test_a_view_along_an_axis_has_whole_numbers_on_the_other_two(reader):
    labels = "() => ['x', 'y', 'z'].filter(name => view._fullLayout.scene[`${name}axis`].showticklabels)"
    for name, axes in (("top", ["x", "y"]), ("side", ["y", "z"]), ("front", ["x", "z"]), ("oblique", ["x", "y", "z"])):
        reader.after(lambda name=name: reader.tab.get_by_role("button", name=name, exact=True).click())
        assert reader.tab.evaluate(labels) == axes
        foot = (reader.picture() < 200).all(2).any(1)[-80:-3]
        assert len(axes) == 3 or (foot.any() and not foot[-4:].any()), name


def test_a_field_has_the_values_of_the_lattice(reader, frames):
    reader.tab.locator("#whole").click()
    reader.after(lambda: reader.tab.locator("#axis").select_option("1"))
    for index, name in ((3, "cxcl12"), (1, "oxygen")):
        reader.frame(index)
        if name != "cxcl12":
            reader.after(lambda name=name: reader.tab.locator("#field").select_option(name))
        trace = reader.tab.evaluate(TRACE, "field")
        wall = frames[index].fields[name][:, -1, :]
        assert np.array_equal(np.array(trace["surfacecolor"], np.float16), wall.astype(np.float16))
        x, y, z = (np.array(trace[axis]) for axis in "xyz")
        assert x[0] == pytest.approx((np.arange(24) + 0.5) * 10)
        assert z[:, 0] == pytest.approx((np.arange(22) + 0.5) * 10)
        assert np.ptp(y) == 0 and y[0, 0] == pytest.approx(200, abs=1)
    assert reader.tab.inner_text("#colours-name") == "Oxygen (mmHg), on the far wall"
    reader.after(lambda: reader.tab.locator("#field-as").select_option("isosurface"))
    surface = reader.tab.evaluate(TRACE, "field")
    assert surface["type"] == "isosurface" and surface["isomin"] == surface["isomax"]
    assert reader.tab.inner_text("#level-text") == f"{surface['isomin']:.4g} mmHg"
    assert reader.tab.inner_text("#colours-name") == f"Oxygen (mmHg), surface of {surface['isomin']:.4g} mmHg"
    reader.after(lambda: reader.tab.locator("#field").select_option(""))
    assert reader.tab.evaluate(TRACE, "field") is None


def test_pointing_at_a_cell_tells_what_it_is_and_clicking_follows_it(reader, frames):
    for layer in ("bone", "sinusoids"):
        reader.switch(layer)
    area = reader.tab.locator("#view").bounding_box()
    told = ""
    for across, down in ((a, b) for b in np.linspace(0.3, 0.7, 12) for a in np.linspace(0.35, 0.65, 12)):
        spot = area["x"] + across * area["width"], area["y"] + down * area["height"]
        reader.tab.mouse.move(*spot)
        reader.tab.wait_for_timeout(60)
        told = reader.tab.inner_text("#tip") if reader.tab.is_visible("#tip") else ""
        if "\ncell " in told:
            break
    number = int(told.split("\ncell ")[1].split(" ")[0])
    cell = frames[-1].cells.set_index("id").loc[number]
    assert told.startswith(palette.cell_style(cell["type"], cell["status"]).label)
    assert f"(type {cell['type']}, {cell['status']})" in told
    assert float(told.split("CXCR4 ")[1].split("\n")[0]) == pytest.approx(cell["cxcr4"], rel=1e-3)
    assert f"x {cell['x']:g}, y {cell['y']:g}, z {cell['z']:g} µm" in told
    site = tuple(int(cell[axis] / frames[-1].spacing) for axis in "zyx")
    value = frames[-1].fields["cxcl12"][site]
    assert float(told.split("CXCL12 ")[1].split(" nM")[0]) == pytest.approx(value, rel=2e-3)
    reader.after(lambda: reader.tab.mouse.click(*spot))
    assert f"Cell {number}:" in reader.tab.inner_text("#chosen")
    ring = reader.tab.evaluate(TRACE, "chosen")
    assert [ring[axis][0] for axis in "xyz"] == [cell[axis] for axis in "xyz"]


def test_the_curves_are_the_readouts(reader, run):
    drawn = reader.tab.evaluate("() => document.getElementById('curves').data")
    readouts = run.readouts
    assert drawn[0]["x"] == pytest.approx(readouts["time (h)"] / 24)
    resorbed = next(line for line in drawn if line["name"] == "resorbed")
    assert resorbed["y"] == pytest.approx(readouts["bone resorbed (mm3)"], rel=1e-5)


def test_a_browser_without_webgl_says_what_to_do(browser, file):
    tab = browser.new_page()
    tab.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    tab.goto(file.as_uri())
    tab.wait_for_selector("#trouble:not([hidden])")
    assert "hardware acceleration" in tab.inner_text("#trouble")
    tab.close()


def model_of(file):
    """The data of a page."""
    text = file.read_text("utf-8").split('<script type="application/json" id="model">')[1]
    return json.loads(text.split("</script>")[0])


def test_a_small_file_says_what_was_left_out(run, tmp_path):
    whole = export(run, tmp_path / "whole.html")[0]
    model = model_of(whole)
    assert [frame["step"] for frame in model["frames"]] == run.frames.steps
    assert not any("%" in note or "frames" in note for note in model["notes"])
    most = whole.stat().st_size - 200_000
    small = export(run, tmp_path / "small.html", max_size=most)[0]
    assert small.stat().st_size <= most
    notes = "; ".join(model_of(small)["notes"])
    assert "% of their triangles" in notes or "every 2nd voxel" in notes or "of 4 frames" in notes
    with pytest.raises(RenderError, match="cannot be made that small"):
        export(run, tmp_path / "tiny.html", max_size=1_000_000)
    assert not (tmp_path / "tiny.html").exists()
    with pytest.raises(ExportError, match="already"):
        export(run, small)
    with pytest.raises(ExportError, match="made to a size"):
        export(run, tmp_path / "cells.csv", max_size=most)


def test_frames_and_fields_can_be_chosen(run, tmp_path):
    model = model_of(export(run, tmp_path / "a.html", frames="0,192", fields=["oxygen"])[0])
    assert [frame["step"] for frame in model["frames"]] == [0, 192]
    assert [field["name"] for field in model["fields"]] == ["oxygen"] and model["start"]["field"] == "oxygen"
    assert model["fields"][0]["unit"] == "mmHg"


def unpacked(store, key):
    """The arrays of a store, as the page reads them."""
    import gzip  # noqa: PLC0415

    content = np.frombuffer(gzip.decompress(store.packed[key]), np.uint8)
    found, start = {}, 0
    for name, dtype, length in store.shapes[key]:
        width = np.dtype(dtype).itemsize
        planes = content[start : start + length * width].reshape(width, length)
        found[name] = np.ascontiguousarray(planes.T).view(f"<{dtype}").ravel()
        start += length * width
    if "faces" in found:
        highest, below = -1, found["faces"].astype(int)
        for corner, far in enumerate(below):
            found["faces"][corner] = highest + 1 - far
            highest = max(highest, found["faces"][corner])
    return found


def test_surfaces_are_those_of_the_stills(frame):
    store = page_data.Store()
    packer = page_data.Packer(store, page_data.DETAILS[0], ["oxygen"])
    packed = packer.pack(frame)
    kept = unpacked(store, packed["surfaces"]["bone"])
    origin, step = page_data.scale(frame)
    points = origin + step * kept["points"].reshape(3, -1).T
    mesh = meshes.surface(frame.tissue == 2, frame.spacing, layers.whole(frame))
    corners = points[kept["faces"].reshape(-1, 3)]
    assert packer.kept == packer.triangles
    assert np.allclose(corners, mesh.points[mesh.regular_faces], atol=0.51 * step + 1e-4)
    values = unpacked(store, packed["fields"]["oxygen"])["values"]
    assert np.array_equal(values, frame.fields["oxygen"].astype(np.float16).ravel())
    assert np.array_equal(unpacked(store, packed["tissue"])["tissue"], frame.tissue.ravel())


def test_what_is_thinned_keeps_the_same_cells_over_time(frame):
    store = page_data.Store()
    detail = page_data.Detail(5, 2_000, 14, 28, 100)
    packer = page_data.Packer(store, detail, ["oxygen"])
    packed = packer.pack(frame)
    assert packer.kept < packer.triangles and packer.kept <= 1.3 * detail.triangles
    cells = unpacked(store, packed["cells"])
    car = next(group for group in packed["groups"] if group["key"] == "car free")
    total = np.count_nonzero(frame.cells["type"] == "car")
    assert car["every"] == -(-total // 100) > 1
    first = sum(group["stored"] for group in packed["groups"][: packed["groups"].index(car)])
    ids = cells["id"][first : first + car["stored"]]
    assert 0 < ids.size <= 1.2 * 100 and (ids % car["every"] == 0).all()
    values = unpacked(store, packed["fields"]["oxygen"])["values"]
    assert np.array_equal(values, frame.fields["oxygen"][::2, ::2, ::2].astype(np.float16).ravel())


def test_steps_are_thinned_evenly_with_both_ends():
    assert page_model.thinned(range(0, 100, 10), 4) == [0, 30, 60, 90]
    assert page_model.thinned([0, 5], 4) == [0, 5]


def test_a_page_without_its_places_is_refused():
    with pytest.raises(KeyError, match="MODEL"):
        page.filled("<!--TITLE--><!--STYLE-->", {"TITLE": "", "MODEL": ""})
