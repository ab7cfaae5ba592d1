"""Registries on loopback: Debian's docker-registry where it is installed, and one of our own that can misbehave."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from microstage_chaos.registry_server import RegistryRequest, Server

__all__ = ["DEBIAN", "RegistryRequest", "Server", "debian"]

DEBIAN = shutil.which("docker-registry")
_CONFIG = (
    "version: 0.1\nlog: {{level: error}}\n"
    "storage: {{filesystem: {{rootdirectory: {root}}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
)


@contextmanager
def debian(folder: Path):
    """The name of a docker-registry of Debian's that keeps its files in `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(_CONFIG.format(root=folder / "registry", port=port))
    process = subprocess.Popen([DEBIAN, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    f"http://127.0.0.1:{port}/v2/"
                ).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
