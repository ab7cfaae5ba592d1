"""Watch the layers of a network with brevitas' quantisers while it runs, and put other values in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from brevitas.nn.quant_layer import QuantNonLinearActLayer, QuantWeightBiasInputOutputLayer
from brevitas.nn.quant_rnn import QuantRecurrentStackBase
from brevitas.proxy.runtime_quant import ActQuantProxyFromInjector
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn

from microstage.explaining.twins import Arrays
from microstage.models.exporting import numbered
from microstage.quantisation.passes.recording import plain
from microstage.quantisation.passes.switching import unquantised

__all__ = ["in_floats", "watched"]

_LAYERS = (QuantWeightBiasInputOutputLayer, QuantNonLinearActLayer, QuantRecurrentStackBase)
_FEW = 2  # bits


@contextmanager
def watched(network: nn.Module, given: Arrays) -> Iterator[dict[str, np.ndarray]]:
    """While it runs: {module path of a layer: what it gives}, in the order of the calls, `path.2` of a second one.

    What follows a layer in `given` reads the values there.
    """
    found: dict[str, np.ndarray] = {}
    with ExitStack() as hooks:
        for path, layer in network.named_modules():
            if isinstance(layer, _LAYERS):
                handle = layer.register_forward_hook(_watcher(path, found, given))
                hooks.callback(handle.remove)
        yield found


def _watcher(path: str, found: dict[str, np.ndarray], given: Arrays) -> Callable[..., Any]:
    def watch(layer: nn.Module, inputs: Any, output: Any) -> Any:
        name = numbered(path, found)
        found[name] = _values(output).double().numpy()
        return _replaced(output, torch.from_numpy(given[name]).float()) if name in given else None

    return watch


def _values(output: Any) -> Tensor:
    """Return what a layer gives; of an LSTM the hidden state of every step."""
    return plain(output[0] if _is_recurrent(output) else output)


def _replaced(output: Any, values: Tensor) -> Any:
    if not _is_recurrent(output):
        return output.set(value=values) if isinstance(output, QuantTensor) else values
    sequence, (hidden, cell) = output
    last = plain(hidden).clone()
    last[-1] = values[:, -1]  # of the last of its layers
    return _replaced(sequence, values), (_replaced(hidden, last), cell)


def _is_recurrent(output: Any) -> bool:
    return isinstance(output, tuple) and not isinstance(output, QuantTensor)


@contextmanager
def in_floats(network: nn.Module) -> Iterator[None]:
    """Within it no quantiser rounds, but those whose two or three levels are what the network decides by.

    An activation of one or two bits is held to its ends: a sign becomes the line between -1 and 1 that it was trained
    as. One between 0 and 1 stays a decision.
    """
    few = [layer for layer in network.modules() if isinstance(layer, QuantNonLinearActLayer) and _bits(layer) <= _FEW]
    held = {layer: _held_by(layer.act_quant) for layer in few}
    with unquantised(network), ExitStack() as hooks:
        for layer, hold in held.items():
            handle = layer.register_forward_hook(lambda layer, inputs, output, hold=hold: hold(plain(output)))
            hooks.callback(handle.remove)
        yield


def _bits(layer: QuantNonLinearActLayer) -> int:
    return int(layer.act_quant.bit_width()) if layer.is_act_quant_enabled else 32


def _held_by(quantiser: ActQuantProxyFromInjector) -> Callable[[Tensor], Tensor]:
    """Return what a quantiser of one or two bits is in floats."""
    bits, signed, scale = int(quantiser.bit_width()), bool(quantiser.is_signed), float(quantiser.scale())
    if signed:
        return lambda value: value.clamp(-scale, scale)
    if bits == 1:
        return lambda value: (value > scale / 2).to(value) * scale
    return lambda value: value.clamp(0, scale * (2**bits - 1))
