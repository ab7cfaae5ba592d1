"""The export: every tensor by its module's path, the simulation's integers.

Nothing is executed that a file brings along.
"""

import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import onnx
import pytest
import torch
from brevitas.export.onnx.qonnx.manager import QONNXManager
from onnx import numpy_helper

from microstage.interface import golden


def test_the_graph_says_where_every_tensor_comes_from(made):
    model = onnx.load(str(made.out / "brevitas_export_model.onnx"))
    onnx.checker.check_model(model)
    graph = model.graph
    assert [i.name for i in graph.input] == ["window", "estimate_1", "sum", "count"]
    assert [o.name for o in graph.output] == ["correction", "estimate", "sum_next", "count_next"]
    tensors = {name for node in graph.node for name in node.output}
    assert {"cnn.act1", "features", "heads.0.act", "heads.3.act", "estimate.act", "keep", "lstm.sequence"} <= tensors
    keep = next(node for node in graph.node if node.output[0] == "keep")
    assert keep.op_type == "Quant", "one bit without a sign is 0 or 1"
    known = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    modules = dict(made.network.named_modules())
    for name in ("heads.1.keep", "heads.2.keep", "heads.3.keep"):  # equal parameters are each one's own
        assert known[f"{name}.bias"] == pytest.approx(0.5) and f"{name}.bias.quantised" in tensors
    for name in ("cnn.conv1", "cnn.conv2", "heads.2.linear", "heads.1.out", "estimate.conv"):
        assert np.array_equal(known[f"{name}.weight"], modules[name].quant_weight().value.detach().numpy())
    for letter, gate in {"i": "input", "f": "forget", "c": "cell", "o": "output"}.items():
        parameters = modules[f"lstm.layers.0.0.{gate}_gate_params"]
        for side, weight in (("i", parameters.input_weight), ("h", parameters.hidden_weight)):
            assert np.array_equal(known[f"lstm.weight_{side}{letter}"], weight().value.detach().numpy())
        assert np.array_equal(known[f"lstm.bias_{gate}"], parameters.bias.detach().numpy())


def test_lstm_quantisers_are_told_apart_by_role(stage):
    """Scales made different on purpose come back under their own names: the swap of two of them was once missed."""
    cell = stage.network.lstm.layers[0][0].cell
    roles = [name for name, _ in cell.named_children() if name.endswith("_quant")]
    for index, role in enumerate(roles):
        getattr(cell, role).fused_activation_quant_proxy.tensor_quant.scaling_impl.value.data.fill_(1.0 + index / 16)
    torch.save(stage.network.weights(), stage.source / "quantised_model_weight.pth")
    assert stage.run() == 0
    known = {
        i.name: numpy_helper.to_array(i)
        for i in onnx.load(str(stage.out / "brevitas_export_model.onnx")).graph.initializer
    }
    for role in roles:
        name = role.removesuffix("_quant")
        assert float(known[f"lstm.{name}.scale"]) == pytest.approx(float(getattr(cell, role).scale()), rel=1e-6), role
    assert len({float(known[f"lstm.{role.removesuffix('_quant')}.scale"]) for role in roles}) > 8


def test_recorded_integers_are_those_of_the_exported_step_called_again_and_again(made):
    """The graph is one step: called step by step, with states turned and shifted in between, it gives what the
    simulation of whole sequences recorded.
    """
    recorded = golden.load(made.out / golden.FILE)
    network, layer = made.network, made.network.lstm.layers[0][0]
    exponent, unit = recorded["gain_exponent"].astype(int), 2.0**-12
    estimate, total, count = np.zeros((20, 8)), np.zeros((20, 8)), np.zeros((20, 4))
    for t in range(recorded["window"].shape[1]):
        shift = np.exp2(exponent[:, t] - exponent[:, max(t - 1, 0)])[:, None]
        estimate, total = (np.floor(-value / shift + 0.5) for value in (estimate, total))
        most = 8191 * np.tile(count, 2)
        estimate, total = np.clip(estimate, -8191, 8191), np.clip(total, -most, most)
        window = torch.from_numpy(recorded["window"][:, t, None].astype(np.float32)) * 2.0**-11
        with torch.no_grad():
            given = [torch.from_numpy(value.astype(np.float32)) for value in (estimate * unit, total * unit, count)]
            _, found, _, _ = network(window, *given)
            features = torch.cat(
                [network.cnn(window), (found - given[0]) * torch.tensor([16.0, 64.0, 64.0, 64.0] * 2)], 1
            )
        scale = float(layer.io_quant.scale())
        assert np.array_equal(recorded["features"][:, t], np.clip(np.rint(features.numpy() / scale), -128, 127))
        keep = recorded["keep"][:, t].astype(int)
        estimate = np.rint(found.numpy() / unit)
        total, count = np.tile(keep, 2) * total + estimate, keep * count + 1
        for name, value in (("estimate", estimate), ("sum_next", total), ("count_next", count)):
            assert np.array_equal(recorded[name][:, t], value), (name, t)
    assert (
        np.ptp(exponent, axis=1).max() > 1
        and recorded["count_next"].max() > 3
        and set(np.unique(recorded["keep"])) == {0, 1}
    )
    assert np.abs(recorded["window"]).max() <= 2047 and recorded["cnn.act1"].max() <= 15


