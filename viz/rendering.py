"""Who draws the page of `view`: the browser itself, or the server that sends it pictures."""

from __future__ import annotations

from marrowsim.errors import Fault, RenderError
from marrowsim.viz.opengl import REMEDY

WAYS = ("auto", "browser", "server")

# Up to which size of a frame the browser draws where nobody has chosen (docs/VIEWING.md has the times): 64^3 voxels.
MOST_VOXELS = 262_144
MOST_CELLS = 30_000


def chosen(wanted: str, voxels: int, cells: int, unfit: list[Fault], opengl: bool) -> tuple[str, str]:
    """Who draws, "browser" or "server", and why.

    Parameters
    ----------
    wanted : one of `WAYS`.
    voxels, cells : of a frame.
    unfit : what of the scene the browser cannot draw (`pageserver.unfit`).
    opengl : whether the server can draw.

    Raises
    ------
    RenderError : where nobody can draw the scene as asked.
    """
    if wanted == "browser":
        if unfit:
            raise RenderError(*unfit)
        return wanted, "as asked"
    missing = Fault("there is no OpenGL here to draw with", given="none", remedy=REMEDY)
    if wanted == "server":
        if not opengl:
            raise RenderError(missing)
        return wanted, "as asked"
    size, limit = f"{voxels:,} voxels and {cells:,} cells", f"{MOST_VOXELS:,} and {MOST_CELLS:,}"
    small = voxels <= MOST_VOXELS and cells <= MOST_CELLS
    if not opengl:
        if unfit:
            raise RenderError(missing, *unfit)
        if not small:
            what = "the browser draws a frame of this size slowly, and only when asked to"
            raise RenderError(missing, Fault(what, f"at most {limit}", size, "--rendering browser", "--rendering"))
        return "browser", f"{size}; there is no OpenGL here"
    if unfit:
        return "server", unfit[0].what
    if small:
        return "browser", f"{size}, at most {limit}"
    return "server", f"{size}, more than {limit}"
