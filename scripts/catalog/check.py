"""``./scripts/check [NAME…]``: everything that can be said of the tree without running it, in under a minute."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial

from catalog.checks.tree_files import tree_files
from catalog.environments import ROOT

FAILED = 3
_BIN = ROOT / ".venvs" / "tools" / "bin"


@dataclass(frozen=True)
class Check:
    """``run`` gives the findings as lines, none when all is well."""

    name: str
    about: str
    run: Callable[[], Sequence[str]]


@dataclass(frozen=True)
class Answer:
    check: Check
    lines: Sequence[str]
    seconds: float


def _command(*command: str, **environment: str) -> Sequence[str]:
    """The output of a program as findings, where it fails."""
    variables = {**os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    if not done.returncode:
        return ()
    return (done.stdout + done.stderr).strip().splitlines() or [f"{command[0]} ended with {done.returncode}"]


def _tool(name: str, *arguments: str) -> Callable[[], Sequence[str]]:
    return partial(_command, str(_BIN / name), *arguments)


def _verb(name: str, *arguments: str) -> Callable[[], Sequence[str]]:
    return partial(_command, sys.executable, "-m", "catalog", name, *arguments)


def _module(name: str) -> Callable[[], Sequence[str]]:
    def run() -> Sequence[str]:
        found = sorted(importlib.import_module(f"catalog.checks.{name}").findings(ROOT))
        return [str(one).removeprefix(f"{ROOT}/") for one in found]

    return run


def _yamllint() -> Sequence[str]:
    return _command(str(_BIN / "yamllint"), "--strict", "--format=parsable", *tree_files(ROOT, ".yaml", ".yml"))


def _pickles() -> Sequence[str]:
    """Takes long, so it is done once for the same scripts, list and environment, which a renewed one forgets."""
    inputs = ("scripts/catalog/pickle_names.py", "scripts/catalog/pickle_corpus.py",
              "images/taskkit/src/taskkit/pickles/allowed_names.json")  # fmt: skip
    sha = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in inputs)).hexdigest()
    stamp = _BIN.parent / "pickle-names-of"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == sha:
        return ()
    lines = _verb("pickle-names", "--check")()
    if not lines:
        stamp.write_text(sha, encoding="utf-8")
    return lines


def python_sources() -> list[str]:
    """What strict types hold for: the programs, the scripts, the cluster."""
    programs = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("images/*/src"))
    return ["scripts/catalog", "test/cluster/testcluster", *programs]


def _types() -> Sequence[str]:
    """mypy takes a package for what its path says, so it has to know each folder that packages lie in."""
    places = os.pathsep.join(str(path) for path in sorted(ROOT.glob("images/*/src")))
    return _command(str(_BIN / "mypy"), "--no-error-summary", *python_sources(), MYPYPATH=places)


# The slow ones first: two run at a time.
CHECKS = (
    Check("pickles", "generated list of allowed names", _pickles),
    Check("types", "mypy --strict", _types),
    Check("lint", "Tekton documents, rules of catalogs", _verb("lint", "--strict")),
    Check("ruff", "Python", _tool("ruff", "check", "--quiet", "--output-format=concise", ".")),
    Check("format", "Python", _tool("ruff", "format", "--quiet", "--check", "--output-format=concise", ".")),
    Check("yamllint", "YAML", _yamllint),
    Check("contract", "YAML against command lines", _module("contract")),
    Check("pipelines", "Pipelines against Tasks", _module("pipelines")),
    Check("versions", "folder, label, image, program", _module("versions")),
    Check("changelogs", "an entry for every version", _module("changelogs")),
    Check("schemas", "generated JSON Schemas", _verb("schemas", "--check")),
    Check("docs", "generated READMEs", _verb("docs", "--check")),
    Check("rules", "generated page of lint's rules", _verb("rules-page", "--check")),
    Check("catalog", "generated catalog.yaml", _module("source_catalog")),
    Check("links", "links between pages", _module("links")),
    Check("pins", "what Dockerfiles and workflows use", _module("pins")),
    Check("locks", "lock files against what is declared", _module("locks")),
    Check("text", "sizes, names, paths of machines", _module("text_rules")),
)


def main(argv: list[str]) -> int:
    """Prints one line for each check as it ends, with all its findings. 0 when there are none, 2 for unknown names."""
    known = {check.name: check for check in CHECKS}
    parser = argparse.ArgumentParser(prog="./scripts/check", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(known)} (default: all)")
    names = parser.parse_args(argv).names or list(known)
    if unknown := [name for name in names if name not in known]:
        print(f"check: error: there is no check '{unknown[0]}'; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    failed = []
    for answer in _answers([known[name] for name in names]):
        print(_shown(answer), flush=True)
        if answer.lines:
            failed.append(answer.check.name)
    seconds = time.monotonic() - began
    if failed:
        print(f"check: failed in {seconds:.1f} s: {', '.join(failed)}; ./scripts/fix repairs what can be repaired")
        return FAILED
    print(f"check: all {len(names)} passed in {seconds:.1f} s")
    return 0


def _answers(checks: Sequence[Check]) -> Iterator[Answer]:
    with ThreadPoolExecutor(max_workers=2) as pool:
        for future in as_completed([pool.submit(_timed, check) for check in checks]):
            yield future.result()


def _timed(check: Check) -> Answer:
    began = time.monotonic()
    try:
        lines = check.run()
    except Exception as error:  # noqa: BLE001 - one broken check must not hide what the others found
        lines = [f"the check itself failed: {type(error).__name__}: {error}"]
    return Answer(check, lines, time.monotonic() - began)


def _shown(answer: Answer) -> str:
    head = f"{'FAIL' if answer.lines else 'ok  '} {answer.seconds:5.1f} s  {answer.check.name:<10} {answer.check.about}"
    return "\n".join([head, *(f"      {line}" for line in answer.lines)])
