"""Recurrent modules of the user's own through every stage: two layers, several inputs, names that mean nothing to
anybody.
"""

import json
from pathlib import Path

from test_user_module import REPOSITORY, make

PAGE = (REPOSITORY / "docs" / "adding-a-model.md").read_text()
TWO_LAYERS = PAGE.split("```python\n")[3].split("```")[0]
SEVERAL_INPUTS = (Path(__file__).parent / "listening.py").read_text()


def made(volumes: Path, folder: Path, name: str, text: str, *words: str) -> tuple[str, Path]:
    """(what `make cbackend` says of the module, the folder of its C)."""
    file = folder / f"{name}.py"
    file.write_text(text)
    said = make(volumes, "cbackend", f"MODEL={file}", "EPOCHS=1", *words)
    [header] = volumes.glob(f"cbackend/*/{name}.h")
    return said, header.parent


def test_a_memory_of_two_layers(volumes, tmp_path):
    said, out = made(volumes, tmp_path, "gestures", TWO_LAYERS, "EXAMPLES=256", "WIDTH=4")
    sequence = json.loads((out / "interface.json").read_text())["sequence"]
    states = [f"memory.{layer}.{kind}" for layer in (0, 1) for kind in ("hidden", "cell")]
    assert sequence == {
        "length": 12,
        "cell": "step_finn_streamlined",
        "head": "head_finn_streamlined",
        "steps": {"memory.0.input_t": "memory.0.input"},
        "states": {state: f"{state}_next" for state in states},
        "last": {"memory.1.hidden": "memory.1.hidden"},
    }
    for boundary in (*states, *(f"stream.{state}" for state in states), "gesture", "whole.gesture", "real.gesture"):
        assert f"{boundary}: " in said and f"{boundary}: 0 of" not in said
    assert "accuracy" in said and "gestures_step_steps(" in (out / "gestures.h").read_text()
    assert "refused.real.memory.0.input: 6 of 6" in said


def test_several_inputs_before_within_and_behind_the_cells(volumes, tmp_path):
    """Two sequences joined, three LSTMs in a row and beside one another, a layer between, a vector that the head alone
    reads.
    """
    said, out = made(volumes, tmp_path, "listening", SEVERAL_INPUTS)
    interface = json.loads((out / "interface.json").read_text())
    assert interface["sequence"]["steps"] == {"frames_t": "frames", "beside.input_t": "beside.input"}
    assert interface["sequence"]["last"] == {"far.hidden": "far.hidden", "beside.hidden": "beside.hidden"}
    assert {*interface["parts"]["encoder_finn_streamlined"]["inputs"]} == {"state", "steps"}
    assert {*interface["parts"]["mouth_finn_streamlined"]["inputs"]} == {"far.hidden", "beside.hidden", "ctx"}
    for boundary in (
        "frames",
        "i",
        "beside.cell",
        "far.hidden",
        "stream.near.cell",
        "whole.distance",
        "real.distance",
        "refused.real.ctx",
    ):
        assert f"{boundary}: " in said
