"""pack on one volume, unpack on another, and home again; foreign code and made-up bundles are refused and leave
nothing.
"""

from __future__ import annotations

import hashlib
import shutil
from types import SimpleNamespace

import pytest
from crafted import rewritten
from toy import Toy

from microstage.files.canonical import digest
from microstage_runner import cli
from microstage_runner.artefacts.recipe import key_of
from microstage_runner.bundles import unpack
from microstage_runner.engines import backend, containers, image_archive, images, local

MODEL = "import os\n"
MODULE = {"model.py": hashlib.sha256(MODEL.encode()).hexdigest()}


def prepared(root, packages):
    """A toy checkout whose second stage may read a module of the user's own."""
    made = Toy(root, packages)
    for stage in ("first", "second"):
        (root / "stages" / stage / "Dockerfile").write_text("")
    declared = root / "stages/second/stage.toml"
    declared.write_text(declared.read_text().replace("[outputs]", '[inputs.own]\nfrom = "module"\n[outputs]'))
    return made


@pytest.fixture
def toy(tmp_path, packages):
    return prepared(tmp_path, packages)


@pytest.fixture
def volumes(tmp_path):
    return {name: tmp_path / name for name in ("home", "away", "other")}


def told(done, code=0):
    assert done[0] == code, done
    return done[1] if code == 0 else done[2]


def test_a_stage_goes_out_and_comes_home_as_make_would_have_made_it(toy, volumes, tmp_path):
    sent, home, away = tmp_path / "sent.tar", f"VOLUMES={volumes['home']}", f"VOLUMES={volumes['away']}"
    told(toy.call("pack", "STAGE=second", "TIMES=3", f"BUNDLE={sent}", home))
    assert toy.ran() == ["first"]
    assert "is done" in told(toy.call("unpack", f"BUNDLE={sent}", away))
    assert toy.ran() == ["second"] and not list(volumes["away"].glob(".partial/bundle*"))
    [back] = tmp_path.glob("*.artefact.tar")
    assert "answers no `make pack`" in told(toy.call("unpack", f"BUNDLE={back}", f"VOLUMES={volumes['other']}"), 2)
    assert not list(volumes["other"].glob("second/*"))
    assert "published" in told(toy.call("unpack", f"BUNDLE={back}", home))
    [made] = volumes["home"].glob("second/*/double.txt")
    assert made.read_text() == "0.5" * 3 and not list(volumes["home"].glob(".partial/bundle*"))
    told(toy.call("second", "TIMES=3", home))
    assert toy.ran() == []
    told(toy.call("second", "TIMES=3", home, "FORCE=1"))  # makes it again, and would name any other byte
    assert toy.ran() == ["second"]


def test_code_of_another_checkout_runs_where_it_is_trusted_and_nowhere_else(toy, volumes, tmp_path):
    sent, away = tmp_path / "sent.tar", f"VOLUMES={volumes['away']}"
    told(toy.call("pack", "STAGE=second", f"BUNDLE={sent}", f"VOLUMES={volumes['home']}"))
    toy.ran()
    source = toy.root / "stages/second/microstage_second/__main__.py"
    source.write_text("raise SystemExit('not what was packed')")
    said = told(toy.call("unpack", f"BUNDLE={sent}", away), 2)
    assert (
        "differ from this checkout, first 'stages/second/microstage_second/__main__.py'" in said and "TRUST=1" in said
    )
    assert said.count("\n") == 1 and toy.ran() == [] and not [p for p in volumes["away"].rglob("*") if p.is_file()]
    assert "is done" in told(toy.call("unpack", f"BUNDLE={sent}", away, "TRUST=1"))
    assert toy.ran() == ["second"]


@pytest.fixture(scope="module")
def sent(tmp_path_factory, packages):
    """(checkout, bundle): what `make pack` wrote of the toy's second stage."""
    toy = prepared(tmp_path_factory.mktemp("toy"), packages)
    told(toy.call("pack", "STAGE=second", f"BUNDLE={toy.root / 'sent.tar'}", f"VOLUMES={toy.root / 'home'}"))
    return toy.root, toy.root / "sent.tar"


