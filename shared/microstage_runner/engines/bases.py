"""Stand-ins for the Python base images, for sites where no registry is reachable.

A stand-in is two layers: Debian (debootstrap, from the mirrors this host's apt uses, with the site's extra CA
certificates) and the host's own CPython moved to /usr/local. Time stamps, owners and order are fixed and the image is
written here rather than by `docker import`, so the same packages and CPython give the same image id.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from microstage.errors import EnvironmentProblem, IntegrityError
from microstage_runner.engines import image_archive
from microstage_runner.engines.engine import Engine

__all__ = ["PYTHONS", "build", "find_cpython", "load", "save", "tag", "vendored_tag"]

PYTHONS = ("3.10", "3.11")
SUITE = "bookworm"
# What CPython's own modules link to, and what the slim images have beside it.
_PACKAGES = (
    "ca-certificates,netbase,tzdata,libssl3,libffi8,libsqlite3-0,zlib1g,libbz2-1.0,liblzma5,libreadline8,"
    "libncursesw6,libuuid1,libexpat1,libstdc++6"
)
_MODULES = "bz2, ctypes, hashlib, lzma, multiprocessing, readline, sqlite3, ssl, uuid, zlib"
# 1980, the first year a zip file can tell: packages zip what they find.
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", 315532800))
_UNWANTED = (
    "dev/*",
    "proc/*",
    "sys/*",
    "run/*",
    "tmp/*",
    "etc/machine-id",
    "etc/*-",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/*",
    "var/lib/apt/lists/*",
    "var/lib/dpkg/*-old",
    "var/log/*",
    "usr/share/doc/*/[!c]*",
    "usr/share/doc/*/c[!o]*",
    "usr/share/man/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "debootstrap",
)
_PYTHON_UNWANTED = (
    "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "site-packages", "__pycache__",
)  # fmt: skip


def tag(python: str) -> str:
    return f"microstage/base:{python}"


def vendored_tag(python: str) -> str:
    """Return the name of a base, stand-in or not, that was saved and loaded again; `docker load` knows no digests."""
    return f"microstage/vendored:{python}"


def save(engine: Engine, reference: str, name: str, path: Path) -> list[str]:
    """Write the image `reference` as the archive `path`, called `name` in it; the digests of its layers."""
    engine.run("tag", reference, name)
    engine.run("save", "--output", str(path), name)
    return _layers(engine, name)


def load(engine: Engine, path: Path, name: str, layers: list[str]) -> None:
    """Load the image `name` of the archive `path`; raise `IntegrityError` for any other, or for other `layers`."""
    print(f"base: {name} from {path}", flush=True)
    image_archive.load(engine, path, name, layers)
    if _layers(engine, name) != layers:
        raise IntegrityError(
            f"{path} does not hold the base image {name} that was collected; `make vendor` collects it again."
        )


def _layers(engine: Engine, name: str) -> list[str]:
    return json.loads(engine.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", name))


def build(engine: Engine, pythons: Iterable[str] = PYTHONS) -> dict[str, str]:
    """Build and load the stand-ins; {"3.10": image id, ...}. Needs root and debootstrap, about a minute in all."""
    prefixes = {python: find_cpython(python) for python in pythons}
    if os.geteuid() != 0:
        raise EnvironmentProblem("Stand-in bases are made with debootstrap, which needs root: `sudo make base`.")
    if not (debootstrap := shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")):
        raise EnvironmentProblem("Stand-in bases are made with debootstrap: `apt-get install debootstrap`.")
    with tempfile.TemporaryDirectory(prefix="microstage-base-", dir="/var/tmp") as work:
        root = Path(work) / "root"
        _debootstrap(debootstrap, root, Path(work) / "log")
        debian = _layer(root, ["."])
        return {python: _stand_in(engine, root, debian, python, prefix) for python, prefix in prefixes.items()}


def find_cpython(version: str) -> Path:
    """Return the prefix of a relocatable CPython `version` on this host (pyenv's, uv's, or one under /usr/local)."""
    names = [*_pyenv(version), shutil.which(f"python{version}"), _uv(version)]  # the order of `local.find_python`
    for python in filter(None, names):
        prefix = _ask(python, "import sys; print(sys.base_prefix, '%d.%d' % sys.version_info[:2])").split()
        if prefix[1:] == [version] and prefix[0] != "/usr":  # Debian's own is spread over /usr: not movable
            return Path(prefix[0])
    raise EnvironmentProblem(f"No CPython {version} to put into the stand-in base: `uv python install {version}`.")


def _pyenv(version: str) -> Iterator[str]:
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = versions.glob(f"{version}.*/bin/python{version}")
    yield from sorted(map(str, found), key=lambda path: [int(n) for n in re.findall(r"\d+", path)], reverse=True)


def _uv(version: str) -> str | None:
    uv = shutil.which("uv")
    found = uv and subprocess.run([uv, "python", "find", version], capture_output=True, text=True)
    return found.stdout.strip() if found and found.returncode == 0 else None


def _ask(python: str, code: str) -> str:
    try:
        return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True).stdout
    except OSError:
        return ""


def _debootstrap(program: str, root: Path, log: Path) -> None:
    print(f"base: debootstrap {SUITE} ...", flush=True)
    sources = _apt_sources()
    mirror = next((uri for uri, suite in sources if suite == SUITE), None)
    command = [program, "--variant=minbase", f"--include={_PACKAGES}", SUITE, str(root), *filter(None, [mirror])]
    with log.open("wb") as output:
        if subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise EnvironmentProblem(
                f"debootstrap failed ({' '.join(last)}); `apt-get update` shows if the mirror answers."
            )
    if sources:
        lines = [f"deb {uri} {suite} main\n" for uri, suite in sources]
        (root / "etc/apt/sources.list").write_text("".join(lines))
        (root / "etc/apt/apt.conf.d/90host").write_text(_apt_options())
    _certificates(root)
    _normalise(root)


def _apt_sources(folder: Path = Path("/etc/apt")) -> list[tuple[str, str]]:
    """Return (uri, suite) of every Debian archive of our suite in this host's apt configuration, both file formats."""
    found: list[tuple[str, str]] = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        text = path.read_text(errors="replace") if path.suffix in (".list", ".sources") and path.is_file() else ""
        if path.suffix == ".list":
            found += re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(?:\S+\s+)*?main\b", text, re.MULTILINE)
            continue
        for paragraph in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", paragraph, re.MULTILINE))
            if "main" in fields.get("Components", "").split():
                found += [(u, s) for u in fields.get("URIs", "").split() for s in fields.get("Suites", "").split()]
    wanted = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
    return [source for source in dict.fromkeys(found) if source[1] in wanted]


