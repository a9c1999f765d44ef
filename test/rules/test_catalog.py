from __future__ import annotations

import pytest

from catalog.engine.findings import Level
from catalog.rules.metadata import MIN_VERSION
from catalog.rules.rulebook import Profile
from catalog.rules.subject import Place
from catalog.rules.tkn import wrongly_accepted, wrongly_refused

STEPS = "steps: [{name: s, image: i, command: [c]}]"


def annotated(tree, text, path="task/example/0.1/example.yaml"):
    tree.task(STEPS, path, f"{{name: example, annotations: {{{text}}}}}")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("task/a/0.1/a.yaml", ("a", "0.1", "Task")),
        ("tasks/a/0.1/a.yaml", ("a", "0.1", "Task")),
        ("x/pipeline/a/v1.2.3/b.yaml", ("a", "v1.2.3", "Pipeline")),
        ("stepaction/a/a.yaml", ("a", "", "StepAction")),
        ("task/a/b.yaml", None),
        ("task/a.yaml", None),
        ("task/a/0.1/samples/a.yaml", None),
        ("task/a/0.1/tests/must-fail/a.yaml", None),
        ("task/a/tests/a.yaml", None),
        ("pipeline/a/0.1/tasks/java/java.yaml", None),
        ("charts/a/0.1/a.yaml", None),
        ("a.yaml", None),
    ],
)
def test_places_of_a_catalog_are_known_by_their_paths(tmp_path, path, place):
    found = Place.of(tmp_path / path)
    assert (found and (found.name, found.version, found.kind)) == place


@pytest.mark.parametrize(
    ("wanted", "refused"),
    [("1.0.0", ""), ("0.12.1", ""), ("1.1.0", ""), ("1.2.0", "1.10 to 1.19"), ("1.6.0", "1.10 and newer"), ("1.9.9", "1.10 and newer"), ("1.12.0", "")],
)  # fmt: skip
def test_what_tkn_refuses_by_comparing_texts(wanted, refused):
    assert wrongly_refused(wanted) == refused


@pytest.mark.parametrize(("wanted", "accepted"), [("1.0.0", ""), ("1.10.0", "1.2 to 1.9"), ("1.12.0", "1.2 to 1.9")])
def test_what_tkn_accepts_by_comparing_texts(wanted, accepted):
    assert wrongly_accepted(wanted) == accepted


def test_a_version_that_tkn_accepts_wrongly_is_found_too(tree):
    annotated(tree, f'{MIN_VERSION}: "1.12.0"')
    assert "installs this on Tekton 1.2 to 1.9 as well" in tree.only("min-version-order").message


@pytest.mark.parametrize(
    ("given", "message"), [('"v1.0.0"', "'v1.0.0' is no version"), ("1.0", "'1.0' is no version"), ('"1.0"', "'1.0'")]
)
def test_versions_that_clients_cannot_compare_are_found(tree, given, message):
    annotated(tree, f"{MIN_VERSION}: {given}")
    assert message in tree.only("min-version").message


def test_an_annotation_that_is_not_there_is_missing(tree):
    tree.task(STEPS)
    assert "is missing" in tree.only("min-version").message
    assert "is missing" in tree.only("categories").message


def test_every_category_must_be_known_and_the_one_that_was_meant_is_named(tree):
    annotated(tree, "tekton.dev/categories: 'Testing, CI, build tools'")
    found = tree.of("categories")
    assert [one.message for one in found] == [
        "'CI' is no category that catlin knows",
        "'build tools' is no category that catlin knows",
    ]
    assert found[1].remedy == "did you mean 'Build Tools'?"


def test_late_fields_need_a_late_tekton(tree):
    spec = "steps: [{name: s, image: i, command: [c], displayName: It}]"
    tree.task(spec, metadata=f'{{name: example, annotations: {{{MIN_VERSION}: "1.0.0"}}}}')
    assert "'displayName' of a step (line 5) needs 1.6.0" in tree.only("min-version-low").message


@pytest.mark.parametrize(
    ("summary", "wrong"),
    [
        ("Builds it.", ""),
        ("Builds it.\n\n  And more.\n  And more.", ""),
        ("Builds it\n  and more.", "its first line goes on"),
        ("x" * 150, "its first line has 150 characters"),
    ],
)
def test_a_description_begins_with_a_summary(tree, summary, wrong):
    tree.task(f"description: |\n  {summary}\n{STEPS}")
    assert [one.message.rpartition(": ")[2] for one in tree.of("summary")] == ([wrong] if wrong else [])


