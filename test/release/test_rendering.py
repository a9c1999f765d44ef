"""YAML of a release: what changes, and that nothing else does."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.environments import ROOT
from catalog.releasing import rendering
from catalog.releasing.objects import CatalogObject, ProgramImage, program_images, read_body, read_objects
from catalog.releasing.planning import task_for
from catalog.releasing.rendering import bundle_reference, git_clone_default, hub_reference, render
from taskkit.errors import TaskError

DIGEST = "sha256:" + "a" * 64


def made(text, kind="Pipeline", version="0.1", name="p"):
    return CatalogObject(kind, name, version, ROOT, text, read_body(text, "test"))


def images(*objects):
    return {one: f"r.example/x/{one.program}:{one.tag}@{DIGEST}" for one in program_images(objects)}


def in_hub(name):
    return hub_reference("sklearn-catalog", "Task", name, "0.1.0")


@pytest.mark.parametrize("source", read_objects(ROOT), ids=lambda one: f"{one.kind}-{one.name}")
def test_of_the_trees_own_files_only_images_and_references_change(source):
    rendered = render(source, images(source), in_hub, f"r.example/git-clone:1@{DIGEST}").text
    removed = [
        line[2:].strip() for line in difflib.ndiff(source.text.splitlines(), rendered.splitlines()) if line[0] == "-"
    ]
    tasks = [one["taskRef"]["name"] for one in source.body["spec"].get("tasks", []) if "name" in one["taskRef"]]
    assert len(removed) == len([text for text in removed if "ghcr.io/" in text or text.removeprefix("name: ") in tasks])
    assert len([text for text in removed if text.startswith("name: ")]) == len(tasks)


@pytest.mark.parametrize("source", read_objects(ROOT), ids=lambda one: f"{one.kind}-{one.name}")
def test_what_is_rendered_reads_as_the_source_with_values_replaced(source):
    known = images(source)
    texts = {f"ghcr.io/sklearn-catalog/{one.program}:{one.tag}": reference for one, reference in known.items()}

    def replaced(value):
        if isinstance(value, dict):
            if set(value) == {"name"} and value["name"] in {"sklearn-train", "metric-gate", "model-serve-build"}:
                return in_hub(value["name"])
            return {key: replaced(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replaced(item) for item in value]
        return texts.get(value, value) if isinstance(value, str) else value

    assert render(source, known, in_hub).body == replaced(source.body)


TASK_REF = """\
kind: Pipeline
metadata:
  name: p
spec:
  tasks:
    - name: one
      taskRef:{}
      runAfter: [zero]  # stays
"""


@pytest.mark.parametrize(
    "reference",
    ["\n        name: t", "\n        kind: Task\n        name: t\n\n", " {name: t}", " {name: t, kind: Task}",
     "\n          name: t  # why", '\n        "name": "t"\n        apiVersion: tekton.dev/v1'],
)  # fmt: skip
@pytest.mark.parametrize("wanted", [in_hub("t"), bundle_reference(f"r.example/t:0.1@{DIGEST}", "Task", "t")])
def test_a_reference_is_replaced_however_it_is_written(reference, wanted):
    rendered = render(made(TASK_REF.format(reference)), {}, lambda name: wanted)
    assert rendered.body["spec"]["tasks"] == [{"name": "one", "taskRef": wanted, "runAfter": ["zero"]}]
    assert "# stays" in rendered.text


def test_references_through_resolvers_and_tasks_of_finally(tmp_path):
    text = (
        "kind: Pipeline\nmetadata: {name: p}\nspec:\n  tasks:\n  - name: a\n    taskRef: {resolver: git, params: []}\n"
        "  - name: b\n    taskSpec: {steps: []}\n  finally:\n  - name: c\n    taskRef:\n      name: t\n"
    )
    body = render(made(text), {}, in_hub).body
    assert body["spec"]["tasks"][0]["taskRef"] == {"resolver": "git", "params": []}
    assert body["spec"]["finally"][0]["taskRef"] == in_hub("t")


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=30))
def test_a_version_or_constraint_is_written_so_that_it_is_read_back(value):
    wanted = hub_reference("c", "Task", "t", value)
    assert (
        render(made(TASK_REF.format("\n        name: t")), {}, lambda _: wanted).body["spec"]["tasks"][0]["taskRef"]
        == wanted
    )


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_the_default_for_git_clone_keeps_its_quotes(quote):
    text = (
        "kind: Pipeline\nmetadata: {name: p}\nspec:\n  params:\n    - name: git-clone-bundle\n"
        f"      default: {quote}ghcr.io/x:1{quote}\n"
    )
    assert git_clone_default(made(text)) == "ghcr.io/x:1"
    assert f"default: {quote}r/y:2@{DIGEST}{quote}\n" in render(made(text), {}, None, f"r/y:2@{DIGEST}").text


def test_an_image_that_is_not_given_is_named():
    text = "kind: Task\nmetadata: {name: t}\nspec: {steps: [{image: 'ghcr.io/sklearn-catalog/metric-gate:9.9.9'}]}\n"
    with pytest.raises(TaskError, match=r"no image is given for metric-gate:9.9.9"):
        render(made(text, "Task"), {})


def test_an_image_in_a_block_of_text_is_refused_with_its_line():
    text = "kind: Task\nmetadata: {name: t}\nspec:\n  steps:\n  - image: >-\n      ghcr.io/sklearn-catalog/metric-gate:0.1.0\n"
    with pytest.raises(TaskError, match=r"line 5 writes .* as a block of text"):
        render(made(text, "Task"), {ProgramImage("metric-gate", "0.1.0"): "x"})


def task(version):
    return made("kind: Task\nmetadata: {name: t}\nspec: {}\n", "Task", version, "t")


@pytest.mark.parametrize(
    ("there", "pipeline", "means"),
    [(["0.1"], "0.1", "0.1"), (["0.1", "0.2"], "0.1", "0.1"), (["0.1", "0.2"], "0.2", "0.2"), (["0.1", "0.2"], "0.3", "0.2"),
     (["0.2", "0.9", "0.10"], "0.10", "0.10"), (["0.1", "1.0"], "0.9", "0.1")],
)  # fmt: skip
def test_a_pipeline_means_the_newest_task_that_is_not_above_its_own_version(there, pipeline, means):
    source = made("kind: Pipeline\nmetadata: {name: p}\nspec: {}\n", version=pipeline)
    assert task_for(source, "t", [*map(task, there), source]).version == means


def test_a_pipeline_older_than_all_its_tasks_is_refused():
    source = made("kind: Pipeline\nmetadata: {name: p}\nspec: {}\n", version="0.1")
    with pytest.raises(
        TaskError, match=r"Pipeline p 0.1 uses Task t, of which there is no version up to that; there is: 0.2"
    ):
        task_for(source, "t", [task("0.2")])


def test_a_hub_that_clusters_are_not_told_of_is_named_in_the_reference():
    assert {"name": "url", "value": "https://h.example/x"} in rendering.hub_reference(
        "c", "Task", "t", "0.1.0", "https://h.example/x"
    )["params"]
