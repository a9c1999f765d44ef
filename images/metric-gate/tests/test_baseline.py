import os

import pytest

from metric_gate.baseline import Baseline, as_written, read_baseline
from taskkit.errors import IntegrityError, TaskError, UsageError
from taskkit.model_directory import read_manifest


def texts(baseline):
    return as_written(baseline.metrics.numbers)


def test_nothing_bound_is_no_baseline():
    assert read_baseline("") == Baseline()


def test_a_mounted_config_map_is_one_file_per_metric_with_dot_entries_ignored(workspace):
    workspace.baseline(accuracy="0.95\n", rmse=" 1e-3 ")
    found = read_baseline("baseline")
    assert (found.kind, texts(found)) == ("metric-files", {"accuracy": "0.95", "rmse": "1e-3"})


@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_value_is_no_baseline(workspace, content):
    workspace.baseline(accuracy=content)
    assert read_baseline("baseline") == Baseline()


def test_an_empty_folder_is_no_baseline(workspace):
    workspace.baseline()
    assert read_baseline("baseline") == Baseline()
    (workspace.root / "volume" / "lost+found").mkdir(parents=True)
    assert read_baseline("volume") == Baseline()


def test_a_metrics_file_in_a_folder_or_by_itself_is_a_baseline(workspace):
    (workspace.root / "registry").mkdir()
    (workspace.root / "registry" / "metrics.json").write_text('{"accuracy": 0.950, "name": "x"}')
    for given in ("registry", "registry/metrics.json"):
        found = read_baseline(given)
        assert (found.kind, texts(found)) == ("metrics-file", {"accuracy": "0.950"})


def test_a_blank_metrics_file_is_no_baseline(workspace):
    workspace.baseline(**{"metrics.json": "\n"})
    assert read_baseline("baseline") == Baseline()


def test_a_model_directory_is_a_baseline_that_says_what_it_was_measured_on(workspace):
    directory = workspace.model({"accuracy": 0.95}, "champion", dataset_sha256="b" * 64)
    found = read_baseline("champion")
    assert (found.kind, texts(found), found.dataset_sha256) == ("model-directory", {"accuracy": "0.95"}, "b" * 64)
    assert found.model_digest == read_manifest(directory)[1]


def test_a_model_directory_whose_metrics_were_touched_is_refused(workspace):
    (workspace.model({"accuracy": 0.95}, "champion") / "metrics.json").write_text('{"accuracy": 0.1}')
    with pytest.raises(
        IntegrityError, match=r"baseline champion/metrics\.json is not the one that champion/model\.json lists"
    ):
        read_baseline("champion")


def test_values_that_are_no_numbers_are_kept_until_a_rule_asks(workspace):
    workspace.baseline(accuracy="high", f1="NaN", rmse="1", recall="0,9")
    found = read_baseline("baseline")
    assert texts(found) == {"rmse": "1"}
    assert found.metrics.others == {"accuracy": "'high'", "f1": "'NaN'", "recall": "'0,9'"}


def test_a_long_value_is_no_number_and_is_not_read_whole(workspace):
    workspace.baseline(accuracy="1" * 5000, rmse="1")
    assert "more than 4096 bytes" in read_baseline("baseline").metrics.others["accuracy"]


def test_a_path_that_does_not_exist_is_an_error_and_not_no_baseline(workspace):
    with pytest.raises(
        UsageError, match=r"baseline nowhere can't be read \(No such file or directory\); bind the workspace"
    ):
        read_baseline("nowhere")


UNDERSTOOD = "not one number; understood are metrics.json, a model directory, and one file per metric, named like it"


def test_a_folder_one_level_too_high_is_an_error_that_names_the_folder_to_bind(workspace):
    workspace.model({"accuracy": 1}, "registry/champion")
    with pytest.raises(UsageError) as alone:
        read_baseline("registry")
    (workspace.root / "registry" / "README.md").write_text("# The models\n\nNewest last.")
    with pytest.raises(UsageError) as beside:
        read_baseline("registry")
    bind = "bind registry/champion, for example with subPath"
    assert str(alone.value) == f"baseline registry holds 'champion/' and {UNDERSTOOD}; {bind}"
    assert str(beside.value) == f"baseline registry holds 'README.md', 'champion/' and {UNDERSTOOD}; {bind}"


