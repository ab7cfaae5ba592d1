"""`DRY=1` before any command: what it would run, why, at which cost; nothing whatsoever is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from microstage_runner.commands.table import COMMANDS
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines.local import LocalBackend
from microstage_runner.process import REPOSITORY


def everything(folder: Path) -> dict[str, object]:
    """Return every file and folder of a volume, with its bytes and times."""
    return {
        str(path): (path.read_bytes() if path.is_file() else None, path.lstat().st_mtime_ns)
        for path in [folder, *folder.rglob("*")]
    }


def dry(toy, *words: str) -> list[str]:
    """Return what a dry run prints; the checkout's volume is afterwards what it was before."""
    volumes = toy.root / "volumes"
    before = everything(volumes) if volumes.exists() else None
    code, out, err = toy.call(*words, "DRY=1")
    assert code == 0, err
    assert (everything(volumes) if volumes.exists() else None) == before and toy.ran() == []
    return out.splitlines()


def test_a_tree_says_what_is_cached_what_would_run_why_and_at_which_cost(toy):
    assert dry(toy, "second")[1:3] == [
        "second: would run, behind first (no earlier run tells how long)",
        "└─ first: would run: it has never been published here for this network (no earlier run tells how long)",
    ]
    assert toy.call("second")[0] == 0
    assert toy.ran() == ["first", "second"]
    assert [line.split(",")[0] for line in dry(toy, "second")[1:]] == [
        "second: cached",
        "└─ first: cached",
        "total: 0 of 2 steps would run",
    ]
    head, second, change, first, total = dry(toy, "second", "TIMES=3")
    assert "second: would run; against" in second and second.endswith(" s)") and "(about " in second
    assert change.split() == ["parameter", "times:", "2", "->", "3"] and first.startswith("└─ first: cached")
    assert total.startswith("total: 1 of 2 steps would run, about ")
    assert "again and be compared" in dry(toy, "second", "FORCE=1")[1]


def test_commands_that_make_no_stage_show_what_they_make_first(toy):
    assert dry(toy, "path", "STAGE=second")[1:] == ["then: path"]
    lines = dry(toy, "sweep", "CYCLES=0.5,1", "TIMES=2,3", "STAGE=second")
    assert lines[-2].startswith("total: 6 of 6 steps would run") and lines[-1] == "then: sweep"
    assert sum("as above" in line for line in lines) == 2  # one training for two factors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("second", "DRY=2"), "DRY=2 is not allowed: expected 0 or 1."),
        (("second", "CYCLES=9"), "CYCLES=9 is not allowed"),
        (("secnd",), "did you mean second?"),
        (("path", "STAGE=none"), "STAGE=none is not a stage"),
        (("sweep", "CYCLES=0.5,9", "STAGE=second"), "CYCLES=9 is not allowed"),
        (("resume",), "RUN= is missing"),
        (("estimate-file", "FILE=none.cfg"), "FILE=none.cfg is not a file"),
    ],
)
def test_what_the_command_refuses_its_dry_run_refuses(toy, words, said):
    code, out, err = toy.call(words[0], "DRY=1", *words[1:])
    assert code == 2 and said in err and not out and not (toy.root / "volumes").exists()


def test_every_command_has_a_dry_run_that_leaves_an_empty_folder_empty(toy):
    for name in COMMANDS.keys() - {"bench", "footprint", "prove", "chaos", "fuzz"}:  # of whose packages a toy has none
        toy.call(name, "DRY=1")
        assert not (toy.root / "volumes").exists() and toy.ran() == [], name


def test_the_environment_that_would_be_made_has_the_platform_that_it_then_has(tmp_path):
    made, missing = (LocalBackend(REPOSITORY, volumes) for volumes in (REPOSITORY / "volumes", tmp_path))
    for stage in load_stages(REPOSITORY).values():
        foreseen = missing.foreseen(stage)
        assert foreseen.platform == made.platform(stage) and foreseen.lacking.startswith(f"environment {stage.name}-")
    assert not any(tmp_path.iterdir())
