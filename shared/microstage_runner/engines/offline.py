"""Building from a folder alone: the wheels, Debian packages and base images that `make vendor VENDOR=dir` collected.

    <dir>/index.json    {"files": {path: SHA-256}, "locks": {path: SHA-256}, "bases": {"3.10": {"id", "layers"}}}
    <dir>/wheels/       every wheel of every lock
    <dir>/apt/          the Debian packages that images install, with a `Packages` list
    <dir>/bases/        a base image per CPython version, as `docker save` writes it

Nothing in it is used before its SHA-256 was compared: wheels must be in the lock as well, the rest in the index.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from microstage.errors import EnvironmentProblem, IntegrityError
from microstage.files.canonical import file_digest
from microstage.untrusted.json_text import parse_json
from microstage.untrusted.paths import inside
from microstage_runner.engines import bases
from microstage_runner.engines.engine import Engine
from microstage_runner.engines.package_server import PackageServer
from microstage_runner.engines.wheels import normalised, project

__all__ = ["VARIABLE", "Vendor", "build_arguments", "choose", "chosen", "debian_packages", "locks"]

# Not plain VENDOR: some shells have an environment variable of that name. The Makefile sets it from VENDOR=.
VARIABLE = "MICROSTAGE_VENDOR"
_typed: str | None = None
_FORWARDED = ("PIP_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Vendor:
    """A folder that `make vendor` made, read-only; `EnvironmentProblem` if it is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._intact: set[str] = set()
        try:
            index = parse_json((folder / "index.json").read_bytes())
            self.files, self.locks, self.bases = index["files"], index["locks"], index["bases"]
            sound = all(map(_is_listed, self.files.items())) and all(map(_is_base, self.bases.items()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            sound = False
        if not sound:
            raise EnvironmentProblem(
                f"VENDOR={folder} has no readable index.json; `make vendor VENDOR={folder}` makes it."
            )

    def wheels(self, lock: Path) -> list[Path]:
        """Return the wheels that `lock` allows, at least one of each pin, hashed now; raise `IntegrityError` that names
        what is missing or changed.
        """
        if file_digest(lock) not in self.locks.values():
            name = Path(*lock.parts[-3:])
            raise EnvironmentProblem(
                f"VENDOR={self.folder} was collected for another {name};"
                f" `make vendor VENDOR={self.folder}` adds its wheels."
            )
        allowed = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock.read_text()))
        found = [
            self.checked(name)
            for name, sha in sorted(self.files.items())
            if name.startswith("wheels/") and sha in allowed
        ]
        held = {project(path) for path in found}
        for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(), re.MULTILINE):
            if normalised(name) not in held:
                raise IntegrityError(
                    f"VENDOR={self.folder} holds no wheel of {name} that {lock.parent.name}/{lock.name} allows;"
                    " collect it again."
                )
        return found

    def install_options(self, lock: Path) -> list[str]:
        """Return what makes `uv pip install` or `pip install` take the wheels of `lock` from here and from nowhere
        else.
        """
        self.wheels(lock)
        return ["--no-index", "--find-links", str(self.folder / "wheels")]

    def load_base(self, engine: Engine, python: str) -> dict[str, str]:
        """Return {"reference", "id"} of the base image, loaded into `engine`; `id` as it was where it was collected."""
        if python not in self.bases:
            raise EnvironmentProblem(
                f"VENDOR={self.folder} has no base image of Python {python}:"
                " collect it where a container engine answers."
            )
        known = self.bases[python]
        bases.load(engine, self.checked(f"bases/{python}.tar"), bases.vendored_tag(python), known["layers"])
        return {"reference": bases.vendored_tag(python), "id": known["id"]}

    @contextmanager
    def serving(self, repository: Path, stage: str) -> Iterator[dict[str, str]]:
        """Build arguments under which the image of `stage` installs from here, over this machine's loopback."""
        folder = repository / "stages" / stage
        served = self.wheels(folder / "requirements.lock")
        if debian_packages(folder / "Dockerfile"):
            packages = [name for name in sorted(self.files) if name.startswith("apt/")]
            if not packages:
                raise EnvironmentProblem(
                    f"VENDOR={self.folder} has no Debian packages for stages/{stage}/Dockerfile: "
                    "collect them where a container engine answers."
                )
            served += [self.checked(name) for name in packages]
        with PackageServer(served, near=str(self.folder)) as address:
            direct = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
            yield {"PIP_INDEX_URL": f"{address}/simple", "APT_SOURCE": f"deb [trusted=yes] {address}/apt ./", **direct}

    def checked(self, name: str) -> Path:
        """Return the file `name` of the index, whose bytes are those that were collected."""
        path = self.folder / name
        if name not in self._intact:
            if not path.is_file():
                raise IntegrityError(
                    f"VENDOR={self.folder} lacks {name}, which its index lists;"
                    f" `make vendor VENDOR={self.folder}` brings it back."
                )
            if (found := file_digest(path)) != self.files[name]:
                raise IntegrityError(
                    f"VENDOR={self.folder}: {name} was changed: its SHA-256 is {found[:16]}..., "
                    f"collected was {self.files[name][:16]}...; delete it and collect again."
                )
            self._intact.add(name)
        return path


def _is_listed(entry: tuple[str, str]) -> bool:
    """Return whether an entry of the list of files is one below the folder, with a SHA-256."""
    return inside(entry[0]) and bool(re.fullmatch("[0-9a-f]{64}", entry[1]))


def _is_base(entry: tuple[str, dict]) -> bool:
    """Return whether an entry of the list of bases has an id and the digests of its layers."""
    python, known = entry
    layers = all(re.fullmatch("sha256:[0-9a-f]{64}", layer) for layer in known["layers"])
    return bool(re.fullmatch(r"\d+\.\d+", python)) and known["id"].isprintable() and layers


def choose(typed: str | None) -> None:
    """Take the folder VENDOR=`typed` from now on, None for that of the process's environment."""
    global _typed
    _typed = typed


def chosen() -> Vendor | None:
    """Return the folder that the user named with VENDOR=, if any."""
    text = os.environ.get(VARIABLE) if _typed is None else _typed
    return Vendor(Path(text).resolve()) if text else None


@contextmanager
def build_arguments(repository: Path, stage: str) -> Iterator[list[str]]:
    """Options of `docker build` that say where packages come from: the folder VENDOR=, or what this site uses."""
    vendor = chosen()
    if vendor is None:
        yield [f"--build-arg={name}" for name in _FORWARDED if name in os.environ]
        return
    with vendor.serving(repository, stage) as arguments:
        yield [f"--build-arg={name}={value}" for name, value in arguments.items()]


def locks(repository: Path) -> list[Path]:
    """Return every lock whose packages building, testing, the report and the runner itself install."""
    found = [
        path for pattern in ("stages/*", "tests", "tests/*") for path in repository.glob(f"{pattern}/requirements.lock")
    ]
    of_no_tests = {
        path for path in repository.glob("tests/*/requirements.lock") if not any(path.parent.rglob("test_*.py"))
    }
    return [*sorted(set(found) - of_no_tests), *sorted(Path(__file__).parents[2].rglob("*.lock"))]


def debian_packages(dockerfile: Path) -> list[str]:
    """Return what the image installs with apt, from its `apt-get ... install ... --no-install-recommends NAMES`."""
    found = re.findall(
        r"^[^#\n]*\bapt-get\b.*\binstall\b.*--no-install-recommends ([^\\\n]+)", dockerfile.read_text(), re.MULTILINE
    )
    return [name for line in found for name in line.split()]
