"""A client of OCI registries: blobs and manifests of one repository, as the OCI distribution specification 1.1 has
them.

Plain HTTP is spoken with this machine alone, HTTPS with every other, wherever a registry sends its caller on to. Every
byte that comes is hashed before it is believed; how many may come, and for how long, is known before. A registry that
asks who calls is answered with what `docker login` left in ~/.docker/config.json.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from microstage.errors import EnvironmentProblem, IntegrityError, ParameterError
from microstage.files.canonical import canonical_json
from microstage.untrusted.bounds import within
from microstage.untrusted.json_text import parse_json
from microstage.untrusted.printable import shown
from microstage_runner.registry.descriptors import MANIFEST_TYPE
from microstage_runner.registry.login import Login, is_safe, on_loopback

__all__ = ["Registry"]

# An image may be under Docker's own type; whether its tag exists is all that is asked of it.
_ACCEPTED = (
    f"{MANIFEST_TYPE}, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_NAME = re.compile(
    r"(localhost|\[[0-9a-f:]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)*)(:\d{1,5})?((?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
)
_SECONDS = 60
_SLOWEST = 1 << 16  # bytes a second, of a file in either direction
_BLOCK = 1 << 20
_LARGEST_MANIFEST = 1 << 22

Answer = http.client.HTTPResponse | urllib.error.HTTPError
"""What came back, of whatever status; urllib raises the ones from 300 on, and they can be read all the same."""


class Registry:
    """The registry and prefix `name` ("localhost:5000" or "ghcr.io/group/project"); repositories are named below it."""

    def __init__(self, name: str) -> None:
        found = _NAME.fullmatch(name)
        if not found or not (found[2] or "." in found[1] or found[1][0] == "[" or found[1] == "localhost"):
            raise ParameterError(
                f"REGISTRY={name} is not allowed: expected host:port/prefix, such as localhost:5000/group."
            )
        self.name, self.host, self._prefix = name, found[1] + (found[2] or ""), found[3].lstrip("/")
        self._local = on_loopback(self.host)
        self._base = f"{'http' if self._local else 'https'}://{self.host}/v2/"
        handlers = [urllib.request.ProxyHandler({})] if self._local else []
        self._opener = urllib.request.build_opener(_Followed(self._assert_safe), *handlers)
        self._login = Login(self.host, self._opener)

    def ask(self) -> None:
        """Raise `EnvironmentProblem` if nothing that speaks the distribution protocol answers there."""
        with self._asked("GET", self._base) as answer:
            if answer.status not in (200, 401, 403):
                raise EnvironmentProblem(f"{self.host} is no OCI registry: it answers {answer.status} at /v2/.")
            self._ok(answer, self.name)

    def manifest(self, repository: str, tag: str) -> dict[str, Any] | None:
        """Return the manifest under a tag, or None where the registry has none."""
        url = self._url(repository, "manifests", tag)
        with self._asked("GET", url, headers={"Accept": _ACCEPTED}) as answer:
            found = None if answer.status == 404 else self._json(answer, repository)
        if found is not None and not isinstance(found, dict):
            raise IntegrityError(f"{self.name}/{repository}:{tag} has no manifest that can be read.")
        return found

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository (the first thousand), none if there is no such repository."""
        with self._asked("GET", self._url(repository, "tags", "list?n=1000")) as answer:
            found = {"tags": []} if answer.status == 404 else self._json(answer, repository)
        try:
            return [str(tag) for tag in found["tags"] or []]
        except (KeyError, TypeError):
            raise IntegrityError(f"{self.name}/{repository} has no list of tags that can be read.") from None

    def put_manifest(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> None:
        """Name the manifest, all of whose blobs are there already."""
        url, headers = self._url(repository, "manifests", tag), {"Content-Type": MANIFEST_TYPE}
        with self._asked("PUT", url, canonical_json(manifest), headers) as answer:
            self._ok(answer, repository)

    def put_blob(self, repository: str, path: Path, digest: str) -> bool:
        """Upload a file under its digest; False if the registry has it already."""
        with self._asked("HEAD", self._url(repository, "blobs", digest)) as answer:
            if answer.status == 200:
                return False
        start = self._url(repository, "blobs", "uploads/")
        with self._asked("POST", start, b"") as answer:
            place = urllib.parse.urljoin(start, self._ok(answer, repository).headers.get("Location", ""))
        place += ("&" if "?" in place else "?") + urllib.parse.urlencode({"digest": digest})
        headers = {"Content-Type": "application/octet-stream"}
        with self._asked("PUT", place, path, headers, path.stat().st_size) as answer:
            self._ok(answer, repository)
        return True

    def fetch_blob(self, repository: str, digest: str, size: int, target: Path) -> None:
        """Write a blob to `target`; `IntegrityError` if what comes is not `size` bytes of that digest."""
        sha, left = hashlib.sha256(), size
        with (
            target.open("xb") as handle,
            self._asked("GET", self._url(repository, "blobs", digest), size=size) as answer,
        ):
            self._ok(answer, repository)
            while left >= 0 and (block := _next(answer, min(_BLOCK, left + 1))):
                left -= len(block)
                sha.update(block)
                handle.write(block)
        if left > 0:
            raise IntegrityError(f"{self.name}/{repository} was cut short in {digest[:19]}; try again.")
        if f"sha256:{sha.hexdigest()}" != digest:
            raise IntegrityError(f"{self.name}/{repository} gave other bytes for {digest[:19]} than that digest has.")

    def _url(self, repository: str, kind: str, name: str) -> str:
        return self._base + "/".join(filter(None, [self._prefix, repository, kind, name]))

    def _ok(self, answer: Answer, repository: str) -> Answer:
        """Return the answer, unless its status is that of a refusal or a fault."""
        status = answer.status or 0  # urllib's own faults may lack one
        if status in (401, 403):
            raise EnvironmentProblem(
                f"{self.host} refuses access to {repository}: `docker login {self.host}` with a user who may."
            )
        if not 200 <= status < 300:
            said = " ".join(answer.read(300).decode(errors="replace").split())
            raise EnvironmentProblem(f"{self.name}/{repository}: the registry answers {status}: {shown(said)}.")
        return answer

    def _json(self, answer: Answer, repository: str) -> Any:
        """Return what an answer says in JSON, in so many bytes as a manifest may have."""
        try:
            text = self._ok(answer, repository).read(_LARGEST_MANIFEST + 1)
            return parse_json(text if len(text) <= _LARGEST_MANIFEST else b"")
        except ValueError:
            raise IntegrityError(f"{self.name}/{repository}: nothing that the registry answers can be read.") from None

    @contextmanager
    def _asked(
        self, method: str, url: str, body: bytes | Path | None = None, headers: Mapping[str, str] = {}, size: int = 0
    ) -> Iterator[Answer]:
        """The answer to a request, whatever its status; it is over in a minute, or in what a file of `size` may take.

        No answer is an `EnvironmentProblem`, and so is one that leads to an address that is none (`ValueError`).
        """
        with within(_SECONDS + size / _SLOWEST):
            try:
                answer = self._send(method, url, body, headers)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise self._silent(error) from None
            with answer:
                try:
                    yield answer
                except (TimeoutError, http.client.HTTPException, ValueError) as error:
                    raise self._silent(error) from None

    def _silent(self, error: Exception) -> EnvironmentProblem:
        return EnvironmentProblem(
            f"The registry {self.host} does not answer: {getattr(error, 'reason', None) or error}."
        )

    def _send(self, method: str, url: str, body: bytes | Path | None, headers: Mapping[str, str]) -> Answer:
        """Return the answer; asked a second time, with a login, if the first was refused for want of one."""
        answer = self._once(method, url, body, headers)
        if answer.status == 401 and (challenge := answer.headers.get("WWW-Authenticate")):
            answer.close()
            self._login.answer(challenge)
            answer = self._once(method, url, body, headers)
        return answer

    def _once(self, method: str, url: str, body: bytes | Path | None, headers: Mapping[str, str]) -> Answer:
        """Return the answer to one request."""
        self._assert_safe(url)
        with body.open("rb") if isinstance(body, Path) else nullcontext(body) as data:
            request = urllib.request.Request(url, data, dict(headers), method=method)
            if body is not None:
                request.add_header("Content-Length", str(body.stat().st_size if isinstance(body, Path) else len(body)))
            if self._login.header and url.startswith(self._base.removesuffix("v2/")):
                request.add_unredirected_header("Authorization", self._login.header)
            try:
                return self._opener.open(request, timeout=_SECONDS)
            except urllib.error.HTTPError as answer:
                return answer

    def _assert_safe(self, url: str) -> None:
        """Raise `EnvironmentProblem` for an address to which nothing is sent, and from which nothing is taken."""
        if not is_safe(url, self._local):
            raise EnvironmentProblem(
                f"{self.host} sends its caller to {shown(url)}, which is not HTTPS; nothing was taken from there."
            )


class _Followed(urllib.request.HTTPRedirectHandler):
    """Looks at an address before it goes there."""

    def __init__(self, assert_safe: Callable[[str], None]) -> None:
        self._assert_safe = assert_safe

    def redirect_request(self, request, answer, code, message, headers, url):
        self._assert_safe(url)
        return super().redirect_request(request, answer, code, message, headers, url)


def _next(answer: Answer, size: int) -> bytes:
    """Return what came next of an answer, at most `size` bytes; nothing where the link was cut."""
    try:
        return answer.read(size)
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException):
        return b""
