from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.engine.documents import Documents, field_path, field_text
from catalog.engine.findings import Level

TASK = """\
apiVersion: tekton.dev/v1
kind: Task
metadata:
  name: first
  annotations: {"a.b/c": x}
spec:
  params:
  - {name: n, default: 010}
  - name: list
    default: [1, 2]
  steps:
  - name: s
    image: i
    script: |
      #!/bin/sh

      echo $(params.n)
---
apiVersion: v1
kind: ConfigMap
metadata: {name: baseline}
data: {accuracy: 0.95}
"""


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    (tmp_path / "all.yaml").write_text(TASK, encoding="utf-8")
    found, findings = Documents.load([tmp_path / "all.yaml"])
    assert findings == []
    return found


def test_documents_of_every_kind_are_kept_and_found_by_name(documents):
    assert [one.title for one in documents] == ["Task first", "ConfigMap baseline"]
    assert documents.find("ConfigMap", "baseline").body["data"] == {"accuracy": 0.95}
    assert documents.find("Task", "other") is None
    assert documents.of_kind("Task")[0].api_version == "tekton.dev/v1"


def test_values_of_params_are_stored_as_tekton_stores_them(documents):
    params = documents.find("Task", "first").body["spec"]["params"]
    # [1, 2] is no list of texts, so Tekton takes the JSON text of it.
    assert [param["default"] for param in params] == ["8", "[1,2]"]


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("metadata.name", 4),
        ('metadata.annotations["a.b/c"]', 5),
        ("spec.params[0].default", 8),
        ("spec.params[1]", 9),
        ("spec.params[1].default[1]", 10),
        ("spec.steps[0].script", 14),
        ("spec.steps[0].nothing", 12),
        ("spec.workspaces[3].name", 6),
    ],
)
def test_the_line_of_a_field_is_that_of_its_key_or_of_what_is_nearest_around_it(documents, field, line):
    position = documents.find("Task", "first").position(field)
    assert (position.line, position.field) == (line, field)


def test_an_offset_finds_the_line_inside_a_block_of_lines(documents):
    task = documents.find("Task", "first")
    script = task.body["spec"]["steps"][0]["script"]
    assert task.position("spec.steps[0].script", script.index("$(")).line == 17


def test_second_documents_know_their_lines_in_the_file(documents):
    assert documents.find("ConfigMap", "baseline").position("data.accuracy").line == 22


@given(st.lists(st.integers(0, 99) | st.text(min_size=1), max_size=5).map(lambda parts: ("spec", *parts)))
def test_a_field_path_reads_back_from_its_text(path):
    assert field_path(field_text(path)) == path


def test_folders_are_searched_and_what_is_no_document_or_hidden_is_passed_over(tmp_path):
    (tmp_path / "a" / ".hidden").mkdir(parents=True)
    (tmp_path / "a" / "task.yml").write_text(TASK, encoding="utf-8")
    (tmp_path / "a" / "rules.yaml").write_text("accuracy: {min: 0.9}\n", encoding="utf-8")
    (tmp_path / "a" / ".hidden" / "x.yaml").write_text("kind: [", encoding="utf-8")
    documents, findings = Documents.load([tmp_path, tmp_path / "a" / "task.yml"])
    assert len(documents) == 2
    assert findings == []


def test_a_named_file_must_hold_documents(tmp_path):
    (tmp_path / "rules.yaml").write_text("\naccuracy: {min: 0.9}\n", encoding="utf-8")
    (tmp_path / "empty.yaml").write_text("# nothing\n", encoding="utf-8")
    paths = [tmp_path / "rules.yaml", tmp_path / "empty.yaml", tmp_path / "gone.yaml"]
    _, findings = Documents.load(paths)
    assert [(Path(one.position.file).name, one.position.line, one.message) for one in findings] == [
        ("rules.yaml", 2, "no Kubernetes document: it has neither apiVersion nor kind"),
        ("empty.yaml", 1, "the file holds no document"),
        ("gone.yaml", 1, "no such file or folder"),
    ]


def test_unreadable_files_are_findings_and_the_others_are_read_all_the_same(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: [\n", encoding="utf-8")
    (tmp_path / "latin.yaml").write_bytes("kind: Größe".encode("latin-1"))
    (tmp_path / "good.yaml").write_text(TASK, encoding="utf-8")
    documents, findings = Documents.load([tmp_path])
    assert len(documents) == 2
    assert [one.rule for one in findings] == ["yaml", "file"]
    assert "not UTF-8" in findings[1].message


def test_a_doubled_key_is_a_warning_since_kubectl_takes_the_last_one(tmp_path):
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nkind: Secret\n", encoding="utf-8")
    documents, (finding,) = Documents.load([tmp_path / "a.yaml"])
    assert documents.all[0].kind == "Secret"
    assert finding.level is Level.WARNING
    assert str(finding).endswith(
        "a.yaml:3: warning: the key 'kind' appears twice; only the last one counts (remove one) [duplicate-key]"
    )


def test_of_several_documents_of_one_name_the_nearest_to_the_asking_file_is_found(tmp_path):
    for version in ("0.1", "0.2"):
        (tmp_path / version / "tests").mkdir(parents=True)
        (tmp_path / version / "t.yaml").write_text(TASK, encoding="utf-8")
    documents, _ = Documents.load([tmp_path])
    for version in ("0.1", "0.2"):
        found = documents.find("Task", "first", near=tmp_path / version / "tests" / "run.yaml")
        assert found.path.parent.name == version
    assert documents.find("Task", "first").path.parent.name == "0.2"