class Unasked:
    """What a backend has here, where no stage is to be run."""

    def platform(self, stage):
        return {"python": "3", "libc": "any"}

    def run(self, wanted):
        raise AssertionError(f"{wanted.stage.name} ran")


class Here(Unasked, local.LocalBackend):
    """The toy's backend, which would run a stage on the runner's own interpreter."""


class InContainers(Unasked, containers.DockerBackend):
    """A backend that would run a stage in its image."""


@pytest.fixture
def refused(sent, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(backend, "choose", lambda wanted, repository, volumes: (Here(repository, volumes), "as asked"))

    def refused(change, *words, added=()):
        """What `make unpack` says of the bundle with a changed index, and with files `added`; nothing of it may stay or
        run.
        """
        root, bundle = sent
        changed = shutil.copy(bundle, tmp_path / "sent.tar")
        rewritten(changed, change, added=dict(added))
        code = cli.main(["unpack", f"BUNDLE={changed}", f"VOLUMES={tmp_path / 'away'}", *words], root)
        said = capsys.readouterr()
        assert code == 2 and said.err.count("\n") == 1 and said.err[:-1].isprintable() and len(said.err) < 600, said
        left = {path.parts[-2] for path in tmp_path.rglob("*") if path.is_file()}
        assert left <= {tmp_path.name, ".locks", ".cache"}
        return said.err

    return refused


def _about(**fields):
    return lambda index: index["about"].update(fields)


def _keyed(change):
    """A change whose key fits: whoever makes a bundle up can compute one, too."""

    def with_key(index):
        change(index)
        index["about"]["key"] = key_of(index["about"])

    return with_key


def _recipe(**fields):
    return lambda index: index["about"]["recipe"].update(fields)


MADE_UP = {
    "another kind": ("kind", lambda index: index.update(kind="\x1b[2J")),
    "no kind": ("kind", lambda index: index.pop("kind")),
    "nothing about it": ("about", lambda index: index.update(about=[])),
    "too much about it": ("about", _about(more=1)),
    "a stage elsewhere": ("stage", _keyed(_about(stage="../../evil"))),
    "a stage of lists": ("stage", _about(stage=[["x"] * 9999])),
    "no digest for a key": ("key", _about(key="../evil")),
    "a key of other parameters": (
        "those that its key names",
        lambda index: index["about"]["parameters"].update(times=7),
    ),
    "parameters in a list": ("parameters", _about(parameters=[])),
    "a parameter in a list": ("parameters", _keyed(_about(parameters={"times": [1]}))),
    "a parameter with a line": ("parameters", _keyed(_about(parameters={"times": "1\n2"}))),
    "a parameter that is none": ("TIME=3", _keyed(_about(parameters={"time": 3}))),
    "a parameter out of its range": ("TIMES=10 is not allowed", _keyed(_about(parameters={"times": 10}))),
    "a parameter of another type": ("TIMES=", _keyed(_about(parameters={"times": "2"}))),
    "a parameter too few": ("lacks TIMES", _keyed(_about(parameters={}))),
    "an input elsewhere": ("inputs", _keyed(lambda index: index["about"]["inputs"].update({"../../evil": "0" * 64}))),
    "an input without a digest": ("inputs", lambda index: index["about"]["inputs"].update(first=None)),
    "an input of another digest": ("'first' is not the one", _keyed(_about(inputs={"first": "0" * 64}))),
    "a recipe in words": ("recipe", _about(recipe="none")),
    "a recipe with no CPython": ("recipe", lambda index: index["about"]["recipe"].pop("python")),
    "a recipe of another environment": ("pins other environment", _recipe(environment="0" * 64)),
    "a recipe of another CPython": ("packed for CPython", _recipe(python="2.7")),
    "a CPython in control": ("recipe", _recipe(python="\x1b[2J")),
    "an image that is not listed": ("image", lambda index: index.update(image={})),
    "a base alone": ("image", lambda index: index.update(base={})),
    "a run in a list": ("run", lambda index: index.update(run=[])),
    "a run with a time in words": ("run", lambda index: index.update(run={"started": "now"})),
    "an artefact of nothing": ("has no place", lambda index: index.update(kind="artefact")),
}


@pytest.mark.parametrize(("word", "change"), MADE_UP.values(), ids=MADE_UP)
def test_what_a_bundle_says_of_itself_is_looked_at_first(refused, word, change):
    assert word in refused(change)


@pytest.mark.parametrize("name", ["evil", "inputs/evil/a", "image.tar", "artefact/manifest.json"])
def test_a_file_that_has_no_place_in_a_bundle_is_refused(refused, name):
    assert "has no place" in refused(lambda index: None, "TRUST=1", added={name: b""})


@pytest.mark.parametrize("name", ["checkout/shared/numpy.py", "checkout/stages/second/microstage_second/more.py"])
def test_a_source_more_than_this_checkout_has_is_refused(refused, name):
    assert f"first '{name.removeprefix('checkout/')}'" in refused(lambda index: None, added={name: b"raise SystemExit"})


def test_a_source_less_than_this_checkout_has_is_refused(refused):
    gone = "checkout/stages/second/microstage_second/__init__.py"
    assert "microstage_second/__init__.py'" in refused(lambda index: index["files"].pop(gone), added={gone: None})


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("stage.toml", b"[", "none of a stage"),
        ("stage.toml", b"\xff", "none of a stage"),
        ("stage.toml", b"name = 1", "none of a stage"),
        ("stage.toml", b'name = "../../evil"\npython = "3"\nsummary = ""\n[outputs]', "of another stage"),
        ("stage.toml", None, "none of a stage"),
        ("microstage_second/__main__.py", b"(", "is not Python"),
        ("microstage_second/__main__.py", b"import os", "not those that its key names"),
    ],
)
def test_trusted_sources_that_are_none_are_one_sentence(refused, file, text, said):
    name = f"checkout/stages/second/{file}"
    assert said in refused(lambda index: text is None and index["files"].pop(name), "TRUST=1", added={name: text})


