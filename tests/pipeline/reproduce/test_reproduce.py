"""make reproduce: a stage whose bytes depend on where, when, by whom or on how much it runs is caught, and the byte
named.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from microstage.errors import MicrostageError, VerificationError
from microstage_runner.artefacts.artefact import manifest_of
from microstage_runner.artefacts.store import Store
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.selection import select
from microstage_runner.engines import bases, containers, engine, local
from microstage_runner.engines.images import Image
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.reproduce import conditions, differences, rebuild
from microstage_runner.reproduce.conditions import HERE, Conditions
from microstage_runner.reproduce.reproduce import reproduce

ONLY_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can run a stage as somebody else")
STABLE = "'the same'"


@pytest.fixture
def twice(toy, monkeypatch):
    """Run `second`, which writes what the expression gives, under `make reproduce`; returns its
    Store for the folders.
    """
    monkeypatch.setattr(local.Environments, "ensure", lambda self, version, lock: Path(sys.executable))
    monkeypatch.setattr(local.LocalBackend, "platform", lambda self, stage: {"python": "3", "libc": "any"})
    monkeypatch.setattr(differences, "_DIFFOSCOPE", str(toy.root / "diffoscope"))
    tail = "\nfrom microstage.stage import stage_main\n"
    first = "def run(job):\n    (job.output / 'number.txt').write_text('1')\n"
    (toy.root / "stages/first/microstage_first/__main__.py").write_text(
        first + tail + "raise SystemExit(stage_main('first', run))\n"
    )

    def run(expression: str, name: str = "double.txt", publish: bool = False) -> Store:
        source = (
            f"import os, sys, time, json\ndef run(job):\n    (job.output / 'double.txt').write_text('always')\n"
            f"    (job.output / f'{name}').write_text(str({expression}))\n"
        )
        (toy.root / "stages/second/microstage_second/__main__.py").write_text(
            source + tail + "raise SystemExit(stage_main('second', run))\n"
        )
        stages, volumes = load_stages(toy.root), toy.root / "volumes"
        pipeline = Pipeline(stages, select(stages, {}), toy.root, Store(volumes), local.LocalBackend(toy.root, volumes))
        if publish:
            pipeline.run("second")
        assert reproduce(pipeline, "second") == 0
        return pipeline.store

    return run


def test_a_reproducible_stage_passes_and_leaves_nothing(twice, capsys):
    store = twice(STABLE, publish=True)
    said = capsys.readouterr().out
    assert "second: 2 files, the same bytes twice, and those published before" in said
    assert "TZ=Pacific/Chatham LC_ALL=tr_TR.UTF-8 HOME=/nonexistent; inside, both times: TZ=UTC LC_ALL=C.UTF-8" in said
    assert "umask: 022, then 077" in said and "folder: " in said
    assert list((store.volumes / ".reproduce").iterdir()) == []
    assert len(list(store.volumes.glob("second/*/manifest.json"))) == 1


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("os.getcwd()", id="folder"),
        pytest.param("__file__", id="path of its source"),
        pytest.param("job.inputs['first']", id="path of its input"),
        pytest.param("time.time_ns()", id="time"),
        pytest.param("os.umask(0)", id="umask"),
        pytest.param("os.environ['HOME']", id="home"),
        pytest.param("os.getuid()", id="user", marks=ONLY_ROOT),
        pytest.param(
            "len(os.sched_getaffinity(0))",
            id="cores",
            marks=pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="this machine gives one core"),
        ),
        pytest.param(
            "time.strftime('%Y')",
            id="year",
            marks=pytest.mark.skipif(
                conditions.elsewhere(False).faketime is None, reason="libfaketime is not installed"
            ),
        ),
    ],
)
def test_what_a_stage_must_not_depend_on_is_caught_and_named(twice, expression, tmp_path):
    with pytest.raises(
        VerificationError, match=r"second is not reproducible\. double\.txt differs first at byte \d+ \("
    ) as caught:
        twice(expression)
    assert caught.value.exit_code == 3
    kept = [(tmp_path / f"volumes/.reproduce/second/{run}/out/double.txt").read_text() for run in "ab"]
    assert kept[0] != kept[1]


@pytest.mark.parametrize(
    "expression", ["os.environ.get('TZ')", "os.environ.get('LC_ALL')", "time.tzname", "os.environ.get('LANG')"]
)
def test_the_caller_s_zone_and_locale_do_not_reach_a_stage(twice, expression):
    twice(expression)


def test_a_caller_s_zone_that_does_reach_it_is_caught(twice, monkeypatch):
    kept = local.stage_environment
    monkeypatch.setattr(
        local, "stage_environment", lambda scratch: {**kept(scratch), "TZ": os.environ.get("TZ", "UTC")}
    )
    with pytest.raises(VerificationError, match="double.txt differs first at byte 0"):
        twice("os.environ['TZ']")


def test_a_file_that_one_run_alone_writes_is_named(twice):
    with pytest.raises(VerificationError, match=r"more\.0\d\d was written the first time alone"):
        twice(STABLE, name="more.{os.umask(0):03o}")


def test_the_report_of_diffoscope_is_printed_where_it_is_installed(twice, toy, capsys):
    (toy.root / "diffoscope").write_text('#!/bin/sh\nseq 100; cat "$4"; exit 1\n')
    (toy.root / "diffoscope").chmod(0o755)
    with pytest.raises(VerificationError):
        twice("os.umask(0)")
    assert "\n1\n2\n" in (said := capsys.readouterr().out) and "\n40\n...\n" in said


def test_other_bytes_than_the_published_ones_are_caught(twice, toy):
    store = twice(STABLE, publish=True)
    manifest = next(store.volumes.glob("second/*/manifest.json"))
    about = json.loads(manifest.read_text())["microstage"]
    manifest.write_text(json.dumps(manifest_of(about, {"double.txt": "0" * 64})))
    with pytest.raises(VerificationError, match=r"The published .* has other bytes in double\.txt"):
        twice(STABLE)


def test_a_stage_that_fails_elsewhere_passes_its_code_on(twice):
    with pytest.raises(MicrostageError, match="ended with code 7 when it ran the second time") as caught:
        twice("sys.exit(7) if os.umask(0) == 0o77 else 1")
    assert caught.value.exit_code == 7


def test_what_cannot_be_varied_is_said(twice, monkeypatch, capsys):
    monkeypatch.setattr(conditions, "_FAKETIME", ("/no/such/folder",))
    twice(STABLE)
    assert "NOT VARIED: clock (libfaketime is not installed: `apt-get install libfaketime`)" in capsys.readouterr().out


def zipped(path: Path, date: int = 1980, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (date, 1, 1, 0, 0, 0)), content)
    return path


def field(number: int, content: bytes) -> bytes:
    """A field of a protocol buffers message, shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def onnx(initialiser: bytes = b"w", node: bytes = b"n", producer: bytes = b"x", weight: bytes = b"\0") -> bytes:
    graph = field(1, field(1, b"in") + field(2, b"out") + field(3, node) + field(4, b"Conv")) + field(
        5, field(8, initialiser) + field(9, weight)
    )
    return b"\x08\x08" + field(2, producer) + field(7, graph)


