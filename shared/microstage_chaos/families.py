"""Small runs of every family of networks: seconds of training, and every stage up to the C or to the hardware."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.declarations.stages import CODE, HARDWARE

__all__ = ["FAMILIES", "Family", "families_named"]


@dataclass(frozen=True)
class Family:
    """What make is given: variables, one file of the checkout, if the network comes in a file, the role of the last
    stage, and variables that belong to that stage alone.
    """

    name: str
    words: tuple[str, ...]
    file: str = ""
    role: str = CODE
    last: tuple[str, ...] = ()

    def typed(self, given: Path) -> dict[str, str]:
        """Return {variable: value} for a run up to any stage, with the network's file in the folder `given`."""
        own = {"ONNX": str(given / Path(self.file).name)} if self.file else {}
        return own | dict(word.split("=", 1) for word in self.words)


_HARMONIC = "CYCLES=0.5 EPOCHS=1 WARMUP_EPOCHS=1 WINDOWS=1024 CNN_CHANNELS=4 CNN_FEATURES=4 HIDDEN=6 HEAD_WIDTH=6"
_HARDWARE = ("RANDOM_VECTORS=100", "NETLIST_VECTORS=1")
FAMILIES = (
    Family("harmonic", tuple(_HARMONIC.split())),
    Family("kws", tuple("MODEL=kws-w3a3 EPOCHS=3 CLIPS=480 HIDDEN=8 LAYERS=2".split())),
    Family("bnn", tuple("MODEL=tfc-1w1a IMAGES=200 EPOCHS=1".split())),
    Family("zoo", tuple("MODEL=lenet WIDTH=2 IMAGES=100 EPOCHS=1".split())),
    Family("tiny", tuple("MODEL=resnet8 WIDTH=2 IMAGES=100 EPOCHS=1 RETRAIN_EPOCHS=1".split())),
    Family("onnx", (), "tests/fixtures/kws/qcdq/model_qcdq.onnx"),
    Family("tflite", (), "tests/fixtures/tflite/small.tflite"),
    Family("rtl", (), "tests/fixtures/kws/qcdq/model_qcdq.onnx", HARDWARE, _HARDWARE),
)


def families_named(text: str | None) -> tuple[Family, ...]:
    """Return the families of NETWORKS="kws onnx"; all where nothing was typed."""
    known = {family.name: family for family in FAMILIES}
    for name in (text or "").split():
        if name not in known:
            raise ParameterError(f"NETWORKS={text} is not allowed: expected some of {', '.join(known)}.")
    return tuple(known[name] for name in (text.split() if text else known))
