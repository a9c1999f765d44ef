"""Registries that refuse, break off or can't be reached, as a build says it: exit code 3, one line, the tag untouched."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from failing import record

from catalog.tree import TREE
from model_serve_build.command import PROGRAM, work
from taskkit import command_line
from taskkit.oci import transport

sys.path.insert(0, str(TREE.root / "images" / "taskkit" / "tests" / "oci"))

from fake_registry import FakeRegistry

PASSWORD = "correct-horse"


@dataclass(frozen=True)
class Refusal:
    name: str
    said: str
    """A regular expression for the whole line after ``model-serve-build: error: ``."""
    break_it: Callable[[FakeRegistry], object]


def fails(method: str, path: str, **what: object) -> Callable[[FakeRegistry], object]:
    return lambda fake: fake.fail(method, path, times=1000, **what)


def asks(kind: str, account: str) -> Callable[[FakeRegistry], None]:
    def setup(fake: FakeRegistry) -> None:
        fake.auth, fake.account = kind, account

    return setup


REFUSALS = [
    Refusal("wrong password", r".*: 401; it refused the credentials of .*config\.json; use an account that may do this", asks("basic", "builder:another")),
    Refusal("wrong password for a token", r".*: 401 incorrect username or password; it refused the "
            r"credentials of .*config\.json; use an account that may do this",
            asks("bearer", "builder:another")),
    Refusal("no right to push", r".*: 403 FAULT on demand; .*", fails("POST", "uploads", status=403)),
    Refusal("no such repository", r".*: 404 FAULT on demand; .*", fails("POST", "uploads", status=404)),
    Refusal("too many requests, without end", r".*: 429 FAULT on demand; .*", fails("POST", "uploads", status=429)),
    Refusal("internal error, without end", r".*: 500; the registry is busy or broken; run again later", fails("HEAD", "manifests", status=500)),
    Refusal("bad gateway, without end", r".*: 502 FAULT on demand; .*", fails("PUT", "uploads", status=502)),
    Refusal("layers too large for it", r".*: 413 FAULT on demand; .*", fails("PUT", "uploads", status=413)),
    Refusal("connection breaks off, without end", r".* failed: .*; .*", fails("PUT", "uploads", drop="half")),
    Refusal("digest of what was sent differs", r".*sha256:0{64}.*; .*", fails("PUT", "manifests", digest="sha256:" + "0" * 64)),
    Refusal("redirects without end", r".* is redirected more than 5 times; mend the registry's address",
            fails("HEAD", "manifests", status=307, headers={"Location": "/v2/team/model/manifests/v1"})),
    Refusal("not there", r".* failed: .*Connection refused.*; check that the registry is up and can be reached from here",
            FakeRegistry.close),
]  # fmt: skip


@pytest.fixture
def fake():
    made = FakeRegistry()
    yield made
    made.close()


@pytest.fixture
def _no_pauses(monkeypatch):
    monkeypatch.setattr(transport.Patience.__init__, "__defaults__", (6, 0.5, 30.0, 120.0, lambda _: None))


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_a_registry_that_does_not_take_the_image(refusal, fake, gated, tmp_path, monkeypatch, capfd):
    project = tmp_path / "project"
    shutil.copytree(gated, project)
    (project / "docker").mkdir()
    auth = base64.b64encode(f"builder:{PASSWORD}".encode()).decode()
    (project / "docker" / "config.json").write_text(json.dumps({"auths": {fake.host: {"auth": auth}}}))
    refusal.break_it(fake)
    monkeypatch.chdir(project)
    options = [f"--approval={(gated / 'approval').read_text()}", f"--image={fake.host}/team/model:v1", "--base-image=",
               f"--dockerconfig={project / 'docker'}", "--insecure-registries", fake.host]  # fmt: skip
    code = command_line.run(PROGRAM, work, options)
    told = capfd.readouterr()
    assert code == 3, told.err
    (line,) = told.err.splitlines()
    assert re.fullmatch(refusal.said, line.removeprefix("model-serve-build: error: ")), line
    assert PASSWORD not in told.out + told.err
    assert auth not in told.out + told.err
    assert ("team/model", "v1") not in fake.manifests or refusal.name.startswith("digest")
    record(code, line)
