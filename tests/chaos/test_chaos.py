"""The short form of `make chaos`: some tries of each fault over a network's file; what is lost is told."""

from __future__ import annotations

import random
from contextlib import closing

import pytest

from microstage.errors import ParameterError
from microstage_chaos import containers
from microstage_chaos.families import families_named
from microstage_chaos.ground import Ground
from microstage_chaos.outcome import Lost, Skipped, Tally
from microstage_chaos.power import lose
from microstage_chaos.shim import Entry
from microstage_chaos.table import FAULTS, chosen, shown
from microstage_runner.process import REPOSITORY

TRIES = 2
LONG = ("crowd", "memory", "working", "ssh", "containers")
"These take minutes; .ci/run tries what needs an engine."
SHORT = [fault for fault in FAULTS if fault.name not in LONG and not fault.name.endswith("-docker")]


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """The undisturbed run of a small ONNX file, made once."""
    volumes = tmp_path_factory.mktemp("volumes")
    (volumes / ".env").symlink_to((REPOSITORY / "volumes" / ".env").resolve())
    with closing(Ground(REPOSITORY, volumes, tmp_path_factory.mktemp("ground"), families_named("onnx"))) as made:
        yield made


@pytest.mark.parametrize("fault", SHORT, ids=[fault.name for fault in SHORT])
def test_nothing_is_lost(ground, fault):
    try:
        count = fault.count(ground)
    except Skipped as why:
        pytest.skip(str(why))
    for number in sorted(random.sample(range(count), min(TRIES, count))):
        fault.attempt(ground, random.Random(number), number)


def test_an_artefact_that_is_changed_or_gone_is_lost(ground):
    run = ground.runs[0]
    with ground.sandbox(run, 2) as box:
        box.assert_recovers()
        path = next(box.artefact(run.target).rglob("*.c"))
        path.write_bytes(path.read_bytes() + b" ")
        with pytest.raises(Lost, match="half an artefact was published"):
            box.assert_whole()
        with pytest.raises(Lost, match=f"{run.target} is not that of the undisturbed run: .*{path.name} differs"):
            box.assert_same()
    with ground.sandbox(run, 2) as box:
        box.artefact(run.target).rename(box.place / "aside")
        with pytest.raises(Lost, match=f"{run.target}, which was published before, is gone"):
            box.assert_whole()


def test_without_its_syncs_a_store_loses_what_it_said_was_done(ground):
    """What the fault is for: all that publishing syncs is taken out of the journal."""
    run = ground.runs[0]
    with ground.sandbox(run, 1) as box:
        shim = box.watched()
        assert box.make(around=shim.environment()).code == 0
        lose(box.volumes, [entry for entry in shim.journal if entry.what != "S"], random.Random(1))
        with pytest.raises(Lost):
            box.assert_whole()
            box.assert_same()


def test_what_is_not_synced_is_lost_and_what_is_stays(tmp_path):
    kept, cut, unnamed = (tmp_path / name for name in ("kept", "cut", "unnamed"))
    for path in (kept, cut, unnamed):
        path.write_text("text")
    folder = tmp_path.stat().st_ino
    named = [Entry(1, "C", folder, [str(path)]) for path in (kept, cut)]
    written = [Entry(2, "W", path.stat().st_ino, []) for path in (kept, cut, unnamed)]
    synced = [Entry(3, "S", kept.stat().st_ino, []), Entry(4, "S", folder, [])]
    last = [Entry(5, "C", folder, [str(unnamed)])]
    found = set()
    for seed in range(20):
        for path in (cut, unnamed):
            path.write_text("text")
        changed = [Entry(6, "W", path.stat().st_ino, []) for path in (cut, unnamed)]
        lose(tmp_path, [*named, *written, *synced, *last, *changed], random.Random(seed))
        assert kept.read_text() == "text" and cut.exists()
        found |= {(cut.read_text(), unnamed.exists())}
    assert {text for text, _ in found} == {"", "te", "\0" * 4} and {there for _, there in found} == {True, False}


@pytest.mark.parametrize("only", ["kill", "flips:x", "flips,none", "flips:"])
def test_a_fault_that_is_none_is_one_sentence(only):
    with pytest.raises(ParameterError, match=f"ONLY={only} is not allowed: expected some of calls, "):
        chosen(only)


def test_what_is_lost_is_red_and_what_cannot_be_tried_is_named():
    assert chosen("flips:7,kills") == {"flips": [7], "kills": None}
    tallies = [Tally("a", "first", 3), Tally("b", "second", 2, {1: "gone"}), Tally("c", "third", skipped="no engine")]
    lines = shown(tallies, coloured=True).splitlines()
    assert [line.split()[-3:] for line in lines[:2]] == [["tries", "held", "lost"], ["3", "3", "0"]]
    assert lines[2].startswith("\033[31m") and "third (skipped: no engine)" in lines[3]


ALLOWED = {
    "uid": 1000,
    "gid": 1000,
    "groups": [1000],
    "capabilities": {"CapEff": 0, "CapBnd": 0},
    "no_new_privileges": True,
    "interfaces": ["lo"],
    "reached": [],
    "resolved": False,
    "writable": ["/dev/mqueue", "/dev/shm", "/out", "/scratch", "/tmp"],
    "setuid": ["/usr/bin/su"],
    "limits": {"memory": 1 << 30, "swap": 0, "processes": 512},
}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("uid", 0, "runs as 0:1000"),
        ("groups", [0], "runs as"),
        ("capabilities", {"CapBnd": 1}, "has capabilities: CapBnd"),
        ("no_new_privileges", False, "gain privileges"),
        ("interfaces", ["eth0", "lo"], "has a network"),
        ("reached", ["1.1.1.1:443"], "has a network"),
        ("writable", ["/out", "/scratch", "/tmp", "/opt"], "can write to /opt"),
        ("writable", ["/scratch", "/tmp"], "cannot write to /out"),
        ("limits", {"memory": None, "swap": 0, "processes": 512}, "memory is bounded by None"),
        ("limits", {"memory": 1 << 62, "swap": 0, "processes": 512}, "memory is bounded by"),
        ("limits", {"memory": 1 << 30, "swap": 0, "processes": None}, "as many processes"),
    ],
)
def test_what_a_container_may_not_do_is_told(name, value, said):
    assert list(containers.faults_of(ALLOWED, 1 << 30)) == []
    (fault,) = containers.faults_of({**ALLOWED, name: value}, 1 << 30)
    assert said in fault
