"""What the runner keeps beside artefacts, and what dead processes left: nothing of it stops a command, and it mends
itself.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
from dataclasses import asdict

import pytest

from microstage_runner.artefacts.places import clear
from microstage_runner.cli import main
from microstage_runner.engines import bases
from microstage_runner.engines.images import Image, Images
from microstage_runner.process import REPOSITORY

GARBAGE = [b"", bytes(range(256)), b"[]", b"[" * 100000, None]  # None: a folder in its place
WRONG = [None, [], {}, "text", 1e300]


def _side_files(toy):
    """A finished and a cut-off run, a bundle packed; every file of theirs that is inside no artefact, nor a lock."""
    assert toy.call("second")[0] == 0
    process = toy.started("first", "CYCLES=2")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    volumes = toy.root / "volumes"
    shutil.copytree(toy.path("second"), volumes / "second" / "0123456789abcdef")  # an artefact under another's key
    files = [
        path
        for path in volumes.rglob("*")
        if path.is_file() and "scratch" not in path.parts and ".locks" not in path.parts
    ]
    return [
        path
        for path in files
        if path.parent.parent not in (volumes / "first", volumes / "second") or ".run" in path.parent.name
    ]


def _spoil(path, garbage):
    clear(path)
    path.mkdir() if garbage is None else path.write_bytes(garbage)


def test_no_side_file_that_cannot_be_read_stops_a_command_and_the_next_run_writes_it_anew(toy):
    files = _side_files(toy)
    named = {path.name for path in files if path.parent.name != "report"}
    assert named == {"about.json", "digests.json", "run.json", "sbom.cdx.json"}
    for garbage in GARBAGE:
        for path in files:
            _spoil(path, garbage)
        for words in (("runs",), ("report", "STAGE=second"), ("second",)):
            code, out, err = toy.call(*words)
            assert code == 0 and out, err
            assert all(line.startswith("microstage: ") and err.count(line) == 1 for line in err.splitlines()), err
            assert words != ("runs",) or [
                f"{path} cannot be read" in err for path in files if path.name == "about.json"
            ] == [True], err
    assert toy.call("first", "CYCLES=2")[0] == 0
    code, out, err = toy.call("runs")
    assert code == 0 and out.count("finished") == 2 and "digests" not in err


def test_no_fact_of_the_wrong_kind_in_a_note_stops_a_command(toy, capsys):
    notes = [path for path in _side_files(toy) if path.name in ("about.json", "run.json")]
    for path in notes:
        said = json.loads(path.read_text())
        for name in said:
            for wrong in WRONG:
                path.write_text(json.dumps({**said, name: wrong}))
                assert main(["runs"], toy.root) == 0, (name, wrong)
                assert capsys.readouterr().out.count("\n") >= 2, (name, wrong)


def test_a_note_on_an_image_that_cannot_be_read_is_none(tmp_path):
    images, base = Images(REPOSITORY, tmp_path), {"reference": bases.tag("3.10"), "id": "sha256:0"}
    recipe = images._recipe("train", base)
    image = Image("train", recipe, "tag", "base", {"python": "3.10.13"}, ["sha256:1"])
    whole = {"bases": {"3.10": base}, recipe: asdict(image)}
    wrong = [*GARBAGE, b'{"3.10": {"reference": 1, "id": []}}', json.dumps({**asdict(image), "layers": 3}).encode()]
    for name in whole:
        for note, said in whole.items():
            images._write(note, said)
        assert images.remembered("train") == image
        for garbage in wrong:
            _spoil(images.known / f"{name}.json", garbage)
            assert images.remembered("train") is None


def test_what_dead_processes_left_is_collected_and_nothing_else(toy):
    assert toy.call("first")[0] == 0
    volumes = toy.root / "volumes"
    made = {
        name: volumes / ".partial" / name
        for name in ("own-0", "bundle-1", "second-2/out", "first-3/out", "first-3/scratch", "live-4")
    }
    for place in made.values():
        place.mkdir(parents=True)
    (volumes / ".partial/image-5.tar").write_text("half an image")
    (volumes / ".partial/first-3/about.json").write_text("{}")
    with (volumes / ".locks/live-4").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert toy.call("first", "CYCLES=1")[0] == 0
    assert sorted(path.name for path in (volumes / ".partial").iterdir()) == ["first-3", "live-4"]
    assert not made["first-3/out"].exists() and made["first-3/scratch"].exists()
    assert toy.call("first", "CYCLES=2")[0] == 0
    assert not made["live-4"].exists() and not list((volumes / ".locks").glob("live-*"))


@pytest.mark.parametrize("flock", ["raise OSError(37, 'No locks available')", "return"])
def test_a_volume_that_keeps_no_locks_is_refused(toy, flock):
    """Whether locking fails there, or is granted to everybody."""
    path = toy.patched(f"import fcntl\ndef flock(*_):\n    {flock}\nfcntl.flock = flock\n")
    code, out, err = toy.call("first", PYTHONPATH=path)
    assert code == 2 and "keeps no locks (flock)" in err and err.count("\n") == 1 and not toy.ran()
    assert not (toy.root / "volumes/first").exists()
    assert toy.call("runs", PYTHONPATH=path)[0] == 0
