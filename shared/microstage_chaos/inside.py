"""What a stage's container lets a stage do, told from inside, as JSON: `inside.py FILE`.

`writable` are folders in which a file could be made, `reached` what a connection was opened to.
"""

import json
import os
import socket
import stat
import sys

OUTSIDE = (("192.0.2.1", 80), ("1.1.1.1", 443), ("172.17.0.1", 22), ("169.254.169.254", 80))
LIMITS = {
    "memory": ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    "swap": ("/sys/fs/cgroup/memory.swap.max",),
    "processes": ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"),
}


def main() -> None:
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    found = {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "capabilities": {name: int(status[name], 16) for name in status if name.startswith("Cap")},
        "no_new_privileges": status.get("NoNewPrivs", "").strip() == "1",
        "interfaces": sorted(name for _, name in socket.if_nameindex()),
        "reached": sorted(f"{host}:{port}" for host, port in OUTSIDE if reached(host, port)),
        "resolved": resolved("example.org"),
        "writable": sorted(writable()),
        "setuid": sorted(setuid()),
        "limits": {name: limit(files) for name, files in LIMITS.items()},
    }
    with open(sys.argv[1], "w") as file:
        json.dump(found, file)


def reached(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 2).close()
        return True
    except OSError:
        return False


def resolved(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, 80))
    except OSError:
        return False


def folders():
    """Yield every folder but those that the kernel makes up."""
    for folder, names, _ in os.walk("/"):
        names[:] = [name for name in names if os.path.join(folder, name) not in ("/proc", "/sys")]
        yield folder


def writable():
    """Yield each folder in which a file can be made, without what lies below it."""
    for folder in folders():
        probe = os.path.join(folder, f".probe-{os.getpid()}")
        try:
            os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.unlink(probe)
            yield folder
        except OSError:
            pass


def setuid():
    """Yield programs that would run as somebody else."""
    for folder in folders():
        try:
            for entry in os.scandir(folder):
                if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mode & stat.S_ISUID:
                    yield entry.path
        except OSError:
            pass


def limit(files):
    """Return what a control group allows; None where it sets no limit, or none can be read."""
    for file in files:
        try:
            text = open(file).read().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None


main()
