"""``./scripts/… pickle_names [--check]``: writes the allowed list of taskkit.pickles, or says whether it is up to date.

Pickles what catalog.pickle_corpus makes, by every protocol, by joblib and by skops, and notes which names occur and in
what role. So the list has no name that nobody needs. Names below are never listed, whatever the corpus says.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import io
import json
import pickle
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.environments import ROOT

TARGET = ROOT / "images" / "taskkit" / "src" / "taskkit" / "pickles" / "allowed_names.json"
PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")
ROLES = ("classes", "values", "functions", "called")

FORBIDDEN_MODULES = (
    "os",
    "posix",
    "subprocess",
    "sys",
    "importlib",
    "runpy",
    "operator",
    "pickle",
    "_pickle",
    "types",
    "ctypes",
    "numpy.f2py",
    "numpy.testing",
    "numpy.distutils",
    "numpy.ctypeslib",
    "numpy.lib",
    "scipy.io",
    "scipy.stats",
    "scipy.weave",
    "pandas.io",
    "pandas.core.computation",
    "joblib.externals",
    "joblib.memory",
    "joblib.parallel",
    "sklearn.datasets",
    "sklearn.utils.parallel",
    "cloudpickle",
    "__main__",
)
"""scipy.stats: distributions run code from their state (``_parse_arg_template`` goes to ``exec``)."""
FORBIDDEN_NAMES = {
    ("builtins", name)
    for name in (
        "eval",
        "exec",
        "compile",
        "open",
        "getattr",
        "setattr",
        "delattr",
        "__import__",
        "globals",
        "locals",
        "vars",
        "input",
        "breakpoint",
        "map",
        "filter",
        "type",
        "property",
        "classmethod",
        "staticmethod",
        "super",
        "apply",
        "dir",
        "print",
    )
} | {
    ("numpy", name)
    for name in ("load", "save", "loadtxt", "fromfile", "memmap", "genfromtxt", "vectorize", "DataSource")
}

Use = tuple[str, str, str]


def uses(value: Any) -> Iterator[Use]:
    """(role, module, name) of everything that loading a value needs."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        try:
            content = pickle.dumps(value, protocol)
        except Exception:  # noqa: BLE001, S112 - some protocols can't hold some values
            continue
        yield from uses_of_pickle(content)
    import joblib

    joblib.dump(value, stream := io.BytesIO())
    yield "classes", "joblib.numpy_pickle", "NumpyArrayWrapper"
    yield from _uses_of_skops(value)
    del stream


def uses_of_pickle(content: bytes) -> Iterator[Use]:
    """Follows the stack through the opcodes, by the machine that inspects model files."""
    from taskkit.pickles.inspection import _Inspector
    from taskkit.pickles.names import AllowedNames, Name
    from taskkit.pickles.streams import PickleStream

    found: list[Use] = []

    class Recorder(_Inspector):
        def call(self, callee: Any, arguments: tuple[Any, ...]) -> Any:
            if isinstance(callee, Name):
                found.append(("called", callee.module, callee.name))
                if callee == Name("copyreg", "_reconstructor"):
                    found.append(("classes", arguments[0].module, arguments[0].name))
            return super().call(callee, arguments)

        def _new(self, made: Any, arguments: Any, keywords: Any) -> None:
            found.append(("classes", made.module, made.name))
            super()._new(made, arguments, keywords)

    nothing = AllowedNames(*(frozenset[Name]() for _ in ROLES))
    recorder = Recorder(PickleStream(io.BytesIO(content), len(content) + 1), nothing)
    recorder.run()
    called = {(module, name) for _, module, name in found}
    yield from found
    for name, _ in recorder.seen:
        value = getattr(importlib.import_module(name.module), name.name, None) if "." not in name.name else None
        if inspect.isclass(value):
            yield "values", name.module, name.name
        elif (name.module, name.name) not in called:
            yield "functions", name.module, name.name


def _uses_of_skops(value: Any) -> Iterator[Use]:
    import skops.io

    from taskkit.pickles.names import Name
    from taskkit.pickles.skops_archive import nodes_of
    from taskkit.pickles.skops_nodes import PLAIN
    from taskkit.pickles.values import is_data_kind

    try:
        content = io.BytesIO(skops.io.dumps(value))
    except Exception:  # noqa: BLE001 - skops can't hold everything
        return
    for node in nodes_of(content, "corpus"):
        module, name, loader = node["__module__"], node["__class__"], node["__loader__"]
        if loader in ("MethodNode", "OperatorFuncNode") or any(
            (one.module, one.name) == (module, name) for one in PLAIN
        ):
            continue
        made = loader == "ObjectNode" and not is_data_kind(Name(module, name))
        yield "functions" if loader == "FunctionNode" else "classes" if made else "values", module, name


def allowed(use: Use) -> bool:
    role, module, name = use
    if "." in name or "<" in name or (module, name) in FORBIDDEN_NAMES:
        return False
    if any(module == forbidden or module.startswith(f"{forbidden}.") for forbidden in FORBIDDEN_MODULES):
        return False
    return not inspect.ismodule(getattr(importlib.import_module(module), name, None)) and role in ROLES


def _role(kind: type) -> str:
    """Compiled classes are made by functions of their modules, never bare."""
    from taskkit.pickles.names import Name
    from taskkit.pickles.values import is_data_kind

    return "values" if is_data_kind(Name(kind.__module__, kind.__qualname__)) else "classes"


def collect() -> dict[str, Any]:
    """The content of allowed_names.json."""
    from threadpoolctl import threadpool_limits

    from catalog import pickle_corpus as corpus

    found: set[Use] = set()
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        for _, value in (*corpus.fitted_estimators(), *corpus.values()):
            found.update(uses(value))
        found.update((_role(kind), kind.__module__, kind.__qualname__) for kind in corpus.sklearn_classes())
        found.update(
            ("functions", function.__module__, function.__qualname__) for function in corpus.sklearn_functions()
        )
    found -= {("values", module, name) for role, module, name in found if role == "classes"}
    kept = sorted(use for use in found if allowed(use))
    roles: dict[str, dict[str, list[str]]] = {role: {} for role in ROLES}
    for role, module, name in kept:
        roles[role].setdefault(module, []).append(name)
    return {"made_of": {package: importlib.metadata.version(package) for package in PACKAGES}, **roles}


def main(argv: list[str]) -> int:
    content = json.dumps(collect(), indent=1) + "\n"
    shown = TARGET.relative_to(ROOT)
    if argv == ["--check"]:
        if TARGET.is_file() and TARGET.read_text() == content:
            print(f"{shown} is up to date")
            return 0
        print(f"{shown} is not what the locked packages give; run: python -m catalog pickle-names", file=sys.stderr)
        return 3
    if argv:
        print("usage: python -m catalog pickle-names [--check]", file=sys.stderr)
        return 2
    Path(TARGET).write_text(content)
    print(f"{shown}: {content.count(chr(10))} lines")
    return 0
