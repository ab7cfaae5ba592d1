"""Who is measured on one network: every runtime that has been seen to compute it, with what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from microstage.errors import VerificationError
from microstage_bench.generated import Generated, variants_of
from microstage_bench.interpreted import Interpreted, network_file_of
from microstage_bench.names import BEFORE
from microstage_bench.network import DrawnNetwork
from microstage_bench.onnx_forms import in_floats, unsigned
from microstage_bench.onnx_model import write_onnx
from microstage_bench.outputs_agree import Agreement, Content, Rival, check_equal, check_layers, compare_whole
from microstage_bench.runtimes import LiteRt, OnnxRuntime, Runtime, TfLiteMicro, saturates
from microstage_bench.subject import Subject
from microstage_bench.tflite_model import write_tflite
from microstage_bench.write_models import inputs_of

__all__ = ["ComparedC", "ComparedRuntime", "earlier", "interpreted", "ours", "rivals", "rivals_of"]

_LAYERS_COMPARED = 8


_ONNX_RIVALS = (
    Rival("onnxruntime", write_onnx, OnnxRuntime),
    Rival("onnxruntime uint8", write_onnx, lambda model: OnnxRuntime(unsigned(model, saturates()) or model)),
    Rival("onnxruntime float", write_onnx, lambda model: OnnxRuntime(in_floats(model) or model)),
)
"onnxruntime in every form of an ONNX file that could be its best."
_FORMS = {"onnxruntime uint8": unsigned, "onnxruntime float": in_floats}
_TFLITE_RIVALS = {
    "litert": Rival("litert", write_tflite, LiteRt),
    "tflm": Rival("tflm", write_tflite, TfLiteMicro, "tflite", 0),
}


@dataclass(frozen=True)
class ComparedRuntime:
    """A loaded runtime; `layers` (None: not looked at one by one) and `whole` say how far it agrees, `more` what else
    it computes.
    """

    runtime: Runtime
    layers: Agreement | None
    whole: Agreement
    more: str = ""


@dataclass(frozen=True)
class ComparedC(ComparedRuntime):
    """The C of this version, which has been seen to be equal."""

    runtime: Generated


def ours(subject: Subject, scratch: Path) -> dict[str, ComparedC]:
    """Return the C in every variant, each equal to the expected integers to the bit."""
    found = {}
    for variant in variants_of(subject.c):
        runtime = Generated(subject.c, variant, scratch)
        agreement = check_equal(variant.name, subject.name, runtime, subject.vectors)
        found[variant.name] = ComparedC(runtime, None, agreement)
    return found


def interpreted(subject: Subject, own: Mapping[str, ComparedC], scratch: Path) -> dict[str, ComparedRuntime]:
    """Return the interpreter on the network file beside the C, equal to the same integers; nothing where there is no
    such file, or where the C answers in real numbers.
    """
    file, written = network_file_of(subject.c), next(iter(own.values())).runtime
    if file is None or "answer" in subject.interface:
        return {}
    runtime = Interpreted(file, written, scratch)
    return {
        "interpreter": ComparedRuntime(
            runtime, None, check_equal("interpreter", subject.name, runtime, subject.vectors)
        )
    }


def earlier(subject: Subject, scratch: Path) -> dict[str, ComparedRuntime]:
    """Return the C of an earlier version in every variant, where there is one; it may take its integers at another
    zero point.
    """
    found: dict[str, ComparedRuntime] = {}
    if subject.baseline is None:
        return found
    for variant in variants_of(subject.baseline):
        runtime, name = Generated(subject.baseline, variant, scratch / "before"), f"{BEFORE}{variant.name}"
        if subject.onnx:
            runtime.inputs = [end.within(file) for end, file in zip(runtime.inputs, subject.file.inputs)]
            runtime.outputs = [end.within(subject.answer) for end in runtime.outputs]
        found[name] = ComparedRuntime(runtime, None, compare_whole(name, subject.name, runtime, subject.vectors))
    return found


def rivals_of(against: Sequence[str]) -> list[Rival[onnx.ModelProto] | Rival[bytes]]:
    """Return onnxruntime in all its forms, LiteRT and TFLite Micro, as far as they are named."""
    found: list[Rival[onnx.ModelProto] | Rival[bytes]] = []
    for name in against:
        found += _ONNX_RIVALS if name == "onnxruntime" else [_TFLITE_RIVALS[name]]
    return found


def rivals(subject: Subject, against: Sequence[str]) -> dict[str, ComparedRuntime]:
    """Return the runtimes `against` which the C is measured, loaded and compared, by name.

    `VerificationError` for one that computes another network. One that cannot run the file is said and left out.
    """
    found: dict[str, ComparedRuntime] = {}
    onnx_file, tflite_file = subject.onnx_file, subject.tflite_file
    if tflite_file is None and (missing := [name for name in against if name != "onnxruntime"]):
        print(f"{' and '.join(missing)}: no .tflite file of {subject.name}")
    for name in against:
        if name == "onnxruntime" and onnx_file:
            cut = onnx_file.up_to(subject.answer)
            having = [rival for rival in _ONNX_RIVALS if _has_form(rival.name, onnx_file.content)]
            found |= _compared(having, subject, onnx_file.path, onnx_file.content, *cut)
        elif name != "onnxruntime" and tflite_file:
            cut_flat = tflite_file.up_to(subject.answer) if subject.ends_inside else (None, "")
            found |= _compared([_TFLITE_RIVALS[name]], subject, tflite_file.path, tflite_file.content, *cut_flat)
    return found


def _has_form(name: str, model: onnx.ModelProto) -> bool:
    """Return whether a form of onnxruntime is one that the network has."""
    return name not in _FORMS or _FORMS[name](model) is not None


def _compared(
    rivals: Sequence[Rival[Content]], subject: Subject, path: Path, content: Content, cut: Content | None, behind: str
) -> dict[str, ComparedRuntime]:
    """Return those of `rivals` that run the file, by name; `cut` is the network as far as the C goes, if that is less
    than the file, which goes on with what `behind` says.
    """
    found = {}
    for rival in rivals:
        try:
            runtime = rival.load(content)
            whole = _whole(rival, subject, runtime if cut is None else rival.load(cut))
            more = f"its time includes {behind}" if cut is not None else ""
            found[rival.name] = ComparedRuntime(runtime, _layers(rival, subject.network), whole, more)
        except _refusals() as error:
            print(f"{rival.name} cannot run {path.name}: {' '.join(str(error).split())[:200]}", flush=True)
    return found


def _layers(rival: Rival[Content], drawn: DrawnNetwork | None) -> Agreement | None:
    """Return how far the layers of a drawn network agree one by one."""
    return check_layers(rival, drawn, inputs_of(drawn, _LAYERS_COMPARED, seed=1)) if drawn else None


def _whole(rival: Rival[Content], subject: Subject, runtime: Runtime) -> Agreement:
    """Return how far the whole network agrees, with what its C has to answer in the rounding of `rival`."""
    whole = compare_whole(rival.name, subject.name, runtime, subject.rounded_vectors(rival.rounding))
    if whole.different and subject.rounding == rival.rounding:
        raise VerificationError(
            f"The C of {subject.name} rounds as {rival.rounding} does, and {rival.name} says that {whole}."
        )
    return whole


def _refusals() -> tuple[type[Exception], ...]:
    """Return what runtimes raise for a file that they cannot run."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        RuntimeError,
        ValueError,
        state.Fail,
        state.InvalidGraph,
        state.NotImplemented,
        state.InvalidArgument,
        state.RuntimeException,
        state.InvalidProtobuf,
    )
