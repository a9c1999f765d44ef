"""Where Tasks and programs come from: the documents given, the tree, the environments beside it."""

from __future__ import annotations

import os

import pytest

from catalog.engine.documents import Documents
from catalog.engine.images import local_defaults
from catalog.engine.params import ParamSpec
from catalog.engine.planning import PlanError
from catalog.engine.programs import ProgramError, Programs
from catalog.engine.requests import Request, prepare
from catalog.engine.sources import SourceError, Sources
from catalog.tree import IMAGE_PREFIX, program_of

TASK = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {{name: {name}}}\nspec: {{steps: [{{image: x, script: '{script}'}}]}}\n"


@pytest.fixture
def catalog(tree):
    for version in ("0.1", "0.9", "0.10"):
        folder = tree.root / "task" / "greet" / version
        folder.mkdir(parents=True)
        (folder / "greet.yaml").write_text(TASK.format(name="greet", script=version))
    return tree


def found(sources, reference):
    return sources.resolve("Task", reference).body["spec"]["steps"][0]["script"]


def hub(**params):
    return {"resolver": "hub", "params": [{"name": key, "value": value} for key, value in params.items()]}


def test_a_plain_name_is_taken_from_the_newest_version_of_the_tree_and_announced(catalog):
    sources = Sources(Documents(), catalog)
    assert found(sources, {"name": "greet"}) == "0.10"
    assert sources.notices == ["taken from this catalog: task/greet/0.10"]
    assert [document.name for document in sources.catalog] == ["greet"]


