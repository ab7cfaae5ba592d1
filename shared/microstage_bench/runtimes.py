"""Other people's runtimes behind one small interface, each on one thread.

`call` is what is timed: one inference on inputs that are already in place. It is the binding's own function wherever
that can be had without a layer of Python before it, so that a rival is not charged for more than it costs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import onnx

from microstage_bench import onnx_ends
from microstage_bench.ends import End
from microstage_bench.tflite_file import ends_of_tflite

__all__ = ["LARGEST_ARENA", "LiteRt", "OnnxRuntime", "Runtime", "TfLiteMicro", "saturates"]

LARGEST_ARENA = 1 << 20


class Runtime(Protocol):
    """One network, loaded, one example at a time; `put` and `get` take and give the numbers of `inputs` and `outputs`,
    [1, ...] each.
    """

    @property
    def inputs(self) -> Sequence[End]: ...

    @property
    def outputs(self) -> Sequence[End]: ...

    @property
    def call(self) -> Callable[[], object]: ...

    def put(self, values: Sequence[np.ndarray]) -> None: ...

    def get(self) -> list[np.ndarray]: ...


@functools.cache
def saturates() -> bool:
    """Tell whether onnxruntime holds sums of unsigned bytes times signed ones in 16 bits here: with AVX2, not VNNI."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    columns = numpy_helper.from_array(np.full((64, 16), 127, np.int8), "columns")
    ends = [
        helper.make_tensor_value_info(*end)
        for end in (("x", TensorProto.UINT8, (1, 64)), ("y", TensorProto.INT32, (1, 16)))
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "columns"], ["y"])], "sums", ends[:1], ends[1:], [columns]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.full((1, 64), 255, np.uint8)})
    return bool((found != 64 * 255 * 127).any())


class OnnxRuntime:
    """onnxruntime, all graph optimisations on, inputs and outputs bound."""

    def __init__(self, model: onnx.ModelProto) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # 1.14.1 plans memory wrongly around a Clip of int8: from the second inference on, its answers would be others
        options.enable_mem_pattern = all(node.op_type != "Clip" for node in model.graph.node)
        one = onnx_ends.with_batch_of_one(model)
        self.inputs, self.outputs = onnx_ends.inputs_of(one), onnx_ends.outputs_of(one)
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self.binding, self.values = session.io_binding(), []
        for end in self.inputs:
            self.values.append(onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, *end.shape), end.dtype)))
            self.binding.bind_ortvalue_input(end.name, self.values[-1])
        for end in self.outputs:
            self.binding.bind_output(end.name)
        self.call = lambda: session.run_with_iobinding(self.binding)

    def put(self, values: Sequence[np.ndarray]) -> None:
        for value, given in zip(self.values, values):
            value.update_inplace(given)

    def get(self) -> list[np.ndarray]:
        return [found.reshape(1, -1) for found in self.binding.copy_outputs_to_cpu()]


class LiteRt:
    """LiteRT on a .tflite file, with its XNNPACK delegate as by default."""

    def __init__(self, file: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.inputs, self.outputs = ends_of_tflite(file)
        self.interpreter = Interpreter(model_content=file, num_threads=1)
        self.interpreter.allocate_tensors()
        self.taken = [detail["index"] for detail in self.interpreter.get_input_details()]
        self.given = [detail["index"] for detail in self.interpreter.get_output_details()]
        self.call = self.interpreter._interpreter.Invoke

    def put(self, values: Sequence[np.ndarray]) -> None:
        for index, value in zip(self.taken, values):
            self.interpreter.set_tensor(index, value)

    def get(self) -> list[np.ndarray]:
        return [self.interpreter.get_tensor(index) for index in self.given]


class TfLiteMicro:
    """TFLite Micro's interpreter and reference kernels, as its wheel holds them, on a .tflite file."""

    def __init__(self, file: bytes, arena_bytes: int = LARGEST_ARENA) -> None:
        from tflite_micro.python.tflite_micro import runtime

        self.inputs, self.outputs = ends_of_tflite(file)
        self.interpreter = runtime.Interpreter.from_bytes(file, arena_size=arena_bytes)
        self.call = self.interpreter._interpreter.Invoke

    def put(self, values: Sequence[np.ndarray]) -> None:
        for index, value in enumerate(values):
            self.interpreter.set_input(value, index)

    def get(self) -> list[np.ndarray]:
        return [self.interpreter.get_output(index) for index in range(len(self.outputs))]
