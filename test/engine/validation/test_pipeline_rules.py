"""What Tekton's webhook refuses in a Pipeline, and what it overlooks."""

from __future__ import annotations

import pytest

ONE = "tasks:\n- name: a\n  taskSpec: {results: [{name: r}], steps: [{name: s, image: i, command: [c]}]}\n"


def two(fields: str, before: str = "") -> str:
    """Two tasks, the second with these fields (and a spec that declares the param p)."""
    lines = "".join(f"  {line}\n" for line in fields.strip("\n").splitlines())
    spec = "  taskSpec: {params: [{name: p, default: x}], steps: [{name: s, image: i, command: [c]}]}\n"
    return before + ONE + "- name: b\n" + spec + lines


def final(fields: str) -> str:
    return ONE + two(fields)[len(ONE) :].replace("- name: b", "finally:\n- name: b", 1)


def test_a_pipeline_that_is_right_is_accepted(check):
    check.accepts(check.pipeline(two("params: [{name: p, value: $(tasks.a.results.r)}]\nrunAfter: [a]")))


def test_an_empty_pipeline_is_refused(check):
    text = check.pipeline("tasks: []").replace("spec:", "spec:")
    assert [(one.rule, one.message) for one in check.findings(text)] == [("missing-field", "the pipeline is empty")]


def test_tasks_names_are_labels(check):
    text = check.pipeline(ONE.replace("name: a", "name: Build_1  # here", 1))
    check.refuses("invalid-name", "'Build_1' is no name for a task of a pipeline", text)


def test_two_tasks_of_one_name_are_refused_even_across_finally(check):
    text = check.pipeline(final("").replace("- name: b", "- name: a  # here"))
    check.refuses("duplicate-name", "two tasks are called 'a'", text)


def test_a_task_has_exactly_one_of_ref_and_spec(check):
    check.refuses("one-of", "neither 'taskRef' nor 'taskSpec'", check.pipeline("tasks:\n- name: a  # here\n"))
    text = check.pipeline(ONE.replace("}]}\n", "}]}  # here\n") + "  taskRef: {name: it}\n")
    check.refuses(
        "one-of", "exactly one of taskRef and taskSpec, this one has taskRef and taskSpec", check.task(""), text
    )


def test_pipelines_in_pipelines_are_an_alpha_feature(check):
    text = check.pipeline("tasks:\n- name: a\n  pipelineRef: {name: x}  # here\n")
    check.refuses("feature", "'pipelineRef' of a task is an alpha feature", text)


def test_a_custom_task_needs_kind_and_version(check):
    check.accepts(check.pipeline("tasks:\n- name: a\n  taskRef: {apiVersion: example.dev/v1, kind: Wait, name: w}\n"))
    text = check.pipeline("tasks:\n- name: a\n  taskRef: {apiVersion: v1, kind: Wait}  # here\n")
    check.refuses("reference", "'v1' is no version of a custom task", text)


def test_a_reference_by_resolver_takes_no_name(check):
    check.accepts(check.pipeline("tasks:\n- name: a\n  taskRef: {resolver: hub, params: [{name: name, value: x}]}\n"))
    text = check.pipeline("tasks:\n- name: a\n  taskRef: {name: x, resolver: hub, params: []}  # here\n")
    check.refuses("reference", "either 'name' or 'resolver' with 'params', not both", text)
    text = check.pipeline("tasks:\n- name: a\n  taskRef: {params: [{name: b, value: c}]}  # here\n")
    check.refuses("reference", "'params' need a 'resolver'", text)
    check.refuses(
        "reference",
        "neither 'name' nor 'resolver'",
        check.pipeline("tasks:\n- name: a\n  taskRef: {kind: Task}  # here"),
    )


def test_an_address_as_a_name_is_an_alpha_feature(check):
    text = check.pipeline("tasks:\n- name: a\n  taskRef: {name: 'https://example.com/x'}  # here\n")
    check.refuses("feature", "as a name is an alpha feature", text)


# Order


def test_run_after_an_unknown_task_names_the_nearest(check):
    text = check.pipeline(two("runAfter:\n- aa  # here"))
    check.refuses("run-after", "there is no task 'aa' to run after (did you mean 'a'?)", text)


def test_run_after_a_task_of_finally_is_explained(check):
    text = check.pipeline(ONE + "  runAfter: [b]  # here\n" + final("")[len(ONE) :])
    check.refuses("run-after", "tasks of 'finally' come last anyway", text)


