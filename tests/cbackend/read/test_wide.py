"""What FINN-ONNX cannot hold: lines of 16-bit levels, tables, softmax, sums of 64 bits; and rounding twice, as
TensorFlow Lite does."""

import numpy as np
import pytest
from graphs import Graph
from own_operators import divided, high_product
from written import equal

from microstage_cbackend.generate import read_model

OURS = "microstage"

LINES = {
    "31 bits": ([2**31 - 1], [12345], [45], {}),
    "a half to the even neighbour": ([3], [1 << 11], [12], {"ties": 1}),
    "a half to the odd neighbour": ([5], [1 << 9], [10], {"ties": -1}),
    "41 bits, channels": ([2**41 - 3, 2**40 + 7, -(2**39)], [5, -(2**60), 77], [54], {}),
    "84 bits, near halves": ([2**54 - 9, 2**53, -(2**54)], [2**40, -(2**41), 3], [67], {"ties": 2**20, "lift": 24}),
    "a shift for each channel": ([2**15 - 1, 2**14, 20000], [1 << 20, 1 << 9, 1 << 30], [21, 10, 31], {}),
}


def test_lines_of_16_bit_levels(tmp_path):
    """Behind an input, and in the stage of a convolution of 16 bits by 8 bits."""
    random, g, outputs = np.random.default_rng(0), Graph(), []
    x = g.input("x", (1, 3, 4, 4), "INT16")
    for case, (multiplier, addend, shift, attributes) in LINES.items():
        named = {"multiplier": multiplier, "addend": addend, "shift": shift}
        numbers = [g.constant(f"{name} {case}", values, np.int64) for name, values in named.items()]
        flags = {"low": -(2**15), "high": 2**15 - 1, "axis": 1, "domain": OURS, **attributes}
        alone = g.node("Requantize", x, *numbers, **flags)
        w = g.constant(f"w {case}", random.integers(-128, 128, (3, 3, 3, 3)))
        conv = g.node("Conv", alone, w, pads=[1, 1, 1, 1])
        outputs += [alone, g.node("Requantize", conv, *numbers, **flags)]
    equal(tmp_path, g, *outputs)


def test_two_kinds_of_sums_and_softmax(tmp_path):
    """A sum of two tensors of 16 bits in 64 bits, tables of 8 and 16 bits, fractions of rows that agree, or differ as
    much as they can."""
    random, g = np.random.default_rng(1), Graph()
    a, b, x = g.input("a", (1, 2, 5), "INT16"), g.input("b", (1, 2, 5), "INT16"), g.input("x", (1, 2, 5))
    terms = [
        g.node("Mul", one, g.constant(f"m{one}", factor, np.int64)) for one, factor in ((a, 2**41 + 5), (b, -(2**40)))
    ]
    total = g.node("Add", *terms)
    numbers = [g.constant(name, [v], np.int64) for name, v in (("one", 1), ("half", 1 << 40), ("forty-one", 41))]
    blend = g.node("Requantize", total, *numbers, low=-(2**15), high=2**15 - 1, axis=1, ties=777, domain=OURS)
    tables = [random.integers(-(2**15), 2**15, (1, size)) for size in (2**16, 2**8)]
    tall = g.node("Table", a, g.constant("tall", tables[0], np.int64), low=-(2**15), domain=OURS)
    small = g.node("Table", x, g.constant("small", tables[1], np.int64), low=-128, domain=OURS)
    soft = [
        g.node("IntegerSoftmax", x, input_multiplier=m, input_left_shift=s, diff_min=d, domain=OURS)
        for m, s, d in ((1431655808, 22, -248), (2**30 + 9, 26, -15), (2147483647, 20, -400))
    ]
    equal(tmp_path, g, blend, tall, small, *soft)


def twice_rounded(sums, multiplier, shift, zero):
    """MultiplyByQuantizedMultiplier and the output's zero point."""
    return np.array(
        [[divided(high_product(int(x), m), s) + zero for x, m, s in zip(row, multiplier, shift)] for row in sums]
    )


