"""Registries: what one machine pushed, another pulls instead of making it, and nothing else is believed."""

from __future__ import annotations

import base64
import hashlib
import json
import time

import oci_registry
import pytest
from toy import Toy

from microstage.errors import EnvironmentProblem, IntegrityError, MicrostageError, ParameterError
from microstage_runner.artefacts.store import Store
from microstage_runner.engines import engine
from microstage_runner.engines.images import Images
from microstage_runner.registry import artefact_registry, chosen_registry
from microstage_runner.registry import client as registry_client
from microstage_runner.registry.client import Registry
from microstage_runner.registry.login import is_safe

LOGIN = base64.b64encode(b"user:secret").decode()


@pytest.fixture
def toy(toy):
    """The toy without a container engine: its stages have no images."""
    toy.variables = {"DOCKER_HOST": "unix:///nowhere/socket"}
    return toy


@pytest.fixture
def server():
    with oci_registry.Server() as ours:
        yield ours
        ours.shutdown()


@pytest.fixture(params=["ours", *(["Debian's"] if oci_registry.DEBIAN else [])])
def registry(request, tmp_path):
    """The name of a registry, group and all."""
    if request.param == "ours":
        yield request.getfixturevalue("server").name + "/group"
        return
    with oci_registry.debian(tmp_path) as name:
        yield name + "/group"


