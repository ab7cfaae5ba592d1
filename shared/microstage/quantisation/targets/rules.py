"""Which layers a target has: a violation names the layer and the rule."""

from __future__ import annotations

from collections.abc import Iterator

from torch import fx, nn

from microstage.errors import ModelError
from microstage.quantisation.targets.target import LayerRules, Target

__all__ = ["assert_allowed"]


def assert_allowed(model: fx.GraphModule, target: Target) -> None:
    """`ModelError` for the first convolution that the target does not have."""
    if target.layers is None:
        return
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d)):
            for broken in _violations(module, target.layers):
                raise ModelError(f"Target {target.name} has no such layer: {name} has {broken}.")


def _violations(module: nn.Conv1d | nn.Conv2d, rules: LayerRules) -> Iterator[str]:
    for what, values, allowed in (
        ("kernel", module.kernel_size, rules.kernels),
        ("stride", module.stride, rules.strides),
        ("dilation", module.dilation, rules.dilations),
    ):
        if not set(values) <= set(allowed):
            yield f"{what} {_times(values)}; allowed are {', '.join(map(str, allowed))}"
    if rules.padding == "same" and not _is_same(module):
        yield f"padding {module.padding} at kernel {_times(module.kernel_size)}; allowed is half of the kernel (SAME)"
    if rules.groups == "one-or-output" and module.groups not in (1, module.out_channels):
        yield f"{module.groups} groups; allowed are 1 and the number of output channels, {module.out_channels}"


def _is_same(module: nn.Conv1d | nn.Conv2d) -> bool:
    if isinstance(module.padding, str):
        return module.padding == "same" or set(module.kernel_size) == {1}
    return all(2 * padding + 1 == kernel for padding, kernel in zip(module.padding, module.kernel_size))


def _times(values: tuple[int, ...]) -> str:
    return " x ".join(map(str, values))
