"""python -m microstage_cbackend --in streamline=DIR --out DIR --scratch DIR"""

from __future__ import annotations

from microstage import golden
from microstage.errors import ParameterError
from microstage.stage import Job, stage_main
from microstage_cbackend.generate import read_model, verify_and_publish
from microstage_cbackend.golden import make_plan
from microstage_cbackend.ir import Part, bits_of


def run(job: Job) -> None:
    """Write the C of the streamlined graphs after it reproduced every golden integer."""
    if "streamline" not in job.inputs:
        raise ParameterError("cbackend needs --in streamline=DIR, the artefact of the streamline stage.")
    source = job.inputs["streamline"]
    model = read_model(source)
    plan = make_plan(model, golden.load(source / golden.FILE))
    results = verify_and_publish(model, plan, source, job.scratch / "build", job.output)
    for result in results:
        job.verified(result.boundary, result.compared, result.equal)
        job.log(f"{result.boundary}: {result.equal} of {result.compared} integers equal")
    job.metric("golden_vectors", plan.vectors)
    job.metric("constant_bytes", sum(_bytes(part) for part in model.parts))


def _bytes(part: Part) -> int:
    constants = {id(t.root): t.root for layer in part.layers for t in layer.inputs if t.root.data is not None}
    return sum(t.size * bits_of(t.ctype) // 8 for t in constants.values())


if __name__ == "__main__":
    raise SystemExit(stage_main("cbackend", run))
