"""The harmonic network on its way to ONNX, and the integers that its simulation computes at every boundary, over whole sequences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from microstage.errors import VerificationError
from microstage.models import exporting
from microstage.models.exporting import integers
from microstage.models.harmonic.definition import HarmonicDefinition
from microstage.models.harmonic.network import HarmonicNetwork
from microstage.signals import WINDOW_SCALE, block_float

__all__ = ["Exporting"]

_GATES = {"input": "ii", "forget": "if", "cell": "ic", "output": "io"}


class Exporting(exporting.Exporting):
    input, output = "window", "harmonics"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = HarmonicNetwork(HarmonicDefinition.load(folder))

    @property
    def example(self) -> Tensor:
        return torch.zeros(1, 1, self.network.definition.samples)

    def simulate(self, replayed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As the base class does, from waveforms [n, N]; `gain_exponent` [n] tells what their windows are multiples of."""
        windows, exponent = block_float(replayed["waveform"].astype(np.float64))
        return {**_simulate(self.network, windows), "gain_exponent": exponent}


def _simulate(network: HarmonicNetwork, windows: np.ndarray) -> dict[str, np.ndarray]:
    """Boundary -> integers for `windows` int8 [n, N]; `harmonics` alone are real numbers, float64 [n, 4].

    cnn.act1 [n, C1, L1], features [n, T, C], lstm.*, cell and hidden [n, T, H], heads.k.act [n, W]. The LSTM is walked
    step by step through brevitas' own quantisers, and its states are asserted equal to those of its own forward.
    """
    x = torch.from_numpy(windows[:, None].astype(np.float32)) * WINDOW_SCALE
    cnn, traced = network.cnn, {"window": windows}
    act1 = cnn.act1(cnn.bn1(cnn.conv1(x)))
    traced["cnn.act1"] = integers(act1, cnn.act1.act_quant)
    features = cnn.pool(cnn.bn2(cnn.conv2(act1))).transpose(1, 2)
    steps = _walk(network.lstm.layers[0][0], features)
    _assert_stock(network, features, steps)
    traced |= {name: np.stack([integers for integers, _ in values], axis=1) for name, values in steps.items()}
    hidden = steps["hidden"][-1][1]
    answers = []
    for index, head in enumerate(network.heads):
        act = head.act(head.bn(head.linear(hidden)))
        traced[f"heads.{index}.act"] = integers(act.value, head.act.act_quant)
        answers.append(head.out(act))
    traced["harmonics"] = torch.cat(answers, 1).numpy().astype(np.float64)
    return traced


def _walk(layer, features: Tensor) -> dict[str, list[tuple[np.ndarray, Tensor]]]:
    """Boundary -> per step (integers, real values), in the order in which the cell computes them."""
    cell, record = layer.cell, defaultdict(list)

    def at(boundary: str, quantiser, real: Tensor) -> Tensor:
        value = quantiser(real)[0]
        record[boundary].append((integers(value, quantiser), value))
        return value

    io, state = cell.output_quant, cell.cell_state_quant
    gates = {name: getattr(layer, f"{name}_gate_params") for name in _GATES}
    weights = {n: (g.input_weight().value, g.hidden_weight().value, g.bias) for n, g in gates.items()}
    hidden = torch.zeros(len(features), layer.hidden_size)
    carried = torch.zeros_like(hidden)
    for step in features.unbind(1):
        x = at("features", io, step)
        gate = {}
        for name, (w, u, bias) in weights.items():
            total = torch.nn.functional.linear(x, w) + torch.nn.functional.linear(hidden, u) + bias
            gate[name] = at(f"lstm.{name}_acc", getattr(cell, f"{name}_acc_quant"), total)
        for name in ("input", "forget", "output"):
            gate[name] = at(f"lstm.{name}_sigmoid", getattr(cell, f"{name}_sigmoid_quant"), gate[name])
        gate["cell"] = at("lstm.cell_tanh", cell.cell_tanh_quant, gate["cell"])
        kept = at("lstm.forget_cell", state, gate["forget"] * carried)
        new = at("lstm.input_cell", state, gate["input"] * gate["cell"])
        carried = at("cell", state, kept + new)
        bent = at("lstm.hidden_state_tanh", cell.hidden_state_tanh_quant, carried)
        hidden = at("hidden", io, gate["output"] * bent)
    return record


def _assert_stock(network: HarmonicNetwork, features: Tensor, steps) -> None:
    sequence, (hidden, cell) = network.lstm(features)
    walked = torch.stack([value for _, value in steps["hidden"]], 1)
    if not (torch.equal(sequence, walked) and torch.equal(cell.reshape(-1), steps["cell"][-1][1].reshape(-1))):
        raise VerificationError("The recorded LSTM steps differ from the framework's own forward pass.")
