"""The program as Tekton runs it: a workspace, options, results, exit code, report."""

import json
import subprocess
import sys

import pytest
import yaml

from taskkit.gate_report import Override
from taskkit.model_directory import read_manifest

RULES = "accuracy: {max_drop: 0.01}"


def test_a_model_as_good_as_the_baseline_is_approved_with_the_digest_of_the_report(workspace):
    directory = workspace.model({"accuracy": 0.95, "loss": 0.2})
    workspace.baseline(accuracy="0.95", loss="0.2")
    run = workspace.gate("--baseline=baseline")
    assert (run.exit_code, run.err) == (0, "")
    assert run.results == {"verdict": "pass", "approval": workspace.approval(), "summary": "pass: 2 of 2 checks hold"}
    assert run.report.approved
    assert run.report.model_digest == read_manifest(directory)[1]
    assert run.report.rules_from == "default"
    assert run.out.splitlines() == [
        "metric    candidate  baseline  rule        verdict",
        "accuracy  0.95       0.95      max_drop 0  pass",
        "loss      0.2        0.2       max_drop 0  pass",
        "verdict: pass, approved: 2 of 2 checks hold",
    ]


def test_a_worse_model_stops_the_run_with_the_reason_and_leaves_report_and_results(workspace):
    workspace.model({"accuracy": 0.9})
    workspace.baseline(accuracy="0.95")
    run = workspace.gate("--baseline=baseline", f"--rules={RULES}")
    assert run.exit_code == 10
    assert run.err == (
        "metric-gate: error: the gate said no: accuracy: 0.9 is 0.05 worse than 0.95, and may be worse by 0.01; "
        "see gate/report.md; train a better model, change the rules, or override with a reason\n"
    )
    assert run.results["verdict"] == "fail"
    assert run.results["approval"] == ""
    assert run.results["summary"] == "fail: accuracy: 0.9 is 0.05 worse than 0.95, and may be worse by 0.01"
    assert (run.report.verdict, run.report.approved) == ("fail", False)
    assert not (workspace.root / "gate" / "baseline.yaml").exists()
    assert "0.05 worse than 0.95" in (workspace.root / "gate" / "report.md").read_text()


def test_with_report_a_refusal_succeeds_with_an_empty_approval(workspace):
    workspace.model({"accuracy": 0.9})
    run = workspace.gate("--rules=accuracy: {min: 0.95}", "--on-reject=report")
    assert (run.exit_code, run.err) == (0, "")
    assert (run.results["verdict"], run.results["approval"]) == ("fail", "")
    assert "verdict: fail, refused: accuracy: 0.9 is less than 0.95" in run.out


def test_without_a_baseline_the_first_model_is_approved_and_the_report_says_why(workspace):
    workspace.model({"accuracy": 0.9})
    run = workspace.gate("--baseline=")
    assert run.exit_code == 0
    assert (run.results["verdict"], run.results["approval"]) == ("no-baseline", workspace.approval())
    assert run.results["summary"] == "no-baseline: accuracy: there is no baseline"


@pytest.mark.parametrize("rules", ["", f"--rules={RULES}"])
def test_a_baseline_under_another_name_stops_the_run_instead_of_approving_a_worse_model(workspace, rules):
    workspace.model({"accuracy": 0.9})
    workspace.baseline(**{"baseline.json": '{"accuracy": 0.99}'})
    run = workspace.gate("--baseline=baseline", *filter(None, [rules]))
    assert (run.exit_code, run.results["approval"], run.report) == (2, "", None)
    assert run.err == (
        "metric-gate: error: baseline baseline holds 'baseline.json' and not one number; "
        "understood are metrics.json, a model directory, and one file per metric, named like it; "
        "rename 'baseline.json' to metrics.json\n"
    )


def test_a_baseline_with_numbers_but_not_the_one_of_the_rule_is_no_baseline(workspace):
    workspace.model({"accuracy": 0.9})
    workspace.baseline(f1="0.9", note="of May")
    run = workspace.gate("--baseline=baseline", f"--rules={RULES}")
    assert (run.exit_code, run.results["verdict"]) == (0, "no-baseline")
    assert "accuracy: the baseline has no accuracy" in run.results["summary"]