def test_a_result_of_an_unknown_task_is_refused(check):
    text = check.pipeline(two("params:\n- name: p\n  value: $(tasks.aa.results.r)  # here"))
    check.refuses("result-reference", "there is no task 'aa' (did you mean 'a'?)", text)


def test_a_cycle_shows_the_way_round(check):
    text = check.pipeline(
        "".join(
            f"- name: {name}\n  runAfter: [{before}]{'  # here' if name == 'a' else ''}\n  taskRef: {{apiVersion: e/v1, kind: K}}\n"
            for name, before in (("a", "c"), ("b", "a"), ("c", "b"), ("d", "c"))
        ).join(["tasks:\n", ""])
    )
    check.refuses("cycle", "tasks wait for each other: a → c → b → a", text)


def test_a_task_that_waits_for_its_own_result_is_a_cycle(check):
    text = check.pipeline(ONE + "  when:\n  - {input: $(tasks.a.results.r), operator: in, values: [x]}  # here\n")
    check.refuses("cycle", "the task 'a' waits for itself", text)


def test_two_separate_cycles_are_told_separately(check):
    spec = "tasks:\n" + "".join(
        f"- {{name: {one}, runAfter: [{other}], taskRef: {{apiVersion: e/v1, kind: K}}}}\n"
        for one, other in (("a", "b"), ("b", "a"), ("g", "h"), ("h", "g"))
    )
    messages = [one.message for one in check.findings(check.pipeline(spec))]
    assert messages == ["tasks wait for each other: a → b → a", "tasks wait for each other: g → h → g"]


def test_results_used_inside_an_inline_step_make_an_order_too(check):
    text = check.pipeline(ONE + "- name: b\n  taskSpec:\n    steps:\n    - name: s\n      image: i\n"
                                "      script: echo $(tasks.ghost.results.r)  # here\n")  # fmt: skip
    check.refuses("result-reference", "there is no task 'ghost'", text)


@pytest.mark.parametrize("variable", ["$(tasks.a.results['r'])", "$(tasks.a.results.r.k.l)"])
def test_what_tekton_does_not_take_for_a_result_is_a_warning(check, variable):
    text = check.pipeline(two(f"params:\n- name: p\n  value: {variable}  # here"))
    check.warns("result-reference", "stays as it is: Tekton does not take it for a result", text)


# Finally and statuses


def test_finally_takes_no_run_after(check):
    text = check.pipeline(final("runAfter: [a]  # here"))
    check.refuses("finally", "takes no 'runAfter'", text)


def test_tasks_of_finally_cannot_use_each_others_results(check):
    text = check.pipeline(final("params: [{name: p, value: x}]") + "- name: c\n"
                          "  taskSpec: {params: [{name: p}], steps: [{name: s, image: i, command: [c]}]}\n"
                          "  params: [{name: p, value: $(tasks.b.results.r)}]  # here\n").replace("params: [{name: p, default: x}]", "params: [{name: p, default: x}], results: [{name: r}]")  # fmt: skip
    check.refuses("finally", "tasks of 'finally' cannot use each other's results", text)


def test_finally_without_tasks_is_refused(check):
    text = check.pipeline(ONE.replace("tasks:", "finally:  # here"))
    check.refuses("finally", "there is 'finally', but no 'tasks'", text)


def test_statuses_are_known_in_finally_only(check):
    check.accepts(
        check.pipeline(final("params: [{name: p, value: $(tasks.a.status) $(tasks.status) $(tasks.a.reason)}]"))
    )
    text = check.pipeline(two("params: [{name: p, value: $(tasks.a.status)}]  # here"))
    check.refuses("status-reference", "known only in 'finally'", text)


def test_the_status_of_an_unknown_task_is_refused(check):
    text = check.pipeline(final("params: [{name: p, value: $(tasks.aa.status)}]  # here"))
    check.refuses("status-reference", "there is no task 'aa' (did you mean 'a'?)", text)


# Params and other variables


def test_an_undeclared_param_of_a_pipeline_is_refused(check):
    text = check.pipeline("params:\n- name: dataset\n" + two("params: [{name: p, value: $(params.data-set)}]  # here"))
    check.refuses("undeclared-param", "the param 'data-set' is not declared (did you mean 'dataset'?)", text)


def test_an_undeclared_param_in_when_is_refused(check):
    text = check.pipeline(two("when:\n- {input: $(params.ghost), operator: in, values: [x]}  # here"))
    check.refuses("undeclared-param", "'ghost'", text)


