"""Running a stage in its container: no network, nothing writable but its output, its scratch folder and /tmp."""

from __future__ import annotations

import csv
import ctypes
import hashlib
import io
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from microstage.errors import EnvironmentProblem, StageFailed
from microstage_runner.artefacts.pinned_environment import stage_environment
from microstage_runner.declarations.stages import Stage
from microstage_runner.engines import memory, users
from microstage_runner.engines.engine import Engine
from microstage_runner.engines.foreseen import Foreseen
from microstage_runner.engines.images import Images
from microstage_runner.engines.relayed import Relayed
from microstage_runner.engines.script_run import ScriptRun
from microstage_runner.engines.stage_run import Mounts, StageRun

__all__ = ["HARDENING", "DockerBackend", "container_name", "out_of_memory", "run_container"]

HARDENING = (
    "--network=none",
    "--read-only",
    "--tmpfs=/tmp:rw,nosuid,nodev,noexec,mode=1777",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--pids-limit=512",
)
_WORK = Path("/work")
_STOP_SECONDS = 10
_CANNOT_START = 125  # what `docker run` returns when the engine itself failed
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class DockerBackend:
    """The `Backend` whose environments are images (`Images`) and whose stages run under `HARDENING`."""

    name = "docker"

    def __init__(self, repository: Path, volumes: Path) -> None:
        self.images, self.volumes = Images(repository, volumes), volumes

    def platform(self, stage: Stage) -> dict[str, str]:
        """Return {"python", "libc"} inside the stage's image, built if missing; a known one costs no process."""
        return dict(self.images.ensure(stage.name).platform)

    def foreseen(self, stage: Stage) -> Foreseen:
        """Return the platform of the image that is known; that of another is known once it is built."""
        return self.images.foreseen(stage.name)

    def run(self, wanted: StageRun) -> int:
        """Return the exit code of the stage, whose inputs are mounted read-only.

        Whatever ends this call, Ctrl-C included, the container is gone when it returns or raises.
        """
        image, inside = self.images.ensure(wanted.stage.name, verify=True), wanted.in_container()
        # the image's entry point names its stage
        arguments = ["-m", inside.package, *inside.words] if wanted.module else inside.words
        entry = ("--entrypoint=python",) if wanted.module else ()
        tty = ("--tty",) if sys.stdout.isatty() and sys.stderr.isatty() else ()
        user = users.of_stages(self.volumes)
        users.assert_readable(wanted.inputs.values(), user)
        with users.lent([wanted.output, wanted.scratch], user, self.volumes):
            return run_container(
                self.images.engine(),
                image.tag,
                container_name(wanted.stage.name, wanted.output),
                user,
                wanted.mounts,
                stage_environment(inside.scratch),
                arguments,
                (*tty, *entry),
            )

    def run_script(self, wanted: ScriptRun) -> int:
        """Return the exit code of a script of the user's, whose folder is mounted as /work, to be written to."""
        image, scratch = self.images.ensure(wanted.stage.name, verify=True), Path("/scratch")
        user = users.of_stages(self.volumes)
        mounts = {_WORK: (wanted.folder, False), scratch: (wanted.scratch, False)}
        with users.lent([wanted.scratch], user, self.volumes), users.borrowed(wanted.folder, user):
            return run_container(
                self.images.engine(),
                image.tag,
                container_name(wanted.stage.name, wanted.scratch),
                user,
                mounts,
                stage_environment(scratch),
                [str(_WORK / wanted.script.name), *wanted.arguments],
                ("--entrypoint=python", f"--workdir={_WORK}"),
            )


def container_name(stage: str, output: Path) -> str:
    """Return one name per running key: a second run of the key finds, and removes, what a lost first one left."""
    return f"microstage-{stage}-{hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:16]}"


def run_container(
    engine: Engine,
    image: str,
    name: str,
    user: tuple[int, int],
    mounts: Mounts,
    environment: Mapping[str, str],
    arguments: Sequence[str],
    options: Sequence[str] = (),
) -> int:
    """Return the exit code of `image arguments` as `user`; the container is always removed.

    `StageFailed` if the memory that it may take was not enough. The client runs in a session of its own, so that Ctrl-C
    reaches this process alone, and gets SIGTERM, which it passes on to the container, should this process be killed.
    """
    began = int(time.time())
    command = [*_docker_run(engine, name, user, mounts, environment), *options, image, *arguments]
    _remove(engine, name)
    client = Relayed(command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_parent)
    try:
        code = client.wait()
    except BaseException:
        _stop(client)
        _remove(engine, name)
        raise
    if code == _CANNOT_START:
        _remove(engine, name)
        raise EnvironmentProblem(f"The engine could not run the container of {image}; its own message is above.")
    if code and _ran_out_of_memory(engine, name, began):
        raise out_of_memory(engine)
    return code


def _docker_run(
    engine: Engine, name: str, user: tuple[int, int], mounts: Mounts, environment: Mapping[str, str]
) -> list[str]:
    """Return the command that runs a container, up to what the run itself adds."""
    command = [*engine.command, "run", "--rm", "--init", f"--name={name}", "--hostname=microstage", "--log-driver=none"]
    command += [*HARDENING, *memory.options(engine), f"--user={user[0]}:{user[1]}", "--workdir=/scratch"]
    command += [f"--mount={_mount(inside, *outside)}" for inside, outside in mounts.items()]
    return [*command, *(f"--env={key}={value}" for key, value in sorted(environment.items()))]


def out_of_memory(engine: Engine) -> StageFailed:
    """Return the error for a stage of which the kernel killed a process, as it took more memory than it may."""
    limit = memory.shown(memory.limit_of_container(engine))
    return StageFailed(
        f"The stage was killed, as it needs more memory than {limit}; nothing was published. MEMORY= gives it more.",
        137,
    )


def _ran_out_of_memory(engine: Engine, name: str, began: int) -> bool:
    """Return whether the engine remembers it, of a container that is gone."""
    wanted = ["--filter", f"container={name}", "--filter", "event=oom", "--format", "{{.Action}}"]
    said = engine.call("events", f"--since={began}", f"--until={int(time.time()) + 1}", *wanted)
    return b"oom" in said.stdout


def _mount(inside: Path, outside: Path, read_only: bool) -> str:
    fields = ["type=bind", f"source={outside.resolve()}", f"target={inside}", *(["readonly"] if read_only else [])]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)  # a comma in a path is quoted the way Docker reads it
    return line.getvalue()


def _stop(client: subprocess.Popen) -> None:
    client.terminate()
    try:
        client.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()


def _remove(engine: Engine, name: str) -> None:
    command = [*engine.command, "rm", "--force", "--volumes", name]
    subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, start_new_session=True)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
