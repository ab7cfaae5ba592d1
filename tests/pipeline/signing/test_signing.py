"""Signatures: who can write a volume can make file and manifest agree; who has not the key
cannot make them believed.
"""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import subprocess

import oci_registry
import pytest
from places import REPOSITORY

from microstage.files.canonical import file_digest, write_json
from microstage_runner.artefacts.artefact import ENVELOPE, MANIFEST, manifest_of
from microstage_runner.signing import environment


@pytest.fixture(scope="session")
def python():
    return str(environment(REPOSITORY / "volumes"))


@pytest.fixture
def toy(toy, python):
    """The toy with the environment that signs, two keys, and no container engine."""
    toy.variables = {"TOY_SIGNING": python, "DOCKER_HOST": "unix:///nowhere/socket"}
    for name in ("key", "other"):
        openssl("genpkey", "-algorithm", "ed25519", "-out", toy.root / f"{name}.pem")
        openssl("pkey", "-in", toy.root / f"{name}.pem", "-pubout", "-out", toy.root / f"{name}.pub")
    toy.key, toy.public = f"SIGNING_KEY={toy.root / 'key.pem'}", f"PUBLIC_KEY={toy.root / 'key.pub'}"
    toy.other = f"PUBLIC_KEY={toy.root / 'other.pub'}"
    return toy


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def done(called):
    assert called[0] == 0, called
    return called[1]


def refused(called, said):
    code, out, err = called
    assert code == 2 and said in err.splitlines()[-1] and "Traceback" not in err, called


