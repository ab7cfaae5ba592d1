"""`MODEL=path/to/model.py`: the walk-through of docs/adding-a-model.md through every stage; keys of bytes; faulty files
in one sentence.
"""

import json
import subprocess
from pathlib import Path

import pytest

from microstage.errors import ParameterError
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.selection import select
from microstage_runner.declarations.user_module import UserModule
from microstage_runner.process import REPOSITORY

WALK_THROUGH = (REPOSITORY / "docs" / "adding-a-model.md").read_text().split("```python\n")[1].split("```")[0]
TINY = ("EXAMPLES=256", "EPOCHS=2", "WIDTH=4")


def make(volumes: Path, *words: str) -> str:
    """What `make --silent` with `words` prints; it must end well."""
    command = ["make", "--silent", *words, "RUNNER=local", f"VOLUMES={volumes}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("mine") / "shapes.py"
    path.write_text(WALK_THROUGH)
    return path


def test_the_walk_through_runs_through_every_stage(volumes, file):
    said = make(volumes, "cbackend", f"MODEL={file}", *TINY)
    assert "accuracy" in said and "sawtooth" in said
    [c] = volumes.glob("cbackend/*/shapes.h")
    proofs = [
        json.loads(next(volumes.glob(f"{stage}/*/manifest.json")).read_text())
        for stage in ("qcdq", "streamline", "cbackend")
    ]
    assert (c.parent / "test" / "selftest.c").is_file() and all('"compared"' in json.dumps(proof) for proof in proofs)
    assert not list(volumes.glob(".partial/model-*")), "the copy of the file is left behind"


def test_the_key_is_of_the_files_bytes(volumes, file, tmp_path):
    said = make(volumes, "train", f"MODEL={file}", *TINY).splitlines()
    made = Path(next(line for line in said if line.startswith("result: ")).removeprefix("result: "))
    other = tmp_path / file.name
    other.write_text(WALK_THROUGH)
    assert made.samefile(make(volumes, "path", "STAGE=train", f"MODEL={other}", *TINY).strip())
    other.write_text(WALK_THROUGH + "# changed\n")
    assert "input module" in make(volumes, "why", "STAGE=train", f"MODEL={other}", *TINY)
    assert made.name in (listed := make(volumes, "runs")) and "shapes" in listed
    assert "train: running" not in make(volumes, "export", f"RUN={made.name}")


def test_a_pack_carries_the_file(volumes, file, tmp_path):
    sent, away = tmp_path / "sent.tar", tmp_path / "away"
    away.mkdir()
    (away / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    make(volumes, "export", f"MODEL={file}", *TINY)
    make(volumes, "pack", "STAGE=export", f"MODEL={file}", *TINY, f"BUNDLE={sent}")
    assert "export is done" in make(away, "unpack", f"BUNDLE={sent}", "TRUST=1")
    [here], [there] = (list(place.glob("export/*/brevitas_export_model.onnx")) for place in (volumes, away))
    assert here.read_bytes() == there.read_bytes()


def read(tmp_path: Path, text: str, name: str = "mine.py") -> UserModule:
    (tmp_path / name).write_text(text)
    return UserModule.read(str(tmp_path / name))


def test_what_it_declares_can_be_typed(tmp_path):
    own = read(tmp_path, WALK_THROUGH)
    stages = load_stages(REPOSITORY, own)
    chosen = select(stages, {"MODEL": "mine", "NOISE": ".5"})["train"]
    assert (chosen["model"], chosen["noise"], chosen["epochs"], chosen["seed"], chosen["dataset"]) == (
        "mine",
        0.5,
        6,
        1,
        "own",
    )
    assert own.form == "feed-forward" and "cycles" not in chosen
    with pytest.raises(ParameterError, match="BITS=9 is not allowed: expected a whole number from 2 up to 8 bits"):
        select(stages, {"MODEL": "mine", "BITS": "9"})
    with pytest.raises(ParameterError, match="CYCLES=1 is no parameter of MODEL=mine"):
        select(stages, {"MODEL": "mine", "CYCLES": "1"})
    assert "mine" not in load_stages(REPOSITORY)["train"].parameters["model"].choices


FAULTY = {
    "class Training(training.Training):": ("class Taining(training.Training):", "has no class Training"),
    '"epochs": {"default": 6}': ('"epochs": {"default": 0}', "epochs has default 0, which its own fields do not allow"),
    "PARAMETERS = {": ("PARAMETERS = dict() or {", "line 12: PARAMETERS must be a literal"),
    '"unit": "bits"': ('"units": "bits"', "bits has a field 'units'"),
    'summary": "Channels': ('unit": "Channels', "width has no summary"),
    "def forward(self, samples):": ("def forward(self, samples)", "line 38: expected ':'"),
    '"noise": {': ('"host": {', "host, which is taken"),
    '"examples": {': ('"clk_ns": {', "clk_ns, which belongs to streamline"),
    "SAMPLES = 32": ("FORM = 'spiral'", "FORM = 'spiral'; expected one of feed-forward, recurrent"),
}


@pytest.mark.parametrize("found", FAULTY)
def test_a_faulty_module_is_one_sentence_before_anything_runs(tmp_path, found):
    put, said = FAULTY[found]
    assert WALK_THROUGH.count(found) == 1
    with pytest.raises(ParameterError) as error:
        load_stages(REPOSITORY, read(tmp_path, WALK_THROUGH.replace(found, put)))
    assert said in str(error.value) and "mine.py" in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_none_or_has_no_name_for_a_network_is_one_sentence(tmp_path):
    with pytest.raises(ParameterError, match="is no file"):
        UserModule.read(str(tmp_path / "absent.py"))
    with pytest.raises(ParameterError, match="small letters"):
        read(tmp_path, WALK_THROUGH, "My Model.py")
    with pytest.raises(ParameterError, match="name of a network of this checkout"):
        read(tmp_path, WALK_THROUGH, "harmonic.py")
    with pytest.raises(ParameterError, match="mine.py: source code string cannot contain null bytes"):
        read(tmp_path, "x = 1\0")
