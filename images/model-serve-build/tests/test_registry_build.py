"""Builds pushed to Debian's docker-registry, with and without credentials, read back by skopeo and umoci."""

import base64
import gzip
import hashlib
import io
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request

import msgspec
import numpy as np
import pytest
from sklearn import __version__ as sklearn_version

from counted_traffic import CountedTraffic
from taskkit.environment import installed_packages, python_version
from taskkit.gate_report import approval_of, parse_report
from taskkit.model_directory import file_entries
from taskkit.oci.content import bytes_blob
from taskkit.oci.documents import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Index, Manifest, Platform, document
from taskkit.oci.images import Image
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import push, write_to_layout
from taskkit.oci.references import parse_registry_reference
from taskkit.oci.repository import Registries

PACKAGES = {
    name: version
    for name, version in installed_packages().items()
    if name in ("scikit-learn", "numpy", "scipy", "pandas")
}
PARTS = ("docker-registry", "skopeo", "umoci")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PARTS)), reason=f"needs {', '.join(PARTS)} (Debian packages of these names)"
)
# bcrypt of "secret"; the registry accepts nothing else
HTPASSWD = "builder:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_registry(folder, extra=""):
    port = free_port()
    folder.mkdir()
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: false}}}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{extra}"
    )
    log = (folder / "log").open("wb")
    process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5)
            break
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.05)
    return process, f"127.0.0.1:{port}", folder / "log"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    process, address, _ = start_registry(tmp_path_factory.mktemp("registry") / "open")
    yield address
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def locked_registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("locked")
    (folder / "htpasswd").write_text(HTPASSWD)
    process, address, log = start_registry(
        folder / "data", f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n"
    )
    yield address, log
    process.terminate()
    process.wait()


def gzip_layer(name: str, content: bytes):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    packed = gzip.compress(plain.getvalue(), mtime=0)
    return bytes_blob(packed, LAYER_GZIP), "sha256:" + hashlib.sha256(plain.getvalue()).hexdigest()


def base_image(architectures=("amd64",), python=None, packages=None, layers=1, layer_size=0, **labels) -> Image:
    """A base with labels as the images command sets them; an index where there are several platforms."""
    made = [gzip_layer(f"etc/base{at or ''}", b"base" + os.urandom(layer_size)) for at in range(layers)]
    diff_ids = [diff_id for _, diff_id in made]
    told = {"dev.sklearn-catalog.python": python or python_version(), "dev.sklearn-catalog.packages": json.dumps(PACKAGES | (packages or {})),
            "org.opencontainers.image.title": "server", **labels}  # fmt: skip
    children, blobs = [], [layer for layer, _ in made]
    for architecture in architectures:
        config = document({
            "architecture": architecture, "os": "linux", "created": "2024-01-01T00:00:00Z", "history": [{"created_by": "base"}] * layers,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "config": {"Env": ["PATH=/bin", "MODEL_NAME=base"], "Labels": told, "Entrypoint": ["/bin/server"], "User": "1001"},
        }, CONFIG)  # fmt: skip
        blobs.append(bytes_blob(config.content, CONFIG))
        children.append(
            document(
                Manifest(
                    config=config.descriptor, media_type=MANIFEST, layers=tuple(layer.descriptor for layer, _ in made)
                ),
                MANIFEST,
            )
        )
    if len(children) == 1:
        return Image(children[0], (), tuple(blobs))
    entries = tuple(
        msgspec.structs.replace(child.descriptor, platform=Platform(architecture, "linux"))
        for child, architecture in zip(children, architectures, strict=True)
    )
    return Image(document(Index(media_type=INDEX, manifests=entries), INDEX), tuple(children), tuple(blobs))


@pytest.fixture
def pushed_base(registry):
    def make(**options):
        image = base_image(**options)
        reference = parse_registry_reference(f"{registry}/base/server:{image.digest[7:19]}", "base")
        push(image, Registries().repository(reference), reference.tag, "fail")
        return str(reference.at(image.digest))

    return make


