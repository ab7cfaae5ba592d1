"""What the user typed, resolved: the stages, their parameters, the store, and the pipeline on the chosen backend."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from microstage.datasets.locations import DOWNLOADED
from microstage.errors import ArtefactError, ParameterError
from microstage_runner import signing
from microstage_runner.artefacts.store import Store
from microstage_runner.commands.table import COMMANDS
from microstage_runner.commands.used import assert_parameters_used
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.selection import select
from microstage_runner.declarations.stages import BESIDE, FILES, INTEGERS, MODULE, TRAINING, Stage, last, of_role, usual
from microstage_runner.declarations.user_files import UserFiles, from_user_files, named_by_parameters
from microstage_runner.declarations.user_module import UserModule, is_path
from microstage_runner.engines import backend, memory
from microstage_runner.engines.foreseeing import Foreseeing
from microstage_runner.engines.foreseen import Foreseen
from microstage_runner.pipeline import runs
from microstage_runner.pipeline.page import print_page
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.pipeline.step import PublishedStep, Step
from microstage_runner.pipeline.summary import summary
from microstage_runner.process import volumes_of
from microstage_runner.registry import chosen_registry
from microstage_runner.signing import Keys

__all__ = ["Session", "assert_target", "make_stage", "split_words"]


class Session:
    """What the user typed, resolved; RUN= stands for the variables that its run was made with."""

    def __init__(self, repository: Path, typed: dict[str, str]) -> None:
        self.repository = repository
        self.volumes = volumes_of(typed, repository)
        self.store = Store(self.volumes, Keys.chosen(self.volumes, typed), repository)
        chosen_registry.choose(typed.get("REGISTRY"))
        memory.choose(typed.get("MEMORY"))
        stages = load_stages(repository)
        self.again = runs.find(self.store, of_role(stages, TRAINING), typed["RUN"]) if "RUN" in typed else None
        self.typed = typed = {**(runs.variables_of(self.again) if self.again else {}), **typed}
        self.model = UserModule.read(typed["MODEL"]) if is_path(typed.get("MODEL", "")) else None
        if self.model:
            stages, typed = load_stages(repository, self.model), {**typed, "MODEL": self.model.name}
        self.stages = from_user_files(stages, typed)
        self.parameters = select(self.stages, typed)

    @classmethod
    def of(cls, name: str, repository: Path, typed: dict[str, str]) -> Session:
        """Return the session of the command `name`; raise `ParameterError` for a parameter that it would not use."""
        session = cls(repository, typed)
        target = name if name in session.stages else typed.get("STAGE") or session.last_of(name)
        if target in session.stages:  # else the command says what is wrong with it
            assert_parameters_used(name, target, typed, session.stages)
        return session

    def last_of(self, name: str) -> str:
        """Return the stage that the command `name` goes up to where no STAGE= was typed."""
        role = COMMANDS[name].last if name in COMMANDS else ""
        return next((stage.name for stage in self.stages.values() if role and stage.role == role), last(self.stages))

    def pipeline(self, loud: bool = False) -> Pipeline:
        """Return the pipeline on the chosen backend; `loud` prints which backend was taken, and why."""
        chosen, why = self._backend()
        if loud and self.typed.get("RUNNER", "auto") == "auto":
            print(f"runner: {chosen.name} ({why})", flush=True)
        pipeline = self._pipeline(chosen, self.volumes)
        if self.again:
            training = of_role(self.stages, TRAINING)
            self._assert_same(next(pipeline.steps(training)))
        return pipeline

    def plan(self, target: str) -> list[Step]:
        """Return every step up to `target`, published or not, as it is foreseen; raise what would end its run early.

        The volume stays as it is: copies of the user's files lie elsewhere for a moment.
        """
        with tempfile.TemporaryDirectory(prefix="microstage-plan.") as aside:
            steps = self._pipeline(Foreseeing(self._backend()[0]), Path(aside)).plan(target)
        if self.again:
            self._assert_same(steps[0])
        return steps

    def foreseen(self, stage: Stage) -> Foreseen:
        """Return what is known of the environment of `stage` before it is made."""
        return self._backend()[0].foreseen(stage)

    def is_signed(self, step: PublishedStep) -> bool:
        """Return whether a trusted key signed the artefact; yes where none was named, or the program that tells is not
        installed yet.
        """
        return not (self.store.keys and signing.is_installed(self.volumes)) or self.store.keys.usable(step.artefact)

    def _backend(self) -> tuple[backend.Backend, str]:
        asked = [
            self.typed.get(name, default) for name, default in (("RUNNER", "auto"), ("HOST", ""), ("STAGES_ON", ""))
        ]
        return backend.choose(asked[0], self.repository, self.volumes, *asked[1:])

    def _pipeline(self, chosen: backend.Backend, copies: Path) -> Pipeline:
        """Return the pipeline on a backend, with copies of the user's files under `copies`."""
        data_dir = self.typed.get("DATA_DIR")
        folder = Path(data_dir).resolve() if data_dir else self._downloads()
        own = {
            FILES: UserFiles.collect(self.stages, self.typed, copies),
            MODULE: self.model.laid_out(copies) if self.model else None,
            BESIDE: named_by_parameters(self.stages, self.typed, copies),
        }
        return Pipeline(self.stages, self.parameters, self.repository, self.store, chosen, folder, own, self.model)

    def _assert_same(self, first: Step) -> None:
        """Raise `ParameterError` where the run RUN= would begin anew."""
        if self.again:
            runs.assert_same(self.again, first.about["key"], first.stage.name)

    def _downloads(self) -> Path | None:
        """Return the folder where `make data` put the dataset, if it did."""
        folder = self.volumes / ".data"
        wanted = any(chosen.get("dataset") in DOWNLOADED for chosen in self.parameters.values())
        return folder if wanted and folder.is_dir() else None

    def stage(self, default: str | None = None) -> str:
        """Return STAGE= or `default`; raise `ParameterError` if it is no stage of this session."""
        name = self.typed.get("STAGE", default)
        if name not in self.stages:
            given = f"STAGE={name} is not a stage" if name else "STAGE= is missing"
            raise ParameterError(f"{given}: expected one of {', '.join(self.stages)}.")
        return name

    def chosen(self) -> list[Stage]:
        """Return the stage STAGE=, or every stage that is not optional."""
        return [self.stages[self.stage()]] if "STAGE" in self.typed else usual(self.stages)

    def require(self, name: str) -> str:
        """Return `name`; raise `ParameterError` for a stage of the checkout that is none of this session."""
        if name not in self.stages:
            first = next(iter(self.stages))
            raise ParameterError(f"{name} comes before {first}, where a network of one's own begins.")
        return name

    def published(self) -> list[PublishedStep]:
        """Return the steps of the selected run that are published, up to STAGE= or the last stage."""
        target = self.stage(default=last(self.stages))
        steps = [step for step in self.pipeline().steps(target) if isinstance(step, PublishedStep)]
        if not steps:
            raise ArtefactError(f"Nothing of this selection is published yet; `make {self.usual}` makes it.")
        return steps

    @property
    def model_name(self) -> str:
        """The network that all stages are about; "" where no stage asks for one."""
        return next((chosen["model"] for chosen in self.parameters.values() if "model" in chosen), "")

    @property
    def usual(self) -> str:
        """The stage that a user asks for: the one that makes integers of the network, or the last of all."""
        return of_role(self.stages, INTEGERS, last(self.stages))


def assert_target(name: str, repository: Path) -> None:
    """Raise `ParameterError` for what is neither a command nor a stage, whatever else was typed."""
    targets = [*(path.parent.name for path in sorted((repository / "stages").glob("*/stage.toml"))), *COMMANDS]
    if name not in targets:
        near = get_close_matches(name, targets, n=1)
        hint = f"did you mean {near[0]}?" if near else "`make help` lists them."
        raise ParameterError(f"{name} is not a target; {hint}")


def make_stage(session: Session, target: str) -> None:
    """Make everything up to `target` that is not done, then print the closing table, and where the page of
    the run is."""
    steps = session.pipeline(loud=True).run(target, force=session.typed.get("FORCE") == "1")
    print(summary(steps))
    print_page(steps)


def split_words(words: Sequence[str]) -> dict[str, str]:
    """Return {NAME: VALUE} of words NAME=VALUE; raise `ParameterError` for a word without "="."""
    for word in words:
        if "=" not in word:
            raise ParameterError(f"{word} is not NAME=VALUE.")
    return dict(word.split("=", 1) for word in words)
