"""Stages on another machine's engine: inputs streamed in, outputs streamed out, no folder shared and nothing left
behind.

A stage gets three volumes there: its inputs and its output, new each time, and its scratch folder, which outlives a
broken link so that the next call goes on where this one stopped. The container runs under
`microstage.process.watchdog`: when the link breaks it ends by itself.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from microstage.errors import EnvironmentProblem, IntegrityError
from microstage.process.watchdog import ABANDONED, BEAT_SECONDS
from microstage.untrusted.bounds import BoundedStream, assert_room
from microstage.untrusted.paths import inside
from microstage.untrusted.printable import shown
from microstage.untrusted.tars import content_of, is_plain, tar
from microstage_runner.artefacts.pinned_environment import stage_environment
from microstage_runner.artefacts.places import clear
from microstage_runner.declarations.stages import Stage
from microstage_runner.engines import memory, pipes, users
from microstage_runner.engines.containers import HARDENING, out_of_memory
from microstage_runner.engines.engine import Engine, find
from microstage_runner.engines.foreseen import Foreseen
from microstage_runner.engines.images import Image, Images
from microstage_runner.engines.relayed import Relayed
from microstage_runner.engines.script_run import ScriptRun
from microstage_runner.engines.stage_run import StageRun

__all__ = ["RemoteBackend"]

_FOLDERS = ("in", "out", "scratch")
_LARGEST_OUTPUT = 1 << 50


class RemoteImages(Images):
    """The images of an engine elsewhere: sent there if this machine has them, else built there, else built here and
    sent.
    """

    def __init__(self, repository: Path, volumes: Path, host: str) -> None:
        super().__init__(repository, volumes, host)
        self._here = Images(repository, volumes)

    def ensure(self, stage: str, verify: bool = False) -> Image:
        image = self._remembered(stage)
        if image and (not verify or self.here(stage)):
            return image
        if built_here := find() and self._here.here(stage):
            return self._send(*built_here)
        try:
            return super().ensure(stage, verify)
        except EnvironmentProblem as problem:
            if find() is None:
                raise
            print(f"image: {self.host} cannot build it ({problem})", flush=True)
        return self._send(self._here.ensure(stage, verify=True), self._here.base_of(stage))

    def _send(self, image: Image, base: dict[str, str]) -> Image:
        print(f"image: sending {image.tag} to {self.host} ...", flush=True)
        saving = subprocess.Popen(
            [*self._here.engine().command, "save", image.tag], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        loading = subprocess.run([*self.engine().command, "load"], stdin=saving.stdout, stdout=subprocess.DEVNULL)
        pipes.end_of(saving.stdout).close()
        if saving.wait() or loading.returncode:
            raise EnvironmentProblem(f"The image {image.tag} could not be sent to {self.host}; the message is above.")
        self.adopt(image, base)
        return image


class RemoteBackend:
    """The `Backend` of an engine on another machine: `host` is a URL (ssh://user@box) or a Docker context."""

    def __init__(self, repository: Path, volumes: Path, host: str) -> None:
        self.host, self.name = host, f"docker on {host or 'another machine'}"
        self.images, self.volumes = RemoteImages(repository, volumes, host), volumes

    def platform(self, stage: Stage) -> dict[str, str]:
        """Return {"python", "libc"} inside the stage's image."""
        return dict(self.images.ensure(stage.name).platform)

    def foreseen(self, stage: Stage) -> Foreseen:
        """Return what is known of the stage's image there; nothing is asked of the engine."""
        return self.images.foreseen(stage.name)

    def run(self, wanted: StageRun) -> int:
        """Return the exit code of the stage; `EnvironmentProblem` if the link broke, and then nothing of it runs on."""
        stage, inside = wanted.stage, wanted.in_container()
        image, engine = self.images.ensure(stage.name, verify=True), self.images.engine()
        user = users.of_stages(self.volumes)
        with _Place(engine, f"microstage-{stage.name}-{_mark(wanted.output)}", image.tag, user) as place:
            place.fill(wanted.inputs)
            code = place.run(["-m", "microstage.process.watchdog", inside.package, *inside.words])
            if code == 0:
                place.fetch("/out", wanted.output)
            place.fetch("/scratch/logs", wanted.scratch / "logs", optional=True)
            if code == 0:
                place.done()
        return code

    def run_script(self, wanted: ScriptRun) -> int:
        """Refuse: a script reads and writes in its folder, which is on this machine."""
        raise EnvironmentProblem(
            f"{wanted.script} would run on {self.host or 'another machine'}, where its folder is not: `make"
            " RUNNER=local ...` runs it here."
        )


def _mark(output: Path) -> str:
    return hashlib.sha256(f"{platform.node()}:{output.resolve()}".encode()).hexdigest()[:16]


class _Place:
    """The container and the volumes of one key on the engine."""

    def __init__(self, engine: Engine, name: str, image: str, user: tuple[int, int]) -> None:
        self._engine, self._name, self._image, self._user = engine, name, image, user

    def __enter__(self) -> _Place:
        self._remove("in", "out")
        for folder in _FOLDERS:
            self._call("volume", "create", f"{self._name}-{folder}")
        return self

    def __exit__(self, *_: object) -> None:
        self._remove("in", "out")

    def done(self) -> None:
        """Let go of what a next call would have gone on with."""
        self._remove(*_FOLDERS)

    def fill(self, inputs: Mapping[str, Path]) -> None:
        """Stream the inputs in; output and scratch get the stage's user for owner."""
        loader = f"{self._name}-load"
        self._call("create", f"--name={loader}", "--entrypoint=true", *self._mounts(), self._image)
        try:
            with self._writing(f"{loader}:/") as archive:
                for folder in _FOLDERS:
                    _add(archive, folder, None, self._user)
                for name, source in inputs.items():
                    for path in [source, *sorted(source.rglob("*"))]:
                        inside = PurePosixPath("in", name) / path.relative_to(source).as_posix()
                        _add(archive, str(inside), path, self._user)
        finally:
            self._engine.call("rm", "--force", loader)

    def _mounts(self) -> list[str]:
        """Return the volumes; without volume-nocopy an empty one would take over its folder's owner in the image."""
        return [f"--mount=type=volume,source={self._name}-{f},volume-nocopy,target=/{f}" for f in _FOLDERS]

    def run(self, arguments: list[str]) -> int:
        """Run the stage with a beating heart on its standard input; its exit code as the engine has it."""
        mounts = [f"{mount}{',readonly' if mount.endswith('/in') else ''}" for mount in self._mounts()]
        environment = [f"--env={key}={value}" for key, value in sorted(stage_environment(Path("/scratch")).items())]
        command = [*self._engine.command, "run", "--interactive", "--init", f"--name={self._name}"]
        command += ["--hostname=microstage", "--log-driver=none", *HARDENING, *memory.options(self._engine)]
        command += [f"--user={self._user[0]}:{self._user[1]}", "--workdir=/scratch", "--entrypoint=python"]
        command += [*mounts, *environment]
        client = Relayed([*command, self._image, *arguments], stdin=subprocess.PIPE, start_new_session=True)
        beating = threading.Event()
        threading.Thread(target=_beat, args=(pipes.end_of(client.stdin), beating), daemon=True).start()
        try:
            client.wait()
        finally:
            beating.set()
            if client.poll() is None:
                client.terminate()
                client.wait()
        return self._outcome()

    def _outcome(self) -> int:
        wanted = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}"
        state = self._engine.call("inspect", "--format", wanted, self._name)
        words = state.stdout.decode().split()
        if state.returncode or words[0] != "exited" or int(words[1]) == ABANDONED:
            raise self._lost()
        if words[1] != "0" and words[2] == "true":
            raise out_of_memory(self._engine)
        return int(words[1])

    def fetch(self, inside: str, target: Path, optional: bool = False) -> None:
        """Stream a folder of the container out, file by file, into the place of `target`; all of it, or nothing."""
        client = subprocess.Popen(
            [*self._engine.command, "cp", f"{self._name}:{inside}", "-"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if optional else None,
        )
        beside = target.with_name(f"{target.name}.part")
        clear(beside)
        beside.mkdir(parents=True)
        written = pipes.end_of(client.stdout)
        try:
            whole = _unpacked(written, beside)
            written.close()
            if client.wait() == 0 and whole:
                clear(target)
                beside.rename(target)
            elif not optional:
                raise self._lost()
        finally:
            written.close()
            client.wait()
            clear(beside)

    @contextmanager
    def _writing(self, target: str) -> Iterator[tarfile.TarFile]:
        client = subprocess.Popen(
            [*self._engine.command, "cp", "-", target], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        try:
            with tarfile.open(fileobj=client.stdin, mode="w|") as archive:
                yield archive
            pipes.end_of(client.stdin).close()
        except BrokenPipeError:
            raise self._lost() from None
        finally:
            code = client.wait()
        if code:
            raise self._lost()

    def _call(self, *words: str) -> None:
        if self._engine.call(*words).returncode:
            raise self._lost()

    def _remove(self, *folders: str) -> None:
        self._engine.call("rm", "--force", "--volumes", self._name)
        self._engine.call("volume", "rm", "--force", *(f"{self._name}-{folder}" for folder in folders))

    def _lost(self) -> EnvironmentProblem:
        where = self._engine.host or "the engine"
        return EnvironmentProblem(
            f"The link to {where} broke; nothing was published, nothing runs on there, and the next call goes on."
        )


def _beat(heart: IO[bytes], done: threading.Event) -> None:
    """Write a line to a container every few seconds: its watchdog ends it where none comes."""
    try:
        while not done.wait(BEAT_SECONDS):
            heart.write(b"\n")
            heart.flush()
    except (OSError, ValueError):  # the client has gone
        pass


def _add(archive: tarfile.TarFile, name: str, path: Path | None, user: tuple[int, int]) -> None:
    """Add a file or folder, which belongs to the stage's user; None is a folder of its own."""
    member = tarfile.TarInfo(name)
    member.uid, member.gid, member.mode = *user, 0o755
    if path is None or path.is_dir():
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
        return
    member.mode, member.size = 0o644, path.stat().st_size
    with path.open("rb") as handle:
        archive.addfile(member, handle)


def _unpacked(stream: IO[bytes], folder: Path) -> bool:
    """Write what an engine streams below `folder`; whether that came to its end."""
    try:
        with tar(BoundedStream(stream, _LARGEST_OUTPUT)) as archive:
            for member in archive:
                _take(archive, member, folder)
        return True
    except IntegrityError:
        return False


def _take(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one member, without its first folder; anything but a plain file or folder inside `folder` is refused."""
    if not inside(member.name) or not (is_plain(member) or member.isdir()):
        raise EnvironmentProblem(f"The stage wrote {shown(member.name)}, which is no plain file with a name of one.")
    place = folder.joinpath(*member.name.split("/")[1:])
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    assert_room(folder, member.size, 1)
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as handle:
        shutil.copyfileobj(content_of(archive, member), handle)
