"""TaskRuns and PipelineRuns by themselves."""

from __future__ import annotations

import pytest

SPEC = "taskSpec:\n  steps: [{name: s, image: i, command: [c]}]\n"
PIPELINE = "pipelineSpec:\n  tasks:\n  - name: a\n    taskSpec: {steps: [{name: s, image: i, command: [c]}]}\n"


def task_run(check, fields: str) -> str:
    return check.document("TaskRun", SPEC + fields)


def pipeline_run(check, fields: str) -> str:
    return check.document("PipelineRun", PIPELINE + fields)


def test_a_run_has_exactly_one_of_ref_and_spec(check):
    text = check.document("TaskRun", "retries: 1").replace("spec:", "spec:  # here")
    check.refuses("one-of", "neither 'taskRef' nor 'taskSpec' (add 'taskRef: {name: …}')", text)
    text = check.document("PipelineRun", "pipelineRef: {resolver: hub}\n" + PIPELINE).replace(
        "pipelineSpec:", "pipelineSpec:  # here"
    )
    check.refuses("one-of", "either 'pipelineRef' or 'pipelineSpec', not both", text)


def test_params_given_twice_are_refused_whatever_their_case(check):
    text = task_run(check, "params:\n- {name: a, value: x}\n- {name: A, value: y}  # here\n")
    check.refuses("duplicate-name", "given twice ('a' counts as the same name)", text)


def test_a_param_without_value_is_refused(check):
    check.refuses("missing-field", "'value' is missing", task_run(check, "params:\n- name: a  # here\n"))


def test_an_inline_task_sees_the_runs_params_and_nothing_else(check):
    spec = (
        SPEC.replace("command: [c]", "command: [$(params.a)]  # here")
        .replace("steps: [{", "steps:\n  - {")
        .replace("]  # here}]", "]}  # here")
    )
    check.accepts(check.document("TaskRun", spec.replace("  # here", "") + "params: [{name: a, value: x}]\n"))
    check.refuses("undeclared-param", "the param 'a' is not declared", check.document("TaskRun", spec))


def test_the_type_of_a_given_value_counts_in_an_inline_task(check):
    spec = "params: [{name: a, value: [x]}]\ntaskSpec:\n  steps:\n  - {name: s, image: i, command: [c], args: ['-$(params.a)']}  # here\n"
    check.refuses("param-type", "a whole array must stand alone", check.document("TaskRun", spec))


@pytest.mark.parametrize(
    ("binding", "rule", "message"),
    [
        ("{name: w}", "one-of", "the workspace 'w' is bound to nothing"),
        ("{name: w, emptyDir: {}, configMap: {name: c}}", "one-of", "bound to emptyDir and configMap"),
        ("{name: w, configMap: {optional: true}}", "missing-field", "'configMap' does not say which one (add 'name')"),
        ("{name: w, secret: {}}", "missing-field", "'secret' does not say which one (add 'secretName')"),
        ("{name: w, projected: {}}", "missing-field", "add 'sources'"),
    ],
)
def test_a_workspace_is_bound_to_exactly_one_thing(check, binding, rule, message):
    check.refuses(rule, message, task_run(check, f"workspaces:\n- {binding}  # here\n"))


def test_a_claim_needs_its_name(check):
    found = check.findings(task_run(check, "workspaces:\n- {name: w, persistentVolumeClaim: {}}\n"))
    assert {one.rule for one in found} == {"missing-field"}


def test_a_workspace_bound_twice_is_refused(check):
    text = task_run(check, "workspaces:\n- {name: w, emptyDir: {}}\n- {name: W, emptyDir: {}}  # here\n")
    check.refuses("duplicate-name", "is bound twice", text)


def test_two_claims_in_one_task_run_are_a_warning(check):
    text = task_run(check, "workspaces:\n- {name: a, persistentVolumeClaim: {claimName: x}}\n"
                           "- {name: b, persistentVolumeClaim: {claimName: z}}  # here\n")  # fmt: skip
    check.warns("workspace-claims", "clusters take one by default", text)


