"""What Tekton's webhook refuses in a Task, and what it overlooks."""

from __future__ import annotations

import pytest


def step(text: str) -> str:
    """The steps of a task with these fields in its one step."""
    lines = "".join(f"  {line}\n" for line in text.strip("\n").splitlines())
    return f"steps:\n- name: s\n  image: i\n{lines}"


# Names


def test_the_documents_name_must_be_one_that_kubernetes_takes(check):
    text = check.task("").replace("name: it", "name: My_Task  # here")
    check.refuses("invalid-name", "'My_Task' is no name for a Kubernetes object", text)


def test_a_name_is_at_most_63_characters_long(check):
    text = check.task("").replace("name: it", f"name: {'x' * 64}  # here")
    check.refuses("invalid-name", "at most 63", text)


def test_a_document_without_any_name_is_refused(check):
    text = check.task("").replace("metadata:\n  name: it", "metadata:  # here\n  labels: {}")
    check.refuses("missing-field", "the document has no name (add 'name' or 'generateName')", text)


def test_a_generated_name_counts_as_a_name(check):
    check.accepts(check.task("").replace("  name: it", "  generateName: it-"))


def test_values_of_labels_are_checked(check):
    text = check.task("").replace("  name: it", "  name: it\n  labels:\n    a: not a label  # here")
    check.refuses("invalid-name", "'not a label' is no value for a label", text)


def test_a_steps_name_must_be_a_label(check):
    check.refuses(
        "invalid-name", "no name for a step", check.task("steps:\n- {name: S_1, image: i, command: [c]}  # here")
    )


def test_two_steps_of_one_name_are_refused(check):
    text = check.task("steps:\n- {name: a, image: i, command: [c]}\n- {name: a, image: i, command: [c]}  # here")
    check.refuses("duplicate-name", "two steps are called 'a' (also at line 7)", text)


def test_steps_need_no_name(check):
    check.accepts(check.task("steps:\n- {image: i, command: [c]}\n- {image: i, command: [c]}"))


# Params


def test_two_params_of_one_name_are_refused(check):
    text = check.task("params:\n- name: a\n- name: a  # here\n")
    check.refuses("duplicate-name", "the param 'a' is declared twice (also declared at line 7)", text)


def test_params_that_differ_in_case_only_are_accepted(check):
    check.accepts(check.task("params:\n- name: a\n- name: A\n"))


@pytest.mark.parametrize("name", ["1st", "a b", "é"])
def test_names_of_params_have_a_form(check, name):
    check.refuses("invalid-name", "no name for a param", check.task(f'params:\n- name: "{name}"  # here\n'))


def test_dots_are_allowed_in_names_of_params_but_not_of_objects(check):
    check.accepts(check.task("params:\n- name: a.b\n"))
    text = check.task("params:\n- name: a.b  # here\n  type: object\n  properties: {k: {}}\n")
    check.refuses("invalid-name", "letters, digits, '_' and '-'", text)


def test_an_unknown_type_names_those_there_are(check):
    text = check.task("params:\n- name: a\n  type: list  # here\n")
    check.refuses("param-type", "'list' is no type of a param (one of string, array, object)", text)


def test_a_default_must_be_of_the_declared_type(check):
    text = check.task("params:\n- name: a\n  type: array\n  default: x  # here\n")
    check.refuses("param-type", "the default is a string, but the param is an array", text)


def test_the_type_is_told_by_the_default_or_by_properties(check):
    check.accepts(
        check.task(
            "params:\n- {name: a, default: [x]}\n- {name: o, properties: {k: {}}}\n"
            + step("args: ['$(params.a[*])', $(params.o.k)]")
        )
    )


def test_an_object_declares_its_keys(check):
    text = check.task("params:\n- name: o  # here\n  type: object\n")
    check.refuses("missing-field", "the object param 'o' declares no keys (add 'properties'", text)


def test_keys_of_objects_are_strings(check):
    text = check.task("params:\n- name: o\n  type: object\n  properties:\n    k:\n      type: array  # here\n")
    check.refuses("param-type", "the key 'k' must have the type 'string', not 'array'", text)


