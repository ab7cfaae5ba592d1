"""What the network answers: a waveform and its spectrum, a confusion matrix, or the scores of its classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair

from microstage_report.page.digits import is_number, number, rounded
from microstage_report.page.figures import SERIES, Figure, chart, figure, series
from microstage_report.page.tables import TableColumn, table

__all__ = ["confusion", "scores", "signal"]

_LINES = {"waveform": "waveform", "reconstruction": "from the integers", "float": "from the floats"}
_TABLE_ROWS = 100  # of a waveform
_FULL_MATRIX, _LABELLED = 30, 12  # classes
_SAMPLES, _SHOWN_CLASSES = 12, 20
_SHADE = altair.Opacity("share:Q", legend=None).scale(domain=[0, 1], range=[0.04, 0.5])


def signal(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the waveform beside what the answer makes of it, and the harmonics, answered and in error."""
    found, unit = facts["signal"], facts["signal"].get("unit") or ""
    figures = [_waveform(found, unit)] if found.get("seconds") else []
    if found.get("spectrum"):
        figures += [_spectrum(found["spectrum"], unit), _errors(found["spectrum"], unit)]
    return {"figures": figures}


def _waveform(found: Mapping[str, Any], unit: str) -> Figure:
    names = {key: name for key, name in _LINES.items() if found.get(key)}
    rows = [
        {"seconds": rounded(second), "value": rounded(value), "series": name}
        for key, name in names.items()
        for second, value in zip(found["seconds"], found[key])
    ]
    picture = (
        chart(rows, 300)
        .mark_line(strokeWidth=2)
        .encode(
            altair.X("seconds:Q", title="seconds", scale=altair.Scale(nice=False)),
            altair.Y("value:Q", title=unit),
            **series([*names.values()]),
        )
    )
    columns = [
        TableColumn("seconds", "seconds"),
        *(TableColumn(key, f"{name} / {unit}") for key, name in names.items()),
    ]
    step = -(-len(found["seconds"]) // _TABLE_ROWS)
    wide = [dict(zip(("seconds", *names), row)) for row in zip(found["seconds"], *(found[key] for key in names))]
    caption = "The waveform" if step == 1 else f"The waveform, one of {step} points"
    summary = f"{', '.join(names.values())}, over {number(max(found['seconds']))} seconds, in {unit}."
    return figure("Waveform and reconstruction", summary, picture, table(caption, columns, wide[::step]))


def _harmonic(rows: list[dict[str, Any]]) -> altair.Chart:
    return chart(rows, 220).encode(altair.X("harmonic:O", title="harmonic", axis=altair.Axis(labelAngle=0)))


def _spectrum(spectrum: Sequence[Mapping[str, Any]], unit: str) -> Figure:
    rows = [
        {"harmonic": row["harmonic"], "value": rounded(row.get(kind)), "series": kind}
        for row in spectrum
        for kind in ("expected", "answered")
    ]
    picture = (
        _harmonic(rows)
        .mark_bar(stroke="var(--ink)", strokeWidth=0.5)
        .encode(
            altair.Y("value:Q", title=unit),
            altair.XOffset("series:N", sort=None),
            **series(["expected", "answered"], "bar"),
        )
    )
    return figure("Harmonics", f"Expected and answered, per harmonic, in {unit}.", picture, _harmonics(spectrum, unit))


def _errors(spectrum: Sequence[Mapping[str, Any]], unit: str) -> Figure:
    rows = [{"harmonic": row["harmonic"], "value": rounded(row.get("error"))} for row in spectrum]
    picture = _harmonic(rows).mark_bar(color=SERIES[2]).encode(altair.Y("value:Q", title=f"error / {unit}"))
    worst = max(spectrum, key=lambda row: abs(row.get("error") or 0))
    summary = f"The largest, {number(worst.get('error'))} {unit}, is of harmonic {worst['harmonic']}."
    return figure("Error spectrum", summary, picture, _harmonics(spectrum, unit))


def _harmonics(spectrum: Sequence[Mapping[str, Any]], unit: str):
    columns = [
        TableColumn("harmonic", "harmonic"),
        *(TableColumn(k, f"{k} / {unit}") for k in ("expected", "answered", "error")),
    ]
    return table("Harmonics", columns, spectrum)


def confusion(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the matrix as a picture and a table; of very many classes, what was confused most often alone."""
    classes = [str(name) for name in facts["confusion"]["classes"]]
    counts = facts["confusion"]["counts"]
    totals = [sum(row) or 1 for row in counts]
    cells = [
        {"true": classes[i], "answered": classes[j], "count": count, "share": rounded(count / totals[i])}
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
    ]
    right = sum(counts[i][i] for i in range(len(counts)))
    told = f"{number(right)} of {number(sum(map(sum, counts)))} examples lie on the diagonal."
    if len(classes) > _FULL_MATRIX:
        wrong = sorted((c for c in cells if c["true"] != c["answered"] and c["count"]), key=lambda c: -c["count"])
        columns = [
            TableColumn("true", "class"),
            TableColumn("answered", "answered"),
            TableColumn("count", "times", bars=True),
        ]
        return {"told": told, "tables": [table("What was confused most often", columns, wrong[:50])]}
    return {"told": told, "figures": [_matrix(classes, counts, cells, told)]}


def _matrix(classes: Sequence[str], counts: Sequence[Sequence[int]], cells: list[dict[str, Any]], told: str) -> Figure:
    base = chart(cells, 28 * len(classes)).encode(
        altair.X("answered:N", sort=classes, title="answered", axis=altair.Axis(labelAngle=-45, labelLimit=110)),
        altair.Y("true:N", sort=classes, title="class", axis=altair.Axis(labelLimit=110)),
    )
    picture: altair.TopLevelMixin = base.mark_rect(fill=SERIES[0], stroke="var(--card)").encode(_SHADE)
    if len(classes) <= _LABELLED:
        picture = picture + base.mark_text(color="var(--ink)", fontSize=11).encode(altair.Text("count:Q", format=","))
    columns = [
        TableColumn("class", "class \\ answered"),
        *(TableColumn(str(i), name) for i, name in enumerate(classes)),
    ]
    rows = [{"class": classes[i], **{str(j): n for j, n in enumerate(row)}} for i, row in enumerate(counts)]
    return figure(
        "Integer answers to the test examples",
        f"{told} Each row is shaded by its shares.",
        picture,
        table("Counts", columns, rows),
    )


def scores(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores of some samples, shaded from the lowest to the highest of each; the answer is marked."""
    classes, rows = [str(name) for name in facts["scores"]["classes"]], facts["scores"]["rows"]
    shown = _most_telling(rows[:_SAMPLES], len(classes))
    cells = [cell for row in rows[:_SAMPLES] for cell in _scored(row, classes, shown)]
    names = [classes[i] for i in shown]
    base = chart(cells, 28 * len(rows[:_SAMPLES])).encode(
        altair.X("class:N", sort=names, title="class", axis=altair.Axis(labelAngle=-45, labelLimit=110)),
        altair.Y("sample:N", sort=None, title="sample", axis=altair.Axis(labelLimit=140)),
    )
    picture = base.mark_rect(fill=SERIES[0], stroke="var(--card)").encode(_SHADE)
    picture += base.mark_text(color="var(--ink)", fontSize=11).encode(altair.Text("mark:N"))
    columns = [
        TableColumn("sample", "sample"),
        TableColumn("expected", "expected"),
        *(TableColumn(str(i), classes[i]) for i in shown),
    ]
    listed = [{**row, **{str(i): row["scores"][i] for i in shown}} for row in rows]
    summary = "A row is a sample; ● is what the network answers, ○ what was expected where it differs."
    return {"figures": [figure("Scores of some samples", summary, picture, table("Scores", columns, listed))]}


def _most_telling(rows: Sequence[Mapping[str, Any]], classes: int) -> list[int]:
    """Return the classes to show: all, or where they are many, those that score highest in some sample."""
    if classes <= _SHOWN_CLASSES:
        return [*range(classes)]
    ranked = [sorted(range(classes), key=lambda i: -(row["scores"][i] or 0)) for row in rows]
    best = dict.fromkeys(of[place] for place in range(5) for of in ranked)
    return sorted([*best][:_SHOWN_CLASSES])


def _scored(row: Mapping[str, Any], classes: Sequence[str], shown: Sequence[int]) -> list[dict[str, Any]]:
    scores = [score if is_number(score) else 0 for score in row["scores"]]
    low, high = min(scores), max(scores)
    expected = str(row.get("expected", ""))
    name = f"{row.get('sample', '')} {expected}".strip()
    marks = {classes.index(expected): "○"} if expected in classes else {}
    marks[scores.index(high)] = "●"
    return [
        {
            "sample": name,
            "class": classes[i],
            "share": rounded((scores[i] - low) / ((high - low) or 1)),
            "mark": marks.get(i, ""),
        }
        for i in shown
    ]
