"""`make reproduce STAGE=...`: the image twice without cache, the stage twice under other circumstances, every byte
compared.

volumes/.reproduce/<stage>/a       out/ and scratch/ of the first run; gone again when all is equal
volumes/.reproduce/<stage>/b       out/ of the second, which ran in a longer path elsewhere
volumes/.reproduce/<stage>/*.log   the two builds of the image
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError, VerificationError
from microstage.stage import REPORT
from microstage_runner.engines.containers import DockerBackend
from microstage_runner.engines.local import LocalBackend
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.pipeline.step import PublishedStep, Step
from microstage_runner.reproduce import rebuild
from microstage_runner.reproduce.conditions import HERE, Conditions, elsewhere, seen
from microstage_runner.reproduce.differences import diffoscope, digests, explain
from microstage_runner.reproduce.rerun import BuiltImage, run_under

__all__ = ["reproduce"]

_ELSEWHERE = Path("a-second-folder", "with-a-longer-path")
_SHIELDED = ("TZ", "LC_ALL")


def reproduce(pipeline: Pipeline, target: str) -> int:
    """Return 0 when image layers and artefact bytes of `target` are equal; else `VerificationError` names the first
    difference.
    """
    if not isinstance(pipeline.backend, LocalBackend | DockerBackend):
        raise ParameterError(
            f"make reproduce runs on this machine, not on {pipeline.backend.name}: leave HOST= and STAGES_ON= out."
        )
    step = pipeline.prepare(target)
    notes = pipeline.store.volumes / ".reproduce" / target
    with (
        pipeline.store.lock("reproduce", target),
        tempfile.TemporaryDirectory(prefix="microstage-reproduce-", dir="/var/tmp") as away,
    ):
        shutil.rmtree(notes, ignore_errors=True)
        notes.mkdir(parents=True)
        os.chmod(away, 0o755)
        if found := _twice(pipeline.backend, step, notes, Path(away)):
            raise VerificationError(f"{target} is not reproducible. {found[0]} Both results are kept in {notes}.")
    shutil.rmtree(notes)
    return 0


def _twice(backend: LocalBackend | DockerBackend, step: Step, notes: Path, away: Path) -> list[str]:
    """Run the stage in `notes` and, under other circumstances, in `away`; return a sentence for each difference.

    Where there is one, both results and both images are kept, the results in `notes`.
    """
    subjects, found = _subjects(backend, step.stage.name, notes)
    first, second = places = notes / "a", away / _ELSEWHERE
    conditions = HERE, _elsewhere(backend, step)
    for place, condition, subject in zip(places, conditions, subjects):
        run_under(condition, subject, step, place)
    print("\n".join(_circumstances(conditions[1], seen(first / "scratch"), seen(second / "scratch"))))
    found += _compare(step, first / "out", second / "out")
    if found:
        shutil.copytree(second / "out", notes / "b" / "out")
        return found
    for subject in subjects:
        if isinstance(subject, BuiltImage):
            rebuild.forget(subject.backend.images, subject.image)
    return []


def _subjects(
    backend: LocalBackend | DockerBackend, stage: str, notes: Path
) -> tuple[list[LocalBackend | BuiltImage], list[str]]:
    """Return what runs the stage the first and the second time, and what differs between the two.

    Where stages run in containers, these are two images, each built from nothing but its base.
    """
    if isinstance(backend, LocalBackend):
        return [backend, backend], []
    built = rebuild.rebuild(backend.images, stage, notes)
    different = rebuild.different_layer(backend.images, *built)
    for number, layers in enumerate(zip(*(image.layers for image in built)), 1):
        mark = "equal    " if layers[0] == layers[1] else "DIFFERENT"
        print(f"  {mark}  {' '.join(digest[7:23] for digest in dict.fromkeys(layers))}  layer {number}")
    if different is not None:
        print(f"reproduce: {different}", flush=True)
    return [BuiltImage(backend, image) for image in built], [different] if different else []


def _elsewhere(backend: LocalBackend | DockerBackend, step: Step) -> Conditions:
    if isinstance(backend, LocalBackend):
        return elsewhere(container=False)
    found = elsewhere(container=True)
    lacking = {"folder": "a container sees /in, /out and /scratch, wherever they are"}
    if found.user is not None and not all(_open_to_all(given.checked()) for given in step.inputs.values()):
        found, lacking = replace(found, user=None), {**lacking, "user": "others may not read the inputs"}
    return replace(found, lacking={**found.lacking, **lacking})


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IROTH for path in [folder, *folder.rglob("*")])


def _circumstances(conditions: Conditions, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return what the two runs saw, as they said it themselves, and what could not be changed."""
    outside = " ".join(f"{name}={conditions.outside[name]}" for name in ("TZ", "LC_ALL", "HOME"))
    inside = " ".join(f"{name}={a[name]}" for name in _SHIELDED if a[name] == b[name])
    lines = [f"  {name}: {a[name]}, then {b[name]}" for name in a if a[name] != b[name] and name != "HOME"]
    lines += [f"  outside, the second time: {outside}; inside, both times: {inside}"]
    same = [name for name in a if name not in (*_SHIELDED, "HOME") and a[name] == b[name]]
    return lines + [
        f"  NOT VARIED: {name} ({conditions.lacking.get(name, f'the second run saw {b[name]} as well')})"
        for name in same
    ]


def _compare(step: Step, a: Path, b: Path) -> list[str]:
    """Return a sentence for each file that differs; prints a line per file."""
    one, other, found = digests(a), digests(b), []
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) == other.get(name):
            print(f"  equal      {one[name][:16]}  {name}")
            continue
        if name in one and name in other:
            found.append(f"{name} differs first at {explain(a / name, b / name)}.")
        else:
            found.append(f"{name} was written the {'first' if name in one else 'second'} time alone.")
        print(f"  DIFFERENT  {found[-1]}")
        if len(found) == 1 and name in one and name in other and (report := diffoscope(a / name, b / name)):
            print(report)
    equal = f"{step.stage.name}: {len(one)} files, the same bytes twice"
    if isinstance(step, PublishedStep):
        equal += ", and those published before"
        found += _against_published(step, one, json.loads((a / REPORT).read_text()))
    if not found:
        print(equal)
    return found


def _against_published(step: PublishedStep, one: Mapping[str, str], report: Mapping[str, Any]) -> list[str]:
    published = {**step.artefact.files, REPORT: one[REPORT]}
    names = [name for name in sorted(published.keys() | one.keys()) if published.get(name) != one.get(name)]
    names += [f"{name} of manifest.json" for name in report if step.artefact.about[name] != report[name]]
    return [f"The published {step.artefact.path} has other bytes in {name}." for name in names]