def test_without_a_baseline_and_with_fail_the_model_is_refused(workspace):
    workspace.model({"accuracy": 0.9})
    run = workspace.gate("--on-missing-baseline=fail")
    assert run.exit_code == 10
    assert run.err == (
        "metric-gate: error: the gate said no: accuracy: there is no baseline; see gate/report.md; "
        "bind the workspace baseline, or set on-missing-baseline to warn\n"
    )
    assert (run.results["verdict"], run.results["approval"]) == ("no-baseline", "")


def test_a_rule_that_needs_no_baseline_decides_without_one(workspace):
    workspace.model({"accuracy": 0.9})
    assert workspace.gate("--rules=accuracy: {min: 0.9}", "--on-missing-baseline=fail").results["verdict"] == "pass"
    assert workspace.gate("--rules=accuracy: {min: 0.91, max_drop: 0}").results["verdict"] == "fail"


def test_no_metrics_and_no_rules_is_never_a_pass(workspace):
    workspace.model(None)
    run = workspace.gate()
    assert run.results["verdict"] == "no-baseline"
    assert "note: the model has no metrics" in run.out
    assert "there is no baseline and no rule, and the model has no metric of known direction" in run.out
    assert not (workspace.root / "gate" / "baseline.yaml").exists()
    assert workspace.gate("--on-missing-baseline=fail").exit_code == 10


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ('{"accuracy": NaN}', "accuracy is NaN, not a finite number"),
        ('{"acuracy": 0.9}', "accuracy is missing; did you mean acuracy?"),
        (None, "accuracy is missing; the model has no metrics"),
    ],
)
def test_a_metric_that_is_missing_or_no_number_fails(workspace, metrics, said):
    workspace.model(metrics)
    run = workspace.gate(f"--rules={RULES}")
    assert run.exit_code == 10
    assert said in run.err
    assert run.report.checks[0].rule == "present"


def test_a_failed_warning_is_shown_and_decides_nothing(workspace):
    workspace.model({"accuracy": 0.9, "f1": 0.8})
    run = workspace.gate("--rules={accuracy: {min: 0.9}, f1: {min: 0.9, severity: warning}}")
    assert run.results["verdict"] == "pass"
    assert run.results["summary"] == "pass: 1 of 1 checks hold, with a warning for f1"
    assert "fail (warning)" in run.out


def test_an_override_approves_with_its_reason_written_down(workspace):
    workspace.model({"accuracy": 0.9})
    run = workspace.gate("--rules=accuracy: {min: 0.95}", "--override=drift in the\nlabels, see the report of May")
    assert run.exit_code == 0
    assert (run.results["verdict"], run.results["approval"]) == ("overridden", workspace.approval())
    assert run.report.override == Override("drift in the labels, see the report of May", "fail")
    assert run.out.splitlines()[-1] == (
        "verdict: overridden, approved: drift in the labels, see the report of May; accuracy: 0.9 is less than 0.95"
    )
    assert (workspace.root / "gate" / "baseline.yaml").exists()


def test_an_override_that_was_not_needed_is_noted_and_changes_nothing(workspace):
    workspace.model({"accuracy": 0.9})
    run = workspace.gate("--rules=accuracy: {min: 0.9}", "--override=just in case")
    assert (run.results["verdict"], run.report.override) == ("pass", None)
    assert "note: the override was not used: it replaces only the verdict fail, and the verdict is pass" in run.out


def test_an_override_does_not_replace_a_missing_baseline_that_refuses(workspace):
    workspace.model({"accuracy": 0.9})
    alone = workspace.gate("--on-missing-baseline=fail", "--override=please")
    assert (alone.exit_code, alone.results["verdict"]) == (10, "no-baseline")
    both = workspace.gate("--rules=accuracy: {min: 1, max_drop: 0}", "--on-missing-baseline=fail", "--override=please")
    assert (both.exit_code, both.results["verdict"], both.report.override) == (10, "fail", None)
    assert "a baseline is missing too" in both.out


def test_a_blank_override_is_refused(workspace):
    workspace.model({"accuracy": 0.9})
    run = workspace.gate("--override=  ")
    assert (run.exit_code, run.err) == (
        2, "metric-gate: error: override is blank; give a reason that the next reader understands, or leave it out\n",
    )  # fmt: skip


