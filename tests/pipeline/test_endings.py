"""Whatever ends a run (a signal, a reader that goes, a fault, a lack) is one sentence and a code, and leaves nothing
half made.
"""

from __future__ import annotations

import os
import resource
import signal

import pytest

from microstage_runner.artefacts.store import Store

ESCAPE = "\x1b]0;mine\x07\u202e"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_the_stage_and_leaves_no_half_artefact(toy, number, code):
    again = "import os, shutil, signal\nrmtree = shutil.rmtree\ndef removed(path, **how):\n"
    again += f"    if str(path).endswith('/out'): os.kill(os.getpid(), {number})\n"
    again += "    rmtree(path, **how)\nshutil.rmtree = removed\n"
    process = toy.started(
        "first", PYTHONPATH=toy.patched(again)
    )  # while it cleans up: make passes on what the terminal sent to all
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (
        process.returncode == code
        and err == f"microstage: interrupted by {number.name}; nothing half-made was published.\n"
    )
    assert not list((toy.root / "volumes").glob("first/*")) and not list((toy.root / "volumes/.partial").glob("*/out"))
    assert not toy.running()


def test_a_signal_that_is_ignored_from_the_start_stays_so(toy):
    process = toy.start("first", around=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), TOY_SLEEP="1")
    toy.wait_for(toy.log.read_text)
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=60) and process.returncode == 0


def test_a_signal_while_an_artefact_is_published_leaves_all_or_nothing(toy):
    """Behind every renaming of a run, one after the other."""
    source = "import os, signal\nrename, left = os.rename, [int(os.environ.get('AT', 0))]\n"
    source += "def renamed(*names):\n    left[0] -= 1\n    rename(*names)\n"
    source += "    if left[0] == 0: os.kill(os.getpid(), signal.SIGTERM)\n"
    path = toy.patched(source + "os.rename = os.replace = renamed\n")
    for at in range(1, 20):
        cycles = f"CYCLES={at}e-2"
        code, _, err = toy.call("first", cycles, PYTHONPATH=path, AT=str(at))
        assert code in (0, 143) and "Traceback" not in err, err
        assert all(artefact.checked() for artefact in Store(toy.root / "volumes").published("first"))
        assert toy.call("first", cycles)[0] == 0
        if code == 0:
            break
    assert at > 4 and len(Store(toy.root / "volumes").published("first")) == at


def test_a_reader_that_goes_away_ends_nothing_and_nobody_complains(toy):
    process = toy.start("second", TOY_SLEEP="1")
    assert process.stdout.readline().startswith("runner: ")
    process.stdout.close()
    assert process.wait(60) == 0 and process.stderr.read() == ""
    assert toy.path("second").is_dir()
    for words in (("runs",), ("variables",), ("report", "STAGE=second")):
        process = toy.start(*words)
        process.stdout.close()
        assert process.wait(60) == 0 and process.stderr.read() == ""


def test_a_client_of_an_engine_does_not_end_with_the_reader(toy):
    script = "echo 1; while [ ! -e go ]; do sleep 0.05; done; echo 2 || exit 9; echo 3 || exit 9; exit 5"
    text = "from microstage.process.ending import ended\nfrom microstage_runner.engines.relayed import Relayed\n"
    process = toy.python(f"{text}raise SystemExit(ended('client', lambda: Relayed(['sh', '-c', {script!r}]).wait()))")
    assert process.stdout.readline() == "1\n"
    process.stdout.close()
    (toy.root / "go").touch()
    assert process.wait(30) == 5 and process.stderr.read() == ""