@pytest.mark.parametrize(
    ("suffix", "a", "b", "place"),
    [
        ("npz", {"x.npy": b"1", "y.npy": b"2"}, {"x.npy": b"1", "y.npy": b"3"}, "member y.npy"),
        ("pth", {"x": b"1"}, {"x": b"1", "date": 1999}, "the date of member x"),
        ("npz", {"x.npy": b"1"}, {"z.npy": b"1"}, "member x.npy in one and z.npy in the other"),
        ("json", {"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "/a/b/1: 2 and 3"),
        ("json", {"a": 1, "b": 1}, {"b": 1, "a": 1}, "white space or order alone"),
        ("onnx", onnx(), onnx(weight=b"\1"), "initializer w"),
        ("onnx", onnx(node=b"n"), onnx(node=b"m"), "node n"),
        ("onnx", onnx(node=b"", initialiser=b"a"), onnx(node=b"", initialiser=b"b"), "initializer a"),
        ("onnx", onnx(producer=b"x"), onnx(producer=b"y"), "producer_name"),
        ("onnx", b"no model", b"none", ""),
        ("txt", b"one", b"two", ""),
    ],
)
def test_the_first_difference_is_named_in_the_terms_of_its_format(tmp_path, suffix, a, b, place):
    paths = []
    for name, value in (("a", a), ("b", b)):
        path = tmp_path / f"{name}.{suffix}"
        if isinstance(value, bytes):
            path.write_bytes(value)
        elif suffix == "json":
            path.write_text(json.dumps(value))
        else:
            zipped(path, **value)
        paths.append(path)
    assert differences.place_of(*paths) == place


def test_the_first_differing_byte_is_counted_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(differences, "_BLOCK", 4)
    (tmp_path / "a").write_bytes(b"0123456789")
    (tmp_path / "b").write_bytes(b"01234567_9")
    (tmp_path / "c").write_bytes(b"01234567")
    assert differences.explain(tmp_path / "a", tmp_path / "b") == "byte 8 (10 and 10 bytes long)"
    assert differences.explain(tmp_path / "a", tmp_path / "c") == "byte 8 (10 and 8 bytes long)"


def image(*layers: str) -> Image:
    return Image("toy", "recipe", "microstage/toy:rebuild", "base", {}, list(layers))


class FakeImages:
    """Images whose two builds hold the files that the test says."""

    def __init__(self, root: Path) -> None:
        self.repository = root
        (root / "stages/toy").mkdir(parents=True)
        (root / "stages/toy/Dockerfile").write_text(
            "FROM x\n# COPY no\nCOPY a /a\nRUN one \\\n # RUN no\n && two\nENV A=1\nCOPY b /b\n"
        )

    def engine(self) -> None:
        return None


def test_the_first_layer_that_differs_is_named_with_its_step_and_its_file(tmp_path, monkeypatch):
    facts = {"content": "aa", "date": "1980"}
    builds = iter([{"etc": {"date": "1"}, "opt/x": facts}, {"etc": {"date": "2"}, "opt/x": {**facts, "date": "1999"}}])
    monkeypatch.setattr(rebuild, "_files", lambda engine, tag: next(builds))
    images = FakeImages(tmp_path)
    assert rebuild.different_layer(images, image("1", "2", "3", "4"), image("1", "2", "3", "4")) is None
    said = rebuild.different_layer(images, image("1", "2", "3", "4"), image("1", "2", "x", "y"))
    assert (
        said == "The image of toy has other bytes from layer 3 of 4 on (`RUN one && two`):"
        " /opt/x differs in its date, 1980 and 1999."
    )


def test_a_container_gets_the_same_conditions():
    options, before = conditions.container_options(
        Conditions("077", 65534, 1, Path("/lib/faketime.so")), "microstage_toy"
    )
    assert {"--cpuset-cpus=1", "--env=LD_PRELOAD=/faketime.so", "--env=FAKETIME=+10y"} <= set(options)
    assert "--mount=type=bind,source=/lib/faketime.so,target=/faketime.so,readonly" in options
    assert before[1].startswith("umask 077;") and before[1].endswith('exec python -m microstage_toy "$@"')
    assert conditions.container_options(HERE, "microstage_toy")[0] == ["--entrypoint=sh"]


DOCKERFILE = """ARG BASE=python:{python}-toy@sha256:00
FROM ${{BASE}}
RUN mkdir -p /opt && echo '{{"python": "3", "libc": "any"}}' > /opt/platform.json \\
    && find /opt -exec touch --date=@0 {{}} +
{step}
COPY shared /
COPY stages/{stage} /
ENV PYTHONPATH=/
USER 1000:1000
ENTRYPOINT ["python", "-m", "microstage_{stage}"]
"""


@pytest.fixture
def boxed(toy, twice, monkeypatch):
    """As `twice`, but in containers; `step` stands in the Dockerfile of `second`."""
    found = engine.find()
    if found is None:
        pytest.skip("no docker engine answers: `make doctor` says how to get one")
    python = next((v for v in bases.PYTHONS if not found.call("image", "inspect", bases.tag(v)).returncode), None)
    if python is None:
        pytest.skip("no base image: `make base`")
    chosen = {
        python: {
            "reference": bases.tag(python),
            "id": found.run("image", "inspect", "--format", "{{.Id}}", bases.tag(python)),
        }
    }
    (toy.root / "volumes/.images").mkdir(parents=True)
    (toy.root / "volumes/.images/bases.json").write_text(json.dumps(chosen))
    monkeypatch.setattr(local, "LocalBackend", containers.DockerBackend)

    def run(expression: str, step: str = "") -> Store:
        for stage, its_step in (("first", ""), ("second", step)):
            (toy.root / f"stages/{stage}/Dockerfile").write_text(
                DOCKERFILE.format(python=python, stage=stage, step=its_step)
            )
        return twice(expression)

    yield run
    for stage in ("first", "second"):
        tags = found.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"microstage/{stage}").split()
        found.call("image", "rm", "--force", *tags)


def test_in_containers_the_image_and_the_stage_are_made_twice(boxed, capfd):
    boxed(STABLE)
    said = capfd.readouterr().out
    assert "second: 2 files, the same bytes twice" in said and said.count("  equal ") >= 6 and "layer 1" in said
    there = conditions.elsewhere(container=True)
    varied = {"clock": there.faketime, "user": there.user, "umask": there.umask, "cores": there.core is not None}
    assert [name for name, tried in varied.items() if tried and f"  {name}: " not in said] == []
    assert "NOT VARIED: folder (a container sees /in, /out and /scratch, wherever they are)" in said


def test_an_image_that_holds_the_time_of_its_making_is_caught(boxed):
    with pytest.raises(
        VerificationError,
        match=r"The image of second has other bytes from layer \d of \d on \(`RUN date \+%N > /opt/now`\): /opt",
    ):
        boxed(STABLE, step="RUN date +%N > /opt/now")
