"""`make vendor VENDOR=dir`: fetch everything that environments, images and tests install, by hash, into one folder.

Where no container engine answers, base images and Debian packages are left out, which is said; `RUNNER=local` needs
neither. Calling it again fetches what is missing, and drops wheels that no lock allows any more.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from microstage.errors import EnvironmentProblem, IntegrityError, ParameterError
from microstage.files.canonical import file_digest, write_json
from microstage.untrusted.paths import inside
from microstage.untrusted.printable import shown
from microstage.untrusted.tars import content_of, is_plain, tar
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines import bases, engine, offline
from microstage_runner.engines.images import Images
from microstage_runner.engines.local import ONLY_LOCKED_WHEELS, find_python
from microstage_runner.engines.offline import VARIABLE, debian_packages, locks
from microstage_runner.session import Session

__all__ = ["collect", "command", "planned"]

_APT = (
    "apt-get update >&2 && apt-get -o Dir::Cache::archives=/tmp install --yes --download-only "
    "--no-install-recommends {names} >&2"
)
# One paragraph per package, with what an archive's `Packages` has beyond the package's own control file.
_LIST = (
    "cd /tmp && for deb in *.deb; do to=$(echo $deb | sed s/%3a/_/g); [ $deb = $to ] || mv $deb $to; "
    "dpkg-deb --field $to; echo Filename: ./$to; echo Size: $(stat --format %s $to); "
    "echo SHA256: $(sha256sum $to | cut --characters -64); echo; "
    "done > Packages && tar --create --sort=name Packages *.deb"
)


def planned(session: Session) -> list[Planned]:
    """Return no run: what is collected was made by others."""
    _folder(session.typed.get("VENDOR"))
    return []


def command(session: Session) -> None:
    """Collect wheels, Debian packages and bases into VENDOR=, for machines without a network."""
    offline.choose(None)
    os.environ.pop(VARIABLE, None)  # collecting draws on the network, not on the folder that is being filled
    collect(session.repository, session.volumes, session.typed.get("VENDOR"))


def collect(repository: Path, volumes: Path, typed: str | None) -> None:
    """Fill the folder `typed`; its index is written last, so that a folder with an index is whole."""
    folder = _folder(typed)
    (folder / "index.json").unlink(missing_ok=True)
    found = locks(repository)
    _wheels(repository, found, folder / "wheels")
    images = _images(repository, volumes, folder)
    names = sorted(
        path.relative_to(folder).as_posix() for part in ("wheels", "apt", "bases") for path in (folder / part).glob("*")
    )
    index = {
        "files": {name: file_digest(folder / name) for name in names},
        "bases": images,
        "locks": {path.relative_to(repository).as_posix(): file_digest(path) for path in found},
    }
    write_json(folder / "index.json", index)
    size = sum((folder / name).stat().st_size for name in names)
    print(f"vendor: {len(names)} files, {size / 2**30:.1f} GiB, in {folder}")


def _folder(typed: str | None) -> Path:
    if not typed:
        raise ParameterError(
            "VENDOR= is missing: expected a folder to collect into, as in `make vendor VENDOR=../vendored`."
        )
    return Path(typed).resolve()


def _wheels(repository: Path, found: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    versions = {stage.folder: stage.python for stage in load_stages(repository).values()}
    versions |= {file.parent: file.read_text().strip() for file in repository.glob("tests/*/.python-version")}
    allowed = {sha for lock in found for sha in re.findall(r"--hash=sha256:([0-9a-f]{64})", lock.read_text())}
    for path in folder.iterdir():
        if file_digest(path) not in allowed:
            print(f"vendor: {path.name} is in no lock; dropped", flush=True)
            path.unlink()
    with tempfile.TemporaryDirectory() as work:
        pips: dict[str, Path] = {}
        for lock in found:
            version = versions.get(lock.parent, "")
            if version not in pips:
                pips[version] = _pip(version, Path(work) / f"python{version}")
            print(f"vendor: wheels of {lock.relative_to(repository)} ...", flush=True)
            _download(pips[version], lock, folder)


def _pip(version: str, folder: Path) -> Path:
    """Return a Python `version` ("" is the runner's own, as packages of tests are pure Python) with pip, which knows
    its wheels best.
    """
    python = find_python(version) if version else Path(sys.executable)
    if subprocess.run([python, "-m", "venv", folder], stdin=subprocess.DEVNULL).returncode:
        raise EnvironmentProblem(
            f"{python} makes no virtual environment with pip, its own message is above;"
            " on Debian, install python3-venv."
        )
    return folder / "bin" / "python"


def _download(pip: Path, lock: Path, folder: Path) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", *ONLY_LOCKED_WHEELS]
    command = [str(pip), "-m", "pip", "download", *options, "--dest", str(folder), "-r", str(lock)]
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode:
        raise EnvironmentProblem(f"`pip download` of {Path(*lock.parts[-3:])} failed, its own message is above.")


def _images(repository: Path, volumes: Path, folder: Path) -> dict[str, dict]:
    """Return {"3.10": {"id", "layers"}} of the base images saved, with the Debian packages that are installed on top of
    them.
    """
    for part in ("apt", "bases"):
        (folder / part).mkdir(exist_ok=True)
        for path in (folder / part).iterdir():
            path.unlink()
    docker = engine.find()
    if docker is None:
        print(
            "vendor: no container engine answers, so no base images and no Debian packages:"
            " enough for RUNNER=local alone",
            flush=True,
        )
        return {}
    images, saved = Images(repository, volumes), {}
    for stage in load_stages(repository).values():
        base = images.base_of(stage.name)
        if stage.python not in saved:
            print(f"vendor: base image {base['reference'].split('@')[0]} ...", flush=True)
            layers = bases.save(
                docker, base["reference"], bases.vendored_tag(stage.python), folder / "bases" / f"{stage.python}.tar"
            )
            saved[stage.python] = {"id": base["id"], "layers": layers}
    _debian(docker, dict(_installing(repository, images)), folder / "apt")
    return saved


def _installing(repository: Path, images: Images) -> Iterator[tuple[str, list[str]]]:
    """Yield (base, names of Debian packages) of every base on which stages' images install some."""
    wanted: dict[str, set[str]] = {}
    for stage in load_stages(repository).values():
        if names := debian_packages(stage.folder / "Dockerfile"):
            wanted.setdefault(images.base_of(stage.name)["reference"], set()).update(names)
    for base, of_all in wanted.items():
        yield base, sorted(of_all)


def _debian(docker: engine.Engine, wanted: Mapping[str, list[str]], folder: Path) -> None:
    """Fetch what apt would download for each base, and write one list of it all."""
    lists = []
    for base, names in wanted.items():
        print(f"vendor: Debian packages {' '.join(names)} ...", flush=True)
        script = f"{_APT.format(names=' '.join(names))} && {_LIST}"
        done = docker.call("run", "--rm", "--network=host", "--entrypoint=sh", base, "-euc", script)
        if done.returncode:
            raise EnvironmentProblem(
                f"apt downloads no {' '.join(names)}: {done.stderr.decode(errors='replace').strip().splitlines()[-1]}"
            )
        with tar(io.BytesIO(done.stdout)) as archive:
            for member in archive:
                if not is_plain(member) or not inside(member.name) or "/" in member.name:
                    raise IntegrityError(f"{base} gives {shown(member.name)} for a Debian package.")
                data = content_of(archive, member).read()
                lists.append(data) if member.name == "Packages" else (folder / member.name).write_bytes(data)
    if lists:
        (folder / "Packages").write_bytes(b"".join(lists))