def test_enum_is_an_alpha_feature(check):
    text = check.task("params:\n- name: a\n  enum: [small, large]  # here\n")
    check.refuses("feature", "'enum' is an alpha feature", text)


# Variables


def test_an_undeclared_param_names_the_nearest(check):
    text = check.task("params:\n- name: dataset\n" + step("args: [$(params.datset)]  # here"))
    check.refuses("undeclared-param", "the param 'datset' is not declared (did you mean 'dataset'?)", text)


def test_the_line_of_a_variable_in_a_script_is_found(check):
    text = check.task(step("script: |\n  #!/bin/sh\n  echo ok\n  echo $(params.ghost)  # here"))
    check.refuses("undeclared-param", "'$(params.ghost)': the param 'ghost' is not declared", text)


@pytest.mark.parametrize("field", ["image", "workingDir", "onError"])
def test_undeclared_params_are_found_in_every_field(check, field):
    fields = step("command: [c]").replace("  image: i\n", "" if field == "image" else "  image: i\n")
    check.refuses("undeclared-param", "'ghost'", check.task(fields + f"  {field}: $(params.ghost)  # here\n"))


def test_a_variable_of_the_step_template_counts_where_a_step_takes_it(check):
    template = "stepTemplate:\n  image: $(params.ghost)  # here\n"
    check.refuses("undeclared-param", "'ghost'", check.task(template + "steps:\n- {name: s, command: [c]}"))
    check.warns("undeclared-param", "'ghost'", check.task(template + step("command: [c]")))


def test_an_undeclared_param_where_the_webhook_does_not_look_is_a_warning(check):
    text = check.task(step("command: [c]\nenvFrom:\n- configMapRef: {name: $(params.ghost)}  # here"))
    check.warns("undeclared-param", "'ghost' is not declared", text)


def test_an_array_stands_alone(check):
    text = check.task("params:\n- {name: a, type: array}\n" + step("args: ['--x=$(params.a[*])']  # here"))
    check.refuses(
        "param-type", "a whole array must stand alone, with nothing around it (make $(params.a[*]) an entry", text
    )


@pytest.mark.parametrize(
    "fields", ["image: $(params.a)", "script: echo $(params.a[*])", "env: [{name: E, value: $(params.a)}]"]
)
def test_an_array_cannot_stand_in_a_single_text(check, fields):
    text = check.task(f"params:\n- {{name: a, type: array}}\nsteps:\n- name: s\n  {fields}  # here\n  image: i\n")
    if fields.startswith("image"):
        text = text.replace("  image: i\n", "")
    check.refuses("param-type", "an array cannot stand in a single text (pick one with $(params.a[0])", text)


def test_an_element_of_an_array_fits_anywhere(check):
    check.accepts(
        check.task("params:\n- {name: a, type: array}\n" + step("args: ['--x=$(params.a[0])', '$(params.a[*])']"))
    )


def test_an_object_is_used_by_its_keys(check):
    declared = "params:\n- {name: o, type: object, properties: {url: {}, commit: {}}}\n"
    check.refuses("param-type", "an object can only be used by its keys (write $(params.o.commit))",
                  check.task(declared + step("args: ['$(params.o[*])']  # here")))  # fmt: skip
    check.refuses("unknown-key", "the object 'o' has no key 'comit' (did you mean 'commit'?)",
                  check.task(declared + step("args: [$(params.o.comit)]  # here")))  # fmt: skip


def test_a_string_with_an_index_or_key_stays_as_it_is(check):
    text = check.task("params:\n- name: p\n" + step("args: ['$(params.p[*])']  # here"))
    check.warns("param-type", "stays as it is: the param 'p' is a string", text)


@pytest.mark.parametrize("variable", ["$(params.a b)", "$(params.a.b.c)", "$(params.$(x))"])
def test_malformed_variables_are_refused(check, variable):
    text = check.task("params:\n- name: a\n" + step(f"args: ['{variable}']  # here"))
    check.refuses("malformed-variable", "", text)


