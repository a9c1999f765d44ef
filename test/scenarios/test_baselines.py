"""Every way in which a baseline may be there or not, as the gate's page documents it; and exit codes."""

import pytest
from team import condition, exit_code, params, results, succeeded

RULES = "accuracy: {min: 0.85, max_drop: 0.01}"
NO_BASELINE = ("no-baseline", "no-baseline: .*approved")


def bound(name, **more):
    return [{"name": "baseline", "configMap": {"name": name, **more}}]


CASES = {
    "not-bound": [],
    "missing": bound("nobody-made-this", optional=True),
    "empty": bound("empty"),
    "key-absent": bound("other-metrics"),
    "met": bound("good"),
    "not-met": bound("too-good"),
    "strict": [],
}
WRONG = {"rules-wrong": params(rules="accuracy: {max_drop: '0.1'}"), "no-model": params(model_dir="nowhere")}


@pytest.fixture(scope="module")
def gates(team):
    """The TaskRuns of all cases, ended; they ran beside each other, on one model."""
    team.load()
    succeeded(
        team.run(
            "TaskRun",
            "train",
            {
                "taskRef": {"name": "sklearn-train"},
                "params": params(dataset="data/iris.csv", onnx="off", golden="none"),
            },
        )
    )
    team.config_map("empty", {})
    team.config_map("other-metrics", {"roc_auc": "0.5"})
    team.config_map("good", {"accuracy": "0.91\n"})
    team.config_map("too-good", {"accuracy": "0.95"})
    reference = {"name": "metric-gate"}
    for name, workspaces in CASES.items():
        given = params(rules=RULES, report_dir=f"gate-{name}")
        given += params(on_missing_baseline="fail") if name == "strict" else []
        team.start("TaskRun", name, {"taskRef": reference, "params": given, "workspaces": workspaces})
    for name, given in WRONG.items():
        team.start("TaskRun", name, {"taskRef": reference, "params": given + params(report_dir=f"gate-{name}")})
    # Without ``optional`` the pod waits for the ConfigMap; the limit is what ends it.
    team.start(
        "TaskRun",
        "hanging",
        {"taskRef": reference, "params": params(report_dir="gate-hanging"), "timeout": "20s",
         "workspaces": bound("nobody-made-this")},
    )  # fmt: skip
    return {name: team.ended("TaskRun", name) for name in (*CASES, *WRONG, "hanging")}


@pytest.mark.parametrize("case", ["not-bound", "missing", "empty", "key-absent"])
def test_without_a_baseline_value_the_first_model_is_approved_and_the_verdict_says_so(case, gates):
    found = results(succeeded(gates[case]))
    assert found["verdict"] == "no-baseline"
    assert found["approval"].startswith("sha256:")


def test_a_baseline_with_a_line_break_is_read_as_the_number_that_it_is(gates):
    assert results(succeeded(gates["met"]))["verdict"] == "pass"


def test_a_worse_model_than_the_baseline_is_refused_with_exit_code_10(gates, team):
    assert exit_code(gates["not-met"]) == 10
    assert results(gates["not-met"]) == {"verdict": "fail", "approval": ""} | summary(gates["not-met"])
    assert "worse than 0.95, and may be worse by 0.01" in team.log(gates["not-met"])


def test_where_a_baseline_must_be_a_missing_one_refuses_the_model(gates, team):
    assert exit_code(gates["strict"]) == 10
    assert results(gates["strict"])["verdict"] == "no-baseline"
    assert "accuracy: there is no baseline" in team.log(gates["strict"])


def test_a_config_map_that_must_be_there_and_is_not_lets_the_run_hang_until_its_limit(gates):
    assert condition(gates["hanging"])["reason"] == "TaskRunTimeout"


def test_wrong_rules_end_with_exit_code_2_and_a_missing_model_with_3(gates, team):
    assert exit_code(gates["rules-wrong"]) == 2
    assert "accuracy.max_drop is '0.1', not a number" in team.log(gates["rules-wrong"])
    assert exit_code(gates["no-model"]) == 3
    assert "nowhere" in team.log(gates["no-model"])


def summary(task_run):
    return {"summary": results(task_run)["summary"]}
