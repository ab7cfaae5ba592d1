"""FINN's RTL of every layer under Verilator, beside the integers of the artefact, and what is said of the rest."""

import shutil
import sys

import numpy as np
import pytest
from networks import Part
from stage_runs import StageOnFile

from microstage_streamline.simulate import __main__ as simulate

pytestmark = pytest.mark.skipif(shutil.which("verilator") is None, reason="verilator is not on PATH")


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    part = Part([1, 12], 3)
    part.dense(8, 4)
    stage = StageOnFile(tmp_path_factory.mktemp("dense"))
    random = np.random.Generator(np.random.PCG64(1))
    assert stage.run(part.finish(True)[0], x=random.integers(-127, 128, (8, 12))) == 0
    return stage.out


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["simulate", *map(str, words)])
    return simulate.main()


def test_rtl_gives_the_golden_integers(artefact, monkeypatch, capsys):
    assert run(monkeypatch, artefact, "--integers", 3000) == 0
    compared, rest = capsys.readouterr().out.strip().splitlines()[-1].split(" integers compared, ")
    assert int(compared.replace(",", "")) >= 3000 and rest.startswith("0 differ")


def test_what_cannot_run_is_named_with_the_reason(artefact, monkeypatch, capsys):
    monkeypatch.setattr(simulate.shutil, "which", lambda name: None)
    assert run(monkeypatch, artefact) == 2
    assert "not run: MVAU_rtl_0, Thresholding_rtl_0: verilator is not on PATH" in capsys.readouterr().out


def test_hardware_that_compares_with_another_threshold_ends_with_code_3(artefact, monkeypatch, capsys):
    right = simulate._hardware

    def wrong(*asked):
        model = right(*asked)
        (first, *_) = (node for node in model.graph.node if node.op_type == "Thresholding_rtl")
        model.set_initializer(first.input[1], model.get_initializer(first.input[1]) + 40)
        return model

    monkeypatch.setattr(simulate, "_hardware", wrong)
    assert run(monkeypatch, artefact, "--integers", 3000) == 3
    assert ", 0 differ" not in capsys.readouterr().out