def thresholds_of(function, reach: int, channels: int) -> np.ndarray:
    """[channels, 255]: by halves, where each level from -127 on begins."""
    below, above = np.full((255, channels), -reach - 1), np.full((255, channels), reach + 1)
    while (above - below > 1).any():
        middle = (below + above) // 2
        reached = function(middle) >= np.arange(-127, 128)[:, None]
        below, above = np.where(reached, below, middle), np.where(reached, middle, above)
    return above.T


@pytest.mark.parametrize(("operator", "zero"), [("dense", 17), ("depthwise", -100), ("average", 3), ("alone", 0)])
def test_rounding_twice_is_a_line_with_a_kink(tmp_path, operator, zero):
    """Specialised kernels and plain ones; every step is compared when the line is fitted."""
    random, g, channels = np.random.default_rng(2), Graph(), 6
    x = g.input(
        "x",
        {"dense": (1, 40), "alone": (1, channels)}.get(operator, (1, channels, 5, 5)),
        "INT16" if operator == "alone" else "INT8",
    )
    w = random.integers(
        -127, 128, {"dense": (40, channels), "depthwise": (channels, 1, 3, 3)}.get(operator, (channels, 1, 5, 5))
    )
    sums = {
        "dense": lambda: g.node("MatMul", x, g.constant("w", w)),
        "alone": lambda: x,
        "depthwise": lambda: g.node("Conv", x, g.constant("w", w), group=channels, pads=[1, 1, 1, 1]),
        "average": lambda: g.node("Conv", x, g.constant("w", np.ones_like(w)), group=channels),
    }[operator]()
    rows = 1 if operator in ("average", "alone") else channels
    reach = {"dense": 40 * 128 * 127, "depthwise": 9 * 128 * 127, "average": 25 * 128, "alone": 2**15}[operator]
    multiplier, shift = (
        random.integers(2**30, 2**31, rows).tolist(),
        [int(np.log2(reach)) - 7 + int(n) for n in random.integers(0, 2, rows)],
    )
    table = thresholds_of(lambda sums: np.clip(twice_rounded(sums, multiplier, shift, zero), -128, 127), reach, rows)
    equal(tmp_path, g, g.threshold(sums, table, bias=-128, layout="NC" if x == sums or operator == "dense" else "NCHW"))
    forms = {proof["form"] for part in read_model(tmp_path / "in").parts for proof in part.proofs}
    assert forms == {"kink64"}


def test_pieces_that_rise_and_fall_are_one_table(tmp_path):
    """Of a byte and of 12 bits, in the middle of a network and at its end."""
    g = Graph()
    x, up, down = g.input("x", (1, 7), "INT12"), np.sort(np.arange(0, 2000, 9)), np.arange(-2000, 0, 11)
    turning = g.node(
        "Add", g.threshold(x, up[None]), g.node("Mul", g.threshold(x, down[None]), g.constant("minus", [[-1]]))
    )
    again = g.node(
        "Add", g.threshold(turning, [[-60, 3]]), g.node("Mul", g.threshold(turning, [[-90, -80, 9]]), "minus")
    )
    equal(tmp_path, g, turning, again)
    assert [layer.kernel for part in read_model(tmp_path / "in").parts for layer in part.layers] == [
        "ms_table",
        "ms_table",
    ]


def test_bytes_that_are_never_negative_before_a_convolution_of_9_bits(tmp_path):
    """Kernels of several types in one network, each with working memory and helpers of its own."""
    random, g = np.random.default_rng(3), Graph()
    x = g.threshold(g.input("x", (1, 2, 6, 6)), [np.arange(1, 120)], layout="NCHW")
    wide = g.node("Conv", x, g.constant("v", random.integers(-9, 9, (3, 2, 3, 3))), pads=[1, 1, 1, 1])
    nine = g.threshold(wide, [np.arange(-400, 400, 2)], bias=-200, layout="NCHW")
    sums = g.node("Conv", nine, g.constant("w", random.integers(-9, 9, (2, 3, 3, 3))))
    small = g.threshold(sums, [np.array([-7, 0, 100])], bias=-1, layout="NCHW")
    equal(tmp_path, g, nine, g.node("Conv", small, g.constant("u", random.integers(-9, 9, (2, 2, 2, 2)))))
