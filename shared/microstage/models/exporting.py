"""What the export stage asks of a model; a family's `export.py` has a subclass called `Exporting`.

A feed-forward network needs to say only how it is built: `simulate` watches every activation quantiser as data flows by.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Container, Iterator, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from brevitas.proxy import ActQuantProxyFromInjector
from torch import Tensor, nn

from microstage import golden
from microstage.errors import VerificationError
from microstage.models.definition import REPLAYED, read

__all__ = ["Exporting", "integers", "numbered"]


class Exporting(ABC):
    """A network on its way to ONNX: `input` and `output` name the graph's two ends.

    `replayed[input]` is what the network is fed with. Where the graph begins with a quantiser, the integers enter behind
    it, under the quantiser's module path; where it does not, `model_def.json` says which integers enter (docs/adding-a-model.md).
    A subclass sets `network`, weights left out, from `parameters` or from a definition of its own.
    """

    input: str
    output: str
    network: nn.Module  # with load_weights(state), which raises `ModelError` if it does not fit

    def __init__(self, folder: Path) -> None:
        """`folder` holds `model_def.json` and `test.npz`; `ModelError` for a definition that is none."""
        self.folder = folder
        self.parameters: Mapping[str, Any] = read(folder)["parameters"]

    @property
    def example(self) -> Tensor:
        """One input, of the shape of those that are replayed."""
        return torch.zeros(1, *golden.load(self.folder / REPLAYED)[self.input].shape[1:])

    def simulate(self, replayed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """{boundary: integers, output: reals as float64} as the framework computes them."""
        seen: dict[str, tuple[Tensor, nn.Module]] = {}
        watched = [proxy.register_forward_hook(_keeper(seen, path)) for path, proxy in _activations(self.network)]
        with torch.no_grad():
            answer = self.network(torch.from_numpy(replayed[self.input]))
        for handle in watched:
            handle.remove()
        found = {name: integers(value, quantiser) for name, (value, quantiser) in seen.items()}
        return {**found, self.output: answer.numpy().astype(np.float64)}


def _activations(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """(module path, proxy) of every quantiser of activations."""
    for name, module in network.named_modules():
        if isinstance(module, ActQuantProxyFromInjector) and module.is_quant_enabled:
            yield name.rpartition(".")[0], module


def _keeper(seen: dict[str, tuple[Tensor, nn.Module]], path: str):
    def keep(module, inputs, output) -> None:
        seen[numbered(path, seen)] = output[0], module

    return keep


def numbered(path: str, taken: Container[str]) -> str:
    """What is quantised by the quantiser at `path`: that path, and `path.2` where the same one is used a second time."""
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