def test_an_output_that_is_full_is_told_and_one_that_is_closed_is_none(toy):
    full = lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1)  # noqa: E731
    assert toy.call("variables", around=full) == (2, "", "microstage: No space left on device: standard output.\n")
    assert toy.call("runs", around=lambda: os.close(1))[0] == 0
    assert toy.call("second", around=lambda: os.closerange(0, 3))[0] == 0
    assert (toy.path("second") / "double.txt").read_text() == "0.50.5"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("bytearray(1 << 62)", 2, "microstage first: This needs more memory than the machine, or MEMORY=, has"),
        (
            "raise RuntimeError('[enforce fail] DefaultCPUAllocator: can\\'t allocate memory')",
            2,
            "microstage first: This needs more memory",
        ),
        ("raise MemoryError", 2, "microstage first: This needs more memory"),
        ("def deep(): deep()\n    deep()", 2, "microstage first: What it was given is nested deeper"),
        ("open('/nowhere/at/all')", 2, "microstage first: No such file or directory: /nowhere/at/all."),
        ("os.kill(os.getpid(), 9)", 137, "first ended with code -9 (killed, perhaps for want of memory"),
        ("os.kill(os.getpid(), 15)", 143, "first ended with code 143 (ended by SIGTERM)"),
        (
            f"from microstage.errors import ModelError\n    raise ModelError({ESCAPE!r} + '\\n is no name.')",
            2,
            "microstage first: \\x1b]0;mine\\x07\\u202e\\n is no name.",
        ),
        (f"raise KeyError({ESCAPE!r})", 70, "microstage first: KeyError: "),
    ],
)
def test_what_a_stage_stumbles_over_is_one_sentence_and_a_code(toy, line, code, said):
    source = toy.root / "stages/first/microstage_first/__main__.py"
    source.write_text(source.read_text().replace("def run(job):\n", f"def run(job):\n    {line}\n"))
    found, out, err = toy.call("first")
    *stage, runner = err.splitlines()
    assert found == code and said in err and len(stage) == (0 if line.startswith("os.kill") else 1), err
    assert runner.startswith("microstage: first ended with code") and "nothing was published" in runner
    assert not set(out + err) & set(ESCAPE) - set("0;mine]")
    if code == 70:
        (trace,) = (toy.root / "volumes/.traces").iterdir()
        assert str(trace) in runner and "Traceback" in trace.read_text() and "KeyError" in trace.read_text()


@pytest.mark.parametrize("said", ["lib.so: failed to map segment from shared object", "cannot map zero-fill pages"])
def test_a_library_that_lacks_memory_while_it_is_imported_is_one_sentence(toy, said):
    source = toy.root / "stages/first/microstage_first/__main__.py"
    source.write_text(f"raise ImportError({said!r})\n" + source.read_text())
    code, _, err = toy.call("first")
    assert code == 2 and err.startswith("microstage first: This needs more memory than the machine, or MEMORY=, has")
    assert len(err.splitlines()) == 2, err


def test_a_fault_of_the_runner_is_one_sentence_and_its_trace_is_kept(toy):
    broken = "from microstage_runner.pipeline import runs\n"
    broken += "def listing(*_): raise KeyError('a\\x1bb')\nruns.listing = listing\n"
    code, out, err = toy.call("runs", PYTHONPATH=toy.patched(broken))
    (trace,) = (toy.root / "volumes/.traces").iterdir()
    assert (code, out) == (70, "") and err.count("\n") == 1 and str(trace) in err and "\x1b" not in err
    assert "Traceback" in trace.read_text()


def test_names_out_of_a_users_files_do_not_act_on_a_terminal(toy):
    source = toy.root / "stages/first/microstage_first/__main__.py"
    told = (
        f"    name = {ESCAPE!r} + chr(13)\n    job.log(name)\n    list(job.progress([1], 1, name))\n    print(name)\n"
    )
    told += "    told = {'accuracy': 0.5, 'examples': 1, 'origin': name, 'accuracy_of': {name + chr(10): 0.5}}\n"
    told += "    for key, value in told.items():\n"
    told += "        job.metric('test.' + key, value)\n"
    source.write_text(source.read_text().replace("def run(job):\n", "def run(job):\n" + told))
    for words in (("first",), ("report", "STAGE=first"), ("runs",)):
        code, out, err = toy.call(*words)
        assert code == 0 and "\\x1b]0;mine\\x07\\u202e" in out and not set(out + err) & set("\x1b\x07\u202e"), err
        assert words != ("report", "STAGE=first") or "\\u202e\\r\\n   50.00 %\n" in out, out


@pytest.mark.parametrize("largest", [0, 2000])
def test_a_disk_that_fills_up_publishes_nothing_and_stops_nothing_later(toy, largest):
    """Files that may not grow stand for a full disk: every writer meets them, in the runner and in the stage."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))  # noqa: E731
    assert toy.call("second", "CYCLES=2")[0] == 0
    code, _, err = toy.call("second", around=limit)
    assert code == 2 and "File too large: " in err and "Traceback" not in err and len(err.splitlines()) <= 2, err
    assert not list((toy.root / "volumes").rglob("*.part"))
    (toy.root / "volumes/.cache/digests.json").unlink()
    next((toy.root / "volumes/report").glob("*.html")).unlink()
    for words in (("runs",), ("second", "CYCLES=2"), ("path", "STAGE=first")):
        code, out, err = toy.call(*words, around=limit)
        assert code == 0 and out and not err, err
    assert toy.call("second")[0] == 0 and toy.call("verify", "STAGE=second")[0] == 0
