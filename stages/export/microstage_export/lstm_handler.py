"""Our export manager: brevitas' QONNX export whose quantisers and LSTM say which module they belong to.

Handlers are brevitas' own extension point; this one is registered by being listed in a manager of ours, at run time.
Every Quant, BipolarQuant and QuantLSTMCell node gets an attribute `path`; `name_tensors` then names the tensors by it.
"""

from __future__ import annotations

from brevitas.export.onnx.qonnx.function import (
    DOMAIN_STRING,
    BrevitasBinaryQuantFn,
    BrevitasQuantFn,
    BrevitasQuantLSTMCellFn,
)
from brevitas.export.onnx.qonnx.handler import (
    BrevitasActQuantProxyHandler,
    BrevitasBiasQuantProxyHandler,
    BrevitasQuantLSTMLayerHandler,
    BrevitasWeightQuantProxyHandler,
)
from brevitas.export.onnx.qonnx.manager import QONNXManager
from brevitas.proxy.quant_proxy import QuantProxyFromInjector
from torch import Tensor, nn
from torch.autograd import Function

from microstage.models.exporting import lstm_layers

__all__ = ["PathManager", "PATH", "tell_paths"]

PATH = "path"


def tell_paths(network: nn.Module) -> None:
    """Write each quantiser's and LSTM layer's path into the modules, where the handlers find it."""
    for name, module in network.named_modules():
        if isinstance(module, QuantProxyFromInjector):
            module.export_path = name.rpartition(".")[0]
    for layer, label in lstm_layers(network).items():
        layer.export_path = label
    addresses = {value.data_ptr(): name for name, value in network.named_parameters()}
    for module in network.modules():
        if hasattr(module, "weight_quant"):
            module.weight_quant.export_addresses = addresses


class _PathQuant(Function):
    """As brevitas' Quant, with the path of the quantised tensor."""

    @staticmethod
    def symbolic(g, x, scale, zero_point, bit_width, narrow_range, signed, rounding_mode, path):
        return g.op(
            f"{DOMAIN_STRING}::Quant",
            x,
            scale,
            zero_point,
            bit_width,
            rounding_mode_s=rounding_mode,
            signed_i=int(signed),
            narrow_i=int(narrow_range),
            path_s=path,
        )

    @staticmethod
    def forward(ctx, x, scale, zero_point, bit_width, narrow_range, signed, rounding_mode, path):
        return BrevitasQuantFn.forward(ctx, x, scale, zero_point, bit_width, narrow_range, signed, rounding_mode)


class _PathBipolarQuant(Function):
    """As brevitas' BipolarQuant, -scale or scale, with the path of the quantised tensor."""

    @staticmethod
    def symbolic(g, x, scale, zero_point, bit_width, narrow_range, signed, rounding_mode, path):
        return g.op(f"{DOMAIN_STRING}::BipolarQuant", x, scale, path_s=path)

    @staticmethod
    def forward(ctx, x, scale, zero_point, bit_width, narrow_range, signed, rounding_mode, path):
        return BrevitasBinaryQuantFn.forward(ctx, x, scale, zero_point, bit_width, narrow_range, signed, rounding_mode)


def _quantised(x: Tensor, k: dict, path: str) -> Tensor:
    """Return real values of a quantiser; one signed bit is -scale or scale, one without a sign 0 or scale."""
    function = _PathBipolarQuant if int(k["bit_width"]) == 1 and bool(k["signed"]) else _PathQuant
    return function.apply(x, *k.values(), path)


class _PathCell(Function):
    """As brevitas' QuantLSTMCell, with the path of its layer."""

    @staticmethod
    def symbolic(g, *arguments):
        node = BrevitasQuantLSTMCellFn.symbolic(g, *arguments[:-1])
        node[0].node().s_(PATH, arguments[-1])
        return node

    @staticmethod
    def forward(ctx, *arguments):
        return BrevitasQuantLSTMCellFn.forward(ctx, *arguments[:-1])


class _Act(BrevitasActQuantProxyHandler):
    def prepare_for_export(self, module) -> None:
        super().prepare_for_export(module)
        self.path = module.export_path

    def symbolic_execution(self, x: Tensor):
        k = self.symbolic_kwargs
        return _quantised(x, k, self.path), k["scale"], k["zero_point"], k["bit_width"]


class _GateWeightHandler(BrevitasWeightQuantProxyHandler):
    def prepare_for_export(self, module) -> None:
        super().prepare_for_export(module)
        self.addresses = module.export_addresses

    def symbolic_execution(self, x: Tensor):
        k = self.symbolic_kwargs
        quantised = self.quant_weights[x.data_ptr()]
        y = _quantised(quantised, k, self.addresses[x.data_ptr()])
        return y, k["scale"], k["zero_point"], k["bit_width"]


class _Bias(BrevitasBiasQuantProxyHandler):
    def prepare_for_export(self, module) -> None:
        super().prepare_for_export(module)
        self.path = f"{module.export_path}.bias"

    def symbolic_execution(self, x: Tensor, input_scale=None, input_bit_width=None):
        k = self.symbolic_kwargs
        scale = input_scale if k["scale"] is None else k["scale"]
        width = input_bit_width if k["bit_width"] is None else k["bit_width"]
        rest = (k["narrow_range"], k["signed"], k["rounding_mode"])
        y = _PathQuant.apply(x, scale, k["zero_point"], width, *rest, self.path)
        return y, scale, k["zero_point"], width


class _LSTM(BrevitasQuantLSTMLayerHandler):
    def prepare_for_export(self, module) -> None:
        super().prepare_for_export(module)
        self.path = module.export_path

    def quantized_cell_symbolic_execution(self, *tensors: Tensor):
        return _PathCell.apply(*tensors, *self.symbolic_kwargs.values(), self.path)


class PathManager(QONNXManager):
    """QONNX export with paths; `PathManager.export(network, args=..., ...)`."""

    handlers = [_Act, _Bias, _GateWeightHandler, _LSTM]
    custom_fns = [_PathQuant, _PathBipolarQuant, _PathCell]
