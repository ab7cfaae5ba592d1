"""Copy a program: layers and tensors are new, but for what both share: inputs, outputs and constants."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from microstage_cbackend.program.ir import Part, Tensor

__all__ = ["copied"]


def copied(part: Part) -> Part:
    """Return a copy of `part`, which passes may change; inputs, outputs and constants are the same tensors."""
    twins = {tensor: tensor for tensor in (*part.inputs, *part.outputs)}

    def twin(tensor: Tensor) -> Tensor:
        if tensor.data is not None:
            return tensor
        if tensor not in twins:
            twins[tensor] = replace(tensor, base=twin(tensor.base) if tensor.base else None)
        return twins[tensor]

    layers = [
        replace(
            layer,
            inputs=[twin(t) for t in layer.inputs],
            output=twin(layer.output),
            shape=deepcopy(layer.shape),
        )
        for layer in part.layers
    ]
    return replace(part, layers=layers, proofs=[], notes=[])
