"""A small network of the harmonic kind, made by hand: convolution, one recurrent step, a head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from graphs import Graph, evaluate, write_artefact

N, C, T, H = 12, 3, 4, 5
SCALES = np.array([0.1, 0.2, 0.3, 0.4])
ROLES = {
    "sequence": {
        "length": T,
        "encoder": "subcnn",
        "cell": "sublstm",
        "head": "submlp",
        "steps": {"features_t": "features"},
        "states": {"hidden": "hidden_next", "cell": "cell_next"},
        "last": {"hidden": "hidden"},
    },
    "gain": {"inputs": {"window": "waveform"}, "outputs": {"harmonics": "amplitudes"}, "exponents": [-60, 60]},
}


def levels(random, rows: int, count: int, reach: int) -> np.ndarray:
    """Sorted integer thresholds [rows, count] within -reach..reach."""
    return np.sort(random.integers(-reach, reach, (rows, count)), axis=-1)


def encoder(random):
    """window [1, N, 1] -> features [1, T, C], lowered: Im2Col, MatMul, thresholds, pooling."""
    g = Graph()
    x = g.node("Reshape", g.input("window", (1, 1, N)), g.constant("shape", [-1, 1, N, 1], np.int64))
    x = g.node(
        "Im2Col", x, domain="qonnx.custom_op.general", stride=[1, 1], kernel_size=[1, 3], input_shape=f"(1,1,{N},1)"
    )
    x = g.node("MatMul", x, g.constant("weights", random.integers(-7, 8, (3, C))))
    x = g.threshold(x, levels(random, C, 15, 900), layout="NHWC")
    x = g.node(
        "MaxPoolNHWC", x, domain="qonnx.custom_op.general", kernel_shape=[1, 2], strides=[1, 2], pads=[0, 0, 0, 0]
    )
    x = g.node("Slice", x, *(g.constant(n, [v], np.int64) for n, v in (("from", 0), ("to", T), ("axis", 2))))
    g.node("Squeeze", x, g.constant("axes", [1], np.int64), outputs=["features"])
    return g.model("features")


def cell(random):
    """features_t [1, C], hidden and cell [1, H] -> hidden_next, cell_next, with products of integers."""
    g = Graph()
    both = g.node("Concat", g.input("features_t", (1, C)), g.input("hidden", (1, H), "INT6"), axis=1)
    gates = g.node("MatMul", both, g.constant("weights", random.integers(-7, 8, (C + H, 2 * H))))
    i, f = g.node("Split", gates, g.constant("split", [H, H], np.int64), outputs=2, axis=1)
    forget = g.threshold(f, levels(random, 1, 31, 300))
    kept = g.node("Mul", forget, g.input("cell", (1, H), "INT6"))
    new = g.node(
        "Add", g.threshold(kept, levels(random, 1, 30, 500), -15), g.threshold(i, levels(random, H, 30, 300), -15)
    )
    g.threshold(new, levels(random, 1, 63, 30), -32, output=["cell_next"])
    g.threshold("cell_next", levels(random, 1, 63, 32), -32, output=["hidden_next"])
    return g.model("hidden_next", "cell_next")


def head(random):
    """hidden [1, H] -> harmonics [1, 4] by four heads."""
    g = Graph()
    x = g.input("hidden", (1, H), "INT6")
    heads = []
    for k in range(4):
        y = g.node("MatMul", x, g.constant(f"in_{k}", random.integers(-7, 8, (H, 6))))
        y = g.threshold(y, levels(random, 6, 15, 400))
        y = g.node("MatMul", y, g.constant(f"out_{k}", random.integers(-7, 8, (6, 1))))
        heads.append(g.node("Add", y, g.constant(f"bias_{k}", random.integers(-99, 99, (1, 1)))))
    g.node("Concat", *heads, axis=1, outputs=["harmonics"])
    return g.model("harmonics")


def tiny_harmonic(seed: int = 1, vectors: int = 6):
    """(models by part, golden boundaries) of the whole network over whole sequences from zero states."""
    random = np.random.default_rng(seed)
    models = {"subcnn": encoder(random), "sublstm": cell(random), "submlp": head(random)}
    rows = [whole(models, random.integers(-128, 128, (1, 1, N))) for _ in range(vectors)]
    return models, dict(zip(("window", "features", "hidden", "cell", "harmonics"), map(np.concatenate, zip(*rows))))


def whole(models, window: np.ndarray) -> list[np.ndarray]:
    """window [1, N], features [1, T, C], hidden and cell [1, T, H], harmonics [1, 4] of one window [1, 1, N]."""
    features = evaluate(models["subcnn"], {"window": window})["features"]
    h = c = np.zeros((1, H), dtype=np.int64)
    states = []
    for t in range(T):
        step = evaluate(models["sublstm"], {"features_t": features[:, t], "hidden": h, "cell": c})
        h, c = step["hidden_next"], step["cell_next"]
        states.append((h, c))
    answer = evaluate(models["submlp"], {"hidden": h})["harmonics"]
    return [window[:, 0], features, *(np.stack(s, axis=1) for s in zip(*states)), answer]


def harmonic_artefact(folder: Path, seed: int = 1, vectors: int = 6) -> Path:
    """The network as the stage reads it: roles, scales, and real windows with the answers that the oracle gives
    them."""
    models, golden = tiny_harmonic(seed, vectors)
    parts = {
        "subcnn": {
            "inputs": {"window": {"datatype": "INT8", "range": [-127, 127], "scale": 2.0**-7, "unit": "2^exponent A"}}
        },
        "sublstm": {},
        "submlp": {"outputs": {"harmonics": {"datatype": "INT32", "scale": SCALES.tolist()}}},
    }
    real = np.random.default_rng(seed).normal(0, 1, (vectors, N)) * 10.0 ** np.arange(-5, vectors - 5)[:, None]
    real = real.astype(np.float32)
    return write_artefact(
        folder,
        models,
        {**golden, "real.window": real, "real.harmonics": answers(models, real)},
        {**ROLES, "parts": parts},
    )


def answers(models, real: np.ndarray) -> np.ndarray:
    """What the oracle answers to waveforms [n, N]: float32 [n, 4]."""
    from microstage.signals import block_float

    ints, exponents = block_float(real.astype(np.float64))
    rows = [whole(models, window[None, None].astype(np.int64))[-1] for window in ints]
    return (np.concatenate(rows) * SCALES * np.ldexp(1.0, exponents.astype(int))[:, None]).astype(np.float32)
