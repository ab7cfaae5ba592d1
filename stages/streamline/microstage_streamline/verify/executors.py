"""The reference beside what others make of the same file: figures, for floats may fall either way at a tie (docs/numerics.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from microstage.errors import VerificationError
from microstage_streamline.graph.graph import Entry

__all__ = ["against_file", "against_golden"]

_SAMPLES = 64


def against_golden(arrays: Mapping[str, np.ndarray], answers: Mapping[str, np.ndarray], steps: Mapping[str, float]) -> dict[str, Any]:
    """{output: how the user's expected values compare}; whole numbers that an output of whole numbers contradicts are a `VerificationError`."""
    found = {}
    for name, exact in answers.items():
        if name not in arrays:
            continue
        given = arrays[name].reshape(exact.shape) if arrays[name].size == exact.size else None
        if given is None:
            raise VerificationError(f"GOLDEN has {name} of shape {list(arrays[name].shape)}; the network answers {list(exact.shape)}.")
        if given.dtype.kind in "iu" and steps[name] == 1.0 and (given != exact).any():
            raise VerificationError(f"{np.count_nonzero(given != exact)} of {given.size} integers of {name} differ from those in GOLDEN.")
        found[name] = _difference(given, exact, steps[name])
    return found


def against_file(path: Path, entries: Mapping[str, Entry], inputs: Mapping[str, np.ndarray], answers: Mapping[str, np.ndarray],
                 steps: Mapping[str, float]) -> dict[str, Any]:
    """{"by", output: difference} of the untouched file in another executor; only "by" says why, where none can run it."""
    values = {name: np.asarray(inputs[name][:_SAMPLES]) for name in entries}
    try:
        by, outputs = _executed(path, values)
    except Exception as error:  # a foreign program on a foreign file: whatever it raises, this figure is missing
        return {"by": f"nothing: {' '.join(str(error).split())[:200]}"}
    return {"by": by, **{name: _difference(outputs[name], exact[:_SAMPLES], steps[name]) for name, exact in answers.items() if name in outputs}}


def _executed(path: Path, values: Mapping[str, np.ndarray]) -> tuple[str, dict[str, np.ndarray]]:
    """onnxruntime, graph optimisations off, if it knows every operator; else qonnx, sample by sample."""
    import onnx
    import onnxruntime

    model = onnx.load_model_from_string(path.read_bytes())
    if all(node.domain in ("", "ai.onnx", "com.microsoft") and onnx.defs.has(node.op_type) for node in model.graph.node):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        one = session.get_inputs()[0].shape[0] == 1
        runs = [session.run(None, fed) for fed in _fed(model, values, one)]
        names = [output.name for output in session.get_outputs()]
        return f"onnxruntime {onnxruntime.__version__}", {name: np.concatenate([run[k] for run in runs]) for k, name in enumerate(names)}
    return _by_qonnx(model, values)


def _by_qonnx(model, values: Mapping[str, np.ndarray]) -> tuple[str, dict[str, np.ndarray]]:
    import qonnx
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.util.cleanup import cleanup_model

    names = [output.name for output in model.graph.output]
    for node in model.graph.node:
        if node.op_type in ("Quant", "BipolarQuant", "MultiThreshold", "IntQuant"):
            node.domain = "qonnx.custom_op.general"
    del model.graph.value_info[:]  # what an exporter said of other batches, or of another order
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    clean = cleanup_model(ModelWrapper(model))
    given = [value.name for value in clean.graph.input]  # qonnx renames both ends, in order
    answered = [value.name for value in clean.graph.output]
    runs = []
    for fed in _fed(model, values, True):
        found = execute_onnx(clean, {name: value.astype(np.float32) for name, value in zip(given, fed.values())})
        runs.append([found[name] for name in answered])
    return f"qonnx {getattr(qonnx, '__version__', '1.0.0')}", {name: np.concatenate([run[k] for run in runs]) for k, name in enumerate(names)}


def _fed(model, values: Mapping[str, np.ndarray], one: bool):
    from onnx import helper

    kinds = {v.name: helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in model.graph.input}
    count = len(next(iter(values.values())))
    size = 1 if one else count
    for start in range(0, count, size):
        yield {name: value[start : start + size].astype(kinds[name]) for name, value in values.items()}


def _difference(found: np.ndarray, exact: np.ndarray, step: float) -> dict[str, Any]:
    """Values, how many are half a level off or more, and the largest difference."""
    difference = np.abs(np.asarray(found, np.float64).reshape(exact.shape) - exact)
    differing = int(np.count_nonzero(difference >= (step / 2 or np.inf)))
    return {"values": int(exact.size), "levels_differing": differing, "largest": float(f"{difference.max():.3g}")}
