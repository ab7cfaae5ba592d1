"""Build this graph with an unmodified finn-plus 1.6.1: python build.py [folder for what comes of it].

Without Vivado it ends with FINN's code, in the folder's `code`; with Vivado, where XILINX_VIVADO says, it goes on to
IP that is stitched together. `build.json` says of which graph, for which part; `folding.json` folds the layers;
`ports.json` says which port of FINN's is which input or output of ours.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
VIVADO = "XILINX_VIVADO"
STEPS = [  # those of FINN that the graph needs; it is integers already, so that there is nothing to streamline
    "step_convert_to_hw",
    "step_minimize_bit_width_initial",
    "step_create_dataflow_partition",
    "check_ports",
    "step_specialize_layers",
    "step_apply_folding_config",
    "step_minimize_bit_width",
    "step_generate_estimate_reports",
]
TO_CODE, TO_IP = ["step_hw_codegen"], ["step_generate_hardware", "step_create_stitched_ip"]


def run(model, fed):
    """Return every tensor of FINN's layers for one vector; each layer gets a stream in the shape that it has."""
    from qonnx.custom_op.registry import getCustomOp

    tensors = {value.name: model.get_initializer(value.name) for value in model.graph.initializer} | fed
    for node in model.graph.node:
        layer = getCustomOp(node)
        for index, name in enumerate(node.input):
            if model.get_initializer(name) is None:
                tensors[name] = tensors[name].reshape(layer.get_normal_input_shape(index))
        for index, name in enumerate(node.output):
            tensors[name] = np.zeros(layer.get_normal_output_shape(index), np.float32)  # some write into what is there
        layer.execute_node(tensors, model.graph)
    return tensors


def check_ports(model, cfg):
    """Run FINN's layers on the golden vectors: every port must take and give the integers that ports.json names."""
    ports = json.loads((HERE / "ports.json").read_text())
    sides = {"inputs": model.graph.input, "outputs": model.graph.output}
    for side, tensors in sides.items():
        if len(tensors) != len(ports[side]):
            raise RuntimeError(f"FINN's layers have {len(tensors)} {side}, and ports.json has {len(ports[side])}.")
    given, expected = ([np.load(HERE / port["file"]) for port in ports[side]] for side in sides)
    for row in range(len(given[0])):
        fed = {tensor.name: values[row : row + 1] for tensor, values in zip(sides["inputs"], given)}
        found = run(model, fed)
        for port, tensor, values in zip(ports["outputs"], sides["outputs"], expected):
            wrong = int((found[tensor.name].ravel() != values[row].ravel()).sum())
            if wrong:
                raise RuntimeError(f"{wrong} integers at {port['port']} are not those of {port['name']}, vector {row}.")
    print(f"ports: {sum(values.size for values in expected)} integers compared, none differs")
    return model


def configured(out):
    """Return FINN's configuration for this graph."""
    from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType

    said = json.loads((HERE / "build.json").read_text())
    vivado = os.environ[VIVADO] != "none"
    outputs = [DataflowOutputType.ESTIMATE_REPORTS, *([DataflowOutputType.STITCHED_IP] if vivado else [])]
    steps = [check_ports if step == "check_ports" else step for step in [*STEPS, *(TO_IP if vivado else TO_CODE)]]
    return DataflowBuildConfig(
        output_dir=str(out),
        fpga_part=said["fpga_part"],
        synth_clk_period_ns=said["clk_ns"],
        folding_config_file=HERE / "folding.json",
        minimize_bit_width=said["minimize_bit_width"],  # not where bits are counted: FINN would give sums too few bits
        standalone_thresholds=True,
        requant_bitwidth_threshold=1 << 16,  # thresholds stay: a float scale in their place is not exact
        generate_outputs=outputs,
        steps=steps,
    )


def main(out):
    """Build into the folder `out`; return FINN's exit code, 0 where all of it worked."""
    out.mkdir(parents=True, exist_ok=True)
    code = Path(os.environ.setdefault("FINN_BUILD_DIR", str(out.resolve() / "code")))
    code.mkdir(parents=True, exist_ok=True)
    if VIVADO not in os.environ:  # FINN loads Vivado's simulator with its first step, and uses it behind its code
        import finn.xsi

        os.environ[VIVADO], finn.xsi.SimEngine = "none", None
    from finn.builder.build_dataflow import build_dataflow_cfg

    model = HERE / json.loads((HERE / "build.json").read_text())["model"]
    return build_dataflow_cfg(str(model.resolve()), configured(out))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "built")) and 1)
