"""What one document asks of another."""

from __future__ import annotations

from catalog.engine.documents import Documents
from catalog.engine.validation import validate

TRAIN = """
params:
- name: script
- {name: seed, default: "1"}
- {name: args, type: array, default: []}
- {name: data, type: object, properties: {path: {}, sha: {}}, default: {path: x}}
results: [{name: commit}, {name: files, type: array}, {name: image, type: object, properties: {url: {}}}]
workspaces: [{name: source}, {name: cache, optional: true}]
"""
GATE = "params: [{name: metric, default: x}, {name: many, type: array, default: []}]\n"
BINDING = "workspaces: [{name: source, emptyDir: {}}]\n"


def run(check, fields: str, kind: str = "TaskRun") -> tuple[str, str]:
    return check.task(TRAIN, "train"), check.document(kind, fields, "run")


def piped(check, fields: str) -> tuple[str, ...]:
    """A pipeline in which the Task train feeds the Task gate, which has these fields."""
    lines = "".join(f"  {line}\n" for line in fields.strip("\n").splitlines())
    spec = (
        "params: [{name: s}, {name: l, type: array}]\nworkspaces: [{name: source}, {name: maybe, optional: true}]\n"
        "tasks:\n- name: a\n  taskRef: {name: train}\n  params:\n  - {name: script, value: x}\n"
        "  - {name: data, value: {path: p, sha: q}}\n  workspaces: [{name: source}]\n"
        f"- name: b\n  taskRef: {{name: gate}}\n{lines}"
    )
    return check.task(TRAIN, "train"), check.task(GATE, "gate"), check.pipeline(spec)


def test_a_run_that_gives_what_is_needed_is_accepted(check):
    fields = "taskRef: {name: train}\nparams:\n- {name: script, value: x}\n- {name: data, value: {sha: z}}\n"
    check.accepts(*run(check, fields + BINDING))


def test_an_unknown_task_names_the_nearest(check):
    fields = "taskRef: {name: trian}  # here\nparams: [{name: script, value: x}]\n" + BINDING
    check.refuses("unknown-reference", "there is no Task 'trian' among the given files and the catalog (did you mean 'train'?)",
                  *run(check, fields))  # fmt: skip


def test_a_task_is_found_in_the_catalog_too(check, tmp_path):
    (tmp_path / "catalog.yaml").write_text(check.task(TRAIN, "train"), encoding="utf-8")
    catalog, _ = Documents.load([tmp_path / "catalog.yaml"])
    fields = "taskRef: {name: train}\nparams: [{name: script, value: x}]\n" + BINDING
    given, _ = check.load(check.document("TaskRun", fields))
    assert validate(given, catalog) == []
    assert [one.rule for one in validate(given)] == ["unknown-reference"]


def test_a_missing_param_is_told_and_the_misspelt_one_beside_it_named(check):
    fields = "taskRef: {name: train}\nparams:  # here\n- {name: skript, value: x}\n" + BINDING
    found = check.findings(*run(check, fields))
    assert [(one.rule, one.message, one.remedy) for one in found] == [
        (
            "missing-param",
            "the param 'script' of Task train has no default and is not given",
            "is it meant by 'skript'?",
        ),
        ("extra-param", "Task train has no param 'skript'", "did you mean 'script'?"),
    ]


def test_a_missing_param_without_any_params_is_told_at_the_run(check):
    text = run(check, "taskRef: {name: train}\n" + BINDING)
    check.refuses(
        "missing-param", "add '- name: script' with its value", text[0], text[1].replace("spec:", "spec:  # here")
    )


def test_extra_params_are_accepted_with_a_warning(check):
    fields = (
        "taskRef: {name: train}\nparams:\n- {name: script, value: x}\n- {name: seeds, value: x}  # here\n" + BINDING
    )
    check.warns("extra-param", "Task train has no param 'seeds' (did you mean 'seed'?)", *run(check, fields))


def test_a_value_of_the_wrong_type_is_refused(check):
    fields = (
        "taskRef: {name: train}\nparams:\n- {name: script, value: x}\n- {name: args, value: --fast}  # here\n" + BINDING
    )
    check.refuses("param-type", "Task train wants 'args' as an array, but it is a string (write it as a list)",
                  *run(check, fields))  # fmt: skip


def test_an_object_lacking_a_key_is_refused(check):
    task = check.task("params: [{name: o, type: object, properties: {path: {}, sha: {}}}]", "train")
    text = check.document("TaskRun", "taskRef: {name: train}\nparams:\n- {name: o, value: {path: x}}  # here\n")
    check.refuses("missing-key", "the object 'o' lacks 'sha'", task, text)


