"""CycloneDX 1.5 documents and their components. Lists are sorted and empty fields left out: equal content gives equal
bytes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

__all__ = ["component", "cpython", "debian", "document", "file", "python"]

Component = dict[str, Any]


def document(
    identity: str, about: Component, components: Iterable[Component], notes: Mapping[str, str]
) -> dict[str, Any]:
    """Return the document on `about`; its serial number follows from `identity`, and `notes` become properties."""
    properties = [{"name": f"microstage:{name}", "value": value} for name, value in sorted(notes.items())]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"urn:microstage:{identity}").urn,
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "microstage"}]},
            "component": about,
            "properties": properties,
        },
        "components": sorted(components, key=lambda entry: entry["bom-ref"].split("@")),
    }


def component(kind: str, name: str, version: str = "", **fields: Any) -> Component:
    """Return a component of CycloneDX type `kind`; its reference is its package URL if it has one. An unknown licence
    is said by saying none.
    """
    reference = fields.get("purl") or f"{kind}:{name}" + (f"@{version}" if version else "")
    entry = {"type": kind, "name": name, "version": version, "bom-ref": reference, **fields}
    return {key: value for key, value in entry.items() if value not in ("", [])}


def python(
    name: str, version: str, hashes: Iterable[str] = (), licenses: Iterable[dict] = (), left_out: Iterable[str] = ()
) -> Component:
    """Return a distribution of a Python package index; `hashes` are SHA-256, `left_out` what is missing of it."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    purl = f"pkg:pypi/{name}@{quote(version, safe='')}"
    properties = [{"name": "microstage:left-out", "value": value} for value in left_out]
    fields = {"hashes": _sha256(hashes), "licenses": list(licenses), "properties": properties}
    return component("library", name, version, purl=purl, **fields)


def debian(entry: Mapping[str, Any], system: Mapping[str, str]) -> Component:
    """Return a package {"name", "version", "architecture", "licences"} of the distribution that os-release calls
    `system`.
    """
    name, version = entry["name"], entry["version"]
    release = f"&distro={system['VERSION_CODENAME']}" if "VERSION_CODENAME" in system else ""
    where = f"pkg:deb/{system.get('ID', 'debian')}/{quote(name, safe='')}@{quote(version, safe=':')}"
    return component(
        "library", name, version, purl=f"{where}?arch={entry['architecture']}{release}", licenses=entry["licences"]
    )


def cpython(version: str) -> Component:
    """Return the interpreter, with the name under which vulnerabilities of it are listed."""
    cpe = f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*"
    return component(
        "platform",
        "cpython",
        version,
        purl=f"pkg:generic/cpython@{version}",
        cpe=cpe,
        licenses=[{"license": {"id": "PSF-2.0"}}],
    )


def file(name: str, sha256: str) -> Component:
    return component("file", name, hashes=_sha256([sha256]))


def _sha256(digests: Iterable[str]) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": value} for value in sorted(set(digests))]
