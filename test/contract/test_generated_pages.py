"""The READMEs of Tasks and Pipelines."""

import pytest

from catalog import docs
from catalog.environments import ROOT

PAGES = {page.document.name: page for page in docs.pages(ROOT)}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_every_param_result_workspace_sample_and_test(name):
    page, text = PAGES[name], docs.render(PAGES[name])
    for part in ("params", "results", "workspaces"):
        assert [one["name"] for one in page.spec[part] if f"`{one['name']}`" not in text] == []
    assert [one.file for one in (*page.samples, *page.tests) if f"({one.file})" not in text] == []
    assert [error.remedy for error in (page.program.errors if page.program else ()) if docs.cell(error.remedy) not in text] == []  # fmt: skip


def test_a_new_param_makes_the_page_out_of_date(copy):
    copy.change("task", "metric-gate", "    - name: override\n", "    - name: overrule\n")
    (page,) = [page for page in docs.pages(copy.root) if page.document.name == "metric-gate"]
    assert docs.render(page) != page.path.read_text(encoding="utf-8")


def test_the_page_shows_the_sample_with_the_fewest_params_without_its_comment(copy):
    (page,) = [page for page in docs.pages(copy.root) if page.document.name == "metric-gate"]
    assert page.samples[0].file == "samples/gate.yaml"
    assert page.samples[0].about.startswith("Compares the model in the claim")
    assert page.samples[0].run.startswith("apiVersion: tekton.dev/v1\nkind: TaskRun")


@pytest.mark.parametrize(
    ("value", "text"),
    [("", "empty"), ([], "empty"), ("a", "`a`"), ("`a`", "`` `a` ``"), (["a", "ä"], '`["a", "ä"]`'), ({"k": "v"}, '`{"k": "v"}`')],
)  # fmt: skip
def test_defaults_are_shown_as_code(value, text):
    assert docs.default_text(value) == text


def test_what_a_test_expects_is_one_phrase():
    annotations = {"test/expect-status": "Failed", "test/expect-exit-code": "gate=10", "test/expect-message": "a|b\nc"}
    assert docs.expected(annotations) == "failed, task `gate` exit code 10, says `a|b`"
    assert docs.cell("`a|b` <x>\nc") == "`a\\|b` &lt;x> c"


def test_long_descriptions_are_filled_and_indented_without_breaking_words():
    text = docs.wrapped("word-with-hyphens " * 20 + "\n\nnext", indent=2)
    first, *rest = text.splitlines()
    assert first.startswith("word")
    assert all(line.startswith("  ") or not line for line in rest)
    assert max(map(len, text.splitlines())) <= docs.WIDTH
    assert set(text.split()) == {"word-with-hyphens", "next"}