def test_an_array_param_in_when_needs_its_star(check):
    declared = "params: [{name: l, type: array}]\n"
    check.accepts(check.pipeline(declared + two("when:\n- {input: x, operator: in, values: ['$(params.l[*])']}")))
    text = check.pipeline(declared + two("when:\n- {input: x, operator: in, values: [$(params.l)]}  # here"))
    check.refuses("param-type", "an array cannot stand in a single text", text)


def test_a_whole_array_is_passed_on_with_a_star(check):
    text = check.pipeline("params: [{name: l, type: array}]\n" + two("params: [{name: p, value: $(params.l)}]  # here"))
    check.refuses("param-type", "a whole array is passed on with [*] (write $(params.l[*]))", text)


def test_an_inline_task_sees_the_pipelines_params_but_not_what_it_is_given_undeclared(check):
    spec = "params: [{name: top}]\n" + ONE.replace("command: [c]", "command: [$(params.top)]")
    check.accepts(check.pipeline(spec))
    text = check.pipeline(ONE.replace("command: [c]", "command: [$(params.x)]").replace("  taskSpec", "  params: [{name: x, value: y}]\n  taskSpec").replace("}]}\n", "}]}  # here\n"))  # fmt: skip
    check.refuses("undeclared-param", "the param 'x' is not declared", text)


def test_a_param_given_twice_is_refused(check):
    text = check.pipeline(two("params:\n- {name: p, value: x}\n- {name: p, value: y}  # here"))
    check.refuses("duplicate-name", "the param 'p' is given twice", text)


def test_a_shell_variable_in_a_pipelines_value_is_refused(check):
    text = check.pipeline(two("params: [{name: p, value: $(HOME)/x}]  # here"))
    check.refuses("malformed-variable", "a shell's variable is ${NAME}", text)


def test_an_unknown_context_variable_of_a_pipeline_is_refused(check):
    text = check.pipeline(two("params: [{name: p, value: $(context.pipelineRun.nope)}]  # here"))
    check.refuses("unknown-context", "known: $(context.pipelineRun.name)", text)


# Workspaces, errors, results


def test_an_undeclared_workspace_of_a_pipeline_is_refused(check):
    text = check.pipeline("workspaces: [{name: source}]\n" + two("workspaces:\n- {name: w, workspace: sorce}  # here"))
    check.refuses("undeclared-workspace", "the pipeline has no workspace 'sorce' (did you mean 'source'?)", text)


def test_a_workspace_bound_twice_is_refused(check):
    text = check.pipeline("workspaces: [{name: w}]\n" + two("workspaces:\n- name: w\n- name: w  # here"))
    check.refuses("duplicate-name", "the workspace 'w' is bound twice", text)


def test_a_workspace_declared_twice_is_refused(check):
    text = check.pipeline("workspaces:\n- name: w\n- name: w  # here\n" + ONE)
    check.refuses("duplicate-name", "the workspace 'w' is declared twice", text)


def test_continue_and_retries_exclude_each_other(check):
    text = check.pipeline(two("retries: 1\nonError: continue  # here"))
    check.refuses("on-error", "'continue' and 'retries' exclude each other", text)


def test_a_result_of_a_pipeline_takes_a_result_of_a_task(check):
    check.accepts(check.pipeline(ONE + "results:\n- {name: x, value: $(tasks.a.results.r) behind}\n"))
    text = check.pipeline(ONE + "results:\n- {name: x, value: fixed}  # here\n")
    check.refuses("result-reference", "'fixed' takes no result of a task", text)
    text = check.pipeline(ONE + "results:\n- {name: x, value: $(tasks.aa.results.r)}  # here\n")
    check.refuses("result-reference", "there is no task 'aa' (did you mean 'a'?)", text)


def test_text_in_front_of_a_pipelines_result_is_refused_by_tekton(check):
    text = check.pipeline(ONE + "results:\n- {name: x, value: v$(tasks.a.results.r)}  # here\n")
    check.refuses("result-reference", "text in front of the first variable", text)


def test_a_result_that_an_inline_task_does_not_declare_is_accepted_with_a_warning(check):
    text = check.pipeline(two("params: [{name: p, value: $(tasks.a.results.rr)}]  # here"))
    check.warns("undeclared-result", "the inline Task has no result 'rr' (did you mean 'r'?)", text)