def test_what_is_published_is_signed_to_the_byte_and_openssl_agrees(toy):
    done(toy.call("second", toy.key))
    assert done(toy.call("verify", toy.public)).endswith(
        f"first: signed by {toy.public}\nsecond: signed by {toy.public}\n"
    )
    done(toy.call("second", f"VOLUMES={toy.root / 'unsigned'}"))
    for stage in ("first", "second"):
        folder, manifest = toy.path(stage), (toy.path(stage) / MANIFEST).read_bytes()
        envelope = json.loads((folder / ENVELOPE).read_text())
        assert (
            base64.b64decode(envelope["payload"]) == manifest
            and envelope["payloadType"] == "application/vnd.in-toto+json"
        )
        assert manifest == (toy.path(stage, f"VOLUMES={toy.root / 'unsigned'}") / MANIFEST).read_bytes()
        (toy.root / "pae").write_bytes(b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(manifest), manifest))
        (toy.root / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
        signed = ["-rawin", "-in", toy.root / "pae", "-sigfile", toy.root / "sig"]
        openssl("pkeyutl", "-verify", "-pubin", "-inkey", toy.root / "key.pub", *signed)


def rewrite_manifest(folder, files: dict[str, str], **changes):
    """Give the artefact in `folder` a manifest that agrees with itself, on `files` and with `changes`."""
    about = json.loads((folder / MANIFEST).read_text())["microstage"]
    write_json(folder / MANIFEST, manifest_of({**about, **changes}, files))


def edit(folder):
    """Another number, and a manifest that agrees with it in every digest."""
    (folder / "number.txt").write_text("9.9")
    rewrite_manifest(folder, {"number.txt": file_digest(folder / "number.txt")})


def edit_metrics(folder):
    """Better figures, in every place of the manifest that holds them."""
    [file] = [path for path in folder.iterdir() if path.suffix == ".txt"]
    rewrite_manifest(folder, {file.name: file_digest(file)}, metrics={"test.accuracy": 1.0})


def test_an_edit_that_agrees_with_itself_is_found_by_the_signature_and_by_nothing_else(toy):
    done(toy.call("first", toy.key))
    edit(toy.path("first"))
    toy.ran()
    assert "signatures: not checked" in done(toy.call("verify", "STAGE=first"))
    for words in (
        ("verify", toy.public),
        ("verify", toy.key),
        ("second", toy.public),
        ("second", toy.key),
        ("sign", toy.key),
    ):
        refused(toy.call(*words), "was changed after it was signed")
    assert toy.ran() == []


def _unsigned(folder, other):
    (folder / ENVELOPE).unlink()


def _garbage(folder, other):
    (folder / ENVELOPE).write_bytes(b"\xff{" * 99)


def _nested(folder, other):
    (folder / ENVELOPE).write_text("[" * 99999)


def _of_another(folder, other):
    shutil.copy(other / ENVELOPE, folder)


def _payload_altered(folder, other):
    edit(folder)
    rewrite(
        folder, lambda envelope: envelope | {"payload": base64.b64encode((folder / MANIFEST).read_bytes()).decode()}
    )


def _type_altered(folder, other):
    rewrite(folder, lambda envelope: envelope | {"payloadType": "text/plain"})


def _signature_altered(folder, other):
    rewrite(folder, lambda envelope: envelope | {"signatures": [{**envelope["signatures"][0], "sig": "AAAA"}]})


def _no_signature(folder, other):
    rewrite(folder, lambda envelope: envelope | {"signatures": []})


def _folder_exchanged(folder, other):
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


def rewrite(folder, change):
    (folder / ENVELOPE).write_text(json.dumps(change(json.loads((folder / ENVELOPE).read_text()))))


SPOILT = {
    _unsigned: "is not signed: expected a signature by",
    _garbage: "cannot be read",
    _nested: "cannot be read",
    _of_another: "signs another manifest",
    _payload_altered: "is signed, but not by",
    _type_altered: "signs another manifest",
    _signature_altered: "is signed, but not by",
    _no_signature: "is signed, but not by",
    _folder_exchanged: "holds another artefact",
}


def test_what_the_key_did_not_sign_is_neither_verified_nor_used(toy):
    done(toy.call("first", "CYCLES=1", toy.key)), done(toy.call("first", toy.key))
    here, there, kept = toy.path("first"), toy.path("first", "CYCLES=1"), toy.root / "kept"
    shutil.copytree(here, kept)
    toy.ran()
    for spoil, said in SPOILT.items():
        spoil(here, there)
        refused(toy.call("second", MICROSTAGE_PUBLIC_KEY=str(toy.root / "key.pub")), said)
        shutil.rmtree(here)
        shutil.copytree(kept, here)
    done(toy.call("verify", "STAGE=first", toy.public))
    assert toy.ran() == []


def test_several_keys_may_be_trusted_and_several_may_sign(toy):
    done(toy.call("second", toy.key))
    refused(toy.call("second", toy.other), "is signed, but not by")
    both = f"{toy.public},{toy.root / 'other.pub'}"
    done(toy.call("verify", both))
    done(toy.call("sign", f"SIGNING_KEY={toy.root / 'other.pem'}"))
    done(toy.call("verify", toy.public)), done(toy.call("verify", toy.other))
    assert toy.ran() == ["first", "second"]
    done(toy.call("second", "TIMES=3", toy.public))  # made here and now, so it is used; unsigned, so not again
    refused(toy.call("second", "TIMES=3", toy.public), "is not signed")


def test_what_lies_there_unsigned_is_made_again_and_signed_only_if_it_comes_out_the_same(toy):
    """Else, who takes an envelope away would have his edit signed by the next run."""
    done(toy.call("second"))
    toy.ran()
    assert "is not signed by" in done(toy.call("second", toy.key)) and toy.ran() == ["first", "second"]
    done(toy.call("second", toy.key)), done(toy.call("verify", toy.public))
    assert toy.ran() == []
    for stage, change, name in (("second", edit_metrics, MANIFEST), ("first", edit, "number.txt")):
        folder = toy.path(stage)
        (folder / ENVELOPE).unlink()
        change(folder)
        refused(toy.call("second", toy.key), f"The same key gave different bytes, first in {name}")
        assert not (folder / ENVELOPE).exists()


def test_the_user_may_vouch_for_what_lies_there(toy):
    done(toy.call("second"))
    refused(toy.call("sign"), "SIGNING_KEY= is missing")
    done(toy.call("sign", toy.key)), done(toy.call("second", toy.public))
    assert toy.ran() == ["first", "second"]
    (toy.path("first") / "number.txt").write_text("changed")
    refused(toy.call("sign", toy.key), "number.txt was changed")


def test_a_key_that_is_none_is_one_sentence_before_anything_runs(toy):
    openssl("genpkey", "-algorithm", "RSA", "-out", toy.root / "rsa.pem")
    openssl("pkey", "-in", toy.root / "key.pem", "-aes256", "-passout", "pass:x", "-out", toy.root / "locked.pem")
    keys = {name: (toy.root / f"{name}.pem").read_text() for name in ("key", "other")}
    for name, text in {"two": "".join(keys.values()), "long": "-" * 99999, "binary": "\0\udcff"}.items():
        (toy.root / f"{name}.pem").write_text(text, errors="surrogateescape")
        (toy.root / f"{name}.pem").chmod(0o600)
    shutil.copy(toy.root / "key.pem", toy.root / "open.pem")
    (toy.root / "open.pem").chmod(0o644)
    (toy.root / "key.pub").chmod(0o600)
    for name in ("rsa.pem", "locked.pem", "two.pem", "key.pub"):
        refused(toy.call("second", f"SIGNING_KEY={toy.root / name}"), "does not hold one private Ed25519 key")
    for name in ("key.pem", "long.pem", "binary.pem"):
        refused(toy.call("second", toy.public + f",{toy.root / name}"), f"{name} does not hold one public Ed25519 key")
    refused(toy.call("second", f"SIGNING_KEY={toy.root / 'open.pem'}"), "is open to other users")
    for name in ("none.pem", "stages"):
        refused(toy.call("second", f"{toy.public},{toy.root / name}"), "is no file")
    refused(toy.call("sign", toy.public), "is nothing that `make sign` uses")
    assert toy.ran() == [] and not list((toy.root / "volumes").glob("first*"))


def test_a_signature_that_fails_leaves_nothing_published(toy):
    program = toy.root / "dies-after-the-keys"
    program.write_text("#!/bin/sh\nread keys\necho '{\"unfit\": null}'\n")
    program.chmod(0o755)
    refused(toy.call("first", toy.key, TOY_SIGNING=str(program)), "The program that signs and checks ended")
    assert not list((toy.root / "volumes").glob("first/*"))


def test_signatures_go_out_and_come_home_in_a_bundle(toy, tmp_path):
    for stage in ("first", "second"):
        (toy.root / "stages" / stage / "Dockerfile").write_text("")
    sent, home, away = tmp_path / "sent.tar", f"VOLUMES={tmp_path / 'home'}", f"VOLUMES={tmp_path / 'away'}"
    done(toy.call("pack", "STAGE=second", f"BUNDLE={sent}", home, toy.key))
    done(toy.call("unpack", f"BUNDLE={sent}", away, toy.key))
    [back] = tmp_path.glob("*.artefact.tar")
    refused(toy.call("unpack", f"BUNDLE={back}", home, toy.other), "is signed, but not by")
    assert not list((tmp_path / "home").glob("second/*"))
    done(toy.call("unpack", f"BUNDLE={back}", home, toy.public))
    toy.ran()
    done(toy.call("second", home, toy.public)), done(toy.call("verify", home, toy.public))
    assert toy.ran() == []


def test_signatures_are_pushed_and_pulled_and_what_has_none_is_not_taken(toy):
    with oci_registry.Server() as server:
        registry, there, elsewhere = f"REGISTRY={server.name}", f"VOLUMES={toy.root / 'b'}", f"VOLUMES={toy.root / 'c'}"
        done(toy.call("second"))
        refused(toy.call("push", registry, toy.public), "is not signed")
        assert not server.manifests
        done(toy.call("push", registry))
        refused(toy.call("second", there, registry, toy.public), "is not signed")
        assert not list((toy.root / "b").glob("first/*"))
        done(toy.call("sign", toy.key)), done(toy.call("push", registry, toy.public))
        toy.ran()
        done(toy.call("second", there, registry, toy.public)), done(toy.call("verify", there, toy.public))
        done(toy.call("sign", there, f"SIGNING_KEY={toy.root / 'other.pem'}")), done(toy.call("push", there, registry))
        done(toy.call("pull", elsewhere, registry, toy.public)), done(toy.call("verify", elsewhere, toy.other))
        assert toy.ran() == []
        server.shutdown()


def test_the_commands_of_the_page_do_what_it_says(toy):
    page = (REPOSITORY / "docs" / "trust.md").read_text().split("```\n")[1::2]
    for name in ("key.pem", "key.pub"):
        (toy.root / name).unlink()
    with oci_registry.Server() as server:
        for line in filter(None, "".join(page).splitlines()):
            line = line.replace("registry.example.org", server.name)
            if not line.startswith("make "):
                around = {"SIGNING_KEY_PEM": (toy.root / "other.pem").read_text(), "PATH": "/usr/bin:/bin"}
                subprocess.run(line, shell=True, cwd=toy.root, env=around, check=True, capture_output=True)
                continue
            words = (
                line.replace("streamline", "first").replace("cbackend", "second").replace("=key.", f"={toy.root}/key.")
            )
            done(toy.call(*shlex.split(words, comments=True)[1:]))
        assert any(name.endswith(".dsse") for name in server.manifests)
        server.shutdown()
