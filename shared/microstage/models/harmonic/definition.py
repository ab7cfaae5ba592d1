"""Shape and widths of the harmonic network; no framework is imported here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from microstage.errors import ModelError, ParameterError
from microstage.files.canonical import write_json
from microstage.signals.gain import EXPONENTS

__all__ = [
    "ESTIMATE_BITS",
    "ESTIMATE_SCALE",
    "FILE",
    "HALF_CYCLE",
    "HARMONICS",
    "LARGEST_ESTIMATE",
    "MOST",
    "PHASORS",
    "SAMPLES_PER_CYCLE",
    "WIRED_BITS",
    "HarmonicDefinition",
]

FILE = "model_def.json"
HARMONICS = (1, 3, 5, 7)
SAMPLES_PER_CYCLE = 64
HALF_CYCLE = SAMPLES_PER_CYCLE // 2
PHASORS = 2 * len(HARMONICS)  # real parts of all harmonics, then imaginary ones
WIRED_BITS, ESTIMATE_BITS, ESTIMATE_SCALE = 8, 14, 2.0**-12  # phasors up to 2 of the gain; a square wave's is 1.27
LARGEST_ESTIMATE = 2 ** (ESTIMATE_BITS - 1) - 1
MOST = 16  # estimates in one mean: from there on it forgets half, so that what has passed is soon forgotten
_LARGEST = 4096  # the widest that can be asked for
_LEAST = 4  # samples of a window
# The ends of the chain are amplitudes over the window's gain; everything between is a plain number.
_UNIT = "2^exponent of the window, in the recording's unit"
_CARRIED = {"estimate_1": "estimate", "sum": "sum_next", "count": "count_next"}
_ROLES = {
    "units": {"window": _UNIT, "harmonics": _UNIT},
    "gain": {
        "inputs": {"window": "waveform"},
        "outputs": {"harmonics": "amplitudes"},
        "exponents": list(EXPONENTS),
        "scaled": ["estimate_1", "sum"],
        "samples_per_cycle": SAMPLES_PER_CYCLE,
    },
    "carried": _CARRIED,
    "answer": {"name": "harmonics", "sum": "sum_next", "count": "count_next", "correction": "correction", "most": MOST},
    "names": {"lstm.input": "features", "lstm.hidden": "hidden", "lstm.cell": "cell"},
    "files": {"encoder": "subcnn", "cell": "sublstm_qcdq", "head": "submlp"},
}


@dataclass(frozen=True)
class HarmonicDefinition:
    """Everything that `network.HarmonicNetwork` is built from. Widths are in bits, `cycles` in fundamental periods.

    Defaults are those of PARAMETERS in this package.

    The network is called once per step of half a cycle, and carries its state from step to step. Windows that are no
    whole number of half cycles are one step of their own length.
    """

    cycles: float
    window_bits: int
    cnn_channels: int
    cnn_features: int
    cnn_kernel: int
    hidden: int
    head_width: int
    cnn_weight_bits: int
    cnn_act_bits: int
    lstm_weight_bits: int
    lstm_io_bits: int
    lstm_acc_bits: int
    lstm_sigmoid_bits: int
    lstm_tanh_bits: int
    lstm_state_bits: int
    head_weight_bits: int
    head_act_bits: int

    def __post_init__(self) -> None:
        if self.samples < _LEAST:
            raise ParameterError(
                f"CYCLES={self.cycles:g} gives {self.samples} samples; the network needs at least {_LEAST}."
            )

    @property
    def steps(self) -> int:
        """T: steps that a window of `cycles` takes."""
        halves = 2 * self.cycles
        return int(halves) if halves >= 1 and halves == int(halves) else 1

    @property
    def samples(self) -> int:
        """S: samples of one step, at 64 per cycle."""
        return round(SAMPLES_PER_CYCLE * self.cycles / self.steps)

    @property
    def window_scale(self) -> float:
        """What a window's integers are multiples of, over its gain."""
        return 2.0 ** (1 - self.window_bits)

    @property
    def kernel(self) -> int:
        """Kernel of the first convolution, in samples."""
        return min(self.cnn_kernel, self.samples)

    @property
    def stride(self) -> int:
        """Samples between two positions of the first convolution: its kernels overlap by half."""
        return max(self.kernel // 2, 1)

    @property
    def positions(self) -> int:
        """Positions of the first convolution, all of which the second one sees at once."""
        return (self.samples - self.kernel) // self.stride + 1

    @property
    def features(self) -> int:
        """Channels that the LSTM reads: the CNN's, and the differences of estimates."""
        return self.cnn_features + PHASORS

    @property
    def weights(self) -> int:
        """Weights and biases of the deployed network: batch norms are folded into thresholds and counted with them."""
        c, h, w = self.cnn_channels, self.hidden, self.head_width
        lstm = 4 * h * (self.features + h + 1)
        return (
            PHASORS * self.samples
            + c * self.kernel
            + c * self.cnn_features * self.positions
            + lstm
            + len(HARMONICS) * (w * h + 2 * (w + 1))
        )

    @property
    def multiply_accumulates(self) -> int:
        """Of one step, products of gates and states included."""
        c, h, w = self.cnn_channels, self.hidden, self.head_width
        encoder = PHASORS * self.samples + self.positions * c * (self.kernel + self.cnn_features)
        return encoder + 4 * h * (self.features + h) + 3 * h + len(HARMONICS) * (w * h + 2 * w)

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> HarmonicDefinition:
        """Return the definition that a stage's parameters describe; others are ignored."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls)})

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """The integers that enter: a window, and what is carried from step to step."""
        window, estimate = 2 ** (self.window_bits - 1) - 1, {"scale": ESTIMATE_SCALE, "unit": _UNIT}
        return {
            "window": {"range": [-window, window], "scale": self.window_scale, "unit": _UNIT},
            "estimate_1": {"range": [-LARGEST_ESTIMATE, LARGEST_ESTIMATE], **estimate},
            "sum": {"range": [-MOST * LARGEST_ESTIMATE, MOST * LARGEST_ESTIMATE], **estimate},
            "count": {"range": [0, MOST], "scale": 1.0, "unit": "steps"},
        }

    def save(self, folder: Path) -> None:
        """Write `model_def.json`."""
        derived = {"samples": self.samples, "length": self.steps, "features": self.features, "harmonics": HARMONICS}
        derived |= {"weights": self.weights, "multiply_accumulates": self.multiply_accumulates}
        write_json(
            folder / FILE, {"model": "harmonic", "parameters": asdict(self), **derived, "inputs": self.inputs, **_ROLES}
        )

    @classmethod
    def load(cls, folder: Path) -> HarmonicDefinition:
        """Read `model_def.json`; `ModelError` if it describes another network, or one of impossible sizes."""
        try:
            read = json.loads((folder / FILE).read_text())
            if read["model"] != "harmonic":
                raise ModelError(f"{folder / FILE} describes {read['model']}, not the harmonic network.")
            definition = cls(**read["parameters"])
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise ModelError(f"{folder / FILE} is no definition of the harmonic network: {error}.") from None
        for name, value in asdict(definition).items():
            if type(value) is not int and not (name == "cycles" and type(value) is float) or not 0 < value <= _LARGEST:
                raise ModelError(
                    f"{folder / FILE} gives {name}={value!r}; expected a positive number up to {_LARGEST}."
                )
        return definition