def test_a_pipeline_runs_object_is_not_filled_up_from_the_default(check):
    spec = "params: [{name: o, type: object, properties: {path: {}, sha: {}}, default: {path: x, sha: z}}]\n"
    pipeline = check.pipeline(
        spec + "tasks:\n- {name: a, taskSpec: {steps: [{name: s, image: i, command: [c]}]}}\n", "p"
    )
    text = check.document("PipelineRun", "pipelineRef: {name: p}\nparams:\n- {name: o, value: {path: z}}  # here\n")
    check.warns("missing-key", "a run's object is not filled up from the default", pipeline, text)


def test_a_workspace_that_is_needed_and_not_bound_is_told(check):
    fields = "taskRef: {name: train}\nparams: [{name: script, value: x}]\nworkspaces:  # here\n- {name: cache, emptyDir: {}}\n"
    check.refuses("missing-workspace", "the workspace 'source' of Task train is not bound", *run(check, fields))


def test_a_workspace_that_the_task_does_not_know_is_refused(check):
    fields = (
        "taskRef: {name: train}\nparams: [{name: script, value: x}]\nworkspaces:\n"
        "- {name: source, emptyDir: {}}\n- {name: sources, emptyDir: {}}  # here\n"
    )
    check.refuses(
        "extra-workspace", "Task train has no workspace 'sources' (did you mean 'source'?)", *run(check, fields)
    )


def test_tasks_of_a_pipeline_are_called_rightly(check):
    check.accepts(*piped(check, "params:\n- {name: metric, value: $(tasks.a.results.commit)}\n"
                                "- {name: many, value: '$(tasks.a.results.files[*])'}"))  # fmt: skip


def test_a_result_that_the_referenced_task_does_not_have_is_refused(check):
    text = piped(check, "params:\n- {name: metric, value: $(tasks.a.results.comit)}  # here")
    check.refuses("undeclared-result", "Task train has no result 'comit' (did you mean 'commit'?)", *text)


def test_a_whole_array_for_a_string_is_refused_and_an_element_is_not(check):
    check.accepts(*piped(check, "params: [{name: metric, value: '$(params.l[0])'}]"))
    text = piped(check, "params:\n- {name: metric, value: '$(params.l[*])'}  # here")
    check.refuses("param-type", "'$(params.l[*])' is an array, but Task gate wants 'metric' as a string", *text)


def test_a_string_for_an_array_is_refused(check):
    text = piped(check, "params:\n- {name: many, value: $(params.s)}  # here")
    check.refuses("param-type", "is a string, but Task gate wants 'many' as an array (write it as a list", *text)


def test_a_string_result_for_an_array_is_refused(check):
    text = piped(check, "params:\n- {name: many, value: $(tasks.a.results.commit)}  # here")
    check.refuses("param-type", "is a string, but Task gate wants 'many' as an array", *text)


def test_an_unknown_key_of_an_object_result_is_a_warning(check):
    text = piped(check, "params:\n- {name: metric, value: $(tasks.a.results.image.uri)}  # here")
    check.warns("unknown-key", "the result 'image' has no key 'uri' (did you mean 'url'?)", *text)


def test_an_optional_workspace_for_a_task_that_needs_it_is_refused(check):
    train, gate, text = piped(check, "")
    text = text.replace("workspaces: [{name: source}]", "workspaces: [{name: source, workspace: maybe}]  # here")
    check.refuses(
        "missing-workspace", "Task train needs 'source', but the pipeline's 'maybe' is optional", train, gate, text
    )


def test_a_workspace_not_handed_to_a_task_is_refused(check):
    train, gate, text = piped(check, "")
    text = text.replace("    workspaces: [{name: source}]\n", "").replace("- name: a", "- name: a  # here")
    check.refuses("missing-workspace", "the workspace 'source' of Task train is not bound", train, gate, text)


def test_an_optional_workspace_left_out_by_the_run_reaches_a_task_that_needs_it(check):
    pipeline = check.pipeline(
        "workspaces: [{name: source, optional: true}]\ntasks:\n- name: a\n  taskRef: {name: train}\n"
        "  params: [{name: script, value: x}]\n  workspaces: [{name: source}]\n", "p")  # fmt: skip
    text = check.document("PipelineRun", "pipelineRef: {name: p}").replace("spec:", "spec:  # here")
    check.refuses("missing-workspace", "Task train needs the workspace 'source', which the run does not bind",
                  check.task(TRAIN, "train"), pipeline, text)  # fmt: skip


def test_a_resolver_is_looked_up_by_the_name_it_asks_for(check):
    ref = "taskRef: {resolver: hub, params: [{name: name, value: train}, {name: version, value: '0.1'}]}\n"
    found = check.findings(*run(check, ref + BINDING))
    assert [one.rule for one in found] == ["missing-param"]
    check.accepts(*run(check, ref.replace("train", "unknown-elsewhere")))


def test_two_documents_of_one_name_in_one_file_are_a_warning(check):
    text = check.task("", "train").replace("name: train", "name: train  # here")
    check.warns(
        "duplicate-name", "Task train is in this file twice; the last one counts", check.task("", "train"), text
    )
