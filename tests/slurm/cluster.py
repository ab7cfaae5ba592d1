"""A SLURM of this machine alone: Debian's packages unpacked into a folder, a controller, nodes and munge under it.

Nothing is installed and nothing outside of the folder is written. The user needs apt-get, dpkg and Debian's package
lists; programs run as that user.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["Cluster"]

_PACKAGES = (
    "munge libmunge2 liblua5.1-0 libhwloc15 slurm-wlm-basic-plugins slurm-client slurmd slurmctld".split()
)  # fmt: skip
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_CLIENTS = ("sacct", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
_WAIT_SECONDS = 120
_CONFIGURATION = """\
ClusterName=microstage
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
CredType=cred/munge
PluginDir={plugins}
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/%n.pid
SlurmctldPort={ports[0]}
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobRequeue=1
ReturnToService=2
MinJobAge=86400
SlurmdTimeout=30
KillWait=5
{nodes}
PartitionName=sweep Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Cluster:
    """A controller and `nodes`, in the folder `root`, which is not to be under a folder that others may write to."""

    def __init__(self, root: Path, nodes: tuple[str, ...] = ("node1", "node2")) -> None:
        self.root, self.nodes, self.system = root, nodes, root / "system"
        self.bin = root / "bin"
        self._daemons: dict[str, subprocess.Popen] = {}

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which `sbatch` and its like are this cluster's."""
        libraries = [self.system / _LIBRARIES, self.system / _LIBRARIES / "slurm-wlm"]
        around = {"SLURM_CONF": str(self.root / "slurm.conf"), "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
        return {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}", **around}

    def __enter__(self) -> Cluster:
        self._unpack()
        self._configure()
        self._start("munged", "--foreground", "--force", *self._munge_files())
        _until(lambda: (self.root / "munge/socket").exists(), "munged opens its socket")
        self._start("slurmctld-wlm", "-D", "-f", self.root / "slurm.conf")
        for node in self.nodes:
            self.start_node(node)
        _until(lambda: self.says("sinfo", "--noheader", "--format=%T %D") == f"idle {len(self.nodes)}", "nodes answer")
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            self.kill_node(node)
        for process in reversed(self._daemons.values()):
            process.terminate()
            process.wait()

    def start_node(self, node: str) -> None:
        """Start the node's slurmd."""
        stepd = self.system / "usr/sbin/slurmstepd-wlm"
        self._start("slurmd-wlm", "-D", "-N", node, "-f", self.root / "slurm.conf", "-d", stepd, name=node)

    def kill_node(self, node: str) -> int:
        """Kill all that runs on a node at once, as if its power failed; return how many processes that were."""
        daemon = self._daemons.pop(node, None)
        own = [*self._of_node(node), *([daemon.pid] if daemon else [])]
        for process in own:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if daemon:
            daemon.wait()
        return len(own)

    def says(self, *command: str) -> str:
        """Return what one of SLURM's commands prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def _of_node(self, node: str) -> Iterator[int]:
        """Yield the processes of this cluster's jobs on a node, with the stepds that hold them."""
        marks = {f"SLURMD_NODENAME={node}".encode(), f"SLURM_CONF={self.root / 'slurm.conf'}".encode()}
        for process in _processes():
            if marks <= set(_read(process, "environ").split(b"\0")):
                yield process
                parent = int(_read(process, "stat").rpartition(b") ")[2].split()[1] or 0)
                if b"slurmstepd" in _read(parent, "cmdline"):
                    yield parent

    def _unpack(self) -> None:
        """Fetch and unpack the packages, unless that was done before; put the clients on a path of their own."""
        if not self.system.exists():
            fetched, beside = self.root / "packages", self.root / "system.part"
            fetched.mkdir(parents=True, exist_ok=True)
            subprocess.run(["apt-get", "download", "-qq", *_PACKAGES], cwd=fetched, check=True)
            for package in sorted(fetched.glob("*.deb")):
                subprocess.run(["dpkg", "-x", package, beside], check=True)
            beside.rename(self.system)
        self.bin.mkdir(exist_ok=True)
        for name in _CLIENTS:
            self._wrapper(name, self.environment)

    def _wrapper(self, name: str, around: Mapping[str, str]) -> None:
        """Write the program that calls a client with what Snakemake takes out of the environment."""
        script = self.bin / name
        kept = "".join(f"export {key}='{around[key]}'\n" for key in ("SLURM_CONF", "LD_LIBRARY_PATH"))
        script.write_text(f"#!/bin/sh\n{kept}exec '{self.system}/usr/bin/{name}' \"$@\"\n")
        script.chmod(0o755)

    def _configure(self) -> None:
        for name in ("munge", "state", "spool"):
            shutil.rmtree(self.root / name, ignore_errors=True)
            (self.root / name).mkdir(mode=0o755 if name == "munge" else 0o700)
        key = self.root / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        ports = _free_ports(1 + len(self.nodes))
        host = socket.gethostname().partition(".")[0]
        line = "NodeName={} NodeHostname={} NodeAddr=127.0.0.1 Port={} CPUs=2 RealMemory=64000"
        nodes = "\n".join(line.format(node, host, port) for node, port in zip(self.nodes, ports[1:]))
        user, plugins = _user(), self.system / _LIBRARIES / "slurm-wlm"
        text = _CONFIGURATION.format(root=self.root, host=host, user=user, plugins=plugins, ports=ports, nodes=nodes)
        (self.root / "slurm.conf").write_text(text)

    def _munge_files(self) -> list[str]:
        folder = self.root / "munge"
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        return [f"--{option}={folder / name}" for option, name in names.items()]

    def _start(self, program: str, *words: str | Path, name: str = "") -> None:
        log = (self.root / f"{name or program}.log").open("ab")
        self._daemons[name or program] = subprocess.Popen(
            [self.system / "usr/sbin" / program, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _until(true: object, what: str) -> None:
    """Wait until `true()` is; raise `TimeoutError` that says what was waited for."""
    end = time.monotonic() + _WAIT_SECONDS
    while not true():  # type: ignore[operator]
        if time.monotonic() > end:
            raise TimeoutError(f"It took too long until {what}.")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens at now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _user() -> str:
    return subprocess.run(["id", "--user", "--name"], capture_output=True, text=True, check=True).stdout.strip()


def _processes() -> Iterator[int]:
    yield from (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _read(process: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{file}").read_bytes()
    except OSError:
        return b""
