"""What an object may be given as its state (opcode BUILD).

Objects of scikit-learn take attributes of any kind, everything else takes data. Methods that classes of the allowed
list run on a state (``__setstate__``) therefore meet plain containers and data only.
"""

from __future__ import annotations

from typing import Any

from taskkit.pickles.names import Name
from taskkit.pickles.values import PLAIN, Known, is_data, is_data_kind

PARTIAL = Name("functools", "partial")
_ARRAYS = frozenset({Name("numpy._core.multiarray", "_reconstruct"), Name("numpy.ma.core", "_mareconstruct")})
_ONE_FOR_ALL = frozenset(
    {Name("numpy.ma.core", "MaskedConstant"), Name("pandas._libs.tslibs.nattype", "_nat_unpickle")}
)
"""These give the one object of the whole process, which a file must not change."""

METHOD_ATTRIBUTES = frozenset(
    {"_response_method", "response_method", "stack_method", "stack_method_", "chain_method", "chain_method_"}
)
"""Attributes by which scikit-learn calls a method of another object by name."""
_METHODS = frozenset({"auto", "predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples"})


def state_problem(made_by: Name | None, state: Any, known: Known) -> str:
    """What is wrong with a state, as a clause, '' for nothing. Of the project's own classes only attributes count."""
    own = made_by is None or made_by in known.allowed.project
    if not own and type(state) not in PLAIN:
        return f"gives {made_by} a state that is no plain value"
    if problem := _attributes_problem(made_by, state):
        return problem
    if own or made_by is None:
        return ""
    if made_by in _ONE_FOR_ALL:
        return f"gives a state to what {made_by} made, which everything shares"
    if made_by == PARTIAL:
        return "" if _fits_partial(state, known) else f"gives {made_by} a state that no estimator gives it"
    if made_by in _ARRAYS and type(state) is tuple:  # object arrays may hold anything
        state = tuple(part for part in state if type(part) is not list)
    if not _takes_any_attributes(made_by) and not is_data((state,), known):
        return f"gives {made_by} a state that is more than data"
    return ""


def _takes_any_attributes(made_by: Name) -> bool:
    return made_by.module.startswith("sklearn.") and not is_data_kind(made_by)


def _attributes_problem(made_by: Name | None, state: Any) -> str:
    parts = state if type(state) is tuple and len(state) == 2 else (state,)
    for attributes in parts:
        for name, value in attributes.items() if type(attributes) is dict else ():
            if problem := attribute_problem(name, value):
                return f"gives {made_by or 'an object'} {problem}"
    return ""


def attribute_problem(name: Any, value: Any) -> str:
    """What is wrong with an attribute: numpy and others look up special methods on the object itself."""
    if type(name) is str and name.startswith("__"):
        return f"the attribute {name}"
    if name in METHOD_ATTRIBUTES and not _names_methods(value):
        return f"the attribute {name} with a method that no estimator answers with"
    return ""


def _names_methods(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(_names_methods(part) for part in value)
    return value is None or value in _METHODS if type(value) in (str, type(None)) else False


def _fits_partial(state: Any, known: Known) -> bool:
    """``(function, arguments, keywords, attributes)``: a function by its name, with data."""
    if type(state) is not tuple or len(state) != 4:
        return False
    function, arguments, keywords, attributes = state
    own = known.name_of(function) in known.allowed.project
    data = type(arguments) is tuple and type(keywords) is dict and (own or is_data((arguments, keywords), known))
    return may_be_partial(function, known) and data and not attributes


def may_be_partial(function: Any, known: Known) -> bool:
    """Whether a value may be called later through ``functools.partial``: a function by name, no class."""
    name = known.name_of(function)
    return name is not None and (name in known.allowed.functions or name in known.allowed.project)
