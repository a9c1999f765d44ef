"""The images that ./scripts/images built, run as a strict cluster runs them: a random user of group 0, no writable file
system but /tmp, no capability. Without a container engine: their file systems are unpacked and entered."""

import json
import os
import re
import shutil
import subprocess
import urllib.request
from contextlib import contextmanager

import pytest

from catalog import images
from catalog.tree import TREE

BUILT = [name for name in images.programs() if (TREE.layout(name) / "index.json").is_file()]
USER = "1000730000:0"
ENTER = """
mkdir -p "$1/dev/shm" && mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount -t proc proc "$1/proc" &&
mount -t tmpfs tmpfs "$1/tmp" && mount -t tmpfs tmpfs "$1/dev/shm" || exit 99
root=$1; shift; exec chroot --userspec=%s --groups= "$root" "$@"
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "skopeo", "umoci"))),
        reason="needs root, unshare, skopeo and umoci",
    ),
]


def entered(root, environment, *command):
    """A command line that runs another one in a file system."""
    own = [f"{name}={value}" for name, value in environment.items()]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER % USER, "enter", str(root),
            "/usr/bin/env", "-i", *own, *command]  # fmt: skip


def unpacked(layout, folder):
    """The file system of the image in a layout, and its config."""
    copy = ["skopeo", "copy", "--quiet", f"oci:{layout}", f"oci:{folder}/copy:image"]
    subprocess.run(copy, check=True, capture_output=True)
    subprocess.run(
        ["umoci", "unpack", "--image", f"{folder}/copy:image", folder / "bundle"], check=True, capture_output=True
    )
    shown = subprocess.run(
        ["skopeo", "inspect", "--config", f"oci:{folder}/copy:image"], check=True, capture_output=True
    )
    return folder / "bundle" / "rootfs", json.loads(shown.stdout)["config"]


def environment_of(config):
    return dict(line.split("=", 1) for line in config["Env"])


@pytest.mark.parametrize("name", BUILT)
def test_any_user_learns_version_and_environment_and_finds_no_configuration_of_pip(tmp_path, name):
    root, config = unpacked(TREE.layout(name), tmp_path)
    [program] = config["Entrypoint"]
    command = entered(root, environment_of(config), program, "--version")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{program} {images.project(name)['version']}\nPython 3.")
    assert "  sklearn-catalog-taskkit " in done.stdout
    assert config["User"] == "65532:0"
    left = [path for path in root.rglob("*") if path.name in {"pip.conf", ".pip", ".netrc", "config.json", ".docker"}]
    assert left == []
    packages = next((root / "opt/venv/lib").glob("python3.*/site-packages"))
    assert [path.name for part in ("numpy", "scipy", "sklearn", "pandas") for path in (packages / part).rglob("tests")
            if path != packages / "numpy/_core/tests"] == []  # fmt: skip


@contextmanager
def served(root, environment):
    command = entered(root, environment, *["model-server", "--host", "127.0.0.1", "--port", "0"])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"ready: .*(http://\S+)", line):
                yield process, found[1], lines
                break
        else:
            raise AssertionError(lines)
    finally:
        process.terminate()
        assert process.wait(60) == 0, lines


@pytest.mark.parametrize(("base", "runtime", "engine"), [("model-server", "sklearn", "scikit-learn 1."),
                                                         ("model-server-onnx", "onnx", "ONNX Runtime 1.")])  # fmt: skip
def test_an_approved_model_on_a_base_serves_by_itself(tmp_path, base, runtime, engine):
    if base not in BUILT:
        pytest.skip(f"./scripts/images build {base}")
    shutil.copytree(TREE.root / "test" / "projects" / "iris", tmp_path / "project")
    project = tmp_path / "project"
    (tmp_path / "approval").touch()

    def run(program, *options):
        subprocess.run([TREE.environment(program) / program, *options], cwd=project, check=True, capture_output=True)

    run("sklearn-train", "--dataset=data/iris.csv")
    run("metric-gate", "--rules=accuracy: {min: 0.5}", "--result", f"approval={tmp_path / 'approval'}")
    run("model-serve-build", f"--approval={(tmp_path / 'approval').read_text()}", "--image=oci-layout:image",
        f"--runtime={runtime}", f"--base-image=oci-layout:{TREE.layout('model-server')}",
        f"--base-image-onnx=oci-layout:{TREE.layout('model-server-onnx')}")  # fmt: skip
    root, config = unpacked(project / "image", tmp_path)
    environment = environment_of(config)
    assert config["Labels"]["dev.sklearn-catalog.runtime"] == runtime
    with served(root, environment) as (_, url, lines):
        golden = json.loads((project / "model" / "golden.json").read_text())
        names = [
            column["name"]
            for column in json.loads((project / "model" / "model.json").read_text())["signature"]["columns"]
        ]
        rows = [dict(zip(names, row, strict=True)) for row in golden["rows"]]
        request = urllib.request.Request(f"{url}/predict", json.dumps(rows).encode(), {"Content-Type": "application/json"})  # fmt: skip
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            assert json.loads(answer.read())["predictions"] == golden["predictions"]
        assert engine in lines[-1]
        assert "warning" not in "".join(lines)
    trail = subprocess.run(entered(root, environment, "model-server", "--explain"), check=True,
                           capture_output=True, text=True).stdout  # fmt: skip
    assert environment["MODEL_DIGEST"] in trail
    assert (tmp_path / "approval").read_text() in trail
    assert not (root / "models" / "__pycache__").exists()