# Matrix


MATRIX = "  matrix: {params: [{name: p, value: [k, l]}]}\n"


def test_a_param_is_given_once_in_params_or_matrix(check):
    text = check.pipeline(two("params: [{name: p, value: x}]  # here") + MATRIX)
    check.refuses("matrix", "given in 'params' and in 'matrix'", text)


def test_results_of_a_matrix_come_all_together(check):
    spec = ONE + "  matrix: {params: [{name: m, value: [k, l]}]}\n"
    text = check.pipeline(spec + two("params: [{name: p, value: $(tasks.a.results.r)}]  # here")[len(ONE) :])
    check.refuses("matrix", "write [*] behind it", text)


def test_a_matrix_has_at_most_256_runs(check):
    values = ", ".join(f"v{n}" for n in range(17))
    params = ", ".join(f"{{name: {name}, value: [{values}]}}" for name in ("p", "q"))
    text = check.pipeline(two("") + f"  matrix:\n    params: [{params}]  # here\n")
    check.refuses("matrix", "the matrix makes 289 runs, more than 256", text)


FED = ONE + "  matrix: {params: [{name: m, value: [k, l]}]}\n"


def test_a_result_of_a_matrix_that_no_task_uses_is_warned_of(check):
    result = 'results:\n- {name: all, value: "$(tasks.a.results.r[*])"}  # here\n'
    check.warns("matrix", "fails with CouldntGetPipelineResult", check.pipeline(result + FED))
    user = '- name: b\n  params: [{name: p, value: "$(tasks.a.results.r[*])"}]\n  taskSpec: {params: [{name: p}], steps: [{name: s, image: i, command: [c]}]}\n'
    check.accepts(check.pipeline(result + FED + user))


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("[{params: [{name: p, value: new}, {name: q, value: new}]}]", "Tekton counts 3 runs and makes 2 combinations"),
        (
            "[{params: [{name: u, value: a}]}, {params: [{name: u, value: b}]}]",
            "makes 2 combinations: some are dropped",
        ),
    ],
)
def test_an_include_that_tekton_counts_wrongly_is_warned_of(check, include, message):
    params = "[{name: p, value: [x1]}, {name: q, value: [x2]}]"
    text = check.pipeline(two("") + f"  matrix:\n    params: {params}\n    include: {include}  # here\n")
    check.warns("matrix", message, text)


def test_only_texts_are_gathered_from_a_matrix(check):
    spec = FED.replace("results: [{name: r}]", "results: [{name: r, type: array}]")
    user = '- name: b\n  params: [{name: p, value: "$(tasks.a.results.r[*])"}]  # here\n  taskSpec: {params: [{name: p}], steps: [{name: s, image: i, command: [c]}]}\n'
    check.refuses("matrix", "gathers results of the type string only", check.pipeline(spec + user))


def test_a_matrix_gives_single_texts(check):
    text = check.pipeline(two("") + "  matrix:\n    params:\n    - {name: p, value: [a, b]}  # here\n")
    check.refuses(
        "param-type",
        "but a matrix gives single texts",
        text.replace("{name: p, default: x}", "{name: p, type: array}"),
    )


def test_the_length_of_a_matrix_over_results_is_warned_of(check):
    text = check.pipeline(
        ONE
        + '- name: b\n  matrix: {params: [{name: m, value: "$(tasks.a.results.r[*])"}]}\n'
        + "  taskSpec: {params: [{name: m}], steps: [{name: s, image: i, command: [c]}]}\n"
        + "- name: c\n  params: [{name: p, value: $(tasks.b.matrix.length)}]  # here\n"
        + "  taskSpec: {params: [{name: p}], steps: [{name: s, image: i, command: [c]}]}\n"
    )
    check.warns("matrix", "counted before the results are known", text)


# What Tekton accepts


@pytest.mark.parametrize(
    "spec",
    [
        two("runAfter: [a, a]"),
        two("") + "  matrix: {params: [{name: p, value: text}]}\n",
        "params: [{name: a}, {name: A}]\n" + ONE,
        two("displayName: any $(params.unknown-in-text) text").replace("$(params.unknown-in-text)", ""),
    ],
)
def test_what_tekton_accepts_is_accepted(check, spec):
    check.accepts(check.pipeline(spec))


def test_negative_retries_are_accepted_with_a_warning(check):
    check.warns("retries", "negative retries count as none", check.pipeline(two("retries: -1  # here")))
