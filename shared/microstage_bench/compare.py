"""Who is measured on one network: every runtime that has been seen to compute it, with what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import VerificationError
from microstage_bench import onnx_ends
from microstage_bench.generated import Generated, variants_of
from microstage_bench.names import BEFORE
from microstage_bench.onnx_forms import in_floats, unsigned
from microstage_bench.outputs_agree import Agreement, Rival, Vectors, check_equal, check_layers, compare_whole
from microstage_bench.runtimes import LiteRt, OnnxRuntime, Runtime, TfLiteMicro, saturates
from microstage_bench.subject import Subject
from microstage_bench.tflite_file import closing_softmax, without_softmax
from microstage_bench.write_models import inputs_of

__all__ = ["ComparedRuntime", "earlier", "ours", "rivals", "rivals_of"]

_LAYERS_COMPARED = 8


@dataclass(frozen=True)
class ComparedRuntime:
    """A loaded runtime; `layers` (None: not looked at one by one) and `whole` say how far it agrees, `more` what else
    it computes.
    """

    runtime: Runtime
    layers: Agreement | None
    whole: Agreement
    more: str = ""


def ours(subject: Subject, scratch: Path) -> dict[str, ComparedRuntime]:
    """The C in every variant, each equal to the expected integers to the bit."""
    found = {}
    for variant in variants_of(subject.c):
        runtime = Generated(subject.c, variant, scratch)
        found[variant.name] = ComparedRuntime(
            runtime, None, check_equal(variant.name, subject.name, runtime, subject.vectors)
        )
    return found


def earlier(subject: Subject, scratch: Path) -> dict[str, ComparedRuntime]:
    """The C of an earlier version in every variant, where there is one; it may take its integers at another zero
    point.
    """
    found = {}
    for variant in variants_of(subject.baseline) if subject.baseline else ():
        runtime, name = Generated(subject.baseline, variant, scratch / "before"), f"{BEFORE}{variant.name}"
        if subject.onnx:
            runtime.inputs = [end.within(file) for end, file in zip(runtime.inputs, subject.file_inputs)]
            runtime.outputs = [end.within(subject.answer) for end in runtime.outputs]
        found[name] = ComparedRuntime(runtime, None, compare_whole(name, subject.name, runtime, subject.vectors))
    return found


def rivals_of(against: Sequence[str]) -> list[Rival]:
    """onnxruntime in every form of an ONNX file that could be its best, LiteRT and TFLite Micro on a .tflite file."""
    found = {
        "onnxruntime": [
            Rival("onnxruntime", lambda model, _: OnnxRuntime(model)),
            Rival("onnxruntime uint8", lambda model, _: OnnxRuntime(unsigned(model, saturates()) or model)),
            Rival("onnxruntime float", lambda model, _: OnnxRuntime(in_floats(model) or model)),
        ],
        "litert": [Rival("litert", lambda _, file: LiteRt(file))],
        "tflm": [Rival("tflm", lambda _, file: TfLiteMicro(file), "tflite", 0)],
    }
    return [rival for name in against for rival in found[name]]


def rivals(subject: Subject, against: Sequence[str]) -> dict[str, ComparedRuntime]:
    """Loaded and compared, by name; `VerificationError` for one that computes another network. One that cannot run the
    file is said and left out.
    """
    found = {}
    if subject.tflite is None and (missing := [name for name in against if name != "onnxruntime"]):
        print(f"{' and '.join(missing)}: no .tflite file of {subject.name}")
    for rival in rivals_of(against):
        file = subject.onnx if rival.name.startswith("onnxruntime") else subject.tflite
        form = _FORMS.get(rival.name)
        if file is None or form and form(subject.model) is None:
            continue
        try:
            found[rival.name] = _compared(rival, subject)
        except (RuntimeError, ValueError, *_refusals()) as error:
            print(f"{rival.name} cannot run {file.name}: {' '.join(str(error).split())[:200]}", flush=True)
    return found


def _compared(rival: Rival, subject: Subject) -> ComparedRuntime:
    drawn = subject.network
    layers = check_layers(rival, drawn, inputs_of(drawn, _LAYERS_COMPARED, seed=1)) if drawn else None
    model, tflite = subject.model, subject.tflite and subject.tflite.read_bytes()
    runtime, cut, more = rival.load(model, tflite), None, ""
    if rival.name.startswith("onnxruntime"):
        before = onnx_ends.with_output(subject.inferred, subject.answer.name)
        behind = onnx_ends.behind(model, subject.answer.name) if before is not None else []
        cut, more = (
            (before, f"its time includes {' and '.join(behind)} of {subject.answer.size}") if behind else (None, "")
        )
    elif size := closing_softmax(tflite) if subject.ends_inside else 0:
        cut, more = without_softmax(tflite), f"its time includes a softmax of {size}"
    looked_at = runtime if cut is None else rival.load(cut, cut)
    whole = compare_whole(rival.name, subject.name, looked_at, _as_rounded(subject, rival))
    if whole.different and subject.rounding == rival.rounding:
        raise VerificationError(
            f"The C of {subject.name} rounds as {rival.rounding} does, and {rival.name} says that {whole}."
        )
    return ComparedRuntime(runtime, layers, whole, more)


def _as_rounded(subject: Subject, rival: Rival) -> Vectors:
    """What TFLite Micro has to answer of a drawn network is known to the bit; else our integers."""
    return subject.vectors if subject.network is None else subject.drawn_vectors(rival.rounding)


_FORMS = {"onnxruntime uint8": unsigned, "onnxruntime float": in_floats}


def _refusals() -> tuple[type[Exception], ...]:
    """What onnxruntime raises for a file that it does not know."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidGraph,
        state.NotImplemented,
        state.InvalidArgument,
        state.RuntimeException,
        state.InvalidProtobuf,
    )
