from __future__ import annotations

from catalog.engine.documents import Documents
from catalog.engine.findings import Level
from catalog.engine.validation import validate


def older(kind, spec):
    return f"apiVersion: tekton.dev/v1beta1\nkind: {kind}\nmetadata: {{name: it}}\nspec: {spec}\n"


def judged(tmp_path, text, **options):
    file = tmp_path / "it.yaml"
    file.write_text(text, encoding="utf-8")
    documents, unreadable = Documents.load([file])
    return documents, unreadable + validate(documents, **options)


OLD_TASK = "{steps: [{name: s, image: i, command: [c], resources: {requests: {cpu: 1}}, tty: true}]}"


def test_what_v1beta1_calls_otherwise_is_read_as_v1(tmp_path):
    (document,), findings = judged(tmp_path, older("Task", OLD_TASK), older=True)
    assert [(one.level, one.rule) for one in findings] == [(Level.WARNING, "api-version")]
    (step,) = document.body["spec"]["steps"]
    assert step["computeResources"] == {"requests": {"cpu": 1}}
    assert "tty" not in step


def test_a_run_of_v1beta1_has_its_pod_template_and_timeout_where_v1_has_them(tmp_path):
    spec = (
        "{timeout: 5m, podTemplate: {hostNetwork: true}, serviceAccountName: me, pipelineSpec: {tasks: [{name: t, taskSpec: "
        + OLD_TASK
        + "}]}}"
    )
    (document,), findings = judged(tmp_path, older("PipelineRun", spec), older=True)
    assert [one.rule for one in findings] == ["api-version"]
    assert document.body["spec"]["timeouts"] == {"pipeline": "5m"}
    assert document.body["spec"]["taskRunTemplate"] == {
        "podTemplate": {"hostNetwork": True},
        "serviceAccountName": "me",
    }


def test_what_no_tekton_honours_any_more_stays_an_error(tmp_path):
    spec = "{resources: {inputs: []}, steps: [{name: s, image: i, command: [c]}]}"
    _, findings = judged(tmp_path, older("Task", spec), older=True)
    errors = [one for one in findings if one.level is Level.ERROR]
    assert [(one.rule, one.remedy) for one in errors] == [
        ("unknown-field", "pipeline resources are gone; use params, results and workspaces")
    ]


def test_without_being_asked_for_v1beta1_is_refused(tmp_path):
    _, findings = judged(tmp_path, older("Task", OLD_TASK))
    assert [(one.level, one.rule) for one in findings] == [(Level.ERROR, "api-version")]


def test_kinds_that_tekton_dropped_are_named_with_what_replaces_them(tmp_path):
    _, findings = judged(tmp_path, older("ClusterTask", "{}"))
    assert "Tekton 1.0 dropped it" in findings[0].remedy


def test_kinds_of_tekton_that_are_not_known_in_detail_pass(tmp_path):
    assert judged(tmp_path, older("CustomRun", "{anything: goes}"))[1] == []


def test_a_later_version_is_found_before_an_earlier_one(tmp_path):
    for version in ("0.9", "0.10"):
        folder = tmp_path / "task" / "it" / version
        folder.mkdir(parents=True)
        (folder / "it.yaml").write_text(older("Task", OLD_TASK), encoding="utf-8")
    documents, _ = Documents.load([tmp_path])
    assert documents.find("Task", "it").path.parent.name == "0.10"


def test_unquoted_braces_of_a_template_have_a_remedy(tmp_path):
    _, findings = judged(tmp_path, older("Task", "{description: {{name}}}"))
    assert (findings[0].rule, findings[0].remedy) == ("yaml", "put a template's braces in quotes")
