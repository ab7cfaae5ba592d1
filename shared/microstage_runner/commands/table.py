"""Every command but those that make a stage: its module, the variables that it uses, and the last stage that it
reaches.

`cli.run_command` loads the module `microstage_runner.commands.<module>` when the command is asked for, and calls its
`command`: with a `Session` where the command is about one selected run, else with what was typed and the checkout.
"""

from __future__ import annotations

from dataclasses import dataclass

from microstage_runner.declarations.stages import CODE, INTEGERS, REFERENCE, TRAINING

__all__ = ["COMMANDS", "Command", "used_by_stages"]


@dataclass(frozen=True)
class Command:
    """One command.

    `uses` are the settings that it uses, beside those that say what the machine is like.
    `takes` says what its module is called with: SESSION of one selected run, or WORDS as they were typed.
    `about` says which variables may stand on its line: those of a RUN, of the MACHINE alone, or not even its folder of
    artefacts (CHECKOUT).
    `last` is the role of the last stage that it reaches where no STAGE= was typed; "" is the last of all stages.
    `in_checkout` is of those that use or write what no wheel has: tests, and the sources themselves.
    """

    module: str
    uses: tuple[str, ...] = ()
    takes: str = "session"
    about: str = "run"
    last: str = ""
    in_checkout: bool = False


SESSION, WORDS = "session", "words"
RUN, MACHINE, CHECKOUT = "run", "machine", "checkout"

_WHERE = ("HOST", "STAGES_ON")
_RUN = (*_WHERE, "CALIBRATION", "DATA_DIR", "ONNX", "GOLDEN", "RUN")
"What chooses a run, beside the parameters of the stages, and where it is."
_KEYS = ("PUBLIC_KEY", "SIGNING_KEY")
"Whose signature counts; the second signs as well."
_MADE = (*_RUN, *_KEYS, "REGISTRY")
"The same of commands that make what is missing."
_FOLDS = (*_WHERE, *_KEYS, "DATA_DIR", "REGISTRY")
_ESTIMATE = (*_WHERE, "DATA_DIR", "FILE", "ONNX", "PUBLIC_KEY", "RUN")
_CHAOS = ("JOBS", "NETWORKS", "ONLY", "SEED", "TRIES")
_TABLE = (*_FOLDS, "AGAINST", "CC", "ENGINE", "JOBS", "PROFILE", "ROUNDS", "TABLE")
_EXCHANGE = (*_RUN, "PUBLIC_KEY", "REGISTRY", "STAGE")

used_by_stages = (*_MADE, "FORCE")
"What every stage uses that is asked for, and a training that goes on."

COMMANDS = {
    # Looking
    "path": Command("path", (*_RUN, "STAGE")),
    "why": Command("why", (*_RUN, "STAGE")),
    "runs": Command("runs", about=MACHINE),
    "resume": Command("resume", used_by_stages, last=TRAINING),
    "verify": Command("verify", (*_RUN, *_KEYS, "STAGE")),
    "sign": Command("sign", (*_RUN, "SIGNING_KEY", "STAGE")),
    "report": Command("report", (*_RUN, "OPEN", "STAGE")),
    "accuracy": Command("accuracy", (*_FOLDS, "NOMINAL"), last=TRAINING),
    "sweep": Command("sweep", (*_MADE, "ENGINE", "JOBS", "PROFILE", "STAGE"), takes=WORDS, last=INTEGERS),
    "explain": Command("explain", (*_MADE, "SAMPLE"), last=INTEGERS),
    "estimate-file": Command("estimate_file", _ESTIMATE, takes=WORDS, last=REFERENCE),
    "ready": Command("ready", _FOLDS, last=REFERENCE, in_checkout=True),
    "compare": Command("compare", (*_MADE, "RUNS")),
    "binfiles": Command("binfiles", (*_MADE, "ENCODING"), last=INTEGERS),
    "variables": Command("variables", ("MODEL",), about=MACHINE),
    "python": Command("python", ("STAGE", "SCRIPT", "ARGS"), about=MACHINE),
    "doctor": Command("doctor", about=MACHINE),
    "sbom": Command("sbom", ("STAGE", *_WHERE), about=MACHINE),
    # Making ready
    "images": Command("images", ("STAGE",), about=MACHINE),
    "base": Command("base", about=MACHINE),
    "environments": Command("environments", ("STAGE",), about=MACHINE),
    "data": Command("data", ("DATASET",), takes=WORDS, about=MACHINE),
    "vendor": Command("vendor", about=MACHINE),
    "interpreter": Command("interpreter", ("CC",), about=MACHINE),
    # Another machine
    "pack": Command("pack", (*_MADE, "STAGE", "BUNDLE", "IMAGE")),
    "unpack": Command("unpack", ("BUNDLE", "TRUST", *_KEYS), about=MACHINE),
    "push": Command("push", _EXCHANGE),
    "pull": Command("pull", _EXCHANGE),
    # Checking
    "test": Command("test", ("TESTS",), takes=WORDS, about=CHECKOUT, in_checkout=True),
    "lint": Command("lint", ("FIX", "ONLY"), takes=WORDS, about=CHECKOUT, in_checkout=True),
    "docs": Command("docs", ("OPEN",), takes=WORDS, about=CHECKOUT, in_checkout=True),
    "docs-check": Command("docs_check", ("ONLY",), takes=WORDS, about=CHECKOUT, in_checkout=True),
    "reproduce": Command("reproduce", (*_MADE, "STAGE")),
    "bench": Command("bench", (*_MADE, "AGAINST", "BASELINE", "CC", "ROUNDS", "TFLITE"), takes=WORDS, in_checkout=True),
    "prove": Command("prove", (*_MADE, "DEPTH", "RANDOM", "SECONDS", "VECTORS"), takes=WORDS, in_checkout=True),
    "fuzz": Command("fuzz", ("SECONDS", "SEED", "TARGET"), takes=WORDS, about=CHECKOUT, in_checkout=True),
    "simulate": Command("simulate", (*_MADE, "FINN_HLSLIB"), last=INTEGERS, in_checkout=True),
    "footprint": Command("footprint", (*_MADE, "AGAINST", "MACHINE", "TFLITE"), takes=WORDS, in_checkout=True),
    "chaos": Command("chaos", _CHAOS, takes=WORDS, about=MACHINE, in_checkout=True),
    "package-check": Command("package_check", _MADE, last=CODE, in_checkout=True),
    "reproduce-table": Command("reproduce_table", _TABLE, takes=WORDS, last=INTEGERS, in_checkout=True),
    "slurm-test": Command("slurm_test", takes=WORDS, about=CHECKOUT, in_checkout=True),
    "quantisers": Command("quantisers", (*_MADE, "NETWORKS"), takes=WORDS, last=TRAINING),
    "bench-noop": Command("bench_noop", used_by_stages, takes=WORDS, in_checkout=True),
    "bench-setup": Command("bench_setup", takes=WORDS, about=CHECKOUT, in_checkout=True),
    "bench-kernels": Command("bench_kernels", takes=WORDS, about=CHECKOUT, in_checkout=True),
    "bench-lstm": Command("bench_lstm", takes=WORDS, about=CHECKOUT, in_checkout=True),
    "bench-bnn": Command("bench_bnn", takes=WORDS, about=CHECKOUT, in_checkout=True),
}
