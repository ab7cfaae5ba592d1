"""What a stage reads is what its key names, from beginning to end; else one sentence, and nothing published."""

from __future__ import annotations

import json
import os
import py_compile
import shutil

import pytest

from microstage.errors import ArtefactError
from microstage.files.canonical import digest, file_digest
from microstage_runner.artefacts import digests
from microstage_runner.artefacts.artefact import manifest_of, read
from microstage_runner.artefacts.digests import Digests

SECOND, FIRST = (f"stages/{stage}/microstage_{stage}/__main__.py" for stage in ("second", "first"))


def refused(done: tuple[int, str, str], *said: object) -> None:
    code, out, err = done
    assert code == 2 and len(err.splitlines()) == 1 and err.startswith("microstage: "), (code, out, err)
    assert all(str(word) in err for word in said), err


def flip(path, bit: int = 3) -> bytes:
    """Change one bit of a file and return what it held."""
    held = path.read_bytes()
    path.write_bytes(held[:-1] + bytes([held[-1] ^ 1 << bit]))
    return held


def published(toy, stage: str) -> list:
    return [path for path in (toy.root / "volumes").glob(f"{stage}/*") if "." not in path.name]


@pytest.fixture
def two_files(toy):
    """The toy, whose first stage writes a file in a folder too; the folder of its artefact."""
    source = toy.root / FIRST
    more = "(job.output / 'deep').mkdir(); (job.output / 'deep' / 'more.bin').write_bytes(b'more')"
    source.write_text(source.read_text().replace("    job.verified", f"    {more}\n    job.verified"))
    for stage in ("first", "second"):
        (toy.root / "stages" / stage / "Dockerfile").write_text("")
    assert toy.call("first")[0] == 0
    return toy, toy.path("first")


USING = [
    ("second",),
    *((command, "STAGE=second") for command in ("pack", "reproduce")),
    *((command, "STAGE=first") for command in ("path", "verify")),
]


def test_one_changed_bit_of_any_file_ends_every_command_that_uses_it(two_files):
    toy, folder = two_files
    toy.ran()
    flip(folder / "number.txt")
    for command in USING:
        refused(toy.call(*command), folder / "number.txt", "was changed after it was published", "remove the folder")
    flip(folder / "number.txt")
    flip(folder / "deep/more.bin")
    refused(toy.call("second"), folder / "deep/more.bin", "was changed after it was published")
    (folder / "number.txt").rename(folder / "number")
    refused(toy.call("second"), folder / "number", "remove the folder")
    assert toy.ran() == [] and not published(toy, "second") and not list(toy.root.glob("*.tar"))


def test_what_is_done_is_not_hashed(two_files):
    toy, folder = two_files
    flip(folder / "number.txt")
    assert toy.call("first")[0] == 0


def test_verify_names_all_that_was_made_from_a_bad_file_whatever_its_parameters(toy):
    third = toy.root / "stages" / "third"
    shutil.copytree(toy.root / "stages" / "second", third)
    (third / "microstage_second").rename(third / "microstage_third")
    for path in (third / "stage.toml", third / "microstage_third/__main__.py"):
        text = path.read_text().replace("second", "third").replace("times", "more")
        for before, after in (("first", "second"), ("number.txt", "double.txt")):
            text = text.replace(before, after)
        path.write_text(text)
    assert toy.call("third", "CYCLES=2")[0] == 0
    apart = toy.path("third", "CYCLES=2")
    assert toy.call("third")[0] == toy.call("second", "TIMES=3")[0] == 0
    made = [toy.path("second"), toy.path("second", "TIMES=3"), toy.path("third")]
    flip(toy.path("first") / "number.txt")
    refused(toy.call("verify", "STAGE=first"), "number.txt was changed", "to be removed and made again", *made)
    assert str(apart) not in toy.call("verify")[2]


def test_two_folders_that_were_exchanged_are_not_found(toy):
    for cycles in ("1", "2"):
        assert toy.call("second", f"CYCLES={cycles}")[0] == 0
    one, two = (toy.path("first", f"CYCLES={cycles}") for cycles in ("1", "2"))
    aside = one.with_name("aside")
    for source, target in ((one, aside), (two, one), (aside, two)):
        source.rename(target)
    toy.ran()
    for words in (("second", "CYCLES=1"), ("report", "CYCLES=1"), ("path", "STAGE=first", "CYCLES=2")):
        refused(toy.call(*words), f"holds another artefact, first {two.name if 'CYCLES=1' in words else one.name}")
    code, out, err = toy.call("runs")
    assert code == 0 and str(one) in err and str(two) in err and "No run yet" in out and toy.ran() == []


