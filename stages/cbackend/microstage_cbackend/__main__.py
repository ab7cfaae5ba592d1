"""Run the stage: python -m microstage_cbackend --in streamline=DIR --out DIR --scratch DIR"""

from __future__ import annotations

from microstage.errors import ParameterError
from microstage.interface import golden
from microstage.stage import Job, stage_main
from microstage_cbackend.build import version
from microstage_cbackend.generate import read_model, verify_and_publish
from microstage_cbackend.vectors.plan import make_plan
from microstage_cbackend.writers.emit import WrittenModel


def run(job: Job) -> None:
    """Write the C of the streamlined graphs after it reproduced every golden integer."""
    if "streamline" not in job.inputs:
        raise ParameterError("cbackend needs --in streamline=DIR, the artefact of the streamline stage.")
    source = job.inputs["streamline"]
    model = read_model(source, job.parameters.get("name", ""))
    plan = make_plan(model, golden.load(source / golden.FILE))
    results = verify_and_publish(model, plan, source, job.scratch / "build", job.output)
    (job.logs / "compiler.txt").write_text(version() + "\n")  # it tested the artefact, and is no part of it
    for result in results:
        job.verified(result.boundary, result.compared, result.equal)
        job.log(f"{result.boundary}: {result.equal} of {result.compared} integers equal")
    job.metric("golden_vectors", plan.vectors)
    program = WrittenModel(model)
    for part in model.parts:
        for note in part.notes:
            job.log(note)
        for proof in part.proofs:
            job.metric(f"proof.{part.name}.{proof['layer']}.{proof['operator']}", proof)
    for machine in program.machines:
        job.log(
            f"{machine.name}: arena {machine.arena_bytes} bytes, at least {machine.arena_bound}; constants "
            f"{machine.constant_bytes} bytes"
        )
        kind = "small_machine_" * (machine.name == "small machines")
        job.metric(f"{kind}constant_bytes", machine.constant_bytes)
        job.metric(f"{kind}arena_bytes", machine.arena_bytes)
        job.metric(f"{kind}arena_bytes_at_least", machine.arena_bound)


if __name__ == "__main__":
    raise SystemExit(stage_main("cbackend", run))
