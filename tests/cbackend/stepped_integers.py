"""Networks that carry wide integers from step to step, made by hand as streamline writes them: an estimate beside a
CNN, a cell, heads that keep a running sum or start it anew. An oracle runs whole records through them in Python's
integers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from graphs import Graph, evaluate, write_artefact
from stepped import HARMONICS, roles

from microstage.signals import block_float


@dataclass(frozen=True)
class Sizes:
    """`samples` of a window of `window_bits` integers, `steps` of an answer, `length` of a record; `levels` of the
    estimate's quantiser in bits; widths of CNN, cell and heads; at a count of `most` a mean
    forgets half."""

    samples: int = 32
    window_bits: int = 12
    steps: int = 2
    length: int = 7
    levels: int = 11
    channels: int = 4
    features: int = 5
    hidden: int = 6
    width: int = 5
    most: int = 5
    seed: int = 2

    @property
    def top(self) -> int:
        """The largest estimate."""
        return 2 ** (self.levels - 1)

    @property
    def largest(self) -> int:
        """The largest integer of a window."""
        return 2 ** (self.window_bits - 1) - 1


def _line(random, rows: int, count: int, reach: int, rough: int = 0) -> np.ndarray:
    """Ascending thresholds [rows, count] of a quantiser: a line, whose steps are moved by up to `rough`."""
    slope = random.uniform(0.5, 1.5, (rows, 1)) * 2 * reach / count
    start = random.uniform(-1.2, -0.4, (rows, 1)) * reach
    return np.sort(
        np.ceil(start + slope * np.arange(count)) + random.integers(-rough, rough + 1, (rows, count)), axis=-1
    )


def encoder(s: Sizes, random):
    """window [1, 1, S], estimate_1 [1, 8] -> features [1, 1, C], estimate [1, 8]: phasors, real parts first."""
    g = Graph()
    window = g.input("window", (1, 1, s.samples), f"INT{s.window_bits}")
    flat = g.node("Reshape", window, g.constant("flat", [-1, s.samples], np.int64))
    turns = [np.exp(1j * np.pi * order * np.arange(s.samples) / s.samples) for order in HARMONICS]
    kernels = np.rint(127 * np.concatenate([np.real(turns), np.imag(turns)]))
    sums = g.node("MatMul", flat, g.constant("wired", kernels.T))
    step = 127 * s.largest * s.samples / 2**s.levels
    levels = np.ceil((np.arange(2**s.levels - 1) - 2 ** (s.levels - 1) + 0.5) * step)
    g.threshold(sums, levels[None], -(2 ** (s.levels - 1)), output=["estimate"])
    before = g.node("Mul", g.input("estimate_1", (1, 8), "INT32"), g.constant("minus", [-1]))
    difference = g.node("Add", "estimate", before)
    x = g.node(
        "Im2Col",
        g.node("Reshape", window, g.constant("image", [-1, 1, s.samples, 1], np.int64)),
        domain="qonnx.custom_op.general",
        stride=[1, 4],
        kernel_size=[1, 8],
        input_shape=f"(1,1,{s.samples},1)",
    )
    x = g.node("MatMul", x, g.constant("conv1", random.integers(-127, 128, (8, s.channels))))
    x = g.threshold(x, _line(random, s.channels, 255, 300 * s.largest), layout="NHWC")
    x = g.node("Flatten", x)
    depth = ((s.samples - 8) // 4 + 1) * s.channels
    x = g.node("MatMul", x, g.constant("conv2", random.integers(-127, 128, (depth, s.features))))
    both = g.node("Concat", x, difference, axis=1)
    rows = np.concatenate([_line(random, s.features, 255, 40000), _line(random, 8, 255, s.top)])
    y = g.threshold(both, rows, -128)
    g.node("Reshape", y, g.constant("step", [-1, 1, s.features + 8], np.int64), outputs=["features"])
    return g.model("features", "estimate")


def cell(s: Sizes, random):
    """features_t [1, C], hidden and cell [1, H] -> hidden_next, cell_next."""
    g, width = Graph(), s.features + 8
    both = g.node("Concat", g.input("features_t", (1, width)), g.input("hidden", (1, s.hidden)), axis=1)
    gates = g.node("MatMul", both, g.constant("w", random.integers(-127, 128, (width + s.hidden, 2 * s.hidden))))
    new, forget = g.node("Split", gates, g.constant("split", [s.hidden, s.hidden], np.int64), outputs=2, axis=1)
    kept = g.node("Mul", g.threshold(forget, _line(random, s.hidden, 255, 20000)), g.input("cell", (1, s.hidden)))
    kept = g.threshold(kept, _line(random, 1, 255, 12000), -128)
    added = g.node("Add", kept, g.threshold(new, _line(random, s.hidden, 255, 50000, 40), -128))
    g.threshold(added, np.arange(-127, 128)[None], -128, output=["cell_next"])
    g.threshold("cell_next", np.sort(random.integers(-200, 160, (1, 255))), -128, output=["hidden_next"])
    return g.model("hidden_next", "cell_next")


def head(s: Sizes, random):
    """hidden [1, H], estimate, sum [1, 8], count [1, 4] -> correction, sum_next, count_next."""
    g = Graph()
    hidden = g.input("hidden", (1, s.hidden))
    estimate, total, count = (
        g.input(name, (1, size), "INT32") for name, size in (("estimate", 8), ("sum", 8), ("count", 4))
    )
    corrections, keeps, turns = [], [], []
    for k in range(4):
        y = g.node("MatMul", hidden, g.constant(f"in{k}", random.integers(-127, 128, (s.hidden, s.width))))
        y = g.threshold(y, _line(random, s.width, 255, 9000))
        corrections.append(g.node("MatMul", y, g.constant(f"out{k}", random.integers(-127, 128, (s.width, 1)))))
        weights = random.integers(-127, 128, (s.width, 1))
        keeps.append(g.node("MatMul", y, g.constant(f"keep{k}", weights)))
        turns.append([100 * weights.sum() - 3000])  # about half of all levels: sums are kept now, started anew then
    g.node("Concat", *corrections, axis=1, outputs=["correction"])
    keep = g.threshold(g.node("Concat", *keeps, axis=1), turns)
    both = g.node("Concat", keep, keep, axis=1)
    g.node("Add", g.node("Mul", both, total), estimate, outputs=["sum_next"])
    g.node("Add", g.node("Mul", keep, count), g.constant("one", [1]), outputs=["count_next"])
    return g.model("correction", "sum_next", "count_next")


def models_of(s: Sizes) -> dict:
    random = np.random.default_rng(s.seed)
    return {"subcnn": encoder(s, random), "sublstm": cell(s, random), "submlp": head(s, random)}


def interface_of(s: Sizes) -> dict:
    """Roles, ranges and scales, as interface.json has them."""
    known = roles(s.most)
    step, corrections = 2.0 ** (1 - s.levels), [3.1e-7, 2.2e-7, 1.7e-7, 0.9e-7]
    wide = {
        name: {"datatype": "INT24", "range": [-top, top], "scale": step}
        for name, top in (("estimate_1", s.top), ("estimate", s.top), ("sum", s.most * s.top))
    }
    wide["count"] = {"datatype": "UINT7", "range": [0, s.most], "scale": 1.0}
    window = {"datatype": f"INT{s.window_bits}", "range": [-s.largest, s.largest], "scale": 2.0 ** (1 - s.window_bits)}
    return {
        "sequence": {
            "length": s.steps,
            "encoder": "subcnn",
            "cell": "sublstm",
            "head": "submlp",
            "steps": {"features_t": "features"},
            "states": {"hidden": "hidden_next", "cell": "cell_next"},
            "last": {"hidden": "hidden"},
            "carried": known["carried"],
        },
        "gain": {**known["gain"], "samples_per_cycle": 2 * s.samples},
        "answer": known["answer"],
        "parts": {
            "subcnn": {
                "inputs": {"window": window, "estimate_1": wide["estimate_1"]},
                "outputs": {"estimate": {"scale": step}},
            },
            "sublstm": {"inputs": {}, "outputs": {}},
            "submlp": {
                "inputs": {name: wide[name] for name in ("estimate", "sum", "count")},
                "outputs": {
                    "correction": {"scale": corrections},
                    "sum_next": {"scale": step},
                    "count_next": {"scale": 1.0},
                },
            },
        },
    }


def settled(s: Sizes, state: dict, shift: int) -> dict:
    """The states before a window whose gain is 2^shift times that of the last, one Python integer at a time."""

    def at(value: int) -> int:
        return -value << -shift if shift < 0 else (-value + (1 << shift >> 1)) >> shift

    counts = [int(count) for count in state["count"][0]]
    sums = [max(min(at(int(v)), count * s.top), -count * s.top) for v, count in zip(state["sum"][0], counts * 2)]
    sums = [v + 1 >> 1 if count == s.most else v for v, count in zip(sums, counts * 2)]
    counts = [s.most // 2 if count == s.most else count for count in counts]
    estimates = [max(min(at(int(v)), s.top), -s.top) for v in state["estimate_1"][0]]
    return {**state, "sum": np.array([sums]), "count": np.array([counts]), "estimate_1": np.array([estimates])}


def run_record(s: Sizes, models: dict, windows: np.ndarray, exponents: np.ndarray) -> dict[str, np.ndarray]:
    """Every boundary [L, ...] of one record: windows [L, S] with their exponents."""
    state = {
        name: np.zeros((1, size), np.int64)
        for name, size in (("hidden", s.hidden), ("cell", s.hidden), ("estimate_1", 8), ("sum", 8), ("count", 4))
    }
    found, before = [], exponents[0]
    for window, exponent in zip(windows, exponents):
        state, before = settled(s, state, int(exponent) - int(before)), exponent
        made = evaluate(models["subcnn"], {"window": window[None, None], "estimate_1": state["estimate_1"]})
        step = evaluate(
            models["sublstm"], {"features_t": made["features"][0], **{n: state[n] for n in ("hidden", "cell")}}
        )
        fed = {
            "hidden": step["hidden_next"],
            "estimate": made["estimate"],
            "sum": state["sum"],
            "count": state["count"],
        }
        out = evaluate(models["submlp"], fed)
        state = {
            "hidden": step["hidden_next"],
            "cell": step["cell_next"],
            "estimate_1": made["estimate"],
            "sum": out["sum_next"],
            "count": out["count_next"],
        }
        found.append(
            {
                "features": made["features"][0],
                "estimate": made["estimate"],
                "hidden": state["hidden"],
                "cell": state["cell"],
                **{name: out[name] for name in ("correction", "sum_next", "count_next")},
            }
        )
    return {name: np.concatenate([step[name] for step in found]) for name in found[0]}


def waves(s: Sizes, count: int) -> np.ndarray:
    """Records float32 [count, L * S], of amplitudes over decades, that step up, down, and stop."""
    random, n = np.random.default_rng(s.seed), s.length * s.samples
    angle = np.arange(n) * 2 * np.pi / 64
    rows = []
    for record in range(count):
        wave = sum(random.uniform(0.1, 1) / h * np.cos(h * angle + random.uniform(0, 6)) for h in HARMONICS)
        at = random.integers(s.samples, n - s.samples)
        wave[at:] *= [1, 8, 0.01, 0, 1e5, 0.3][record % 6]
        rows.append((wave + random.normal(0, 0.01, n)) * 10.0 ** (2 * record - 5))
    rows[-1][:] = 0
    return np.array(rows, np.float32)


def golden_of(s: Sizes, models: dict, count: int, real: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Golden vectors of `count` records."""
    real = waves(s, count) if real is None else real
    ints, exponents = block_float(real.reshape(len(real), s.length, s.samples).astype(np.float64), bits=s.window_bits)
    rows = [run_record(s, models, *record) for record in zip(ints.astype(np.int64), exponents)]
    found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    scales = interface_of(s)["parts"]["submlp"]["outputs"]
    sizes = np.hypot(found["sum_next"][..., :4], found["sum_next"][..., 4:])
    mean = scales["sum_next"]["scale"] * sizes / found["count_next"]
    answer = mean + np.array(scales["correction"]["scale"]) * found["correction"]
    amplitudes = np.maximum(0, np.ldexp(answer, exponents.astype(int)[..., None])).astype(np.float32)
    return {"window": ints, "gain_exponent": exponents, **found, "real.waveform": real, "real.amplitudes": amplitudes}


def stepped_artefact(folder: Path, s: Sizes = Sizes(), count: int = 7) -> Path:
    """The network as the stage reads it."""
    models = models_of(s)
    return write_artefact(folder, models, golden_of(s, models, count), interface_of(s))
