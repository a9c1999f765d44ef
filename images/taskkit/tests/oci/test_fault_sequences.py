"""Pushes through random sequences of faults: they get through or fail in one line, and the tag is the old image or the new one.

Each seed is a registry of its own kind (open, basic or bearer; with and without mounts and ranges) with up to six faults
in store, some of which never end. Pauses are counted, not slept.
"""

import base64
import json
import random
from collections import Counter

import pytest

from taskkit.errors import TaskError
from taskkit.oci import uploads
from taskkit.oci.content import bytes_blob
from taskkit.oci.documents import LAYER_TAR, Platform
from taskkit.oci.images import Addition, append, read_base, scratch
from taskkit.oci.publishing import push
from taskkit.oci.references import RegistryReference
from taskkit.oci.repository import Registries
from taskkit.oci.tar_layers import InlineFile, layer
from taskkit.oci.transport import Patience

SEEDS, GROUPS = 320, 8
LARGE = random.Random(0).randbytes(300_000)
STEPS = (("HEAD", "manifests"), ("GET", "manifests"), ("GET", "blobs/"), ("HEAD", "blobs/"), ("POST", "uploads"), ("PUT", "uploads"), ("PATCH", "uploads"), ("GET", "uploads"),
         ("PUT", "manifests"), ("GET", "token"))  # fmt: skip
SECRETS = ("hunter2", "token-", "secret-state", base64.b64encode(b"builder:hunter2").decode())


def image_on(base, content):
    blobs = (layer([InlineFile("models/m", content)]), bytes_blob(LARGE + content, LAYER_TAR))
    return append(base, lambda _: Addition(blobs, ("a", "b"), {}, {}, {}))


def random_fault(dice, fake, other):
    method, path = dice.choice(STEPS)
    what = dice.choice(
        (
            "busy",
            "busy for long",
            "401",
            "drop",
            "cut",
            "digest",
            "location",
            "redirect",
            "slow",
            "token",
            "refusal",
            "lost",
        )
    )
    times = 1000 if dice.random() < 0.1 else dice.randint(1, 3)
    options = {"times": times, "skip": dice.randint(0, 2)}
    if what == "busy":
        options |= {"status": dice.choice((408, 429, 500, 502, 503, 504))}
    elif what == "busy for long":
        options |= {
            "status": 429,
            "headers": {"Retry-After": dice.choice(("0", "3", "3600", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"))},
        }
    elif what == "401":
        options |= {"status": 401, "headers": dice.choice(({}, {"WWW-Authenticate": 'Basic realm="again"'}))}
    elif what == "drop":
        options |= {"drop": dice.choice(("before", "half", "after"))}
    elif what == "cut":
        method, options = "GET", options | {"cut": True}
    elif what == "digest":
        options |= {"digest": "sha256:" + "0" * 64}
    elif what == "location":
        method, path = dice.choice((("POST", "uploads"), ("PATCH", "uploads")))
        change = (
            lambda given: f"http://{fake.host}{given}",
            lambda given: "./" + given.lstrip("/"),
            lambda given: f"http://{other.host}{given}",
        )
        options |= {"location": dice.choice(change)}
    elif what == "redirect":
        method, path = "GET", dice.choice(("blobs/", "manifests"))
        options |= {
            "status": 307,
            "headers": {"Location": f"http://{other.host}/v2/elsewhere/blobs/x?signature=secret-state"},
        }
    elif what == "slow":
        options |= {"slow": 0.002}
    elif what == "token":
        options |= {"refuse_token": True}
    elif what == "refusal":
        options |= {"status": dice.choice((400, 403, 404, 405, 413, 416))}
    else:
        method, path, options = "PUT", "uploads", options | {"status": 404}
    fake.fail(method, path, **options)
    return what if times < 1000 else f"{what} without end"


def run_sequence(seed, make_registry, folder):
    """(outcome, kinds of faults, what was wrong with it). Outcomes: pushed, or the reason that the one line gives."""
    dice, pauses, wrong = random.Random(seed), [], []
    fake, other = make_registry(), make_registry()
    fake.auth, fake.account = dice.choice(("", "basic", "bearer")), "builder:hunter2"
    docker = folder / str(seed)
    docker.mkdir()
    auth = base64.b64encode(fake.account.encode()).decode()
    (docker / "config.json").write_text(json.dumps({"auths": {fake.host: {"auth": auth}}}))

    def repository(path):
        patience = Patience(sleep=pauses.append)
        return Registries(docker, insecure=[fake.host, other.host], patience=patience).repository(
            RegistryReference(fake.host, path)
        )

    old = image_on(scratch(Platform("amd64", "linux")), b"old")
    push(old, repository("base/server"), "v1", "fail")
    has_old = dice.random() < 0.5
    if has_old:
        push(old, repository("team/model"), "v1", "fail")
    fake.mounts, fake.ranges = dice.random() < 0.5, dice.random() < 0.5
    fake.stored.clear()
    fake.requests.clear()
    target = repository("team/model")
    source = repository("base/server")
    kinds = [random_fault(dice, fake, other) for _ in range(dice.randint(1, 6))]
    new = None
    try:
        base = read_base(source, source.fetch("v1")) if dice.random() < 0.5 else scratch(Platform("amd64", "linux"))
        new = image_on(base, b"new")
        push(new, target, "v1", "move")
        outcome = "pushed"
    except TaskError as error:
        outcome = told = str(error)
        if "\n" in told or ";" not in told:
            wrong.append(f"no line with a remedy: {told}")
        if found := [secret for secret in SECRETS if secret in told]:
            wrong.append(f"shows {found}: {told}")
    content = fake.manifests.get(("team/model", "v1"), (b"",))[0]
    possible = {old.root.content if has_old else b"", new.root.content if new else b""}
    if content not in ({new.root.content} if outcome == "pushed" else possible):
        wrong.append("the tag leads to something else")
    if outcome == "pushed" and any(
        fake.blobs.get(("team/model", blob.digest)) != b"".join(blob.read(0)) for blob in new.blobs if not blob.home
    ):
        wrong.append("a blob is not what it should be")
    if twice := [digest for digest, times in fake.stored.items() if times > 1]:
        wrong.append(f"stored twice: {twice}")
    if [one for one in other.requests if "Authorization" in one.headers]:
        wrong.append("credentials went to another host")
    sent = sum(one.size for one in fake.requests)
    if sum(pauses) > 600 or len(fake.requests) > 400 or sent > 20 * len(LARGE):
        wrong.append(f"out of bounds: {sum(pauses):.0f} s of pauses, {len(fake.requests)} requests, {sent} bytes")
    fake.close()
    other.close()
    return outcome, kinds, wrong


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(uploads, "CHUNK_SIZE", 100_000)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("group", [0, *(pytest.param(group, marks=pytest.mark.slow) for group in range(1, GROUPS))])
def test_a_push_through_random_faults_ends_well_or_in_one_line_and_the_tag_is_old_or_new(
    group, make_registry, tmp_path
):
    found, outcomes = [], Counter()
    for seed in range(group, SEEDS, GROUPS):
        outcome, kinds, wrong = run_sequence(seed, make_registry, tmp_path)
        outcomes[outcome == "pushed"] += 1
        found += [f"seed {seed} ({', '.join(kinds)}): {one}" for one in wrong]
    assert found == []
    assert min(outcomes[True], outcomes[False]) >= SEEDS // GROUPS // 8