def test_negative_retries_and_timeouts_of_a_task_run_are_refused(check):
    check.refuses("retries", "cannot be negative", task_run(check, "retries: -1  # here\n"))
    check.refuses("timeout", "cannot be negative", task_run(check, "timeout: -1s  # here\n"))


def test_the_status_one_can_ask_for_is_limited(check):
    check.refuses("status", "one of TaskRunCancelled, TaskRunPending", task_run(check, "status: Cancelled  # here\n"))
    check.refuses("status", "'statusMessage' needs 'status'", task_run(check, "statusMessage: why  # here\n"))


def test_debug_is_an_alpha_feature(check):
    check.refuses(
        "feature",
        "'debug' is an alpha feature",
        task_run(check, "debug: {breakpoints: {onFailure: enabled}}  # here\n"),
    )


def test_timeouts_must_fit_into_the_hour_that_is_the_default(check):
    text = pipeline_run(check, "timeouts:\n  tasks: 2h  # here\n")
    check.refuses(
        "timeout", "timeouts.tasks (2h) is longer than the default of an hour (raise timeouts.pipeline)", text
    )


def test_timeouts_must_fit_into_the_pipelines(check):
    check.accepts(pipeline_run(check, "timeouts: {pipeline: 1h, tasks: 50m, finally: 10m}\n"))
    text = pipeline_run(check, "timeouts:\n  pipeline: 1h\n  tasks: 50m\n  finally: 20m  # here\n")
    check.refuses("timeout", "together are longer than 60 minutes", text)
    text = pipeline_run(check, "timeouts:\n  pipeline: 10m\n  tasks: '0'  # here\n")
    check.refuses("timeout", "timeouts.tasks (no limit) is longer than timeouts.pipeline", text)


def test_a_tasks_own_timeout_must_fit_in_too(check):
    text = pipeline_run(
        check, "timeouts: {pipeline: 10m}\ntaskRunSpecs:\n- pipelineTaskName: a\n  timeout: 20m  # here\n"
    )
    check.refuses("timeout", "the task may not run longer (20m) than all tasks (10 minutes)", text)


def test_a_pipeline_runs_params_cannot_take_results(check):
    text = pipeline_run(check, "params:\n- {name: p, value: $(tasks.a.results.r)}  # here\n")
    check.refuses("result-reference", "a PipelineRun's params cannot take results", text)


def test_specs_for_unknown_tasks_are_refused(check):
    text = pipeline_run(check, "taskRunSpecs:\n- pipelineTaskName: aa  # here\n")
    check.refuses("unknown-task", "has no task 'aa' (did you mean 'a'?)", text)


def test_specs_for_unknown_steps_are_refused(check):
    text = task_run(check, "stepSpecs:\n- {name: ss, computeResources: {}}  # here\n")
    check.refuses("unknown-step", "has nothing called 'ss' among its steps (did you mean 's'?)", text)


def test_volumes_of_the_pod_template_are_known_to_an_inline_task(check):
    text = SPEC.replace("command: [c]", "command: [c], volumeMounts: [{name: v, mountPath: /v}]")
    check.accepts(check.document("TaskRun", text + "podTemplate: {volumes: [{name: v, emptyDir: {}}]}\n"))


def test_a_param_that_does_not_arrive_in_an_inline_task_is_a_warning(check):
    """The webhook mixes the params of all tasks of an inline pipeline; the run does not."""
    text = check.document(
        "PipelineRun",
        """
        pipelineSpec:
          tasks:
          - name: a
            params: [{name: only-a, value: x}]
            taskSpec: {params: [{name: only-a}], steps: [{name: s, image: i, command: [$(params.only-a)]}]}
          - name: b
            taskSpec: {steps: [{name: s, image: i, command: [$(params.only-a)]}]}  # here
        """,
    )
    check.warns("undeclared-param", "the param 'only-a' is not declared", text)
