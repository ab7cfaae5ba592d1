"""Shape and widths of the harmonic network; no framework is imported here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from microstage.canonical import write_json
from microstage.errors import ModelError, ParameterError
from microstage.signals.gain import EXPONENTS, LARGEST, WINDOW_SCALE

__all__ = ["FILE", "HARMONICS", "HarmonicDefinition", "SAMPLES_PER_CYCLE"]

FILE = "model_def.json"
HARMONICS = (1, 3, 5, 7)
SAMPLES_PER_CYCLE = 64
SECOND_KERNEL = 3
_POOL = 2
_LARGEST = 4096  # the widest that can be asked for
_STRIDE = 2
_LONG = 16  # samples from which on the first convolution strides
# The ends of the chain are amplitudes over the window's gain; everything between is a plain number.
_UNIT = "2^exponent of the window, in the recording's unit"
_ROLES = {
    "inputs": {"window": {"range": [-LARGEST, LARGEST], "scale": WINDOW_SCALE, "unit": _UNIT}},
    "units": {"window": _UNIT, "harmonics": _UNIT},
    "gain": {"inputs": {"window": "waveform"}, "outputs": {"harmonics": "amplitudes"}, "exponents": list(EXPONENTS)},
    "names": {"lstm.input": "features", "lstm.hidden": "hidden", "lstm.cell": "cell"},
    "files": {"encoder": "subcnn", "cell": "sublstm_qcdq", "head": "submlp"},
}


@dataclass(frozen=True)
class HarmonicDefinition:
    """Everything that `network.HarmonicNetwork` is built from. Widths are in bits, `cycles` in fundamental periods.

    The first convolution looks back: its kernel of `cnn_kernel` samples (the whole window, if that is shorter) ends at
    each position and reads zeros before the window. The last position ends at the last sample, and sees half a cycle at once.
    """

    cycles: float = 0.5
    cnn_channels: int = 64
    cnn_kernel: int = 32
    hidden: int = 64
    head_width: int = 64
    cnn_weight_bits: int = 8
    cnn_act_bits: int = 8
    lstm_weight_bits: int = 8
    lstm_io_bits: int = 8
    lstm_acc_bits: int = 8
    lstm_sigmoid_bits: int = 8
    lstm_tanh_bits: int = 8
    lstm_state_bits: int = 8
    head_weight_bits: int = 8
    head_act_bits: int = 8

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ParameterError(f"CYCLES={self.cycles:g} gives {self.samples} samples; the network needs at least {SECOND_KERNEL + 1}.")

    @property
    def samples(self) -> int:
        """N: samples per window, at 64 per cycle."""
        return round(SAMPLES_PER_CYCLE * self.cycles)

    @property
    def kernel(self) -> int:
        """Kernel of the first convolution, in samples."""
        return min(self.cnn_kernel, self.samples)

    @property
    def stride(self) -> int:
        """Samples between two positions of the first convolution; a window that has few keeps them all."""
        return _STRIDE if self.samples >= _LONG else 1

    @property
    def history(self) -> int:
        """Zeros before the window, as many as let the last position end at the last sample."""
        return max(self.kernel - 1 - (self.samples - 1) % self.stride, 0)

    @property
    def positions(self) -> int:
        """Positions of the first convolution."""
        return (self.samples + self.history - self.kernel) // self.stride + 1

    @property
    def steps(self) -> int:
        """T: time steps that the LSTM sees, after the two convolutions and the pool."""
        return (self.positions - (SECOND_KERNEL - 1)) // _POOL

    @property
    def features(self) -> int:
        """Channels of the CNN's output, which are the LSTM's inputs."""
        return self.cnn_channels

    @property
    def weights(self) -> int:
        """Weights and biases of the deployed network: batch norms are folded into thresholds and counted with them."""
        c, h, w = self.cnn_channels, self.hidden, self.head_width
        lstm = 4 * h * (self.features + h + 1)
        return c * self.kernel + c * self.features * SECOND_KERNEL + lstm + len(HARMONICS) * (w * h + w + 1)

    @property
    def multiply_accumulates(self) -> int:
        """Of one window, all positions and time steps, products of gates and states included."""
        c, h, w, positions = self.cnn_channels, self.hidden, self.head_width, self.positions
        convolutions = positions * c * self.kernel + (positions - SECOND_KERNEL + 1) * c * self.features * SECOND_KERNEL
        return convolutions + self.steps * (4 * h * (self.features + h) + 3 * h) + len(HARMONICS) * (w * h + w)

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> HarmonicDefinition:
        """The definition that a stage's parameters describe; others are ignored."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls)})

    def save(self, folder: Path) -> None:
        """Write `model_def.json`."""
        derived = {"samples": self.samples, "steps": self.steps, "features": self.features, "harmonics": HARMONICS}
        derived |= {"weights": self.weights, "multiply_accumulates": self.multiply_accumulates}
        write_json(folder / FILE, {"model": "harmonic", "parameters": asdict(self), **derived, **_ROLES})

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
                raise ModelError(f"{folder / FILE} gives {name}={value!r}; expected a positive number up to {_LARGEST}.")
        return definition
