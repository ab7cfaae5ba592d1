"""The public names: `microstage.compile` makes what `make` makes, and gives it back as an `microstage.Artefact`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from toy import RUNNER

PROGRAM = """
import json, microstage
from toy_runner import on_this_interpreter
from microstage.errors import IntegrityError, ParameterError
on_this_interpreter()
made = microstage.compile("toy", target="second", cycles=0.25, TIMES=3)
assert isinstance(made, microstage.Artefact)
said = {"path": str(made.path), "stage": made.stage, "files": made.files, "parameters": made.parameters}
said |= {"metrics": made.metrics, "proofs": made.verify()}
for name, words in {"unknown": {"target": "second", "cycels": 1}, "nowhere": {"target": "third"}}.items():
    try:
        microstage.compile("toy", **words)
    except ParameterError as error:
        said[name] = str(error)
(made.path / "double.txt").write_text("changed")
try:
    made.verify()
except IntegrityError as error:
    said["changed"] = str(error)
print(json.dumps(said))
"""


@pytest.fixture
def said(toy):
    """What a program says that calls the API of the toy checkout."""
    environment = toy.environment()
    environment["PYTHONPATH"] += os.pathsep + str(RUNNER.parent)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=toy.root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_compile_makes_what_make_makes_and_gives_it_back(toy, said):
    assert toy.ran() == ["first", "second"]
    assert (said["stage"], said["parameters"]) == ("second", {"times": 3}) and list(said["files"]) == ["double.txt"]
    assert said["proofs"] == [{"boundary": "double", "compared": 2, "equal": 2, "explained_ties": 0}]
    assert "did you mean CYCLES" in said["unknown"]
    assert said["nowhere"] == "target=third is not a stage: expected one of first, second."
    assert "double.txt" in said["changed"] and "was changed after it was published" in said["changed"]
    code, out, err = toy.call("why", "STAGE=second", "CYCLES=0.25", "TIMES=3")
    assert code == 0 and said["path"] in out, err