def _bytes(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _published(toy, volumes):
    return [
        path
        for path in (toy.root / volumes).rglob("*")
        if path.is_file() and path.parts[-2] not in (".locks", ".cache")
    ]


def test_what_was_pushed_is_pulled_elsewhere_and_not_made(toy, registry):
    toy.call("second")
    code, out, err = toy.call("push", f"REGISTRY={registry}")
    assert code == 0 and out.count(" pushed\n") == 3 and "no image was pushed" in out, err
    assert toy.call("push", f"REGISTRY={registry}")[1].count("is there already") == 2
    toy.ran()
    there = f"VOLUMES={toy.root / 'there'}"
    code, out, err = toy.call("second", there, f"REGISTRY={registry}")
    assert code == 0 and f"second: pulled from {registry}" in out, err
    assert toy.ran() == []
    for stage in ("first", "second"):
        assert _bytes(toy.path(stage, there)) == _bytes(toy.path(stage))
    assert (toy.path("first", there).stat().st_mode & 0o777) == (toy.path("first").stat().st_mode & 0o777)
    assert toy.call("verify", there)[0] == 0


def test_pull_fetches_as_far_as_the_registry_goes(toy, registry):
    toy.call("second")
    toy.call("push", "STAGE=first", f"REGISTRY={registry}")
    there = f"VOLUMES={toy.root / 'there'}"
    code, out, _ = toy.call("pull", there, f"REGISTRY={registry}")
    assert code == 0 and "first:" in out and "is here" in out and "is not there" in out
    code, _, err = toy.call("pull", "STAGE=second", there, MICROSTAGE_REGISTRY=registry)
    assert code == 2 and f"{registry} has no second of this selection; `make second` makes it." in err
    toy.ran()
    assert toy.call("second", there, MICROSTAGE_REGISTRY=registry)[0] == 0
    assert toy.ran() == ["second"]


def _artefact(toy, server):
    """(name, OCI manifest, manifest.json) of the toy's first stage as it was pushed."""
    toy.call("first")
    assert toy.call("push", "STAGE=first", f"REGISTRY={server.name}")[0] == 0
    ((name, text),) = server.manifests.items()
    manifest = json.loads(text)
    return name, manifest, json.loads(server.blobs[manifest["config"]["digest"]])


def _described(blob, **more):
    return {"digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob), **more}


def _changed_file(server, name, manifest, about):
    server.blobs[manifest["layers"][0]["digest"]] = b"9.9"


def _cut_file(server, name, manifest, about):
    server.blobs[manifest["layers"][0]["digest"]] = b"0"


def _other_file(server, name, manifest, about):
    layer = manifest["layers"][0] | _described(b"9.9")
    server.put(name, manifest | {"layers": [layer]}, b"9.9")


def _other_parameters(server, name, manifest, about):
    about["microstage"]["parameters"]["cycles"] = 4.0
    text = json.dumps(about).encode()
    server.put(name, manifest | {"config": _described(text)}, text)


def _other_stage(server, name, manifest, about):
    about["microstage"]["key"] = "0" * 64
    text = json.dumps(about).encode()
    server.put(name, manifest | {"config": _described(text)}, text)


def _outside(server, name, manifest, about):
    about["subject"][0]["name"] = "../../../number.txt"
    text = json.dumps(about).encode()
    layer = manifest["layers"][0] | {"annotations": {"org.opencontainers.image.title": "../../../number.txt"}}
    server.put(name, manifest | {"config": _described(text), "layers": [layer]}, text)


def _image(server, name, manifest, about):
    server.put(name, {"schemaVersion": 2, "config": _described(b"{}"), "layers": []}, b"{}")


def _no_json(server, name, manifest, about):
    server.manifests[name] = b"<html>"


@pytest.mark.parametrize(
    ("spoil", "said"),
    {
        _changed_file: "other bytes",
        _cut_file: "cut short",
        _other_file: "does not hold the files",
        _other_stage: "is not the artefact",
        _other_parameters: "is not the artefact",
        _outside: "is not an artefact",
        _image: "is not an artefact",
        _no_json: "can be read",
    }.items(),
)
def test_what_was_changed_cut_or_is_foreign_is_one_sentence_and_nothing_written(toy, server, spoil, said):
    name, manifest, about = _artefact(toy, server)
    spoil(server, name, manifest, about)
    toy.ran()
    for command in ("pull", "first"):
        code, _, err = toy.call(command, "STAGE=first", f"VOLUMES={toy.root / 'there'}", f"REGISTRY={server.name}")
        assert code == 2 and said in err and err.count("\n") == 1, err
    assert _published(toy, "there") == [] and toy.ran() == []
    assert not list((toy.root / "there/.partial").glob("*")) and not list(toy.root.rglob("../number.txt"))


@pytest.fixture(scope="module")
def pushed(tmp_path_factory, packages):
    """(manifests, blobs) of a registry that holds the toy's first stage."""
    toy = Toy(tmp_path_factory.mktemp("pushed"), packages)
    with oci_registry.Server() as server:
        toy.call("first", DOCKER_HOST="unix:///nowhere/socket")
        assert toy.call("push", "STAGE=first", f"REGISTRY={server.name}", DOCKER_HOST="unix:///nowhere/socket")[0] == 0
        server.shutdown()
        return server.manifests, server.blobs


@pytest.fixture
def fetched(pushed, server, tmp_path):
    server.manifests, server.blobs = (dict(held) for held in pushed)
    ((name, text),) = server.manifests.items()
    manifest = json.loads(text)
    key = json.loads(server.blobs[manifest["config"]["digest"]])["microstage"]["key"]

    def fetched():
        """The artefact, through the registry as it now is; where that fails nothing of it stays."""
        try:
            return artefact_registry.fetch(Registry(server.name), Store(tmp_path / "there"), "first", key)
        except MicrostageError as error:
            assert str(error).isprintable() and len(str(error)) < 400
            assert not [path for path in (tmp_path / "there").rglob("*") if path.is_file()]
            raise

    return fetched, server, name, manifest


def _layer(**fields):
    return lambda manifest: manifest["layers"][0].update(fields)


def _titled(*names):
    def change(manifest):
        layer = manifest["layers"][0]
        manifest["layers"] = [{**layer, "annotations": {"org.opencontainers.image.title": name}} for name in names]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_layer(size=1 << 60), "has no room"),
        (_layer(size=-1), "not an artefact"),
        (_layer(size=True), "not an artefact"),
        (_layer(size="3"), "not an artefact"),
        (_layer(digest="md5:" + "0" * 32), "not an artefact"),
        (_layer(digest="sha512:" + "0" * 128), "not an artefact"),
        (_titled("a", "a"), "not an artefact"),
        (_titled("a", "A"), "not an artefact"),
        (_titled("a", "a/b"), "not an artefact"),
        (_titled("../a"), "not an artefact"),
        (_titled("/a"), "not an artefact"),
        (_titled("a\x1b[2J"), "not an artefact"),
        (_titled("manifest.json"), "not an artefact"),
        (_titled(["a"]), "not an artefact"),
        (lambda manifest: manifest["config"].update(size=1 << 40), "not an artefact"),
    ],
)
def test_a_manifest_that_declares_what_nothing_here_takes_is_refused(fetched, change, said):
    fetch, server, name, manifest = fetched
    change(manifest)
    server.put(name, manifest)
    with pytest.raises((IntegrityError, EnvironmentProblem), match=said):
        fetch()


@pytest.mark.parametrize(
    "text", [b"[" * 100000, b"[1]", b"\xff", b" " * (1 << 23)], ids=["deep", "a list", "no text", "too long"]
)
def test_a_manifest_that_is_none_is_refused(fetched, text):
    fetch, server, name, _ = fetched
    server.manifests[name] = text
    with pytest.raises(IntegrityError, match="be read|not an artefact"):
        fetch()


