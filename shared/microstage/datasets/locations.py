"""Where a dataset's files are: standard library only, as the runner asks before any environment exists."""

from __future__ import annotations

from pathlib import Path

from microstage.errors import DatasetError, ParameterError

__all__ = ["BUILT_IN", "DOWNLOADED", "files", "folder", "names", "unpacked"]

BUILT_IN = ("generator", "words", "glyphs", "shapes", "figures", "machine", "own")  # own: made by the user's module
DOWNLOADED = ("ev-cpw", "speech-commands", "mnist", "cifar10")
_PATTERNS = {
    "ev-cpw": ("*/Waveform_*.csv",),
    "speech-commands": ("*/*.wav", "*/*/*.wav", "*_list.txt"),
    "speech-features": ("gsc_test_mfcc.npz",),
    "mnist": ("train-*-ubyte*", "t10k-*-ubyte*", "train-*-ubyte/*", "t10k-*-ubyte/*", "mnist_*.npz", "mnist.npz"),
    "cifar10": (
        "data_batch_[1-5].bin",
        "test_batch.bin",
        "cifar10*.npz",
        "data_batch_[1-5]",
        "test_batch",
        "*_batch*.mat",
    ),
    "folder": ("**/*",),
    "recordings": (
        "**/*.csv",
        "**/*.CSV",
        "**/*.cfg",
        "**/*.CFG",
        "**/*.dat",
        "**/*.DAT",
        "**/*.cff",
        "**/*.CFF",
        "**/*.tsv",
    ),
}
_USUAL_FOLDERS = {
    "mnist": ("mnist/MNIST/raw", "MNIST/raw", "mnist/raw", "raw", "mnist", "MNIST"),
    "cifar10": tuple(f"{above}cifar-10-batches-{kind}" for kind in ("bin", "py", "mat") for above in ("cifar10/", ""))
    + ("cifar10", "cifar10_4000"),
    "ev-cpw": ("ev_cpw", "ev-cpw"),
    "speech-commands": ("speech_commands", "speech-commands", "speech_commands_v0.02"),
    "speech-features": ("gsc_v2_test",),
}


def names() -> tuple[str, ...]:
    """Return every dataset that `load` knows."""
    return (*BUILT_IN, *_PATTERNS)


def required(name: str, data_dir: Path | None) -> Path:
    """Return `data_dir`; `ParameterError` if there is none, which dataset `name` cannot be read without."""
    if data_dir is None:
        raise ParameterError(f"DATASET={name} needs DATA_DIR.")
    return data_dir


def folder(name: str, data_dir: Path) -> Path:
    """Return the folder that holds dataset `name`: `data_dir` itself, or the usual name inside it.

    `DatasetError` if neither does.
    """
    place = unpacked(name, data_dir)
    if place is not None:
        return place
    wanted = " or ".join(_PATTERNS[name][:1])
    help_ = f"; `make data DATASET={name}` downloads it" if name in DOWNLOADED else ""
    raise DatasetError(f"DATA_DIR={data_dir} holds no {name}: expected files {wanted} there{help_}.")


def unpacked(name: str, data_dir: Path) -> Path | None:
    """Return the folder at or below `data_dir` that has files of dataset `name`: where its archives unpack to."""
    places = [data_dir / usual for usual in _USUAL_FOLDERS.get(name, ())] + [data_dir]
    return next(
        (place for place in places if any(next(place.glob(pattern), None) for pattern in _PATTERNS[name])), None
    )


def files(name: str, data_dir: Path) -> list[Path]:
    """Return every file of the dataset, sorted; these alone make up its digest."""
    place = folder(name, data_dir)
    return sorted({path for pattern in _PATTERNS[name] for path in place.glob(pattern) if path.is_file()})
