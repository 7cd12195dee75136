"""A run drawn by the browser itself: the page of `export`, with each frame fetched when it is asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

import numpy as np
from aiohttp import web

from marrowsim.errors import Fault, MarrowsimError, RenderError
from marrowsim.storage import Run
from marrowsim.viz import access
from marrowsim.viz.cameras import axes_of, facing
from marrowsim.viz.description import WHOLE, Scene
from marrowsim.viz.layers import check_field, choose, field_of, present, whole
from marrowsim.viz.meshes import local_mean
from marrowsim.viz.page import assemble
from marrowsim.viz.page_data import FULL, Packer, Store, compressed, planes_of_bytes
from marrowsim.viz.page_model import (
    MOST_SAMPLES,
    USUAL_LEVEL,
    camera_of,
    common,
    curves_of,
    enlarged,
    entry,
    field_line,
    layer_lines,
    usual_slab,
)
from marrowsim.viz.parts import opened, slices_of
from marrowsim.viz.picking import describe, spoken
from marrowsim.viz.sections import lasting_limits
from marrowsim.viz.timeline import Timeline

# Bytes of arrays that are kept ready to be sent; older ones are made again when they are asked for.
KEPT = 1 << 28

# An array is named by its content, so what a browser has of it stays right.
LASTING = "private, max-age=86400, immutable"

WAYS = {"wall": "wall", "slices": "slices", "isosurface": "isosurface", "none": "wall"}


def unfit(scene: Scene) -> list[Fault]:
    """What of a scene the page cannot draw."""
    remedy, faults = "let the server draw: --rendering server", []
    if scene.field_as == "volume":
        allowed = ", ".join(WAYS)
        faults.append(Fault("the browser does not draw volumes", allowed, scene.field_as, remedy, "--as"))
    if scene.levels is not None and len(scene.levels) > 1:
        given = ", ".join(f"{level:g}" for level in scene.levels)
        faults.append(Fault("the browser draws the surface of one value", "one level", given, remedy, "--levels"))
    if scene.tracks:
        given = ", ".join(map(str, scene.tracks))
        faults.append(Fault("the browser draws no tracks", "", given, remedy, "--track"))
    return faults


class PageServer:
    """Serves the page of one run and, frame by frame, what it draws.

    Parameters
    ----------
    run : the run folder.
    scene : what is drawn at first.
    index : place of the first frame among the frames; the last one where not given.

    Raises
    ------
    RunFolderError : where the run has no frames, or one cannot be read.
    RenderError : where the scene does not fit the frame, or the page cannot draw it.
    """

    def __init__(self, run: Run, scene: Scene, index: int | None = None):
        if faults := unfit(scene):
            raise RenderError(*faults)
        self.run, self.scene = run, scene
        self.timeline = Timeline(run)
        self._lock = Lock()
        self._store = Store()
        frame = self.timeline.frame(len(self.timeline) - 1 if index is None else index)
        self._packer = Packer(self._store, FULL, ())
        self._held: list[str] = []
        self._entries: dict[int, dict] = {}
        self._fields = tuple(frame.fields)
        self.model = self._model(frame, len(self.timeline) - 1 if index is None else index)

    # What the page is told

    def _model(self, frame, index: int) -> dict:
        scene, shape = self.scene, frame.tissue.shape
        layers, _ = choose(frame, scene.layers)
        check_field(frame, scene.field)
        name = scene.field or field_of(frame, layers) or field_of(frame, choose(frame, None)[0])
        coarse = max(1, int(np.ceil(np.cbrt(frame.tissue.size / MOST_SAMPLES))))
        model = common(self.run, frame, coarse, 1)
        fields = [field_line(self.run, field, self._limits(field)) for field in frame.fields]
        level = USUAL_LEVEL
        if scene.levels is not None and name is not None:
            low, high = self._limits(name)
            level = (scene.levels[0] - low) / (high - low)
        return model | {
            "live": True,
            "running": self.run.running,
            "frames": self._frames(),
            "layers": self.entry(frame.step)["layers"],
            "fields": fields,
            "planes": {"stride": 1, "shape": list(shape)},
            "start": {
                "frame": index,
                "field": "" if name is None or scene.field_as == "none" else name,
                "fieldAs": WAYS[scene.field_as],
                "level": level,
                "slices": self._slices(frame),
            },
            "cut": self._cut(frame),
            "slab": usual_slab(frame),
            "camera": camera_of(scene.camera),
            "most": None,
            "notes": enlarged(frame),
        }

    def _limits(self, name: str) -> tuple[float, float]:
        """Ends of the colour scale of a field, for all frames."""
        if self.scene.limits is not None:
            return self.scene.limits
        ends = [self.timeline.frame(index) for index in (0, len(self.timeline) - 1)]
        return lasting_limits(ends, name)

    def _slices(self, frame) -> list[int]:
        """The layers of voxels of the three slices, along z, y and x."""
        layers = slices_of(frame, self.scene)
        return [layers[axis] for axis in range(3)]

    def _cut(self, frame) -> dict:
        """The part that is drawn: what the clipping plane leaves, across its axis."""
        scene = opened(frame, self.scene)
        box = scene.cut(whole(frame), frame.spacing)
        cut = scene.clip not in (None, WHOLE)
        axis = 2 - "xyz".index(scene.clip[0][-1]) if cut else facing(axes_of(scene.camera)[2])[0]
        return {"axis": axis, "low": box.low[axis], "high": box.high[axis]}

    def _frames(self) -> list[dict]:
        minutes = self.run.record["step_minutes"]
        return [{"step": step, "minutes": step * minutes} for step in self.timeline.steps]

    def _chosen(self, lines: list[dict]) -> list[dict]:
        """The lines of the legend, those of layers on that the scene names."""
        if self.scene.layers is None:
            return lines
        names = {"bone lost": "bone_change", "bone formed": "bone_change"}
        return [
            line | {"on": line.get("type", names.get(line["key"], line["key"])) in self.scene.layers} for line in lines
        ]

    def entry(self, step: int) -> dict:
        """What the page has to know of a frame: its time, numbers, lines of the legend, and the keys of its arrays.

        Raises
        ------
        LookupError : where there is no such frame.
        """
        frame = self._frame(step)
        with self._lock:
            self._store.forget(KEPT)
            packed = entry(frame, self._packer)
            keys = (packed["tissue"], packed["cells"], packed["slots"], *packed["surfaces"].values())
            packed["blobs"] = {key: self._store.shapes[key] for key in keys}
            packed["fields"] = dict.fromkeys(frame.fields, "")
            self._entries[step] = {name: packed[name] for name in ("counts", "groups")}
            self._held += [name for name in present(frame) if name not in self._held]
            packed["layers"] = self._chosen(layer_lines(self._held, list(self._entries.values()), frame))
        return packed

    def array(self, step: int, key: str) -> bytes:
        """Arrays of a frame, as a gzip file; made again where they have been forgotten.

        Raises
        ------
        LookupError : where the frame has no such arrays.
        """
        with self._lock:
            found = self._store.packed.get(key)
        if found is None:
            self.entry(step)
            with self._lock:
                found = self._store.packed[key]
        return found

    def plane(self, step: int, name: str, axis: int, layer: int) -> bytes:
        """One layer of voxels of a field across an axis (0 z, 1 y, 2 x), as 16-bit floats in a gzip file.

        Raises
        ------
        LookupError : where there is none.
        """
        return _halves(np.take(self._frame(step).fields[name], layer, axis=axis))

    def volume(self, step: int, name: str) -> bytes:
        """A field's local mean, whose surfaces are drawn, at every n-th voxel: 16-bit floats in a gzip file.

        Raises
        ------
        LookupError : where there is none.
        """
        every = self.model["samples"]["stride"]
        frame = self._frame(step)
        frame.fields[name]  # raises where there is none
        return _halves(local_mean(frame, name, whole(frame))[0][::every, ::every, ::every])

    def values(self, step: int, z: int, y: int, x: int) -> list[str]:
        """What a voxel holds beside its tissue, in words: the change of bone, and fields with their units.

        Raises
        ------
        LookupError : where there is no such voxel.
        """
        frame = self._frame(step)
        frame.tissue[z, y, x]  # raises where it is outside
        found = describe(frame, [(at + 0.5) * frame.spacing for at in (x, y, z)]).values
        return [f"{name} {text}" for name, text in spoken(found) if name != "tissue"]

    def news(self, known: int) -> dict:
        """Whether the run goes on; with frames and curves where there are more frames than the page knows."""
        self.timeline.refresh()
        told = {"running": self.run.running}
        if len(self.timeline) != known:
            told |= {"frames": self._frames(), "curves": curves_of(self.run.readouts)}
        return told

    def _frame(self, step: int):
        if step not in self.timeline.steps:
            raise LookupError(f"there is no frame of step {step}")
        return self.timeline.frame(self.timeline.steps.index(step))

    # Serving

    def serve(self, key: str, port: int, ready: Callable[[], None]) -> None:
        """Serve the page to this machine until it is interrupted.

        Parameters
        ----------
        key : without it every request is refused.
        port : a free port of this machine.
        ready : called when the page can be opened.
        """
        with suppress(KeyboardInterrupt):
            asyncio.run(self._serve(key, port, ready))

    async def _serve(self, key: str, port: int, ready: Callable[[], None]) -> None:
        runner = web.AppRunner(self.application(key), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, access.HOST, port).start()
            ready()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    def application(self, key: str) -> web.Application:
        """What answers the page's requests; those without the key are refused."""
        app = web.Application(middlewares=[access.guard(key)])
        routes = (
            ("/index.html", self._page, "text/html"),
            (r"/news/{known:\d+}", self.news, None),
            (r"/frames/{step:\d+}", self.entry, None),
            (r"/arrays/{step:\d+}/{key:\w+}", self.array, "application/octet-stream"),
            (r"/planes/{step:\d+}/{name}/{axis:[012]}/{layer:\d+}", self.plane, "application/octet-stream"),
            (r"/volumes/{step:\d+}/{name}", self.volume, "application/octet-stream"),
            (r"/values/{step:\d+}/{z:\d+}/{y:\d+}/{x:\d+}", self.values, None),
        )
        for path, work, kind in routes:
            app.router.add_get(path, _handler(work, kind))
        return app

    def _page(self) -> bytes:
        model = self.model | {"frames": self._frames(), "curves": curves_of(self.run.readouts)}
        return compressed(assemble(model, {}, connect="'self'"))


def _halves(values: np.ndarray) -> bytes:
    return compressed(planes_of_bytes(values.astype(np.float16)))


def _handler(work: Callable, kind: str | None):
    """Answer a request by what a method returns: a gzip file of a kind, or data as JSON."""

    async def handle(request: web.Request) -> web.Response:
        given = request.match_info.items()
        parts = {name: text if name in ("key", "name") else int(text) for name, text in given}
        try:
            found = await asyncio.to_thread(work, **parts)
        except LookupError as error:
            return web.Response(status=404, text=f"there is no such thing: {error}")
        except MarrowsimError as error:
            return web.Response(status=500, text=str(error))
        if kind is None:
            content, kind_of = compressed(json.dumps(found, separators=(",", ":")).encode()), "application/json"
        else:
            content, kind_of = found, kind
        lasting = LASTING if request.path.startswith("/arrays/") else "no-store"
        headers = {"Content-Encoding": "gzip", "Cache-Control": lasting}
        return web.Response(body=content, content_type=kind_of, charset="utf-8", headers=headers)

    return handle
