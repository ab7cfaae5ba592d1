"""What methods of quantising are judged by: the tasks' own figures, and intervals of what lies between two methods."""

import json

import numpy as np
import torch

from microstage.models.floats.tasks import AnomalyDetection, Classification
from microstage.models.tiny import methods
from microstage.models.training import Examples, Splits
from microstage.quantisation.evidence.intervals import drawn_weights, interval, relative_l2_of
from microstage.stage import Job


def test_a_figure_over_all_units_is_the_metric_and_a_unit_that_is_not_drawn_has_no_say():
    torch.manual_seed(0)
    classes = Examples(torch.zeros(60, 1), torch.arange(60) % 3)
    task = Classification(Splits(classes, classes, classes), "drawn", ("a", "b", "c"))
    answers = torch.randn(60, 3)
    weights = np.stack([np.ones(60), np.arange(60) < 30])
    both, half = task.quality(answers, weights)
    right = (answers.argmax(1) == classes.targets).numpy()
    assert (both, half) == (right.mean(), right[:30].mean())
    assert round(both, 4) == round(task.measured(answers)["test.accuracy"], 4)

    windows = torch.randn(40, 5)
    heard = Examples(windows, windows)
    clips = {"clip": np.arange(40) // 4, "faulty": np.arange(10) % 2 == 1}
    sound = AnomalyDetection(Splits(heard, heard, heard), "drawn", **clips)
    answers = windows + torch.randn(40, 5) * (1 + torch.arange(40)[:, None] // 4 % 2)
    (area,) = sound.quality(answers, np.ones((1, 10)))
    assert abs(area - sound.measured(answers)["test.auc"]) < 1e-6


def test_an_interval_is_of_the_same_draws_and_holds_the_difference():
    rng = np.random.default_rng(1)
    sizes, noise = rng.uniform(1, 2, 200), rng.uniform(0, 0.2, 200)
    weights = drawn_weights(200, seed=3)
    assert (weights[0] == 1).all() and (weights.sum(1) == 200).all()
    better, worse = (relative_l2_of(errors, sizes, weights) for errors in (noise, noise * 1.1))
    difference, low, high = interval(better, worse)
    assert low < difference < high < 0, "a tenth more error on each example: no draw turns that around"
    assert interval(better, better) == (0, 0, 0)


def test_methods_are_compared_on_the_weights_that_a_training_left(tmp_path, monkeypatch):
    parameters = {"model": "dae", "width": 16, "clips": 16, "seed": 1, "batch": 64, "quantise": "ptq"}
    chosen = {name: methods.METHODS[name] for name in (methods.REFERENCE, "real scales", "diana-compat")}
    monkeypatch.setattr(methods, "METHODS", chosen)
    training = methods.Training(parameters, None)
    for folder in ("trained", "output", "scratch"):
        (tmp_path / folder).mkdir()
    training.save(tmp_path / "trained")
    job = Job({"trained": tmp_path / "trained"}, parameters, tmp_path / "output", tmp_path / "scratch")
    methods.run(job)
    found = json.loads((tmp_path / "output" / "quantisers.json").read_text())
    rows = {row["method"]: row for row in found["rows"]}
    assert list(rows) == ["float", *chosen] and found["figure"] == "AUC"
    assert 0 == rows["float"]["relative_l2"] < rows["real scales"]["relative_l2"] < rows["diana-compat"]["relative_l2"]
    difference, low, high = rows["diana-compat"]["against"]["relative_l2"]
    assert low <= difference <= high and "against" not in rows[methods.REFERENCE]
    assert (tmp_path / "output" / "quantisers.png").stat().st_size > 5000