def test_a_shells_own_expansion_inside_a_variable_is_refused(check):
    text = check.task(step("script: |\n  for i in 1 2; do\n  echo > $(results.r-${i}.path)  # here\n  done"))
    check.refuses("malformed-variable", "variables are filled in before the shell runs", text)


@pytest.mark.parametrize("text", ["$(foo.bar)", "$( params.x )", "${params.x}", "$(date)", "$(context.)"])
def test_texts_that_are_no_variables_of_tektons_are_left_alone(check, text):
    check.accepts(check.task(step(f"args: ['{text}']")))


def test_an_unknown_context_variable_names_those_there_are(check):
    text = check.task(step("args: [$(context.task.nope)]  # here"))
    check.refuses("unknown-context", "known: $(context.task.name), $(context.task.retry-count)", text)


def test_a_context_variable_without_meaning_here_is_a_warning(check):
    text = check.task(step("args: [$(context.pipelineRun.name)]  # here"))
    check.warns("unknown-context", "it has no meaning here", text)


def test_an_undeclared_result_in_a_script_is_refused_and_elsewhere_a_warning(check):
    declared = "results:\n- name: digest\n"
    check.refuses("undeclared-result", "the result 'digst' is not declared (did you mean 'digest'?)",
                  check.task(declared + step("script: echo > $(results.digst.path)  # here")))  # fmt: skip
    check.warns("undeclared-result", "did you mean 'digest'?",
                check.task(declared + step("args: [$(results.digst.path)]  # here")))  # fmt: skip


def test_an_undeclared_workspace_variable_is_accepted_with_a_warning(check):
    text = check.task("workspaces:\n- name: source\n" + step("args: [$(workspaces.sorce.path)]  # here"))
    check.warns("undeclared-workspace", "the workspace 'sorce' is not declared (did you mean 'source'?)", text)


def test_results_of_tasks_exist_only_in_pipelines(check):
    text = check.task(step("args: [$(tasks.a.results.b)]  # here"))
    check.warns("result-reference", "it exists only in a Pipeline", text)


# Steps


def test_a_task_needs_a_step(check):
    text = check.document("Task", "description: x").replace("spec:", "spec:  # here")
    check.refuses("missing-field", "a task needs at least one step", text)


def test_a_step_needs_an_image_of_its_own_or_of_the_template(check):
    check.refuses("missing-field", "the step has no image", check.task("steps:\n- {name: s, command: [c]}  # here"))
    check.accepts(check.task("stepTemplate: {image: i}\nsteps:\n- {name: s, command: [c]}"))


def test_a_step_has_either_script_or_command(check):
    text = check.task(step("command: [c]\nscript: echo  # here"))
    check.refuses("script-and-command", "either 'script' or 'command', not both", text)


def test_a_command_of_the_template_excludes_a_script_too(check):
    text = check.task("stepTemplate: {command: [c]}\n" + step("script: echo  # here"))
    check.refuses("script-and-command", "'command' from the stepTemplate", text)


def test_a_step_with_ref_brings_nothing_of_its_own(check):
    text = check.task("steps:\n- name: s\n  ref: {name: action}\n  image: i  # here\n")
    check.refuses("step", "'image' cannot be set on a step that takes a StepAction by 'ref'", text)


def test_params_of_a_step_need_a_ref(check):
    text = check.task(step("command: [c]\nparams: [{name: a, value: b}]  # here"))
    check.refuses("step", "only together with 'ref'", text)


def test_on_error_has_two_values(check):
    text = check.task(step("command: [c]\nonError: ignore  # here"))
    check.refuses("on-error", "'continue' or 'stopAndFail'", text)


def test_a_negative_timeout_of_a_step_is_refused(check):
    check.refuses("timeout", "cannot be negative", check.task(step("command: [c]\ntimeout: -5s  # here")))


