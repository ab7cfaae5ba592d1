"""docs/integer-reference.md has every operator that goes to C, and each of its functions is the one that runs."""

import pkgutil
import re

import numpy as np
import onnx
from onnx import helper

from microstage.integer import Interpreter
from microstage.integer.registry import OPERATORS
from microstage_cbackend.read.operators import LOWERINGS
from microstage_runner.process import REPOSITORY

PAGE = (REPOSITORY / "docs" / "integer-reference.md").read_text()
OPERATIONS = REPOSITORY / "shared/microstage/quantisation/integers/operations.py"
REFUSED = {"AveragePool", "GlobalAveragePool"}  # of which streamline makes convolutions


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table, behind its head."""
    lines = PAGE.split(f"## {section}")[1].split("\n## ")[0].splitlines()
    return [line.strip("|").split(" | ") for line in lines if line.startswith("| `") or line.startswith("| several")]


def test_every_operator_that_goes_to_c_is_there_with_the_function_that_runs():
    listed = {}
    for operators, _, functions in rows("Operators of integer graphs"):
        names, called = (re.findall(r"`([\w.]+)`", cell) for cell in (operators, functions))
        listed |= dict(zip(names, called * len(names) if len(called) == 1 else called, strict=True))
    assert listed.keys() == LOWERINGS.keys() - REFUSED
    for operator, dotted in listed.items():
        module, name = dotted.split(".")
        run = OPERATORS[operator].run
        assert run.__module__ == f"microstage.integer.{module}" and run.__name__ == name, operator
        assert run.__doc__, f"{dotted} says nothing of what it gives"


def test_every_operation_and_what_is_around_the_graphs_is_there():
    there = set(re.findall(r"^class (\w+)\(Operation\)", OPERATIONS.read_text(), re.MULTILINE))
    assert {row[0].strip(" `") for row in rows("Operations of a network")} == there
    for dotted in re.findall(r"`((?:integer|signals)\.[\w.]+)`", PAGE.split("## Around the graphs")[1]):
        assert callable(pkgutil.resolve_name(f"microstage.{dotted}"))


def test_the_example_runs(tmp_path, monkeypatch):
    ends = [helper.make_tensor_value_info(name, 1, [1, 3, 32, 32]) for name in ("x", "y")]
    nodes = [
        helper.make_node("Add", ["x", "x"], ["an.inner.tensor"]),
        helper.make_node("Identity", ["an.inner.tensor"], ["y"]),
    ]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:])), tmp_path / "model_integer.onnx")
    monkeypatch.chdir(tmp_path)
    example = "\n".join(line.strip() for line in re.findall(r"^    (.*)$", PAGE, re.MULTILINE)[:5])
    space = {}
    exec(example, space)
    assert isinstance(space["graph"], Interpreter) and not np.any(space["answers"]["y"])