def test_params_results_and_workspaces_are_described(tree):
    tree.task(f"params: [{{name: p}}]\nresults: [{{name: r}}]\nworkspaces: [{{name: w}}]\n{STEPS}")
    assert [one.message for one in tree.of("described")] == [
        "the param 'p' is not described",
        "the result 'r' is not described",
        "the workspace 'w' is not described",
    ]


def test_samples_and_tests_are_not_held_to_what_manifests_are(tree):
    tree.task(STEPS, "task/example/0.1/tests/helper.yaml", "{name: helper}")
    rules = {one.rule for one in tree.findings()}
    assert not rules & {"description", "version-label", "min-version", "readme", "place"}


def test_a_file_anywhere_is_held_to_a_catalogs_rules_when_asked(tree):
    tree.task(STEPS, "anything.yaml")
    assert tree.of("description") == []
    assert tree.only("description", Profile.CATALOG)
    assert tree.only("place", Profile.CATALOG)


def test_a_folder_of_three_numbers_is_passed_over_by_the_test_harness(tree):
    tree.task(STEPS, "task/example/0.1.0/example.yaml", '{name: example, labels: {app.kubernetes.io/version: "0.1.0"}}')
    assert "passed over by the community's test harness" in tree.only("version-form").message


def test_where_tags_are_the_versions_the_label_is_compared_with_no_folder(tree):
    tree.task(STEPS, "task/example/example.yaml", '{name: example, labels: {app.kubernetes.io/version: "0.7"}}')
    assert tree.of("version-folder") == tree.of("place") == []


def test_a_kind_in_the_folder_of_another_is_out_of_place(tree):
    tree.task(STEPS, "pipeline/example/0.1/example.yaml")
    assert "look for it at task/example/0.1/example.yaml" in tree.only("place").message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("artifacthub.io/category: machine-learning", "refuses the category 'machine-learning'"),
        ("artifacthub.io/alternativeName: other", "refuses the alternative name 'other'"),
        ('tekton.dev/deprecated: "yes"', "refuses 'yes' as a word for yes or no"),
        ('artifacthub.io/links: "a: b: c"', "its text is no YAML, line 1"),
        ('artifacthub.io/links: "a"', "its text is no list"),
        ('artifacthub.io/links: "[a]"', "its entry 1 is no mapping"),
        ('artifacthub.io/links: "[{name: a, url: b}]"', "the url of its entry 1 is 'b'"),
        (
            "artifacthub.io/links: \"[{name: a, url: 'https://a', href: x}]\"",
            "its entry 1 has 'href', which is not read",
        ),
        ('artifacthub.io/screenshots: "[{title: a}]"', "its entry 1 has no 'url'"),
        ('artifacthub.io/changes: "[{kind: new, description: a}]"', "its entry 1 is of the kind 'new'"),
        ('artifacthub.io/changes: "[{kind: fixed}]"', "its entry 1 has no 'description'"),
    ],
)
def test_annotations_that_artifact_hub_refuses_are_errors(tree, text, message):
    annotated(tree, text)
    found = tree.only("artifacthub-annotation")
    assert found.level is Level.ERROR
    assert message in found.message


@pytest.mark.parametrize(
    "text",
    [
        "artifacthub.io/category: ai-machine-learning",
        "artifacthub.io/alternativeName: the-example",
        'tekton.dev/deprecated: "true"',
        'artifacthub.io/changes: "[one, two]"',
        "artifacthub.io/changes: \"[{kind: fixed, description: a, links: [{name: b, url: 'https://b'}]}]\"",
        "artifacthub.io/license: Apache-2.0 OR MIT",
    ],
)
def test_annotations_that_artifact_hub_takes_are_fine(tree, text):
    annotated(tree, text)
    assert [one for one in tree.findings() if one.rule.startswith("artifacthub")] == []


