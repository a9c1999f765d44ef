"""The command line: what is printed, in which form, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from catalog import lint
from catalog.engine.findings import Finding, Level, Position
from catalog.rules import formats

GOOD = "ghcr.io/a/b:1.0@sha256:" + "a" * 64
RESTRICTED = (
    "{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, runAsNonRoot: true, "
    "seccompProfile: {type: RuntimeDefault}}"
)
CLEAN = f"steps: [{{name: s, image: '{GOOD}', command: [c], securityContext: {RESTRICTED}}}]"
NOTED = f"steps: [{{name: s, image: '{GOOD}', securityContext: {RESTRICTED}}}]"
WARNED = "params: [{name: p}]\n" + CLEAN
REFUSED = CLEAN.replace("command", "commands")


def run(capsys, *arguments):
    code = lint.main([str(one) for one in arguments])
    return code, capsys.readouterr()


def test_what_is_right_is_counted_and_gives_zero(tree, capsys):
    code, shown = run(capsys, tree.task(CLEAN, "a.yaml"), "--strict")
    assert (code, shown.out) == (0, "1 document checked: 0 errors, 0 warnings\n")


def test_a_finding_is_one_line_with_place_level_field_message_remedy_and_rule(tree, capsys):
    file = tree.task(WARNED, "a.yaml")
    code, shown = run(capsys, file)
    assert code == 0
    assert shown.out.splitlines()[0] == (
        f"{file}:5: warning: spec.params[0].name: the Task uses its param 'p' nowhere: whoever sets it is not heard "
        "(use $(params.p), or remove the param) [unused-param]"
    )


def test_findings_are_sorted_by_file_and_line(tree, capsys):
    for name in ("b.yaml", "a.yaml"):
        tree.task("params: [{name: p}]\nresults: [{name: r}]\n" + CLEAN, name)
    _, shown = run(capsys, tree.root)
    places = [line.split(": ")[0].rpartition("/")[2] for line in shown.out.splitlines()[:-1]]
    assert places == ["a.yaml:5", "a.yaml:6", "b.yaml:5", "b.yaml:6"]


def test_a_path_that_is_not_there_is_an_error(tree, capsys):
    code, shown = run(capsys, tree.root / "gone.yaml")
    assert code == 2
    assert "gone.yaml:1: error: no such file or folder (check the path) [file]" in shown.out


@pytest.mark.parametrize(
    ("spec", "strict", "code"),
    [(REFUSED, False, 2), (WARNED, False, 0), (WARNED, True, 2), (NOTED, True, 0)],
)
def test_errors_fail_warnings_fail_when_strict_and_notes_never_do(tree, capsys, spec, strict, code):
    assert run(capsys, tree.task(spec, "a.yaml"), *(["--strict"] if strict else []))[0] == code


def test_notes_are_counted_where_there_are_some(tree, capsys):
    _, shown = run(capsys, tree.task(NOTED, "a.yaml"))
    assert shown.out.splitlines()[-1] == "1 document checked: 0 errors, 0 warnings, 1 note"


def test_a_level_can_be_changed_or_a_rule_switched_off(tree, capsys):
    file = tree.task(WARNED, "a.yaml")
    assert run(capsys, file, "--level", "unused-param=error")[0] == 2
    code, shown = run(capsys, file, "--strict", "--level", "unused-param=off")
    assert (code, shown.out) == (0, "1 document checked: 0 errors, 0 warnings\n")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("unused-parm=off", "there is no rule 'unused-parm' (did you mean 'unused-param'?)"),
        ("unused-param=loud", "'loud' is no level (one of: note, warning, error, off)"),
        ("unused-param", "'' is no level"),
    ],
)
def test_a_level_that_cannot_be_understood_is_one_line_on_stderr(capsys, given, message):
    code, shown = run(capsys, "--level", given)
    assert code == 2
    assert shown.out == ""
    assert shown.err.startswith(f"lint: error: --level {given}: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1


def test_json_has_every_part_of_a_finding(tree, capsys):
    file = tree.task(WARNED, "a.yaml")
    _, shown = run(capsys, file, "--format", "json")
    document = json.loads(shown.out)
    assert document == {
        "documents": 1,
        "counts": {"errors": 0, "warnings": 1, "notes": 0},
        "findings": [
            {
                "file": str(file),
                "line": 5,
                "field": "spec.params[0].name",
                "level": "warning",
                "rule": "unused-param",
                "message": "the Task uses its param 'p' nowhere: whoever sets it is not heard",
                "remedy": "use $(params.p), or remove the param",
                "page": "docs/lint-rules.md#unused-param",
            }
        ],
    }


def test_github_gets_a_workflow_command_for_each_level(tree, capsys):
    tree.task(WARNED, "b,c.yaml")
    tree.task(NOTED, "n.yaml")
    tree.task(REFUSED, "r.yaml")
    _, shown = run(capsys, tree.root, "--format", "github")
    lines = shown.out.splitlines()
    root = str(tree.root).replace(",", "%2C")
    assert lines[0].startswith(
        f"::warning file={root}/b%2Cc.yaml,line=5,title=unused-param::the Task uses its param 'p'"
    )
    assert [line.split(" ")[0] for line in lines[1:-1]] == ["::notice", "::error", "::notice"]


def test_github_commands_cannot_be_broken_out_of():
    finding = Finding(Level.ERROR, "a", "100% sure\n::error::really", "", Position("x:y", 1))
    assert formats.as_github([finding], 1).splitlines()[0] == (
        "::error file=x%3Ay,line=1,title=a::100%25 sure%0A::error::really"
    )


def test_files_of_this_tree_are_held_to_its_own_rules_and_others_to_what_applies(tree):
    own = lint.Settings(home=tree.root)
    tree.task("params: [{name: aB}]\n" + CLEAN)
    assert "kebab-case" in {one.rule for one in lint.check([tree.root], own)[1]}
    assert "kebab-case" not in {one.rule for one in lint.check([tree.root])[1]}


def test_outside_this_tree_a_task_that_is_not_there_may_be_on_the_cluster(tree):
    tree.write(
        "run.yaml", "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: r}\nspec: {taskRef: {name: theirs}}\n"
    )
    assert tree.only("unknown-reference").level is Level.WARNING
    found = [
        one for one in lint.check([tree.root], lint.Settings(home=tree.root))[1] if one.rule == "unknown-reference"
    ]
    assert [one.level for one in found] == [Level.ERROR]


def test_two_hundred_documents_take_no_time_to_speak_of(tree, capsys):
    run_ = "---\napiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: {name: r}\nspec: {taskRef: {name: t}}\n"
    for number in range(100):
        file = tree.task(CLEAN, f"{number}.yaml", f"{{name: t{number}}}")
        file.write_text(
            file.read_text(encoding="utf-8") + run_.replace("name: t}", f"name: t{number}}}"), encoding="utf-8"
        )
    begin = time.perf_counter()
    assert run(capsys, tree.root)[1].out == "200 documents checked: 0 errors, 0 warnings\n"
    assert time.perf_counter() - begin < 10  # takes a third of a second; a loaded machine must not fail the test


def test_our_own_catalog_is_clean_and_quickly_checked(capsys):
    begin = time.perf_counter()
    code, shown = run(capsys, "--strict")
    assert code == 0, shown.out
    assert time.perf_counter() - begin < 20  # takes half a second; a loaded machine must not fail the test


def test_a_reader_who_has_seen_enough_is_no_error(tree):
    for number in range(200):
        tree.task(WARNED, f"{number}.yaml")
    scripts = os.path.dirname(os.path.dirname(lint.__file__))
    command = f"{sys.executable} -m catalog lint {tree.root} --format json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": scripts}, check=False
    )
    assert done.stderr == ""


@pytest.mark.parametrize("param", ["old", "new", "newest"])
def test_of_several_versions_a_pipeline_means_the_one_that_it_fits(tree, capsys, param):
    for version, name in (("0.1", "old"), ("0.10", "newest"), ("0.2", "new")):
        tree.task(f"params: [{{name: {name}}}]\n{CLEAN}", f"task/t/{version}/t.yaml", "{name: t}")
    head = "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: p}\n"
    asked = f"spec: {{tasks: [{{name: a, taskRef: {{name: t}}, params: [{{name: {param}, value: x}}]}}]}}\n"
    file = tree.write("pipeline/p/0.1/p.yaml", head + asked)
    _, shown = run(capsys, tree.root)
    assert "-param]" not in "".join(line for line in shown.out.splitlines() if line.startswith(str(file)))


def test_what_fits_no_version_is_compared_with_the_newest_that_is_not_above_the_pipelines(tree, capsys):
    for version, name in (("0.1", "old"), ("0.10", "newest"), ("0.2", "new")):
        tree.task(f"params: [{{name: {name}}}]\n{CLEAN}", f"task/t/{version}/t.yaml", "{name: t}")
    head = "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: p}\n"
    for version, wanted in (("0.1", "old"), ("0.9", "new"), ("0.10", "newest")):
        file = tree.write(f"pipeline/p/{version}/p.yaml", head + "spec: {tasks: [{name: a, taskRef: {name: t}}]}\n")
        _, shown = run(capsys, tree.root)
        assert f"the param '{wanted}' of Task t has no default" in shown.out
        file.unlink()