BACK = "; open(p, 'wb').write(b)"
EDITS = {
    "its own source": (SECOND, ""),
    "a source that is put back": (SECOND, BACK),
    "its lock": ("stages/second/requirements.lock", ""),
    "a shared module": ("shared/microstage/files/canonical.py", ""),
    "its input": ("INPUT", ""),
    "an input that is put back": ("INPUT", BACK),
    "an input, whereupon it fails": ("INPUT", f"{BACK}; raise SystemExit(3)"),
}


@pytest.mark.parametrize("what", EDITS)
def test_what_is_edited_while_the_stage_runs_ends_it_with_nothing_published(toy, what):
    assert toy.call("first")[0] == 0
    name, then = EDITS[what]
    path = toy.path("first") / "number.txt" if name == "INPUT" else toy.own(name)
    edit = f"p = {str(path)!r}; b = open(p, 'rb').read(); open(p, 'wb').write(b + b' '); (job.scratch / 'kept').touch()"
    refused(toy.call("second", TOY_DOES=edit + then), path, "was changed while second ran")
    assert not published(toy, "second") and not list((toy.root / "volumes/.partial").glob("*/out"))
    checkpoints = list((toy.root / "volumes/.partial").glob("second-*/scratch/kept"))
    assert len(checkpoints) == (0 if name == "INPUT" else 1), "what was computed from other bytes is no checkpoint"
    if name != "INPUT" or then:
        assert toy.call("second")[0] == 0 and len(published(toy, "second")) == 1


@pytest.fixture
def recorded(toy):
    """The toy, whose first stage reads a folder of data; the file in it."""
    declared = toy.root / "stages/first/stage.toml"
    text = declared.read_text().replace("[inputs]\n", '[inputs.data]\nfrom = "dataset"\n')
    declared.write_text(text.replace('default = "generator"', 'default = "folder"\nchoices = ["folder"]'))
    source = toy.root / FIRST
    does = "    exec(os.environ.get('TOY_DOES', ''))\n    job.verified"
    source.write_text(source.read_text().replace("    job.verified", does))
    (toy.root / "data").mkdir()
    (toy.root / "data" / "a.csv").write_text("1\n")
    return toy, toy.root / "data" / "a.csv"


def test_data_that_are_edited_or_added_while_the_stage_runs_end_it(recorded):
    toy, file = recorded
    name = repr(str(file))
    for does, named in ((f"open({name}, 'a').write('2')", file), (f"open({name} + 'x', 'w')", f"{file}x")):
        refused(toy.call("first", f"DATA_DIR={file.parent}", TOY_DOES=does), named)
        assert not published(toy, "first")
    assert toy.call("first", f"DATA_DIR={file.parent}")[0] == 0 and len(published(toy, "first")) == 1


def test_a_file_of_the_users_own_that_is_edited_while_the_stage_runs_ends_it(toy):
    declared, own = toy.root / "stages/second/stage.toml", toy.root / "own.txt"
    user_input = '[user_input.first]\nsummary = "Ours."\nform = "network"\nfiles = { ONNX = "number.txt" }\n'
    text = declared.read_text().replace("[parameters.times]", f"[outputs.network]\n{user_input}[parameters.times]")
    declared.write_text(text)
    own.write_text("7")
    for command in (("second", f"ONNX={own}"), ("second", f"ONNX={own}", "TIMES=3")):
        refused(toy.call(*command, TOY_DOES=f"open({str(own)!r}, 'a').write('8')"), own, "was changed while second ran")
    assert not published(toy, "second") and toy.call("second", f"ONNX={own}")[0] == 0


def test_an_edit_that_sets_the_time_back_is_seen_by_the_key_and_by_the_stage(toy):
    source = toy.root / SECOND
    os.utime(source, (1, 1))
    py_compile.compile(str(source))
    assert toy.call("second")[0] == 0
    source.write_text(source.read_text().replace("write_text(text)", "write_text('9' )"))
    os.utime(source, (1, 1))
    assert toy.call("second")[0] == 0
    assert (toy.path("second") / "double.txt").read_text() == "9"