OTHERWISE = "put one of them there, or leave the baseline out"


@pytest.mark.parametrize(
    ("files", "shown", "remedy"),
    [
        ({"baseline.json": '{"accuracy": 0.99}'}, "'baseline.json'", "rename 'baseline.json' to metrics.json"),
        ({"accuracy": "0,95"}, "'accuracy' ('0,95')", OTHERWISE),
        ({"accuracy": "NaN", "f1": ""}, "'accuracy' ('NaN')", OTHERWISE),
        ({"report.json": '{"metrics": {"accuracy": "0.99"}}', "report.md": "# Metric gate: pass, approved"},
         "'report.json', 'report.md'", OTHERWISE),
        ({"broken.json": '{"accuracy": 0.9'}, "'broken.json'", OTHERWISE),
        (dict.fromkeys("abcde", "some text of more than 14 letters"), "'a', 'b', 'c' and 2 more", OTHERWISE),
    ],
)  # fmt: skip
def test_files_without_a_single_number_are_an_error_and_not_no_baseline(workspace, files, shown, remedy):
    workspace.baseline(**files)
    with pytest.raises(UsageError) as caught:
        read_baseline("baseline")
    assert str(caught.value) == f"baseline baseline holds {shown} and {UNDERSTOOD}; {remedy}"


def test_a_link_to_nowhere_is_an_error_and_not_no_baseline(workspace):
    workspace.baseline()
    (workspace.root / "baseline" / "accuracy").symlink_to("gone")
    with pytest.raises(UsageError, match=r"baseline baseline holds 'accuracy' and not one number"):
        read_baseline("baseline")


def test_a_model_directory_without_metrics_is_an_error_that_says_why(workspace):
    workspace.model(None, "champion")
    with pytest.raises(UsageError) as caught:
        read_baseline("champion")
    assert str(caught.value) == (
        f"baseline champion holds 'model.json', 'model.pkl' and {UNDERSTOOD}; "
        "the training of this model wrote no metrics; give one with metrics, or leave the baseline out"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", ""), ('{"name": "x"}', ", but 'name' (the text 'x')"), ('{"f1": NaN}', ", but 'f1' (NaN)"),
        ('{"test": {"accuracy": 0.9}}', ", but 'test' (an object); test.accuracy stands further down"),
    ],
)  # fmt: skip
def test_metrics_without_a_single_number_are_an_error_and_not_no_baseline(workspace, content, said):
    workspace.baseline(**{"metrics.json": content})
    workspace.model(content, "champion")
    for given, file in (
        ("baseline", "baseline/metrics.json"), ("champion", "champion/metrics.json"), ("champion/metrics.json",) * 2,
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            read_baseline(given)
        assert str(caught.value) == (
            f"baseline {file} holds no number at its top level{said}; "
            'give metrics as numbers by name, for example {"accuracy": 0.95}, or leave it out'
        )


def test_a_link_out_of_the_baseline_is_refused(workspace):
    (workspace.root / "secret").write_text("0.1")
    workspace.baseline()
    (workspace.root / "baseline" / "accuracy").symlink_to("../secret")
    with pytest.raises(UsageError, match=r"baseline baseline/accuracy is a link that leads out of baseline"):
        read_baseline("baseline")


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_an_unreadable_value_is_an_error(workspace):
    workspace.baseline(accuracy="1")
    (workspace.root / "baseline" / "accuracy").chmod(0)
    with pytest.raises(UsageError, match="Permission denied"):
        read_baseline("baseline")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"), ("[1]", "is not a JSON object"), ('{"a": 1, "a": 2}', "gives 'a' twice"),
        ("[" * 100_000, "nested too deeply"), ('{"a": 1} x', "is not JSON"),
    ],
)  # fmt: skip
def test_metrics_that_cannot_be_read_one_way_only_are_an_error(workspace, content, said):
    workspace.baseline(**{"metrics.json": content})
    with pytest.raises(TaskError, match=said) as caught:
        read_baseline("baseline")
    assert caught.value.exit_code == 3
