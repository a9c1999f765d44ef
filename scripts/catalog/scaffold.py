"""A task that works, to be changed into the one that is wanted: Task, program, image, tests, samples, changelog.

Its files are the templates below ``templates/new/``; ``NAME``, ``PACKAGE`` and ``VERSION`` in a path are filled in.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from catalog.checks.text_rules import VAGUE
from catalog.tree import IMAGE_PREFIX, Tree

FIRST_VERSION = "0.1"
LONGEST_NAME = 40
"""A run's name, which a pod's is made of, has to fit into 63 characters."""

_TEMPLATES = Path(__file__).parent / "templates" / "new"
_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ENVIRONMENTS = {"engine", "programs", "tools", "uv"}
_BASE = re.compile(r"^ARG BASE_IMAGE=(\S+)$", re.MULTILINE)
_PIN = re.compile(r"^[^\s#][^\n]*(?:\n[ \t]+[^\n]*)*", re.MULTILINE)


class WrongRequestError(Exception):
    """What was asked for makes no sense here, in one line with its remedy."""


def package_of(name: str) -> str:
    """The Python package of a program."""
    return name.replace("-", "_")


def refuse_name(tree: Tree, name: str) -> None:
    """Raises WrongRequestError for a name that a new task can't have."""
    package = package_of(name)
    if not _KEBAB.fullmatch(name):
        problem = f"'{name}' is no name for a task; write lower-case words with '-' between them, such as data-drift"
    elif len(name) > LONGEST_NAME:
        problem = f"'{name}' has {len(name)} characters; names of runs are made of it: use at most {LONGEST_NAME}"
    elif vague := VAGUE & set(name.split("-")):
        problem = f"'{name}' says nothing with '{vague.pop()}'; name the task by what it does"
    elif places := _taken(tree, name):
        problem = f"'{name}' is taken: there is {places[0]}; choose another name"
    elif name in _ENVIRONMENTS or keyword.iskeyword(package) or _importable(tree, package):
        problem = f"'{name}' is taken: '{package}' means something else to Python or ./scripts/setup; add a word"
    else:
        return
    raise WrongRequestError(problem)


def _taken(tree: Tree, name: str) -> list[str]:
    folders = (f"{kind}/{name}" for kind in ("task", "pipeline", "images", "test"))
    return [folder for folder in folders if (tree.root / folder).exists()]


def _importable(tree: Tree, package: str) -> bool:
    """Whether a package of that name would hide another one, here or in an environment of a program."""
    there = tree.root.glob(f".venvs/*/lib/python*/site-packages/{package}*")
    return importlib.util.find_spec(package) is not None or any(path.name.split(".")[0] == package for path in there)


def shared_lock(tree: Tree) -> str:
    """The lock of a program that needs nothing but taskkit: the pins that every program has, for all of them need it.

    So it is right without asking an index, and stays what ``./scripts/lock`` makes of it.
    """
    locks = [path.read_text(encoding="utf-8") for path in sorted(tree.root.glob("images/*/requirements.lock"))]
    first, *others = [_PIN.findall(text) for text in locks]
    return "".join(f"{pin}\n" for pin in first if all(pin in other for other in others))


def files(tree: Tree, name: str) -> dict[str, str]:
    """What a new task consists of: paths from the root of the tree to their texts; generated pages come later."""
    bases = (path.read_text(encoding="utf-8") for path in sorted(tree.root.glob("images/*/Dockerfile")))
    base = next(match[1] for text in bases if (match := _BASE.search(text)))
    facts = {"name": name, "package": package_of(name), "version": FIRST_VERSION, "title": _title(name),
             "image_prefix": IMAGE_PREFIX, "base_image": base}  # fmt: skip
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), keep_trailing_newline=True, undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Python and YAML
    )  # fmt: skip
    found = {}
    for template in sorted(environment.list_templates()):
        path = template.removesuffix(".jinja")
        for placeholder in ("name", "package", "version"):
            path = path.replace(placeholder.upper(), facts[placeholder])
        found[path] = environment.get_template(template).render(facts)
    return found | {f"images/{name}/requirements.lock": shared_lock(tree)}


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()


def write(tree: Tree, name: str) -> None:
    """Writes a new task; nothing of it is left where a file can't be written. Raises WrongRequestError, OSError."""
    refuse_name(tree, name)
    texts = files(tree, name)
    try:
        for path, text in texts.items():
            place = tree.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
    except OSError:
        for kind in ("task", "images"):
            shutil.rmtree(tree.root / kind / name, ignore_errors=True)
        raise
