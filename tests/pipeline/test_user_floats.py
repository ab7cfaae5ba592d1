"""A plain float network of the user's own: the file of docs/adding-a-model.md through every stage, a network drawn from
a seed likewise, weights that are brought, a script in a stage's environment; what is refused before anything runs.
"""

import json
from pathlib import Path

import pytest
from doors import made
from test_user_module import make

from microstage.errors import ParameterError
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.selection import select
from microstage_runner.declarations.user_module import UserModule
from microstage_runner.process import REPOSITORY

STRIPES = (REPOSITORY / "docs" / "adding-a-model.md").read_text().split("```python\n")[2].split("```")[0]
DRAWN = """
from microstage.models.floats.training import FloatTraining
from microstage.models.training import Examples, Splits

PARAMETERS = {
    "drawn": {"type": "int", "default": 1, "min": 0, "max": 1000000, "summary": "Seed of the network."},
    "epochs": {"default": 1},
    "batch": {"default": 32},
}


class Training(FloatTraining):
    classes = ("a", "b", "c", "d")

    @staticmethod
    def float_network(parameters):
        return random_network(parameters["drawn"])

    def examples(self, data):
        return Splits(*(Examples(random_pictures(count, count), torch.arange(count) % 4) for count in (96, 32, 64)))
"""
RANDOM = (REPOSITORY / "tests" / "random_floats.py").read_text()
TINY = ("EXAMPLES=256", "EPOCHS=1", "WIDTH=4")
RETRAINED = ("QUANTISE=qat", "RETRAIN_EPOCHS=1")  # quicker than to learn roundings, as the page's first run does
HALVES_UP = {
    "summary": "Zero points, seven bits, halves up.",
    "weights": {
        "bits": 6,
        "narrow": False,
        "scale": "real",
        "per": "tensor",
        "rounding": "half-even",
        "calibration": "max",
    },  # fmt: skip
    "activations": {"bits": 7, "scale": "real", "relu": "unsigned", "affine": True},
    "rounding": "half-up",
    "calibration": "max",
}
WRAP = """
import sys
import torch
from microstage import quantisation
from microstage.untrusted.weights import read_weights
state = read_weights(sys.argv[1])
torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}, "wrapped.pth")
network, x = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)), torch.randn(32, 6)
integer = quantisation.quantize(quantisation.prepare(network, x)).calibrate([x]).integerize()
print("compared", integer.verify([x]).compared)
integer.export("exported", dialect="diana", x=x[:1])
raise SystemExit(7)
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    for name, text in {"stripes.py": STRIPES, "drawn.py": RANDOM + DRAWN, "wrap.py": WRAP}.items():
        (folder / name).write_text(text)
    (folder / "halves_up.json").write_text(json.dumps(HALVES_UP))
    return folder


def compared(volumes: Path, said: str) -> dict[str, int]:
    """{stage: integers compared} of the closing table, in which all must be equal."""
    rows = [
        line.split() for line in said.splitlines() if line.split()[:1] and line.split()[0] in load_stages(REPOSITORY)
    ]
    rows = [row for row in rows if len(row) == 6]
    assert all(row[3] == row[4] or int(row[5]) for row in rows)
    return {row[0]: int(row[3].replace(",", "").replace("-", "0")) for row in rows}


def trainings(volumes: Path, model: str) -> set[Path]:
    """What was trained of a model."""
    found = volumes.glob("train/*/model_def.json")
    return {path.parent for path in found if json.loads(path.read_text())["model"] == model}


def test_the_page_runs_through_every_stage_and_its_weights_come_back_in(volumes, mine):
    said = make(volumes, "cbackend", f"MODEL={mine / 'stripes.py'}", *TINY, "TARGET=tflite")
    counts = compared(volumes, said)
    assert min(counts[stage] for stage in ("export", "qcdq", "streamline")) > 100_000 and counts["cbackend"]
    [trained] = trainings(volumes, "stripes")
    metrics = json.loads((trained / "metrics.json").read_text())
    assert {"test.accuracy", "test.float_accuracy", "test.relative_l2"} <= metrics.keys()

    told = make(volumes, "explain", f"MODEL={mine / 'stripes.py'}", *TINY, "TARGET=tflite", "SAMPLE=3")
    [folder] = volumes.glob("explain/stripes-*")
    assert {path.name for path in folder.iterdir()} == {"explain.json", "explain.png", "explain.txt", "of.json"}
    assert (folder / "explain.txt").read_text() in told and "sample 3 (as asked):" in told and str(folder) in told

    said = make(volumes, "report", f"MODEL={mine / 'stripes.py'}", *TINY, "TARGET=tflite")
    facts = json.loads(Path(said.split("page: ")[-1].strip()).with_suffix(".json").read_text())
    layers = [row for row in facts["layers"]["rows"] if "macs" in row]
    assert len(layers) > 2 and all("flash" in row for row in layers)
    assert sum("sqnr_db" in row for row in layers) > 2, "a layer that errs nowhere has none"

    words = ["STAGE=train", f"SCRIPT={mine / 'wrap.py'}", f"ARGS={trained / 'float_model_weight.pth'}"]
    done = made("python", *words, "RUNNER=local", f"VOLUMES={volumes}")
    assert "Error 7" in done.stderr and "compared 384" in done.stdout, done.stderr[-2000:]
    assert (mine / "exported" / "model.onnx").is_file() and (mine / "exported" / "output.npy").is_file()

    given = (f"FLOAT_WEIGHTS={mine / 'wrapped.pth'}", f"TARGET={mine / 'halves_up.json'}", *RETRAINED)
    again = make(volumes, "train", f"MODEL={mine / 'stripes.py'}", *TINY, *given)
    assert "float: 1 epochs" not in again
    [other] = trainings(volumes, "stripes") - {trained}
    assert (other / "float_model_weight.pth").read_bytes() == (trained / "float_model_weight.pth").read_bytes()
    assert json.loads((other / "model_def.json").read_text())["target"]["rounding"] == "half-up"
    assert list(volumes.glob("qcdq/*/model_qonnx.onnx"))
    assert other.name in make(volumes, "path", "STAGE=train", f"RUN={other.name}")


def test_a_drawn_network_is_equal_from_floats_to_c(volumes, mine):
    said = make(volumes, "cbackend", f"MODEL={mine / 'drawn.py'}", "DRAWN=4", *RETRAINED)
    assert all(compared(volumes, said)[stage] for stage in ("export", "qcdq", "streamline", "cbackend"))


def test_what_is_typed_is_checked_before_anything_runs(mine, tmp_path):
    own = UserModule.read(str(mine / "stripes.py"))
    stages = load_stages(REPOSITORY, own)
    chosen = select(stages, {"MODEL": "stripes", "TARGET": str(mine / "halves_up.json"), "QUANTISE": "ptq+qat"})[
        "train"
    ]
    assert (chosen["target"], chosen["quantise"], chosen["float_weights"]) == ("halves_up.json", "ptq+qat", "")
    for typed, said in {
        "TARGET=mcu": "TARGET=mcu is not allowed: expected one of .*diana-digital.*, or a file that ends in .json",
        "TARGET=mcu.json": "TARGET=mcu.json is no file",
        "FLOAT_WEIGHTS=absent.pth": "FLOAT_WEIGHTS=absent.pth is no file",
        "QUANTISE=yes": "QUANTISE=yes is not allowed: expected one of ptq, qat, ptq\\+qat",
    }.items():
        with pytest.raises(ParameterError, match=said):
            select(stages, {"MODEL": "stripes", **dict([typed.split("=")])})
    for model in ("harmonic", "kws-w3a3", "tfc-1w1a"):
        with pytest.raises(ParameterError, match=f"QUANTISE=ptq is no parameter of MODEL={model}"):
            select(stages, {"MODEL": model, "QUANTISE": "ptq"})
    aliased = tmp_path / "aliased.py"
    aliased.write_text(
        "import microstage.models.floats.training as floats\nclass Base(floats.FloatTraining): pass\n"
        "class Training(Base): pass\n"
    )
    assert "quantise" in UserModule.read(str(aliased)).parameters
