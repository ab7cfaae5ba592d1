"""`python3 -m microstage_runner COMMAND NAME=VALUE ...`: what the Makefile calls, one process per command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from microstage.datasets.locations import DOWNLOADED
from microstage.errors import ArtefactError, ParameterError
from microstage_runner.artefacts.store import Store
from microstage_runner.commands import accuracy as pooled_accuracy
from microstage_runner.commands import accuracy_tables
from microstage_runner.commands.estimate_file import estimate_file
from microstage_runner.commands.sweep import sweep
from microstage_runner.declarations.model_parameters import trained_on
from microstage_runner.declarations.selection import SETTINGS, select
from microstage_runner.declarations.stages import load_stages
from microstage_runner.declarations.used import assert_parameters_used, assert_settings_used
from microstage_runner.declarations.user_files import OwnFiles, entered
from microstage_runner.declarations.user_module import OwnModel, is_path
from microstage_runner.engines import backend, memory
from microstage_runner.pipeline import report, runs
from microstage_runner.pipeline.pipeline import Chain
from microstage_runner.process import process
from microstage_runner.registry import chosen_registry
from microstage_runner.signing import Keys

__all__ = ["REPOSITORY", "Session", "main", "run_command", "split_words"]

REPOSITORY = Path(__file__).resolve().parents[2]


class Session:
    """What the user typed, resolved; RUN= stands for the variables that its run was made with."""

    def __init__(self, repository: Path, typed: dict[str, str]) -> None:
        self.repository = repository
        self.volumes = Path(typed.get("VOLUMES") or repository / "volumes").resolve()
        self.store = Store(self.volumes, Keys.chosen(self.volumes, typed))
        chosen_registry.choose(typed.get("REGISTRY"))
        memory.choose(typed.get("MEMORY"))
        stages = load_stages(repository)
        self.again = runs.find(self.store, runs.trained(stages), typed["RUN"]) if "RUN" in typed else None
        self.typed = typed = {**(runs.variables_of(self.again) if self.again else {}), **typed}
        self.model = OwnModel.read(typed["MODEL"]) if is_path(typed.get("MODEL", "")) else None
        if self.model:
            stages, typed = load_stages(repository, self.model), {**typed, "MODEL": self.model.name}
        self.stages = entered(stages, typed)
        self.parameters = select(self.stages, typed)

    def chain(self, loud: bool = False) -> Chain:
        """The chain on the chosen backend; `loud` says which it took."""
        asked = [
            self.typed.get(name, default) for name, default in (("RUNNER", "auto"), ("HOST", ""), ("STAGES_ON", ""))
        ]
        chosen, why = backend.choose(asked[0], self.repository, self.volumes, *asked[1:])
        if loud and self.typed.get("RUNNER", "auto") == "auto":
            print(f"runner: {chosen.name} ({why})", flush=True)
        data_dir = self.typed.get("DATA_DIR")
        folder = Path(data_dir).resolve() if data_dir else self._downloads()
        own = OwnFiles.collect(self.stages, self.typed, self.volumes)
        chain = Chain(self.stages, self.parameters, self.repository, self.store, chosen, folder, own, self.model)
        if self.again:
            runs.assert_same(self.again, next(chain.steps(runs.trained(self.stages))).about["key"])
        return chain

    def _downloads(self) -> Path | None:
        """Where `make data` put the dataset, if it did."""
        folder = self.volumes / ".data"
        wanted = any(chosen.get("dataset") in DOWNLOADED for chosen in self.parameters.values())
        return folder if wanted and folder.is_dir() else None

    def stage(self, default: str | None = None) -> str:
        """STAGE=, checked."""
        name = self.typed.get("STAGE", default)
        if name not in self.stages:
            given = f"STAGE={name} is not a stage" if name else "STAGE= is missing"
            raise ParameterError(f"{given}: expected one of {', '.join(self.stages)}.")
        return name


def run(session: Session, target: str) -> None:
    """Everything up to `target`, then the closing table."""
    steps = session.chain(loud=True).run(target, force=session.typed.get("FORCE") == "1")
    print(report.summary(steps))


def path(session: Session) -> None:
    """The folder of the selected artefact, nothing else; if it is published, every file in it is hashed first."""
    target = session.stage()
    steps = list(session.chain().steps(target))
    last = steps[-1]
    if last.stage.name != target:
        raise ArtefactError(f"{target} has no folder yet: {last.stage.name} is not done; `make {target}` does both.")
    print(last.artefact.checked() if last.artefact else session.store.folder(target, last.about["key"]))


def why(session: Session) -> None:
    """Which component of the key changed since the stage was last published."""
    target = session.stage()
    steps = list(session.chain().steps(target))
    print(report.why(steps, target, session.store))


def verify(session: Session) -> None:
    """Hash the selected artefacts again and print what each stage proved."""
    steps = _finished(session)
    signed = session.store.keys.verified(step.artefact for step in steps)
    print(f"{report.verify(steps, session.store)}\n{signed}")


def sign(session: Session) -> None:
    """Vouch for the selected artefacts as they are: hash them again, then sign."""
    if not session.store.keys.signing:
        raise ParameterError("SIGNING_KEY= is missing: `openssl genpkey -algorithm ed25519 -out key.pem` makes a key.")
    for step in _finished(session):
        session.store.sign(step.artefact)
        print(f"{step.stage.name}: {len(step.artefact.files)} files as published, signed: {step.artefact.place}")


def list_runs(session: Session) -> None:
    """Every training of this volume: finished, or cut off and waiting to be resumed."""
    stage = runs.trained(session.stages)
    print(runs.show(runs.listing(session.store, stage), session.stages, stage))


def resume(session: Session) -> None:
    """Go on with the training RUN= from its last whole epoch; a finished one is shown."""
    if session.again is None:
        raise ParameterError("RUN= is missing: which training is to go on? `make runs` lists them.")
    run(session, runs.trained(session.stages))


def show(session: Session) -> None:
    """The selected run as a table."""
    print(report.summary(_finished(session)))


def _finished(session: Session) -> list:
    target = session.stage(default=list(session.stages)[-1])
    steps = [step for step in session.chain().steps(target) if step.artefact]
    if not steps:
        raise ArtefactError("Nothing of this selection is published yet; `make streamline` makes it.")
    return steps


def images(session: Session) -> None:
    from microstage_runner.engines.images import Images

    Images(session.repository, session.volumes).build_images()


def base(session: Session) -> None:
    from microstage_runner.engines.images import Images

    Images(session.repository, session.volumes).build_bases()


def environments(session: Session) -> None:
    """Make every local environment now, rather than when its stage first runs, and that which signs."""
    from microstage_runner.engines.local import LocalBackend
    from microstage_runner.signing import environment

    local = LocalBackend(session.repository, session.volumes)
    for stage in session.stages.values():
        print(f"{stage.name}: Python {local.platform(stage)['python']}")
    print(f"signatures: {environment(session.volumes).parent.parent.name}")


def doctor(session: Session) -> int:
    from microstage_runner.commands.doctor import examine

    return examine(session.volumes)


def data(session: Session) -> None:
    from microstage.datasets import download

    download.fetch(session.typed.get("DATASET", ""), session.volumes / ".data")


def accuracy(session: Session) -> None:
    """Train and test over every fold, then the tables of all of them together."""
    if not any("fold" in own for own in session.parameters.values()):
        raise ParameterError(
            "make accuracy pools errors over folds, of which this MODEL= has none; `make sweep MODEL=a,b` prints accuracies."
        )
    nominal = pooled_accuracy.nominal_of(session.typed)
    folds = [Session(session.repository, typed) for typed in pooled_accuracy.folds_of(session.typed)]
    trained = [fold.chain(loud=fold is folds[0]).run("train")[-1].artefact for fold in folds]
    found = pooled_accuracy.pooled(trained, nominal)
    print("\n" + accuracy_tables.tables(found))
    print(f"\na picture of each table: {pooled_accuracy.draw(found, folds[0].chain())}")


def make_ready(session: Session) -> None:
    """A network for each kind of channel, as far as qcdq, into the checkout."""
    from microstage_runner.commands import ready

    if "CHANNEL" in session.typed:
        raise ParameterError("make ready makes a network for each kind of channel: leave CHANNEL= out.")
    for kind in ready.KINDS:
        chain = Session(session.repository, {**session.typed, "CHANNEL": kind}).chain(loud=True)
        *_, last = chain.run("qcdq")
        made_of = {"key": last.about["key"], "parameters": chain.parameters["train"]}
        print(f"ready: {ready.put(chain.repository, chain.store.volumes, kind, last.artefact, made_of)}")


def binfiles(session: Session) -> None:
    """The benchmark runner's folder for the selected network, checked file by file."""
    from microstage_runner.commands.binfiles import binfiles as write

    print(f"result: {write(session.chain(loud=True), session.typed)}")


