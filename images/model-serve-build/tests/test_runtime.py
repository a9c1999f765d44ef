"""Which base an approved model goes onto, and that the image says why."""

import json

import msgspec
import pytest

from model_serve_build.runtime import chosen_runtime
from taskkit.environment import installed_packages
from taskkit.errors import TaskError, UsageError
from taskkit.model_manifest import FileEntry, GoldenSummary, Onnx
from taskkit.model_signature import Column, Outputs, Signature
from taskkit.oci.documents import Platform
from taskkit.oci.images import Addition, append, read_base, scratch
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import write_to_layout

SIGNATURE = Signature(
    "dataframe",
    "fit",
    (Column("x", "float64", "number", False),),
    Outputs("classifier", "int64", "integer", 1, (0, 1), True),
)
PROVED = {"onnx": Onnx("proved", "", 466, 2.2e-16, 1e-9), "signature": SIGNATURE, "signature_reason": ""}
BASES = {"base": "full", "onnx_base": "lean", "app": ""}


@pytest.fixture
def converted(make_workspace):
    files = {"model.onnx": FileEntry("0" * 64, 1)}
    return msgspec.structs.replace(make_workspace(folder="converted").manifest, files=files, **PROVED)


def test_a_model_that_was_proved_equal_needs_no_scikit_learn(converted):
    found = chosen_runtime("auto", converted, **BASES)
    assert (found.name, found.base, found.param, found.engine) == ("onnx", "lean", "base-image-onnx", "")
    assert found.reason == "model.onnx is proved equal on 466 rows, largest difference 2.2e-16"


@pytest.mark.parametrize(("changes", "reason"), [
    ({"onnx": Onnx("skipped", "no converter for SplineTransformer")}, "no converter for SplineTransformer"),
    ({"onnx": Onnx("off")}, "there is no model.onnx that training proved equal"),
    ({"files": {}}, "there is no model.onnx that training proved equal"),
    ({"signature": None, "signature_reason": "no fit was observed"}, "its columns are not known (no fit was observed)"),
    ({"golden": GoldenSummary(3, False, "row 1 differs")}, "the model does not answer the same twice: row 1 differs"),
])  # fmt: skip
def test_what_could_not_be_served_by_the_server_either_stays_with_scikit_learn(converted, changes, reason):
    changed = msgspec.structs.replace(converted, **changes)
    found = chosen_runtime("auto", changed, **BASES)
    assert (found.name, found.base, found.param, found.reason) == ("sklearn", "full", "base-image", reason)
    with pytest.raises(TaskError) as refused:
        chosen_runtime("onnx", changed, **BASES)
    assert str(refused.value).startswith(f"runtime is 'onnx', but the model can't be served by ONNX Runtime: {reason}")


def test_code_of_the_project_is_served_with_scikit_learn(converted):
    found = chosen_runtime("auto", converted, **(BASES | {"app": "src/serve.py:app"}))
    assert (found.name, found.base) == ("sklearn", "full")
    with pytest.raises(UsageError, match=r"runtime is 'onnx', but app is code of the project"):
        chosen_runtime("onnx", converted, **(BASES | {"app": "src/serve.py:app"}))


def test_scikit_learn_that_was_asked_for_answers_although_a_faster_engine_could(converted):
    found = chosen_runtime("sklearn", converted, **BASES)
    assert (found.name, found.base, found.engine, found.reason) == ("sklearn", "full", "sklearn", "asked for")


@pytest.mark.parametrize("asked", ["auto", "onnx", "sklearn"])
def test_without_a_base_the_image_holds_the_model_alone(converted, asked):
    assert chosen_runtime(asked, converted, base="", onnx_base="lean", app="").base == ""


def test_without_a_lean_base_the_other_one_serves_converted_models_too(converted):
    found = chosen_runtime("auto", converted, base="full", onnx_base="", app="")
    assert (found.name, found.base, found.reason) == ("sklearn", "full", "base-image-onnx is empty")
    found = chosen_runtime("onnx", converted, base="full", onnx_base="", app="")
    assert (found.name, found.base, found.engine) == ("onnx", "full", "")


def base_in(folder, packages):
    labels = {"dev.sklearn-catalog.python": "3.13.2", "dev.sklearn-catalog.packages": json.dumps(packages)}
    image = append(scratch(Platform("amd64", "linux")), lambda _: Addition((), (), {}, labels, {}))
    write_to_layout(image, Layout(folder), "", "fail")
    return f"oci-layout:{folder}"


@pytest.fixture
def bases(tmp_path):
    packages = installed_packages()
    lean = {name: packages[name] for name in ("numpy", "onnxruntime")}
    return {"base_image": base_in(tmp_path / "full", packages), "base_image_onnx": base_in(tmp_path / "lean", lean)}


def built(workspace):
    layout = Layout(workspace.path / "image")
    return read_base(layout, layout.manifest(layout.find())).platforms[0]


def test_a_converted_model_goes_onto_the_lean_base_which_has_no_scikit_learn(
    make_workspace, run_build, bases, tmp_path
):
    workspace = make_workspace(files={"model.onnx": b"proved"}, manifest=PROVED)
    code, _, out, err = run_build(workspace, **bases)
    assert code == 0, err
    assert "base      " + bases["base_image_onnx"] in out
    assert "runtime   onnx: model.onnx is proved equal on 466 rows, largest difference 2.2e-16" in out
    assert "warning" not in out
    labels = built(workspace).labels
    assert labels["dev.sklearn-catalog.runtime"] == "onnx"
    assert (
        labels["dev.sklearn-catalog.runtime.reason"]
        == "model.onnx is proved equal on 466 rows, largest difference 2.2e-16"
    )
    assert not [line for line in built(workspace).config["config"]["Env"] if line.startswith("ENGINE=")]


def test_the_server_is_told_where_scikit_learn_was_asked_for(make_workspace, run_build, bases):
    workspace = make_workspace(files={"model.onnx": b"proved"}, manifest=PROVED)
    assert run_build(workspace, runtime="sklearn", **bases)[0] == 0
    assert built(workspace).labels["dev.sklearn-catalog.runtime"] == "sklearn"
    assert "ENGINE=sklearn" in built(workspace).config["config"]["Env"]


def test_an_older_onnx_runtime_is_refused_and_the_param_named(make_workspace, run_build, tmp_path):
    workspace = make_workspace(files={"model.onnx": b"proved"}, manifest=PROVED)
    old = base_in(tmp_path / "old", {"onnxruntime": "1.2.0"})
    code, _, _, err = run_build(workspace, base_image="oci-layout:full", base_image_onnx=old)
    assert code == 3
    assert "does not fit the model: onnxruntime 1.2.0 is older than training's" in err
    assert "give the base-image-onnx of the training image's version" in err


def test_a_model_that_does_not_convert_is_no_fault_of_the_base(workspace, run_build):
    code, _, _, err = run_build(workspace, runtime="onnx", base_image="oci-layout:x", base_image_onnx="oci-layout:y")
    assert code == 3
    assert "runtime is 'onnx', but the model can't be served by ONNX Runtime: there is no model.onnx" in err
