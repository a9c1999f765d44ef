"""Allowed names only: what would run is what the file put into an allowed object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assembly import (
    LOGISTIC,
    SCORE,
    Hostile,
    answering,
    called,
    frame_method,
    frame_that_poses_as_an_estimator,
    instance,
    made_dict,
    made_tuple,
    named,
    partial,
    pickled,
    scorer_of,
    text,
)


def states(marker: Path) -> Iterator[Hostile]:
    """Allowed names only: what runs is what the file put into an allowed object."""
    write = frame_method("to_pickle", str(marker))
    system = "@prediction_method.__func__.__globals__['sys'].modules['os'].system('touch %s')" % marker  # noqa: UP031
    run = frame_method("query", system)
    logistic = named(*LOGISTIC) + b")\x81"
    yield Hostile("a state that answers pop with a file", pickled(logistic, answering("pop", write), b"b"), "")
    yield Hostile("a state that answers pop with a command", pickled(logistic, answering("pop", run), b"b"), "")
    for name, function in (("items", write), ("keys", write), ("__getitem__", run), ("get", run)):
        plain = partial(named("numpy", "log"), text(str(marker)))
        yield Hostile(f"a state that answers {name}", pickled(logistic, answering(name, plain), b"b"), "")
        yield Hostile(
            f"a frame's state that answers {name}",
            pickled(instance("pandas", "DataFrame"), answering(name, function), b"b"),
            "",
        )
    yield Hostile(
        "a scorer that names any method",
        pickled(scorer_of("to_pickle")),
        "the attribute _response_method with a method that no estimator answers with at byte",
    )
    yield Hostile(
        "a stack that names any method",
        pickled(
            instance(
                "sklearn.ensemble._stacking", "StackingClassifier", made_dict(stack_method_=b"](" + text("eval") + b"e")
            )
        ),
        "the attribute stack_method_ with a method",
    )
    yield Hostile(
        "a threshold that names any method",
        pickled(
            instance(
                "sklearn.model_selection._classification_threshold",
                "FixedThresholdClassifier",
                made_dict(response_method=text("to_csv")),
            )
        ),
        "the attribute response_method with a method",
    )
    yield Hostile(
        "a chain that names any method",
        pickled(instance("sklearn.multioutput", "ClassifierChain", made_dict(chain_method_=text("tofile")))),
        "the attribute chain_method_ with a method",
    )
    yield Hostile("a frame as an estimator", pickled(frame_that_poses_as_an_estimator()), "")
    for attribute in (
        "__setstate__",
        "__array__",
        "__class__",
        "__reduce__",
        "__array_interface__",
        "__getattr__",
        "__call__",
        "__array_ufunc__",
        "__dataframe__",
    ):
        yield Hostile(
            f"the attribute {attribute}",
            pickled(instance(*LOGISTIC, made_dict(**{attribute: named("numpy", "log")}))),
            f"the attribute {attribute} at byte",
        )
    yield Hostile(
        "a second state",
        pickled(instance(*LOGISTIC, made_dict(a=b"N")), b"}b"),
        "gives a second state to the same object at byte",
    )
    yield Hostile(
        "a state for a class",
        pickled(named(*LOGISTIC), b"N}" + text("predict") + named("numpy", "log") + b"s\x86b"),
        "gives a state to something that it did not make at byte",
    )
    yield Hostile(
        "a state for a module's function", pickled(named("numpy", "log"), b"N}\x86b"), "gives a state to something"
    )
    yield Hostile(
        "a partial of a class",
        pickled(called("functools", "partial", named("pandas", "DataFrame"))),
        "calls functools.partial with arguments that no estimator gives it at byte",
    )
    yield Hostile(
        "a partial of a reconstructor",
        pickled(called("functools", "partial", named("copyreg", "_reconstructor"))),
        "calls functools.partial with arguments",
    )
    yield Hostile(
        "a partial of an object by its state",
        pickled(partial(scorer_of("predict"), b"N")),
        "gives functools.partial a state that no estimator gives it at byte",
    )
    yield Hostile(
        "a partial by NEWOBJ",
        pickled(named("functools", "partial"), made_tuple(scorer_of("predict")), b"\x81"),
        "makes an object of functools.partial",
    )
    hostile = answering("__iter__", SCORE)
    for module, name in (
        ("builtins", "tuple"),
        ("builtins", "frozenset"),
        ("builtins", "str"),
        ("builtins", "bytes"),
        ("numpy", "str_"),
        ("pandas", "Index"),
        ("numpy.ma", "MaskedArray"),
    ):
        yield Hostile(
            f"{name} of an object by NEWOBJ",
            pickled(named(module, name), made_tuple(instance(*LOGISTIC)), b"\x81"),
            f"makes an object of {module}.{name}",
        )
    for module, name in (("builtins", "set"), ("builtins", "bytearray"), ("collections", "deque"), ("collections", "Counter"), ("numpy._core.multiarray", "scalar"), ("pandas", "Interval"), ("pandas", "Period"),
                         ("pandas._libs.internals", "_unpickle_block"), ("pandas.core.internals.managers", "BlockManager"), ("sklearn.tree._tree", "Tree"), ("pyarrow.lib", "py_buffer"), ("decimal", "Decimal"), ("datetime", "datetime"),
                         ("numpy._core.numeric", "_frombuffer"), ("re", "_compile"), ("pandas._libs.tslibs.timestamps", "_unpickle_timestamp"), ("pandas.core.indexes.base", "_new_Index")):  # fmt: skip
        yield Hostile(f"{module}.{name} of an object", pickled(called(module, name, instance(*LOGISTIC), hostile)), "")
    yield Hostile(
        "a class of another package for numpy",
        pickled(called("numpy._core.multiarray", "_reconstruct", named("pandas", "DataFrame"), b")", b"C\x01b")),
        "calls numpy._core.multiarray._reconstruct with arguments",
    )
    yield Hostile(
        "a class of another package for scikit-learn",
        pickled(called("sklearn.neighbors._kd_tree", "newObj", named("pandas", "DataFrame"))),
        "calls sklearn.neighbors._kd_tree.newObj with arguments",
    )
    yield Hostile(
        "random numbers made by another function",
        pickled(called("numpy.random._pickle", "__randomstate_ctor", text("MT19937"), named("numpy", "log"))),
        "calls numpy.random._pickle.__randomstate_ctor with arguments",
    )
    yield Hostile(
        "an object as a key",
        pickled(b"}", instance(*LOGISTIC), b"K\x01s"),
        "uses an object as a key or in a set, which would run its methods at byte",
    )
    yield Hostile(
        "a type of pandas as a key",
        pickled(b"}", instance("pandas", "CategoricalDtype", made_dict(categories=b"]", ordered=b"N")), b"K\x01s"),
        "uses an object as a key",
    )
    yield Hostile(
        "an object in a tuple as a key",
        pickled(b"}(", made_tuple(b"K\x01", instance(*LOGISTIC)), b"K\x01u"),
        "uses an object as a key",
    )
    yield Hostile(
        "an object in a set", pickled(b"\x8f(", instance(*LOGISTIC), b"\x90"), "uses an object as a key or in a set"
    )
    yield Hostile(
        "an object in a frozen set", pickled(b"(", instance(*LOGISTIC), b"\x91"), "uses an object as a key or in a set"
    )
    yield Hostile("an object as a key by DICT", b"(" + instance(*LOGISTIC) + b"K\x01d.", "")
    yield Hostile(
        "slots",
        pickled(instance("sklearn.utils._bunch", "Bunch"), b"N", made_dict(__class__=named(*LOGISTIC)), b"\x86b"),
        "the attribute __class__",
    )
    yield Hostile(
        "the type of everyone's arrays changed",
        pickled(
            called("numpy", "dtype", text("f8"), b"\x89", b"\x89"),
            made_tuple(b"K\x03", text(">"), b"N", b"N", b"N", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\xff", b"K\x00"),
            b"b",
        ),
        "calls numpy.dtype with arguments",
    )
    yield Hostile(
        "everyone's masked value changed",
        pickled(
            called("numpy.ma.core", "MaskedConstant"),
            made_tuple(b"K\x01", b")", b"N", b"\x89", b"C\x00", b"C\x00", b"N"),
            b"b",
        ),
        "gives a state to what numpy.ma.core.MaskedConstant made",
    )
    yield Hostile(
        "a tree predictor whose nodes answer",
        pickled(
            instance(
                "sklearn.ensemble._hist_gradient_boosting.predictor",
                "TreePredictor",
                made_dict(nodes=answering("astype", write)),
            )
        ),
        "",
    )
    yield Hostile(
        "a type of categories whose parts answer",
        pickled(instance("pandas", "CategoricalDtype", made_dict(categories=answering("dtype", write), ordered=b"N"))),
        "",
    )
    yield Hostile(
        "a generator over something else",
        pickled(called("numpy.random._pickle", "__generator_ctor", answering("capsule", write))),
        "",
    )
    yield Hostile("a masked array's filling", pickled(called("numpy.ma.core", "_mareconstruct", named("numpy.ma", "MaskedArray"), named("numpy", "ndarray"), made_tuple(b"K\x00"), b"C\x01b"),
                  made_tuple(b"K\x01", b")", answering("__array__", write), b"\x89", b"C\x00", b"C\x00", answering("__array__", write)), b"b"), "")  # fmt: skip
