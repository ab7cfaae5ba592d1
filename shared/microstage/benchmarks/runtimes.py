"""Other people's runtimes behind one small interface, each on one thread.

`call` is what is timed: one inference on inputs that are already in place. It is the binding's own function wherever that can be had
without a layer of Python before it, so that a rival is not charged for more than it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from microstage.benchmarks.network import Network
from microstage.benchmarks.onnx_twin import write_onnx
from microstage.benchmarks.tflite_twin import channels_first, channels_last, write_tflite

__all__ = ["LARGEST_ARENA", "LiteRt", "OnnxRuntime", "Runtime", "TfLiteMicro"]

LARGEST_ARENA = 1 << 20


class Runtime(Protocol):
    """One network, loaded. Inputs and output are int8 [1, C, H, W] or [1, features], whatever the runtime's own layout."""

    call: Callable[[], object]

    def put(self, inputs: Mapping[str, np.ndarray]) -> None: ...

    def get(self) -> np.ndarray: ...


class OnnxRuntime:
    """onnxruntime on one form of the QDQ twin, all graph optimisations on, inputs and outputs bound."""

    def __init__(self, network: Network, form: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # 1.14.1 plans memory wrongly around a Clip of int8: from the second inference on, its answers would be others
        options.enable_mem_pattern = not any(layer.output.narrow for layer in network.layers)
        model = write_onnx(network, form).SerializeToString()
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.shift, kind = (128, np.uint8) if form == "uint8" else (0, np.int8)
        self.binding = session.io_binding()
        self.inputs = {}
        for name in network.inputs:
            self.inputs[name] = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, *network.shapes[name]), kind))
            self.binding.bind_ortvalue_input(name, self.inputs[name])
        self.output = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, *network.shapes[network.output]), kind))
        self.binding.bind_ortvalue_output(network.output, self.output)
        self.call = lambda: session.run_with_iobinding(self.binding)

    def put(self, inputs: Mapping[str, np.ndarray]) -> None:
        for name, value in self.inputs.items():
            value.update_inplace((inputs[name].astype(np.int16) + self.shift).astype(np.uint8 if self.shift else np.int8))

    def get(self) -> np.ndarray:
        return (self.output.numpy().astype(np.int16) - self.shift).astype(np.int8)


class LiteRt:
    """LiteRT on the .tflite twin, with its XNNPACK delegate as by default."""

    def __init__(self, network: Network) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_content=write_tflite(network), num_threads=1)
        self.interpreter.allocate_tensors()
        self.inputs = dict(zip(network.inputs, (detail["index"] for detail in self.interpreter.get_input_details())))
        self.output = self.interpreter.get_output_details()[0]["index"]
        self.call = self.interpreter._interpreter.Invoke

    def put(self, inputs: Mapping[str, np.ndarray]) -> None:
        for name, index in self.inputs.items():
            self.interpreter.set_tensor(index, channels_last(inputs[name]))

    def get(self) -> np.ndarray:
        return channels_first(self.interpreter.get_tensor(self.output))


class TfLiteMicro:
    """TFLite Micro's interpreter and reference kernels, as its wheel holds them, on the .tflite twin."""

    def __init__(self, network: Network, arena_bytes: int = LARGEST_ARENA) -> None:
        from tflite_micro.python.tflite_micro import runtime

        self.interpreter = runtime.Interpreter.from_bytes(write_tflite(network), arena_size=arena_bytes)
        self.names = list(network.inputs)
        self.call = self.interpreter._interpreter.Invoke

    def put(self, inputs: Mapping[str, np.ndarray]) -> None:
        for index, name in enumerate(self.names):
            self.interpreter.set_input(channels_last(inputs[name]), index)

    def get(self) -> np.ndarray:
        return channels_first(self.interpreter.get_output(0))
