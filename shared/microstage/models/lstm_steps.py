"""One layer of a brevitas LSTM, walked step by step through its own quantisers.

So it tells every value that the integers are compared with.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn

from microstage.errors import ModelError, VerificationError
from microstage.interface.lstm_node import QUANTISERS

__all__ = ["walk"]

_GATES = ("input", "forget", "cell", "output")
Steps = dict[str, list[tuple[Tensor, nn.Module]]]


def walk(layer: nn.Module, label: str, inp, hidden, cell, output) -> Steps:
    """Return {boundary: [(values [n, ...], their quantiser) per step]}, in the order in which the cell computes them.

    `output` is what the layer itself made of `inp` [n, T, C]; its states are asserted equal to those of the walk.
    `ModelError` for an option that no later stage carries.
    """
    _refuse(layer, label, hidden, cell)
    record: Steps = defaultdict(list)
    with torch.no_grad():
        quantised = layer.maybe_quantize_input(inp)
        gates = {gate: _weights(layer, gate, quantised) for gate in _GATES}
        h = torch.zeros(len(quantised.value), layer.hidden_size)
        c = torch.zeros_like(h)
        for x in quantised.value.unbind(1):
            if not layer.quantize_output_only:  # else it is what the layer below gave
                record["input"].append((x, layer.cell.output_quant))
            h, c = _step(layer.cell, gates, x, h, c, record)
    sequence, _, last = output
    walked = torch.stack([value for value, _ in record["hidden"]], 1)
    if not (torch.equal(_value(sequence), walked) and torch.equal(_value(last).reshape(-1), c.reshape(-1))):
        raise VerificationError(f"The recorded steps of {label} differ from the framework's own forward pass.")
    return dict(record)


def _step(cell: nn.Module, gates: dict, x: Tensor, h: Tensor, c: Tensor, record) -> tuple[Tensor, Tensor]:
    """Return h' and c' of one step, and record every value on the way.

    i, f, o = q(sigmoid(q_acc(W x + U h + b))), g = q(tanh(q_acc(..))), c' = q_c(q_c(f c) + q_c(i g)), h' = q_io(o
    q(tanh(c'))).
    """

    def at(boundary: str, quantiser: nn.Module, value: Tensor) -> Tensor:
        value = quantiser(value)[0]
        record[boundary].append((value, quantiser))
        return value

    state, gate = cell.cell_state_quant, {}
    for name, (w, u, bias) in gates.items():
        total = nn.functional.linear(x, w) + nn.functional.linear(h, u) + bias
        gate[name] = at(f"{name}_acc", getattr(cell, f"{name}_acc_quant"), total)
    for name in ("input", "forget", "output"):
        gate[name] = at(f"{name}_sigmoid", getattr(cell, f"{name}_sigmoid_quant"), gate[name])
    gate["cell"] = at("cell_tanh", cell.cell_tanh_quant, gate["cell"])
    kept = at("forget_cell", state, gate["forget"] * c)
    new = at("input_cell", state, gate["input"] * gate["cell"])
    c = at("cell", state, kept + new)
    bent = at("hidden_state_tanh", cell.hidden_state_tanh_quant, c)
    return at("hidden", cell.output_quant, gate["output"] * bent), c


def _refuse(layer: nn.Module, label: str, hidden, cell) -> None:
    own = layer.cell
    if own.cifg or own.reverse_input:
        raise ModelError(
            f"The LSTM {label} has a coupled input gate or runs through time in reverse, which is not supported."
        )
    if hidden is not None or cell is not None:
        raise ModelError(
            f"The LSTM {label} starts from a state that it is given, which is not supported;"
            " zeros are what every sequence starts from."
        )
    if not own.batch_first:
        raise ModelError(f"The LSTM {label} takes time first; give it batch_first=True.")
    off = [name for name in QUANTISERS if not getattr(own, f"{name}_quant").is_quant_enabled]
    if off:
        raise ModelError(f"The LSTM {label} has no {off[0]} quantiser; every one of them is needed.")


def _weights(layer: nn.Module, gate: str, quantised) -> tuple[Tensor, Tensor, Tensor]:
    w, u, bias = layer.gate_params_fwd(getattr(layer, f"{gate}_gate_params"), quantised)
    return w.value, u.value, torch.tensor(0.0) if bias.value is None else bias.value


def _value(value) -> Tensor:
    return value.value if isinstance(value, QuantTensor) else value
