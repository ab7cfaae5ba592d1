"""Random chains of integer operators, as streamline writes them."""

import numpy as np
from graphs import Graph
from hypothesis import strategies as st

__all__ = ["chains"]


@st.composite
def chains(draw):
    """A random chain of layers over [1, width] with a skip connection."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    g = Graph()
    width = draw(st.integers(1, 6))
    x = g.input("x", (1, width), draw(st.sampled_from(["INT8", "UINT4", "INT3", "BIPOLAR", "INT16"])))
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["matmul", "threshold", "add", "mul", "skip", "concat", "split"]))
        name = f"w{len(g.nodes)}"
        if kind == "matmul":
            columns = draw(st.integers(1, 6))
            x, width = g.node("MatMul", x, g.constant(name, random.integers(-8, 8, (width, columns)))), columns
        elif kind == "threshold":
            count = draw(st.integers(1, 15))
            x = g.threshold(x, np.sort(random.integers(-500, 500, (width, count)), axis=1), int(random.integers(-8, 1)))
        elif kind in ("add", "mul"):
            x = g.node(kind.capitalize(), x, g.constant(name, random.integers(-9, 9, (1, width))))
        elif kind == "skip":
            x = g.node("Add", x, x)
        elif kind == "concat":
            x, width = g.node("Concat", x, x, axis=1), 2 * width
        elif width > 1:
            first = draw(st.integers(1, width - 1))
            x, _ = g.node("Split", x, g.constant(name, [first, width - first], np.int64), outputs=2, axis=1)
            width = first
    return g, (x if g.nodes else g.node("Identity", x))
