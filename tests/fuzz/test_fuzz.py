"""Everything that a fuzzer was begun with, and everything that it found: read, or refused in one sentence."""

import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from microstage.errors import EnvironmentProblem, MicrostageError, ModelError, ParameterError
from microstage_fuzz.campaign import Campaign
from microstage_fuzz.compiled import assert_clang
from microstage_fuzz.judging import fault_of
from microstage_fuzz.libfuzzer import fuzz
from microstage_fuzz.summary import lines
from microstage_fuzz.targets import CRASHES, GENERATED, READERS, TARGETS, inputs_of
from microstage_runner.commands import fuzz as command
from microstage_runner.declarations.stages import load_stage

REPOSITORY = Path(__file__).resolve().parents[2]
_MOST = 1 << 18  # bytes of all inputs that are kept


@pytest.fixture
def campaign(tmp_path):
    (tmp_path / "scratch").mkdir()
    place = partial(command.fuzzing, REPOSITORY)
    return Campaign(REPOSITORY, tmp_path / "kept", tmp_path / "scratch", place, seed=1)


@pytest.mark.parametrize("target", READERS, ids=lambda target: target.name)
def test_what_is_kept_is_read_or_refused_in_one_sentence(target):
    python, environment = command.fuzzing(REPOSITORY, target, bare=True)
    files = [str(path) for folder in inputs_of(target, REPOSITORY) for path in sorted(folder.iterdir())]
    words = [str(python), "-m", "microstage_fuzz", target.name, "--replay", *files]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert files


@pytest.mark.parametrize("name", ["manifest", "npz", "csv"])
def test_a_few_seconds_of_fuzzing_find_nothing(campaign, name):
    outcome = campaign.run(TARGETS[name], seconds=4)
    assert (outcome.crashes, outcome.failed) == ([], "")
    assert outcome.inputs > 20 and outcome.features > outcome.covered / 2 > 0


def test_generated_c_is_clean_on_inputs_that_found_a_fault_before_and_on_new_ones(campaign):
    try:
        assert_clang(campaign.scratch)
    except EnvironmentProblem as problem:
        pytest.skip(str(problem))
    found = REPOSITORY / CRASHES / GENERATED.name
    for path in sorted(found.iterdir()) if found.is_dir() else []:
        assert campaign.replayed(path) == []
    outcome = campaign.run(GENERATED, seconds=1)
    assert (outcome.crashes, outcome.failed) == ([], "") and outcome.inputs > 100


def test_a_fault_in_c_is_found_and_kept(tmp_path):
    try:
        assert_clang(tmp_path)
    except EnvironmentProblem as problem:
        pytest.skip(str(problem))
    (tmp_path / "wrong.c").write_text(
        "#include <stddef.h>\n#include <stdint.h>\nint LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)\n"
        "{ int a[4] = {0}; return n > 1 && d[0] == 77 && a[d[1] & 7] == 9; }\n"
    )
    build = [
        "clang",
        "-O0",
        "-fsanitize=fuzzer,address,undefined",
        "-fno-sanitize-recover=all",
        "wrong.c",
        "-o",
        "wrong",
    ]
    subprocess.run(build, cwd=tmp_path, check=True)
    (tmp_path / "found").mkdir()
    outcome = fuzz([str(tmp_path / "wrong")], [], tmp_path / "found", seconds=6, seed=1)
    assert outcome.crashes and outcome.crashes[0].read_bytes()[:1] == b"M" and not outcome.failed
    assert "1" in lines({"wrong": outcome})[1]


def test_anything_but_one_sentence_is_a_fault(tmp_path):
    def ending(error):
        def read(data, folder):
            raise error

        return fault_of(read, b"", tmp_path)

    assert ending(ModelError("There is no layer.")) is None and ending(RecursionError()) is None
    kinds = [ending(error).kind.split()[0] for error in (KeyError("x"), MemoryError(), MicrostageError(" "))]
    assert kinds == ["KeyError", "MemoryError", "sentence"]
    assert ending(ModelError("x" * 5000)) is not None


def test_a_target_that_this_machine_lacks_something_for_is_named_in_the_table(monkeypatch, capsys):
    def lacking(_):
        raise EnvironmentProblem("clang is missing.")

    monkeypatch.setattr("microstage_fuzz.campaign.assert_clang", lacking)
    assert command.command({"TARGET": "msn,c", "SECONDS": "1"}, REPOSITORY) == 1
    said = capsys.readouterr().out
    assert "msn did not run: clang is missing." in said and "c did not run: clang is missing." in said


def test_inputs_that_are_kept_stay_small():
    kept = [path for path in (REPOSITORY / "tests" / "fuzz").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in kept) < _MOST


@pytest.mark.parametrize(
    "typed, said",
    [({"TARGET": "onx"}, "onx is no target"), ({"SECONDS": "0"}, "SECONDS=0"), ({"SEED": "x"}, "SEED=x")],
)
def test_what_cannot_be_fuzzed_is_one_sentence(typed, said):
    with pytest.raises(ParameterError, match=said):
        command.planned(typed, REPOSITORY)


@pytest.mark.parametrize(
    "before, after, said",
    [
        ('role = "integers"', 'rule = "integers"', "rule is no entry"),
        ("memory_mib = 64", "memory_mib = true", "memory_mib is True"),
        ("memory_mib = 64", "memory_mib = 0", "from 1 on"),
        ('from = "qcdq"', "", "inputs.a has no entry from"),
        ("default = 0.5", 'default = "x"', "no float"),
        ("default = 1\n", "default = 1e999\n", "no int"),
        ("default = 0.5", f"default = 1{'0' * 400}", "less than 2"),
        ('choices = ["", "int8"]', "choices = [[]]", "single values"),
        ('type = "bool"', 'type = "byte"', "expected one of int"),
        ("[resources]", "[resources", "is no TOML"),
    ],
)
def test_a_declaration_of_a_stage_that_has_another_form_is_named(tmp_path, before, after, said):
    text = (REPOSITORY / "tests/fuzz/corpus/stage-toml/parameters.toml").read_text()
    assert before in text
    (tmp_path / "stage.toml").write_text(text.replace(before, after))
    with pytest.raises(ParameterError, match=said):
        load_stage(tmp_path / "stage.toml")
    shutil.copy(REPOSITORY / "tests/fuzz/corpus/stage-toml/parameters.toml", tmp_path / "stage.toml")
    assert load_stage(tmp_path / "stage.toml").parameters["rate"].default == 0.5
