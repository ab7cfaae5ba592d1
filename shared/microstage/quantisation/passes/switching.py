"""Let a network of brevitas layers compute in floats, all of it or all but one part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from brevitas.graph.calibrate import DisableEnableQuantization
from brevitas.proxy.parameter_quant import ParameterQuantProxyFromInjector
from brevitas.proxy.runtime_quant import ActQuantProxyFromInjector
from torch import nn

__all__ = ["unquantised"]


@contextmanager
def unquantised(network: nn.Module, but: nn.Module | None = None) -> Iterator[None]:
    """Within it `network` computes in floats, but for one quantiser: of weights or of an activation."""
    quantisers = (
        module
        for module in network.modules()
        if isinstance(module, (ParameterQuantProxyFromInjector, ActQuantProxyFromInjector)) and module is not but
    )
    others, switch = nn.ModuleList(quantisers), DisableEnableQuantization()
    switch.apply(others, is_training=False, quantization_enabled=False)
    try:
        yield
    finally:
        switch.apply(others, is_training=False, quantization_enabled=True)
