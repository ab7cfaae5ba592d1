"""What was proven, in one sentence, and stage by stage."""

from __future__ import annotations

from typing import Any

from microstage_report.facts.run import Published, PublishedRun

__all__ = ["proofs", "verdict"]

Facts = dict[str, Any]


def verdict(run: PublishedRun) -> Facts:
    """Say how much of the network is proven; name what of it stayed real, and what was not compared."""
    found = [_counts(step) for step in run.steps]
    compared, equal, ties = (sum(counts[name] for counts in found) for name in ("compared", "equal", "ties"))
    boundaries = sum(bool(counts["compared"]) for counts in found)
    real = _left_real(run)
    state = "differs" if compared != equal + ties else "proven with ties" if ties else "proven"
    return {"state": "partly real" if real and state != "differs" else state, "sentence": _sentence(
        compared, equal, ties, boundaries
    ), "notes": [*real, *_uncompared(run)]}  # fmt: skip


def _sentence(compared: int, equal: int, ties: int, boundaries: int) -> str:
    where = f"over {boundaries} {'stage' if boundaries == 1 else 'stages'}"
    if not compared:
        return "Nothing is proven yet: the network is trained, and no stage has compared its integers."
    if compared == equal:
        return f"All {compared:,} integers equal {where}."
    said = f"{equal:,} of {compared:,} integers equal {where}"
    if compared == equal + ties:
        return f"{said}; the other {ties:,} are explained ties, where a float falls between two integers."
    return f"{said}; {compared - equal - ties:,} differ."


def proofs(run: PublishedRun) -> list[Facts]:
    """Return a row per stage that compared something: the chain from the first to the last."""
    rows, before = [], f"{run.called} (your file)" if run.called else ""
    for step in run.steps:
        counts = _counts(step)
        if before or counts["compared"]:
            rows.append({"from": before, "to": step.stage, "stage": step.stage, **counts, **_cost(run, step)})
        before = step.stage
    return rows


def _counts(step: Published) -> dict[str, int]:
    proven = step.about["verification"]
    names = {"compared": "compared", "equal": "equal", "ties": "explained_ties"}
    return {name: sum(entry[key] for entry in proven) for name, key in names.items()}


def _cost(run: PublishedRun, step: Published) -> Facts:
    known = {"seconds": step.ran.get("seconds"), "vectors": _vectors(step)}
    return {name: value for name, value in known.items() if value is not None}


def _vectors(step: Published) -> int | None:
    metrics = step.about["metrics"]
    return next((metrics[name] for name in ("golden_vectors", "golden.windows") if name in metrics), None)


def _left_real(run: PublishedRun) -> list[str]:
    """Name every place of a user's file that could not be made integer."""
    step = run.stage("streamline")
    places = step.json("unresolved.json").get("unresolved", []) if step else []
    return [f"{place['operator']} -> {place['tensor']} stayed real: {place['reason']}" for place in places]


def _uncompared(run: PublishedRun) -> list[str]:
    layers = run.metrics.get("compared", {}).get("layers", {})
    return [
        *(f"Not compared with the file: {name}: {reason}" for name, reason in layers.get("uncompared", {}).items()),
        *(f"Compared on fewer inputs: {name}: {said}" for name, said in layers.get("cut_short", {}).items()),
    ]
