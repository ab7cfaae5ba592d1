"""Read, clean, make integer, prove, estimate, report, write: in that order; nothing is written before all of it is proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from microstage import golden
from microstage.canonical import write_json
from microstage.errors import ModelError
from microstage.integer.sequence import integers
from microstage.integer.tensor import real
from microstage.stage import Job
from microstage_streamline.finn.estimate import estimate
from microstage_streamline.finn.save import save
from microstage_streamline import report
from microstage_streamline.verify import vectors
from microstage_streamline.graph.normalise import Normaliser
from microstage_streamline.verify.executors import against_file, against_golden
from microstage_streamline.graph.graph import Graph
from microstage_streamline.graph.commute import hoist
from microstage_streamline.integerise.integerise import Integeriser, Made
from microstage_streamline.verify.proof import Proof
from microstage_streamline.graph.read import read_graph
from microstage_streamline.finn.write import FILE, Written, write
from microstage_streamline.finn.layout import lowered

__all__ = ["integers_of", "make_integer", "run"]

MODEL, GOLDEN = "model.onnx", "golden.npz"


def run(job: Job) -> None:
    """The artefact of the network in folder `job.inputs["network"]`: `model.onnx` and, if the user gave it, `golden.npz`."""
    source = job.inputs["network"]
    normal, made, written = make_integer(source / MODEL)
    arrays = vectors.named(vectors.read_golden(source / GOLDEN), normal) if (source / GOLDEN).exists() else None
    fed = vectors.given(normal, made, arrays) if arrays is not None else vectors.drawn(made, vectors.how_many(made))

    proof = Proof(normal, made, written, fed)
    recorded = proof.integers(job)
    proof.executor(job, recorded)
    compared = _compared(proof, source / MODEL, fed, arrays)
    estimates = _estimates(job, written)

    job.metric("unresolved", len(made.unresolved))
    job.metric("compared", compared)
    for found in made.unresolved:
        job.log(f"streamline: not integer: {found.layer or 'output'} -> {found.tensor}: {found.reason}")
    save(written.model, job.output / f"{FILE}.onnx")
    golden.save(job.output / golden.FILE, recorded)
    write_json(job.output / "interface.json", {"parts": {FILE: written.interface}})
    write_json(job.output / "model_def.json", {"model": "network", "parameters": {}})
    write_json(job.output / "estimates.json", estimates)
    write_json(job.output / "unresolved.json", report.unresolved(made, written))
    (job.output / "report.md").write_text(report.markdown(normal, made, written, compared, estimates))


def make_integer(path: Path) -> tuple[Normaliser, Made, Written]:
    """The network in `path`, cleaned, and its integers; `ModelError` for a file that is no network, or where nothing became integer."""
    return integers_of(read_graph(path))


def integers_of(graph: Graph) -> tuple[Normaliser, Made, Written]:
    """The graph, cleaned, and its integers; `ModelError` where nothing became integer."""
    normal = Normaliser(graph)
    normal.clean()
    hoist(normal)
    made = Integeriser(normal).run()
    if not made.nodes:
        why = made.unresolved[0].reason if made.unresolved else "it has no layer"
        raise ModelError(f"Nothing of the network can be computed in integers: {why}")
    return normal, made, write(made, normal)


def _compared(proof: Proof, path: Path, fed: dict[str, Any], arrays: dict[str, np.ndarray] | None) -> dict[str, Any]:
    """Differences to the untouched file elsewhere, and to the user's own answers: figures for the report."""
    proof.vectors, entries = _at_the_inputs(proof, fed), proof.normal.graph.inputs
    if not proof.vectors:  # integers enter behind operators that cannot be turned round
        return {}
    answers = proof.answers()
    steps = {name: proof.step(name) for name in answers}
    inputs = {name: real(value) for name, value in proof.vectors.items()}
    found = {"the file": against_file(path, entries, inputs, answers, steps)}
    return {**found, "GOLDEN": against_golden(arrays, answers, steps)} if arrays is not None else found


def _at_the_inputs(proof: Proof, fed: dict[str, Any]) -> dict[str, Any]:
    """The same vectors as values of the file's own inputs: a quantiser gives back the integers that it is fed with."""
    graph, tensors = proof.normal.graph, proof.written.entered
    if all(name in fed for name in graph.inputs):
        return fed
    values = {name: real(fed[tensors[name]]) for name in graph.inputs if tensors.get(name) in fed}
    if len(values) < len(graph.inputs):
        return {}
    behind = graph.run(values, list(tensors.values()))
    same = all(np.array_equal(integers(behind[tensor]), integers(fed[tensor])) for tensor in tensors.values())
    return values if same else {}


def _estimates(job: Job, written: Written) -> dict[str, Any]:
    """FINN's own counts; a network that FINN cannot convert has none, and its reason instead."""
    try:
        return estimate(job, {FILE: lowered(written.model, written.interface)})
    except Exception as error:  # FINN asserts what it expects, and raises whatever NumPy does
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        job.log(f"streamline: FINN estimates nothing of this network: {reason}")
        return {"parts": {}, "not_estimated": reason}
