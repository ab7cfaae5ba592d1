"""A user's own network with wide integers: states in and out, quantisers behind joined tensors, sums that are kept or
not.
"""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper
from stepped_parts import Builder, OwnFile, Sizes, encoder, head
from user_files import annotated

from microstage.integer import QTensor
from microstage.integer.rounding_bounds import Bounded, bound


def kept_or_not():
    """One window and a sum, and what is made of both: `y0`, `y1` and so on."""
    b = OwnFile(0, "n")
    window, total = (
        b.taken("window", None, [1, 16], (-2047, 2047), 2.0**-11),
        b.taken("sum", None, [4], (0, 2**16 - 1), 2.0**-9),
    )
    real, other = (b.norm(b.add("Conv", [window, b.weight((4, 1, 16))], kernel_shape=[16]), 4) for _ in range(2))
    flat, axis = b.add("Flatten", [other], axis=1), b.constant(np.int64([2]))
    joined = b.add("Concat", [real, b.add("Unsqueeze", [total, axis])], axis=1)
    apart = b.nodes.append(helper.make_node("Split", [joined], ["left", "right"], axis=1)) or ["right", "left"]
    above = b.add("Greater", [flat, b.constant(np.float32(0.1))])
    counted = b.quant(flat, 2.0**-10, 10, 0)
    factors = b.constant(np.float32([3.3, 0.2, 7, 1]))
    return b, [
        (
            "real and integers joined, and read by two quantisers",
            [8, 1],
            [b.quant(joined, 0.01, 8, 1), b.quant(joined, 0.03, 10, 0)],
        ),
        (
            "joined along the last axis, a step for each channel",
            [8],
            [
                b.quant(
                    b.add("Concat", [flat, b.add("Mul", [total, factors])], axis=-1),
                    np.linspace(0.01, 0.08, 8)[None],
                    9,
                    1,
                )
            ],
        ),
        ("parted and joined again", [8, 1], [b.quant(b.add("Concat", apart, axis=1), 0.02, 12, 1)]),
        (
            "kept at half a step, and an addend of another scale",
            [4],
            [b.add("Add", [b.add("Mul", [b.quant(flat, 0.5, 1, 0), total]), total]), b.add("Add", [counted, total])],
        ),
        (
            "kept where a condition is true",
            [4],
            [
                b.add("Where", [above, total, b.constant(np.zeros((1, 4), np.float32))]),
                b.quant(b.add("Where", [above, b.constant(np.float32(-0.5)), total]), 0.03, 8, 1),
            ],
        ),
    ]


@pytest.mark.parametrize("which", range(5))
def test_forms_of_wide_networks_become_integers_and_answer_as_the_file_does(which, own, capfd):
    b, forms = kept_or_not()
    _, shape, outputs = forms[which]
    for place, name in enumerate(outputs):
        b.add("Identity", [name], f"y{place}")
    b.outputs = {
        f"y{place}": {"kind": TensorProto.FLOAT, "shape": [1, *shape], "range": [0, 0], "scale": 1.0}
        for place in range(len(outputs))
    }
    assert own.run(alive(b).finish()) == 0, capfd.readouterr().err
    assert own.unresolved() == [] and (own.out / "model_finn_streamlined.onnx").exists()
    beside = own.metrics()["compared"]["the file"]
    assert all(beside[name]["levels_differing"] == 0 for name in b.outputs)


def alive(b):
    """Only what some output needs."""
    needed, kept = set(b.outputs), []
    for node in reversed(b.nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    b.nodes = kept[::-1]
    b.inputs = {name: said for name, said in b.inputs.items() if name in needed}
    b.constants = {name: value for name, value in b.constants.items() if name in needed}
    return b


@pytest.mark.parametrize("make", [encoder, head])
def test_a_file_with_wide_states_is_taken_as_the_parts_of_the_stage_before_are(make, own, capfd):
    builder = make(Sizes(), OwnFile)
    assert own.run(builder.finish()) == 0, capfd.readouterr().err
    said, given = own.interface(), builder.inputs
    assert {name: tensor["scale"] for name, tensor in said["inputs"].items()} == {
        name: tensor["scale"] for name, tensor in given.items()
    }
    assert all(tensor["range"][1] >= given[name]["range"][1] for name, tensor in said["inputs"].items())
    assert set(said["outputs"]) == set(builder.outputs) and own.unresolved() == []
    (part,) = json.loads((own.out / "estimates.json").read_text())["parts"].values()
    assert part["unmapped"] == [] and all(f"real.{name}" in np.load(own.out / "golden.npz") for name in given)


def test_integers_of_32_bits_enter_as_wide_as_they_are_annotated(own, capfd):
    model = head(Sizes(), Builder).finish()
    assert own.run(annotated(model, estimate="INT12", sum="INT15", count="UINT4")) == 0, capfd.readouterr().err
    said = own.interface()
    assert (
        said["inputs"]["sum"]["range"] == [-(2**14), 2**14 - 1] and said["outputs"]["sum_next"]["datatype"] == "INT16"
    )
    assert own.run(annotated(model, hidden="INT12")) == 2
    assert "hidden is annotated -2048 to 2047; its type holds -128 to 127" in capfd.readouterr().err


def test_what_float32_makes_of_wide_integers_at_another_scale_is_bounded_closely():
    value, factor = QTensor(np.array([[146847242]]), np.float64(2**-9)), np.float64(23.04336357)
    given = {"x": Bounded.in_float32(value), "factor": Bounded.certain(factor)}
    found = bound([helper.make_node("Rescale", ["x", "factor"], ["y"])], given)["y"]
    exact = value.ints * value.scale * factor
    assert np.all(np.abs(np.stack([found.low, found.high]) - exact) < exact * 2**-21) and np.all(
        (found.low < exact) & (exact < found.high)
    )
