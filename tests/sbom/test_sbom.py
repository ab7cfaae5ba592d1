"""Bills of materials: all that is in the lock or the image is listed, with hashes and licences, and nothing tells the
time.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from places import REPOSITORY

from microstage import slim
from microstage_runner.artefacts import licences, sbom
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines.engine import Engine
from microstage_runner.engines.image_build import context
from microstage_runner.engines.images import Image, Images

STAGES = tuple(load_stages(REPOSITORY))
SHA = "0123456789abcdef" * 4
SCHEMA = JsonStrictValidator(SchemaVersion.V1_5)


def assert_is_cyclonedx(bill: dict) -> None:
    """The schema of 1.5, whole, and what it does not ask: references that are unique, a serial number and no date."""
    found = SCHEMA.validate_str(json.dumps(bill))
    assert found is None, found
    assert bill["specVersion"] == "1.5" and bill["serialNumber"] and "timestamp" not in bill["metadata"]
    references = [component["bom-ref"] for component in [bill["metadata"]["component"], *bill["components"]]]
    assert len(set(references)) == len(references)


def assert_is_provenance(statement: dict) -> None:
    """in-toto Statement v1 with SLSA provenance v1: the required fields, digests per subject, types that are URIs."""
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert set(statement["predicate"]) == {"buildDefinition", "runDetails"}
    definition = statement["predicate"]["buildDefinition"]
    for uri in (definition["buildType"], statement["predicate"]["runDetails"]["builder"]["id"]):
        assert re.match(r"[a-z][a-z0-9+.-]*:\S+$", uri)
    assert isinstance(definition["externalParameters"], dict) and isinstance(definition["internalParameters"], dict)
    for described in [*statement["subject"], *definition["resolvedDependencies"]]:
        assert described["name"] and re.fullmatch("[0-9a-f]+", described["digest"]["sha256"])
    names = [subject["name"] for subject in statement["subject"]]
    assert names and len(set(names)) == len(names)


def described(stage: str) -> Image:
    return Image(
        stage,
        SHA,
        f"microstage/{stage}:{SHA[:16]}",
        "python:3.10@sha256:00",
        {"libc": "glibc 2.36"},
        [f"sha256:{SHA}", "sha256:ab"],
    )


@pytest.mark.parametrize("stage", STAGES)
def test_every_package_of_a_lock_is_listed_with_all_its_hashes(stage):
    """Read here a second time, line by line, so that a package which the reader overlooks is missed."""
    expected: dict[str, set[str]] = {}
    for line in (REPOSITORY / f"stages/{stage}/requirements.lock").read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            current = expected.setdefault(line.split()[0], set())
        elif "--hash=sha256:" in line:
            current.add(line.split("sha256:")[1].split()[0])
    bill = sbom.of_image(described(stage), REPOSITORY, {})
    assert_is_cyclonedx(bill)
    found = {
        f"{c['name']}=={c['version']}": {h["content"] for h in c["hashes"]}
        for c in bill["components"]
        if c["type"] == "library"
    }
    assert found == expected and all(found.values())


def image_root(root: Path) -> Path:
    """A file system with an environment of three distributions, a base with pip, and three Debian packages, one of them
    removed.
    """

    def distribution(prefix: str, name: str, fields: str, **files: str) -> None:
        folder = root / prefix / "lib/python3.10/site-packages" / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{fields}\n\nLicense: no field of the header\n"
        )
        for file, text in files.items():
            (folder / file).write_text(text)

    distribution("venv", "With_Expression", "License-Expression: MIT OR Apache-2.0\nLicense: other")
    distribution(
        "venv", "classified", "License: Copyright 2020 BSD people\nClassifier: License :: OSI Approved :: BSD License"
    )
    distribution("venv", "silent", "License: UNKNOWN", **{slim.NOTE: '{"tests": {"files": 2, "bytes": 30}}'})
    distribution(
        "base",
        "pip",
        "License-File: COPYING",
        COPYING="Permission is hereby granted,\n free of charge ...\nThe above copyright notice ...",
    )
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text(
        "\n\n".join(
            f"Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: 1:2+b~1\nDescription: short\n Version: 9"
            for name, status in [
                ("libstdc++6", "install ok installed"),
                ("bare", "install ok installed"),
                ("gone", "deinstall ok config-files"),
            ]
        )
    )
    (root / "usr/share/doc/libstdc++6").mkdir(parents=True)
    (root / "usr/share/doc/libstdc++6/copyright").write_text(
        "Format: 1.0\nLicense: GPL-3+ with exception\n text\n\nLicense: Expat\n"
    )
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    return root


def test_licences_are_those_that_packages_state_and_the_others_are_counted_as_unknown(tmp_path):
    root = image_root(tmp_path)
    (tmp_path / "stages/train").mkdir(parents=True)
    (tmp_path / "stages/train/requirements.lock").write_text(
        f"with-expression==1.0 \\\n    --hash=sha256:{SHA}\n    # via nothing\n"
    )
    bill = sbom.of_image(described("train"), tmp_path, licences.inventory(root / "venv", root / "base", root))
    assert_is_cyclonedx(bill)
    lines = licences.table(bill["components"])
    assert [re.split(r"  +", line) for line in lines[1:-1]] == [
        ["own", "microstage-train", SHA[:16], "unknown"],
        ["deb", "bare", "1:2+b~1", "unknown"],
        ["deb", "libstdc++6", "1:2+b~1", "Expat, GPL-3+ with exception"],
        ["base", "cpython", sys.version.split()[0], "PSF-2.0"],
        ["pypi", "classified", "1.0", "BSD License"],
        ["pypi", "pip", "1.0", "MIT"],
        ["pypi", "silent", "1.0", "unknown"],
        ["pypi", "with-expression", "1.0", "MIT OR Apache-2.0"],
    ]
    assert lines[-1] == "8 packages, 3 of unknown licence: microstage-train, bare, silent"
    by_name = {component["name"]: component for component in bill["components"]}
    assert by_name["libstdc++6"]["purl"] == "pkg:deb/debian/libstdc%2B%2B6@1:2%2Bb~1?arch=amd64&distro=bookworm"
    assert by_name["silent"]["properties"] == [{"name": "microstage:left-out", "value": "tests: 2 files, 30 bytes"}]
    assert by_name["with-expression"]["hashes"] == [{"alg": "SHA-256", "content": SHA}]


def test_the_provenance_of_an_image_names_its_layers_and_what_it_was_built_from():
    made = sbom.provenance_of_image(
        described("train"),
        {"reference": "python:3.10", "id": f"sha256:{SHA}"},
        REPOSITORY,
        context(REPOSITORY, "train"),
    )
    assert_is_provenance(made)
    assert [subject["digest"]["sha256"] for subject in made["subject"]] == [SHA, "ab"]
    names = [dependency["name"] for dependency in made["predicate"]["buildDefinition"]["resolvedDependencies"]]
    assert names == ["python:3.10", "build context", "stages/train/Dockerfile", "stages/train/requirements.lock"]


class OneImage(Engine):
    """An engine whose images all hold what this machine holds."""

    def call(self, *arguments: str, **options):
        return SimpleNamespace(returncode=0)

    def run(self, *arguments: str, input: bytes | None = None) -> str:
        if "--interactive" in arguments:
            return subprocess.run(
                [sys.executable, *arguments[-2:]], input=input, capture_output=True, check=True, cwd="/"
            ).stdout.decode()
        return '{"python": "3.10.13", "libc": "glibc 2.36"}' if "run" in arguments else f'["sha256:{SHA}"]'


def test_an_image_is_described_when_it_is_built_and_again_when_that_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(Images, "engine", lambda self: OneImage("true", "20.10", "20.10", False))
    images = Images(REPOSITORY, tmp_path)
    recipe = images.ensure("cbackend").recipe
    path, provenance = tmp_path / f".images/{recipe}.cdx.json", tmp_path / f".images/{recipe}.provenance.json"
    bill = json.loads(path.read_text())
    assert_is_cyclonedx(bill)
    assert_is_provenance(json.loads(provenance.read_text()))
    assert sys.version.split()[0] in [
        component["version"] for component in bill["components"] if component["name"] == "cpython"
    ]
    before = path.read_bytes(), provenance.read_bytes()
    path.unlink()
    assert Images(REPOSITORY, tmp_path).bill("cbackend") == path
    assert (path.read_bytes(), provenance.read_bytes()) == before


def test_an_artefact_has_its_bill_beside_it_and_is_itself_provenance(toy):
    (toy.root / "stages/first/requirements.lock").write_text(f"numpy==1.2 --hash=sha256:{SHA}\n")
    assert toy.call("second")[0] == 0
    folder = toy.path("first")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert_is_provenance(manifest)
    path = folder.with_name(f"{folder.name}.run") / "sbom.cdx.json"
    bill = json.loads(path.read_text())
    assert_is_cyclonedx(bill)
    files, (package,) = (
        [c for c in bill["components"] if c["type"] == "file"],
        [c for c in bill["components"] if c["type"] == "library"],
    )
    assert {c["name"]: c["hashes"][0]["content"] for c in files} == {
        s["name"]: s["digest"]["sha256"] for s in manifest["subject"]
    }
    assert (package["name"], package["hashes"][0]["content"], package["scope"]) == ("numpy", SHA, "excluded")
    before = path.read_bytes()
    assert toy.call("first", "FORCE=1")[0] == 0 and toy.call("verify")[0] == 0
    path.unlink()
    (toy.root / "other").mkdir()
    assert toy.call("first", f"VOLUMES={toy.root / 'other'}")[0] == 0
    assert next((toy.root / "other/first").glob("*.run/sbom.cdx.json")).read_bytes() == before


def test_the_bill_of_every_environment_that_is_here_keeps_to_the_schema():
    """Of this test's own at least: what packages really say of their licences."""
    lock = (REPOSITORY / "tests/sbom/requirements.lock").read_text()
    for prefix in {Path(sys.prefix), *(path.parent for path in REPOSITORY.glob("volumes/.env/*/pyvenv.cfg"))}:
        packages = licences.python_packages(sorted(prefix.glob("lib/python3*/site-packages")))
        assert packages
        assert_is_cyclonedx(sbom.of_environment(prefix.name, lock, {"python": "3.11.7", "packages": packages}))