def inspect(reference, *options):
    command = ["skopeo", "inspect", "--tls-verify=false", *options, f"docker://{reference}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def test_a_model_on_a_base_of_the_same_registry_is_pushed_and_read_by_skopeo_and_umoci(
    workspace, run_build, registry, pushed_base, tmp_path
):
    base = pushed_base()
    reference = f"{registry}/team/iris:{{short-commit}}"
    code, results, out, err = run_build(workspace, image=reference, base_image=base)
    assert (code, err) == (0, "")
    assert results["IMAGE_URL"] == f"{registry}/team/iris:0123456"
    assert "1 were mounted" in out
    seen = inspect(results["image"].replace(":0123456@", "@"))
    assert seen["Digest"] == results["IMAGE_DIGEST"]
    assert seen["Labels"]["org.opencontainers.image.base.digest"] == base.rpartition("@")[2]
    assert seen["Labels"]["org.opencontainers.image.base.name"] == base.partition("@")[0]
    assert seen["Labels"]["org.opencontainers.image.title"] == "iris"
    assert seen["Labels"]["dev.sklearn-catalog.model.metrics"] == '{"accuracy":0.96}'
    assert [line for line in seen["Env"] if line.startswith("MODEL_NAME")] == ["MODEL_NAME=iris"]
    config = inspect(results["IMAGE_URL"], "--config")
    assert (config["config"]["Entrypoint"], config["config"]["User"]) == (["/bin/server"], "1001")
    assert [line["created_by"] for line in config["history"]] == ["base", "model-serve-build: model"]
    layout = tmp_path / "layout"
    copy = ["skopeo", "copy", "--src-tls-verify=false", f"docker://{results['IMAGE_URL']}", f"oci:{layout}:v1"]
    subprocess.run(copy, check=True, capture_output=True)
    unpack = ["umoci", "unpack", "--rootless", "--image", f"{layout}:v1", tmp_path / "bundle"]
    subprocess.run(unpack, check=True, capture_output=True)
    root = tmp_path / "bundle" / "rootfs"
    assert (root / "etc" / "base").read_bytes() == b"base"
    assert (root / "models" / "model.pkl").read_bytes() == (workspace.model / "model.pkl").read_bytes()


def test_pushing_the_same_image_again_pushes_nothing_and_says_so(workspace, run_build, registry, pushed_base):
    base, image = pushed_base(), f"{registry}/team/again:v1"
    first = run_build(workspace, image=image, base_image=base)
    second = run_build(workspace, image=image, base_image=base)
    assert second[1] == first[1]
    assert "unchanged the same image was there already; nothing was written" in second[2]


def test_an_existing_tag_is_protected_kept_or_moved_as_asked(make_workspace, run_build, registry):
    image = f"{registry}/team/tags:v1"
    one, other = make_workspace(folder="one"), make_workspace(manifest={"metrics": {"accuracy": 0.97}}, folder="other")
    first = run_build(one, image=image)[1]["IMAGE_DIGEST"]
    code, _, _, err = run_build(other, image=image)
    assert code == 3
    assert f"{image} is there already with digest {first}" in err
    code, results, out, _ = run_build(other, image=image, on_existing_tag="keep")
    assert (code, results["IMAGE_DIGEST"]) == (0, first)
    assert "stays as it is; nothing was written" in out
    assert results["model-digest"] == ""
    moved = run_build(other, image=image, on_existing_tag="move")[1]["IMAGE_DIGEST"]
    assert inspect(image)["Digest"] == moved != first


