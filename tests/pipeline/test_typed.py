"""What a user types reaches the runner letter by letter: make expands and runs nothing of it, wherever it stands."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import REPOSITORY

from microstage_runner.session import split_words

_PROBE = r"""#!/bin/sh
# In place of an interpreter: writes down what follows `-m microstage_runner`, and the environment.
shift 2
{ printf '%s\0' "$@"; printf '\1'; env -0; printf '\2'; } >>told
"""
_NO_RUNNER = ("help",)  # targets that hand nothing on
TARGETS = [
    name
    for line in re.findall(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    for name in line.split()
]
HOSTILE = "$(shell touch ran)`touch ran`$$(touch ran);touch ran&\"'\\ a$b ${HOME}#%*,=é\t!) "


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """This repository's Makefile, above an interpreter that writes down what it was told."""
    root = tmp_path_factory.mktemp("typed")
    (root / "Makefile").symlink_to(REPOSITORY / "Makefile")
    (root / "probe").write_text(_PROBE)
    (root / "probe").chmod(0o755)
    return root


def told(root: Path, *words: str, **environment: str) -> list[tuple[list[str], dict[str, str]]]:
    """[(arguments, environment)] of each call of the runner that `make words` makes; nothing else may have happened."""
    around = {"PATH": os.environ["PATH"], "HOME": str(root), "LC_ALL": "C.UTF-8", "PYTHON": "./probe", **environment}
    done = subprocess.run(["make", *words], cwd=root, env=around, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (root / "ran").exists(), f"make {words} ran what was typed"
    calls = [call.split("\1") for call in (root / "told").read_bytes().decode().split("\2")[:-1]]
    (root / "told").unlink()
    return [(arguments.split("\0")[:-1], split_words(around.split("\0")[:-1])) for arguments, around in calls]


def variables(arguments: list[str]) -> dict[str, str]:
    return split_words([word for word in arguments if re.match(r"[A-Z_a-z'%.;]+=", word)])


def test_every_target_hands_on_what_was_typed_and_exports_nothing_of_it(checkout):
    targets = [target for target in TARGETS if target not in _NO_RUNNER]
    typed = {
        "STAGE": HOSTILE,
        "VOLUMES": HOSTILE,
        "TESTS": HOSTILE,
        "VENDOR": HOSTILE,
        "NAME": "",
        "typed": "1",
        "%": "2",
        "a'b": "3",
        "MICROSTAGE": "touch ran;",
        "SHELL": "false",
        "DISPLAY": HOSTILE,
    }
    calls = told(checkout, *targets, *(f"{name}={value}" for name, value in typed.items()))
    assert len(calls) == len(targets)
    for arguments, environment in calls:
        assert variables(arguments) == typed, arguments
        assert not environment.keys() & typed.keys() - {"SHELL"}
        assert environment["MICROSTAGE_VENDOR"] == HOSTILE and "ran" not in environment["MAKEFLAGS"]


@pytest.mark.parametrize("target", _NO_RUNNER)
def test_a_target_that_hands_nothing_on_runs_nothing_of_it_either(checkout, target):
    told(checkout, "variables", target, f"STAGE={HOSTILE}", f"TESTS={HOSTILE}")


# Every character but those that end a line; make itself drops blanks at the beginning of a value.
_TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\n\0\1\2"), max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {
            name: st.one_of(_TEXT, st.text("$(){}'\"\\#%*`;& \ta,=:!", max_size=12))
            for name in ("STAGE", "ONNX", "NAME", "x.y")
        }
    )
)
def test_any_text_arrives_as_it_was_typed(checkout, typed):
    ((arguments, _),) = told(checkout, "path", *(f"{name}={value}" for name, value in typed.items()))
    assert variables(arguments) == {name: value.lstrip(" \t\r\v\f") for name, value in typed.items()}


def test_a_target_that_is_none_arrives_as_it_was_typed(checkout):
    goal = "$(shell touch ran)`touch ran`$$(touch ran);touch ran&\"'\\ a$b ${HOME}*,é!"
    assert told(checkout, goal, "STAGE=x")[0][0] == [goal, "STAGE=x"]


def test_variables_of_the_environment_are_not_expanded_and_those_of_makeflags_are_typed(checkout):
    ((arguments, environment),) = told(checkout, "-e", "path", STAGE=HOSTILE, typed=HOSTILE, quoted=HOSTILE)
    assert arguments == ["path"] and environment["STAGE"] == HOSTILE
    ((arguments, _),) = told(checkout, "path", MAKEFLAGS="-- STAGE=$$(shell\\ touch\\ ran)")
    assert arguments == ["path", "STAGE=$(shell touch ran)"]


def test_the_interpreter_is_one_path_whatever_is_in_it(checkout):
    python = checkout / "a$b $(shell touch ran) 'c'"
    python.symlink_to("probe")
    assert told(checkout, "path", f"PYTHON={python}")[0][0] == ["path", f"PYTHON={python}"]
    assert told(checkout, "path", PYTHON=str(python))[0][0] == ["path"]


@pytest.mark.parametrize(
    "words", [("path", "STAGE=a\ntouch ran"), ("help", "x=1\n"), ("test", "TESTS=a\n", "-k", "-i")]
)
def test_a_line_break_is_refused(checkout, words):
    done = subprocess.run(["make", *words], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 2 and "holds a line break, which no variable may" in done.stderr
    assert not (checkout / "ran").exists() and not (checkout / "told").exists()


def test_the_folder_of_artefacts_is_where_it_was_said(tmp_path):
    volumes = tmp_path / 'a$b "c" `d`'
    words = [
        "make",
        "--silent",
        "path",
        "STAGE=streamline",
        f"ONNX={tmp_path / 'none'}",
        f"VOLUMES={volumes}",
        "RUNNER=local",
    ]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 2 and str(tmp_path / "none") in done.stderr
    assert (
        "TESTS=a$b names no test"
        in subprocess.run(["make", "test", "TESTS=a$b"], cwd=REPOSITORY, capture_output=True, text=True).stderr
    )
