"""What the operators of our own domain compute, value by value: in Python's integers, as their sources are written."""

import numpy as np

__all__ = ["ORACLE", "divided", "high_product"]


def requantized(inputs, a):
    """In Python's integers."""
    x, *constants = inputs
    shape = [-1 if axis == a["axis"] else 1 for axis in range(x.ndim)]
    m, c, s = (np.broadcast_to(v.astype(object).reshape(shape if v.size > 1 else ()), x.shape) for v in constants)
    value, ties, even = (
        x.astype(object) * m + c * (1 << a.get("lift", 0)),
        abs(a.get("ties", 0)) << a.get("lift", 0),
        a.get("ties", 0) < 0,
    )
    level = [
        int(v >> k) - int(v % (1 << int(k)) < ties and int(v >> k) % 2 != even)
        for v, k in zip(value.ravel(), s.ravel())
    ]
    return np.clip(np.array(level).reshape(x.shape), a["low"], a["high"])


def high_product(a: int, b: int) -> int:
    """As gemmlowp writes it: rounded away from zero by a nudge, cut off by division."""
    nudged = a * b + ((1 << 30) if a * b >= 0 else 1 - (1 << 30))
    return nudged // 2**31 if nudged >= 0 else -(-nudged // 2**31)


def divided(x: int, exponent: int) -> int:
    mask = (1 << exponent) - 1
    return (x >> exponent) + int((x & mask) > (mask >> 1) + (x < 0))


def exp_on_negative(a: int) -> int:
    """gemmlowp's exp_on_negative_values of 5 integer bits."""
    quarter = 1 << 24
    rest = (a & (quarter - 1)) - quarter
    x = (rest << 5) + (1 << 28)
    x2 = high_product(x, x)
    x3, x4 = high_product(x2, x), high_product(x2, x2)
    tail = divided(high_product(divided(x4, 2) + x3, 715827883) + x2, 1)
    result = 1895147668 + high_product(1895147668, x + tail)
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for bit, factor in enumerate(factors):
        result = high_product(result, factor) if (rest - a) >> (24 + bit) & 1 else result
    return result if a else 2**31 - 1


def softmax(inputs, a):
    """reference/softmax.h, value by value."""
    found = []
    for row in inputs[0].reshape(-1, inputs[0].shape[-1]).tolist():
        kept = [x - max(row) if x - max(row) >= a["diff_min"] else None for x in row]
        exps = [
            None if d is None else exp_on_negative(high_product(d << a["input_left_shift"], a["input_multiplier"]))
            for d in kept
        ]
        total = sum(divided(e, 12) for e in exps if e is not None)
        headroom = 32 - total.bit_length()
        half = ((total << headroom) - 2**31 + 2**31) // 2
        x = 1515870810 + high_product(half, -1010580540)
        for _ in range(3):
            x += high_product(x, (1 << 29) - high_product(half, x)) << 2
        scale = min(x << 1, 2**31 - 1)
        found += [
            -128 if e is None else min(127, divided(high_product(scale, e), 12 - headroom + 23) - 128) for e in exps
        ]
    return np.array(found).reshape(inputs[0].shape)


ORACLE = {"Requantize": requantized, "IntegerSoftmax": softmax, "Table": lambda i, a: i[1][0][i[0] - a["low"]]}
