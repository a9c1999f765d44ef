"""``./scripts/new task NAME``, ``./scripts/new version NAME VERSION``: begins a task, or a version of one.

What comes out works as it is: ./scripts/check and ./scripts/test NAME pass before anything is changed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence

from catalog import catalog_file, docs, next_version, scaffold
from catalog.next_version import GitError
from catalog.scaffold import WrongRequestError
from catalog.tree import TREE, Tree

DONE, WRONG_USAGE, COULD_NOT = 0, 2, 3


def main(argv: Sequence[str]) -> int:
    """2 for a name or version that can't be, before anything is written; 3 where git or the disk refuses."""
    options = _parser().parse_args(argv)
    try:
        if options.verb == "task":
            return task(TREE, options.name)
        return version(TREE, options.name, options.version, options.commit)
    except WrongRequestError as error:
        print(f"new: error: {error}", file=sys.stderr)
        return WRONG_USAGE
    except GitError as error:
        print(f"new: error: {error}; nothing was made; --no-commit leaves git alone", file=sys.stderr)
        return COULD_NOT
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"new: error: {error.filename} can't be written ({error.strerror})", file=sys.stderr)
        return COULD_NOT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./scripts/new", description="Begins a task, or a version of one.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="task|version")
    one = verbs.add_parser("task", help="a Task with its program, image, tests and samples, all of which work")
    one.add_argument("name", metavar="NAME", help="lower-case words with '-' between them; of the program as well")
    two = verbs.add_parser("version", help="a new version of a Task or Pipeline, begun as a copy of its newest")
    two.add_argument("name", metavar="NAME", help="a Task or Pipeline")
    two.add_argument("version", metavar="VERSION", help="two numbers, such as 0.2")
    two.add_argument("--no-commit", dest="commit", action="store_false",
                     help="don't commit the plain copy, which makes the review show what has changed")  # fmt: skip
    return parser


def task(tree: Tree, name: str) -> int:
    """Raises WrongRequestError, OSError."""
    scaffold.write(tree, name)
    code = generate(tree)
    print(f"""\
made: task/{name} (YAML, tests, samples, changelog), images/{name} (program, Dockerfile, lock), catalog.yaml renewed
It counts lines, and passes its tests. Now:
  write the logic in images/{name}/src, the params in the YAML, tests in both
  ./scripts/check
  ./scripts/test {name}
  ./scripts/e2e {name}""")
    return code


def version(tree: Tree, name: str, asked: str, with_commit: bool) -> int:
    """Raises WrongRequestError, GitError, OSError."""
    step = next_version.plan(tree, name, asked)
    if with_commit:
        next_version.refuse_uncommitted(step)
    next_version.copy(step)
    if with_commit:
        print(f"committed: {next_version.commit(step)}")
    changed = next_version.change(step)
    code = generate(tree)
    print(f"changed: {', '.join(os.path.relpath(path, tree.root) for path in changed)}")
    what = "git diff shows them" if with_commit else f"commit {step.place} as it is in {step.old} first, for the review"
    print(f"Not committed: these changes, which are all there are so far; {what}.")
    print(f"Now: change what is to be different, say it in {step.kind.lower()}/{name}/CHANGELOG.md, ./scripts/fix")
    return code


def generate(tree: Tree) -> int:
    """Brings README files and catalog.yaml up to date; its findings about files are printed only where it fails."""
    for source in sorted(tree.root.glob("images/*/src")):
        if str(source) not in sys.path:
            sys.path.append(str(source))  # a program of today is in no environment yet
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        codes = [docs.main([]), catalog_file.main([])]
    if any(codes):
        print(said.getvalue(), end="", file=sys.stderr)
    return max(codes)
