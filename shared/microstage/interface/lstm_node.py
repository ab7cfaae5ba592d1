"""What the inputs of brevitas' QuantLSTMCell node are, in the order in which it has them."""

from __future__ import annotations

__all__ = ["INPUTS", "OPERATOR", "QUANTISERS", "QUANTISER_INPUTS"]

OPERATOR = "QuantLSTMCell"
QUANTISERS = (
    "output",
    "cell_state",
    "input_acc",
    "forget_acc",
    "cell_acc",
    "output_acc",
    "input_sigmoid",
    "forget_sigmoid",
    "cell_tanh",
    "output_sigmoid",
    "hidden_state_tanh",
)
QUANTISER_INPUTS = ("scale", "zero_point", "bit_width")
INPUTS = (
    *("input", "hidden_0", "cell_0", "weight_ii", "weight_if", "weight_ic", "weight_io"),
    *("weight_hi", "weight_hf", "weight_hc", "weight_ho", "bias_input", "bias_forget", "bias_cell", "bias_output"),
    *(f"{quantiser}.{role}" for quantiser in QUANTISERS for role in QUANTISER_INPUTS),
)