def test_rules_can_come_from_a_file_of_the_workspace(workspace):
    workspace.model({"accuracy": 0.9})
    (workspace.root / "rules.yaml").write_text("accuracy: {min: 0.95}")
    run = workspace.gate("--rules-file=rules.yaml")
    assert (run.results["verdict"], run.report.rules_from) == ("fail", "rules-file")
    assert run.report.rules == {"accuracy": {"min": "0.95", "direction": "higher", "severity": "error"}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rules=accuracy: {min: high}"], "rules line 1: accuracy.min is high, not a plain decimal number"),
        (["--rules-file=nowhere.yaml"], "rules-file nowhere.yaml can't be read (No such file or directory)"),
        (["--rules-file=empty.yaml"], "rules-file empty.yaml holds no rules"),
        (["--rules-file=binary.yaml"], "rules-file binary.yaml is not UTF-8 text (byte 0)"),
        (["--rules-file=../outside.yaml"], "rules-file '../outside.yaml' leads out of the workspace"),
        (["--rules-file=empty.yaml", f"--rules={RULES}"], "both rules and rules-file are given; keep one of the two"),
        (["--on-reject=maybe"], "--on-reject is 'maybe'; it takes one of: fail, report"),
        (["--on-missing-baseline=skip"], "--on-missing-baseline is 'skip'; it takes one of: warn, fail"),
        (["--baseline=nowhere"], "baseline nowhere can't be read (No such file or directory)"),
        (
            ["--baseline=src"],
            "baseline src holds 'train.py' ('fit()') and not one number; understood are metrics.json,",
        ),
        (["--model-dir=../model"], "model-dir '../model' leads out of the workspace"),
        (["--report-dir=."], "report-dir '.' is or holds model-dir 'model' or the workspace itself"),
        (["--report-dir=model"], "report-dir 'model' is or holds model-dir 'model'"),
        (["--report-dir=model/gate"], "report-dir 'model/gate' lies in model-dir 'model'"),
        (
            ["--report-dir=src"],
            "report-dir 'src' holds 'train.py', which is no report; the folder is replaced as a whole",
        ),
        (["--report-dir=empty.yaml"], "report-dir 'empty.yaml' is a file"),
        (["--report-dir=../gate"], "report-dir '../gate' leads out of the workspace"),
    ],
)
def test_wrong_configuration_is_exit_code_2_with_value_place_and_remedy(workspace, options, said):
    workspace.model({"accuracy": 0.9})
    (workspace.root / "empty.yaml").write_text("# nothing\n")
    (workspace.root / "binary.yaml").write_bytes(b"\xff\xfe")
    (workspace.root / "src").mkdir()
    (workspace.root / "src" / "train.py").write_text("fit()")
    run = workspace.gate(*options)
    assert run.exit_code == 2
    assert run.err.startswith("metric-gate: error: ")
    assert said in run.err
    assert run.err.count("\n") == 1
    assert run.results == {"verdict": "", "approval": "", "summary": ""}
    assert run.report is None
    assert (workspace.root / "src" / "train.py").exists()


def test_a_ratio_to_a_baseline_of_zero_and_nothing_to_compare_are_exit_code_2(workspace):
    workspace.model({"accuracy": 0.9, "custom": 1})
    workspace.baseline(r2="0.0")
    run = workspace.gate("--baseline=baseline")
    assert run.exit_code == 2
    assert "nothing to compare: the candidate has accuracy, custom, the baseline has r2" in run.err
    (workspace.root / "model" / "metrics.json").write_text('{"r2": 0.5}')
    workspace.model({"r2": 0.5}, "other")
    run = workspace.gate("--baseline=baseline", "--model-dir=other", "--rules=r2: {max_drop_ratio: 0.1}")
    assert run.exit_code == 2
    assert "r2.max_drop_ratio 0.1 means nothing: its baseline is 0.0; use max_drop" in run.err


def test_a_model_directory_that_changed_is_never_judged(workspace):
    directory = workspace.model({"accuracy": 0.9})
    (directory / "model.pkl").write_bytes(b"another model")
    run = workspace.gate("--rules=accuracy: {min: 0.1}")
    assert run.exit_code == 3
    assert "model/model.pkl has sha256" in run.err
    assert run.results["approval"] == ""


def test_without_a_model_directory_the_message_says_what_comes_first(workspace):
    run = workspace.gate()
    assert run.exit_code == 3
    assert "model directory model has no model.json" in run.err
    assert "run sklearn-train first" in run.err


