"""Loads the saved model with nothing of the project but code/, and describes it."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import msgspec

from sklearn_train.documents import Description, ExamineRequest
from sklearn_train.model_loading import LoadedModel, load_model
from sklearn_train.project_code import ProjectCode, project_modules
from taskkit.canonical import canonical_json
from taskkit.environment import installed_packages, platform_name, python_version
from taskkit.errors import TaskError
from taskkit.model_directory import CODE, GOLDEN
from taskkit.model_manifest import Environment
from taskkit.model_signature import Signature


def describe(request: ExamineRequest) -> Description:
    """Raises TaskError where the model can't be used."""
    target = Path(request.target)
    observed = _observations(Path(request.observations))
    imported = _imported(request, observed)
    project = _project(request, observed, imported)
    sys.path[:0] = request.model_imports
    project.include_files(request.include)
    project.activate()
    loaded = load_model(Path(request.model_file), request.shown_model, request.script)
    estimator = loaded.estimator
    _check_estimator(estimator, request.shown_model)
    signature, reason, rows, observed_rows = _signature(request, estimator, observed)
    golden, golden_reason = _golden(request, estimator, signature, rows, observed_rows=observed_rows)
    if golden is not None:
        (target / GOLDEN).write_bytes(canonical_json(msgspec.to_builtins(golden)))
    project.copy_imports()
    project.include_imports(request.include)
    from sklearn_train.signature_of import task_of

    return Description(
        class_name=_class_name(estimator),
        shown=_shown(estimator),
        format=loaded.format,
        task=task_of(estimator),
        project_globals=_globals_in(loaded, {*project.modules}),
        package_globals=_globals_below(loaded, request.overlay),
        signature=signature,
        signature_reason=reason,
        golden_rows=len(golden.rows) if golden is not None else 0,
        golden_reason=golden_reason,
        environment=Environment(python_version(), platform_name(), installed_packages()),
        imported=tuple(sorted(map(str, set(imported.values())))),
    )


def _observations(file: Path) -> dict[str, Any]:
    """What the observer wrote; empty where the script ended without giving Python the chance to."""
    try:
        found: dict[str, Any] = pickle.loads(file.read_bytes())  # noqa: S301 - written by our own observer
    except OSError:
        return {"fits": [], "modules": {}, "path": [], "problem": "the script's process ended before it could be asked"}
    return found


def _imported(request: ExamineRequest, observed: dict[str, Any]) -> dict[str, Path]:
    """Name to file of the project's modules that the script's process had, but for the script."""
    without = [Path(request.target), *([Path(request.overlay)] if request.overlay else [])]
    return project_modules(observed["modules"], Path(request.workspace), without)


def _project(request: ExamineRequest, observed: dict[str, Any], imported: dict[str, Path]) -> ProjectCode:
    workspace = Path(request.workspace)
    roots = [Path(entry).resolve() for entry in observed["path"] if entry]
    roots = [root for root in roots if root.is_relative_to(workspace) and root.is_dir()]
    code = Path(request.target) / CODE
    return ProjectCode(workspace, code, imported, [Path(request.script_folder), *roots, workspace])


def _check_estimator(estimator: Any, shown: str) -> None:
    if isinstance(estimator, dict):
        keys = ", ".join(str(key) for key in list(estimator)[:10])
        raise TaskError(f"{shown} holds a dict (keys: {keys}), not an estimator", "save the estimator by itself")
    if isinstance(estimator, type):
        raise TaskError(
            f"{shown} holds the class {estimator.__name__}, not a fitted estimator", "save the fitted object"
        )
    if not callable(getattr(estimator, "predict", None)):
        raise TaskError(f"{shown} holds a {type(estimator).__name__}, which has no predict",
                        "save the estimator that predicts, for example the whole Pipeline")  # fmt: skip
    try:
        from sklearn.base import BaseEstimator
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        if isinstance(estimator, BaseEstimator):
            check_is_fitted(estimator)
    except NotFittedError as error:
        raise TaskError(f"{shown} holds a {type(estimator).__name__} that is not fitted",
                        "save it after fit; a clone or a new object has nothing learned") from error  # fmt: skip
    except TypeError:  # an estimator that scikit-learn can't ask
        return


