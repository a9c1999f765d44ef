"""Results: types, limits, and what becomes of those that do not fit."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.engine.results import ResultError, message_size, parse, parse_all


def test_a_string_stays_as_it_was_written():
    assert parse({"name": "r"}, "yes\n") == "yes\n"
    assert parse({"name": "r"}, '["a"]') == '["a"]'


@given(st.lists(st.text()), st.dictionaries(st.text(), st.text()))
def test_arrays_and_objects_come_back_as_they_were(array, mapping):
    assert parse({"name": "r", "type": "array"}, json.dumps(array)) == array
    assert parse({"name": "r", "type": "object"}, json.dumps(mapping)) == mapping


@pytest.mark.parametrize(
    ("declared", "text", "message"),
    [
        ({"type": "array"}, "[1]", r"declared as an array of strings, but the step wrote \"\[1\]\""),
        ({"type": "array"}, "no", "declared as an array"),
        ({"type": "array"}, '{"a": "b"}', "declared as an array"),
        ({"type": "object"}, "[]", "declared as an object"),
        ({"properties": {"a": {}, "b": {}}}, '{"a": "1"}', "lacks the keys b"),
    ],
)
def test_what_does_not_fit_is_named(declared, text, message):
    with pytest.raises(ResultError, match=message):
        parse({"name": "r", **declared}, text)


def test_the_size_counts_the_json_around_as_go_writes_it():
    plain = message_size({"r": "abc"}, {})
    assert message_size({"r": "abcd"}, {}) == plain + 1
    assert message_size({"r": "<bc"}, {}) == plain + 5
    assert message_size({"r": "äbc"}, {}) == plain + 1
    assert message_size({"r": "abc"}, {"s": ""}) > plain + len('{"key":"s"}')


TASK = """
    apiVersion: tekton.dev/v1
    kind: TaskRun
    metadata: {{name: t}}
    spec:
      taskSpec:
        results: [{results}]
        steps:
          - {{name: one, image: busybox, script: '{first}'}}
          - {{name: two, image: busybox, script: 'echo second ran'}}
"""


def test_an_array_result_of_numbers_fails_the_task_although_its_steps_succeed(execute):
    ran = execute(TASK.format(results="{name: r, type: array}", first="echo [1,2] > $(results.r.path)"))
    task = ran.outcome.task("t")
    assert (task.status, task.reason) == ("Failed", "TaskRunValidationFailed")
    assert [step.exit_code for step in task.steps] == [0, 0]
    assert "result r is declared as an array of strings" in task.message


def test_results_over_4096_bytes_fail_every_step_from_there_on_but_stop_none(execute):
    ran = execute(TASK.format(results="{name: r}", first='head -c 4200 /dev/zero | tr "\\\\0" x > $(results.r.path)'))
    task = ran.outcome.task("t")
    assert (task.status, task.exit_code) == ("Failed", 1)
    assert [step.exit_code for step in task.steps] == [1, 1]
    assert "4096" in task.message
    assert ran.log == "second ran"


def test_results_just_below_the_limit_pass(execute):
    ran = execute(TASK.format(results="{name: r}", first='head -c 3900 /dev/zero | tr "\\\\0" x > $(results.r.path)'))
    assert len(ran.outcome.results["r"]) == 3900


def test_a_failed_task_keeps_its_results_and_a_result_not_written_is_absent(execute):
    ran = execute(
        TASK.format(
            results="{name: r}, {name: never}, {name: empty}",
            first="printf kept > $(results.r.path); : > $(results.empty.path); exit 4",
        )
    )
    assert ran.outcome.task("t").exit_code == 4
    assert ran.outcome.results == {"r": "kept", "empty": ""}


def test_an_object_without_a_key_is_wrong_and_there_all_the_same():
    declared = {"name": "o", "type": "object", "properties": {"a": {}, "b": {}}}
    values, [problem] = parse_all([declared], {"o": '{"a": "x"}'})
    assert values == {"o": {"a": "x"}}
    assert problem == "result o lacks the keys b of its properties"
