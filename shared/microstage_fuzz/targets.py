"""What is fuzzed: the name of each target, the stage in whose environment its reader runs, and what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["CORPUS", "CRASHES", "GENERATED", "NETWORK_FILE", "READERS", "TARGETS", "FuzzTarget", "inputs_of"]

CORPUS, CRASHES = Path("tests/fuzz/corpus"), Path("tests/fuzz/crashes")
"""Inputs to begin with, and inputs that once found a fault: a folder for each target, in the checkout."""


@dataclass(frozen=True)
class FuzzTarget:
    """`stage` is the one whose environment has the packages ("": none is needed but the runner's own); `watched` are
    the packages whose coverage leads the fuzzer; `suffix` is how a file of this kind ends; `begins_as` is
    another target whose inputs it takes.
    """

    name: str
    reads: str
    stage: str = ""
    watched: tuple[str, ...] = ()
    suffix: str = ""
    begins_as: str = ""


_STREAMLINE = ("microstage.untrusted", "microstage.integer", "microstage_streamline")
_RECORDINGS = ("microstage.datasets.recordings", "comtrade")

READERS = [
    FuzzTarget("stage-toml", "what a stage declares of itself", "", ("microstage_runner",), ".toml"),
    FuzzTarget("manifest", "the manifest of an artefact", "", ("microstage_runner", "microstage.files"), ".json"),
    FuzzTarget("bundle", "a bundle of `make pack`", "", ("microstage_runner", "microstage.untrusted"), ".tar"),
    FuzzTarget("onnx", "a network of the user's, up to its one form", "streamline", _STREAMLINE, ".onnx"),
    FuzzTarget("integers", "the same, up to its integers", "streamline", _STREAMLINE, ".onnx", "onnx"),
    FuzzTarget("tflite", "one of TensorFlow Lite, up to its one form", "streamline", _STREAMLINE, ".tflite"),
    FuzzTarget("npz", "arrays of the user's", "streamline", ("microstage.untrusted",), ".npz"),
    FuzzTarget("pth", "weights that torch saved", "train", ("microstage.untrusted",), ".pth"),
    FuzzTarget("csv", "a recording as a table", "qcdq", _RECORDINGS, ".csv"),
    FuzzTarget("comtrade", "a recording in COMTRADE, one file or two", "qcdq", _RECORDINGS, ".cff"),
]
"Python, by atheris."
NETWORK_FILE = FuzzTarget("msn", "a network file, in the interpreter", "", (), ".msn")
GENERATED = FuzzTarget("c", "inputs of the C of random networks", "streamline")
"C, by clang's libFuzzer."
TARGETS = {target.name: target for target in (*READERS, NETWORK_FILE, GENERATED)}


def inputs_of(target: FuzzTarget, repository: Path) -> list[Path]:
    """Return the folders of inputs that are kept for `target`: those to begin with, then those that found a fault."""
    beside = [repository / "tests" / "cbackend" / "interpreter" / "corpus"] if target is NETWORK_FILE else []
    names = dict.fromkeys((target.begins_as or target.name, target.name))
    folders = [*beside, *(repository / kept / name for kept in (CORPUS, CRASHES) for name in names)]
    return [folder for folder in folders if folder.is_dir()]
