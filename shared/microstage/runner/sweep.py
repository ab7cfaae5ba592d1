"""`make sweep NAME=a,b,c ...`: every combination of the listed values, one after another, and one table of what came of each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence

from microstage.errors import MicrostageError, ParameterError
from microstage.runner.chain import Step
from microstage.runner.report import table

__all__ = ["combinations", "sweep"]

_HARNESS = ("DATA_DIR", "VOLUMES", "STAGE")


def combinations(typed: Mapping[str, str]) -> tuple[list[str], list[dict[str, str]]]:
    """(names that vary, what is typed for each run); `ParameterError` when nothing varies."""
    listed = {name: value.split(",") for name, value in sorted(typed.items()) if "," in value and name not in _HARNESS}
    if not listed:
        raise ParameterError("make sweep needs a list, such as CYCLES=0.25,0.5,1.")
    runs = [{**typed, **dict(zip(listed, values))} for values in itertools.product(*listed.values())]
    return list(listed), runs


def sweep(typed: Mapping[str, str], run: Callable[[dict[str, str]], Sequence[Step]]) -> int:
    """`run` each combination up to its stage; a run that fails is named in its row and the others go on. 1 if any failed."""
    varied, runs = combinations(typed)
    rows, failed = [], 0
    for index, chosen in enumerate(runs, 1):
        values = [chosen[name] for name in varied]
        print(f"sweep: {index} of {len(runs)}: {' '.join(f'{n}={v}' for n, v in zip(varied, values))}", flush=True)
        try:
            rows.append([*values, *_row(run(chosen))])
        except MicrostageError as error:
            print(f"microstage: {error}", flush=True)
            rows.append([*values, "failed", *[""] * (len(_COLUMNS) - 1)])
            failed += 1
    print("\n" + "\n".join(table([*varied, *_COLUMNS], rows)))
    return 1 if failed else 0


_HARDWARE = ("weights", "MAC", "slowest layer", "LUT", "BRAM", "DSP")
_COLUMNS = ("H1", "H3", "H5", "H7", "THD", "integers compared", "differing", "explained ties", *_HARDWARE)


def _row(steps: Sequence[Step]) -> list[str]:
    metrics = steps[0].artefact.about["metrics"]
    proofs = [proof for step in steps for proof in step.artefact.about["verification"]]
    compared, equal, ties = (sum(proof[k] for proof in proofs) for k in ("compared", "equal", "explained_ties"))
    thd = f"{100 * metrics['test.thd_error.network']:.2f} %"
    return [*(f"{error:.3f}" for error in metrics["test.mae.network"]), thd, f"{compared:,}", f"{compared - equal - ties:,}", f"{ties:,}",
            *_size(steps[0]), *_hardware(steps)]


def _size(trained: Step) -> list[str]:
    described = json.loads((trained.artefact.folder / "model_def.json").read_text())
    return [f"{described[name]:,}" for name in ("weights", "multiply_accumulates")]


def _hardware(steps: Sequence[Step]) -> list[str]:
    """FINN's estimates: cycles of the slowest layer of any part; LUT, BRAM and DSP of all parts together."""
    for step in steps:
        file = step.artefact.folder / "estimates.json"
        if file.exists():
            parts = json.loads(file.read_text())["parts"].values()
            slowest = max(part["slowest_layer_cycles"] for part in parts)
            return [f"{slowest:,}", *(f"{round(sum(part['resources'][kind] for part in parts)):,}" for kind in ("LUT", "BRAM_18K", "DSP"))]
    return ["-"] * len(_HARDWARE[2:])