def vendor(session: Session) -> None:
    """Collect wheels, Debian packages and bases into VENDOR=, for machines without a network."""
    from microstage_runner.commands import vendor as vendor_collect

    vendor_collect.collect(session.repository, session.volumes, session.typed.get("VENDOR"))


def reproduce(session: Session) -> int:
    """STAGE= twice, under other circumstances, and its image, where it runs in one."""
    from microstage_runner.reproduce.reproduce import reproduce as compare

    return compare(session.chain(loud=True), session.stage())


def pack(session: Session) -> None:
    """One file with all that STAGE= needs on another machine."""
    from microstage_runner.bundles import pack as handover

    path = session.typed.get("BUNDLE")
    print(
        handover.pack(session.chain(), session.stage(), Path(path) if path else None, session.typed.get("IMAGE") == "1")
    )


def push(session: Session) -> None:
    """The selected run's artefacts, and the images that are here, into REGISTRY=."""
    from microstage_runner.engines.images import Images
    from microstage_runner.registry import artefact_registry as publishing

    steps = _finished(session)
    session.store.keys.verified(step.artefact for step in steps)
    publishing.push(steps, Images(session.repository, session.volumes))


def pull(session: Session) -> None:
    """The selected run, as far as REGISTRY= has it."""
    from microstage_runner.registry import artefact_registry as publishing

    publishing.pull(session.chain(), session.stage(default=list(session.stages)[-1]), wanted="STAGE" in session.typed)


