"""Workspaces as folders."""

from __future__ import annotations

import pytest

from catalog.engine.documents import Documents
from catalog.engine.planning import PlanError
from catalog.engine.workspaces import Volumes, WorkspaceError, inside

TASK_RUN = """
{documents}
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {{name: t}}
spec:
  workspaces: [{bindings}]
  taskSpec:
    workspaces: [{declared}]
    steps: [{{image: x, script: '{script}'}}]
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: baseline}
data: {accuracy: "0.95", f1: "0.9"}
binaryData: {blob: AAEC}
---
"""


def task_run(bindings="", declared="{name: w}", script="true", documents=""):
    return TASK_RUN.format(documents=documents, bindings=bindings, declared=declared, script=script)


def test_a_config_map_is_a_folder_of_files_behind_the_link_that_kubernetes_makes(execute):
    ran = execute(
        task_run(
            "{name: w, configMap: {name: baseline}}",
            script="cd $(workspaces.w.path); ls; cat accuracy; echo; readlink accuracy; od -An -tx1 blob",
            documents=CONFIG,
        )
    )
    assert ran.log.splitlines() == ["accuracy", "blob", "f1", "0.95", "..data/accuracy", " 00 01 02"]


def test_items_choose_and_rename(execute):
    ran = execute(
        task_run(
            "{name: w, configMap: {name: baseline, items: [{key: f1, path: sub/score}]}}",
            script="cd $(workspaces.w.path); ls; cat sub/score",
            documents=CONFIG,
        )
    )
    assert ran.log.splitlines() == ["sub", "0.9"]


def test_a_secret_is_decoded(execute):
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: x}\ndata: {b: eQ==}\n---\n"
    script = "cat $(workspaces.w.path)/a $(workspaces.w.path)/b"
    assert execute(task_run("{name: w, secret: {secretName: s}}", script=script, documents=secret)).log == "xy"


def test_projected_sources_lie_in_one_folder(execute):
    binding = "{name: w, projected: {sources: [{configMap: {name: baseline}}, {secret: {name: s, optional: true}}]}}"
    assert "accuracy" in execute(task_run(binding, script="ls $(workspaces.w.path)", documents=CONFIG)).log


def test_a_missing_optional_config_map_is_an_empty_folder(execute):
    script = "ls $(workspaces.w.path); echo $(workspaces.w.bound)"
    assert execute(task_run("{name: w, configMap: {name: none, optional: true}}", script=script)).log == "true"


def test_a_missing_config_map_is_refused_before_anything_runs(execute):
    with pytest.raises(PlanError, match=r"workspace w: ConfigMap none is not among the documents given"):
        execute(task_run("{name: w, configMap: {name: none}}"))


def test_a_key_that_is_not_there_is_refused(execute):
    with pytest.raises(PlanError, match=r"has no key ghost \(there: .*accuracy"):
        execute(task_run("{name: w, configMap: {name: baseline, items: [{key: ghost, path: g}]}}", documents=CONFIG))


def test_an_optional_workspace_that_is_not_bound_has_no_path(execute):
    script = 'echo "[$(workspaces.w.path)] $(workspaces.w.bound)"'
    assert execute(task_run(declared="{name: w, optional: true}", script=script)).log == "[] false"


def test_a_required_workspace_that_is_not_bound_is_refused_with_the_remedy(execute):
    with pytest.raises(PlanError, match=r"workspace w is not bound; .* --workspace w=<folder>"):
        execute(task_run())


def test_a_folder_given_by_the_user_is_used_in_place(execute, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    ran = execute(task_run("{name: w, emptyDir: {}}", script="echo hi > $(workspaces.w.path)/f"), {"w": folder})
    assert (folder / "f").read_text() == "hi\n"
    assert ran.outcome.workspaces == {"w": folder}


def test_a_sub_path_is_made_and_may_not_leave_its_volume(execute, tmp_path):
    bindings = "{name: w, subPath: a/b, persistentVolumeClaim: {claimName: c}}"
    ran = execute(task_run(bindings, script="pwd > $(workspaces.w.path)/f"))
    assert (ran.folder / "claims/c/a/b/f").is_file()
    assert ran.outcome.workspaces["w"] == ran.folder / "claims/c/a/b"
    for path in ("../x", "/etc", "a/../../x", ".."):
        with pytest.raises(WorkspaceError, match="leaves its volume"):
            inside(tmp_path, path)
    assert inside(tmp_path, "a/../b") == tmp_path / "b"


def test_a_claim_is_one_folder_for_all_and_an_empty_dir_a_new_one_for_each(tmp_path):
    volumes = Volumes(tmp_path, Documents())
    claim = {"name": "w", "persistentVolumeClaim": {"claimName": "c"}}
    assert volumes.workspace(claim, "w") == volumes.workspace(claim, "w")
    empty = {"name": "w", "emptyDir": {}}
    assert volumes.workspace(empty, "w") != volumes.workspace(empty, "w")


def test_what_needs_a_cluster_is_refused_by_name(tmp_path):
    volumes = Volumes(tmp_path, Documents())
    with pytest.raises(WorkspaceError, match="workspace w is bound to csi, which needs a cluster"):
        volumes.workspace({"name": "w", "csi": {"driver": "d"}}, "w")
    with pytest.raises(WorkspaceError, match="downwardAPI cannot be projected"):
        volumes.workspace({"name": "w", "projected": {"sources": [{"downwardAPI": {}}]}}, "w")


def test_a_secret_that_is_not_base64_is_named(execute):
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {b: plain text}\n---\n"
    with pytest.raises(PlanError, match="Secret s: a value is not base64"):
        execute(task_run("{name: w, secret: {secretName: s}}", documents=secret))


def test_base64_may_have_line_breaks(execute):
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  b: |\n    aGVs\n    bG8=\n---\n"
    script = "cat $(workspaces.w.path)/b"
    assert execute(task_run("{name: w, secret: {secretName: s}}", script=script, documents=secret)).log == "hello"


def test_params_are_filled_in_where_a_run_binds_its_workspaces(execute):
    run = task_run("{name: w, subPath: $(params.dir)/x, persistentVolumeClaim: {claimName: $(params.claim)}}")
    run = run.replace("  taskSpec:\n", "  params: [{name: dir, value: deep}]\n  taskSpec:\n"
                      "    params: [{name: dir}, {name: claim, default: c}]\n")  # fmt: skip
    ran = execute(run)
    assert ran.outcome.workspaces["w"] == ran.folder / "claims/c/deep/x"


def test_a_pipeline_runs_own_params_are_filled_in_and_no_defaults_of_its_pipeline(execute):
    ran = execute("""
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: p}
spec:
  params: [{name: dir, value: deep}]
  workspaces: [{name: w, subPath: "$(params.dir)/$(params.other)", persistentVolumeClaim: {claimName: c}}]
  pipelineSpec:
    params: [{name: dir}, {name: other, default: y}]
    workspaces: [{name: w}]
    tasks:
    - name: t
      workspaces: [{name: w}]
      taskSpec:
        workspaces: [{name: w}]
        steps: [{image: x, script: 'true'}]
""")
    assert (ran.folder / "claims/c/deep/$(params.other)").is_dir()


def test_a_sub_path_may_be_a_file(tmp_path):
    volumes = Volumes(tmp_path, Documents())
    claim = {"name": "w", "persistentVolumeClaim": {"claimName": "c"}}
    file = volumes.workspace(claim, "w") / "model.json"
    file.write_text("{}")
    assert volumes.workspace({**claim, "subPath": "model.json"}, "w") == file
