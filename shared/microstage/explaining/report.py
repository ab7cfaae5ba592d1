"""What was explained, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage.process.text_table import table

__all__ = ["said"]

_HEAD = ("layer", "by itself, dB", "so far, dB", "sample {index}: adds", "share")

_SHOWN = 5e-4  # of the error, for what is of no layer

Found = Mapping[str, Any]


def said(found: Found) -> str:
    """Return the sentences and the table of `explain.json`."""
    sample = found["sample"]
    head = [column.format(index=sample["index"]) for column in _HEAD]
    lines = [
        f"floats: {found['floats']}",
        f"integers: {found['integers']}",
        f"samples: {_samples(found)}",
        "",
        *table(head, _rows(found)),
        "",
        _over_samples(found),
        *_of_the_sample(sample),
    ]
    return "\n".join(lines)


def _samples(found: Found) -> str:
    seen, count = found["seen"], found["count"]
    return f"{seen if seen == count else f'{seen} of {count}'}, {found['samples']}"


def _rows(found: Found) -> list[list[str]]:
    sample = found["sample"]
    rows = [
        [layer["layer"], _decibels(layer["by_itself_db"]), _decibels(layer["so_far_db"]), *_adds(added)]
        for layer, added in zip(found["layers"], sample["layers"])
    ]
    outside = abs(sample["rest"]["share"]) > _SHOWN
    rest = [["(outside of the layers)", "", "", *_adds(sample["rest"])]] if outside else []
    total = ["answer", "", _decibels(found["answer"]["so_far_db"]), f"{sample['error']:.3g}", ""]
    return [*rows, *rest, total]


def _adds(part: Found) -> list[str]:
    return [f"{part['size']:.3g}", f"{part['share']:.1%}"]


def _decibels(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f}"


def _over_samples(found: Found) -> str:
    noisiest = found["noisiest"]
    if noisiest is None:
        return "over all samples: no layer adds noise of its own"
    same = found["answer"].get("same_class")
    agree = f"; the same class in {same:.1%} of them" if same is not None else ""
    return f"over all samples: {noisiest} adds most noise of its own{agree}"


def _of_the_sample(sample: Found) -> list[str]:
    index, largest = sample["index"], sample["largest"]
    lines = [f"sample {index} ({sample['chosen']}):"]
    lines += [f"  in {which}: {_answer(sample[which])}" for which in ("floats", "integers")]
    if largest is None:
        return [*lines, "  floats and integers answer the same"]
    share = next(layer["share"] for layer in sample["layers"] if layer["layer"] == largest)
    error = f"  error {sample['error']:.3g}, relative L2 {sample['relative']:.3g}"
    return [*lines, f"{error}; most of it comes from {largest}, {share:.1%}"]


def _answer(answer: Found) -> str:
    if "largest" in answer:
        places = ", ".join(f"{name} {value:.4g}" for name, value in answer["largest"])
        return f"{places}; margin {answer['margin']:.3g}"
    values, more = answer["first"], answer["of"] - len(answer["first"])
    return ", ".join(f"{value:.4g}" for value in values) + (f", and {more} more" if more else "")
