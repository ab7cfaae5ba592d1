"""`make prove RANDOM=2000`: random networks all the way to C, each answer beside another executor's, every integer
beside the reference.

    python random_road.py FOLDER COUNT SEED LAYERS

walks the networks of seeds SEED, SEED + 1, ...; what FOLDER has of this state of the sources is not walked again. A
network that fails is made simpler for as long as it fails alike, and kept in FOLDER: `<seed>.onnx`, `<seed>.npz` and
`<seed>.json`. Each is walked in a process of its own, so that none takes the others along. Run in streamline's
environment; exit code 3 if any network failed.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from road import Failure, travel

from microstage.errors import VerificationError
from microstage.files.canonical import digest, file_digest, write_json
from microstage.process.progress import progress
from microstage_bench.random_networks import Recipe, build_network, draw_recipe
from microstage_bench.random_networks.__main__ import save
from microstage_bench.random_networks.shrinking import shrunk
from microstage_cbackend.network_file.replay import compiled_once
from microstage_runner.process import REPOSITORY
from microstage_streamline.finn.torch_stub import provide

SECONDS, SHRINKING = 600, 120
"What one network may take, and making one simpler."
MEMORY = 4 << 30
_FORK = multiprocessing.get_context("fork")


def walked(recipe: Recipe, seed: int) -> tuple[Failure | None, Recipe]:
    """(what went wrong, the recipe with its choices) of one network, walked in a process of its own."""
    ours, theirs = _FORK.Pipe(duplex=False)
    child = _FORK.Process(target=_walk, args=(recipe, seed, theirs))
    child.start()
    theirs.close()
    try:
        found = ours.recv() if ours.poll(SECONDS) else (Failure("time", f"not done within {SECONDS} s"), recipe)
    except EOFError:
        found = Failure("process", "ended by a signal"), recipe
    child.kill()
    child.join()
    return found


def _walk(recipe: Recipe, seed: int, answer) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as scratch:
        network = build_network(recipe)
        answer.send((travel(network, Path(scratch), seed), network.recipe))


def simplest(recipe: Recipe, failure: Failure, seed: int) -> tuple[Failure, Recipe]:
    """The failure of the simplest network that fails alike, within SHRINKING seconds."""
    ends, last = time.monotonic() + SHRINKING, failure

    def fails(candidate: Recipe) -> Recipe | None:
        nonlocal last
        if time.monotonic() > ends:
            return None
        found, taken = walked(candidate, seed)
        if found is None or found.kind != failure.kind:
            return None
        last = found
        return taken

    return last, shrunk(recipe, fails)


def walk_and_keep(seed: int, layers: int, folder: Path) -> dict:
    """What is noted of one seed; a failing network is kept."""
    failure, recipe = walked(draw_recipe(seed, layers), seed)
    if failure is None:
        return {"seed": seed, "layers": len(recipe.steps), "said": ""}
    smaller, simple = simplest(recipe, failure, seed)
    save(build_network(simple), folder, str(seed))
    blocks = ", ".join(step.block for step in simple.steps)
    said = (
        f"seed {seed}, {len(simple.steps)} of its {len(recipe.steps)} blocks left ({blocks}), fails "
        f"at {smaller.place}: {smaller.said}"
    )
    write_json(folder / f"{seed}.json", {"said": said, "simple": simple.described(), "drawn": recipe.described()})
    return {"seed": seed, "layers": len(recipe.steps), "said": said}


def sources() -> str:
    """Of all that a network's way depends on here."""
    roots = [
        REPOSITORY / "shared" / "microstage",
        REPOSITORY / "stages" / "streamline",
        REPOSITORY / "stages" / "cbackend",
        Path(__file__).parent,
    ]
    files = sorted(
        path for root in roots for path in root.rglob("*") if path.suffix in (".py", ".c", ".h", ".toml", ".lock")
    )
    return digest({str(path.relative_to(REPOSITORY)): file_digest(path) for path in files})[:16]


def make_ready() -> None:
    """What every walk would import and compile anew: most of a short one's time."""
    provide()
    compiled_once()
    for name in ("convert_to_hw.quantized_matrix_vector_activation", "specialize_layers", "set_folding"):
        importlib.import_module(f"finn.transformation.fpgadataflow.{name}")


def walk_all(folder: Path, count: int, first: int, layers: int) -> Iterator[dict]:
    """What is noted of each seed: known ones at once, others on all cores, in the order in which they are done."""
    noted = folder / f"{sources()}-{layers}.jsonl"
    known = {note["seed"]: note for note in map(json.loads, noted.read_text().splitlines())} if noted.exists() else {}
    wanted = range(first, first + count)
    yield from (known[seed] for seed in wanted if seed in known)
    with ThreadPoolExecutor(os.cpu_count()) as pool, noted.open("a") as file:
        walks = [pool.submit(walk_and_keep, seed, layers, folder) for seed in wanted if seed not in known]
        for walk in as_completed(walks):
            file.write(json.dumps(walk.result()) + "\n")
            file.flush()
            yield walk.result()


def main(words: list[str]) -> int:
    folder, count, first, layers = Path(words[0]), *map(int, words[1:4])
    folder.mkdir(parents=True, exist_ok=True)
    make_ready()
    notes = []
    for note in progress(walk_all(folder, count, first, layers), count, "networks"):
        notes.append(note)
        if note["said"]:
            print(f"\n{note['said']}\n  kept: {folder / str(note['seed'])}.onnx", flush=True)
    wrong = sum(bool(note["said"]) for note in notes)
    blocks = sum(note["layers"] for note in notes)
    print(f"{len(notes)} networks of {blocks} blocks, seeds {first} to {first + count - 1}; {wrong} of them failed")
    return VerificationError.exit_code if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
