from __future__ import annotations

from catalog.engine.findings import Level
from catalog.rules.rulebook import Profile

STEPS = "steps: [{name: s, image: docker.io/library/golang:1.24, command: [go, build]}]"


def of_comments(tree, text):
    tree.task(text, "example.yaml")
    rules = ("unused-param", "unused-ignore", "ignore-reason", "ignore-form")
    return [(one.rule, one.position.line) for one in tree.findings() if one.rule in rules]


def test_a_comment_on_the_line_ignores_the_finding(tree):
    assert of_comments(tree, f"params:\n- name: a  # check: ignore[unused-param] for old callers\n{STEPS}") == []


def test_a_comment_above_the_line_ignores_the_finding_other_comments_between_them(tree):
    text = f"params:\n# check: ignore[unused-param] for old callers\n# who are many\n\n- name: a\n{STEPS}"
    assert of_comments(tree, text) == []


def test_a_comment_reaches_no_further_than_the_next_line(tree):
    text = f"params:\n# check: ignore[unused-param] for old callers\n- name: a\n- name: b\n{STEPS}"
    assert of_comments(tree, text) == [("unused-param", 8)]


def test_one_comment_ignores_several_rules(tree):
    tree.task("""
steps:
- name: s
  # check: ignore[image-latest, image-registry] the test wants it
  image: golang
  command: [go, build]""", "example.yaml")  # fmt: skip
    assert [one.rule for one in tree.findings() if one.rule.startswith(("image", "unused", "ignore"))] == []


def test_a_comment_in_a_script_is_a_comment_of_the_script(tree):
    tree.task("""
params: [{name: script}]
steps:
- name: s
  image: docker.io/library/golang:1.24
  script: |
    #!/bin/sh
    set -e
    # check: ignore[param-in-script] running the user's script is the task
    $(params.script)""", "example.yaml")  # fmt: skip
    assert tree.of("param-in-script") == tree.of("unused-ignore") == []


def test_a_comment_without_a_reason_ignores_nothing_and_is_found(tree):
    found = of_comments(tree, f"params:\n- name: a  # check: ignore[unused-param]\n{STEPS}")
    assert found == [("ignore-reason", 6), ("unused-param", 6)]


def test_a_comment_that_names_no_rule_is_found(tree):
    assert of_comments(tree, f"{STEPS}  # check: ignore because I say so") == [("ignore-form", 5)]
    assert of_comments(tree, f"{STEPS}  # check: ignore[] because I say so") == [("ignore-form", 5)]


def test_an_unknown_rule_is_found_with_the_one_that_was_meant(tree):
    tree.task(f"params:\n- name: a  # check: ignore[unused-parameter] why not\n{STEPS}", "example.yaml")
    assert tree.only("ignore-form").remedy == "did you mean 'unused-param'?"


def test_a_comment_that_ignores_nothing_is_an_error(tree):
    tree.task(f"{STEPS}  # check: ignore[unused-param] it was once", "example.yaml")
    assert tree.only("unused-ignore").level is Level.ERROR


def test_each_rule_of_a_comment_must_ignore_something(tree):
    tree.task(f"params:\n- name: a  # check: ignore[unused-param, param-in-script] why not\n{STEPS}", "example.yaml")
    assert "'param-in-script' has no finding on line 6" in tree.only("unused-ignore").message


def test_rules_that_were_not_asked_for_are_no_unused_ones(tree):
    tree.task("params:\n- name: aB  # check: ignore[kebab-case] older than the rule\n" + STEPS)
    assert tree.of("unused-ignore") == []
    assert tree.of("unused-ignore", Profile.HOUSE) == []
    tree.task("params:\n- name: a-b  # check: ignore[kebab-case] older than the rule\n" + STEPS)
    assert tree.of("unused-ignore", Profile.TEKTON) == []
    assert len(tree.of("unused-ignore", Profile.HOUSE)) == 1


def test_findings_of_the_engines_own_validation_can_be_ignored(tree):
    text = "results: [{name: r}, {name: r}]  # check: ignore[duplicate-name, unused-result] a test of Tekton\n" + STEPS
    tree.task(text, "example.yaml")
    assert [one.rule for one in tree.findings() if one.level > Level.NOTE and "image" not in one.rule] == ["restricted"]


def test_words_that_only_look_like_a_comment_are_none(tree):
    assert of_comments(tree, f'description: "a#check: ignore[x]"\n{STEPS}') == []
