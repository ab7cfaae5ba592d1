"""What Python is given by the C of recurrent networks, beside their golden vectors."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from networks import harmonic_artefact
from stepped_integers import stepped_artefact
from written import write_folder

from microstage.errors import ParameterError
from microstage.interface import golden
from microstage_runner.calling.prediction import predict


def published(source: Path, folder: Path) -> SimpleNamespace:
    """The C of the graphs in `source`, as `predict` takes an artefact."""
    out = write_folder(source, folder)
    shutil.copy(source / "interface.json", out)
    return SimpleNamespace(path=out, stage="cbackend", checked=lambda: out)


def test_a_network_that_is_stepped_answers_records_of_any_length_after_each_step(tmp_path):
    source = stepped_artefact(tmp_path / "in", count=3)
    network, known = published(source, tmp_path / "out"), golden.load(source / golden.FILE)
    given = {name: known[name] for name in ("window", "gain_exponent")}
    found = predict(network, given)
    assert {*found} == {"correction", "sum_next", "count_next"}
    assert all(np.array_equal(values, known[name]) for name, values in found.items())
    one = predict(network, {name: values[1, :4] for name, values in given.items()})
    assert all(np.array_equal(values, known[name][1, :4]) for name, values in one.items())
    assert np.array_equal(predict(network, known["real.waveform"]), known["real.amplitudes"])
    assert np.array_equal(predict(network, known["real.waveform"][2, :64]), known["real.amplitudes"][2, :2])
    for wrong, said in (
        (known["real.waveform"][:, :33], r"shape \[3, 33\]; expected \[steps \* 32\]"),
        ({**given, "gain_exponent": given["gain_exponent"][:, 1:]}, "different numbers of steps"),
        (given["window"], "the inputs window, gain_exponent"),
    ):
        with pytest.raises(ParameterError, match=said):
            predict(network, wrong)


def test_a_cell_between_encoder_and_head_answers_once(tmp_path):
    source = harmonic_artefact(tmp_path / "in")
    network, known = published(source, tmp_path / "out"), golden.load(source / golden.FILE)
    assert np.array_equal(predict(network, known["window"]), known["harmonics"])
    assert np.array_equal(predict(network, known["window"][2].astype(np.int64)), known["harmonics"][2])
    assert np.array_equal(predict(network, known["real.window"]), known["real.harmonics"])
    with pytest.raises(ParameterError, match="window holds integers from .*; expected -127 to 127"):
        predict(network, known["window"].astype(int) * 9)
