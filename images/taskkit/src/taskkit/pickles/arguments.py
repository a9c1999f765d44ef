"""What callables that themselves take a class or a callable may be given.

They take data and nothing else (`taskkit.pickles.values`). Some would also call or instantiate whatever class or
function they are handed, so those are held to the ones that they are really given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from taskkit.pickles.names import Name
from taskkit.pickles.states import PARTIAL, may_be_partial
from taskkit.pickles.values import PLAIN, Known, is_data

Guard = Callable[[Sequence[Any], Known], bool]

_BASES = frozenset(
    Name("builtins", name)
    for name in ("object", "dict", "list", "tuple", "set", "frozenset", "str", "bytes", "int", "float")
)


def _plain(arguments: Sequence[Any], known: Known) -> bool:
    """Only values of plain types themselves: iterating over one or converting it runs no method of another class."""
    return all(type(argument) in PLAIN for argument in arguments) and is_data(arguments, known)


def _reconstructor(arguments: Sequence[Any], known: Known) -> bool:
    """``copyreg._reconstructor(class, base, state)`` of protocols 0 and 1: an allowed class, a base of the builtins.

    The base takes the state: one that is a plain container of its own kind is copied, whatever lies in it.
    """
    if len(arguments) != 3:
        return False
    made, base, state = known.name_of(arguments[0]), known.name_of(arguments[1]), arguments[2]
    copied = type(state) in (dict, list, tuple) and base == Name("builtins", type(state).__name__)
    allowed = made is not None and known.allowed.may_instantiate(made) and base in _BASES
    return allowed and (copied or _plain((state,), known))


def _class_first(package: str) -> Guard:
    """The first argument is an allowed class of a package, the others are data and no callables by name."""

    def fits(arguments: Sequence[Any], known: Known) -> bool:
        made = known.name_of(arguments[0]) if arguments else None
        own = made is not None and f"{made.module}.".startswith(f"{package}.") and known.allowed.names(made)
        return own and is_data(arguments[1:], known)

    return fits


def _bit_generator(arguments: Sequence[Any], known: Known) -> bool:
    """``__bit_generator_ctor``: one of numpy's bit generators, by class or by name."""
    if len(arguments) != 1:
        return not arguments
    made = known.name_of(arguments[0])
    return type(arguments[0]) is str or (made is not None and made.module.startswith("numpy.random."))


def _random_state(arguments: Sequence[Any], known: Known) -> bool:
    """``__randomstate_ctor(bit generator, constructor)`` calls the second with the first: only numpy's own ones."""
    made = known.name_of(arguments[0]) if arguments else None
    own = is_data(arguments[:1], known) and (made is None or made.module.startswith("numpy.random."))
    constructor = Name("numpy.random._pickle", "__bit_generator_ctor")
    return own and (len(arguments) < 2 or known.name_of(arguments[1]) == constructor)


def _pandas_class(arguments: Sequence[Any], known: Known) -> bool:
    made = known.name_of(arguments[0]) if arguments else None
    index = made is not None and made.module == "pandas" and made.name.endswith("Index")
    return index and all(type(argument) is dict for argument in arguments[1:]) and is_data(arguments[1:], known)


def _factory(arguments: Sequence[Any], known: Known) -> bool:
    """``defaultdict(factory)``: called without arguments, so by name only."""
    return len(arguments) <= 1 and all(
        argument is None or known.name_of(argument) is not None for argument in arguments
    )


def _dtype(arguments: Sequence[Any], known: Known) -> bool:
    """``dtype(what, align, copy)``: always a copy, since a state that follows must not change everyone's type."""
    return len(arguments) == 3 and arguments[2] is True and is_data(arguments, known)


def _latin1(arguments: Sequence[Any], _: Known) -> bool:
    """``_codecs.encode``: bytes of protocols below 3."""
    return len(arguments) == 2 and type(arguments[0]) is str and arguments[1] == "latin1"


def _partial(arguments: Sequence[Any], known: Known) -> bool:
    return len(arguments) == 1 and may_be_partial(arguments[0], known)


_PLAIN_ONLY = (
    *(("builtins", name) for name in ("bytearray", "bytes", "complex", "frozenset", "range", "set")),
    *(("collections", name) for name in ("Counter", "OrderedDict", "deque")),
    ("decimal", "Decimal"),
    ("re", "_compile"),
)
_CLASS_FIRST = (
    ("numpy._core.multiarray", "_reconstruct", "numpy"),
    ("numpy.ma.core", "_mareconstruct", "numpy.ma"),
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence", "numpy.random.bit_generator"),
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked", "pandas"),
    ("pandas._libs.interval", "__pyx_unpickle_IntervalMixin", "pandas"),
    ("sklearn._loss._loss", "__pyx_unpickle_CyHalfMultinomialLoss", "sklearn._loss._loss"),
    ("sklearn.metrics._dist_metrics", "newObj", "sklearn.metrics._dist_metrics"),
    ("sklearn.neighbors._ball_tree", "newObj", "sklearn.neighbors._ball_tree"),
    ("sklearn.neighbors._kd_tree", "newObj", "sklearn.neighbors._kd_tree"),
)
_INDEXES = (
    ("base", "_new_Index"),
    ("datetimes", "_new_DatetimeIndex"),
    ("interval", "_new_IntervalIndex"),
    ("timedeltas", "_new_TimedeltaIndex"),
)

GUARDS: dict[Name, Guard] = {
    **{Name(*name): _plain for name in _PLAIN_ONLY},
    **{Name(module, name): _class_first(package) for module, name, package in _CLASS_FIRST},
    **{Name(f"pandas.core.indexes.{module}", name): _pandas_class for module, name in _INDEXES},
    Name("copyreg", "_reconstructor"): _reconstructor,
    Name("_codecs", "encode"): _latin1,
    Name("collections", "defaultdict"): _factory,
    Name("numpy", "dtype"): _dtype,
    PARTIAL: _partial,
    Name("numpy.random._pickle", "__bit_generator_ctor"): _bit_generator,
    Name("numpy.random._pickle", "__randomstate_ctor"): _random_state,
    Name("numpy.random._pickle", "__generator_ctor"): _random_state,
}


def arguments_fit(called: Name, arguments: Sequence[Any], known: Known) -> bool:
    """Whether an allowed callable may be called with these arguments; what is the project's own with any."""
    if called in known.allowed.project:
        return True
    guard = GUARDS.get(called)
    return is_data(arguments, known) if guard is None else guard(arguments, known)
