"""``matrix``: what is combined and counted, and whole runs that fan out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.engine import matrix, report
from catalog.engine.outcomes import Reason, Status, TaskOutcome
from catalog.engine.planning import PlanError

from .test_pipelines import by_name, pipeline


def params(**values):
    return [{"name": name, "value": value} for name, value in values.items()]


def test_the_last_param_changes_slowest():
    found = matrix.runs({"params": params(platform=["linux", "mac"], browser=["chrome", "safari"])})
    assert found == [
        {"browser": "chrome", "platform": "linux"},
        {"browser": "chrome", "platform": "mac"},
        {"browser": "safari", "platform": "linux"},
        {"browser": "safari", "platform": "mac"},
    ]


# Outcomes of tektoncd/pipeline v1.15.0 (CountCombinations, FanOut), which 4000 random matrices agreed with.
@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ([params(a="1", url="u")], [{"a": "1", "url": "u"}, {"a": "2"}]),
        ([params(url="u")], [{"a": "1", "url": "u"}, {"a": "2", "url": "u"}]),
        ([params(a="9")], [{"a": "1"}, {"a": "2"}, {"a": "9"}]),
        ([params(a="9", url="u")], [{"a": "1"}, {"a": "2"}, {"a": "9", "url": "u"}]),
        # Beyond the count: the second value for all comes too late, and is dropped.
        ([params(url="u"), params(url="v")], [{"a": "1", "url": "u"}, {"a": "2", "url": "u"}]),
        # Two entries with one new value: one combination, counted twice.
        ([params(a="9"), params(a="9")], [{"a": "1"}, {"a": "2"}, {"a": "9"}, {}]),
        ([[]], [{"a": "1"}, {"a": "2"}]),
    ],
)
def test_include_adds_to_what_fits_and_else_beside_it(include, expected):
    given_include = [{"params": one} for one in include]
    assert matrix.runs({"params": params(a=["1", "2"]), "include": given_include}) == expected


def test_an_entry_with_two_new_values_is_counted_twice_and_the_run_too_many_gets_nothing():
    include = [{"params": params(a="9", b="9")}]
    assert matrix.runs({"params": params(a=["1"], b=["2"]), "include": include}) == [
        {"a": "1", "b": "2"},
        {"a": "9", "b": "9"},
        {},
    ]


def test_include_alone_is_taken_as_it_is():
    include = [{"params": params(a="1", b="2")}, {"params": params(a="1")}]
    assert matrix.runs({"include": include}) == [{"a": "1", "b": "2"}, {"a": "1"}]


@given(st.lists(st.lists(st.text(max_size=2), min_size=1, max_size=4, unique=True), min_size=1, max_size=4))
def test_without_include_there_is_each_combination_once(lists):
    found = matrix.runs({"params": [{"name": f"p{i}", "value": values} for i, values in enumerate(lists)]})
    total = 1
    for values in lists:
        total *= len(values)
    assert len(found) == total == len({tuple(one.values()) for one in found})


def test_names_end_in_their_place_and_stay_within_63_letters():
    assert matrix.labels("build", 1) == ["build"]
    assert matrix.labels("build", 3) == ["build-0", "build-1", "build-2"]
    found = matrix.labels("x" * 70, 11)
    assert len(set(found)) == 11
    assert max(map(len, found)) == 63


def test_results_are_gathered_in_the_order_of_names_from_those_that_wrote_them():
    def child(place):
        failed = place == 2
        results = {"r": f"v{place}"} | ({"rare": "x"} if place == 1 else {}) | {"list": ["a"]}
        status = Status.FAILED if failed else Status.SUCCEEDED
        reason = Reason.STEP_FAILED if failed else Reason.SUCCEEDED
        return TaskOutcome(f"m-{place}", status, reason, exit_code=3 if failed else 0, results=results)

    whole = matrix.gathered("m", [child(place) for place in range(11)])
    assert whole.results["r"] == ["v0", "v1", "v10", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"]
    assert whole.results["rare"] == ["x"]
    assert whole.results["list"] == [""] * 11
    assert (whole.status, whole.reason, whole.exit_code) == (Status.FAILED, Reason.STEP_FAILED, 3)
    assert whole.message.startswith("1 of 11 failed; m-2:")


def test_a_run_of_a_matrix_is_called_by_include_then_by_display_name_then_by_its_values():
    body = {
        "matrix": {"params": params(a=["1", "2"]), "include": [{"name": "one is $(params.a)", "params": params(a="1")}]}
    }
    assert matrix.display_name(body, {"a": "1", "other": "x"}) == "one is 1"
    assert matrix.display_name(body, {"a": "2", "other": "x"}) == "a=2"
    assert (
        matrix.display_name({**body, "displayName": "$(params.other) $(params.a)"}, {"a": "2", "other": "x"}) == "x 2"
    )


FAN = """
    tasks:
      - name: make
        matrix: {params: [{name: p, value: [a, b, c]}]}
        taskSpec:
          params: [{name: p}]
          results: [{name: r}]
          steps: [{image: x, script: 'printf $(params.p)-$(context.taskRun.name) > $(results.r.path)'}]
      - name: use
        params: [{name: all, value: "$(tasks.make.results.r[*])"}, {name: size, value: $(tasks.make.matrix.length)}]
        taskSpec:
          params: [{name: all, type: array}, {name: size}]
          steps: [{image: x, command: [echo, "$(params.size):", "$(params.all[*])"]}]
    """


@pytest.mark.parametrize("jobs", [1, 4])
def test_each_combination_is_a_task_run_and_results_come_together(execute, jobs):
    ran = execute(pipeline(FAN), jobs=jobs)
    assert ran.log == "3: a-p-make-0 b-p-make-1 c-p-make-2"
    make = ran.outcome.task("make")
    assert [child.name for child in make.children] == ["make-0", "make-1", "make-2"]
    assert make.results == {"r": ["a-p-make-0", "b-p-make-1", "c-p-make-2"]}
    assert ran.outcome.task("make-1").results == {"r": "b-p-make-1"}
    assert [row.task for row in report.rows(ran.outcome)] == [
        "make",
        "  make-0  p=a",
        "  make-1  p=b",
        "  make-2  p=c",
        "use",
    ]
    assert ran.outcome.as_json()["tasks"][0]["children"][2]["display_name"] == "p=c"


def test_a_matrix_over_results_is_fanned_out_when_they_are_there(execute):
    tasks = """
        tasks:
          - name: list
            taskSpec:
              results: [{name: r, type: array}]
              steps: [{image: x, script: "printf '[\\"a\\", \\"b\\"]' > $(results.r.path)"}]
          - name: each
            matrix: {params: [{name: p, value: "$(tasks.list.results.r[*])"}]}
            taskSpec: {params: [{name: p}], steps: [{image: x, script: 'echo got $(params.p)'}]}
        """
    ran = execute(pipeline(tasks))
    assert sorted(ran.log.splitlines()) == ["got a", "got b"]


def test_each_run_is_retried_by_itself_and_one_failure_fails_the_task(execute, tmp_path):
    script = f"echo $(params.p) >> {tmp_path}/tries; [ $(params.p) != bad ]"
    tasks = f"""
        tasks:
          - name: m
            retries: 1
            matrix: {{params: [{{name: p, value: [good, bad]}}]}}
            taskSpec: {{params: [{{name: p}}], steps: [{{image: x, script: '{script}'}}]}}
        finally:
          - name: tell
            params: [{{name: s, value: "$(tasks.m.status) $(tasks.m.reason) $(tasks.status)"}}]
            taskSpec: {{params: [{{name: s}}], steps: [{{image: x, script: 'echo $(params.s)'}}]}}
        """
    ran = execute(pipeline(tasks))
    assert sorted((tmp_path / "tries").read_text().split()) == ["bad", "bad", "good"]
    assert by_name(ran)["m"] == ("Failed", "StepFailed")
    assert ran.outcome.task("m-1").attempts == 2
    assert "Failed StepFailed Failed" in ran.log


def test_on_error_continue_covers_a_matrix(execute):
    tasks = """
        tasks:
          - name: m
            onError: continue
            matrix: {params: [{name: p, value: ["0", "3"]}]}
            taskSpec: {params: [{name: p}], steps: [{image: x, script: 'exit $(params.p)'}]}
          - {name: next, runAfter: [m], taskSpec: {steps: [{image: x, script: 'echo on'}]}}
        """
    ran = execute(pipeline(tasks))
    assert ran.outcome.succeeded
    assert by_name(ran)["m"] == ("Failed", "FailureIgnored")
    assert ran.log == "on"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("$(params.text)", "task m: the matrix param p is of type string, only arrays are fanned out"),
        ("$(params.many[*])", "task m: its matrix makes 300 runs, more than 256; split it"),
    ],
)
def test_what_a_matrix_cannot_be_is_refused_before_anything_runs(execute, value, message):
    tasks = f"""
        tasks:
          - name: m
            matrix: {{params: [{{name: p, value: "{value}"}}]}}
            taskSpec: {{params: [{{name: p}}], steps: [{{image: x, script: 'true'}}]}}
        """
    many = ", ".join(f'"{number}"' for number in range(300))
    spec = f"params: [{{name: text, default: t}}, {{name: many, type: array, default: [{many}]}}]"
    with pytest.raises(PlanError) as caught:
        execute(pipeline(tasks, spec=spec))
    assert message in str(caught.value)


@pytest.mark.parametrize(("on_error", "retries"), [("never", 0), ("continue", 1)])
def test_on_error_from_a_param_is_judged_before_anything_runs(execute, on_error, retries):
    tasks = f"""
        tasks:
          - name: t
            onError: $(params.e)
            retries: {retries}
            taskSpec: {{steps: [{{image: x, script: 'true'}}]}}
        """
    with pytest.raises(PlanError, match="onError"):
        execute(pipeline(tasks, spec=f"params: [{{name: e, default: {on_error}}}]"))
