"""What the export stage asks of a model; a family's `export.py` has a subclass called `Exporting`.

A network needs to say only how it is built: `simulate` watches every activation quantiser as data flows by, and walks
each LSTM step by step.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from brevitas.nn.quant_rnn import QuantRecurrentStackBase
from brevitas.proxy import ActQuantProxyFromInjector
from torch import Tensor, nn

from microstage.errors import ModelError, VerificationError
from microstage.interface import golden
from microstage.interface.gain import EXPONENT
from microstage.models.definition import REPLAYED, ModelDeclaration, StepDeclaration, read
from microstage.models.lstm_steps import walk
from microstage.signals.gain import bits_at, block_float
from microstage.signals.settle import shifts

if TYPE_CHECKING:
    import onnx

__all__ = ["Exporting", "integers", "lstm_layers", "numbered", "smallest", "whole"]


class Exporting(ABC):
    """A network on its way to ONNX.

    `input` and `output` are the graph's ends, one name each or several, in the order in which the network takes and
    gives them.

    `replayed[input]` is what the network is fed with. Where the graph begins with a quantiser, the integers enter
    behind it, under the quantiser's module path; where it does not, `model_def.json` says which integers enter
    (docs/adding-a-model.md). A subclass sets `network`, weights left out, from `parameters` or from a definition of its
    own.
    """

    input: str | tuple[str, ...]
    output: str | tuple[str, ...]
    proven: tuple[int, int] | None = None  # what `simulate` compared by itself: integers, explained ties among them
    network: nn.Module  # with load_weights(state), which raises `ModelError` if it does not fit

    def __init__(self, folder: Path) -> None:
        """Read `folder`, which holds `model_def.json` and `test.npz`; `ModelError` for a definition that is none."""
        self.folder = folder
        described = read(folder)
        self.parameters: Mapping[str, Any] = described["parameters"]
        self.declared = ModelDeclaration.of(described)

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,) if isinstance(self.input, str) else tuple(self.input)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.output,) if isinstance(self.output, str) else tuple(self.output)

    @property
    def example(self) -> tuple[Tensor, ...]:
        """One input each, of the shape of those that are replayed."""
        replayed = golden.load(self.folder / REPLAYED)
        return tuple(torch.zeros(1, *replayed[name].shape[1:]) for name in self.inputs)

    def qonnx(self) -> onnx.ModelProto | None:
        """Return the network as QONNX, where it writes that itself; None leaves it to brevitas' exporter."""
        return None

    def save(self, folder: Path) -> None:  # noqa: B027
        """Write what else users of the network may want."""

    def sequence(self, window: Tensor, shift: Tensor) -> Mapping[str, Tensor]:
        """Return {output: [n, L, ...]} over all steps of a network whose graph is one step, states settled in between.

        `window` [n, L, S]; `shift` [n, L] says by how much each exponent exceeds the one before. Each quantiser is
        called once.
        """
        raise ModelError(f"{type(self).__name__} has states that are carried; give it a method `sequence`.")

    def simulate(self, replayed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return {boundary: integers, output: reals as float64} as the framework computes them.

        Boundaries within an LSTM have all steps.

        A window that has a gain is recorded as its integers, and `gain_exponent` [n] tells what they are multiples of.
        Of a network whose graph is one step everything is [n, L, ...], and outputs that are carried are integers.
        """
        if self.declared.step is not None:
            return self._simulate_steps(self.declared.step, replayed)
        windows = self._windows(replayed)
        fed = [
            self._real(name, windows) if name in windows else torch.from_numpy(replayed[name]) for name in self.inputs
        ]
        with torch.no_grad(), _watched(self.network) as found:
            answer = self.network(*fed)
        return {**windows, **self._named(found), self.outputs[0]: answer.numpy().astype(np.float64)}

    def _simulate_steps(self, step: StepDeclaration, replayed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Simulate as `simulate` does.

        Quantisers outside of the LSTM are called with the steps of all sequences as rows.
        """
        windows, name = self._windows(replayed), step.gain.window
        steps, scale = windows[EXPONENT].shape, self.declared.inputs[name]["scale"]
        shift = shifts(windows[EXPONENT])
        with torch.no_grad(), _watched(self.network) as found:
            answers = self.sequence(torch.from_numpy(windows[name] * np.float32(scale)), torch.from_numpy(shift))
        found = {name: v if v.shape[:2] == steps else v.reshape(*steps, *v.shape[1:]) for name, v in found.items()}
        scales = {new: self.declared.inputs[old]["scale"] for old, new in step.carried.items()}
        given = {
            name: whole(value.numpy(), scales[name]) if name in scales else value.numpy().astype(np.float64)
            for name, value in answers.items()
        }
        return {**windows, **self._named(found), **given}

    def _named(self, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {self.declared.names.get(name, name): value for name, value in found.items()}

    def _windows(self, replayed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return {window: integers, "gain_exponent": int8} of what is replayed in real numbers; {} without a gain.

        There is one window each, or as many steps as the record has.
        """
        gain = self.declared.gain
        if gain is None:
            return {}
        waveform = replayed[gain.inputs[gain.window]].astype(np.float64)
        if self.declared.carried:
            samples = dict(zip(self.inputs, self.example))[gain.window].shape[-1]
            waveform = waveform.reshape(len(waveform), -1, samples)
        bits = bits_at(self.declared.inputs[gain.window]["scale"])
        ints, exponent = block_float(waveform, gain.exponents, bits)
        return {gain.window: ints, EXPONENT: exponent}

    def _real(self, name: str, windows: Mapping[str, np.ndarray]) -> Tensor:
        shape = dict(zip(self.inputs, self.example))[name].shape[1:]
        return torch.from_numpy(windows[name].astype(np.float32)).reshape(-1, *shape) * float(
            self.declared.inputs[name]["scale"]
        )


@contextmanager
def _watched(network: nn.Module) -> Iterator[dict[str, np.ndarray]]:
    """While it runs: {module path of a quantiser, or boundary within an LSTM: integers}, filled at the end."""
    layers = lstm_layers(network)
    seen: dict[str, tuple[Tensor, nn.Module]] = {}
    steps: dict[str, np.ndarray] = {}
    found: dict[str, np.ndarray] = {}
    handles = [proxy.register_forward_hook(_keeper(seen, path)) for path, proxy in _activations(network, layers)]
    handles += [layer.register_forward_hook(_walker(steps, label)) for layer, label in layers.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
    found |= {name: integers(value, quantiser) for name, (value, quantiser) in seen.items()} | steps


def lstm_layers(network: nn.Module) -> dict[nn.Module, str]:
    """Return {layer of a QuantLSTM: its label}.

    A label is the module path of the LSTM, and `<path>.<k>` of its layer k where it has several.
    """
    found: dict[nn.Module, str] = {}
    for name, module in network.named_modules():
        if isinstance(module, QuantRecurrentStackBase):
            for k, directions in enumerate(module.layers):
                label = ".".join([*([name] if name else []), *([str(k)] if len(module.layers) > 1 else [])])
                found |= {layer: label if d == 0 else f"{label}.back" for d, layer in enumerate(directions)}
    return found


def _activations(network: nn.Module, layers: Mapping[nn.Module, str]) -> Iterator[tuple[str, nn.Module]]:
    """Yield (module path, proxy) of every quantiser of activations outside an LSTM."""
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
        inp, hidden, cell = inputs[:3]
        for boundary, values in walk(layer, label, inp, hidden, cell, output).items():
            steps[f"{label}.{boundary}"] = np.stack([integers(value, quantiser) for value, quantiser in values], axis=1)

    return record


def numbered(path: str, taken: Container[str]) -> str:
    """Return what the quantiser at `path` quantises.

    That is the path, and `path.2` where the same quantiser is used a second time.
    """
    return next(name for name in chain([path], (f"{path}.{use}" for use in count(2))) if name not in taken)


def integers(value: Tensor, quantiser) -> np.ndarray:
    """Return the exact integers.

    value / scale lies within float rounding of a whole number, or the record is refused.
    """
    return whole(value.numpy(), float(quantiser.scale()))


def whole(value: np.ndarray, scale: float) -> np.ndarray:
    """Return the integers of real values at `scale`, as `integers` does."""
    quotient = value.astype(np.float64) / scale
    found = np.rint(quotient)
    if np.abs(quotient - found).max() > 1e-3:
        raise VerificationError("A quantiser's output is no multiple of its scale.")
    return smallest(found)


def smallest(found: np.ndarray) -> np.ndarray:
    """Return whole numbers in the smallest type that holds them."""
    low, high = found.min(), found.max()
    kinds = (np.int8, np.uint8, np.int16, np.int32)
    return found.astype(next(k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max))
