"""Who may see a page that is served from this machine: those who hold its key, from this machine alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket

from aiohttp import web

from marrowsim.errors import Fault, RenderError

HOST = "127.0.0.1"
FIRST_PORT = 8765
PORTS_TRIED = 50

# The page's own client looks for the key of its websocket under this name in the address.
PARAMETER = "secret"

REFUSED = "This page needs its key: open the whole address that `marrowsim view` printed, with all that follows '?'.\n"


def new_key() -> str:
    """A key that cannot be guessed: 256 random bits."""
    return secrets.token_urlsafe(32)


def address(port: int, key: str) -> str:
    """Where the page is, with its key."""
    return f"http://{HOST}:{port}/index.html?{PARAMETER}={key}"


def tunnel(port: int) -> str:
    """The command by which one reaches the page from another machine."""
    return f"ssh -L {port}:{HOST}:{port} {socket.gethostname()}"


def _free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port(wanted: int | None = None) -> int:
    """The port that is wanted, or the first free one from 8765 on.

    Raises
    ------
    RenderError : where it is taken.
    """
    tried = range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if wanted is None else [wanted]
    for port in tried:
        if _free(port):
            return port
    given = f"{tried[0]} to {tried[-1]}" if wanted is None else str(wanted)
    raise RenderError(Fault("the port is in use, or not for you", given=given, remedy="choose another one: --port N"))


def guard(key: str):
    """Middleware of aiohttp that answers 403 to every request without the key, the websocket's among them.

    The key comes in the address of the page. The page's own requests for scripts bring it back as a cookie that
    neither scripts nor other sites can use.
    """
    cookie = "marrowsim-" + hashlib.sha256(key.encode()).hexdigest()[:12]

    @web.middleware
    async def guarded(request: web.Request, handler):
        in_address = request.query.get(PARAMETER)
        given = request.cookies.get(cookie, "") if in_address is None else in_address
        if not hmac.compare_digest(given.encode(), key.encode()):
            return web.Response(status=403, text=REFUSED)
        response = await handler(request)
        if in_address is not None and not response.prepared:
            response.set_cookie(cookie, key, httponly=True, samesite="Strict")
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return guarded
