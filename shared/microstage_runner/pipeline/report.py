"""What the runner tells a person: the closing table, why a stage would run again, what was proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage.errors import IntegrityError, VerificationError
from microstage.untrusted.printable import printable
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.lineage import descendants, nearest
from microstage_runner.artefacts.store import Store
from microstage_runner.declarations.stages import Parameter, Stage
from microstage_runner.pipeline.pipeline import Step

__all__ = ["METHODS", "summary", "table", "variables", "verify", "why"]

METHODS = {
    "network": "quantised network",
    "float": "float twin",
    "uncorrected": "network, uncorrected",
    "half_cycle_dft": "half-cycle DFT",
    "integer_dft": "DFT of its integers",
    "running_mean": "mean so far",
    "gated_mean": "gated mean",
    "running_dft": "DFT so far",
    "gated_dft": "gated DFT so far",
    "least_squares": "least squares H1..H7",
    "linear_regression": "linear regression",
    "ridge": "ridge regression",
    "nearest_neighbour": "1-NN",
    "constant": "constant answer",
    "interpolated_dft": "8-cycle DFT",
}


def summary(steps: Sequence[Step]) -> str:
    """Accuracy beside the textbook's, integers compared and equal per stage, seconds, a network of one's own beside its file, and
    the folder of the result."""
    beside = [line for step in steps for line in _beside(step.artefact.about["metrics"].get("compared", {}))]
    lines = [*_accuracy(steps), "", *_stages(steps), *beside, "", f"result: {steps[-1].artefact.place}"]
    return "\n".join(lines)


def _accuracy(steps: Sequence[Step]) -> list[str]:
    metrics = steps[0].artefact.about["metrics"]
    if "test.accuracy" in metrics:
        return _classes(metrics)
    rows = [(key, metrics[f"test.mae.{key}"]) for key in METHODS if f"test.mae.{key}" in metrics]
    if not rows:
        return []
    parameters = steps[0].artefact.about["parameters"]
    unit = metrics.get("test.unit", "A")
    origin = parameters["dataset"] + (
        " (built in; no recording was used)" if parameters["dataset"] == "generator" else ""
    )
    head = f"mean absolute error ({unit}), {metrics.get('test.windows', '?')} test windows of {origin}"
    errors = [
        [METHODS[key], *(f"{value:.3f}" for value in mae), _percent(metrics.get(f"test.thd_error.{key}"))]
        for key, mae in rows
    ]
    return ["", head, *table(["", "H1", "H3", "H5", "H7", "THD"], errors)]


def _classes(metrics: Mapping[str, Any]) -> list[str]:
    """Accuracy of a network whose answers are classes: overall, then class by class; always with what it was trained and tested on."""
    head = f"accuracy {100 * metrics['test.accuracy']:.2f} % of {metrics['test.examples']} test examples: {metrics['test.origin']}"
    return [
        "",
        head,
        *table(
            ["class", "accuracy"],
            [[name, f"{100 * share:.2f} %"] for name, share in metrics["test.accuracy_of"].items()],
        ),
    ]


def _percent(error: float | None) -> str:
    return "-" if error is None else f"{100 * error:.2f} %"


def _stages(steps: Sequence[Step]) -> list[str]:
    rows = []
    for step in steps:
        proofs = step.artefact.about["verification"]
        compared, equal, ties = (sum(p[k] for p in proofs) for k in ("compared", "equal", "explained_ties"))
        seconds = step.artefact.run.get("seconds")
        rows.append(
            [
                step.stage.name,
                step.about["key"][:16],
                "?" if seconds is None else f"{seconds:.1f}",
                f"{compared:,}" if proofs else "-",
                f"{equal:,}" if proofs else "-",
                f"{ties:,}" if proofs else "-",
            ]
        )
    return table(["stage", "key", "seconds", "integers compared", "equal", "explained ties"], rows)


def _beside(compared: Mapping[str, Any]) -> list[str]:
    """What differs where the untouched file runs on by itself, and to the user's own answers: floats may fall either way at a tie. What
    was not compared."""
    rows = [
        [
            f"{what} ({found['by']})" if "by" in found else what,
            name,
            *(f"{figures[key]:,}" for key in ("values", "levels_differing")),
            f"{figures['largest']:g}",
        ]
        for what, found in compared.items()
        if what != "layers"
        for name, figures in found.items()
        if name != "by"
    ]
    head = ["run on by itself, not gated", "output", "values", "half a level off", "largest difference"]
    missing = [
        f"NOT COMPARED with the file: {name}: {reason}"
        for name, reason in compared.get("layers", {}).get("uncompared", {}).items()
    ]
    return [*(["", *table(head, rows)] if rows else []), *(["", *missing] if missing else [])]


def verify(steps: Sequence[Step], store: Store) -> str:
    """Each boundary of each stage; raises when a file is not as it was published, or a stage compared nothing."""
    lines, proved, bad = [], 0, []
    for step in steps:
        try:
            step.artefact.checked()
        except IntegrityError as error:
            bad.append((step.artefact, str(error)))
            continue
        lines.append(f"{step.stage.name}: {len(step.artefact.files)} files as published")
        proofs = step.artefact.about["verification"]
        proved += len(proofs)
        lines += _proofs(step.stage.name, proofs)
    if bad:
        built_on = _built_on([artefact for artefact, _ in bad], store)
        raise IntegrityError(" ".join([*(said for _, said in bad), *built_on]))
    if not proved:
        raise VerificationError("No stage of this selection has compared an integer yet; `make streamline` does.")
    return "\n".join(lines)


def _proofs(stage: str, proofs: Sequence[Mapping[str, Any]]) -> list[str]:
    for proof in proofs:
        if proof["compared"] == 0 or proof["equal"] + proof["explained_ties"] != proof["compared"]:
            raise VerificationError(f"{stage} did not prove {proof['boundary']}.")
    rows = [[p["boundary"], f"{p['compared']:,}", f"{p['equal']:,}", f"{p['explained_ties']:,}"] for p in proofs]
    head = ["  boundary", "compared", "equal", "explained ties"]
    return table(head, [["  " + r[0], *r[1:]] for r in rows]) if rows else []


def _built_on(bad: Sequence[Artefact], store: Store) -> list[str]:
    """A sentence on every artefact of the volume that was made from one of `bad`, whenever that was."""
    found = [artefact.place for artefact in descendants(bad, store) if artefact not in bad]
    what = "Made from it, before it was changed or after, and to be removed and made again too"
    return [f"{what}: {', '.join(found)}."] if found else []


def why(steps: Sequence[Step], target: str, store: Store) -> str:
    """One line per changed component of the first key in the chain that is not published."""
    pending = next((step for step in steps if step.artefact is None), None)
    if pending is None:
        return f"{target} is done: {steps[-1].artefact.place}"
    name = pending.stage.name
    prefix = "" if name == target else f"{target} waits for {name}. "
    before = nearest(steps, store)
    if before is None:
        return f"{prefix}{name} would run: it has never been published here."
    changes = list(_changes(before.about, pending.about))
    return "\n".join([f"{prefix}{name} would run; against {before.key}, the nearest that is published:", *changes])


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    recipes = [
        {**about["recipe"]["files"], **{part: about["recipe"].get(part) for part in ("environment", "python", "libc")}}
        for about in (old, new)
    ]
    pairs = [
        ("parameter", old["parameters"], new["parameters"]),
        ("input", old["inputs"], new["inputs"]),
        ("recipe", *recipes),
    ]
    return [
        f"  {kind} {name}: {_short(before.get(name))} -> {_short(after.get(name))}"
        for kind, before, after in pairs
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _short(value: Any) -> str:
    if value is None:
        return "(none)"
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)


def variables(stages: Mapping[str, Stage]) -> str:
    """The make variables of every stage."""
    lines = []
    for stage in stages.values():
        lines.append(f"{stage.name}: {stage.summary}")
        for p in stage.parameters.values():
            lines += [_variable(own, models) for own, models in _variants(p)]
        for p in stage.instead.parameters.values() if stage.instead else ():
            lines.append(f"{_variable(p, [])} With {stage.instead.variables[0]}= alone.")
    return "\n".join(lines)


def _variants(parameter: Parameter) -> list[tuple[Parameter, list[str]]]:
    """The forms that a parameter takes, each with the models that have it so; no models for one that all share."""
    if not parameter.narrowed:
        return [(parameter, list(parameter.models or ()))]
    variants: list[tuple[Parameter, list[str]]] = []
    for model, own in parameter.narrowed.items():
        same = next((models for known, models in variants if known == own), None)
        if same is None:
            variants.append((own, [model]))
        else:
            same.append(model)
    return variants


def _variable(parameter: Parameter, models: Sequence[str]) -> str:
    only = f" (MODEL={'|'.join(models)})" if models else ""
    return f"  {parameter.variable + '=' + str(parameter.default):28} {parameter.summary} Allowed: {parameter.allowed()}{only}."


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]).rstrip()
        for row in [head, *rows]
    ]