def test_the_schema_refuses_what_is_no_bill():
    bill = sbom.of_environment("any", "thing==1\n", {})
    assert_is_cyclonedx(bill)
    (thing,) = bill["components"]
    short, unknown = [{"alg": "SHA-256", "content": "0"}], [{"license": {"id": "My-Own"}}]
    for wrong in ({"type": "thing"}, {"hashes": short}, {"licenses": unknown}, {"colour": 1}):
        with pytest.raises(AssertionError):
            assert_is_cyclonedx({**bill, "components": [thing | wrong]})


def test_make_sbom_says_where_the_bills_are_and_lists_the_licences_of_one_stage_or_of_all(tmp_path, capsys):
    root = image_root(tmp_path)
    (root / "lock").mkdir()
    (root / "lock/requirements.lock").write_text("absent==3\n")
    (root / "venv/pyvenv.cfg").write_text("version_info = 3.10.13\n")
    environments = SimpleNamespace(folder=tmp_path, ensure=lambda version, lock: root / "venv/bin/python")
    stage = SimpleNamespace(name="train", python="3.10", folder=root / "lock")
    sbom.show([stage], SimpleNamespace(environments=environments), SimpleNamespace(latest=lambda name: None))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"train: {tmp_path / 'venv.cdx.json'}"
    assert lines[-1] == "5 packages, 2 of unknown licence: absent, silent"
    assert_is_cyclonedx(json.loads((tmp_path / "venv.cdx.json").read_text()))