def test_a_base_for_several_platforms_gives_an_index_with_the_same_model_layers(
    workspace, run_build, registry, pushed_base
):
    base = pushed_base(architectures=("amd64", "arm64"))
    code, results, out, _ = run_build(workspace, image=f"{registry}/team/multi:v1", base_image=base)
    assert code == 0
    assert "linux/amd64, linux/arm64" in out
    index = inspect(results["IMAGE_URL"], "--raw")
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["amd64", "arm64"]
    layers = [
        [layer["digest"] for layer in inspect(f"{registry}/team/multi@{entry['digest']}", "--raw")["layers"]]
        for entry in index["manifests"]
    ]
    assert layers[0] == layers[1]
    for architecture in ("amd64", "arm64"):
        labels = inspect(results["IMAGE_URL"], f"--override-arch={architecture}")["Labels"]
        assert labels["dev.sklearn-catalog.model.digest"] == workspace.digest


def test_a_base_in_a_layout_is_pushed_with_its_blobs(workspace, run_build, registry, tmp_path):
    write_to_layout(base_image(), Layout(tmp_path / "base"), "", "fail")
    code, results, _, _ = run_build(
        workspace, image=f"{registry}/team/fromlayout:v1", base_image=f"oci-layout:{tmp_path / 'base'}"
    )
    assert code == 0
    labels = inspect(results["IMAGE_URL"])["Labels"]
    assert labels["org.opencontainers.image.base.digest"] == base_image().digest
    assert "org.opencontainers.image.base.name" not in labels


def test_layout_and_registry_get_the_same_digest(workspace, run_build, registry, tmp_path):
    write_to_layout(base_image(), Layout(tmp_path / "base"), "", "fail")
    base = f"oci-layout:{tmp_path / 'base'}"
    here = run_build(workspace, image="oci-layout:same", base_image=base)[1]["IMAGE_DIGEST"]
    assert run_build(workspace, image=f"{registry}/team/same:v1", base_image=base)[1]["IMAGE_DIGEST"] == here


def docker_config(folder, registry, name="config.json", password="secret"):
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(f"builder:{password}".encode()).decode()
    (folder / name).write_text(json.dumps({"auths": {f"https://{registry}": {"auth": auth}}}))
    return str(folder)


@pytest.mark.parametrize("name", ["config.json", ".dockerconfigjson"])
def test_credentials_of_the_docker_config_are_used_and_never_shown(
    workspace, run_build, locked_registry, tmp_path, name
):
    address, log = locked_registry
    folder = docker_config(tmp_path / "docker", address, name)
    code, results, out, err = run_build(workspace, image=f"{address}/team/iris:{name.strip('.')}", dockerconfig=folder)
    assert (code, err) == (0, "")
    assert results["IMAGE_DIGEST"].startswith("sha256:")
    assert "secret" not in out
    assert b"secret" not in log.read_bytes()


def test_wrong_and_missing_credentials_say_which_and_what_to_do(
    workspace, run_build, locked_registry, tmp_path, monkeypatch
):
    address, _ = locked_registry
    folder = docker_config(tmp_path / "docker", address, password="wrong-password")
    code, _, out, err = run_build(workspace, image=f"{address}/team/iris:v1", dockerconfig=folder)
    assert code == 3
    assert f": 401; it refused the credentials of {folder}/config.json" in err
    assert "wrong-password" not in out + err
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    code, _, _, err = run_build(workspace, image=f"{address}/team/iris:v1")
    assert code == 3
    assert f"there are no credentials for {address}; bind the workspace dockerconfig" in err


def test_a_registry_that_is_not_there_is_one_clear_line(workspace, run_build, monkeypatch):
    monkeypatch.setattr("taskkit.oci.transport.Patience.pause", lambda *_: None)
    code, _, _, err = run_build(workspace, image=f"127.0.0.1:{free_port()}/team/iris:v1")
    assert code == 3
    assert "Connection refused; check that the registry is up and can be reached from here" in err
    assert len(err.splitlines()) == 1


