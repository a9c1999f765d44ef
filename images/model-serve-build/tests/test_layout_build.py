"""The chain of approval and model-only images in a layout, read back by other people's tools."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from taskkit.gate_report import approval_of

readable_by_others = pytest.mark.skipif(
    not (shutil.which("skopeo") and shutil.which("umoci")), reason="needs skopeo and umoci (Debian packages)"
)


def skopeo_inspect(layout, *options):
    return json.loads(
        subprocess.run(["skopeo", "inspect", *options, f"oci:{layout}"], check=True, capture_output=True).stdout
    )


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@readable_by_others
def test_an_approved_model_becomes_a_layout_that_skopeo_and_umoci_read(workspace, run_build, tmp_path):
    code, results, out, _ = run_build(workspace, image="oci-layout:image:v1")
    assert code == 0
    assert results["IMAGE_URL"] == "oci-layout:image:v1"
    assert results["image"] == f"oci-layout:image:v1@{results['IMAGE_DIGEST']}"
    assert results["model-digest"] == workspace.digest
    assert results["IMAGE_DIGEST"] in out
    seen = skopeo_inspect(f"{workspace.path}/image:v1")
    assert seen["Digest"] == results["IMAGE_DIGEST"]
    assert seen["Labels"]["dev.sklearn-catalog.model.digest"] == workspace.digest
    assert seen["Labels"]["dev.sklearn-catalog.gate.report"] == workspace.approval
    assert set(seen["Env"]) >= {"MODEL_DIR=/models", f"MODEL_DIGEST={workspace.digest}", "MODEL_NAME=image"}
    bundle = tmp_path / "bundle"
    subprocess.run(
        ["umoci", "unpack", "--rootless", "--image", f"{workspace.path}/image:v1", bundle],
        check=True,
        capture_output=True,
    )
    unpacked = tree(bundle / "rootfs" / "models")
    assert unpacked.pop("gate-report.json") == (workspace.path / "gate" / "report.json").read_bytes()
    assert unpacked == tree(workspace.model)


def test_the_same_input_gives_the_same_bytes_wherever_it_lies(make_workspace, run_build):
    one, other = make_workspace(folder="one"), make_workspace(folder="two/deeper")
    for path in (other.model / "model.pkl", other.model):
        path.touch()
        path.chmod(0o700)
    first, second = run_build(one), run_build(other)
    assert (first[0], first[1]) == (second[0], second[1])
    assert tree(one.path / "image") == tree(other.path / "image")


def test_a_second_build_writes_nothing_and_says_so(workspace, run_build):
    first = run_build(workspace)
    before = tree(workspace.path / "image")
    second = run_build(workspace)
    assert second[:2] == first[:2]
    assert "unchanged" in second[2]
    assert tree(workspace.path / "image") == before


def test_a_damaged_blob_in_the_layout_is_mended_by_the_next_build(workspace, run_build):
    run_build(workspace)
    whole = tree(workspace.path / "image")
    for blob in (workspace.path / "image" / "blobs" / "sha256").iterdir():
        blob.write_bytes(b"x" * blob.stat().st_size)
    assert run_build(workspace)[0] == 0
    assert tree(workspace.path / "image") == whole


def test_without_approval_nothing_is_built(workspace, run_build):
    code, results, _, err = run_build(workspace, approval="")
    assert (code, set(results.values())) == (2, {""})
    assert "--approval is required" in err
    assert not (workspace.path / "image").exists()


def test_the_models_digest_is_no_approval(workspace, run_build):
    code, _, _, err = run_build(workspace, approval=workspace.digest)
    assert code == 3
    assert "is the model's digest, not an approval; wire metric-gate's result 'approval'" in err


def test_a_report_that_changed_after_the_gate_is_refused(workspace, run_build):
    path = workspace.path / "gate" / "report.json"
    path.write_bytes(path.read_bytes() + b"\n")
    code, _, _, err = run_build(workspace)
    assert code == 3
    assert f"has digest {approval_of(path.read_bytes())}, but the approval is {workspace.approval}" in err


@pytest.mark.parametrize(
    "report",
    [
        {"verdict": "fail", "approved": False},
        {"verdict": "pass", "approved": False},
        {"verdict": "fail", "approved": True},
        {"verdict": "no-baseline", "approved": True, "on_missing_baseline": "fail"},
    ],
)
def test_a_report_that_does_not_approve_is_a_no_even_with_its_own_digest(make_workspace, run_build, report):
    code, _, _, err = run_build(make_workspace(report=report))
    assert code == 10
    assert f"has the verdict '{report['verdict']}', which does not approve" in err


@pytest.mark.parametrize(
    "report", [{"verdict": "overridden"}, {"verdict": "no-baseline", "on_missing_baseline": "warn"}]
)
def test_an_override_and_a_tolerated_missing_baseline_approve(make_workspace, run_build, report):
    code, results, _, _ = run_build(make_workspace(report=report))
    assert (code, bool(results["IMAGE_DIGEST"])) == (0, True)


def test_a_file_changed_after_approval_is_named(workspace, run_build):
    path = workspace.model / "model.pkl"
    path.write_bytes(path.read_bytes() + b"x")
    code, _, _, err = run_build(workspace)
    assert code == 3
    assert "model.pkl has sha256" in err
    assert "the file changed after training" in err


def test_a_directory_swapped_whole_after_approval_is_refused(make_workspace, run_build):
    workspace, other = make_workspace(), make_workspace(manifest={"metrics": {"accuracy": 0.99}}, folder="other")
    shutil.rmtree(workspace.model)
    shutil.copytree(other.model, workspace.model)
    code, _, _, err = run_build(workspace)
    assert code == 3
    assert f"but {workspace.digest} was approved; the model directory changed after approval" in err


def test_a_link_in_the_model_directory_is_refused(workspace, run_build, tmp_path):
    (workspace.model / "extra").symlink_to(tmp_path)
    code, _, _, err = run_build(workspace)
    assert code == 3
    assert "extra is a link or a special file" in err


@pytest.mark.parametrize(
    ("option", "value"), [("model_dir", "../other"), ("report_dir", "/etc"), ("image", "oci-layout:../out")]
)
def test_paths_that_leave_the_workspace_are_refused(workspace, run_build, option, value):
    code, _, _, err = run_build(workspace, **{option: value})
    assert code == 2
    assert "leads out of the workspace" in err


def test_missing_directories_name_the_task_that_makes_them(workspace, run_build):
    assert "run metric-gate first" in run_build(workspace, report_dir="nowhere")[3]
    shutil.rmtree(workspace.model)
    code, _, _, err = run_build(workspace)
    assert code == 3
    assert "run sklearn-train first" in err


def test_a_model_file_that_names_more_than_an_estimator_needs_is_refused(make_workspace, run_build):
    workspace = make_workspace(files={"model.pkl": b"cos\nsystem\n(S'true'\ntR."})
    code, _, _, err = run_build(workspace)
    assert code == 3
    assert "model.pkl names os.system at byte 0, which is not allowed in a model" in err
    assert not (workspace.path / "image").exists()
