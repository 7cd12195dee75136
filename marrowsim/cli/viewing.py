"""`view`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from marrowsim.cli.console import messages, output, short
from marrowsim.errors import Fault, RenderError
from marrowsim.storage import open_run

REMEDY = "pip install 'marrowsim[web]'"


def view_run(
    path: Path,
    step: int | None,
    scene: dict[str, str | None],
    *,
    port: int | None,
    browser: bool,
    window: bool,
) -> None:
    """Show a run in a browser (or in a window of the desktop) until it is interrupted (or closed)."""
    run = open_run(path)
    frames = run.frames
    index = None if step is None else frames.steps.index(frames.at(step).step)
    from marrowsim.cli.rendering import scene_of  # noqa: PLC0415
    from marrowsim.viz import opengl  # noqa: PLC0415

    described = scene_of(scene)
    if window:
        from marrowsim.viz.window import open_window  # noqa: PLC0415

        open_window(run, described, index)
        return
    require_trame()
    from marrowsim.viz import access  # noqa: PLC0415
    from marrowsim.viz.viewer import Viewer  # noqa: PLC0415
    from marrowsim.viz.webview import WebView  # noqa: PLC0415

    port = access.free_port(port)
    if not opengl.rendering_available():
        raise RenderError(Fault("there is no OpenGL here to draw with", given="none", remedy=opengl.REMEDY))
    viewer = Viewer(run, described, index=index)
    key = access.new_key()
    url = access.address(port, key)

    def ready() -> None:
        output().print(url, soft_wrap=True)
        messages().print(
            f"{short(path)}; Ctrl-C ends it.\n"
            f"From another machine: {access.tunnel(port)}\nand then open the address above there."
        )
        if browser:
            webbrowser.open(url)

    WebView(viewer).serve(key, port, ready)


def require_trame() -> None:
    """Say what is missing where the packages of the page are not installed.

    Raises
    ------
    RenderError
    """
    try:
        import trame.app  # noqa: F401, PLC0415
    except ImportError as error:
        raise RenderError(Fault("the page needs trame", given=str(error), remedy=REMEDY)) from error
