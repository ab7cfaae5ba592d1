"""Image archives of others: what reaches an engine is the one image that was expected, under its own name."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest

from microstage.errors import IntegrityError
from microstage_runner.engines import image_archive
from microstage_runner.engines.engine import Engine

NAME, RECIPE = "microstage/train:0011223344556677", "0011223344556677" * 4
LAYERS = [b"a layer" * 2000, b"another" * 10, b"a layer" * 2000]  # one that is there twice


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


DIFF_IDS = [f"sha256:{sha(layer)}" for layer in LAYERS]


def config(**fields) -> bytes:
    labels = {"Labels": {"org.microstage.recipe": RECIPE}}
    return json.dumps({"config": labels, "rootfs": {"type": "layers", "diff_ids": DIFF_IDS}, **fields}).encode()


def saved(text: bytes = b"", **fields) -> dict[str, bytes | str]:
    """{name: bytes, or where a link leads} as Docker 20.10 saves an image."""
    text = text or config()
    manifest = {
        "Config": f"{sha(text)}.json",
        "RepoTags": [NAME],
        "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"],
        **fields,
    }
    return {
        "a/layer.tar": LAYERS[0],
        "a/json": b"{}",
        "b/layer.tar": LAYERS[1],
        "c/layer.tar": "../a/layer.tar",
        f"{sha(text)}.json": text,
        "manifest.json": json.dumps([manifest]).encode(),
        "repositories": b'{"microstage/train":{"0011223344556677":"c"}}',
    }


def saved_lately() -> dict[str, bytes | str]:
    """The same as Docker 29 does, whose layers may be packed."""
    blobs = {f"blobs/sha256/{sha(data)}": data for data in (config(), gzip.compress(LAYERS[0]), LAYERS[1])}
    names = list(blobs)
    manifest = [{"Config": names[0], "RepoTags": [NAME], "Layers": [*names[1:], names[1]], "LayerSources": {}}]
    return {**blobs, "manifest.json": json.dumps(manifest).encode(), "index.json": b"{}", "oci-layout": b"{}"}


@pytest.fixture
def archive(tmp_path):
    def archive(files):
        path = tmp_path / "image.tar"
        with tarfile.open(path, "w") as opened:
            for name, data in files.items() if isinstance(files, dict) else files:
                member = tarfile.TarInfo(name)
                if isinstance(data, bytes):
                    member.size = len(data)
                else:
                    member.type, member.linkname = tarfile.SYMTYPE, data
                opened.addfile(member, io.BytesIO(data if isinstance(data, bytes) else b""))
        return path

    return archive


@pytest.fixture
def engine(tmp_path):
    """An engine that keeps what it is told to load."""
    client = tmp_path / "docker"
    client.write_text(f"#!/bin/sh\ncat > {tmp_path}/loaded\n")
    client.chmod(0o755)
    return Engine(str(client), "", "", False)


@pytest.mark.parametrize("files", [saved(), saved_lately()], ids=["Docker 20.10", "Docker 29"])
def test_the_engine_is_given_the_image_and_nothing_else(archive, engine, tmp_path, files):
    image_archive.load(engine, archive({**files, "more": b"of something else"}), NAME, DIFF_IDS, RECIPE)
    with tarfile.open(tmp_path / "loaded") as loaded:
        given = {member.name: loaded.extractfile(member).read() for member in loaded if member.isreg()}
    layers = {f"{sha(layer)}.tar": layer for layer in LAYERS}
    [manifest] = json.loads(given.pop("manifest.json"))
    assert manifest == {
        "Config": f"{sha(config())}.json",
        "RepoTags": [NAME],
        "Layers": [f"{d[7:]}.tar" for d in DIFF_IDS],
    }
    assert given == {f"{sha(config())}.json": config(), **layers}


def _manifest(*images) -> dict:
    return {**saved(), "manifest.json": json.dumps(images).encode()}


ONE = json.loads(saved()["manifest.json"])[0]
FOREIGN = {
    "another name": saved(RepoTags=["python:3.10"]),
    "a second name": saved(RepoTags=[NAME, "python:3.10"]),
    "no name": saved(RepoTags=None),
    "a second image": _manifest(ONE, {**ONE, "RepoTags": ["python:3.10"]}),
    "no image": _manifest(),
    "a name twice": [*saved().items(), ("manifest.json", saved(RepoTags=["python:3.10"])["manifest.json"])],
    "a name as engines read it": _manifest({**ONE, "repotags": ["python:3.10"]}),
    "another layer": {**saved(), "b/layer.tar": b"evil" * 10},
    "a layer too few": saved(Layers=["a/layer.tar", "b/layer.tar"]),
    "a layer elsewhere": {**saved(), "b/layer.tar": "/etc/passwd"},
    "a layer out of it": {**saved(), "b/layer.tar": "../../b"},
    "a layer in a circle": {**saved(), "b/layer.tar": "layer.tar"},
    "a layer that is cut": {**saved(), "b/layer.tar": gzip.compress(LAYERS[1])[:20]},
    "no configuration": saved(Config="none.json"),
    "another configuration": {**saved(), f"{sha(config())}.json": config(author="evil")},
    "a configuration that is none": saved(b"[]"),
    "another recipe": saved(config(config={"Labels": {"org.microstage.recipe": "0" * 64}})),
    "no recipe": saved(config(config={})),
    "other layers": saved(config(rootfs={"diff_ids": DIFF_IDS[:1]})),
    "no manifest": {"repositories": b"{}"},
    "nothing": {},
    "a manifest too deep": {**saved(), "manifest.json": b"[" * 100000},
    "a manifest that is none": {**saved(), "manifest.json": b"\xff"},
    "layers that are no list": saved(Layers=7),
    "a manifest as a link": {**saved(), "manifest.json": "a/json"},
}


@pytest.mark.parametrize("files", FOREIGN.values(), ids=FOREIGN)
def test_an_archive_that_holds_anything_else_does_not_reach_the_engine(archive, engine, tmp_path, files):
    with pytest.raises(IntegrityError, match=r"The image archive image\.tar is refused: ") as error:
        image_archive.load(engine, archive(files), NAME, DIFF_IDS, RECIPE)
    assert str(error.value).isprintable() and len(str(error.value)) < 300 and not (tmp_path / "loaded").exists()


def test_a_layer_that_bursts_is_refused_though_it_is_the_one_of_its_digest(archive):
    bursting = bytes(1 << 26)
    about = json.dumps({"config": {}, "rootfs": {"diff_ids": [f"sha256:{sha(bursting)}"]}}).encode()
    files = {**saved(about, Layers=["a/layer.tar"]), "a/layer.tar": gzip.compress(bursting)}
    with pytest.raises(IntegrityError, match=r"is refused: What came has more than \d MiB"):
        image_archive.read(archive(files), NAME, [f"sha256:{sha(bursting)}"])


@pytest.mark.parametrize(
    "fields",
    [
        {"type": tarfile.GNUTYPE_SPARSE},
        {"type": tarfile.XHDTYPE, "size": 1 << 33},
        {"type": tarfile.GNUTYPE_LONGNAME, "size": 1 << 33},
        {"size": -1024},
        {"size": 1 << 40},
        {"pax_headers": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}},
    ],
    ids=["sparse", "header", "name", "below zero", "cut", "sparse since 1.0"],
)
def test_a_tar_that_is_made_up_is_refused(archive, engine, tmp_path, fields):
    path = archive(saved())
    member = tarfile.TarInfo("b/layer.tar")
    for name, value in fields.items():
        setattr(member, name, value)
    kind = tarfile.PAX_FORMAT if "pax_headers" in fields else tarfile.GNU_FORMAT
    path.write_bytes(member.tobuf(kind) + path.read_bytes())
    with pytest.raises(IntegrityError, match="is refused"):
        image_archive.load(engine, path, NAME, DIFF_IDS, RECIPE)
    assert not (tmp_path / "loaded").exists()