def test_same_weights_same_bytes_twice_in_one_process_and_brevitas_handlers_are_left_alone(made, stage):
    before = list(QONNXManager.handlers)
    assert stage.run() == 0 and list(QONNXManager.handlers) == before
    first, again = ({path.name: path.read_bytes() for path in out.iterdir()} for out in (made.out, stage.out))
    assert first == again


def test_nothing_but_its_own_line_reaches_the_terminal(stage):
    """Not even where a CUDA compiler without a device makes torch speak on import."""
    from microstage_runner.artefacts.pinned_environment import stage_environment

    compiler = stage.folder / "bin" / "nvcc"
    compiler.parent.mkdir()
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    environment = {
        **stage_environment(stage.folder),
        "PATH": f"{compiler.parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    words = [
        "--in",
        f"train={stage.source}",
        "--out",
        str(stage.folder / "out"),
        "--scratch",
        str(stage.folder / "scratch"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "microstage_export", *words], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "") and len(done.stdout.splitlines()) == 1
    assert (stage.folder / "scratch" / "logs" / "warnings.txt").is_file()


def test_a_real_warning_is_heard_and_logged(tmp_path, capsys):
    from microstage.stage import Job
    from microstage_export.warning_log import logged_warnings

    with logged_warnings(Job({}, {}, tmp_path, tmp_path)):
        for _ in range(2):
            warnings.warn("a weight is\nodd", UserWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().out == "export: UserWarning: a weight is odd\n"
    assert (tmp_path / "logs" / "warnings.txt").read_text().splitlines() == ["UserWarning: a weight is odd"] * 2 + [
        "DeprecationWarning: old"
    ]


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def archive(path, data, members=()):
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("archive/data.pkl", data)
        for name, content in members:
            z.writestr(name, content)


def hostile(folder):
    yield "system", pickle.dumps({"weight": Evil(folder / "ran")}, protocol=2)
    yield "builtin", b'cbuiltins\neval\n(S\'open("%s", "w")\'\ntR.' % str(folder / "ran").encode()
    yield "torch", b"ctorch\nload\n(S'x'\ntR."
    yield "nonsense", b"\x80\x02garbage"
    yield "2^29 objects", b"\x80\x02K\x01r" + (1 << 29).to_bytes(4, "little") + b"."
    yield "number", pickle.dumps(42, protocol=2)
    yield "arguments", b"ccollections\nOrderedDict\n(I1\nI2\ntR."


def test_a_weight_file_never_runs_anything(stage, capfd):
    for name, data in hostile(stage.folder):
        archive(stage.source / "quantised_model_weight.pth", data)
        assert stage.run() == 2, name
        message = capfd.readouterr().err.strip().splitlines()[-1]
        assert message.startswith("microstage export: ") and "quantised_model_weight.pth" in message, name
    assert not (stage.folder / "ran").exists()


def refused(stage, capfd) -> str:
    """The one sentence of a run that ends with code 2."""
    capfd.readouterr()
    assert stage.run() == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("microstage export: ")
    return line


def test_damaged_weights_are_one_sentence(stage, capfd):
    weights = stage.source / "quantised_model_weight.pth"
    for content in (b"", b"text", weights.read_bytes()[: weights.stat().st_size // 2]):
        weights.write_bytes(content)
        assert "is no weight file" in refused(stage, capfd)


def test_a_damaged_definition_is_one_sentence(stage, capfd):
    described = json.loads((stage.source / "model_def.json").read_text())
    for name, value in {
        "hidden": 7,
        "head_width": "wide",
        "cnn_channels": -1,
        "lstm_io_bits": 10**9,
        "cycles": float("inf"),
    }.items():
        changed = {**described, "parameters": {**described["parameters"], name: value}}
        (stage.source / "model_def.json").write_text(json.dumps(changed))
        assert "do not fit" in (line := refused(stage, capfd)) or f"{name}={value!r}" in line or "no definition" in line
    for content in (
        "",
        "{}",
        "[]",
        '{"model": "other", "parameters": {}}',
        '{"model": "harmonic", "parameters": {"cylces": 1}}',
    ):
        (stage.source / "model_def.json").write_text(content)
        assert "model_def.json" in refused(stage, capfd)


def test_the_handler_is_registered_at_run_time_and_brevitas_is_as_installed(made):
    import base64
    import csv
    import hashlib
    from importlib.metadata import distribution

    installed = distribution("brevitas")
    checked = 0
    for name, digest, _ in csv.reader(installed.read_text("RECORD").splitlines()):
        if name.endswith(".py") and digest:
            kind, value = digest.split("=")
            found = base64.urlsafe_b64encode(
                hashlib.new(kind, installed.locate_file(name).read_bytes()).digest()
            ).rstrip(b"=")
            assert found.decode() == value, name
            checked += 1
    assert checked > 100
