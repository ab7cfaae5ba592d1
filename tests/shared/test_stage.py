"""What a stage is promised, and what it cannot get away with."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from microstage.errors import DatasetError, ModelError, VerificationError
from microstage.files.atomic import half_made, replacing
from microstage.files.canonical import canonical_json, digest, write_json
from microstage.process.progress import progress
from microstage.stage import Job, stage_main
from microstage.untrusted.exceptions import translated
from microstage.untrusted.printable import in_markdown, in_picture, printable


def call(tmp_path, run, *words):
    return stage_main("toy", run, [*words, "--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch")])


def test_a_stage_gets_its_inputs_and_typed_parameters(tmp_path):
    (tmp_path / "data").mkdir()
    seen = {}

    def run(job):
        seen.update(job.parameters, inputs=job.inputs)
        job.metric("error", 0.5)
        job.verified("window", 4, 3, explained_ties=1)

    words = ["--in", f"data={tmp_path / 'data'}", "--set", "cycles=0.5", "--set", 'model="harmonic"', "--set", "seed=1"]
    assert call(tmp_path, run, *words) == 0
    assert seen == {"cycles": 0.5, "model": "harmonic", "seed": 1, "inputs": {"data": tmp_path / "data"}}
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["metrics"] == {"error": 0.5}
    assert report["verification"] == [{"boundary": "window", "compared": 4, "equal": 3, "explained_ties": 1}]


def test_an_error_is_one_line_and_its_code(tmp_path, capsys):
    def run(job):
        raise DatasetError("loads.csv, row 3: the current is not a number.")

    assert call(tmp_path, run) == 2
    assert capsys.readouterr().err == "microstage toy: loads.csv, row 3: the current is not a number.\n"
    assert not (tmp_path / "out/report.json").exists()


@pytest.mark.parametrize(("compared", "equal", "ties"), [(0, 0, 0), (3, 2, 0), (3, 3, 1)])
def test_comparing_nothing_or_an_unexplained_difference_ends_with_code_3(tmp_path, compared, equal, ties):
    assert call(tmp_path, lambda job: job.verified("hidden", compared, equal, ties)) == 3


def test_a_verification_error_names_the_boundary(tmp_path):
    job = Job({}, {}, tmp_path, tmp_path)
    with pytest.raises(VerificationError, match="At hidden 1 of 3"):
        job.verified("hidden", 3, 2)


def test_ctrl_c_ends_quietly(tmp_path, capsys):
    def run(job):
        raise KeyboardInterrupt

    assert call(tmp_path, run) == 130
    assert capsys.readouterr().err == ""


def test_an_output_folder_in_use_is_refused(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").write_text("")
    assert call(tmp_path, lambda job: None) == 2
    assert "is not empty" in capsys.readouterr().err


def test_canonical_json_knows_no_order_and_no_nan():
    assert canonical_json({"b": 1, "a": 0.50}) == b'{"a":0.5,"b":1}'
    assert digest({"x": 1, "y": 2}) == digest({"y": 2, "x": 1}) != digest({"x": 2, "y": 1})
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


def test_text_of_a_users_files_acts_on_no_terminal_page_or_picture():
    hostile = "\x1b[2J\x9b\x7f\r\n\t\0 \u202e\u2066\u2028\ufeff\udc80"
    shown = printable(hostile)
    assert shown.isascii() and shown.isprintable() and printable(hostile, keep="\n").count("\n") == 1
    assert printable("Ω ± 输入 é e\u0301 🙂") == "Ω ± 输入 é e\u0301 🙂"
    page = in_markdown("<script> a`b | [c](d) -> e\n# f")
    assert not set("<`|\n") & set(page) and "](" not in page and in_markdown("y -> z[0]") == "y -> z[0]"
    assert in_picture("$x$") == r"\$x\$"


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path, beside = tmp_path / "note.json", tmp_path / ".note.json.part"
    write_json(path, {"a": 1})
    beside.write_text("what a killed writer left, longer than what is written next " * 9)
    with pytest.raises(ValueError):
        write_json(path, float("nan"))
    with pytest.raises(KeyError), replacing(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_text() == '{\n "a": 1\n}\n' and not beside.exists()
    beside.write_text("left " * 99)
    write_json(path, {"a": 2})
    assert path.read_text() == '{\n "a": 2\n}\n' and [p.name for p in tmp_path.iterdir()] == ["note.json"]


def test_what_is_half_made_lies_beside_and_a_killed_writers_is_removed(tmp_path):
    folder, left = tmp_path / "data", tmp_path / ".data.part"
    left.mkdir()
    (left / "half").write_text("left by a killed one")
    with half_made(folder) as part:
        assert part == left and not list(part.iterdir())
        (part / "whole").mkdir()
        (part / "whole").rename(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_quick_work_is_one_plain_line_in_a_log():
    stream = io.StringIO()
    assert list(progress(range(40), 40, "epochs", stream)) == list(range(40))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1 and lines[-1].startswith("epochs: 40/40") and "\r" not in stream.getvalue()


def test_a_stage_that_wants_more_memory_than_it_may_have_ends_with_one_sentence(tmp_path):
    """Programs in C++ have no class for it; a process of its own, as the limit stays."""
    program = """
import sys
from microstage.process import memory
from microstage.stage import stage_main
memory._of_machine = lambda: 1 << 29
code = stage_main("toy", lambda job: bytearray(1 << 30), ["--out", sys.argv[1], "--scratch", sys.argv[2]])
raise SystemExit(code)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "out"), str(tmp_path / "scratch")]
    done = subprocess.run(command, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and line.startswith("microstage toy: This needs more memory than")


def test_want_of_memory_is_not_taken_for_a_damaged_file():
    for error in (MemoryError(), RuntimeError("std::bad_alloc")):
        with pytest.raises(MemoryError), translated(ModelError):
            raise error
    with pytest.raises(ModelError, match="^the file is of no use$"), translated(ModelError):
        raise ValueError("the file\nis of no use.")
