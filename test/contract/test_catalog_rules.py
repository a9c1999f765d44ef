"""What Tasks and Pipelines of this catalog must be, and how what they may not be is found."""

import pytest

from catalog.checks import images, manifests, pipelines, versions
from catalog.environments import ROOT

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize("rules", [images, manifests, pipelines, versions])
def test_the_catalog_keeps_its_rules(rules):
    assert list(map(str, rules.findings(ROOT))) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version: "0.1"', 'version: "0.1.0"', "app.kubernetes.io/version is '0.1.0', the folder is 0.1"),
        ("categories: Testing", "categories: Machine Learning", "category 'Machine Learning' is not known to catlin"),
        ("platforms: linux/amd64", "platforms: amd64", "'amd64' is no platform"),
        ("    tekton.dev/tags:", "    tags:", "annotation tekton.dev/tags is missing"),
        ("approves the model or refuses it.\n\n", "approves the model or refuses it.\n", "no summary of one line"),
        ("- name: rules-file", "- name: rulesFile", "'rulesFile' is not kebab-case"),
        ("command: [metric-gate]", "script: metric-gate", "a Task of this catalog has no script"),
        ("command: [metric-gate]", "command: [sh, -c]", "the command is ['sh', '-c']"),
        ("metric-gate:0.1.0", "gate:0.1.0", "'ghcr.io/sklearn-catalog/gate:0.1.0' is no image of this catalog"),
        ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem is False, not True"),
        ("runAsNonRoot: true", "runAsNonRoot: true\n        runAsUser: 65532", "runAsUser is set"),
        ("drop: [ALL]", "drop: [NET_RAW]", "capabilities is {'drop': ['NET_RAW']}"),
        ("emptyDir: {}", "hostPath: {path: /tmp}", "/tmp is no emptyDir"),
        ("          value: nonroot", "          value: ''", "USER is not set"),
        ("      optional: true\n", "", "that must be bound are ['source', 'baseline']"),
    ],
)
def test_a_task_that_breaks_a_rule_is_found(copy, old, new, message):
    copy.change("task", "metric-gate", old, new)
    found = [str(one) for one in manifests.findings(copy.root)]
    assert any(message in one and "metric-gate.yaml:" in one for one in found), found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("metric-gate:0.1.0", "metric-gate:latest", "metric-gate:latest' has the tag latest"),
        ("metric-gate:0.1.0", "metric-gate", "metric-gate' has no version as tag"),
        ("ghcr.io/sklearn-catalog/metric-gate:0.1.0", "docker.io/library/python:3.13", "is not pinned by digest"),
        ("command: [metric-gate]", "command: [/bin/sh, -c]", "a value is pasted into code"),
        ("command: [metric-gate]", "script: echo $(params.rules)", "a value is pasted into code"),
    ],
)
def test_what_floats_or_is_pasted_into_a_shell_is_found(copy, old, new, message):
    copy.change("task", "metric-gate", old, new)
    found = [str(one) for one in images.findings(copy.root)]
    assert len(found) == 1
    assert message in found[0]


def test_foreign_images_of_dockerfiles_and_actions_of_workflows_are_pinned(files):
    root = files(
        **{
            "images/a/Dockerfile": f"FROM python:3.13@{DIGEST} AS base\nFROM python:3.13-slim\nFROM base\n",
            ".github/workflows/ci.yaml": f"steps:\n  - uses: actions/checkout@v4\n  - uses: a/b@{'0' * 40}\n",
        }
    )
    found = [str(one) for one in images.findings(root)]
    assert [one.partition(" (")[0] for one in found] == [
        "images/a/Dockerfile:2: error: 'python:3.13-slim' is not pinned by digest",
        ".github/workflows/ci.yaml:2: error: action 'actions/checkout@v4' is not pinned",
    ]


@pytest.mark.parametrize("tag", ["0.2.0", "0.1.7"])
def test_a_tag_that_is_not_the_version_of_folder_and_program_is_found(copy, tag):
    copy.change("task", "metric-gate", "metric-gate:0.1.0", f"metric-gate:{tag}")
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
