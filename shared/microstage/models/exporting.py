"""What the export stage asks of a model; a family's `export.py` has a subclass called `Exporting`.

A network needs to say only how it is built: `simulate` watches every activation quantiser as data flows by, and walks
each LSTM step by step.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Container, Iterator, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from brevitas.nn.quant_rnn import QuantRecurrentStackBase
from brevitas.proxy import ActQuantProxyFromInjector
from torch import Tensor, nn

from microstage import golden
from microstage.errors import VerificationError
from microstage.models.definition import REPLAYED, Declared, read
from microstage.models.lstm_steps import walk
from microstage.roles import EXPONENT
from microstage.signals.gain import block_float

__all__ = ["Exporting", "integers", "lstm_layers", "numbered"]


class Exporting(ABC):
    """A network on its way to ONNX: `input` (one name or several, in the order that the network takes them) and
    `output` are the graph's ends.

    `replayed[input]` is what the network is fed with. Where the graph begins with a quantiser, the integers enter
    behind it, under the quantiser's module path; where it does not, `model_def.json` says which integers enter
    (docs/adding-a-model.md). A subclass sets `network`, weights left out, from `parameters` or from a definition of its
    own.
    """

    input: str | tuple[str, ...]
    output: str
    network: nn.Module  # with load_weights(state), which raises `ModelError` if it does not fit

    def __init__(self, folder: Path) -> None:
        """`folder` holds `model_def.json` and `test.npz`; `ModelError` for a definition that is none."""
        self.folder = folder
        described = read(folder)
        self.parameters: Mapping[str, Any] = described["parameters"]
        self.declared = Declared.of(described)

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,) if isinstance(self.input, str) else tuple(self.input)

    @property
    def example(self) -> tuple[Tensor, ...]:
        """One input each, of the shape of those that are replayed."""
        replayed = golden.load(self.folder / REPLAYED)
        return tuple(torch.zeros(1, *replayed[name].shape[1:]) for name in self.inputs)

    def simulate(self, replayed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """{boundary: integers, over all steps within an LSTM; output: reals as float64} as the framework computes them.

        A window that has a gain is recorded as its integers, and `gain_exponent` [n] tells what they are multiples of.
        """
        windows = self._windows(replayed)
        fed = [
            self._real(name, windows) if name in windows else torch.from_numpy(replayed[name]) for name in self.inputs
        ]
        layers, seen = lstm_layers(self.network), {}
        watched = [
            proxy.register_forward_hook(_keeper(seen, path)) for path, proxy in _activations(self.network, layers)
        ]
        steps: dict[str, np.ndarray] = {}
        watched += [layer.register_forward_hook(_walker(steps, label)) for layer, label in layers.items()]
        with torch.no_grad():
            answer = self.network(*fed)
        for handle in watched:
            handle.remove()
        found = {name: integers(value, quantiser) for name, (value, quantiser) in seen.items()} | steps
        found = {self.declared.names.get(name, name): value for name, value in found.items()}
        return {**windows, **found, self.output: answer.numpy().astype(np.float64)}

    def _windows(self, replayed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """{window: integers int8, "gain_exponent": int8 [n]} of what is replayed in real numbers, where the model has a
        gain."""
        gain = self.declared.gain
        if gain is None:
            return {}
        ints, exponent = block_float(replayed[gain.inputs[gain.window]].astype(np.float64), gain.exponents)
        return {gain.window: ints, EXPONENT: exponent}

    def _real(self, name: str, windows: Mapping[str, np.ndarray]) -> Tensor:
        shape = dict(zip(self.inputs, self.example))[name].shape[1:]
        return torch.from_numpy(windows[name].astype(np.float32)).reshape(-1, *shape) * float(
            self.declared.inputs[name]["scale"]
        )


def lstm_layers(network: nn.Module) -> dict[nn.Module, str]:
    """{layer of a QuantLSTM: its label}: the module path of the LSTM, and `<path>.<k>` of its layer k where it has
    several."""
    found = {}
    for name, module in network.named_modules():
        if isinstance(module, QuantRecurrentStackBase):
            for k, directions in enumerate(module.layers):
                label = ".".join([*([name] if name else []), *([str(k)] if len(module.layers) > 1 else [])])
                found |= {layer: label if d == 0 else f"{label}.back" for d, layer in enumerate(directions)}
    return found


def _activations(network: nn.Module, layers: Mapping[nn.Module, str]) -> Iterator[tuple[str, nn.Module]]:
    """(module path, proxy) of every quantiser of activations outside an LSTM."""
    within = {part for layer in layers for part in layer.modules()}
    for name, module in network.named_modules():
        if isinstance(module, ActQuantProxyFromInjector) and module.is_quant_enabled and module not in within:
            yield name.rpartition(".")[0], module


def _keeper(seen: dict[str, tuple[Tensor, nn.Module]], path: str):
    def keep(module, inputs, output) -> None:
        seen[numbered(path, seen)] = output[0], module

    return keep


def _walker(steps: dict[str, np.ndarray], label: str):
    def record(layer, inputs, output) -> None:
        for boundary, values in walk(layer, label, *inputs[:3], output).items():
            steps[f"{label}.{boundary}"] = np.stack([integers(value, quantiser) for value, quantiser in values], axis=1)

    return record


def numbered(path: str, taken: Container[str]) -> str:
    """What the quantiser at `path` quantises: that path, and `path.2` where the same one is used a second time."""
    return next(name for name in chain([path], (f"{path}.{use}" for use in count(2))) if name not in taken)


def integers(value: Tensor, quantiser) -> np.ndarray:
    """Exact: value / scale lies within float rounding of a whole number, or the record is refused."""
    scale = float(quantiser.scale())
    quotient = value.numpy().astype(np.float64) / scale
    whole = np.rint(quotient)
    if np.abs(quotient - whole).max() > 1e-3:
        raise VerificationError("A quantiser's output is no multiple of its scale.")
    low, high = whole.min(), whole.max()
    return whole.astype(np.int8 if -128 <= low and high <= 127 else np.uint8 if low >= 0 and high <= 255 else np.int16)
