"""A registry on loopback that can be told to misbehave, for tests and for `make chaos`."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["RegistryRequest", "Server"]


class Server(ThreadingHTTPServer):
    """What the distribution specification asks of a registry; `login` makes it sell tokens for one basic credential."""

    def __init__(self, login: str = "") -> None:
        super().__init__(("127.0.0.1", 0), RegistryRequest)
        self.name = f"127.0.0.1:{self.server_port}"
        self.login, self.elsewhere = login, ""  # `elsewhere`: where blobs are redirected to
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.seen: list[tuple[str, str]] = []  # (authorization, path) of every request
        # whether it answered a request in its own way
        self.odd: Callable[[RegistryRequest, str], bool] = lambda handler, path: False
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def put(self, name: str, manifest: dict, *blobs: bytes) -> None:
        """Place a manifest under "repository:tag" behind the protocol's back."""
        self.manifests[name] = json.dumps(manifest).encode()
        self.blobs |= {f"sha256:{hashlib.sha256(blob).hexdigest()}": blob for blob in blobs}


class RegistryRequest(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        self.server.seen.append((self.headers.get("Authorization", ""), path))
        if self.server.odd(self, path):
            return None
        if path == "/token":
            known = self.headers.get("Authorization") == f"Basic {self.server.login}"
            return self._answer(
                200 if known else 401, json.dumps({"token": f"token for {self.path.partition('scope=')[2]}"}).encode()
            )
        if not self._allowed():
            return None
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return self._serve(path, body)

    do_HEAD = do_POST = do_PUT = do_GET

    def _serve(self, path: str, body: bytes) -> None:
        server = self.server
        if path == "/v2/":
            return self._answer(200)
        found = re.fullmatch(r"/v2/(.+)/(blobs|manifests|tags)/(.*)", path)
        if found is None:
            return self._answer(404)
        repository, kind, name = found.groups()
        if kind == "tags":
            tags = [known.split(":")[1] for known in server.manifests if known.startswith(f"{repository}:")]
            return self._answer(200, json.dumps({"tags": tags}).encode()) if tags else self._answer(404)
        if self.command == "POST":
            return self._answer(202, Location=f"/v2/{repository}/blobs/uploads/1?state=a")
        if self.command == "PUT" and kind == "blobs":
            digest = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["digest"][0]
            sound = digest == f"sha256:{hashlib.sha256(body).hexdigest()}"
            server.blobs |= {digest: body} if sound else {}
            return self._answer(201 if sound else 400)
        if self.command == "PUT":
            server.manifests[f"{repository}:{name}"] = body
            return self._answer(201)
        if kind == "blobs" and server.elsewhere and self.command == "GET":
            return self._answer(307, Location=f"{server.elsewhere}{path}")
        held = server.blobs.get(name) if kind == "blobs" else server.manifests.get(f"{repository}:{name}")
        return self._answer(404) if held is None else self._answer(200, held)

    def _allowed(self) -> bool:
        """With a login set, only who holds the token of this very scope comes in."""
        if not self.server.login:
            return True
        actions = "pull" if self.command in ("GET", "HEAD") else "pull,push"
        scope = f"repository:{self.path.split('/')[2] or 'x'}:{actions}"
        if self.headers.get("Authorization") == f"Bearer token for {urllib.parse.quote_plus(scope)}":
            return True
        challenge = f'Bearer realm="http://{self.server.name}/token",service="toy",scope="{scope}"'
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(401, b"", **{"WWW-Authenticate": challenge})
        return False

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass
