"""``python -m catalog rules_page [--check]``: writes docs/lint-rules.md, the page of all rules, from the rulebook."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from catalog.rules.formats import PAGE
from catalog.rules.rulebook import Example, Family, Profile, Rule, families

_ROOT = Path(__file__).resolve().parents[2]
_INTRODUCTION = """\
# Rules of `./scripts/lint`

<!-- Written by `python -m catalog rules_page` from scripts/catalog/rules/book. -->

`./scripts/lint [PATH…]` checks Tekton documents, of this catalog or any other, without a cluster and without a network.
Without a path it checks this catalog.

```
task/example/0.1/example.yaml:14: error: spec.steps[0].script: the step 'clone' pastes $(params.branch) into its script:
the value is run as code (set 'env: [{name: BRANCH, value: $(params.branch)}]' and write "$BRANCH" in the code)
[param-in-script]
```

| option | |
|---|---|
| `--strict` | warnings fail, too |
| `--format text\\|json\\|github` | for people, for programs, for the lines of a pull request |
| `--profile tekton\\|catalog\\|house` | which families of rules hold; else chosen by where a file lies |
| `--level RULE=error\\|warning\\|note\\|off` | another level for a rule; as often as needed |

Exit code 0: no error (with `--strict`: no warning); 2: there are some.

**Levels.** An *error* is refused by Tekton, catlin or Artifact Hub, cannot work, or opens a door. A *warning* works
today and will hurt. A *note* is worth knowing, and never fails.

**Profiles.** Without `--profile`, files of this tree are held to `house`, files that lie as in a catalog
(`task/<name>/<version>/`) to `catalog`, others to `tekton`.

**Ignoring.** A finding that is meant is ignored by a comment on its line or on a line above, with the reason:

```yaml
params:
  # check: ignore[unused-param] callers of 0.1 set it
  - name: reserved
```

A reason is required, and a comment that ignores nothing is a finding itself.

**Not done here.** Scripts are parsed, not analysed (that is shellcheck's and pylint's work); images are not looked up
(that takes a network); whether a program writes its results shows only when it runs.
"""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m catalog rules_page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is not up to date")
    only_check = parser.parse_args(argv).check
    path, text = _ROOT / PAGE, page()
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return 0
    if only_check:
        print(f"rules_page: error: {PAGE} is not what the rulebook says; run ./scripts/fix", file=sys.stderr)
        return 3
    path.write_text(text, encoding="utf-8")
    print(f"written: {PAGE}")
    return 0


def page() -> str:
    """The whole page, in Markdown."""
    parts = [_INTRODUCTION, *_contents()]
    for family in families():
        parts += [f"## {family.title}\n", f"{family.about}\n"]
        parts += ["\n".join(_rule(rule)) for rule in family.rules]
    return "\n".join(parts)


def _contents() -> Iterator[str]:
    for family in families():
        profiles = ", ".join(f"`{one.value}`" for one in Profile if family.name in one.families)
        yield f"**{family.title}** ({_count(family)}; profiles {profiles}):"
        yield ", ".join(f"[{rule.id}](#{rule.id})" for rule in family.rules) + "\n"


def _count(family: Family) -> str:
    return f"{len(family.rules)} rules"


def _rule(rule: Rule) -> Iterator[str]:
    yield f"### {rule.id}\n"
    yield f"**{rule.title}.** ({' or '.join(map(str, rule.levels))})\n"
    yield rule.why + "\n"
    for word, example in (("Bad", rule.bad), ("Good", rule.good)):
        if example.text or example.files:
            yield from _example(word, example)
    if rule.source:
        source = rule.source if " " in rule.source or not rule.source.startswith("http") else f"<{rule.source}>"
        yield f"Source: {source}\n"


def _example(word: str, example: Example) -> Iterator[str]:
    whole = [(example.path, example.text)] if example.text else []
    beside = list(example.files.items())
    yield f"{word}:" if not (beside or example.path) else f"{word}, {_listed(example)}:"
    for path, text in (*whole, *beside):
        language = "markdown" if path.endswith(".md") else "yaml"
        yield f"\n```{language}\n{text.rstrip()}\n```"
    yield ""


def _listed(example: Example) -> str:
    own = f"`{example.path}`" if example.path else ""
    beside = " and ".join(f"`{path}`" for path in example.files)
    return f"{own} with {beside}" if own and beside else own or f"with {beside} beside it"