def _signature(
    request: ExamineRequest, estimator: Any, observed: dict[str, Any]
) -> tuple[Signature | None, str, list[tuple[Any, ...]], bool]:
    """(signature or None, the reason for None, rows to make golden ones of, whether these were seen by fit)."""
    from sklearn_train.example_input import read_example
    from sklearn_train.signature_of import build_signature, example_rows, matching_fit

    record, reason = matching_fit(estimator, observed["fits"])
    reason = observed["problem"] or reason
    if record is not None:
        seen = record.seen
        if seen.container:
            sample = seen.sample if seen.sample is not None else _any_sample(observed["fits"], seen)
            rows = example_rows(sample, seen.container) if sample is not None else []
            signature, reason = build_signature(estimator, seen, rows, "fit")
            if signature is not None:
                return signature, "", rows, True
        else:
            reason = seen.problem
    if request.input_example:
        seen = read_example(Path(request.input_example))
        rows = example_rows(seen.sample, seen.container)
        signature, why = build_signature(estimator, seen, rows, "input-example")
        if signature is None:
            raise TaskError(f"input example {os.path.basename(request.input_example)} does not fit the model: {why}",
                            "give rows as the model's fit got them")  # fmt: skip
        return signature, "", rows, False
    return *_from_names(estimator, reason), [], False


def _any_sample(records: list[Any], seen: Any) -> Any:
    """Rows of another fit on the same columns, where this one's were given up."""
    for record in reversed(records):
        same = [(c.name, c.dtype) for c in record.seen.columns] == [(c.name, c.dtype) for c in seen.columns]
        if record.seen.sample is not None and record.seen.container == seen.container and same:
            return record.seen.sample
    return None


def _from_names(estimator: Any, reason: str) -> tuple[Signature | None, str]:
    """The names that scikit-learn keeps say nothing of types: taken as numbers where the estimator accepts that."""
    from sklearn_train.observation import Seen, SeenColumn
    from sklearn_train.signature_of import build_signature

    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return None, reason
    columns = tuple(SeenColumn(str(name), "float64", "number", nullable=False) for name in names)
    signature, why = build_signature(
        estimator, Seen("dataframe", columns), [(0.0,) * len(columns)], "feature_names_in_"
    )
    return signature, f"{reason}; with its column names only: {why}" if signature is None else ""


def _golden(
    request: ExamineRequest, estimator: Any, signature: Signature | None, rows: list[tuple[Any, ...]], *,
    observed_rows: bool,
) -> tuple[Any, str]:  # fmt: skip
    from sklearn_train.golden import golden_rows

    if request.golden == "none":
        return None, "golden is none"
    if signature is None:
        return None, "there is no signature"
    if not rows:
        return None, "no rows were seen"
    return golden_rows(estimator, signature, rows, request.golden if observed_rows else "example")


def _class_name(estimator: Any) -> str:
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"


def _shown(estimator: Any) -> str:
    """``Pipeline(StandardScaler, LogisticRegression)``."""
    steps = getattr(estimator, "steps", None)
    inner = [type(step).__name__ for _, step in steps] if isinstance(steps, list) else []
    best = getattr(estimator, "best_estimator_", None)
    inner = inner or ([_shown(best)] if best is not None else [])
    name = type(estimator).__name__
    return f"{name}({', '.join(inner)})" if inner else name


def _globals_in(loaded: LoadedModel, modules: set[str]) -> tuple[str, ...]:
    return tuple(sorted(f"{module}.{name}" for module, name in loaded.names if module in modules))


def _globals_below(loaded: LoadedModel, overlay: str) -> tuple[str, ...]:
    """Names from modules that were loaded from the extra packages."""
    if not overlay:
        return ()
    found = set()
    for module, name in loaded.names:
        file = getattr(sys.modules.get(module), "__file__", None) or ""
        if Path(file).is_relative_to(overlay):
            found.add(f"{module}.{name}")
    return tuple(sorted(found))
