"""What the runner promises: work is done once, for the right reasons, and leaves nothing half done."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from microstage.errors import ConflictError, IntegrityError
from microstage_runner.artefacts.recipe import key_of
from microstage_runner.artefacts.store import Store


def test_a_published_key_is_not_run_again_however_it_is_spelt(toy):
    assert toy.call("second", "CYCLES=0.5")[0] == 0
    assert toy.ran() == ["first", "second"]
    for spelling in ("CYCLES=.5", "CYCLES=0.50", "CYCLES=5e-1"):
        assert toy.call("second", spelling)[0] == 0
    assert toy.ran() == []


def test_a_parameter_reruns_only_what_depends_on_it(toy):
    toy.call("second")
    toy.ran()
    toy.call("second", "TIMES=3")
    assert toy.ran() == ["second"]


def test_an_early_stage_that_gives_equal_bytes_stops_the_rerun(toy):
    toy.call("second", "CYCLES=1")
    toy.ran()
    source = toy.root / "stages/first/microstage_first/__main__.py"
    source.write_text(source.read_text() + "# a comment\n")
    toy.call("second", "CYCLES=1")
    assert toy.ran() == ["first"]


def test_touching_a_source_changes_nothing_and_editing_a_shared_module_changes_its_users_alone(toy):
    toy.call("second")
    toy.ran()
    used = toy.own("shared/microstage/stage.py")
    for path in (used, *(toy.root / "stages").rglob("*.py")):
        os.utime(path, (1, 1))
    toy.call("second")
    assert toy.ran() == []
    unused = toy.root / "shared/microstage/unused.py"
    unused.write_text("x = 1\n")
    toy.call("second")
    assert toy.ran() == []
    used.write_text(used.read_text() + "\n# edited\n")
    toy.call("second")
    assert toy.ran() == ["first", "second"]


def test_swapping_two_inputs_or_renaming_one_changes_the_key():
    made_of = {"stage": "second", "parameters": {"times": 2}, "recipe": {"digest": "r"}}
    keys = {
        key_of({**made_of, "inputs": inputs})
        for inputs in ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a": "1", "c": "2"})
    }
    assert len(keys) == 3


def test_two_at_once_do_the_work_once(toy):
    pair = [toy.start("second", TOY_SLEEP="1") for _ in range(2)]
    assert [p.wait(60) for p in pair] == [0, 0]
    assert sorted(toy.ran()) == ["first", "second"]
    for process in pair:
        process.communicate()


def test_a_killed_run_leaves_no_lock_and_the_next_one_finds_its_scratch(toy):
    process = toy.started("first")
    process.kill()  # the runner alone, as the kernel's out-of-memory killer would
    process.communicate(timeout=10)  # its stage holds the pipe: ends with it
    assert not toy.running()
    assert list((toy.root / "volumes/first").glob("*")) == [] if (toy.root / "volumes/first").exists() else True
    scratch = next((toy.root / "volumes/.partial").glob("first-*/scratch"))
    assert (scratch / "runs").read_text() == "run\n"
    toy.ran()
    assert toy.call("first")[0] == 0
    assert toy.ran() == ["first"]


def test_a_second_result_under_one_key_is_an_error_that_keeps_both(toy):
    toy.call("first")
    code, _, err = toy.call("first", "FORCE=1", TOY_NOISE="x")
    folders = sorted(p.name for p in (toy.root / "volumes/first").iterdir() if not p.name.endswith(".run"))
    assert code == 2 and "number.txt" in err
    assert len(folders) == 2 and folders[1].endswith(".conflict-1")
    assert toy.call("first", "FORCE=1")[0] == 0, "the same bytes again are no conflict"


def test_the_manifest_lists_every_file_and_a_changed_one_is_found(toy):
    toy.call("first")
    folder = toy.path("first")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [s["name"] for s in manifest["subject"]] == ["number.txt"]
    assert manifest["microstage"]["verification"][0]["compared"] == 3
    assert toy.call("verify", "STAGE=first")[0] == 0
    (folder / "number.txt").write_text("tampered")
    code, _, err = toy.call("verify", "STAGE=first")
    assert code == 2 and "number.txt was changed" in err


def test_nothing_in_a_manifest_tells_time_host_or_path(toy):
    toy.call("first")
    text = (toy.path("first") / "manifest.json").read_text()
    assert str(toy.root) not in text and os.uname().nodename not in text


def test_why_names_the_component_that_changed(toy):
    toy.call("second")
    _, out, _ = toy.call("why", "STAGE=second", "TIMES=4")
    assert "parameter times: 2 -> 4" in out
    _, out, _ = toy.call("why", "STAGE=second", "CYCLES=2")
    assert "waits for first" in out and "parameter cycles: 0.5 -> 2.0" in out
    source = toy.root / "stages/second/microstage_second/__main__.py"
    source.write_text(source.read_text() + "# edited\n")
    _, out, _ = toy.call("why", "STAGE=second")
    assert "recipe stages/second/microstage_second/__main__.py" in out
    assert "is done" in toy.call("why", "STAGE=first")[1]


def test_a_misspelt_target_is_named_before_anything_that_stands_behind_it(toy):
    for words in ((), ("MODEL=drawn-resnet8",), ("DRY=1",), ("MACHINE=cortex-m4", "CYCLES=no number")):
        code, _, err = toy.call("secnd", *words)
        assert code == 2 and "secnd is not a target; did you mean second?" in err and len(err.splitlines()) == 1, err


def test_a_misspelt_foreign_or_impossible_variable_is_one_sentence(toy):
    for words, said in {
        ("CYCELS=1",): "did you mean CYCLES?",
        ("CYCLES=5",): "CYCLES=5 is not allowed: expected a number above 0 up to 4 cycles.",
        ("CYCLES=0",): "above 0",
        ("CYCLES=nan",): "expected a number",
        ("TIMES=1.5",): "expected a whole number from 1 up to 9",
        ("MODEL=other", "CYCLES=1"): "CYCLES=1 is no parameter of MODEL=other",
        ("MODEL=none",): "expected one of toy, other",
        ("ONNX=my.onnx",): "ONNX=my.onnx is not allowed",
    }.items():
        code, out, err = toy.call("second", *words)
        assert code == 2 and said in err and err.count("\n") == 1, err
        assert not (toy.root / "volumes").exists()
    assert toy.ran() == []


def test_a_stage_that_fails_publishes_nothing_and_passes_its_code_on(toy):
    source = toy.root / "stages/first/microstage_first/__main__.py"
    source.write_text(source.read_text().replace("job.verified('number', 3, 3)", "job.verified('number', 3, 2)"))
    code, _, err = toy.call("second")
    assert code == 3 and "At number 1 of 3 integers differ" in err
    assert not list((toy.root / "volumes").glob("first/*"))


def test_an_artefact_without_its_manifest_is_one_sentence(toy):
    toy.call("first")
    (toy.path("first") / "manifest.json").unlink()
    code, _, err = toy.call("first")
    assert code == 2 and "has lost its manifest.json; remove the folder" in err


def test_an_output_that_is_declared_and_not_written_is_an_error(toy):
    declared = toy.root / "stages/first/stage.toml"
    declared.write_text(declared.read_text().replace("[outputs]", '[outputs]\n"more.txt" = "more"'))
    code, _, err = toy.call("first")
    assert code == 2 and "first did not write more.txt" in err
    assert not list((toy.root / "volumes").glob("first/*"))


def test_why_compares_with_the_nearest_artefact_not_with_the_last_one(toy):
    toy.call("second", "CYCLES=0.5")
    toy.call("second", "MODEL=other", "TIMES=5")  # another network, published later
    _, out, _ = toy.call("why", "STAGE=second", "CYCLES=0.5", "TIMES=4")
    assert "parameter times: 2 -> 4" in out and "input" not in out
    _, out, _ = toy.call("why", "STAGE=second", "MODEL=other", "TIMES=4")
    assert "parameter times: 5 -> 4" in out and "input" not in out
    source = toy.root / "stages/second/microstage_second/__main__.py"
    source.write_text(source.read_text() + "# edited\n")
    _, out, _ = toy.call("why", "STAGE=second", "CYCLES=0.5")
    assert "recipe" in out and "parameter" not in out and "input" not in out


def test_an_artefact_from_elsewhere_is_adopted_only_with_the_bytes_of_its_manifest(toy, tmp_path):
    toy.call("first")
    published, away = toy.path("first"), Store(tmp_path / "away")
    key = json.loads((published / "manifest.json").read_text())["microstage"]["key"]
    came = away.volumes / ".partial" / "came"
    for name, text in (("number.txt", "tampered"), ("more.txt", "added")):
        shutil.copytree(published, came, dirs_exist_ok=True)
        (came / name).write_text(text)
        with pytest.raises(IntegrityError, match=name):
            away.adopt("first", key, came)
        assert away.find("first", key) is None
        shutil.rmtree(came)
    shutil.copytree(published, came)
    assert away.adopt("first", key, came).checked().name == key[:16]
    noisy = f"VOLUMES={tmp_path / 'noisy'}"
    assert toy.call("first", noisy, TOY_NOISE="x")[0] == 0
    shutil.copytree(toy.path("first", noisy), came)
    with pytest.raises(ConflictError, match="different bytes, first in number.txt; both are kept"):
        away.adopt("first", key, came)


@pytest.mark.parametrize(("words", "said"), [
    (("first", "VECTORS=3"), "VECTORS=3 is nothing that `make first` uses"),
    (("report", "FORCE=1"), "FORCE=1 is nothing that `make report` uses"),
    (("first", "TIMES=3"), "TIMES=3 belongs to second, which `make first` does not reach"),
    (("path", "STAGE=first", "TIMES=3"), "TIMES=3 belongs to second, which `make path` does not reach"),
    (("sweep", "CYCLES=1,2", "FORCE=1"), "FORCE=1 is nothing that `make sweep` uses"),
    (("runs", "CYCLES=1"), "CYCLES=1 is nothing that `make runs` uses"),
    (("variables", "ONNX=a.onnx"), "ONNX=a.onnx is nothing that `make variables` uses"),
    (("accuracy", "ONNX=a.onnx"), "ONNX=a.onnx is nothing that `make accuracy` uses"),
])  # fmt: skip
def test_a_variable_that_a_command_does_not_use_ends_it(toy, words, said):
    code, out, err = toy.call(*words)
    assert code == 2 and said in err and len(err.splitlines()) == 1 and not toy.ran() and not out