def test_results_of_steps_reach_only_command_args_and_env(check):
    check.accepts(check.task("steps:\n- {name: a, image: i, command: [c], results: [{name: r}]}\n"
                             "- {name: b, image: i, command: [c], args: [$(steps.a.results.r)]}"))  # fmt: skip
    text = check.task("steps:\n- {name: a, image: i, command: [c], results: [{name: r}]}\n"
                      "- {name: b, image: i, script: echo $(steps.a.results.r)}  # here")  # fmt: skip
    check.refuses("result-reference", "works only in 'command', 'args' and 'env'", text)


def test_artifacts_are_an_alpha_feature(check):
    text = check.task(step("script: |\n  echo\n  cat $(step.artifacts.path)  # here"))
    check.refuses("feature", "artifacts are an alpha feature", text)


def test_nothing_is_mounted_into_tektons_own_folder(check):
    text = check.task("volumes: [{name: v, emptyDir: {}}]\n"
                      + step("command: [c]\nvolumeMounts:\n- {name: v, mountPath: /tekton/results}  # here"))  # fmt: skip
    check.refuses("volume", "nothing can be mounted at /tekton/results", text)


def test_when_has_a_form(check):
    text = check.task(step("command: [c]\nwhen:\n- {input: a, operator: equals, values: [a]}  # here"))
    check.refuses("when", "'equals' is no operator ('in' or 'notin')", text)
    text = check.task(step("command: [c]\nwhen:\n- {input: a, operator: in, values: []}  # here"))
    check.refuses("when", "'values' is empty", text)


# Results, volumes, workspaces


def test_a_result_has_a_name_a_type_and_keys(check):
    check.refuses("invalid-name", "no name for a result", check.task("results:\n- name: -x  # here"))
    check.refuses("result-type", "'number' is no type", check.task("results:\n- name: x\n  type: number  # here"))
    check.refuses("missing-field", "declares no keys", check.task("results:\n- name: x  # here\n  type: object"))


def test_two_results_of_one_name_are_accepted_with_a_warning(check):
    check.warns("duplicate-name", "declared twice", check.task("results:\n- name: x\n- name: x  # here"))


def test_a_results_value_names_a_steps_result(check):
    text = check.task("results:\n- name: x\n  value: fixed  # here")
    check.refuses("result-reference", "write $(steps.<step>.results.<result>)", text)


def test_two_volumes_of_one_name_are_refused(check):
    text = check.task("volumes:\n- {name: v, emptyDir: {}}\n- {name: v, emptyDir: {}}  # here")
    check.refuses("duplicate-name", "two volumes are called 'v'", text)


def test_an_undeclared_volume_is_accepted_with_a_warning(check):
    text = check.task(step("command: [c]\nvolumeMounts:\n- {name: ghost, mountPath: /x}  # here"))
    check.warns("undeclared-volume", "the volume 'ghost' is not declared", text)


def test_two_workspaces_of_one_name_are_refused(check):
    found = check.findings(check.task("workspaces:\n- name: w\n- name: w\n"))
    assert {one.rule for one in found} == {"duplicate-name", "workspace-mount"}


def test_two_things_cannot_be_mounted_at_one_path(check):
    text = check.task("workspaces:\n- {name: a, mountPath: /data}\n- {name: b, mountPath: /data/}  # here")
    check.refuses("workspace-mount", "something else is mounted at /data already: the workspace 'a'", text)


def test_a_steps_own_workspaces_must_be_declared(check):
    text = check.task(step("command: [c]\nworkspaces:\n- {name: ghost, mountPath: /x}  # here"))
    check.refuses("undeclared-workspace", "the workspace 'ghost' is not declared", text)


# StepActions


def test_scripts_of_step_actions_take_no_params(check):
    text = check.document(
        "StepAction", "image: i\nparams: [{name: a}]\nscript: echo $(params.a)  # here", version="v1beta1"
    )
    check.refuses("step", "scripts of StepActions take no params (pass it by 'env')", text)


def test_step_actions_declare_what_they_use(check):
    text = check.document("StepAction", "image: i\nargs: [$(params.ghost)]  # here", version="v1beta1")
    check.refuses("undeclared-param", "'ghost'", text)
