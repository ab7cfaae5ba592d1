"""The circumstances that a stage's bytes must not depend on, and how a run of it is put under others.

A launcher stands before the stage's Python: it asks that Python what it sees (`SEEN`, in the scratch folder), so that
what is printed is what was so, and then becomes the stage.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["HERE", "SEEN", "Conditions", "container_options", "elsewhere", "local_launcher", "seen"]

SEEN = "seen.json"
_NOBODY = 65534
_FAKETIME = ("/usr/lib/*/faketime", "/usr/lib*/faketime", "/usr/local/lib/faketime")
_ASK = (
    "import json, os, time; mask = os.umask(0); os.umask(mask); print(json.dumps({"
    "'clock': time.strftime('%Y-%m-%d'), 'user': os.getuid(), 'umask': '%03o' % mask, "
    "'cores': len(os.sched_getaffinity(0)), 'folder': os.getcwd(), "
    "'TZ': os.environ.get('TZ'), 'LC_ALL': os.environ.get('LC_ALL'), 'HOME': os.environ.get('HOME')}))"
)


@dataclass(frozen=True)
class Conditions:
    """One set of circumstances; None leaves what the caller has. `lacking` says why something could not be changed."""

    umask: str = "022"
    user: int | None = None
    core: int | None = None
    faketime: Path | None = None
    outside: Mapping[str, str] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def clock(self) -> dict[str, str]:
        """What libfaketime reads: years ahead; timers stay as they are."""
        return {"FAKETIME": "+10y", "FAKETIME_DONT_FAKE_MONOTONIC": "1"} if self.faketime else {}

    @contextmanager
    def around(self) -> Iterator[None]:
        """The runner's own environment changed to `outside`, which the stage's must shield it from."""
        kept = {name: os.environ.get(name) for name in self.outside}
        os.environ.update(self.outside)
        try:
            yield
        finally:
            for name, value in kept.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


HERE = Conditions()


def elsewhere(container: bool) -> Conditions:
    """Return another clock, user, umask, core count, locale, time zone and home, as far as this machine can change
    them.
    """
    lacking = {}
    library = next(
        (path for place in _FAKETIME for path in sorted(Path("/").glob(f"{place[1:]}/libfaketimeMT.so.1"))), None
    )
    if library is None:
        lacking["clock"] = "libfaketime is not installed: `apt-get install libfaketime`"
    if os.getuid():
        lacking["user"] = "only root can run a stage as somebody else"
    elif not container and not _works(_as_user(_NOBODY)):
        lacking["user"] = "setpriv cannot change it here"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        lacking["cores"] = "this machine gives one"
    elif not container and not _works(["taskset", "--cpu-list", str(cores[-1])]):
        lacking["cores"] = "taskset is missing: `apt-get install util-linux`"
    outside = {"TZ": "Pacific/Chatham", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "HOME": "/nonexistent"}
    outside["DOCKER_CONFIG"] = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")  # the client's contexts
    return Conditions(
        "077",
        None if "user" in lacking else _NOBODY,
        None if "cores" in lacking else cores[-1],
        library,
        outside,
        lacking,
    )


def local_launcher(conditions: Conditions, python: Path, folder: Path) -> Path:
    """Return a program `python` in `folder` that is `python` under the conditions; the folder's files may be read by
    anyone.
    """
    before = []
    if conditions.user is not None:
        before += _as_user(conditions.user)
    if conditions.core is not None:
        before += ["taskset", "--cpu-list", str(conditions.core)]
    if conditions.faketime:
        before += [
            "env",
            f"LD_PRELOAD={conditions.faketime}",
            *(f"{name}={value}" for name, value in conditions.clock.items()),
        ]
    command = shlex.join([*before, str(python)])
    launcher = folder / "python"
    folder.mkdir(parents=True)
    launcher.write_text(
        f'#!/bin/sh\numask {conditions.umask}\nexport PATH={shlex.quote(str(python.parent))}:"${{PATH#*:}}"\n'
        f'{command} -c {shlex.quote(_ASK)} > {SEEN} && exec {command} "$@"\n'
    )
    launcher.chmod(0o755)
    return launcher


def container_options(conditions: Conditions, package: str) -> tuple[list[str], list[str]]:
    """Return (options of `docker run`, what stands before the stage's own words) for the conditions."""
    options = ["--entrypoint=sh"]
    if conditions.core is not None:
        options += [f"--cpuset-cpus={conditions.core}"]
    if conditions.faketime:
        options += [
            f"--mount=type=bind,source={conditions.faketime},target=/faketime.so,readonly",
            "--env=LD_PRELOAD=/faketime.so",
        ]
        options += [f"--env={name}={value}" for name, value in conditions.clock.items()]
    script = f'umask {conditions.umask}; python -c "$0" > {SEEN} && exec python -m {package} "$@"'
    return options, ["-c", script, _ASK]


def seen(scratch: Path) -> dict[str, object]:
    """Return what the run saw: {"clock", "user", "umask", "cores", "folder", "TZ", "LC_ALL", "HOME"}."""
    return json.loads((scratch / SEEN).read_text())


def _as_user(number: int) -> list[str]:
    """Return what starts a program as a user who may write nothing of ours, and read all: environments often stand in a
    private home.
    """
    capability = "+dac_read_search"
    return [
        "setpriv",
        f"--reuid={number}",
        f"--regid={number}",
        "--clear-groups",
        f"--inh-caps={capability}",
        f"--ambient-caps={capability}",
    ]


def _works(before: list[str]) -> bool:
    try:
        return subprocess.run([*before, "true"], capture_output=True).returncode == 0
    except OSError:
        return False