def _slowly(handler, count, pause=0.05):
    """Answer with `count` bytes, one after the other, until the caller hangs up."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(count):
            handler.wfile.write(b" ")
            time.sleep(pause)
    except OSError:
        pass
    return True


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_a_registry_that_answers_for_ever_is_left(fetched, monkeypatch, kind):
    fetch, server, _, _ = fetched
    server.odd = lambda handler, path: kind in path and _slowly(handler, 400)
    monkeypatch.setattr(registry_client, "_SECONDS", 1)
    with pytest.raises(EnvironmentProblem, match="does not answer: it took longer than 1 s"):
        fetch()


def test_a_registry_that_sends_more_than_it_declared_is_stopped(fetched):
    fetch, server, _, _ = fetched
    server.odd = lambda handler, path: "blobs" in path and _slowly(handler, 1 << 40, 0)
    with pytest.raises(IntegrityError, match="gave other bytes"):
        fetch()


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://example.org/a", "http://[", "data:,a"]
)
@pytest.mark.parametrize("way", ["down", "up"])
def test_nothing_is_sent_or_taken_where_it_is_not_safe(fetched, tmp_path, place, way):
    fetch, server, _, _ = fetched
    kind = "uploads" if way == "up" else "manifests"
    server.odd = lambda handler, path: (
        kind in path and (handler._answer(202 if way == "up" else 307, Location=place), True)[1]
    )
    (tmp_path / "file").write_text("a file")
    with pytest.raises(EnvironmentProblem, match="sends its caller to|does not answer|answers 307"):
        fetch() if way == "down" else Registry(server.name).put_blob("a", tmp_path / "file", "sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("url", "remote", "local"),
    [
        ("https://example.org/a", True, True),
        ("https://127.0.0.1/a", True, True),
        ("http://127.0.0.1/a", False, True),
        ("http://localhost:1/a", False, True),
        ("http://example.org/a", False, False),
        ("file:///a", False, False),
        ("ftp://127.0.0.1/a", False, False),
        ("https:///a", False, False),
        ("http://127.0.0.1@example.org/a", False, False),
        ("", False, False),
    ],
)
def test_a_registry_elsewhere_sends_its_callers_over_https_alone(url, remote, local):
    assert (is_safe(url, False), is_safe(url, True)) == (remote, local)


@pytest.mark.parametrize("token", ["a\nHost: evil", "a\x00", 7, None, ["a"], "", "ö"])
def test_a_token_that_is_no_header_is_none(token, monkeypatch):
    with oci_registry.Server("login") as server:
        server.odd = lambda handler, path: (
            path == "/token" and (handler._answer(200, json.dumps({"token": token}).encode()), True)[1]
        )
        with pytest.raises(EnvironmentProblem, match="gives this user no token"):
            Registry(server.name).ask() or Registry(server.name).manifest("a", "b")
        server.shutdown()


def test_other_bytes_under_one_key_are_not_pushed_over_what_is_there(toy, server):
    name, manifest, _ = _artefact(toy, server)
    there, kept = f"VOLUMES={toy.root / 'there'}", dict(server.manifests)
    toy.call("first", there, TOY_NOISE="x")
    code, _, err = toy.call("push", "STAGE=first", there, f"REGISTRY={server.name}")
    assert code == 2 and "holds other bytes" in err and server.manifests == kept
    (toy.path("first") / "number.txt").write_text("changed")
    code, _, err = toy.call("push", "STAGE=first", f"REGISTRY={server.name}/elsewhere")
    assert code == 2 and "number.txt was changed" in err and server.manifests == kept


def test_a_registry_that_is_away_is_told_of_once_and_the_work_is_done_here(toy, server):
    server.shutdown()
    server.server_close()
    code, out, _ = toy.call("second", f"REGISTRY={server.name}")
    assert code == 0 and out.count("does not answer") == 1 and toy.ran() == ["first", "second"]
    code, _, err = toy.call("push", f"REGISTRY={server.name}")
    assert code == 2 and "does not answer" in err and err.count("\n") == 1


def test_a_login_buys_tokens_and_goes_to_nobody_else(toy, tmp_path):
    toy.call("second")
    folder = tmp_path / "docker"
    folder.mkdir()
    with oci_registry.Server(LOGIN) as asks, oci_registry.Server() as storage:
        code, _, err = toy.call("push", f"REGISTRY={asks.name}", DOCKER_CONFIG=str(folder))
        assert code == 2 and f"`docker login {asks.name}`" in err and err.count("\n") == 1
        (folder / "config.json").write_text(json.dumps({"auths": {asks.name: {"auth": LOGIN}}}))
        assert toy.call("push", f"REGISTRY={asks.name}", DOCKER_CONFIG=str(folder))[0] == 0
        storage.blobs, asks.elsewhere = asks.blobs, f"http://{storage.name}"
        there = f"VOLUMES={toy.root / 'there'}"
        code, out, err = toy.call("pull", there, f"REGISTRY={asks.name}", DOCKER_CONFIG=str(folder))
        assert code == 0 and out.count("is here") == 2, err
        assert storage.seen and all(said == "" for said, _ in storage.seen)
        assert all(path == "/token" for said, path in asks.seen if said.startswith("Basic"))
        asks.shutdown(), storage.shutdown()


def test_a_login_is_not_sent_to_a_realm_in_the_clear(server, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"example.org": {"auth": LOGIN}}}))
    login = Registry("example.org")._login
    with pytest.raises(EnvironmentProblem, match="is not HTTPS; nothing was sent"):
        login.answer('Bearer realm="http://example.com/token",service="x"')


def test_only_this_machine_is_spoken_to_without_tls():
    for name in ("localhost:5000", "127.0.0.1:5000/a/b", "[::1]:5000"):
        assert Registry(name)._base.startswith("http://")
    for name in ("localhost.example.org", "10.0.0.1:5000", "ghcr.io/group", "127.0.0.1.example.org:5000"):
        assert Registry(name)._base.startswith("https://")
    for name in (
        "http://localhost:5000",
        "group",
        "localhost:5000/",
        "localhost:5000/A",
        "localhost:5000/../x",
        "a.b:5000@c",
        "x y",
    ):
        with pytest.raises(ParameterError, match="expected host:port/prefix"):
            Registry(name)


# A docker that writes down what it was asked, and whose images bear the label {label}.
FAKE = """#!/bin/sh
echo "$*" >> {log}
case "$1" in
version) echo "20.10.24 20.10.24" ;;
build) /bin/cat > /dev/null ;;
pull) case "$3" in python:*) exit 1 ;; esac ;;
image) case "$*" in
  *org.microstage.recipe*) echo {label} ;;
  *.Id*) echo sha256:{stand_in} ;;
  *Layers*) echo '["sha256:aa"]' ;;
  "image inspect microstage/base"*) exit 1 ;;
  esac ;;
