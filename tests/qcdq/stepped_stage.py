"""A drawn network that is stepped, as the export stage leaves it: its recorded integers are the reference's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from stepped import Form, definition, exported, waves

from microstage.interface import golden
from microstage.models.definition import ModelDeclaration
from microstage.signals.gain import block_float
from microstage_qcdq.reading import network_of

RECORDS, STEPS = 10, 6


def write_export(folder: Path, form: Form, records: int = RECORDS, steps: int = STEPS) -> None:
    """Model, definition and golden vectors of `form` in `folder`."""
    onnx.save(exported(form), str(folder / "brevitas_export_model.onnx"))
    (folder / "model_def.json").write_text(json.dumps(definition(form)))
    network = network_of(exported(form), ModelDeclaration.of(definition(form)))
    waveform = waves(form, records, steps)
    ints, exponent = block_float(waveform.reshape(records, steps, -1).astype(np.float64), bits=form.window_bits)
    given = {"window": ints, "gain_exponent": exponent, "waveform": waveform}
    found = network.reference(given)
    found["correction"] = found["correction"] * network.answer.scales["correction"]
    truth = np.ones((records, steps, 4))
    golden.save(
        folder / golden.FILE,
        {**given, **found, "truth": truth, "real": (np.arange(records) < records - 2).astype(np.uint8)},
    )