def test_a_base_that_is_not_there_is_named(workspace, run_build, registry):
    code, _, _, err = run_build(workspace, image=f"{registry}/team/x:v1", base_image=f"{registry}/base/missing:v1")
    assert code == 3
    assert "could not give" in err
    assert "base/missing (v1): 404 MANIFEST_UNKNOWN" in err


@pytest.mark.parametrize(("base", "reason"), [
    ({"packages": {"scikit-learn": "0.1"}}, f"scikit-learn 0.1, training had {sklearn_version}"),
    ({"packages": {"numpy": "99.0"}}, "numpy 99.0 is another major version"),
    ({"packages": {"numpy": "2.0.1"}}, "numpy 2.0.1 is older than training's"),
])  # fmt: skip
def test_a_base_that_does_not_fit_is_refused_before_anything_is_pushed(
    workspace, run_build, registry, pushed_base, base, reason
):
    code, _, _, err = run_build(workspace, image=f"{registry}/team/skew:v1", base_image=pushed_base(**base))
    assert code == 3
    assert f"does not fit the model: {reason}" in err
    assert Registries().repository(parse_registry_reference(f"{registry}/team/skew:v1", "x")).digest_of_tag("v1") == ""


def test_other_differences_are_warnings(workspace, run_build, registry, pushed_base):
    base = pushed_base(packages={"scipy": "99.0"}, python="3.99.0")
    code, _, out, _ = run_build(workspace, image=f"{registry}/team/warned:v1", base_image=base)
    assert code == 0
    assert "warning: the base has Python 3.99.0, training had" in out
    assert "warning: the base has scipy 99.0, training had" in out


def test_a_build_on_a_base_of_the_same_registry_moves_no_byte_of_the_base(workspace, run_build, registry, pushed_base):
    traffic = CountedTraffic(registry)
    base = pushed_base(layers=4, layer_size=3_000_000).replace(registry, traffic.address)
    image = f"{traffic.address}/team/few"
    code, _, out, err = run_build(workspace, image=f"{image}:v1", base_image=base)
    assert (code, err) == (0, "")
    assert "4 were mounted" in out
    assert traffic.sent + traffic.received < 60_000
    assert len(traffic.requests) <= 12, traffic.requests
    assert [path for path in traffic.requests if "blobs/sha256" in path] == [
        f"/v2/base/server/blobs/{config_digest(base, registry, traffic.address)}"
    ]
    traffic.reset()
    code, _, out, _ = run_build(workspace, image=f"{image}:v1", base_image=base)
    assert code == 0
    assert "unchanged the same image was there already; nothing was written" in out
    assert len(traffic.requests) <= 3, traffic.requests
    traffic.reset()
    code, _, out, _ = run_build(workspace, image=f"{image}:v2", base_image=base)
    assert code == 0
    assert "1 blobs were there already, 4 were mounted" in out
    traffic.close()


def config_digest(base, registry, address):
    return inspect(base.replace(address, registry), "--raw")["config"]["digest"]


@pytest.mark.slow
def test_a_gigabyte_is_streamed(make_workspace, registry, pushed_base, tmp_path):
    made = make_workspace()
    with (made.model / "model.pkl").open("wb") as file:
        pickle.dump(np.zeros(1_000_000_000, dtype=np.uint8), file)
    manifest = msgspec.structs.replace(made.manifest, files=file_entries(made.model))
    (made.model / "model.json").write_bytes(manifest.to_json())
    report = msgspec.structs.replace(parse_report(made.report.read_bytes(), ""), model_digest=manifest.digest).to_json()
    made.report.write_bytes(report)
    command = [sys.executable, "-m", "model_serve_build", f"--approval={approval_of(report)}",
               f"--image={registry}/team/large:v1", f"--base-image={pushed_base()}"]  # fmt: skip
    # Started from a small process: memory counts from before a process becomes another program.
    measuring = ("import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
                 "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", measuring, *command], cwd=made.path, check=True, capture_output=True)
    assert int(done.stdout) * 1024 < 150e6