def _apt_options() -> str:
    """Return how this host's apt reaches its mirrors (proxies, and date checks that a frozen mirror cannot pass)."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout
    wanted = r"^Acquire::(?:Check-\S+|https?::\S*Proxy) \"[^\"]+\";$"
    return "".join(f"{line}\n" for line in re.findall(wanted, dump, re.MULTILINE))


def _certificates(root: Path) -> None:
    extra = sorted(Path("/usr/local/share/ca-certificates").glob("**/*.crt"))
    for path in extra:
        shutil.copy(path, root / "usr/local/share/ca-certificates" / path.name)
    if extra:
        print(f"base: {len(extra)} extra CA certificates of this site")
        subprocess.run(["chroot", str(root), "update-ca-certificates"], check=True, capture_output=True)


def _normalise(root: Path) -> None:
    for pattern in _UNWANTED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in ("resolv.conf", "hostname"):  # the engine mounts over them: they must exist, or builds make them
        (root / "etc" / name).write_text("")
    shadow = root / "etc/shadow"  # field 3 is the day an account was made
    shadow.write_text(re.sub(r"^([^:]*:[^:]*):\d+:", r"\1:1:", shadow.read_text(), flags=re.MULTILINE))


def _stand_in(engine: Engine, root: Path, debian: bytes, python: str, prefix: Path) -> str:
    local, kept = root / "usr/local", Path(f"{root}.local")
    shutil.copytree(local, kept, symlinks=True)
    _install_cpython(prefix, local, python)
    subprocess.run(["chroot", str(root), "ldconfig", "-X"], check=True)
    command = ["chroot", str(root), f"/usr/local/bin/python{python}", "-B", "-c"]
    done = subprocess.run([*command, f"import {_MODULES}"], capture_output=True, text=True)
    if done.returncode:
        raise EnvironmentProblem(f"CPython {python} of {prefix} does not run on {SUITE}: {done.stderr.strip()[-200:]}.")
    identity = _load(engine, tag(python), [debian, _layer(root, ["etc/ld.so.cache", "usr/local"])])
    shutil.rmtree(local)
    kept.rename(local)
    return identity


def _install_cpython(prefix: Path, local: Path, version: str) -> None:
    """Copy `prefix` to `local` without its tests, caches and packages; pip comes from CPython's own bundled wheel."""
    library = Path("lib") / f"python{version}"
    ignore = shutil.ignore_patterns(*_PYTHON_UNWANTED, f"config-{version}-*", "*.a")
    shutil.copytree(prefix / library, local / library, symlinks=True, ignore=ignore)
    for path in sorted((prefix / "lib").glob("libpython3*.so*")):
        shutil.copy2(path, local / "lib" / path.name, follow_symlinks=False)
    shutil.copy2(prefix / "bin" / f"python{version}", local / "bin" / f"python{version}")
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(f"python{version}")
    for path in (local / library).glob("_sysconfigdata*.py"):
        path.write_text(path.read_text().replace(str(prefix), "/usr/local"))
    packages = local / library / "site-packages"
    packages.mkdir()
    for wheel in sorted((prefix / library / "ensurepip/_bundled").glob("pip-*.whl")):
        zipfile.ZipFile(wheel).extractall(packages)


def _layer(root: Path, tops: Iterable[str]) -> bytes:
    """Return a tar of the trees `tops` under `root`: sorted, owned by number, every time stamp `EPOCH`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for top in tops:
            paths = [root / top, *(root / top).rglob("*")] if top != "." else root.rglob("*")
            for path in sorted(paths):
                archive.add(path, path.relative_to(root).as_posix(), recursive=False, filter=_clean)
    return buffer.getvalue()


def _clean(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime, member.uname, member.gname = EPOCH, "", ""
    return member


def _load(engine: Engine, name: str, layers: list[bytes]) -> str:
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    config = {
        "architecture": engine.run("version", "--format", "{{.Server.Arch}}"),
        "os": "linux",
        "created": "1980-01-01T00:00:00Z",
        "config": {"Env": [path, "LANG=C.UTF-8", f"PIP_CERT={certificates}", f"SSL_CERT_FILE={certificates}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]},
    }
    text = json.dumps(config, sort_keys=True).encode()
    digest = hashlib.sha256(text).hexdigest()
    files = {f"{n}.tar": layer for n, layer in enumerate(layers)}
    manifest = [{"Config": f"{digest}.json", "RepoTags": [name], "Layers": list(files)}]
    image = io.BytesIO()
    with tarfile.open(fileobj=image, mode="w") as archive:
        for member, data in {f"{digest}.json": text, **files, "manifest.json": json.dumps(manifest).encode()}.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    engine.run("load", input=image.getvalue())
    print(f"base: {name} is sha256:{digest[:12]}", flush=True)
    return f"sha256:{digest}"
