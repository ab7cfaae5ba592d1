"""Stock LSTMs of the shapes and quantisers that tests and the benchmark compare the fused one with."""

import brevitas.nn as qnn
import torch
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat, Uint8ActPerTensorFloat

from microstage.models.harmonic.network import _learned


def learned(inputs: int, hidden: int, bits: int = 8, **kind) -> qnn.QuantLSTM:
    """Every scale a learned parameter from the start, weights wide enough that every clip bites."""
    torch.manual_seed(0)
    lstm = qnn.QuantLSTM(
        inputs,
        hidden,
        batch_first=kind.pop("batch_first", True),
        weight_quant=Int8WeightPerTensorFloat.let(bit_width=bits),
        bias_quant=None,
        io_quant=_learned(Int8ActPerTensorFloat, bits, 1.0),
        gate_acc_quant=_learned(Int8ActPerTensorFloat, bits, 3.0),
        sigmoid_quant=_learned(Uint8ActPerTensorFloat, bits, 0.9),
        tanh_quant=_learned(Int8ActPerTensorFloat, bits, 0.9),
        cell_state_quant=_learned(Int8ActPerTensorFloat, bits, 1.2),
        **kind,
    )
    return widened(lstm)


def collecting(inputs: int, hidden: int, steps: int) -> qnn.QuantLSTM:
    """brevitas' defaults but for how long they collect: scales are percentiles of what is seen, then parameters."""
    torch.manual_seed(0)
    signed, unsigned = (
        Int8ActPerTensorFloat.let(collect_stats_steps=steps),
        Uint8ActPerTensorFloat.let(collect_stats_steps=steps),
    )
    lstm = qnn.QuantLSTM(
        inputs,
        hidden,
        batch_first=True,
        weight_quant=Int8WeightPerTensorFloat,
        bias_quant=None,
        io_quant=signed,
        gate_acc_quant=signed,
        sigmoid_quant=unsigned,
        tanh_quant=signed,
        cell_state_quant=signed,
    )
    return widened(lstm)


def widened(lstm: qnn.QuantLSTM) -> qnn.QuantLSTM:
    for parameter in lstm.parameters():
        if parameter.ndim == 2:
            parameter.data *= 2
    return lstm
