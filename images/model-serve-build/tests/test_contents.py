"""What lies where in the image, unpacked with the digests checked."""

import json
import os

import pytest

from model_serve_build.compatibility import BaseFacts, check_base, wheel_problem
from model_serve_build.runtime import Runtime
from taskkit.model_manifest import Environment, Estimator, Source
from taskkit.oci.layout import Layout
from taskkit.oci.unpack import unpack

SERVE = {"code/src/serve.py": b"app = None\n", "code/features.py": b"class F: pass\n", "code/pkg/deep.py": b""}


def unpacked(workspace, tmp_path, layout="image"):
    found = unpack(Layout(workspace.path / layout), tmp_path / "root")
    return found, tmp_path / "root"


def layers_of(workspace, results):
    blobs = workspace.path / "image" / "blobs" / "sha256"
    manifest = json.loads((blobs / results["IMAGE_DIGEST"].partition(":")[2]).read_bytes())
    return [layer["annotations"]["org.opencontainers.image.title"] for layer in manifest["layers"]], manifest


def test_wheels_code_and_model_lie_in_layers_of_their_own(make_workspace, run_build, tmp_path):
    workspace = make_workspace(
        files={**SERVE, "wheels/pure-1.0-py3-none-any.whl": b"PK", "requirements.lock": b"pure==1.0\n"}
    )
    code, results, out, _ = run_build(workspace)
    assert code == 0
    titles, manifest = layers_of(workspace, results)
    assert titles == ["wheels", "code", "model"]
    for layer in manifest["layers"]:
        assert layer["digest"] in out
    found, root = unpacked(workspace, tmp_path)
    for name, entry in workspace.manifest.files.items():
        assert (root / "models" / name).stat().st_size == entry.size
    assert not (root / "app").exists()
    assert found.environment == {"MODEL_DIR": "/models", "MODEL_DIGEST": workspace.digest, "MODEL_NAME": "image"}


def test_an_own_application_finds_model_and_code_in_its_working_directory(make_workspace, run_build, tmp_path):
    estimator = Estimator("a.B", "model.pkl", "pickle", "artifacts/iris.pkl", "classifier")
    workspace = make_workspace(files=SERVE, manifest={"estimator": estimator})
    code, results, _, _ = run_build(workspace, app="src/serve.py:app")
    assert code == 0
    assert layers_of(workspace, results)[0] == ["code", "app", "model"]
    found, root = unpacked(workspace, tmp_path)
    assert (found.environment["APP"], found.config["config"]["WorkingDir"]) == ("src/serve.py:app", "/app")
    links = {
        path.relative_to(root / "app").as_posix(): os.readlink(path)
        for path in (root / "app").rglob("*")
        if path.is_symlink()
    }
    assert links == {
        "artifacts/iris.pkl": "../../models/model.pkl", "src/serve.py": "../../models/code/src/serve.py",
        "features.py": "../models/code/features.py", "pkg/deep.py": "../../models/code/pkg/deep.py",
    }  # fmt: skip
    for name in links:
        assert (root / "app" / name).is_file()


@pytest.mark.parametrize(("app", "exit_code", "message"), [
    ("src/other.py:app", 2, "the model directory has no code/src/other.py; give the file to sklearn-train's param include"),
    ("src/serve.py", 2, "is not FILE.py:NAME"), ("serve:app", 2, "is not FILE.py:NAME"), ("src/serve.py:", 2, "is not FILE.py:NAME"),
    ("../serve.py:app", 2, "has no code/../serve.py"),
])  # fmt: skip
def test_an_application_that_is_not_there_is_named(make_workspace, run_build, app, exit_code, message):
    code, _, _, err = run_build(make_workspace(files=SERVE), app=app)
    assert code == exit_code
    assert message in err


def test_a_model_named_like_a_code_file_is_refused_with_app(make_workspace, run_build):
    estimator = Estimator("a.B", "model.pkl", "pickle", "features.py", "classifier")
    code, _, _, err = run_build(make_workspace(files=SERVE, manifest={"estimator": estimator}), app="src/serve.py:app")
    assert code == 3
    assert "features.py is also that of a file in code/" in err


def test_labels_lead_back_to_gate_data_and_commit_and_hold_no_path_of_the_machine(workspace, run_build):
    _, results, _, _ = run_build(workspace, model_name="iris")
    _, manifest = layers_of(workspace, results)
    blobs = workspace.path / "image" / "blobs" / "sha256"
    config = json.loads((blobs / manifest["config"]["digest"].partition(":")[2]).read_bytes())
    labels = config["config"]["Labels"]
    assert labels == manifest["annotations"]
    assert labels["org.opencontainers.image.revision"] == workspace.manifest.source.commit
    assert labels["org.opencontainers.image.source"] == "https://git.example/team/iris.git"
    assert labels["dev.sklearn-catalog.gate.report"] == workspace.approval
    assert labels["dev.sklearn-catalog.gate.verdict"] == "pass"
    assert labels["dev.sklearn-catalog.dataset.sha256"] == "0" * 64
    assert labels["dev.sklearn-catalog.model.name"] == "iris"
    assert config["created"] == "1970-01-01T00:00:00Z"
    assert str(workspace.path) not in json.dumps([manifest, config])


@pytest.mark.parametrize(("image", "expected"), [
    ("oci-layout:out:{commit}", "oci-layout:out:0123456789abcdef0123456789abcdef01234567"),
    ("oci-layout:out:{short-commit}", "oci-layout:out:0123456"), ("oci-layout:{model-digest}", None),
])  # fmt: skip
def test_placeholders_are_filled_in(workspace, run_build, image, expected):
    code, results, _, _ = run_build(workspace, image=image)
    assert code == 0
    assert results["IMAGE_URL"] == (expected or f"oci-layout:{workspace.digest.partition(':')[2]}")


