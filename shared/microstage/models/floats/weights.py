"""Trained weights of a user's float network, as torch users save them, put into a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from microstage.errors import IntegrityError, ModelError, naming
from microstage.untrusted.weights import read_checkpoint

__all__ = ["FLOATS_FILE", "RAW_FILE", "floats_in", "load_float_weights"]

FLOATS_FILE, RAW_FILE = "float_model_weight.pth", "{name}_raw.pth"  # the second is what FPGAI calls it
_HOLDERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")  # what checkpoints call a state
_PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "network.")  # of modules that wrap the network


def floats_in(folder: Path) -> Path:
    """Return the file with the state of the float network in an artefact of `train`."""
    return next(iter(folder.glob(RAW_FILE.format(name="*"))), folder / FLOATS_FILE)


def load_float_weights(network: nn.Module, path: Path, shown: str) -> None:
    """Put the state in file `path` into `network`; `ModelError` names a tensor that is missing, foreign or of another
    shape. The file is called `shown` by its owner.
    """
    wanted = network.state_dict()
    with naming(shown):
        given = _without_prefix(_state(_read(path)), wanted)
        _assert_fits(given, wanted)
    network.load_state_dict({name: given.get(name, value) for name, value in wanted.items()})


def _read(path: Path) -> Any:
    try:
        return read_checkpoint(path)
    except IntegrityError as error:
        raise IntegrityError(str(error).replace(f"{path} is", "it is")) from None


def _state(found: Any) -> Mapping[str, Tensor]:
    """Return the named tensors of a file, also those that a checkpoint holds beside other things."""
    held = [found[name] for name in _HOLDERS if isinstance(found, dict) and isinstance(found.get(name), dict)]
    inner = held[0] if held else found
    if not isinstance(inner, dict) or not inner or not all(isinstance(value, Tensor) for value in inner.values()):
        raise IntegrityError(
            "it holds something other than named tensors; save the network's state_dict(), by itself or under the key"
            " state_dict."
        )
    return inner


def _without_prefix(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Take off a prefix that all names have and none of the network's, as modules that wrap a network give one."""
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state) and not any(name.startswith(prefix) for name in wanted):
            return {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _assert_fits(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    for name, value in wanted.items():
        if name not in given and not name.endswith("num_batches_tracked"):  # counts, which nothing computes with
            raise ModelError(f"the network has {name} {list(value.shape)}, and there is no such tensor.")
        if name in given and given[name].shape != value.shape:
            raise ModelError(f"{name} is {list(given[name].shape)}, and the network's is {list(value.shape)}.")
    if foreign := [name for name in given if name not in wanted]:
        raise ModelError(f"{foreign[0]} {list(given[foreign[0]].shape)} is no tensor of the network.")
    if spoiled := [name for name, value in given.items() if not value.isfinite().all()]:
        raise ModelError(f"{spoiled[0]} has values that are not finite.")
