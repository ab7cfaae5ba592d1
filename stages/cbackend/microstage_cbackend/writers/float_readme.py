"""Say in the README how real numbers become integers, and which integers are in another order than their values."""

from __future__ import annotations

import numpy as np

from microstage.interface.ranking import ranking
from microstage_cbackend.writers.names import quoted
from microstage_cbackend.writers.quantising import is_sign
from microstage_cbackend.writers.real_ends import RealEnds

__all__ = ["entering", "ranked", "reach"]


def ranked(ends: RealEnds) -> list[str]:
    """Return what the README says of outputs whose integers are in another order than their values."""
    lines = []
    for n in [n for n, _ in ends.outputs if ends.differs(n)]:
        or_function = f", or what {ends.name}_infer_float gives" if ends.possible else ""
        lines += [
            "",
            f"The values of {quoted(n)} have scales or offsets of their own: the largest integer is not the "
            "largest value. Compare",
            f"scale x (integer - zero point) + offset{or_function}.",
            *_order(ends, n),
        ]
    return lines


def _order(ends: RealEnds, name: str) -> list[str]:
    """Return what makes integers of an output that are in the order of its values; nothing where its scales differ."""
    scale, offset = ends.facts[name].get("scale"), ends.offset_of(name)
    if isinstance(scale, list) or not scale or not isinstance(offset, list):
        return []
    factor, addends = ranking(abs(scale), np.array(offset))
    of = f"{factor if scale > 0 else -factor} x integer"
    return [
        f"In integers alone: {of} + what stands here for each is in the order of the values:",
        "",
        f"    {addends.tolist()}",
    ]


def entering(ends: RealEnds) -> list[str]:
    """Return how integers are made of real values, of inputs of which the table of scales does not say it."""
    lines = []
    for name, facts in ((t.name, ends.facts[t.name]) for t in ends.inputs):
        source = f"{quoted(facts['of'])}, as others are" if "of" in facts else "real values"
        how = ["by thresholds, which are in the function of real numbers"] if "thresholds" in facts else []
        how += ["by their sign: -1 below the offset, 1 from there on"] if is_sign(facts) else []
        how += [f"rounded {facts['rounding']} (qonnx's name)"] if "rounding" in facts else []
        if how or "of" in facts:
            lines += ["", f"Integers of {quoted(name)} are made of {', '.join([source, *how])}."]
    return lines


def reach(ends: RealEnds) -> list[str]:
    """Return how large and how small the real values of a window with a gain may be."""
    if not (ends.possible and ends.gain):
        return []
    low, high = ends.gain.exponents
    return [
        "",
        f"Functions of real numbers refuse a window with a sample beyond 2^{high} ({2.0**high:.2g} of the "
        "samples' unit), or one that is",
        f"infinite or no number; a window that stays below 2^{low} ({2.0**low:.2g}) is resolved in steps of "
        f"2^{low - 7}. Who makes integers",
        "without them divides by a power of two of their own, and multiplies the answers by it.",
    ]
