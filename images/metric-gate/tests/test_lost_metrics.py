"""What the baseline has and the model lost: never compared, and never unseen."""

import json

import pytest


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        ({"f1": 0.9, "Accuracy": 0.5}, "did you mean Accuracy?"),
        ({"f1": 0.9, "test": {"accuracy": 0.5}},
         "it stands further down as test.accuracy, and metrics are the numbers at the top level"),
    ],
)  # fmt: skip
def test_a_pass_names_the_metric_that_the_model_lost_in_summary_log_and_report(workspace, metrics, why):
    workspace.model(metrics)
    workspace.baseline(accuracy="0.95", f1="0.9")
    run = workspace.gate("--baseline=baseline")
    said = f"1 of 1 checks hold; not compared: accuracy (the model has no accuracy; {why})"
    assert run.results["summary"] == f"pass: {said}"
    assert run.out.splitlines()[-1] == f"verdict: pass, approved: {said}"
    assert said in (workspace.root / "gate" / "report.md").read_text().replace("\\", "").splitlines()
    assert run.report.rules == {"f1": {"max_drop": "0", "direction": "higher", "severity": "error"}}


def test_a_metric_that_the_baseline_has_too_is_not_taken_for_the_lost_one(workspace):
    workspace.model({"balanced_accuracy": 0.9})
    workspace.baseline(accuracy="0.95", balanced_accuracy="0.9")
    run = workspace.gate("--baseline=baseline")
    assert run.results["summary"] == "pass: 1 of 1 checks hold; not compared: accuracy (the model has no accuracy)"


def test_of_many_lost_metrics_the_first_is_named_and_the_others_are_counted(workspace):
    workspace.model({"f1": 0.8})
    workspace.baseline(accuracy="0.95", f1="0.9", recall="0.9", precision="0.9")
    run = workspace.gate("--baseline=baseline", "--on-reject=report")
    left_out = "; not compared: accuracy (the model has no accuracy) and 2 more"
    assert run.results["summary"] == f"fail: f1: 0.8 is 0.1 worse than 0.9, and may not be worse{left_out}"
    assert run.out.count("note: not compared: ") == 3


def test_the_reason_of_an_override_leaves_room_for_what_was_not_compared(workspace):
    workspace.model({"f1": 0.8})
    workspace.baseline(accuracy="0.95", f1="0.9")
    summary = workspace.gate("--baseline=baseline", f"--override={'because ' * 99}").results["summary"]
    assert summary.endswith("…; not compared: accuracy (the model has no accuracy)")
    assert 290 < len(summary.encode()) <= 300


def test_where_rules_are_given_nobody_asks_for_the_metrics_that_they_leave_out(workspace):
    workspace.model({"f1": 0.9})
    workspace.baseline(accuracy="0.95", f1="0.9")
    run = workspace.gate("--baseline=baseline", "--rules=f1: {max_drop: 0}")
    assert (run.results["summary"], run.report.notes) == ("pass: 1 of 1 checks hold", ())


def test_the_results_stay_small_however_many_metrics_the_model_lost_and_however_long_their_names_are(workspace):
    workspace.model({"f1": 0.9})
    lost = {f"{'val_' * 100}accuracy_at_{number}": 0.9 for number in range(100)}
    (workspace.root / "metrics.json").write_text(json.dumps({"f1": 0.9} | lost))
    run = workspace.gate("--baseline=metrics.json")
    assert run.results["summary"].startswith("pass: 1 of 1 checks hold; not compared: val_")
    assert run.results["summary"].endswith("…")
    assert len(run.results["summary"].encode()) <= 300
    assert len(run.report.notes) == 100
