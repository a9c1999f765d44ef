"""The shape of documents: fields, types, what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.engine import durations, schema


def test_an_unknown_field_names_the_nearest_known_one(check):
    text = check.task("steps:\n- name: s\n  image: i\n  comand: [c]  # here\n")
    finding = check.refuses("unknown-field", "unknown field 'comand' (did you mean 'command'?)", text)
    assert finding.position.field == "spec.steps[0].comand"


def test_a_field_of_an_old_version_names_its_successor(check):
    text = check.task("steps:\n- name: s\n  image: i\n  command: [c]\n  resources: {}  # here\n")
    check.refuses("unknown-field", "v1 calls it 'computeResources'", text)


def test_case_matters_in_names_of_fields(check):
    text = check.task("steps:\n- name: s\n  image: i\n  workingdir: /x  # here\n")
    check.refuses("unknown-field", "did you mean 'workingDir'?", text)


def test_unknown_fields_are_found_in_parts_of_pods_too(check):
    text = check.task("""
        volumes:
        - name: v
          emptyDir: {sizelimit: 1Gi}  # here
        """)
    check.refuses("unknown-field", "did you mean 'sizeLimit'?", text)


def test_a_number_where_text_is_needed_asks_for_quotes(check):
    text = check.task("steps:\n- name: s\n  image: i\n  command: [sleep, 010]  # here\n")
    check.refuses("type", "must be text, but YAML reads 8 (put it in quotes)", text)


def test_a_word_that_yaml_takes_for_a_truth_asks_for_quotes(check):
    text = check.task("params:\n- name: n  # here\n  default: x\n")
    check.refuses("type", "must be text, but YAML reads false (put it in quotes)", text)


def test_a_text_where_a_list_is_needed_says_how_to_write_one(check):
    text = check.task("steps:\n- name: s\n  image: i\n  command: python -m x  # here\n")
    check.refuses("type", "must be a list, but it is the text python -m x (begin each entry with '- ')", text)


def test_a_list_where_a_mapping_is_needed_says_so(check):
    text = check.document("TaskRun", "taskRef:\n- name: x  # here\n").replace("taskRef:\n", "taskRef:\n")
    found = check.findings(text)
    assert [(one.rule, one.position.field) for one in found if one.rule == "type"] == [("type", "spec.taskRef")]


def test_a_quoted_number_where_a_number_is_needed_says_to_remove_the_quotes(check):
    text = check.document(
        "TaskRun",
        """
        taskSpec:
          steps: [{name: s, image: i, command: [c]}]
        retries: "2"  # here
        """,
    )
    check.refuses("type", "must be a whole number, but it is the text 2 (remove the quotes)", text)


def test_a_missing_field_is_told_at_what_lacks_it(check):
    text = check.task("steps:\n- name: s\n  image: i\n  command: [c]\n  env:\n  - value: x  # here\n")
    check.refuses("missing-field", "'name' is missing", text)


def test_an_empty_entry_of_a_list_is_refused(check):
    text = check.task("params:\n- name: ok\n-  # here\n")
    check.refuses("type", "the list has an empty entry", text)


def test_empty_fields_count_as_absent(check):
    check.accepts(check.task("params:\nresults:\ndescription:\nvolumes:\n"))


@pytest.mark.parametrize("wrong", ["60", '"60"', "1 hour", "1h30", "soon"])
def test_a_duration_needs_its_unit(check, wrong):
    text = check.document(
        "TaskRun",
        f"""
        taskSpec:
          steps: [{{name: s, image: i, command: [c]}}]
        timeout: {wrong}  # here
        """,
    )
    check.refuses("duration", "is no duration (write it like '90s', '1h30m' or '0')", text)


def test_a_duration_takes_no_variable(check):
    text = check.document(
        "TaskRun",
        """
        params: [{name: t, value: 1h}]
        taskSpec:
          steps: [{name: s, image: i, command: [c]}]
        timeout: $(params.t)  # here
        """,
    )
    check.refuses("duration", "variables are not filled in here", text)


def test_a_quantity_needs_its_form(check):
    text = check.task("""
        steps:
        - name: s
          image: i
          command: [c]
          computeResources:
            requests: {cpu: 100m, memory: 1.5Gi, storage: 2e9}
            limits: {memory: lots}  # here
        """)
    check.refuses("quantity", "'lots' is no quantity (write it like '500m' or '1Gi')", text)


def test_another_version_of_a_kind_is_refused_by_name(check):
    text = check.task("").replace("tekton.dev/v1\n", "tekton.dev/v1beta1  # here\n")
    check.refuses("api-version", "Task is of tekton.dev/v1 here, not of 'tekton.dev/v1beta1'", text)


def test_an_unknown_kind_of_tektons_names_the_nearest(check):
    text = check.task("").replace("kind: Task\n", "kind: TaskRan  # here\n")
    check.refuses("kind", "'TaskRan' of tekton.dev/v1 is not known here (did you mean 'TaskRun'?)", text)


def test_a_document_without_kind_is_refused(check):
    check.refuses("document", "the document has no 'kind'", "apiVersion: v1  # here\n")


def test_documents_of_other_groups_are_none_of_our_business(check):
    check.accepts("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Anything_}\ndata: {a: b}\n")


def test_everything_wrong_is_told_at_once_and_in_the_order_of_the_file(check):
    found = check.findings(
        check.task("""
        params:
        - name: a
          type: strong
        steps:
        - name: S
          image: i
          args: [$(params.b)]
          timeout: soon
        """)
    )
    assert [(one.rule, one.position.line) for one in found] == [
        ("param-type", 8),
        ("invalid-name", 10),
        ("undeclared-param", 12),
        ("duration", 13),
    ]


def test_a_document_of_any_shape_is_judged_without_a_fault(check):
    for kind in schema.VERSIONS:
        for spec in (
            "[]",
            "text",
            "{tasks: text, params: {}, steps: [1, [2]]}",
            "{tasks: [[], {name: []}], params: [x]}",
        ):
            version = schema.VERSIONS[kind][0]
            assert check.findings(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n")


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["", "a", "$(params.a[*])", "$(tasks.a.results.b)"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "params",
                    "tasks",
                    "steps",
                    "name",
                    "value",
                    "default",
                    "type",
                    "taskSpec",
                    "taskRef",
                    "when",
                    "results",
                    "workspaces",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(kind=st.sampled_from(sorted(schema.VERSIONS)), spec=_json)
def test_no_spec_whatsoever_makes_the_rules_fail(kind, spec, tmp_path_factory):
    import json

    from catalog.engine.documents import Documents
    from catalog.engine.support import unsupported
    from catalog.engine.validation import validate

    file = tmp_path_factory.getbasetemp() / "any.yaml"
    body = {"apiVersion": schema.VERSIONS[kind][0], "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    file.write_text(json.dumps(body), encoding="utf-8")
    documents, _ = Documents.load([file])
    assert all(one.position.line == 1 for one in [*validate(documents), *unsupported(documents)])


def test_stored_values_leave_out_what_is_empty_and_keep_what_is_wrong():
    body = {
        "params": [{"name": "a", "value": None}, {"name": "b", "default": None}],
        "steps": None,
        "odd": None,
        "x": 1,
    }
    assert schema.stored(body, "TaskSpec") == {
        "params": [{"name": "a"}, {"name": "b"}],
        "x": 1,
    } | {"params": [{"name": "a"}, {"name": "b"}]}
    assert schema.stored([{"name": "a", "value": None}], "[Param]") == [{"name": "a", "value": ""}]


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", None], ["a", ""]),
        ({"k": "v"}, {"k": "v"}),
        (8, "8"),
        (True, "true"),
        ([1, "a"], '[1,"a"]'),
        ({"b": 1, "a": {"c": "<"}}, '{"a":{"c":"\\u003c"},"b":1}'),
    ],
)
def test_a_params_value_is_text_unless_it_is_a_list_or_mapping_of_texts(value, stored):
    assert schema.param_value(value) == stored


def test_every_type_in_the_tables_is_known():
    known = {"text", "int", "bool", "quantity", "port", "duration", "value", "any", *schema.structures()}
    for fields in schema.structures().values():
        assert {field.type.strip("[]{}") for field in fields.values()} <= known


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), ("1.5s", 1.5), ("250ms", 0.25), ("0", 0), ("-5s", -5), (".5m", 30), ("2µs", 2e-6)],
)
def test_durations_read_as_go_reads_them(text, seconds):
    assert durations.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "1d", "1 s", "1h-3m", "--1s", "1.2.3s"])
def test_what_go_does_not_take_for_a_duration_is_none(text):
    assert durations.seconds(text) is None
