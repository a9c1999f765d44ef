"""Every conformance case on the local engine, judged by its own annotations."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog import rejections, task_tests
from catalog.engine.documents import Documents
from catalog.tree import TREE

HERE = Path(__file__).parent
FILES = sorted(HERE.rglob("*.yaml"))
IMAGE = "docker.io/library/busybox:1.37"
CASES, PROBLEMS = task_tests.collect(FILES, TREE)
REJECTIONS, UNREADABLE = rejections.collect(FILES)


def test_every_file_can_be_read_and_holds_one_run_of_its_own_name():
    assert [*PROBLEMS, *UNREADABLE] == []
    names = [one.name for one in (*CASES, *REJECTIONS)]
    assert sorted(names) == sorted(path.stem for path in FILES)


def test_every_rejection_lies_in_its_folder_and_nothing_else_does():
    assert {one.path.parent.name for one in REJECTIONS} == {"rejected"}
    assert {one.path.parent for one in CASES} == {HERE}


def test_every_step_runs_in_the_documented_image_without_privileges():
    assert f"`{IMAGE}`" in (HERE / "README.md").read_text()
    wanted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    documents, _ = Documents.load(FILES)
    specs = [spec for document in documents for spec in _task_specs(document.body.get("spec") or {})]
    assert len(specs) > len(FILES)
    for spec in specs:
        assert spec["stepTemplate"]["image"] == IMAGE
        assert spec["stepTemplate"]["securityContext"] == wanted
        assert not any("image" in step or "securityContext" in step for step in spec["steps"])


def _task_specs(spec):
    if "steps" in spec:
        yield spec
    for inner in (
        spec.get("taskSpec"),
        spec.get("pipelineSpec"),
        *(spec.get("tasks") or ()),
        *(spec.get("finally") or ()),
    ):
        if inner:
            yield from _task_specs(inner)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_run_comes_out_as_on_tekton(case):
    verdict = task_tests.run(case, TREE)
    assert verdict.unmet == (), verdict.log


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: rejection.name)
def test_what_tekton_refuses_is_refused(rejection):
    verdict = task_tests.refuse(rejection, TREE)
    assert verdict.unmet == (), verdict.log