def unpack(session: Session) -> None:
    """Do what BUNDLE= is for: run its stage here, or publish the artefact that came home."""
    from microstage_runner.bundles import pack as handover

    path = Path(session.typed.get("BUNDLE", ""))
    if not path.is_file():
        raise ParameterError(f"BUNDLE={path if 'BUNDLE' in session.typed else ''} is no file; `make pack` writes one.")
    runner, trust = session.typed.get("RUNNER", "auto"), session.typed.get("TRUST") == "1"
    print(handover.unpack(path, session.store, session.repository, runner, trust))


def sbom(session: Session) -> None:
    """Bills of materials and licences of the environment of STAGE=, or of every stage's."""
    from microstage_runner.artefacts.sbom import show as show_bills

    chosen = [session.stages[session.stage()]] if "STAGE" in session.typed else session.stages.values()
    show_bills(chosen, session.chain().backend, session.store)


def variables(session: Session) -> None:
    """Every variable that the stages declare: default, what is allowed, one sentence; then those of the commands."""
    print(report.variables(session.stages))
    print("\n".join(["commands:", *(f"  {name + '=':28} {said}." for name, said in SETTINGS.items())]))


COMMANDS: dict[str, Callable[[Session], int | None]] = {
    "path": path,
    "why": why,
    "verify": verify,
    "report": show,
    "images": images,
    "base": base,
    "environments": environments,
    "doctor": doctor,
    "data": data,
    "variables": variables,
    "accuracy": accuracy,
    "ready": make_ready,
    "binfiles": binfiles,
    "runs": list_runs,
    "resume": resume,
    "sign": sign,
    "pack": pack,
    "unpack": unpack,
    "push": push,
    "pull": pull,
    "sbom": sbom,
    "reproduce": reproduce,
    "vendor": vendor,
}


def main(arguments: list[str], repository: Path = REPOSITORY) -> int:
    """Exit code of one command, whatever ends it."""
    return process(arguments, repository, lambda: run_command(arguments, repository))


def run_command(arguments: list[str], repository: Path = REPOSITORY) -> int:
    """Exit code of one command; `MicrostageError` for what it cannot do."""
    command, *words = arguments or ["variables"]
    typed = split_words(words)
    assert_settings_used(command, typed, SETTINGS)
    if command == "sweep":  # its lists are no values of any one run
        return sweep(typed, lambda chosen: _swept(_about(command, Session(repository, chosen), chosen)))
    if command == "estimate-file":  # its CHANNEL may be a name in the file
        estimate_file(typed, lambda chosen: _about(command, Session(repository, chosen), chosen).chain())
        return 0
    if command == "data":  # a dataset is asked for, whatever the network
        typed = {"MODEL": trained_on(load_stages(repository), typed.get("DATASET", "")), **typed}
        typed = {name: value for name, value in typed.items() if value}
    session = _about(command, Session(repository, typed), typed)
    if command in session.stages:
        run(session, command)
        return 0
    if command in load_stages(repository):
        raise ParameterError(
            f"{command} comes before {next(iter(session.stages))}, where a network of one's own begins."
        )
    if command not in COMMANDS:
        known = ", ".join(sorted([*COMMANDS, "estimate-file", "sweep"]))
        raise ParameterError(f"{command} is not a command: expected a stage or one of {known}.")
    return COMMANDS[command](session) or 0


def _about(command: str, session: Session, typed: Mapping[str, str]) -> Session:
    """`session`, of whose parameters `command` uses all that were typed."""
    target = (
        command if command in session.stages else typed.get("STAGE") or _LAST.get(command) or list(session.stages)[-1]
    )
    if target in session.stages:  # else the command says what is wrong with it
        assert_parameters_used(command, target, typed, session.stages)
    return session


_LAST = {
    "accuracy": "train",
    "resume": "train",
    "estimate-file": "qcdq",
    "ready": "qcdq",
    "binfiles": "streamline",
    "sweep": "streamline",
}
"The last stage that a command reaches where no STAGE= is typed, if that is not the last of all."


def _swept(session: Session) -> list:
    return session.chain().run(session.stage(default="streamline"))


def split_words(words: Sequence[str]) -> dict[str, str]:
    """{NAME: VALUE} of words NAME=VALUE."""
    for word in words:
        if "=" not in word:
            raise ParameterError(f"{word} is not NAME=VALUE.")
    return dict(word.split("=", 1) for word in words)
