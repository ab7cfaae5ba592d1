"""The pipeline of stages for one selection: keys from parameters and inputs, and the runs that are not done yet.

key = SHA-256 of canonical JSON {stage, recipe digest, parameters, inputs: name -> digest}. The key of a stage needs the
artefact before it, so the pipeline is walked from upstream; a stage whose key is published is not run.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from microstage import datasets
from microstage.errors import ArtefactError, IntegrityError, ParameterError, VerificationError
from microstage.models.user_module import FILE
from microstage.process.ending import meaning
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.digests import Digests, remembered
from microstage_runner.artefacts.inputs import Input, held, opened
from microstage_runner.artefacts.recipe import assert_unchanged, key_of, recipe
from microstage_runner.artefacts.store import Store
from microstage_runner.declarations.model_parameters import form
from microstage_runner.declarations.stages import BESIDE, DATASET, FILES, MODULE, Stage, needed
from microstage_runner.declarations.user_files import UserFiles
from microstage_runner.declarations.user_module import UserModule
from microstage_runner.engines.backend import Backend
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.pipeline import runs
from microstage_runner.pipeline.step import PublishedStep, Step
from microstage_runner.registry import artefact_registry
from microstage_runner.registry.chosen_registry import chosen

__all__ = ["Pipeline"]


class Pipeline:
    """All stages for one selection of parameters on one backend."""

    def __init__(
        self,
        stages: Mapping[str, Stage],
        parameters: Mapping[str, dict[str, Any]],
        repository: Path,
        store: Store,
        backend: Backend,
        data_dir: Path | None = None,
        own: Mapping[str, UserFiles | None] | None = None,
        model: UserModule | None = None,
    ) -> None:
        """`own` are copies of the user's files, by the kind of input; `model` is the network of their own, if any."""
        self.stages, self.parameters, self.repository = stages, parameters, repository
        self.store, self.backend, self.data_dir, self.user_module = store, backend, data_dir, model
        self._own = {**dict.fromkeys((DATASET, FILES, MODULE, BESIDE)), **(own or {})}
        self.digests = remembered(store.volumes / ".cache" / "digests.json")

    @property
    def model(self) -> str:
        """The network that all stages are about; "" where no stage asks for one."""
        return next((chosen["model"] for chosen in self.parameters.values() if "model" in chosen), "")

    @property
    def _module_file(self) -> Path | None:
        module = self._own[MODULE]
        return module.folder / FILE if module else None

    @property
    def _form(self) -> str:
        return self.user_module.form if self.user_module else form(self.model)

    def steps(self, target: str) -> Iterator[Step]:
        """Yield the steps that can be known now: every published one, then the first that is not, and no further."""
        done: dict[str, Input] = {}
        for stage in needed(self.stages, target):
            step = self._step(stage, done)
            yield step
            if not isinstance(step, PublishedStep):
                break
            done[stage.name] = step.output
        self.digests.save()

    def plan(self, target: str) -> list[Step]:
        """Return every step up to `target`, published or not; nothing is made, and nothing is remembered.

        The key of one behind a step that is not published is not the one that it will have, but as much its own.
        """
        done: dict[str, Input] = {}
        steps = []
        for stage in needed(self.stages, target):
            steps.append(self._step(stage, done))
            done[stage.name] = steps[-1].output
        return steps

    def run(self, target: str, force: bool = False) -> list[PublishedStep]:
        """Do what is not done, up to `target`, and return every step with its artefact."""
        done: dict[str, Input] = {}
        steps = []
        for stage in needed(self.stages, target):
            step = self._done(self._step(stage, done), force and stage.name == target)
            done[stage.name] = step.output
            steps.append(step)
        self.digests.save()
        return steps

    def prepare(self, target: str) -> Step:
        """Do what `target` reads and is not done; its own step, published or not, with its inputs and its key."""
        self.store.keys.load()
        sources = [name for name in self.stages[target].inputs.values() if name not in self._own]
        done = {step.stage.name: step.output for source in sources for step in self.run(source)}
        return self._step(self.stages[target], done)

    def _done(self, step: Step, force: bool) -> PublishedStep:
        """Return the step with its artefact: the one that is published, else pulled, else made; with `force`, made."""
        if isinstance(step, PublishedStep):
            return step if not force and self._usable(step) else self.make(step, force=True)
        return (None if force else self._pulled(step)) or self.make(step, force)

    def _usable(self, step: PublishedStep) -> bool:
        """Return whether the step's artefact may be taken as it is; say why one is made again."""
        usable = self.store.keys.usable(step.artefact)
        if not usable:
            unsigned = f"{step.artefact.path} is not signed by {self.store.keys}"
            print(f"{step.stage.name}: {unsigned}; it is made again and compared.", flush=True)
        return usable

    def _pulled(self, step: Step) -> PublishedStep | None:
        """Return the step with its artefact from the registry, if one was chosen (`chosen_registry`) and has it."""
        registry = chosen()
        if registry is None:
            return None
        artefact = artefact_registry.fetch(registry, self.store, step.stage.name, step.about["key"])
        if artefact is None:
            return None
        print(f"{step.stage.name}: pulled from {registry.name} (key {step.about['key'][:16]})", flush=True)
        return step.published(artefact)

    def _step(self, stage: Stage, done: Mapping[str, Input]) -> Step:
        """Return the step of `stage` behind what is `done`, with its artefact where that is published."""
        parameters, platform = self.parameters[stage.name], self.backend.platform(stage)
        found = {name: self._input(source, parameters, done) for name, source in stage.inputs.items()}
        inputs = {name: given for name, given in found.items() if given}
        about = {
            "stage": stage.name,
            "recipe": recipe(stage, self.repository, platform, self.digests, self.model, self._module_file),
            "parameters": parameters,
            "inputs": {name: given.digest for name, given in inputs.items()},
        }
        key = key_of(about)
        step, artefact = Step(stage, {**about, "key": key}, inputs), self.store.find(stage.name, key)
        return step.published(artefact) if artefact else step

    def _input(self, source: str, parameters: Mapping[str, Any], done: Mapping[str, Input]) -> Input | None:
        """Return what a stage reads from `source`; None where this network has nothing of that kind."""
        if source == DATASET:
            return self._dataset(parameters)
        if source in self._own:
            files = self._own[source]
            return files.input if files else None
        return done[source]

    @property
    def _places(self) -> dict[str, str | None]:
        """Where the user's files lay, for whoever goes on with this run."""
        beside = self._own[BESIDE]
        named = beside.originals if beside else {}
        return {
            "data_dir": str(self.data_dir) if self.data_dir else None,
            "model_file": str(self.user_module.path) if self.user_module else None,
            **{f"{Path(inside).parent}_file": str(path.resolve()) for inside, path in named.items()},
            **{f"{variable.lower()}_file": place for variable, place in self._user_places},
        }

    @property
    def _user_places(self) -> Iterator[tuple[str, str]]:
        """Yield (variable, place) of the files that the user's own network came in."""
        given = next((s.user_input for s in self.stages.values() if FILES in s.inputs.values()), None)
        files = self._own[FILES]
        places = files.originals if files else {}
        for variable, inside in given.files.items() if given else ():
            if inside in places:
                yield variable, str(places[inside].resolve())

    def _dataset(self, parameters: Mapping[str, Any]) -> Input | None:
        chosen = parameters["dataset"]
        if chosen in datasets.BUILT_IN:
            return None
        if self.data_dir is None:
            raise ParameterError(
                f"DATASET={chosen} needs DATA_DIR=<folder>; `make data DATASET={chosen}` downloads it where it can."
            )
        folder, find = datasets.folder(chosen, self.data_dir), partial(datasets.files, chosen, self.data_dir)
        listed = self.digests.of_files(folder, find())
        return Input(folder, listed, find, "its digest was taken", "run the same command again")

    def make(self, step: Step, force: bool = False) -> PublishedStep:
        """Run one step, publish what it wrote and return it with its artefact."""
        stage, key = step.stage, step.about["key"]
        self.store.keys.load()
        with self.store.lock(stage.name, key):
            published = self.store.find(stage.name, key)
            if published and not force and self.store.keys.usable(published):
                # another make did it while this one waited
                return step.published(published)
            if published:
                published.checked()  # what is made again is compared with it
            out, scratch = self.store.workplace(stage.name, key, fresh=force)
            try:
                run = self._run(step, out, scratch)
                artefact = self._publish(step, out, scratch, run)
            except BaseException as error:
                self.store.discard(out)
                if isinstance(error, IntegrityError):
                    self.digests.forget()
                raise
        print(f"{stage.name}: done in {run['seconds']:.1f} s", flush=True)
        return step.published(artefact)

    def _run(self, step: Step, out: Path, scratch: Path) -> dict[str, Any]:
        """Run the stage on files that are those of its key from beginning to end; what is to be noted of the run."""
        name, key = step.stage.name, step.about["key"]
        with held(f"{name} ran", partial(self._sources, step)), self._inputs(step, scratch) as folders:
            print(f"{name}: running ({self.backend.name}, key {key[:16]})", flush=True)
            began, started = time.monotonic(), time.time()
            if "model" in step.stage.parameters:
                runs.note(out, step.about, self._places, started)
            code = self.backend.run(StageRun(step.stage, folders, step.about["parameters"], out, scratch))
            if code:
                said = f"{name} ended with code {code} ({meaning(code)}); nothing was published."
                raise self.store.failed(f"{name}-{key[:16]}", scratch, code, said)
        return {
            "seconds": round(time.monotonic() - began, 3),
            "started": started,
            "backend": self.backend.name,
            "host": platform.node(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            **self._places,
        }

    @contextmanager
    def _inputs(self, step: Step, scratch: Path) -> Iterator[dict[str, Path]]:
        """The folders that the stage reads; checkpoints that may be of other bytes than the key's are removed."""
        try:
            with opened(step.inputs, f"{step.stage.name} ran") as folders:
                yield folders
        except IntegrityError:
            shutil.rmtree(scratch, ignore_errors=True)
            raise

    def _sources(self, step: Step, digests: Digests) -> None:
        """Hash the stage's sources, and the user's files that copies were made of: they must be those of its key."""
        kinds = step.stage.inputs
        module = next((own.checked() / FILE for name, own in step.inputs.items() if kinds.get(name) == MODULE), None)
        assert_unchanged(step.about["recipe"], step.stage, self.repository, digests, module)
        for kind, own in self._own.items():
            if own and kind in kinds.values():
                own.hash_originals(digests)

    def _publish(self, step: Step, out: Path, scratch: Path, run: dict[str, Any]) -> Artefact:
        report = self.store.take_report(out)
        declared = {**step.stage.outputs, **step.stage.forms.get(self._form, {})}
        missing = [pattern for pattern in declared if not any(out.glob(pattern))]
        if missing:
            raise ArtefactError(f"{step.stage.name} did not write {missing[0]}, which its stage.toml declares.")
        if any(record["compared"] == 0 for record in report["verification"]):
            raise VerificationError(f"{step.stage.name} compared nothing at one of its boundaries.")
        return self.store.publish({**step.about, **report}, out, scratch, run)
