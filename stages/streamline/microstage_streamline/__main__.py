"""Read, make integer, prove, estimate, write: in that order, for every network; nothing is written before all of it is
proven.
"""

from __future__ import annotations

import numpy as np

from microstage.files.canonical import write_json
from microstage.interface import golden
from microstage.stage import Job, stage_main
from microstage_streamline.finn.estimate import estimated
from microstage_streamline.hand_over.folder import hand_over
from microstage_streamline.preceding_stage import PrecedingStage
from microstage_streamline.user_network import UserNetwork
from microstage_streamline.write.save import save

_HANDED_OVER = 8  # golden vectors, which FINN's builder compares


def run(job: Job) -> None:
    """Make the artefact of the network in `job.inputs["network"]`, a user's own, or in `job.inputs["qcdq"]`, of the
    stage before.
    """
    with np.errstate(all="ignore"):  # what is not finite is said by who meets it
        _convert(job)


def _convert(job: Job) -> None:
    source = PrecedingStage(job.inputs["qcdq"]) if "qcdq" in job.inputs else UserNetwork.of(job)
    converted = source.convert()
    recorded = source.prove(job, converted)
    found = estimated(job, converted)
    for name, part in converted.items():
        for written in filter(None, (part, part.front)):
            save(written.model, job.output / f"{source.file(name, written)}.onnx")
    golden.save(job.output / golden.FILE, recorded)
    fed = source.fed(converted, recorded, _HANDED_OVER) if found.built else {}
    for name, built in found.built.items():
        hand_over(job, source.file(name, converted[name].front or converted[name]), built, fed[name])
    write_json(job.output / "estimates.json", found.counts)
    source.write(job, converted, found.counts)


if __name__ == "__main__":
    raise SystemExit(stage_main("streamline", run))
