"""A campaign: seconds shared out over the targets, faults kept as tests, a table of what was reached."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from microstage_fuzz.__main__ import SLOWEST
from microstage_fuzz.compiled import ADDRESSES, UNSET, assert_clang, build, build_interpreter
from microstage_fuzz.libfuzzer import Reached, fuzz
from microstage_fuzz.targets import CRASHES, GENERATED, NETWORK_FILE, FuzzTarget, inputs_of

__all__ = ["Campaign", "Place"]

Place = Callable[[FuzzTarget], tuple[Path, Mapping[str, str]]]
"Returns the interpreter and the environment variables of a target."
_PER_NETWORK = 10  # seconds of one generated program, at least
_LONGEST_ARGUMENTS, _LONGEST_NETWORK, _LONGEST = 4096, 32000, 65536  # bytes of an input


@dataclass(frozen=True)
class Campaign:
    """`kept` is the folder of inputs that earlier campaigns found worth keeping, `scratch` one that goes."""

    repository: Path
    kept: Path
    scratch: Path
    place: Place
    seed: int

    def run(self, target: FuzzTarget, seconds: float) -> Reached:
        """Fuzz one target for about `seconds`; inputs with a fault become files below tests/fuzz/crashes."""
        found, corpus = self.scratch / target.name, self.kept / target.name
        for folder in (found, corpus):
            folder.mkdir(parents=True, exist_ok=True)
        if target is GENERATED:
            outcome = self._generated(found, seconds)
        else:
            corpora = [corpus, *inputs_of(target, self.repository)]
            command, environment = self._program(target, found)
            outcome = fuzz(command, corpora, found, seconds, self.seed, environment)
            slowest = found / SLOWEST
            outcome.slowest = float(slowest.read_text()) if slowest.exists() else outcome.slowest
            outcome.crashes = [self._keep(target, path) for path in outcome.crashes]
        return outcome

    def _program(self, target: FuzzTarget, found: Path) -> tuple[list[str], Mapping[str, str] | None]:
        if target is NETWORK_FILE:
            assert_clang(self.scratch)
            return [str(build_interpreter(self.repository, self.scratch)), f"-max_len={_LONGEST_NETWORK}"], None
        python, environment = self.place(target)
        words = [str(python), "-m", "microstage_fuzz", target.name, "--found", str(found), f"-max_len={_LONGEST}"]
        return words, environment

    def _generated(self, found: Path, seconds: float) -> Reached:
        """Fuzz the C of one random network after the other, once for addresses and once for what is unset."""
        assert_clang(self.scratch)
        total, end, seed = Reached(), time.monotonic() + seconds, self.seed
        while not total.failed and (total.inputs == 0 or end - time.monotonic() > _PER_NETWORK):
            folder = found / str(seed)
            python, environment = self.place(GENERATED)
            command = [str(python), "-m", "microstage_fuzz.generated", str(folder), str(seed)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode not in (0, 3):
                total.failed = done.stderr.strip()[-2000:]
            for flags in (ADDRESSES, UNSET) if done.returncode == 0 else ():
                self._add(total, self._one(folder, flags, max(_PER_NETWORK / 2, (end - time.monotonic()) / 4)))
            if total.crashes:
                break
            shutil.rmtree(folder, ignore_errors=True)
            seed += 1
        return total

    def replayed(self, path: Path) -> list[Path]:
        """Return the faults that an input of generated C, kept by an earlier campaign, still finds."""
        seed = path.name.partition("-")[0]
        folder = self.scratch / f"replayed-{path.name}"
        python, environment = self.place(GENERATED)
        words = [str(python), "-m", "microstage_fuzz.generated", str(folder), seed]
        subprocess.run(words, env=environment, capture_output=True, check=True)
        found: list[Path] = []
        for flags in (ADDRESSES, UNSET):
            program = self._program_of(folder, flags)
            done = subprocess.run([str(program), str(path)], cwd=program.parent, capture_output=True)
            found += [path] if done.returncode else []
        return found

    def _program_of(self, folder: Path, flags: Sequence[str]) -> Path:
        """Compile what `microstage_fuzz.generated` wrote, into a folder of its own."""
        sources = [folder / "fuzzed.c", *sorted((folder / "c").glob("*.c"))]
        found = folder / flags[0].rpartition(",")[2]
        (found / "corpus").mkdir(parents=True)
        return build(sources, [folder / "c"], flags, found / "program")

    def _one(self, folder: Path, flags: Sequence[str], seconds: float) -> Reached:
        program = self._program_of(folder, flags)
        found = program.parent
        outcome = fuzz([str(program), f"-max_len={_LONGEST_ARGUMENTS}"], [found / "corpus"], found, seconds, self.seed)
        outcome.crashes = [self._keep(GENERATED, path, f"{folder.name}-") for path in outcome.crashes]
        return outcome

    def _add(self, total: Reached, one: Reached) -> None:
        total.inputs += one.inputs
        total.covered += one.covered
        total.features += one.features
        total.slowest = max(total.slowest, one.slowest)
        total.crashes += one.crashes
        total.failed = total.failed or one.failed

    def _keep(self, target: FuzzTarget, path: Path, before: str = "") -> Path:
        """Copy an input with a fault to where `make test` replays it; `before` is the seed of a generated network."""
        data = path.read_bytes()
        kept = (
            self.repository / CRASHES / target.name / f"{before}{hashlib.sha256(data).hexdigest()[:12]}{target.suffix}"
        )
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(data)
        return kept