def test_a_module_of_somebodys_is_code_as_well(refused):
    with_module = _keyed(lambda index: index["about"]["inputs"].update(own=digest(MODULE)))
    assert "own, inputs/own/model.py; nothing of it was run" in refused(
        with_module, added={"inputs/own/model.py": MODEL.encode()}
    )


def _with_image(index, **fields):
    made_of = {
        "stage": "second",
        "recipe": "0" * 64,
        "tag": f"microstage/second:{'0' * 16}",
        "base": "python:3",
        "layers": [f"sha256:{'0' * 64}"],
    }
    index.update(
        image={**made_of, "platform": {"python": "3", "libc": "any"}, **fields},
        base={"reference": "python:3", "id": "python:3"},
    )


def test_an_image_is_code_as_well_where_images_are_run(refused, monkeypatch, tmp_path):
    docker = InContainers(tmp_path, tmp_path)
    monkeypatch.setattr(backend, "choose", lambda wanted, repository, volumes: (docker, "as asked"))
    assert "an image of its own, image.tar; nothing of it was run" in refused(
        _with_image, added={"image.tar": b"an archive"}
    )
    for odd in ({"tag": "python:3"}, {"stage": "first"}, {"layers": ["sha256:0"]}, {"recipe": "../x"}, {"more": 1}):
        assert "image is nothing" in refused(
            lambda index, odd=odd: _with_image(index, **odd), "TRUST=1", added={"image.tar": b"an archive"}
        )


@pytest.mark.parametrize("here", [True, False])
def test_an_image_that_is_here_is_never_replaced(tmp_path, monkeypatch, here):
    index, loaded, adopted = {}, [], []
    _with_image(index)
    monkeypatch.setattr(
        images.Images,
        "engine",
        lambda self: SimpleNamespace(call=lambda *words: SimpleNamespace(returncode=int(not here))),
    )
    monkeypatch.setattr(images.Images, "adopt", lambda self, image, base: adopted.append((image.tag, base)))
    monkeypatch.setattr(image_archive, "load", lambda engine, *words: loaded.append(words))
    unpack._loaded_image(tmp_path, index, tmp_path)
    image = index["image"]
    assert adopted == [(image["tag"], index["base"])]  # which looks at its label
    assert loaded == ([] if here else [(tmp_path / "image.tar", image["tag"], image["layers"], image["recipe"])])
