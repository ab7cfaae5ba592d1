"""What an environment holds, and under which licences, as the packages themselves say it.

`python -I - < licences.py` inside an image prints `inventory()` as JSON: so this file imports the standard library
alone, of CPython 3.10 too. A licence is said as CycloneDX says it: [{"expression": SPDX}] or [{"license": {"name":
text}}, ...]; [] is unknown.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution, PackageMetadata

__all__ = ["debian_packages", "inventory", "python_packages", "recognised", "table"]

# A `License:` field that names something; others hold a copyright line or the whole text.
_NAMES_ONE = re.compile(
    r"\b(0BSD|AFL|Apache|Artistic|BSD|CC0|GPL|LGPL|HPND|ISC|MIT|MPL|PSF|Proprietary|Unlicense|ZPL|zlib)", re.IGNORECASE
)
_TEXTS = {  # the first whose phrases all stand in the text
    "Apache-2.0": ("Apache License", "Version 2.0"),
    "MPL-2.0": ("Mozilla Public License", "2.0"),
    "BSD-3-Clause": ("Redistribution and use in source and binary forms", "ndorse or promote products"),
    "BSD-2-Clause": ("Redistribution and use in source and binary forms",),
    "MIT": ("Permission is hereby granted, free of charge", "The above copyright notice"),
}
_WIDEST = 72


def inventory(environment: Path, base: Path | None, root: Path = Path("/")) -> dict:
    """Return {"python", "packages", "debian", "system"} of an image: its environment, its
    base's packages, its Debian.
    """
    folders = [
        site for prefix in (environment, base) if prefix for site in sorted(prefix.glob("lib/python3*/site-packages"))
    ]
    return {
        "python": platform.python_version(),
        "packages": python_packages(folders),
        "debian": debian_packages(root),
        "system": _fields(_text(root / "etc/os-release").replace("=", ": ").replace('"', "")),
    }


def python_packages(folders: list[Path]) -> list[dict]:
    """Return each distribution in `folders` once: {"name" (as indexes write it), "version", "licences", "left_out"}.

    "left_out" is what microstage/slim.py removed of it: {why: {"files", "bytes"}}.
    """
    from importlib.metadata import distributions  # slow to load, and a finished `make` asks for no licence

    found: dict[tuple[str, str], dict] = {}
    for distribution in distributions(path=[str(folder) for folder in folders]):
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
        if name and version:
            entry = {
                "name": re.sub(r"[-_.]+", "-", name).lower(),
                "version": version,
                "licences": _licences(distribution),
                "left_out": json.loads(distribution.read_text("slim.json") or "{}"),
            }
            found.setdefault((entry["name"], version), entry)
    return [found[key] for key in sorted(found)]


def _licences(distribution: Distribution) -> list[dict]:
    """Return the expression; else a `License:` that names one; else the classifiers; else a licence text that is
    recognised.
    """
    said = distribution.metadata
    if expression := _first(said, "License-Expression"):
        return [{"expression": expression}]
    line = _first(said, "License").strip()
    if "\n" not in line and len(line) <= _WIDEST and _NAMES_ONE.search(line) and not line.startswith("Copyright"):
        return _named([line])
    classifiers = [c.split("::")[-1].strip() for c in said.get_all("Classifier") or [] if c.startswith("License ::")]
    if named := [name for name in classifiers if name != "OSI Approved"]:
        return _named(named)
    texts = [
        distribution.read_text(f"{folder}{name}")
        for name in said.get_all("License-File") or []
        for folder in ("licenses/", "")
    ]
    return _named(sorted({name for text in [*texts, line] if text and (name := recognised(text))}))


def _first(said: PackageMetadata, field: str) -> str:
    """Return what a package says in `field`; "" where it says nothing."""
    return next(iter(said.get_all(field) or ()), "")


def recognised(text: str) -> str | None:
    """Return the SPDX identifier of a well-known licence text."""
    flat = " ".join(text.split())
    return next((name for name, phrases in _TEXTS.items() if all(phrase in flat for phrase in phrases)), None)


def debian_packages(root: Path) -> list[dict]:
    """Return {"name", "version", "architecture", "licences"} of every installed Debian package under `root`; [] on
    another system.
    """
    found = []
    for paragraph in _text(root / "var/lib/dpkg/status").split("\n\n"):
        fields = _fields(paragraph)
        if fields.get("Status", "").endswith(" installed"):
            licences = _named(_debian_licences(_text(root / "usr/share/doc" / fields["Package"] / "copyright")))
            found.append(
                {
                    "name": fields["Package"],
                    "version": fields["Version"],
                    "architecture": fields["Architecture"],
                    "licences": licences,
                }
            )
    return sorted(found, key=lambda package: (package["name"], package["architecture"]))


def _debian_licences(copyright: str) -> list[str]:
    """Return the short names of a machine-readable copyright file; else the common licences that the text points at."""
    if re.match(r"Format(-Specification)?:", copyright):
        named = re.findall(r"^License:(.*)$", copyright, re.MULTILINE | re.IGNORECASE)
        return sorted({name.strip() for name in named} - {""})
    common = set(re.findall(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])", copyright))
    return sorted(common or {name for name in [recognised(copyright)] if name})


def table(components: list[dict]) -> list[str]:
    """Return one line per CycloneDX component (kind, name, version, licence) and a last one that counts them and the
    unknown.
    """
    rows = [("kind", "package", "version", "licence")]
    rows += [(_kind(c), c["name"], c.get("version", ""), _said(c.get("licenses", []))) for c in components]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*(word.ljust(width) for word, width in zip(row, widths)), row[3]]).rstrip() for row in rows]
    unknown = [row[1] for row in rows if row[3] == "unknown"]
    some = f": {', '.join(unknown[:8])}{' ...' if len(unknown) > 8 else ''}" if unknown else ""
    return [*lines, f"{len(rows) - 1} packages, {len(unknown)} of unknown licence{some}"]


def _kind(component: dict) -> str:
    return component.get("purl", "pkg:own/").removeprefix("pkg:").split("/")[0].replace("generic", "base")


def _said(licences: list[dict]) -> str:
    text = ", ".join(
        entry.get("expression") or entry["license"].get("id") or entry["license"]["name"] for entry in licences
    )
    short = text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
    return short or "unknown"


def _named(names: list[str]) -> list[dict]:
    return [{"license": {"name": name}} for name in names]


def _fields(paragraph: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z_-]+): (.*)$", paragraph, re.MULTILINE))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    environment, base = Path(sys.prefix), Path(sys.base_prefix)
    print(json.dumps(inventory(environment, base if base != environment else None)))