def test_a_document_given_comes_first(catalog, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(TASK.format(name="greet", script="own"))
    sources = Sources(Documents.load([path])[0], catalog)
    assert found(sources, {"name": "greet"}) == "own"
    assert found(sources, hub(name="greet")) == "own"
    assert sources.notices == []


@pytest.mark.parametrize(
    ("reference", "version"),
    [
        (hub(name="greet", version="0.1"), "0.1"),
        (hub(name="greet", version="0.9.0"), "0.9"),
        (hub(name="greet", version=">= 0.1"), "0.10"),
        (
            {"resolver": "bundles", "params": [{"name": "name", "value": "greet"}, {"name": "kind", "value": "task"}]},
            "0.10",
        ),
        ({"resolver": "git", "params": [{"name": "pathInRepo", "value": "task/greet/0.9/greet.yaml"}]}, "0.9"),
    ],
)
def test_resolvers_are_answered_from_the_tree_with_the_version_asked_for(catalog, reference, version):
    sources = Sources(Documents(), catalog)
    assert found(sources, reference) == version
    assert "resolver" in sources.notices[0]


def test_what_is_not_here_is_refused_by_name(catalog):
    sources = Sources(Documents(), catalog)
    with pytest.raises(SourceError, match=r"Task git-clone \(resolver bundles\) is not here: .*known Tasks: greet"):
        sources.resolve("Task", {"resolver": "bundles", "params": [{"name": "name", "value": "git-clone"}]})
    with pytest.raises(SourceError, match=r"has greet in the versions 0.1, 0.9, 0.10, not 7.0"):
        sources.resolve("Task", hub(name="greet", version="7.0"))


IMAGE = f"{IMAGE_PREFIX}metric-gate"


@pytest.mark.parametrize("suffix", ["", ":0.1.0", f"@sha256:{'0' * 64}", f":0.1.0@sha256:{'a' * 64}"])
def test_an_image_of_the_catalog_names_its_program(suffix):
    assert program_of(IMAGE + suffix) == "metric-gate"


@pytest.mark.parametrize("image", ["busybox", "ghcr.io/other/metric-gate:1", f"{IMAGE}/deeper", f"x{IMAGE}", ""])
def test_other_images_name_none(image):
    assert program_of(image) is None


@pytest.fixture
def programs(tree):
    (tree.root / "images/metric-gate").mkdir(parents=True)
    (tree.root / "images/metric-gate/pyproject.toml").touch()
    return Programs(tree, {"PATH": "/venv/bin:/usr/bin", "VIRTUAL_ENV": "/venv", "PYTHONPATH": "x", "LANG": "C.UTF-8"})


def test_a_program_without_environment_is_refused_with_the_remedy(programs):
    with pytest.raises(ProgramError, match=r"\.venvs/metric-gate/bin is not there; run \./scripts/setup first"):
        programs.environment(f"{IMAGE}:0.1.0")


def test_a_program_that_the_catalog_does_not_have_is_refused(programs):
    with pytest.raises(ProgramError, match=r"has no program ghost \(there: metric-gate\)"):
        programs.environment(f"{IMAGE_PREFIX}ghost:1")


def test_the_programs_environment_comes_first_on_an_otherwise_clean_path(programs):
    folder = programs.tree.environment("metric-gate")
    folder.mkdir(parents=True)
    environment = programs.environment(f"{IMAGE}:0.1.0")
    assert environment == {"PATH": f"{folder}{os.pathsep}/usr/bin", "LANG": "C.UTF-8"}
    assert programs.environment("busybox") == {"PATH": "/usr/bin", "LANG": "C.UTF-8"}


def test_a_step_of_the_catalogs_image_runs_the_program(execute, tree):
    (tree.root / "images/hello").mkdir(parents=True)
    (tree.root / "images/hello/pyproject.toml").touch()
    folder = tree.environment("hello")
    folder.mkdir(parents=True)
    (folder / "hello").write_text("#!/bin/sh\necho hello from $0\n")
    (folder / "hello").chmod(0o755)
    ran = execute(f"""
        apiVersion: tekton.dev/v1
        kind: TaskRun
        metadata: {{name: t}}
        spec: {{taskSpec: {{steps: [{{image: "{IMAGE_PREFIX}hello:0.1.0", command: [hello]}}]}}}}
        """)
    assert ran.log == f"hello from {folder}/hello"


BASE = ParamSpec("base-image", "string", f"{IMAGE_PREFIX}model-server:0.1.0")


def test_a_base_image_that_nobody_gave_is_a_layout_built_here(tree):
    layout = tree.layout("model-server")
    layout.mkdir(parents=True)
    (layout / "index.json").write_text("{}")
    values, [notice] = local_defaults([BASE], {}, {}, tree)
    assert values == {"base-image": f"oci-layout:{layout}"}
    assert "built here" in notice


def test_without_such_a_layout_the_image_holds_the_model_only_and_that_is_said(tree):
    values, [notice] = local_defaults([BASE], {}, {}, tree)
    assert values == {"base-image": ""}
    assert "no image of model-server has been built" in notice
    assert "the model only" in notice


def test_a_base_image_that_was_given_stays(tree):
    assert local_defaults([BASE], {"base-image": "x"}, {}, tree) == ({}, [])


def test_a_param_that_names_a_steps_image_stays(tree):
    spec = {"steps": [{"image": "$(params.base-image)"}]}
    assert local_defaults([BASE], {}, spec, tree) == ({}, [])


def test_a_run_finds_its_pipeline_and_the_pipelines_tasks_in_the_tree(catalog, tmp_path):
    folder = catalog.root / "pipeline/both/0.1"
    folder.mkdir(parents=True)
    (folder / "both.yaml").write_text(
        "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: both}\n"
        "spec: {tasks: [{name: a, taskRef: {name: greet}}, {name: b, taskRef: {resolver: hub, params: "
        "[{name: name, value: greet}, {name: version, value: '0.1'}]}}]}\n"
    )
    run = tmp_path / "run.yaml"
    run.write_text(
        "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {generateName: both-}\n"
        "spec: {pipelineRef: {name: both}}\n"
    )
    prepared = prepare(Request([run], tree=catalog))
    [made] = prepared.plans
    assert [task.spec["steps"][0]["script"] for task in made.tasks] == ["0.10", "0.1"]
    assert made.name.startswith("both-")
    assert len(made.name) == len("both-xxxxx")
    assert prepared.notices[:2] == (
        "taken from this catalog: pipeline/both/0.1, task/greet/0.10",
        "Task greet (resolver hub) is taken from task/greet/0.1",
    )


def test_a_program_that_is_not_set_up_is_told_before_anything_runs(programs, tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text(TASK.format(name="gate", script="true").replace("image: x", f'image: "{IMAGE}:0.1.0"'))
    with pytest.raises(PlanError, match=r"run \./scripts/setup first"):
        prepare(Request([path], tree=programs.tree))


def test_the_users_pip_settings_reach_a_step_that_has_a_home_of_its_own(tree, tmp_path):
    settings = tmp_path / "home/.config/pip/pip.conf"
    settings.parent.mkdir(parents=True)
    settings.touch()
    found = Programs(tree, {"HOME": str(tmp_path / "home"), "PIP_NO_INPUT": "1"}).environment("x")
    assert found["PIP_CONFIG_FILE"] == str(settings)
    assert found["PIP_NO_INPUT"] == "1"
    assert "HOME" not in found


def test_an_image_that_a_param_names_is_announced_by_its_own_name(tree, tmp_path):
    path = tmp_path / "task.yaml"
    text = TASK.format(name="t", script="true").replace("image: x", "image: $(params.image)")
    path.write_text(text.replace("spec: {", "spec: {params: [{name: image, default: alpine}], "))
    prepared = prepare(Request([path], params=["image=busybox"], tree=tree))
    assert prepared.notices == ("steps of busybox use this machine's own programs: images are not pulled here",)
