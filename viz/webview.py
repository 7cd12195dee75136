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

# Seconds without a move after which the mouse counts as resting.
REST = 0.25

# Degrees of a turn for a move by the view's height, and how much nearer one notch of the wheel comes.
DEGREES = 240.0
ZOOM = 1.12


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
    """

    def __init__(self, viewer: Viewer):
        from trame.app import get_server  # noqa: PLC0415

        self.viewer = viewer
        self._wanted: int | None = None
        self._tasks: set[asyncio.Task] = set()
        self._rest: asyncio.TimerHandle | None = None
        self._asked = False
        self._plays = 0
        self._busy = asyncio.Lock()
        with _no_arguments():
            self.server = get_server(f"marrowsim-{id(self)}", client_type="vue3")
        self.state = self.server.state
        self.state.trame__title = f"marrowsim: {viewer.title}"
        self.state.update(self._everything())
        self.state.update({"at": viewer.index, "playing": False, "picked": [], "message": ""})
        self.state.update({"pressed": [0, 0], "held": [0, 0], "picture": ""})
        build(self)
        self.state.change("at")(self._slider)
        self.state.change("view_size")(self._resized)

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
            "notes": viewer.stage.notes,
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
        """A new picture as soon as the loop is free: one for all changes till then."""
        if not self._asked:
            self._asked = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._asked = False
        self.viewer.stage.plotter.renderer.ResetCameraClippingRange()
        with self.state:
            self.state.ruler = self.viewer.ruler()
            self.state.picture = self.viewer.jpeg()

    def turn(self, x: float, y: float, pan: bool) -> None:
        """Follow the mouse, which has moved by parts of the view's height: turn the eye, or shift what is seen."""
        plotter = self.viewer.stage.plotter
        if pan:
            right, up = self.viewer.directions()
            away = (up * y - right * x) * 2 * plotter.camera.parallel_scale
            plotter.camera.SetFocalPoint(plotter.camera.focal_point + away)
            plotter.camera.SetPosition(plotter.camera.position + away)
        else:
            plotter.camera.Azimuth(-DEGREES * x)
            plotter.camera.Elevation(DEGREES * y)
            plotter.camera.OrthogonalizeViewUp()
        self._moved()

    def zoom(self, notches: float) -> None:
        """Come nearer (below 0) or go farther."""
        self.viewer.stage.plotter.camera.Zoom(ZOOM**-notches)
        self._moved()

    def _moved(self) -> None:
        """A picture now; cells, far wall and the order of triangles follow when the mouse rests."""
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(REST, self._turned)
        self._draw()

    def _turned(self) -> None:
        self._rest = None
        self.viewer.stage.turned()
        with self.state:
            self.state.notes = self.viewer.stage.notes
        self._draw()

    def _resized(self, view_size, **_) -> None:
        """The view has another size."""
        size = view_size and [int(view_size["size"][edge]) for edge in ("width", "height")]
        if size and min(size) > 0 and size != list(self.viewer.stage.plotter.window_size):
            self.viewer.stage.plotter.window_size = size
            self.camera(None)

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
        """Cut away what lies beyond a place (um) of an axis, or outside a slab; in the middle where the axis is new."""
        if axis != self.viewer.clip[0]:
            place = self.viewer.extent(axis) / 2
        self._change(clip=self.viewer.cut(axis, place))

    def camera(self, name: str | None) -> None:
        """Look from a preset, or from where the scene has its camera."""
        self.viewer.look(name)
        self._draw()

    async def play(self) -> None:
        """From the present frame (or the first, from the last one) to the end, as fast as pictures come."""
        self._plays += 1
        own = self._plays
        with self.state:
            self.state.playing = not self.state.playing
        if self.state.playing and self.viewer.index == len(self.viewer.timeline) - 1:
            await self._go_to(0)
        while self.state.playing and own == self._plays and self.state.at < len(self.viewer.timeline) - 1:
            await asyncio.gather(self._go_to(int(self.state.at) + 1), asyncio.sleep(PLAY_EVERY))
        if own == self._plays:
            with self.state:
                self.state.playing = False

    async def _go_to(self, index: int) -> None:
        """Put the slider on a frame, and wait until it is shown."""
        with self.state:
            self.state.at = self._wanted = index
        await self._catch_up()

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
        for name, act in (("pick", self._pick), ("turn", self.turn), ("zoom", self.zoom)):
            self.server.trigger(name)(act)
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
