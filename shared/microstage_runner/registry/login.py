"""How a registry is told who calls: basic credentials as `docker login` keeps them, or a token that they buy."""

from __future__ import annotations

import base64
import binascii
import http.client
import ipaddress
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage.untrusted.json_text import parse_json
from microstage.untrusted.printable import shown

__all__ = ["Login", "is_safe", "on_loopback"]

_SECONDS = 60
_LARGEST_ANSWER = 1 << 20


def on_loopback(host: str) -> bool:
    """Return whether "host:port" is this machine, by its address alone; no name but localhost is looked up."""
    name = urllib.parse.urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_safe(url: str, local: bool) -> bool:
    """Return whether a registry, `local` if it is on this machine, may send its caller to `url`: over HTTPS, or not off
    this machine.
    """
    place = urllib.parse.urlsplit(url)
    return bool(place.hostname) and (
        place.scheme == "https" or (place.scheme == "http" and local and on_loopback(place.netloc))
    )


class Login:
    """What to put into the Authorization header for one host; "" until it asks."""

    def __init__(self, host: str, opener: urllib.request.OpenerDirector) -> None:
        self.header = ""
        self._host, self._opener = host, opener

    def answer(self, challenge: str) -> None:
        """Set `header` to what a WWW-Authenticate `challenge` asks for; `EnvironmentProblem` if this user cannot."""
        scheme, _, rest = challenge.partition(" ")
        fields = dict(re.findall(r'\b(\w+)="([^"]*)"', rest))
        basic = _credentials(self._host)
        if scheme.lower() == "bearer" and "realm" in fields:
            self.header = f"Bearer {self._token(fields, basic)}"
        elif scheme.lower() == "basic" and basic:
            self.header = f"Basic {basic}"
        else:
            raise EnvironmentProblem(f"{self._host} asks who calls: `docker login {self._host}` first.")

    def _token(self, fields: dict[str, str], basic: str) -> str:
        if not is_safe(fields["realm"], on_loopback(self._host)):
            raise EnvironmentProblem(
                f"{self._host} sends logins to {shown(fields['realm'])}, which is not HTTPS; nothing was sent there."
            )
        query = urllib.parse.urlencode([(name, fields[name]) for name in ("service", "scope") if name in fields])
        try:
            request = urllib.request.Request(f"{fields['realm']}{'&' if '?' in fields['realm'] else '?'}{query}")
            if basic:
                request.add_unredirected_header("Authorization", f"Basic {basic}")
            with self._opener.open(request, timeout=_SECONDS) as answer:
                found = parse_json(answer.read(_LARGEST_ANSWER))
            token = found.get("token") or found["access_token"]
            if not re.fullmatch("[ -~]+", token):
                raise ValueError("a token is printable ASCII")
            return token
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException, ValueError, LookupError, AttributeError, TypeError):
            problem = f"{self._host} gives this user no token: `docker login {self._host}` with one who may."
            raise EnvironmentProblem(problem) from None


def _credentials(host: str) -> str:
    """Return base64 of user:password for a host, from ~/.docker/config.json (or $DOCKER_CONFIG); "" for none."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        known = json.loads((folder / "config.json").read_text())["auths"]
        found = {name.split("://")[-1].split("/")[0]: entry.get("auth", "") for name, entry in known.items()}.get(
            host, ""
        )
        return found if b":" in base64.b64decode(found, validate=True) else ""
    except (OSError, ValueError, KeyError, AttributeError, TypeError, binascii.Error):
        return ""
