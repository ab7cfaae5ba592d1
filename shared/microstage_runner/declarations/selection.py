"""From the make variables that a user typed to the complete, canonical parameters of every stage."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from microstage.errors import ParameterError
from microstage_runner.declarations.parameter import Parameter
from microstage_runner.declarations.stages import Stage

__all__ = ["SETTINGS", "select"]

SETTINGS = {
    "AGAINST": "of make bench: runtimes beside the C, of onnxruntime, litert and tflm; all of them by default;"
    " of make footprint: a folder of CMSIS-NN",
    "ARGS": "of make python: what the script is called with",
    "BASELINE": "of make bench: a folder of C that an earlier version wrote of the network,"
    " or one such folder per network in it",
    "BUNDLE": "file that pack writes and unpack reads",
    "CALIBRATION": "inputs to quantise the float network of ONNX= over: an .npz with arrays by input name, or an .npy",
    "CC": "of make bench and interpreter: the C compiler, gcc by default",
    "DATA_DIR": "folder of the dataset",
    "DEPTH": "of make prove RANDOM=: the most layers of a network, 60 by default",
    "DRY": "1 before any target prints what it would run, what is there already, and the cost; nothing is made",
    "ENCODING": "of make binfiles: model, the network's own, or eembc, the closed division's",
    "ENGINE": "of make sweep: local, or snakemake with PROFILE=",
    "FILE": "of make estimate-file: the recording",
    "FINN_HLSLIB": "of make simulate: a folder of finn-hlslib's sources, without which FINN's C++ is not simulated",
    "FIX": "of make lint: 1 formats the code and mends what ruff can mend",
    "FORCE": "1 runs a published stage again and compares",
    "GOLDEN": "inputs, and if you like outputs, to verify the network of ONNX= on: an .npz with arrays by tensor name",
    "HOST": "engine elsewhere that runs every stage: ssh://user@box, another URL, or a Docker context",
    "IMAGE": "1 packs the stage's image too",
    "JOBS": "so many at once: of make sweep, 1 by default, 100 with PROFILE=slurm; of make chaos, one for each core",
    "MACHINE": "of make footprint: machines, of cortex-m0+, cortex-m4, cortex-m7, cortex-m33, cortex-m55 and riscv32;"
    " all of them by default",
    "MEMORY": "what a stage may take, as 512m or 4g; in containers seven eighths of the machine's by default",
    "NETWORKS": "of make quantisers: networks that are trained in floats, with blanks between them; of make chaos:"
    " families; all by default",
    "NOMINAL": "of make accuracy: the instrument's nominal rms value, from which limits follow;"
    " 32 A, 120 or 230 V by default",
    "ONNX": "a network of one's own to begin with: QONNX, QCDQ, FINN-ONNX or .tflite;"
    " of make estimate-file a folder that holds interface.json",
    "ONLY": "of make lint: some of format, ruff, mypy, shellcheck, hadolint; of docs-check: some tutorials;"
    " of make chaos: some faults, or one try of one, as flips:137",
    "OPEN": "of make report and docs: 1 opens the page",
    "PROFILE": "of make sweep ENGINE=snakemake: local, or slurm for the cluster whose sbatch is on PATH",
    "PUBLIC_KEY": "public keys, a file each: what is published counts only where one of these signed it",
    "PYTHON": "the interpreter of the runner, python3 by default",
    "RANDOM": "of make prove: so many random networks, of the seeds from SEED on (1), all the way from ONNX to C",
    "REGISTRY": "host:port/prefix of an OCI registry: what it has is pulled, not made",
    "ROUNDS": "of make bench: how often each is measured, 31 by default",
    "RUN": "id of a training that `make runs` lists, in place of its variables",
    "RUNNER": "docker, local or auto",
    "RUNS": "of make compare: ids of two or more trainings that `make runs` lists, with blanks between them",
    "SAMPLE": "of make explain: the sample to follow through the layers; the one that errs most by default",
    "SCRIPT": "of make python: a file of Python, run in its own folder in the environment of STAGE=",
    "SECONDS": "of make prove: what each compilation may take, 30 by default",
    "SIGNING_KEY": "private key, a file: what is published here is signed with it, and its signature counts",
    "STAGE": "the stage that path, why and verify look at, and in whose environment python runs a script",
    "STAGES_ON": "stages that run on an engine elsewhere: STAGE=ssh://user@box",
    "TABLE": "of make reproduce-table: bnn-pynq, harmonic or bench",
    "TESTS": "of make test: folders and files of tests, with blanks between them",
    "TFLITE": "of make bench and footprint: the network of ONNX= as .tflite, for litert and tflm;"
    " a list goes with a list",
    "TRIES": "of make chaos: the most tries of each fault; as many as make it whole by default",
    "TRUST": "1 lets unpack run code of the bundle's that is not this checkout's: sources, a model file, an image",
    "VECTORS": "of make prove: random vectors, 10000 by default",
    "VENDOR": "folder that vendor collects into, and that everything else then installs from",
    "VOLUMES": "where artefacts live",
}


def select(stages: Mapping[str, Stage], typed: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return {stage: {parameter: value}}, defaults filled in; a name or value that no stage declares is a
    `ParameterError`.
    """
    declared = {p.variable: p for stage in stages.values() for p in stage.parameters.values()}
    for name in typed:
        if name not in declared and name not in SETTINGS:
            raise ParameterError(_unknown(name, typed[name], [*declared, *SETTINGS]))
    model = _model(declared, typed)
    values = {name: _of(p, model, typed[name]).parse(typed[name]) for name, p in declared.items() if name in typed}
    return {stage.name: _complete(stage, values, model) for stage in stages.values()}


def _model(declared: Mapping[str, Parameter], typed: Mapping[str, str]) -> str:
    """Return the chosen network; "" where no stage asks for one."""
    chooser = declared.get("MODEL")
    if chooser is None:
        return ""
    return chooser.parse(typed["MODEL"]) if "MODEL" in typed else chooser.default


def _of(parameter: Parameter, model: str, text: str) -> Parameter:
    """Return the parameter as the chosen model has it."""
    own = parameter.of(model)
    if own is None:
        owners = ", ".join(parameter.models or ())
        raise ParameterError(f"{parameter.variable}={text} is no parameter of MODEL={model}: it belongs to {owners}.")
    return own


def _complete(stage: Stage, values: Mapping[str, Any], model: str) -> dict[str, Any]:
    owned = [own for p in stage.parameters.values() if (own := p.of(model))]
    return {p.name: values.get(p.variable, p.default) for p in owned}


def _unknown(name: str, value: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "`make help` lists the variables."
    return f"{name}={value} is not a variable that any stage declares; {hint}"
