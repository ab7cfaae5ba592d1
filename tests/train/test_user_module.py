"""A module of the user's own in the train stage: what fails in it is one sentence that names its line."""

import json

import pytest
from places import REPOSITORY

from microstage.stage import stage_main

WALK_THROUGH = (REPOSITORY / "docs" / "adding-a-model.md").read_text().split("```python\n")[1].split("```")[0]
PARAMETERS = {
    "model": "shapes",
    "dataset": "own",
    "seed": 1,
    "epochs": 1,
    "batch": 64,
    "learning_rate": 0.003,
    "width": 4,
    "bits": 4,
    "noise": 0.2,
    "examples": 256,
}


def train(tmp_path, text: str) -> int:
    return train_with(tmp_path, text, PARAMETERS)


def train_with(tmp_path, text: str, parameters: dict, **inputs) -> int:
    """The exit code of the stage on a module of this text, which leaves `out` in the folder."""
    from microstage_train.__main__ import run

    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "model.py").write_text(text)
    values = [word for name, value in parameters.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    folders = [
        "--in",
        f"module={tmp_path / 'module'}",
        "--out",
        str(tmp_path / "out"),
        "--scratch",
        str(tmp_path / "scratch"),
    ]
    further = [word for name, folder in inputs.items() for word in ("--in", f"{name}={folder}")]
    return stage_main("train", run, [*folders, *further, *values])


FAULTY = {
    "6 * width": (
        "7 * width",
        "line 41, `return self.out(x.flatten(1))`: RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    ),
    "import torch\n": (
        "import torch, tensorflow\n",
        "line 4, `import torch, tensorflow`: ModuleNotFoundError: No module named 'tensorflow'",
    ),
    "class Training(training.Training):": (
        "class Training:",
        "must be derived from microstage.models.training.Training",
    ),
    "        self.network = Shapes(parameters[": ("        self.net = Shapes(parameters[", "no attribute 'network'"),
    "(Network)": ("(nn.Module)", "Class Shapes must be derived from microstage.models.network.Network"),
    'input, classes = "samples", (': ('input, classes = "samples", ("flat", ', None),
    "[:, None], shape)": ("[:, None], shape[1:])", "256 inputs and 255 targets"),
    "yield Phase(": ("yield (", "shapes.py: AttributeError: 'tuple' object has no attribute 'name'"),
}


@pytest.mark.parametrize("found", FAULTY)
def test_a_fault_is_one_sentence_with_its_line(tmp_path, capfd, found):
    put, said = FAULTY[found]
    assert WALK_THROUGH.count(found) == 1
    code, err = train(tmp_path, WALK_THROUGH.replace(found, put)), capfd.readouterr().err
    if said is None:  # a class more than there are scores: the network trains, and the class has no example
        assert (
            code == 0
            and json.loads((tmp_path / "out" / "metrics.json").read_text())["test.accuracy_of"]["sawtooth"] == 0
        )
        return
    line = err.strip().splitlines()[-1]
    assert code == 2 and said in line and line.startswith("microstage train: ") and "Traceback" not in err, err
    assert not list((tmp_path / "out").iterdir())


def test_a_network_that_estimates_has_an_error_for_an_accuracy(tmp_path):
    """Targets that are numbers, no classes: the usual metrics, and extremes without a truth."""
    import numpy as np

    from microstage.interface import golden

    text = WALK_THROUGH.replace(
        'input, classes = "samples", ("sine", "square", "triangle", "sawtooth")', 'input = "samples"'
    )
    text = text.replace("nn.CrossEntropyLoss()", "nn.L1Loss()").replace(
        "[:, None], shape)", "[:, None], nn.functional.one_hot(shape, 4).float())"
    )
    assert train(tmp_path, text) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert 0 < metrics["test.mean_absolute_error"] < 2 and metrics["test.examples"] == 512
    replayed = golden.load(tmp_path / "out" / "test.npz")
    assert (
        replayed["truth"].shape == (517, 4)
        and np.isnan(replayed["truth"][-5:]).all()
        and not replayed["real"][-5:].any()
    )
    assert "classes" not in json.loads((tmp_path / "out" / "model_def.json").read_text())