def test_a_license_that_was_meant_is_named(tree):
    annotated(tree, "artifacthub.io/license: apache-2")
    assert tree.only("artifacthub-license").remedy == "did you mean 'Apache-2.0'?"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("repositoryID: x\n", 1, "'x' is no repository's ID"),
        ("owners:\n- name: a\n", 2, "an owner has no email"),
        ("ignore: [{name: a}]\n", 1, "proves nothing"),
        ("owners: [{email: a@b.c}]\nrepositoryId: x\n", 2, "Artifact Hub reads no 'repositoryId' here"),
        ("owners: [\n", 1, "expected"),
    ],
)
def test_the_repositorys_file_is_read_beside_its_tasks(tree, text, line, message):
    tree.task(STEPS)
    tree.write("task/artifacthub-repo.yml", text)
    (found,) = [one for one in tree.findings() if one.position.file.endswith("artifacthub-repo.yml")]
    assert message in found.message
    if found.rule == "artifacthub-repo":
        assert found.position.line == line


def test_the_readme_names_what_the_yaml_declares_as_whole_words(tree):
    tree.task(f"params: [{{name: dir}}]\n{STEPS}")
    tree.write("task/example/0.1/README.md", "The `model-dir` is a directory.")
    assert "'dir'" in tree.only("readme-names").message
    tree.write("task/example/0.1/README.md", "`dir`: where.")
    assert tree.of("readme-names") == []


@pytest.mark.parametrize(
    "mark", ["test/expect-status: Failed", '"test/expect-status": "Failed"', "test/assert-task-failure: a"]
)
def test_tests_that_must_fail_are_known_by_their_annotation(tree, mark):
    tree.task(STEPS)
    run = f"apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {{name: r, annotations: {{{mark}}}}}\nspec: {{taskRef: {{name: example}}}}\n"
    tree.write("task/example/0.1/tests/deep/run.yaml", run)
    assert tree.of("must-fail", Profile.HOUSE) == []
    assert tree.of("tests") == []


def test_files_that_are_no_runs_are_no_tests(tree):
    tree.task(STEPS)
    tree.write("task/example/0.1/tests/values.yaml", "a: b\n")
    assert tree.only("tests")


def test_a_second_manifest_in_the_folder_is_found(tree):
    tree.task(STEPS)
    tree.task(STEPS, "task/example/0.1/run.yaml", "{name: other}")
    assert any("run.yaml lies beside it" in one.message for one in tree.of("one-manifest"))


class TestReleased:
    OTHER = "steps: [{name: s, image: i, command: [d]}]"

    def test_a_change_after_the_release_is_found_at_its_line(self, tree):
        tree.task(STEPS)
        tree.release("v0.1.0")
        tree.task("steps:\n- name: s\n  image: i\n  command: [d]")
        found = tree.only("released")
        assert found.position.line == 8
        assert "released as v0.1.0, and spec.steps[0].command[0] has changed" in found.message

    def test_comments_and_order_may_change(self, tree):
        tree.task(STEPS)
        tree.release("v0.1.0")
        tree.task("# a word\nsteps: [{image: i, name: s, command: [c]}]")
        assert tree.of("released") == []

    def test_what_is_added_and_what_is_gone_is_a_change(self, tree):
        tree.task(STEPS)
        tree.release("v0.1.0")
        tree.task("description: New.\n" + STEPS)
        assert "spec.description has changed" in tree.only("released").message
        tree.task("steps: [{name: s, image: i}]")
        assert "spec.steps[0].command has changed" in tree.only("released").message

    def test_the_oldest_tag_that_is_a_version_counts(self, tree):
        tree.task(self.OTHER)
        tree.release("nightly")
        tree.task(STEPS)
        tree.release("v0.1.0")
        tree.task(self.OTHER)
        tree.release("v0.2.0")
        assert "released as v0.1.0" in tree.only("released").message

    def test_a_new_version_is_no_change(self, tree):
        tree.task(STEPS)
        tree.release("v0.1.0")
        tree.task(self.OTHER, "task/example/0.2/example.yaml")
        assert tree.of("released") == []

    def test_without_tags_or_without_git_nothing_is_said(self, tree):
        tree.task(STEPS)
        assert tree.of("released") == []
        tree.release("nightly")
        tree.task(self.OTHER)
        assert tree.of("released") == []

    def test_where_tags_are_the_versions_the_label_must_be_raised(self, tree):
        metadata = '{name: example, labels: {app.kubernetes.io/version: "0.1"}}'
        tree.task(STEPS, "task/example/example.yaml", metadata)
        tree.release("v0.1.0")
        tree.task(self.OTHER, "task/example/example.yaml", metadata)
        assert tree.only("released").remedy == "raise the version in the label"
        tree.task(self.OTHER, "task/example/example.yaml", metadata.replace("0.1", "0.2"))
        assert tree.of("released") == []
