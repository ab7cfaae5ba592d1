"""brevitas' quantised LSTM layer, trained about three times faster.

The same values and the same gradients come of far fewer operations.

The stock layer runs eleven quantisers a time step, each a dozen small differentiable operations. Once every scale is a
learned parameter, each of them is y = clip(round(x / s)) * s with the straight-through gradient

    dy/dx = 1 inside the clip, else 0          dy/ds = clip(round(x / s)) - (x / s inside the clip)

so a whole sequence can be one function: the four gates side by side, one product for all steps' inputs, and a way back
written out. While scales are still collecting statistics, in export, and for a layer of another kind (coupled gates,
another rounding, a scale per channel), the stock layer runs.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from brevitas.core.function_wrapper import RoundSte, TensorClamp, TensorClampSte
from brevitas.core.quant.int import RescalingIntQuant
from brevitas.core.scaling import ParameterFromRuntimeStatsScaling, ParameterScaling
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.nn import QuantLSTM
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn

from microstage.interface.lstm_node import QUANTISERS

__all__ = ["fuse"]

_SIGMOIDS = ("input", "forget", "output")
_GATES = (*_SIGMOIDS, "cell")  # side by side in this order: three sigmoids, one tanh


def fuse(lstm: QuantLSTM) -> QuantLSTM:
    """Let each layer of `lstm` run fused where it can, over its own quantisers.

    Parameters, names and export stay as they are.
    """
    for directions in lstm.layers:
        for layer in directions:
            layer.forward = _FusedForward(layer)
    return lstm


class _FusedForward:
    """A layer's forward pass. It owns nothing: weights and quantisers are the layer's, looked up anew each time."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer, self._stock = layer, layer.forward

    def __call__(self, inp: Tensor, hidden: Tensor | None, cell: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Run as the stock layer does: x [n, T, C] -> h of every step [n, T, H], last h and c [1, n, H].

        T comes first if not `batch_first`.
        """
        layer = self._layer
        if not _can_be_fused(layer):
            return self._stock(inp, hidden, cell)
        inp = inp.value if isinstance(inp, QuantTensor) else inp  # a layer below hands on its scale
        quants = {f"{name}_quant": _tensor_quant(getattr(layer.cell, f"{name}_quant")) for name in QUANTISERS}
        scales = {name: _scale(quant, quant.scaling_impl.value) for name, quant in quants.items()}
        bounds = {name: _bounds(quant) for name, quant in quants.items()}
        x = inp if layer.quantize_output_only else _Quantised.apply(inp, scales["output_quant"], bounds["output_quant"])
        x = x.transpose(0, 1) if layer.cell.batch_first else x  # [T, n, C]
        x = x.flip(0) if layer.reverse_input else x
        weights = [_weights(getattr(layer, f"{gate}_gate_params")) for gate in _GATES]
        states = zip((hidden, cell), (layer.cell.output_quant, layer.cell.cell_state_quant))
        initial = [
            None if state is None else layer.maybe_quantize_state(inp, state, proxy).value for state, proxy in states
        ]

        sums, activated = ([name.format(gate) for gate in _GATES] for name in ("{}_acc_quant", "{}_sigmoid_quant"))
        activated[-1] = "cell_tanh_quant"
        columns = [
            (_columns([scales[n] for n in names], layer.hidden_size), _sides(names, bounds, layer.hidden_size))
            for names in (sums, activated)
        ]
        singles = [(scales[n], bounds[n]) for n in ("cell_state_quant", "hidden_state_tanh_quant", "output_quant")]
        kinds = columns + singles
        outputs, last = _Sequence.apply(
            x,
            *(torch.cat(parts) for parts in zip(*weights)),
            *initial,
            *(scale for scale, _ in kinds),
            [bound for _, bound in kinds],
            torch.is_grad_enabled(),
        )
        ordered = outputs.flip(0) if layer.reverse_input else outputs
        return ordered.transpose(0, 1) if layer.cell.batch_first else ordered, outputs[-1:], last[None]


def _can_be_fused(layer: nn.Module) -> bool:
    cell = layer.cell
    proxies = [proxy for name, proxy in cell.named_children() if name.endswith("_quant")]
    if layer.export_mode or layer.return_quant_tensor or cell.cifg or not all(_is_learned(proxy) for proxy in proxies):
        return False
    gates = [getattr(layer, f"{gate}_gate_params") for gate in _GATES]
    return not any(
        gate.bias is None or gate.bias_quant.is_quant_enabled or not _has_plain_weights(gate) for gate in gates
    )


def _is_learned(proxy: nn.Module) -> bool:
    """Tell whether the scale is one parameter by now, and the quantiser of the kind that is written out here."""
    if not proxy.is_quant_enabled:
        return False
    quant = _tensor_quant(proxy)
    scaling = getattr(quant, "scaling_impl", None)
    if isinstance(scaling, ParameterFromRuntimeStatsScaling):
        settled = scaling.counter > scaling.collect_stats_steps
    elif isinstance(scaling, ParameterScaling):
        settled = True
    else:
        return False
    return settled and scaling.value.numel() == 1 and _is_plain(quant, TensorClamp)


def _has_plain_weights(gate: nn.Module) -> bool:
    proxy = gate.input_weight.weight_quant
    shared = gate.hidden_weight.weight_quant is proxy
    return shared and proxy.is_quant_enabled and _is_plain(proxy.tensor_quant, TensorClampSte)


def _is_plain(quant: nn.Module, clamp: type) -> bool:
    """Tell whether a quantiser has zero point 0, rounds half to even and has `clamp`.

    The clamp may have a slope beyond its bounds or not.
    """
    return (
        type(quant) is RescalingIntQuant
        and isinstance(quant.zero_point_impl, ZeroZeroPoint)
        and isinstance(quant.int_quant.float_to_int_impl, RoundSte)
        and type(quant.int_quant.tensor_clamp_impl) is clamp
    )


def _tensor_quant(proxy: nn.Module) -> nn.Module:
    return proxy.fused_activation_quant_proxy.tensor_quant


def _scale(quant: nn.Module, of: Tensor) -> Tensor:
    return (quant.scaling_impl(of) / quant.int_scaling_impl(quant.msb_clamp_bit_width_impl())).reshape(())


def _bounds(quant: nn.Module) -> tuple[float, float]:
    width = quant.msb_clamp_bit_width_impl()
    return float(quant.int_quant.min_int(width)), float(quant.int_quant.max_int(width))


def _weights(gate: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """Return W [H, C] and U [H, H], quantised by the one scale that they share, and the bias [H]."""
    quant, w, u = gate.input_weight.weight_quant.tensor_quant, gate.input_weight.weight, gate.hidden_weight.weight
    scale, bounds = _scale(quant, w), _bounds(quant)
    return _QuantisedWeight.apply(w, scale, bounds), _QuantisedWeight.apply(u, scale, bounds), gate.bias


def _columns(values: Iterable[Tensor], width: int) -> Tensor:
    return torch.stack(list(values)).repeat_interleave(width)


def _sides(names: list[str], bounds: dict[str, tuple[float, float]], width: int) -> tuple[Tensor, Tensor]:
    low, high = (
        _columns([torch.tensor(side) for side in sides], width) for sides in zip(*(bounds[name] for name in names))
    )
    return low, high


class _Quantised(torch.autograd.Function):
    """clip(round(x / scale)) * scale."""

    @staticmethod
    def forward(ctx, x, scale, bounds):
        y, let, by = x.clone(memory_format=torch.contiguous_format), torch.empty_like(x), torch.empty_like(x)
        _quantise(y, scale, bounds, let, by)
        ctx.save_for_backward(let, by)
        return y

    @staticmethod
    def backward(ctx, slope):
        let, by = ctx.saved_tensors
        return slope * let if ctx.needs_input_grad[0] else None, _total(slope * by), None


class _QuantisedWeight(torch.autograd.Function):
    """The same of a weight, whose clip lets every slope through."""

    @staticmethod
    def forward(ctx, weight, scale, bounds):
        ratio = weight / scale
        level = torch.round(ratio).clamp_(*bounds)
        ctx.save_for_backward(level - ratio)
        return level.mul_(scale)

    @staticmethod
    def backward(ctx, slope):
        (by,) = ctx.saved_tensors
        return slope, _total(slope * by), None


class _Sequence(torch.autograd.Function):
    """A whole sequence: (h of every step [T, n, H], last c).

    Inputs are x [T, n, C], W [4H, C], U [4H, H], b [4H], h and c [n, H] or None, and scales.

    Four gates side by side; `accumulator` and `activation` hold a scale per column [4H], `state`, `tanh`, `output` one
    each. What is kept of each step is what the way back multiplies by: `let_`, what a quantiser and the curve before it
    let through to their input, and `by_`, the slope by the quantiser's scale.
    """

    @staticmethod
    def forward(ctx, x, w, u, b, hidden, cell, accumulator, activation, state, tanh, output, bounds, learning):
        (steps, n, _), width = x.shape, u.shape[1]
        kept = steps if learning else 1
        gates = torch.matmul(x.reshape(steps * n, -1), w.t()).view(steps, n, -1)
        let_sum, by_sum, let_gate, by_gate = (x.new_empty(kept, n, 4 * width) for _ in range(4))
        pair, let_product, by_product = (x.new_empty(kept, n, 2 * width) for _ in range(3))
        let_cell, by_cell, held, let_held, by_held, let_hidden, by_hidden = (
            x.new_empty(kept, n, width) for _ in range(7)
        )
        hiddens, first = x.new_empty(steps, n, width), hidden
        cell = x.new_zeros(n, width) if cell is None else cell
        recurrent, curve = u.t().contiguous(), torch.empty_like(gates[0])
        pairs, sigmoids, out, new = (
            slice(start * width, end * width) for start, end in ((0, 2), (0, 3), (2, 3), (3, 4))
        )
        for t in range(steps):
            k, gate = t % kept, gates[t]
            if hidden is not None:
                gate.addmm_(hidden, recurrent)
            gate.add_(b)
            _quantise(gate, accumulator, bounds[0], let_sum[k], by_sum[k])
            gate[:, sigmoids].sigmoid_()
            gate[:, new].tanh_()
            torch.mul(gate, gate, out=curve)
            torch.sub(gate[:, sigmoids], curve[:, sigmoids], out=curve[:, sigmoids])
            torch.sub(1, curve[:, new], out=curve[:, new])
            _quantise(gate, activation, bounds[1], let_gate[k], by_gate[k])
            let_gate[k].mul_(curve)
            pair[k, :, :width], pair[k, :, width:] = gate[:, new], cell
            product = gate[:, pairs] * pair[k]
            _quantise(product, state, bounds[2], let_product[k], by_product[k])
            cell = product[:, :width] + product[:, width:]
            _quantise(cell, state, bounds[2], let_cell[k], by_cell[k])
            bent = torch.tanh(cell, out=held[k])
            flat = 1 - bent * bent
            _quantise(bent, tanh, bounds[3], let_held[k], by_held[k])
            let_held[k].mul_(flat)
            hidden = torch.mul(gate[:, out], bent, out=hiddens[t])
            _quantise(hidden, output, bounds[4], let_hidden[k], by_hidden[k])
        if learning:
            lets = let_sum, let_gate, let_product, let_cell, let_held, let_hidden
            bys = by_sum, by_gate, by_product, by_cell, by_held, by_hidden
            ctx.save_for_backward(x, w, u, first, hiddens, gates, pair, held, *lets, *bys)
        return hiddens, cell

    @staticmethod
    def backward(ctx, hidden_slope, cell_slope):
        x, w, u, first, hiddens, gates, pair, held, *rest = ctx.saved_tensors
        let_sum, let_gate, let_product, let_cell, let_held, let_hidden = rest[:6]
        by_sum, by_gate, by_product, by_cell, by_held, by_hidden = rest[6:]
        steps, n, width = hiddens.shape
        pairs, out, new = (slice(start * width, end * width) for start, end in ((0, 2), (2, 3), (3, 4)))
        scale_sum, scale_gate = torch.zeros_like(gates[0]), torch.zeros_like(gates[0])
        scale_product, both = pair.new_zeros(n, 2, width), torch.empty_like(pair[0])
        scale_cell, scale_held, scale_hidden = (torch.zeros_like(held[0]) for _ in range(3))
        slopes, gate = torch.empty_like(gates), torch.empty_like(gates[0])
        hidden, cell_next = hidden_slope[-1].clone(), cell_slope
        for t in range(steps - 1, -1, -1):
            scale_hidden.addcmul_(hidden, by_hidden[t])
            hidden.mul_(let_hidden[t])
            torch.mul(hidden, held[t], out=gate[:, out])
            hidden.mul_(gates[t, :, out])
            scale_held.addcmul_(hidden, by_held[t])
            cell = torch.addcmul(cell_next, hidden, let_held[t])
            scale_cell.addcmul_(cell, by_cell[t])
            cell = cell.mul_(let_cell[t])[:, None]
            scale_product.addcmul_(cell, by_product[t].view(n, 2, width))
            torch.mul(cell, let_product[t].view(n, 2, width), out=both.view(n, 2, width))
            torch.mul(both, pair[t], out=gate[:, pairs])
            both.mul_(gates[t, :, pairs])
            gate[:, new], cell_next = both[:, :width], both[:, width:].clone()
            scale_gate.addcmul_(gate, by_gate[t])
            gate.mul_(let_gate[t])
            scale_sum.addcmul_(gate, by_sum[t])
            slope = torch.mul(gate, let_sum[t], out=slopes[t])
            if t:
                hidden = _product(slope, u).add_(hidden_slope[t - 1])
        before, first_slope = hiddens[:-1], None
        if first is not None:
            before, first_slope = torch.cat([first[None], before]), _product(slope, u)
        flat, late = slopes.view(steps * n, -1), slopes[-len(before) :].view(-1, 4 * width)
        return (
            _product(flat, w).view_as(x) if ctx.needs_input_grad[0] else None,
            _product(flat.t(), x.reshape(steps * n, -1)),
            _product(late.t(), before.reshape(-1, width)) if len(before) else torch.zeros_like(u),
            flat.sum(0),
            first_slope,
            cell_next if ctx.needs_input_grad[5] else None,
            _total(scale_sum, 0),
            _total(scale_gate, 0),
            _total(scale_product) + _total(scale_cell),
            _total(scale_held),
            _total(scale_hidden),
            None,
            None,
        )


def _quantise(value: Tensor, scale: Tensor, bounds: tuple, let: Tensor, by: Tensor) -> None:
    """Do clip(round(value / scale)) * scale in place.

    Its slopes by the value and by the scale go into `let` and `by`.
    """
    torch.div(value, scale, out=by)
    far = (
        1.5 / torch.finfo(value.dtype).eps
    )  # so far out a float has no fraction left: half to even, many times faster than round()
    torch.add(by, far, out=value).sub_(far)
    level = torch.clamp(value, *bounds)
    torch.eq(value, level, out=let)
    torch.addcmul(level, by, let, value=-1, out=by)
    torch.mul(level, scale, out=value)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b by NumPy's BLAS, which is twice as fast as torch's on CPUs that MKL was not made for."""
    return torch.from_numpy(np.matmul(a.numpy(), b.numpy()))


def _total(slope: Tensor, *dim: int) -> Tensor:
    """Sum a scale's slopes in double, as they nearly cancel."""
    return slope.sum(*dim, dtype=torch.float64).to(slope.dtype)