run) echo '{{"python": "3.10.13", "libc": "glibc 2.36"}}' ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    (folder / "stages/train").mkdir(parents=True)
    (folder / "shared/microstage").mkdir(parents=True)
    (folder / "stages/train/Dockerfile").write_text("ARG BASE=python:3.10-slim@sha256:00\nFROM ${BASE}\n")
    for name in ("requirements.lock", "stage.toml"):
        (folder / "stages/train" / name).write_text("")
    return folder


@pytest.fixture
def docker(tmp_path, monkeypatch):
    def put(label: str):
        (tmp_path / "bin").mkdir()
        client, log = tmp_path / "bin/docker", tmp_path / "calls"
        client.write_text(FAKE.format(log=log, label=label, stand_in=STAND_IN))
        client.chmod(0o755)
        monkeypatch.setenv("PATH", str(client.parent))
        return log

    engine.find.cache_clear()
    chosen_registry._answering.cache_clear()
    yield put
    engine.find.cache_clear()


STAND_IN = "ab" * 32


@pytest.mark.parametrize(
    "base", ["python:3.10-slim@sha256:00", f"sha256:{STAND_IN}"], ids=["the Dockerfile's base", "a stand-in"]
)
def test_an_image_that_is_there_is_pulled_and_not_built(checkout, docker, server, tmp_path, monkeypatch, base):
    images = Images(checkout, tmp_path / "volumes")
    recipe = images._recipe("train", {"id": base})
    server.put(f"group/microstage/train:{recipe[:16]}", {})
    server.put(f"group/microstage/base:3.10-{STAND_IN}", {})
    monkeypatch.setenv("MICROSTAGE_REGISTRY", f"{server.name}/group")
    log = docker(recipe)
    assert images.ensure("train").recipe == recipe
    calls = log.read_text()
    assert f"pull --quiet {server.name}/group/microstage/train:{recipe[:16]}" in calls and "\nbuild " not in calls
    assert f"tag {server.name}/group/microstage/train:{recipe[:16]} microstage/train:{recipe[:16]}" in calls
    assert images.ensure("train") == Images(checkout, tmp_path / "volumes").ensure("train")


def test_an_image_of_another_recipe_is_refused_and_one_that_is_not_there_is_built(
    checkout, docker, server, tmp_path, monkeypatch
):
    images = Images(checkout, tmp_path / "volumes")
    recipe = images._recipe("train", {"id": "python:3.10-slim@sha256:00"})
    monkeypatch.setenv("MICROSTAGE_REGISTRY", server.name)
    docker("0" * 64)
    assert images.pull("train") is None
    server.put(f"microstage/train:{recipe[:16]}", {})
    with pytest.raises(IntegrityError, match="is refused: it is labelled with the recipe 0000"):
        images.ensure("train")
    assert not (tmp_path / "volumes/.images/bases.json").exists()
