from __future__ import annotations

import pytest

STEP = "steps: [{name: s, image: i, command: [c, %s]}]"


@pytest.mark.parametrize(
    "use",
    [
        "$(params.p)",
        '$(params["p"])',
        "$(params['p'])",
        "$(params.p[0])",
        "$(params.p.key)",
        "$(inputs.params.p)",
        "a-$(params.p)-b",
    ],
)
def test_every_way_to_write_a_param_is_a_use(tree, use):
    tree.task("params: [{name: p, type: array}]\n" + STEP % f"'{use.replace(chr(39), chr(39) * 2)}'", "example.yaml")
    assert tree.of("unused-param") == []


@pytest.mark.parametrize(
    "elsewhere",
    [
        "stepTemplate: {env: [{name: X, value: $(params.p)}]}",
        "sidecars: [{name: x, image: i, args: [$(params.p)]}]",
        "volumes: [{name: v, secret: {secretName: $(params.p)}}]",
        "results: [{name: r, value: $(steps.s.results.$(params.p))}]",
    ],
)
def test_a_param_may_be_used_anywhere(tree, elsewhere):
    tree.task(f"params: [{{name: p}}]\n{elsewhere}\n" + STEP % "a", "example.yaml")
    assert tree.of("unused-param") == []


def test_a_params_use_in_another_ones_default_counts_and_in_a_description_does_not(tree):
    tree.task("params: [{name: a}, {name: b, default: $(params.a)}]\n" + STEP % "$(params.b)", "example.yaml")
    assert tree.of("unused-param") == []
    tree.task("params: [{name: a, description: see $(params.a)}]\n" + STEP % "x", "example.yaml")
    assert tree.only("unused-param")


@pytest.mark.parametrize("use", ["$(workspaces.w.path)", "$(workspaces.w.bound)", "/workspace/w/file"])
def test_every_way_to_use_a_workspace_is_one(tree, use):
    tree.task("workspaces: [{name: w}]\n" + STEP % use, "example.yaml")
    assert tree.of("unused-workspace") == []


def test_a_workspace_with_its_own_mount_path_or_of_one_step_is_used(tree):
    tree.task("workspaces: [{name: w, mountPath: /root/.docker}]\n" + STEP % "x", "example.yaml")
    assert tree.of("unused-workspace") == []
    tree.task(
        "workspaces: [{name: w}]\nsteps: [{name: s, image: i, command: [c], workspaces: [{name: w}]}]", "example.yaml"
    )
    assert tree.of("unused-workspace") == []


def test_the_path_of_another_workspace_that_begins_alike_is_no_use(tree):
    tree.task("workspaces: [{name: w}]\n" + STEP % "/workspace/w-2", "example.yaml")
    assert tree.only("unused-workspace")


@pytest.mark.parametrize("use", ["$(results.r.path)", '$(results["r"].path)', "/tekton/results/r", "/tekton/results"])
def test_every_way_to_write_a_result_is_one(tree, use):
    tree.task("results: [{name: r}]\n" + STEP % f"'{use}'", "example.yaml")
    assert tree.of("unused-result") == []


def test_the_path_of_another_result_is_no_use(tree):
    tree.task("results: [{name: r}]\n" + STEP % "/tekton/results/r2", "example.yaml")
    assert tree.only("unused-result")


def test_results_of_step_actions_are_not_known_and_values_are_taken_from_steps(tree):
    tree.task("results: [{name: r}]\nsteps: [{name: s, ref: {name: a}}]", "example.yaml")
    assert tree.of("unused-result") == []


def test_a_step_action_is_judged_as_well(tree):
    tree.write("a.yaml", """\
apiVersion: tekton.dev/v1beta1
kind: StepAction
metadata: {name: a}
spec:
  params: [{name: p}, {name: q}]
  results: [{name: r}, {name: t}]
  image: i
  command: [c, $(params.q), $(step.results.t.path)]
""")  # fmt: skip
    assert "the StepAction uses its param 'p' nowhere" in tree.only("unused-param").message
    assert "'r'" in tree.only("unused-result").message


def pipeline(tree, spec):
    body = "".join(f"  {line}\n" for line in spec.strip().splitlines())
    tree.write("p.yaml", f"apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {{name: p}}\nspec:\n{body}")


def test_a_pipelines_params_and_workspaces_must_reach_a_task(tree):
    pipeline(tree, """
params: [{name: used}, {name: unused}, {name: asked}]
workspaces: [{name: handed}, {name: by-name}, {name: lost}]
tasks:
- name: t
  when: [{input: $(params.asked), operator: in, values: [a]}]
  params: [{name: x, value: $(params.used)}]
  workspaces: [{name: w, workspace: handed}, {name: by-name}]
  taskRef: {name: elsewhere}
""")  # fmt: skip
    assert "'unused'" in tree.only("unused-param").message
    assert "hands its workspace 'lost' to none of its tasks" in tree.only("unused-workspace").message


def test_an_inline_task_of_a_pipeline_uses_the_pipelines_params(tree):
    pipeline(tree, """
params: [{name: a}]
tasks: [{name: t, taskSpec: {steps: [{name: s, image: i, command: [c, $(params.a)]}]}}]
""")  # fmt: skip
    assert tree.of("unused-param") == []


def test_a_volume_may_be_mounted_by_the_template_or_by_a_name_in_a_param(tree):
    volume = "volumes: [{name: v, emptyDir: {}}]\n"
    tree.task(volume + "stepTemplate: {volumeMounts: [{name: v, mountPath: /v}]}\n" + STEP % "x", "example.yaml")
    assert tree.of("unused-volume") == []


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("[{name: A_IMAGE_URL}]", "reads 'A_IMAGE_URL' only together with 'A_IMAGE_DIGEST'"),
        ("[{name: IMAGE_DIGEST}]", "reads 'IMAGE_DIGEST' only together with 'IMAGE_URL'"),
        ("[{name: ARTIFACT_URI}]", "only together with 'ARTIFACT_DIGEST'"),
        ("[{name: M_ARTIFACT_OUTPUTS}]", "only as an object with 'uri' and 'digest'"),
    ],
)
def test_hints_for_chains_are_complete(tree, results, message):
    tree.task(f"results: {results}\n" + STEP % "/tekton/results", "example.yaml")
    assert message in tree.only("chains-hint").message


def test_complete_hints_are_fine(tree):
    output = "{name: ARTIFACT_OUTPUTS, type: object, properties: {uri: {type: string}, digest: {type: string}}}"
    tree.task(f"results: [{{name: IMAGE_URL}}, {{name: IMAGE_DIGEST}}, {output}]\n" + STEP % "/tekton/results")
    assert tree.of("chains-hint") == []


def test_a_run_copied_from_a_cluster_is_told_so(tree):
    tree.write("run.yaml", """\
apiVersion: tekton.dev/v1
kind: TaskRun
metadata:
  name: r
  uid: x
spec: {taskRef: {name: elsewhere}}
status: {conditions: []}
""")  # fmt: skip
    assert [one.position.line for one in tree.of("cluster-field")] == [5, 7]
