"""What callables that themselves take a class or a callable may be given.

Most reconstructors take plain data. These would call or instantiate whatever they are handed, so that an allowed name
could be used to call any object that lies on the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from taskkit.pickles.names import AllowedNames, Name

NameOf = Callable[[Any], Name | None]
Guard = Callable[[Sequence[Any], NameOf, AllowedNames], bool]

PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict)
_BASES = frozenset(
    Name("builtins", name)
    for name in ("object", "dict", "list", "tuple", "set", "frozenset", "str", "bytes", "int", "float")
)


def _plain(arguments: Sequence[Any], _: NameOf, __: AllowedNames) -> bool:
    """Only values of plain types themselves: iterating over one or converting it runs no method of another class."""
    return all(type(argument) in PLAIN for argument in arguments)


def _reconstructor(arguments: Sequence[Any], name_of: NameOf, allowed: AllowedNames) -> bool:
    """``copyreg._reconstructor(class, base, state)`` of protocols 0 and 1: an allowed class, a base of the builtins."""
    if len(arguments) != 3:
        return False
    made, base = name_of(arguments[0]), name_of(arguments[1])
    return made is not None and allowed.may_instantiate(made) and base in _BASES and type(arguments[2]) in PLAIN


def _class_first(arguments: Sequence[Any], name_of: NameOf, allowed: AllowedNames) -> bool:
    """The first argument is an allowed class, the others are no callables by name."""
    made = name_of(arguments[0]) if arguments else None
    return made is not None and allowed.may_instantiate(made)


def _bit_generator(arguments: Sequence[Any], name_of: NameOf, _: AllowedNames) -> bool:
    """``__bit_generator_ctor``: one of numpy's bit generators, by class or by name."""
    if len(arguments) != 1:
        return not arguments
    made = name_of(arguments[0])
    return type(arguments[0]) is str or (made is not None and made.module.startswith("numpy.random."))


def _random_state(arguments: Sequence[Any], name_of: NameOf, _: AllowedNames) -> bool:
    """``__randomstate_ctor(bit generator, constructor)`` calls the second with the first: only numpy's own ones."""
    made = name_of(arguments[0]) if arguments else None
    own = made is None or made.module.startswith("numpy.random.")
    return own and (len(arguments) < 2 or name_of(arguments[1]) == Name("numpy.random._pickle", "__bit_generator_ctor"))


def _pandas_class(arguments: Sequence[Any], name_of: NameOf, _: AllowedNames) -> bool:
    made = name_of(arguments[0]) if arguments else None
    return made is not None and made.module == "pandas" and made.name.endswith("Index")


def _plain_or_named(arguments: Sequence[Any], name_of: NameOf, _: AllowedNames) -> bool:
    return all(type(argument) in PLAIN or name_of(argument) is not None for argument in arguments)


def _latin1(arguments: Sequence[Any], _: NameOf, __: AllowedNames) -> bool:
    """``_codecs.encode``: bytes of protocols below 3."""
    return len(arguments) == 2 and type(arguments[0]) is str and arguments[1] == "latin1"


def _partial(arguments: Sequence[Any], name_of: NameOf, _: AllowedNames) -> bool:
    return len(arguments) == 1 and name_of(arguments[0]) is not None


_PLAIN_ONLY = (
    *(("builtins", name) for name in ("bytearray", "bytes", "complex", "frozenset", "range", "set")),
    *(("collections", name) for name in ("Counter", "OrderedDict", "deque")),
    ("decimal", "Decimal"),
    ("re", "_compile"),
)
_CLASS_FIRST = (
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.ma.core", "_mareconstruct"),
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"),
    ("pandas._libs.interval", "__pyx_unpickle_IntervalMixin"),
    ("sklearn._loss._loss", "__pyx_unpickle_CyHalfMultinomialLoss"),
    ("sklearn.metrics._dist_metrics", "newObj"),
    ("sklearn.neighbors._ball_tree", "newObj"),
    ("sklearn.neighbors._kd_tree", "newObj"),
)
_INDEXES = (
    ("base", "_new_Index"),
    ("datetimes", "_new_DatetimeIndex"),
    ("interval", "_new_IntervalIndex"),
    ("timedeltas", "_new_TimedeltaIndex"),
)

GUARDS: dict[Name, Guard] = {
    **{Name(*name): _plain for name in _PLAIN_ONLY},
    **{Name(*name): _class_first for name in _CLASS_FIRST},
    **{Name(f"pandas.core.indexes.{module}", name): _pandas_class for module, name in _INDEXES},
    Name("copyreg", "_reconstructor"): _reconstructor,
    Name("_codecs", "encode"): _latin1,
    Name("collections", "defaultdict"): _plain_or_named,
    Name("numpy", "dtype"): _plain_or_named,  # a record's class
    Name("functools", "partial"): _partial,
    Name("numpy.random._pickle", "__bit_generator_ctor"): _bit_generator,
    Name("numpy.random._pickle", "__randomstate_ctor"): _random_state,
    Name("numpy.random._pickle", "__generator_ctor"): _random_state,
}


def arguments_fit(called: Name, arguments: Sequence[Any], name_of: NameOf, allowed: AllowedNames) -> bool:
    """Whether an allowed callable may be called with these arguments."""
    guard = GUARDS.get(called)
    return guard is None or guard(arguments, name_of, allowed)
