"""`view`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from marrowsim.cli.console import messages, output, short
from marrowsim.errors import Fault, RenderError, nearest
from marrowsim.extras import load
from marrowsim.storage import open_run
from marrowsim.storage.frames import read_frame
from marrowsim.storage.runs import Run

if TYPE_CHECKING:
    from marrowsim.viz.description import Scene
    from marrowsim.viz.pageserver import PageServer
    from marrowsim.viz.webview import WebView


def view_run(
    path: Path,
    step: int | None,
    scene: dict[str, str | None],
    *,
    port: int | None,
    browser: bool,
    window: bool,
    rendering: str,
) -> None:
    """Show a run in a browser (or in a window of the desktop) until it is interrupted (or closed)."""
    run = open_run(path)
    frames = run.frames
    index = None if step is None else frames.steps.index(frames.at(step).step)
    from marrowsim.cli.rendering import scene_of  # noqa: PLC0415
    from marrowsim.viz.rendering import WAYS  # noqa: PLC0415

    described = scene_of(scene)
    if rendering not in WAYS:
        remedy = nearest(rendering, WAYS) or "choose one of these"
        raise RenderError(Fault("nobody draws like that", ", ".join(WAYS), rendering, remedy, "--rendering"))
    if window:
        if rendering != "auto":
            remedy = "leave out --window or --rendering"
            raise RenderError(Fault("a window draws itself", given=f"--rendering {rendering}", remedy=remedy))
        from marrowsim.viz.window import open_window  # noqa: PLC0415

        open_window(run, described, index)
        return
    load("aiohttp", "web")
    from marrowsim.viz import access  # noqa: PLC0415

    port = access.free_port(port)
    way, reason = _drawn_by(run, described, rendering)
    page = _drawing_page(run, described, index) if way == "browser" else _page_of_pictures(run, described, index)
    key = access.new_key()
    url = access.address(port, key)

    def ready() -> None:
        output().print(url, soft_wrap=True)
        messages().print(
            f"{short(path)}; drawn by the {way} ({reason}); Ctrl-C ends it.\n"
            f"From another machine: {access.tunnel(port)}\nand then open the address above there."
        )
        if browser:
            webbrowser.open(url)

    page.serve(key, port, ready)


def _drawn_by(run: Run, scene: Scene, rendering: str) -> tuple[str, str]:
    """Who draws, and why, from the last frame."""
    from marrowsim.viz import opengl  # noqa: PLC0415
    from marrowsim.viz.pageserver import unfit  # noqa: PLC0415
    from marrowsim.viz.rendering import chosen  # noqa: PLC0415

    last = read_frame(run.frames.paths_of()[-1], fields=())
    placed = int(last.cells["x"].notna().sum())
    # The browser needs no OpenGL of this machine, so that it is not looked for where the browser is asked for.
    there = rendering != "browser" and opengl.rendering_available()
    return chosen(rendering, last.tissue.size, placed, unfit(scene), there)


def _drawing_page(run: Run, scene: Scene, index: int | None) -> PageServer:
    load("plotly", "web")
    from marrowsim.viz.pageserver import PageServer  # noqa: PLC0415

    return PageServer(run, scene, index)


def _page_of_pictures(run: Run, scene: Scene, index: int | None) -> WebView:
    load("trame", "web")
    from marrowsim.viz.viewer import Viewer  # noqa: PLC0415
    from marrowsim.viz.webview import WebView  # noqa: PLC0415

    return WebView(Viewer(run, scene, index=index))
