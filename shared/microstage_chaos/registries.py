"""A registry that lies, stalls, truncates, or answers with what nobody asked for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from microstage_chaos.fault import run_of
from microstage_chaos.ground import Ground, Undisturbed
from microstage_chaos.outcome import Lost
from microstage_chaos.registry_server import RegistryRequest, Server

__all__ = ["Registries"]

_STALL_SECONDS = 3  # longer than the client waits here
Answer = Callable[[RegistryRequest, bytes, random.Random], None]


class Registries:
    """What a registry has is pulled; one request in three is answered wrongly, in one of the ways below."""

    name, title, alone = "registry", "a registry that lies, stalls, truncates", False

    def __init__(self) -> None:
        self._pushed: dict[str, tuple[dict[str, bytes], dict[str, bytes]]] = {}

    def count(self, ground: Ground) -> int:
        return 100

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        run = run_of(ground, number)
        answer = _ANSWERS[number // len(ground.runs) % len(_ANSWERS)]
        with Server() as server, ground.sandbox(run) as box:
            server.manifests, server.blobs = map(dict, self._held(ground, run))
            server.odd = lambda handler, path: _odd(handler, path, answer, rng)
            try:
                box.make("", f"REGISTRY={server.name}").assert_told()
                box.assert_recovers()
            finally:
                server.shutdown()

    def _held(self, ground: Ground, run: Undisturbed) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Return (manifests, blobs) of a registry that the undisturbed run was pushed to."""
        if run.family.name not in self._pushed:
            with Server() as server, ground.sandbox(run, len(run.artefacts)) as box:
                words = ("push", f"STAGE={run.target}", f"REGISTRY={server.name}")
                end = box.make(*words, around={"DOCKER_HOST": "unix:///nowhere/socket"})
                server.shutdown()
                if end.code:
                    raise Lost(f"push ended with {end.code}: {end.err.strip()[-300:]}")
                self._pushed[run.family.name] = server.manifests, server.blobs
        return self._pushed[run.family.name]


def _odd(handler: RegistryRequest, path: str, answer: Answer, rng: random.Random) -> bool:
    """Answer one request in three wrongly; return whether this one was."""
    held = {**handler.server.manifests, **handler.server.blobs}
    body = next((data for name, data in held.items() if path.endswith(name.rpartition(":")[2])), None)
    if handler.command != "GET" or body is None or rng.random() > 1 / 3:
        return False
    try:
        answer(handler, body, rng)
    except OSError:  # the caller has hung up
        pass
    handler.close_connection = True
    return True


def _lies(handler: RegistryRequest, body: bytes, rng: random.Random) -> None:
    place = rng.randrange(len(body))
    _send(handler, 200, body[:place] + bytes([body[place] ^ 1 << rng.randrange(8)]) + body[place + 1 :])


def _truncates(handler: RegistryRequest, body: bytes, rng: random.Random) -> None:
    _send(handler, 200, body[: rng.randrange(len(body))], len(body))


def _gives_less(handler: RegistryRequest, body: bytes, rng: random.Random) -> None:
    _send(handler, 200, body[: rng.randrange(len(body))])


def _gives_more(handler: RegistryRequest, body: bytes, rng: random.Random) -> None:
    _send(handler, 200, body + rng.randbytes(1 << 16))


def _stalls(handler: RegistryRequest, body: bytes, rng: random.Random) -> None:
    half = rng.randrange(len(body))
    _send(handler, 200, body[:half], len(body))
    handler.wfile.flush()
    time.sleep(_STALL_SECONDS)
    handler.wfile.write(body[half:])


def _fails(handler: RegistryRequest, body: bytes, rng: random.Random) -> None:
    _send(handler, rng.choice((400, 401, 403, 418, 429, 500, 502, 503)), b"<html>")


def _hangs_up(handler: RegistryRequest, body: bytes, rng: random.Random) -> None:
    handler.connection.close()


def _send(handler: RegistryRequest, status: int, body: bytes, length: int | None = None) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


_ANSWERS: tuple[Answer, ...] = (_lies, _truncates, _gives_less, _gives_more, _stalls, _fails, _hangs_up)
