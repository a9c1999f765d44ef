"""Pins, versions, Pipelines: what breaks the catalog's rules is found."""

import pytest

from catalog.checks import pins, pipelines, versions
from catalog.program_declarations import declared_program

DIGEST = "sha256:" + "0" * 64


def test_foreign_images_of_dockerfiles_and_actions_of_workflows_are_pinned(files):
    root = files(
        **{
            "images/a/Dockerfile": f"FROM python:3.13@{DIGEST} AS base\nFROM python:3.13-slim\nFROM base\n",
            ".github/workflows/ci.yaml": f"steps:\n  - uses: actions/checkout@v4\n  - uses: a/b@{'0' * 40}\n",
        }
    )
    found = [str(one) for one in pins.findings(root)]
    assert [one.partition(" (")[0] for one in found] == [
        "images/a/Dockerfile:2: error: 'python:3.13-slim' is not pinned by digest",
        ".github/workflows/ci.yaml:2: error: action 'actions/checkout@v4' is not pinned",
    ]


@pytest.mark.parametrize(("before", "after"), [("9.", ""), ("", "7")])
def test_a_tag_that_is_not_the_version_of_folder_and_program_is_found(copy, before, after):
    now = declared_program("metric-gate").version
    tag = f"{before}{now}{after}"
    copy.change("task", "metric-gate", f"metric-gate:{now}", f"metric-gate:{tag}")
    (found,) = versions.findings(copy.root)
    assert f"image tag {tag}" in found.message


@pytest.mark.parametrize(
    ("pipeline", "old", "new", "message"),
    [
        ("train-gate-build", 'default: "warn"', 'default: "fail"', "on-missing-baseline: default is 'fail', metric-gate's"),
        ("train-gate-build", "value: $(params.rules)", "value: $(params.script)", "script becomes metric-gate's rules"),
        ("clone-train-gate-build", "- name: override\n          value: $(params.override)", "- name: override\n          value: x",
         "tasks differ from train-gate-build's: gate"),
        ("clone-train-gate-build", "value: $(tasks.train.results.commit)", "value: $(tasks.fetch.results.commit)",
         "results differ from train-gate-build's: commit"),
    ],
)  # fmt: skip
def test_a_pipeline_that_differs_from_its_tasks_or_its_variant_is_found(copy, pipeline, old, new, message):
    copy.change("pipeline", pipeline, old, new)
    found = [str(one) for one in pipelines.findings(copy.root)]
    assert any(message in one for one in found), found
