"""Vendored packages on this machine's loopback, for image builds: a package index for pip, a flat archive for apt.

Wheels over HTTP rather than copied into the build, so that the Dockerfile and its layers are the same with and without.
"""

from __future__ import annotations

import hashlib
import html
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from microstage_runner.engines.wheels import project

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["PackageServer"]

_CHUNK = 1 << 20


class PackageServer:
    """`with PackageServer(files) as address`: wheels under <address>/simple/<project>/, what apt asks for under
    <address>/apt/.

    Files are served by name, from a list fixed beforehand; no path of a request ever reaches the file system.
    """

    def __init__(self, files: Iterable[Path], near: str = "") -> None:
        pages: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        for path in files:
            if path.suffix == ".whl":
                page = f"/simple/{project(path)}/"
                pages[page] = (
                    pages.get(page, "<!DOCTYPE html>\n")
                    + f'<a href="/wheels/{quote(path.name)}">{html.escape(path.name)}</a>\n'
                )
                self._files[f"/wheels/{path.name}"] = path
            else:
                self._files[f"/apt/{path.name}"] = path
        self._server = _listen(near, _handler(pages, self._files))

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _listen(near: str, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """Listen on a port that `near` alone decides if it is free: the address is part of what an engine's build cache
    compares.
    """
    from http.server import ThreadingHTTPServer  # a fiftieth of a second, which no finished `make` should take

    wanted = 20000 + int(hashlib.sha256(near.encode()).hexdigest(), 16) % 10000
    try:
        return ThreadingHTTPServer(("127.0.0.1", wanted), handler)
    except OSError:
        return ThreadingHTTPServer(("127.0.0.1", 0), handler)


def _handler(pages: dict[str, str], files: dict[str, Path]) -> type[BaseHTTPRequestHandler]:
    """Return what answers a request: one of the `pages`, or one of the `files`, by the path in its address."""
    from http import HTTPStatus
    from http.server import BaseHTTPRequestHandler

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = unquote(self.path).replace("/./", "/")
            if name in pages:
                self._head("text/html", len(pages[name].encode()))
                self.wfile.write(pages[name].encode())
            elif name in files:
                self._send(files[name])
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _send(self, path: Path) -> None:
            with path.open("rb") as file:
                self._head("application/octet-stream", path.stat().st_size)
                while chunk := file.read(_CHUNK):
                    self.wfile.write(chunk)

        def _head(self, kind: str, length: int) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The build's own log says what was asked for."""

    return Handler