@pytest.mark.parametrize(("image", "message"), [
    ("ghcr.io/a/b:{commit}", "asks for {commit}, but the model was not trained in a git checkout; use {model-digest} instead"),
    ("ghcr.io/a/b:{version}", "has the placeholder {version}; these are filled in: {commit}, {short-commit}, {model-digest}"),
    ("ghcr.io/a/b", "has no tag; add one, for example ghcr.io/a/b:{model-digest}"),
    ("ghcr.io/a/B:v1", "has the repository 'a/B'"), ("ghcr.io/a/b@sha256:" + "0" * 64, "which is known only when the image is made"),
])  # fmt: skip
def test_an_image_name_that_can_not_be_used_says_what_to_write(make_workspace, run_build, image, message):
    code, _, _, err = run_build(make_workspace(manifest={"source": Source()}), image=image)
    assert code == 2
    assert message in err


def test_a_dirty_checkout_is_a_warning(make_workspace, run_build):
    source = Source("", "0123456789abcdef0123456789abcdef01234567", True)
    code, _, out, _ = run_build(make_workspace(manifest={"source": source}))
    assert code == 0
    assert "warning: the model was trained from a dirty checkout" in out


def facts(python="3.13.2", libc="glibc", machine="x86_64", **packages):
    return BaseFacts(python, {"scikit-learn": "1.9.1", "numpy": "2.4.6"} | packages, libc, machine, "base")


@pytest.mark.parametrize(("wheel", "base", "problem"), [
    ("a-1-py3-none-any.whl", facts(), ""), ("a-1-py2.py3-none-any.whl", facts(), ""), ("a-1-py38-none-any.whl", facts(), ""),
    ("a-1-cp313-cp313-manylinux_2_28_x86_64.whl", facts(), ""), ("a-1-cp313-cp313-linux_x86_64.whl", facts(), ""),
    ("a-1-2-cp39-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", facts(), ""), ("a-1-py3-none-manylinux1_x86_64.whl", facts(), ""),
    ("a-1-cp313-cp313-musllinux_1_2_x86_64.whl", facts(libc="musl"), ""), ("a-1-cp313-cp313-manylinux_2_28_aarch64.whl", facts(machine="aarch64"), ""),
    ("a-1-cp312-cp312-manylinux_2_28_x86_64.whl", facts(), "is for cp312-cp312, the base has Python 3.13.2"),
    ("a-1-cp313-cp313t-manylinux_2_28_x86_64.whl", facts(), "is for cp313-cp313t"), ("a-1-py314-none-any.whl", facts(), "is for py314-none"),
    ("a-1-cp314-abi3-manylinux_2_28_x86_64.whl", facts(), "is for cp314-abi3"), ("a-1-pp310-pypy310_pp73-any.whl", facts(), "is for pp310"),
    ("a-1-cp313-cp313-manylinux_2_28_aarch64.whl", facts(), "the base is x86_64 with glibc"),
    ("a-1-cp313-cp313-musllinux_1_2_x86_64.whl", facts(), "is for musllinux_1_2_x86_64"), ("a-1-cp313-cp313-win_amd64.whl", facts(), "is for win_amd64"),
    ("a.whl", facts(), "is not named like a wheel"),
])  # fmt: skip
def test_compiled_wheels_must_fit_the_base(wheel, base, problem):
    found = wheel_problem(wheel, base)
    assert (problem in found) if problem else found == ""


@pytest.mark.parametrize(("base", "problem"), [
    ({"scikit-learn": "1.9.2"}, "scikit-learn 1.9.2, training had 1.9.1"), ({"numpy": "3.0"}, "another major version"),
    ({"numpy": "2.3.9"}, "is older than training's 2.4.6"), ({"numpy": "2.4.0"}, ""), ({"numpy": "2.5.0"}, ""),
    ({"scikit-learn": "1.9.1.post1"}, "scikit-learn 1.9.1.post1"),
])  # fmt: skip
def test_the_version_rules(workspace, base, problem):
    import msgspec

    environment = Environment(
        "3.13.1", "linux-x86_64-glibc", {"scikit-learn": "1.9.1", "numpy": "2.4.6", "scipy": "1.17"}
    )
    manifest = msgspec.structs.replace(workspace.manifest, environment=environment)
    base = facts(**base)
    if problem:
        with pytest.raises(Exception, match=problem):
            check_base(manifest, base, Runtime("sklearn", "", "base"))
    else:
        assert len(check_base(manifest, base, Runtime("sklearn", "", "base"))) == 1


def test_a_base_that_does_not_say_what_is_in_it_is_refused(workspace, run_build, tmp_path):
    from taskkit.oci.documents import Platform
    from taskkit.oci.images import Addition, append, scratch
    from taskkit.oci.publishing import write_to_layout

    image = append(scratch(Platform("amd64", "linux")), lambda _: Addition((), (), {}, {}, {}))
    write_to_layout(image, Layout(tmp_path / "base"), "", "fail")
    code, _, _, err = run_build(workspace, base_image=f"oci-layout:{tmp_path / 'base'}")
    assert code == 3
    assert "has no label dev.sklearn-catalog.python" in err
    code, _, _, err = run_build(workspace, base_image=f"oci-layout:{tmp_path / 'nothing'}")
    assert code == 3
    assert "there is no such image in the layout; it has: nothing" in err
