"""The page of a run, served to one's own browser by trame: what it shows and what its controls do."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

from marrowsim.errors import MarrowsimError
from marrowsim.viz import access
from marrowsim.viz.figure import time_stamp
from marrowsim.viz.viewer import Viewer
from marrowsim.viz.weblayout import build

log = logging.getLogger("marrowsim.viz")

# Seconds between two looks for new frames, and between two frames while playing (at least).
LOOK_EVERY = 2.0
PLAY_EVERY = 0.25

# Seconds without a move after which the mouse counts as resting, and between two looks for an encoded picture.
REST = 0.2
ENCODED_EVERY = 0.03


@contextmanager
def _no_arguments() -> Iterator[None]:
    """Hide the command line, which trame would read as its own."""
    kept, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = kept


class WebView:
    """The page of one viewer.

    Parameters
    ----------
    viewer : what is seen; the page is its only user.
    in_browser : whether the browser draws the scene itself; else it gets pictures.
    able : whether this machine can render, as the screenshot has to.
    """

    def __init__(self, viewer: Viewer, *, in_browser: bool, able: bool = True):
        from trame.app import get_server  # noqa: PLC0415

        self.viewer = viewer
        self.in_browser = in_browser
        self._wanted: int | None = None
        self._tasks: set[asyncio.Task] = set()
        self._eye = self._seen_from()
        self._rest: asyncio.TimerHandle | None = None
        self._busy = asyncio.Lock()
        with _no_arguments():
            self.server = get_server(f"marrowsim-{id(self)}", client_type="vue3")
        self.state = self.server.state
        self.state.trame__title = f"marrowsim: {viewer.title}"
        self.state.update(self._everything())
        self.state.update({"at": viewer.index, "playing": False, "picked": [], "message": ""})
        self.state.update({"pressed": [0, 0], "able": able})
        self.view = build(self)
        self.state.change("at")(self._slider)
        if in_browser:
            self.state.change("view_size")(self._resized)
        viewer.on_render(self._rendered)

    # What the page shows

    def _everything(self) -> dict:
        """All of the page's variables that follow the viewer."""
        return self._of_frame() | self._of_scene() | self._of_run() | {"ruler": self.viewer.ruler()}

    def _of_frame(self) -> dict:
        viewer = self.viewer
        return {
            "time": time_stamp(viewer.frame.time),
            "step": viewer.frame.step,
            "mark": 100 * viewer.sheet.share(viewer.frame.time),
            "legend": viewer.legend(),
        }

    def _of_scene(self) -> dict:
        viewer = self.viewer
        axis, place = viewer.clip
        return {
            "bar": viewer.bar(),
            "fields": viewer.fields(),
            "field": viewer.stage.scene.field or "",
            "field_as": viewer.stage.scene.field_as,
            "clip_axis": axis,
            "clip_at": place,
            "clip_most": viewer.extent(axis),
            "clip_step": viewer.frame.spacing,
        }

    def _of_run(self) -> dict:
        viewer = self.viewer
        return {
            "title": viewer.title,
            "last": len(viewer.timeline) - 1,
            "running": viewer.timeline.run.running,
            "curves": viewer.sheet.svg,
            "panels": [[100 * part for part in panel] for panel in viewer.sheet.panels],
        }

    def _draw(self) -> None:
        """A new picture, or new geometry, for the browser."""
        self.viewer.stage.plotter.renderer.ResetCameraClippingRange()
        self.view.update()

    def _seen_from(self) -> tuple:
        """What the size of cells, the far wall and the order of triangles depend on."""
        stage = self.viewer.stage
        return (*stage.plotter.window_size, stage.um_per_pixel, *stage.towards.round(6))

    def _rendered(self) -> None:
        """After every picture that the server makes: the scale bar; and, when the mouse rests, what follows the eye."""
        ruler = self.viewer.ruler()
        if ruler != self.state.ruler:
            with self.state:
                self.state.ruler = ruler
        if not self.in_browser and self._seen_from() != self._eye:
            self._eye = self._seen_from()
            if self._rest is not None:
                self._rest.cancel()
            self._rest = asyncio.get_running_loop().call_later(REST, self._turned)

    def _turned(self) -> None:
        """The camera rests somewhere else, or the view has another size."""
        self._rest = None
        self.viewer.stage.turned()
        self._draw()

    def follow_camera(self, position, focus, up, scale) -> None:
        """Put the server's camera where the browser's is: for picking, screenshots, the scale bar and the far wall."""
        camera = self.viewer.stage.plotter.camera
        camera.SetPosition(position)
        camera.SetFocalPoint(focus)
        camera.SetViewUp(up)
        camera.SetParallelScale(scale)
        self.viewer.stage.turned()
        self.state.ruler = self.viewer.ruler()
        self.view.update()

    def _resized(self, view_size, **_) -> None:
        """The browser's view has another size, and the browser draws."""
        size = view_size and [int(view_size["size"][edge]) for edge in ("width", "height")]
        if size and min(size) > 0 and size != list(self.viewer.stage.plotter.window_size):
            self.viewer.stage.plotter.window_size = size
            self.camera(None)
            self.state.ruler = self.viewer.ruler()

    # What the user does

    def _slider(self, at, **_) -> None:
        self._wanted = int(at)
        self._later(self._catch_up())

    def _later(self, work: Coroutine) -> None:
        """Do something beside all else; kept by name, because the event loop itself does not keep it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _catch_up(self) -> None:
        """Show the frame that is wanted; places that the slider has left meanwhile are passed over."""
        async with self._busy:
            while self._wanted is not None and self._wanted != self.viewer.index:
                wanted = self._wanted
                try:
                    await asyncio.to_thread(self.viewer.timeline.frame, wanted)
                    self.viewer.show(wanted)
                except MarrowsimError as error:
                    self._say(error)
                    self._wanted = None
                    break
                with self.state:
                    self.state.update(self._of_frame() | {"bar": self.viewer.bar(), "message": ""})
                    self.state.picked = self.viewer.picked()
                self._draw()
                await asyncio.sleep(0)
        self._later(asyncio.to_thread(self.viewer.read_ahead))

    def _say(self, error: MarrowsimError) -> None:
        with self.state:
            self.state.message = str(error)

    def _change(self, **parts) -> None:
        """Another description of the scene; where it cannot be drawn, the page says why and stays as it was."""
        try:
            self.viewer.change(**parts)
        except MarrowsimError as error:
            self._say(error)
            self.state.update(self._of_scene())
            return
        self._changed()

    def _changed(self) -> None:
        self.state.update(self._of_frame() | self._of_scene() | {"message": ""})
        self._draw()

    def layer(self, name: str, on: bool) -> None:
        """Switch a layer on or off."""
        self.viewer.switch(name, on)
        self._changed()

    def field(self, name: str, way: str) -> None:
        """Draw another field, or draw it in another way (`description.FIELD_WAYS`)."""
        self._change(field=name or None, field_as=way)

    def clip(self, axis: str, place: float) -> None:
        """Cut away what lies beyond a place (um) of an axis; in the middle where the axis is new."""
        if axis != self.viewer.clip[0]:
            place = self.viewer.extent(axis) / 2
        self._change(clip=(axis, float(place)) if axis else None)

    def camera(self, name: str | None) -> None:
        """Look from a preset, or from where the scene has its camera."""
        self.viewer.look(name)
        self._draw()
        if self.in_browser:
            self.view.push_camera()

    async def play(self) -> None:
        """From the present frame (or the first, from the last one) to the end, as fast as pictures come."""
        with self.state:
            self.state.playing = not self.state.playing
        if self.state.playing and self.viewer.index == len(self.viewer.timeline) - 1:
            with self.state:
                self.state.at = 0
        while self.state.playing and self.state.at < len(self.viewer.timeline) - 1:
            await asyncio.gather(self._catch_up(), asyncio.sleep(PLAY_EVERY))
            if self.state.playing:
                with self.state:
                    self.state.at = int(self.state.at) + 1
        with self.state:
            self.state.playing = False

    def _pick(self, x: float, y: float) -> None:
        """What stands under a place of the view, as shares of its width and height from the upper left corner."""
        self.viewer.pick(x, y)
        self.state.picked = self.viewer.picked()

    def _screenshot(self):
        """The view as PNG, as it is seen, with its scale bar, time and legend."""
        return self.server.protocol.addAttachment(self.viewer.png())

    # Serving, and a run that goes on

    def serve(self, key: str, port: int, ready: Callable[[], None]) -> None:
        """Serve the page to this machine until it is interrupted.

        Parameters
        ----------
        key : without it every request is refused.
        port : a free port of this machine.
        ready : called when the page can be opened.
        """
        os.environ["WSLINK_READY_MSG"] = ""
        self.server.trigger("pick")(self._pick)
        self.server.trigger("screenshot")(self._screenshot)
        self.server.controller.on_server_bind.add(lambda web: web.app.middlewares.append(access.guard(key)))
        self.server.controller.on_server_ready.add(lambda **_: self._begin(ready))
        self.server.cli.set_defaults(authKey=key, host=access.HOST)
        with _no_arguments():
            self.server.start(
                port=port,
                host=access.HOST,
                open_browser=False,
                show_connection_info=False,
                disable_logging=True,
                timeout=0,
            )

    def _begin(self, ready: Callable[[], None]) -> None:
        for protocol in self.server.protocol.getLinkProtocols():
            if hasattr(protocol, "delta_stale_time_before_render"):
                protocol.delta_stale_time_before_render = ENCODED_EVERY
        self._later(self._watch())
        ready()

    async def _watch(self) -> None:
        """Look for new frames and readouts; who looks at the last frame sees the new last one."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            at_end = self.viewer.index == len(self.viewer.timeline) - 1
            try:
                fresh = self.viewer.refresh()
            except MarrowsimError as error:
                log.debug("looking for new frames: %s", error)
                continue
            running = self.viewer.timeline.run.running
            if fresh or running != self.state.running:
                with self.state:
                    self.state.update(self._of_run() | self._of_frame())
                    if fresh and at_end:
                        self.state.at = len(self.viewer.timeline) - 1