def test_a_remembered_digest_is_of_a_file_that_was_not_written_since(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_SETTLED_NS", -1)
    memory, file = tmp_path / "digests.json", tmp_path / "file"
    file.write_text("one")
    os.utime(file, (1, 1))
    before = Digests(memory)
    first = before.of(file)
    before.save()
    monkeypatch.setattr(digests, "file_digest", lambda path: "read again")
    assert Digests(memory).of(file) == first
    file.write_text("two")
    os.utime(file, (1, 1))
    assert Digests(memory).of(file) == "read again"


ODD = ('{"files": [], "imports": 3}', '{"files": {"FILE": 1}, "imports": {"SHA": [3]}}')
NO_MEMORIES = ["", "[]", "{", "[" * 100000, *ODD]


@pytest.mark.parametrize("text", NO_MEMORIES)
def test_a_memory_of_digests_that_is_no_such_thing_is_none(tmp_path, text):
    memory, file = tmp_path / "digests.json", tmp_path / "file.py"
    file.write_text("import microstage.stage")
    memory.write_text(text.replace("FILE", str(file)).replace("SHA", file_digest(file)))
    assert Digests(memory).of(file) == file_digest(file) and Digests(memory).imports(file) == ["microstage.stage"]


def test_a_memory_of_digests_that_is_untrue_ends_one_command_and_no_other(toy):
    assert toy.call("second")[0] == 0
    memory = toy.root / "volumes/.cache/digests.json"
    lock, said = toy.root / "stages/second/requirements.lock", {}
    for path in (lock, toy.root / SECOND):
        stat = path.stat()
        said[str(path)] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, "0" * 64]
    memory.write_text(json.dumps({"files": said, "imports": {"0" * 64: ["microstage.stage"]}}))
    toy.ran()
    refused(toy.call("second"), "is not what the key of second was made of")
    assert toy.call("second")[0] == 0 and toy.ran() == [] and len(published(toy, "second")) == 1


def odd_manifests(manifest: dict) -> list[str]:
    """What a manifest is not: other values, other shapes, and sentences that contradict each other."""
    about = manifest["microstage"]
    parts = [
        [], 3, None, "text", {}, {"microstage": {}}, {**manifest, "subject": {}}, {**manifest, "subject": [1]},
        {**manifest, "subject": [{**manifest["subject"][0], "digest": {"sha256": "0" * 64}}]},
        {**manifest, "microstage": {**about, "metrics": {"test.mae.network": 3}}}, {**manifest, "more": 1},
        {**manifest, "microstage": {**about, "parameters": {**about["parameters"], "cycles": 3.0}}},
        {**manifest, "microstage": {**about, "recipe": {"digest": about["recipe"]["digest"]}}},
        manifest_of({**about, "verification": [{"boundary": 1}]}, {}),
        manifest_of({**about, "stage": "../first"}, {}),
        manifest_of({**about, "inputs": {"a": "b"}}, {}),
        manifest_of(about, {"../number.txt": digest(1)}),
    ]  # fmt: skip
    endless = json.dumps(manifest).replace("0.5", "1e999")
    return [*map(json.dumps, parts), "", "{", "[" * 100000, '{"microstage": NaN}', "\udcff", endless]


def test_a_manifest_that_is_none_is_one_sentence_and_never_used(toy):
    assert toy.call("second")[0] == 0
    path = toy.path("first") / "manifest.json"
    stage, key = path.parts[-3:-1]
    toy.ran()
    texts = odd_manifests(json.loads(path.read_text()))
    for text in texts:
        path.write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(ArtefactError, match=f"^{path.parent}.*remove the folder"):
            read(path.parent, stage, key)
    for text, command in zip(texts[::5], (("second",), ("report",), ("verify",), ("pack", "STAGE=second"), ("runs",))):
        path.write_bytes(text.encode(errors="surrogateescape"))
        code, out, err = toy.call(*command)
        assert code == (0 if command == ("runs",) else 2), (text[:80], out, err)
        assert str(path.parent) in err and len(err.splitlines()) == 1, err
    assert toy.ran() == []


def test_the_same_key_made_again_is_not_compared_with_damaged_bytes(toy):
    assert toy.call("first")[0] == 0
    flip(toy.path("first") / "number.txt")
    toy.ran()
    refused(toy.call("first", "FORCE=1"), "number.txt was changed after it was published")
    assert toy.ran() == []
