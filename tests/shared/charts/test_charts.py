"""Pictures are drawn whatever the things in them are called."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from microstage.charts import accuracy, explain, pareto
from microstage.charts.confusion import draw


@pytest.mark.parametrize("name", ["$\\frac$", "$5", "a_b^c", "\x1b[2J\u202e\n", "\udc80", ""])
def test_a_class_may_be_called_anything(tmp_path, name):
    draw(tmp_path / "drawn.png", [name, "other"], np.array([[3, 1], [0, 2]]), f"accuracy of {name} and {name}")
    assert (tmp_path / "drawn.png").stat().st_size > 1000


@pytest.mark.parametrize(
    "steps", [{}, {"1": {"network": [0.1] * 4, "running_mean": [0.0] * 4}}], ids=["one step", "steps"]
)
def test_each_table_of_errors_has_a_picture(tmp_path, steps):
    told = {"mae": [0.1, 0.2, 0.0, 0.1], "worst": [1.0] * 4, "within": {"I": [0.5] * 4, "II": [1.0] * 4}}
    source = {"windows": 3, "amplitude": [10.0, 1.0, 0.0, 1.0], "methods": {"network": told, "half_cycle_dft": told}}
    labels = [
        ["network", "network"],
        ["half_cycle_dft", "DFT"],
        ["running_mean", "mean"],
        ["interpolated_dft", "ceiling"],
    ]
    stress = [
        ["clean", {"network": told, "half_cycle_dft": told, "interpolated_dft": {"mae": [0.0] * 4}}],
        ["step", {"network": told, "half_cycle_dft": told, "running_mean": {"mae": [1.0] * 4}}],
    ]
    found = {
        "harmonics": ["H1", "H3", "H5", "H7"],
        "unit": "$A$",
        "nominal": 32.0,
        "labels": labels,
        "sources": {"a$b": source},
        "after": steps,
        "behind": steps,
        "stress": stress,
    }
    (tmp_path / "pooled.json").write_text(json.dumps(found))
    accuracy.run(SimpleNamespace(inputs={"pooled": tmp_path}, output=tmp_path))
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn == {"H1", "H3", "H5", "H7", "methods", "stress", "limits"} | ({"after", "behind"} if steps else set())


def test_each_layer_has_a_row_whatever_it_is_called(tmp_path):
    names = ["$5", "a_b^c", "\x1b[2J", "\udc80", "", "long" * 30]
    layers = [{"layer": name, "by_itself_db": 30.0 + row, "so_far_db": None} for row, name in enumerate(names)]
    sample = {"index": 0, "layers": [{"layer": name, "share": row / 15} for row, name in enumerate(names)]}
    found = {"network": "$\\frac$", "seen": 3, "layers": layers, "sample": sample}
    (tmp_path / "explain.json").write_text(json.dumps(found))
    explain.run(SimpleNamespace(inputs={"explained": tmp_path}, output=tmp_path))
    assert (tmp_path / "explain.png").stat().st_size > 5000


def test_runs_and_their_front_in_one_picture_with_equal_bytes(tmp_path):
    places = {"a": (10, 80.0), "b": (10, 80.0), "c": (50, 90.0), "$x_1": (60, 70.0)}
    runs = [
        {"id": name, "parameters": {"MODEL": name * 60}, "figures": dict(zip(("LUT", "top-1"), place))}
        for name, place in places.items()
    ]
    found = {"runs": runs, "pareto": {"x": "LUT", "y": "top-1", "higher": True, "front": ["a", "b", "c"]}}
    for name in ("one", "two"):
        pareto.draw(tmp_path / f"{name}.png", found)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
