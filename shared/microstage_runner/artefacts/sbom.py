"""Bills of materials (CycloneDX) of images, local environments and artefacts, and the provenance of images.

volumes/.images/<recipe>.cdx.json         an image: the lock's packages, CPython, Debian's packages, licences
volumes/.images/<recipe>.provenance.json  and what it was built from (in-toto, SLSA)
volumes/.env/<environment>.cdx.json       a local environment: the lock's packages, CPython, licences
volumes/<stage>/<key>.run/sbom.cdx.json   an artefact: its files, and the packages that made it (scope "excluded");
                                          its provenance is its manifest.json
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from microstage.files.canonical import digest, file_digest
from microstage_runner.artefacts import cyclonedx, licences, notes
from microstage_runner.artefacts.cyclonedx import Component
from microstage_runner.artefacts.provenance import statement
from microstage_runner.declarations.stages import Stage

__all__ = ["locked", "of_artefact", "of_environment", "of_image", "provenance_of_image", "show", "show_environment"]

_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*])?==([^\s;\\]+)((?:\\\n|[^\n])*)", re.MULTILINE)


def locked(lock: str) -> list[Component]:
    """Return a component per package of a `requirements.lock`; its hashes are those of all the files that the lock
    accepts.
    """
    return [
        cyclonedx.python(name, version, re.findall(r"--hash=sha256:([0-9a-f]{64})", rest))
        for name, version, rest in _PINNED.findall(lock)
    ]


def of_image(image: Any, repository: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bill of an `images.Image` of this `repository`, in which `licences.inventory` found `found`."""
    version = image.recipe[:16]
    own = cyclonedx.component("application", f"microstage-{image.stage}", version, licenses=_own_licence(repository))
    system = found.get("system", {})
    debian = [cyclonedx.debian(entry, system) for entry in found.get("debian", [])]
    lock = (repository / "stages" / image.stage / "requirements.lock").read_text()
    about = cyclonedx.component("container", f"microstage/{image.stage}", version)
    notes = {"recipe": image.recipe, "base": image.base, "libc": image.platform["libc"]}
    return cyclonedx.document(f"image:{image.recipe}", about, [own, *_python(lock, found), *debian], notes)


def of_environment(name: str, lock: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bill of the local environment `name`, likewise."""
    about = cyclonedx.component("platform", name)
    return cyclonedx.document(f"environment:{name}:{digest(lock)}", about, _python(lock, found), {})


def of_artefact(manifest: Mapping[str, Any], repository: Path) -> dict[str, Any]:
    """Return the bill of an artefact: a component per file, and the lock's packages if `repository` still has the
    recipe's lock.
    """
    made, files = manifest["microstage"], [(entry["name"], entry["digest"]["sha256"]) for entry in manifest["subject"]]
    path = f"stages/{made['stage']}/requirements.lock"
    lock = repository / path
    known = lock.is_file() and file_digest(lock) == made["recipe"]["files"].get(path)
    packages = [{**entry, "scope": "excluded"} for entry in locked(lock.read_text())] if known else []
    about = cyclonedx.component("data", made["stage"], made["key"][:16])
    notes = {
        "key": made["key"],
        "recipe": made["recipe"]["digest"],
        "packages": "of its lock" if known else "unknown: its lock is another",
    }
    return cyclonedx.document(
        f"artefact:{made['key']}", about, [*(cyclonedx.file(*file) for file in files), *packages], notes
    )


def provenance_of_image(image: Any, base: Mapping[str, str], repository: Path, context: bytes) -> dict[str, Any]:
    """Return the statement on the image's layers: built by its Dockerfile from `context` (a tar) on `base`
    {"reference", "id"}.
    """
    layers = [
        (f"{image.tag}#layer-{number}", layer.removeprefix("sha256:")) for number, layer in enumerate(image.layers)
    ]
    files = [f"stages/{image.stage}/{name}" for name in ("Dockerfile", "requirements.lock")]
    dependencies = [
        (base["reference"], base["id"].rpartition(":")[2]),
        ("build context", hashlib.sha256(context).hexdigest()),
    ]
    dependencies += [(name, file_digest(repository / name)) for name in files]
    external = {"stage": image.stage, "base": base["reference"]}
    return statement(layers, f"image:{image.stage}", external, {"recipe": image.recipe}, dependencies)


def show(stages: Iterable[Stage], backend: Any, store: Any) -> None:
    """Print where the bills of each stage are, and a table of the licences in the environment that it runs in."""
    for stage in stages:
        path = (
            backend.images.bill(stage.name) if hasattr(backend, "images") else _environment(stage, backend.environments)
        )
        print(f"\n{stage.name}: {path}")
        if latest := store.latest(stage.name):
            print(f"{stage.name}: {store.describe(latest)} (the artefact published last)")
        _print_licences(path)


def show_environment(name: str, python: Path, lock: Path) -> None:
    """Print the same of an environment that no stage runs in: its name, its interpreter, its lock."""
    path = _bill(python.parent.parent, lock)
    print(f"\n{name}: {path}")
    _print_licences(path)


def _print_licences(bill: Path) -> None:
    print("\n".join(licences.table(json.loads(bill.read_text())["components"])), flush=True)


def _environment(stage: Stage, environments: Any) -> Path:
    lock = stage.folder / "requirements.lock"
    return _bill(environments.ensure(stage.python, lock).parent.parent, lock)


def _bill(prefix: Path, lock: Path) -> Path:
    """Write the bill of the virtual environment `prefix`, which holds `lock`, beside it; return where."""
    version = re.search(r"^version_info = (.*)$", (prefix / "pyvenv.cfg").read_text(), re.MULTILINE)
    found = {"packages": licences.python_packages(sorted(prefix.glob("lib/python3*/site-packages")))}
    path = prefix.with_name(f"{prefix.name}.cdx.json")
    notes.write(
        path, of_environment(prefix.name, lock.read_text(), found | ({"python": version[1]} if version else {}))
    )
    return path


def _python(lock: str, found: Mapping[str, Any]) -> list[Component]:
    """Return the lock's packages with the licences that were found, what was found besides them, and CPython."""
    packages = {entry["bom-ref"]: entry for entry in locked(lock)}
    for entry in found.get("packages", []):
        left_out = [f"{why}: {of['files']} files, {of['bytes']} bytes" for why, of in sorted(entry["left_out"].items())]
        component = cyclonedx.python(entry["name"], entry["version"], licenses=entry["licences"], left_out=left_out)
        packages[component["bom-ref"]] = component | packages.get(component["bom-ref"], {})
    return [*packages.values(), *([cyclonedx.cpython(found["python"])] if "python" in found else [])]


def _own_licence(repository: Path) -> list[dict]:
    texts = [path.read_text(errors="replace") for path in sorted(repository.glob("LICEN[CS]E*")) if path.is_file()]
    return [{"license": {"id": name}} for name in map(licences.recognised, texts) if name]
