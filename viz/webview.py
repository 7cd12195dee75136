"""The page of a run: timeline, layers, field, clipping plane, picking and curves, served to one's own browser (trame)."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from marrowsim.errors import Fault, MarrowsimError, RenderError
from marrowsim.viz import access
from marrowsim.viz.cameras import CAMERAS
from marrowsim.viz.description import FIELD_WAYS
from marrowsim.viz.figure import time_stamp
from marrowsim.viz.viewer import Viewer
from marrowsim.viz.webstyle import STYLE

log = logging.getLogger("marrowsim.viz")

REMEDY = "pip install 'marrowsim[web]'"

# Seconds between two looks for new frames, and between two frames while playing (at least).
LOOK_EVERY = 2.0
PLAY_EVERY = 0.25

# Quality (JPEG, %) of pictures from the server, at rest and while the mouse turns them.
QUALITY = {"still_quality": 92, "interactive_quality": 60, "interactive_ratio": 1, "still_ratio": 1}

# What the browser tells of its own camera, where it draws the scene itself.
CAMERA = "$event.pokedRenderer.getActiveCamera()"
CAMERA = f"[{CAMERA}.getPosition(), {CAMERA}.getFocalPoint(), {CAMERA}.getViewUp(), {CAMERA}.getParallelScale()]"

# A press of the mouse that does not turn the view, and where in the view it was (shares from the upper left corner).
PRESS = "pressed = [$event.clientX, $event.clientY]"
CLICK = (
    "Math.abs($event.clientX - pressed[0]) + Math.abs($event.clientY - pressed[1]) < 5 && trigger('pick', "
    "[($event.clientX - $event.currentTarget.getBoundingClientRect().left) / $event.currentTarget.clientWidth, "
    "($event.clientY - $event.currentTarget.getBoundingClientRect().top) / $event.currentTarget.clientHeight])"
)


def require_trame() -> None:
    """Say what is missing where the packages of the page are not installed.

    Raises
    ------
    RenderError
    """
    try:
        import trame_vtk  # noqa: F401, PLC0415
        from trame.app import get_server  # noqa: F401, PLC0415
    except ImportError as error:
        raise RenderError(Fault("the page needs trame", given=str(error), remedy=REMEDY)) from error


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
    """

    def __init__(self, viewer: Viewer, *, in_browser: bool):
        from trame.app import get_server  # noqa: PLC0415

        self.viewer = viewer
        self.in_browser = in_browser
        self._wanted: int | None = None
        self._size = tuple(viewer.stage.plotter.window_size)
        self._scale = viewer.stage.um_per_pixel
        self._busy = asyncio.Lock()
        with _no_arguments():
            self.server = get_server(f"marrowsim-{id(self)}", client_type="vue3")
        self.state = self.server.state
        self.state.trame__title = f"marrowsim: {viewer.title}"
        self.state.update(self._everything())
        self.state.update({"at": viewer.index, "playing": False, "picked": [], "message": "", "pressed": [0, 0]})
        self._build()
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

    def _rendered(self) -> None:
        """After every picture that the server makes: the scale bar, and what depends on the size of the view."""
        stage = self.viewer.stage
        ruler, size = self.viewer.ruler(), tuple(stage.plotter.window_size)
        if ruler != self.state.ruler:
            with self.state:
                self.state.ruler = ruler
        if size != self._size or stage.um_per_pixel != self._scale:
            self._size, self._scale = size, stage.um_per_pixel
            asyncio.get_running_loop().call_soon(self._turned)

    def _turned(self) -> None:
        """The camera rests somewhere else, or the view has another size."""
        self.viewer.stage.turned()
        self._draw()

    def _follow_camera(self, position, focus, up, scale) -> None:
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
            self._camera(None)
            self.state.ruler = self.viewer.ruler()

    # What the user does

    def _slider(self, at, **_) -> None:
        self._wanted = int(at)
        asyncio.create_task(self._catch_up())

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
        asyncio.create_task(asyncio.to_thread(self.viewer.read_ahead))

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

    def _layer(self, name: str, on: bool) -> None:
        self.viewer.switch(name, on)
        self._changed()

    def _field(self, name: str, way: str) -> None:
        self._change(field=name or None, field_as=way)

    def _clip(self, axis: str, place: float) -> None:
        if axis != self.viewer.clip[0]:
            place = self.viewer.extent(axis) / 2
        self._change(clip=(axis, float(place)) if axis else None)

    def _camera(self, name: str | None) -> None:
        self.viewer.look(name)
        self._draw()
        if self.in_browser:
            self.view.push_camera()

    async def _play(self) -> None:
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
        self._watcher = asyncio.get_running_loop().create_task(self._watch())
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

    # The page

    def _build(self) -> None:
        from trame.ui.html import DivLayout  # noqa: PLC0415
        from trame.widgets import client, html  # noqa: PLC0415

        with DivLayout(self.server, classes="page") as layout:
            client.Style(STYLE)
            with html.Div(classes="left"):
                html.H1("{{ title }}")
                self._legend(html)
                self._choices(html)
            with html.Div(classes="middle"):
                self._canvas(client, html)
                html.Div("{{ message }}", classes="message", v_if=("message",))
                self._foot(html)
            with html.Div(classes="right"):
                self._panel(html)
        self.layout = layout

    def _canvas(self, client, html) -> None:
        from trame.widgets import vtk  # noqa: PLC0415

        window = self.viewer.stage.plotter.render_window
        with html.Div(classes="canvas", raw_attrs=[f'@pointerdown.capture="{PRESS}"', f'@click.capture="{CLICK}"']):
            if self.in_browser:
                client.SizeObserver("view_size")
                self.view = vtk.VtkLocalView(
                    window,
                    ref="scene",
                    interactor_events=("moves", ["EndAnimation"]),
                    EndAnimation=(self._follow_camera, CAMERA),
                )
            else:
                self.view = vtk.VtkRemoteView(window, ref="scene", **QUALITY)
            html.Div("{{ ruler.label }}", classes="ruler", style=("{width: ruler.share + 'cqh'}",))
            html.Div("{{ time }}", classes="stamp")

    def _ways(self) -> list[str]:
        """How a field can be drawn: the browser's own drawing has no volumes."""
        return [way for way in FIELD_WAYS if not (self.in_browser and way == "volume")]

    def _legend(self, html) -> None:
        with html.Div(classes="legend"), html.Div(v_for="(row, n) in legend", key=("n",)):
            html.Div("{{ row.label }}", classes="heading", v_if=("!row.marker && !row.count",))
            with html.Label(v_else=True, classes=("'row' + (row.on ? '' : ' off')",)):
                html.Input(
                    type="checkbox",
                    v_if=("row.layer",),
                    checked=("row.on",),
                    change=(self._layer, "[row.layer, $event.target.checked]"),
                    raw_attrs=[':data-layer="row.layer"'],
                )
                html.Span(v_else=True, classes="blank")
                html.Span(classes=("'mark m' + ({'o':'o','s':'s','-':'t','cage':'c'}[row.marker] || 'n')",),
                          style=("{'--colour': row.colour}",))
                html.Span("{{ row.label.trim() }}", classes="name")
                html.Span("{{ row.count }}", classes="count")

    def _choices(self, html) -> None:
        with html.Div(classes="choices"):
            html.Div("FIELD", classes="heading")
            with html.Div(classes="pair"):
                with html.Select(
                    v_model=("field",), change=(self._field, "[field, field_as]"), raw_attrs=['data-name="field"']
                ):
                    html.Option("{{ f.label }}", v_for="f in fields", key=("f.name",), value=("f.name",))
                with html.Select(
                    v_model=("field_as",), change=(self._field, "[field, field_as]"), raw_attrs=['data-name="way"']
                ):
                    for way in self._ways():
                        html.Option(way, value=way)
            with html.Div(v_if=("bar.title",), classes="bar"):
                html.Div("{{ bar.title }}")
                html.Div(classes="colours", style=("{background: bar.css}",))
                html.Div("<span>{{ bar.low }}</span><span>{{ bar.high }}</span>", classes="ends")
            html.Div("CUT", classes="heading")
            with html.Div(classes="pair"):
                with html.Select(
                    v_model=("clip_axis",), change=(self._clip, "[clip_axis, clip_at]"), raw_attrs=['data-name="clip"']
                ):
                    html.Option("nothing cut away", value="")
                    for axis in "xyz":
                        html.Option(f"beyond {axis} =", value=axis)
                        html.Option(f"before {axis} =", value=f"-{axis}")
                html.Span("{{ Math.round(clip_at) }} µm", v_if=("clip_axis",))
            html.Input(
                type="range",
                v_if=("clip_axis",),
                min=("clip_step",),
                max=("clip_most - clip_step",),
                step=("clip_step",),
                value=("clip_at",),
                change=(self._clip, "[clip_axis, Number($event.target.value)]"),
                input="clip_at = Number($event.target.value)",
                raw_attrs=['data-name="clip-at"'],
            )
            html.Div("VIEW", classes="heading")
            with html.Div(classes="buttons"):
                for name in CAMERAS:
                    html.Button(name, click=(self._camera, f"['{name}']"))
                html.Button(
                    "screenshot",
                    click="utils.download('marrowsim-' + step + '.png', trigger('screenshot'), 'image/png')",
                )

    def _foot(self, html) -> None:
        with html.Div(classes="foot"):
            html.Button("{{ playing ? 'pause' : 'play' }}", click=self._play, raw_attrs=['data-name="play"'])
            html.Input(
                type="range", min=0, max=("last",), step=1, raw_attrs=['v-model.number="at"', 'data-name="at"']
            )
            html.Span("{{ time }}", classes="time")
            html.Span("running", classes="running", v_if=("running",), title="new frames appear by themselves")

    def _panel(self, html) -> None:
        html.Div("PICKED", classes="heading")
        with html.Table(v_if=("picked.length",), classes="picked"), html.Tr(v_for="row in picked", key=("row.name",)):
            html.Td("{{ row.name }}")
            html.Td("{{ row.value }}")
        html.Div("Click a cell, bone, a vessel or a slice to see its values.", v_else=True, classes="hint")
        html.Div("READOUTS", classes="heading", v_if=("curves",))
        with html.Div(classes="curves", v_if=("curves",)):
            html.Img(src=("curves",))
            html.Div(
                v_for="(p, n) in panels",
                key=("n",),
                classes="now",
                style=("{left: p[0] + p[2] * mark / 100 + '%', top: p[1] + '%', height: p[3] + '%'}",),
            )