def test_a_baseline_of_other_data_is_noted(workspace):
    workspace.model({"accuracy": 0.9})
    workspace.model({"accuracy": 0.9}, "champion", dataset_sha256="b" * 64)
    run = workspace.gate("--baseline=champion")
    assert run.results["verdict"] == "pass"
    assert "note: the baseline was measured in a training on other data" in run.out
    assert (run.report.baseline.kind, run.report.baseline.same_dataset) == ("model-directory", False)
    assert workspace.gate("--baseline=model").report.baseline.same_dataset is True


def test_by_default_what_is_not_compared_is_noted(workspace):
    workspace.model({"accuracy": 0.9, "custom": 1})
    workspace.baseline(accuracy="0.9", custom="2", f1="0.9", rows="150")
    run = workspace.gate("--baseline=baseline")
    assert run.results["verdict"] == "pass"
    assert list(run.report.notes) == [
        "custom: not compared, because its direction is not known; give it a rule with a direction",
        "not compared: f1 (the model has no f1); give it a rule to demand it",
        "rows: not compared, because the candidate does not have it; give it a rule to demand it",
    ]


def test_a_direction_against_the_name_is_noted(workspace):
    workspace.model({"accuracy": 0.9})
    run = workspace.gate("--rules=accuracy: {max: 1, direction: lower}")
    assert run.report.notes == ("accuracy: the rule says that lower is better; by its name, higher is",)


def test_the_same_question_gives_the_same_bytes_wherever_it_is_asked(workspace, tmp_path, monkeypatch):
    approvals = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        workspace.root = tmp_path / place
        workspace.model({"accuracy": 0.9})
        workspace.baseline(accuracy="0.9")
        approvals.append(workspace.gate("--baseline=baseline").results["approval"])
    assert approvals[0] == approvals[1] != ""


def test_a_second_run_replaces_the_report_of_the_first(workspace):
    workspace.model({"accuracy": 0.9})
    workspace.gate("--rules=accuracy: {min: 0.9}")
    assert (workspace.root / "gate" / "baseline.yaml").exists()
    workspace.gate("--rules=accuracy: {min: 1}")
    assert sorted(path.name for path in (workspace.root / "gate").iterdir()) == ["report.json", "report.md"]


def test_all_results_together_stay_small_whatever_the_names_are(workspace):
    names = {f"métrique_{at}_" + "ß" * 400: 0.1 for at in range(100)}
    workspace.model(json.dumps(names))
    run = workspace.gate(
        "--rules=" + json.dumps({name: {"min": 1} for name in names}, ensure_ascii=False), "--on-reject=report"
    )
    assert run.exit_code == 0
    assert len(run.results["summary"].encode()) <= 300
    assert run.results["summary"].endswith("…")


def test_the_next_baseline_is_a_config_map_that_reads_back_the_same(workspace):
    workspace.model('{"accuracy": 0.950, "rmse": 1e-3, "name": "x"}')
    workspace.gate()
    document = yaml.safe_load((workspace.root / "gate" / "baseline.yaml").read_text())
    assert document["kind"] == "ConfigMap"
    assert document["metadata"]["name"] == "model-baseline-registry"
    assert document["data"] == {"accuracy": "0.950", "rmse": "1e-3"}
    workspace.baseline(**document["data"])
    run = workspace.gate("--baseline=baseline")
    assert (run.results["verdict"], run.report.baseline.metrics) == ("pass", {"accuracy": "0.950", "rmse": "1e-3"})


@pytest.mark.parametrize("name", ["test/accuracy", "ROC AUC", "..accuracy", "métrique_auc"])
def test_names_that_can_be_no_key_travel_in_one_metrics_file(workspace, name):
    workspace.model(json.dumps({name: 0.5, "f1": 0.25}))
    workspace.gate()
    document = yaml.safe_load((workspace.root / "gate" / "baseline.yaml").read_text())
    assert list(document["data"]) == ["metrics.json"]
    workspace.baseline(**document["data"])
    assert workspace.gate("--baseline=baseline").report.baseline.metrics == {"f1": "0.25", name: "0.5"}


def test_only_the_standard_library_yaml_and_taskkit_are_imported(workspace):
    workspace.model({"accuracy": 0.9})
    script = (
        "import sys; from metric_gate.command import main; main([]); "
        "heavy = {'numpy', 'pandas', 'sklearn', 'scipy', 'urllib3', 'jsonschema', 'asyncio'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\033" not in done.stdout


def test_the_module_runs_as_the_command_does(workspace):
    done = subprocess.run([sys.executable, "-m", "metric_gate"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("metric-gate: error: model directory model has no model.json")
