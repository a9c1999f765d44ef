"""Pickles assembled from opcodes of protocol 4, and a file that holds one."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Hostile:
    """``refused``: what the message says; empty where it depends on what is seen first."""

    name: str
    content: bytes
    refused: str


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


# Opcodes of protocol 4.


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def made_tuple(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def made_dict(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def called(module: str, name: str, *arguments: bytes) -> bytes:
    return named(module, name) + made_tuple(*arguments) + b"R"


def instance(module: str, name: str, state: bytes = b"") -> bytes:
    return named(module, name) + b")\x81" + (state + b"b" if state else b"")


def pickled(*opcodes: bytes) -> bytes:
    return b"\x80\x04" + b"".join(opcodes) + b"."


def opcodes_of(value) -> bytes:
    """What Python writes for a value, without its head and its end, and without a memo."""
    pickler = pickle.Pickler(stream := io.BytesIO(), 4)
    pickler.fast = True
    pickler.dump(value)
    content = stream.getvalue()
    parts = list(pickletools.genops(content))
    ends = [at for _, _, at in parts[1:]] + [len(content)]
    kept = zip(parts, ends, strict=True)
    return b"".join(content[at:end] for (opcode, _, at), end in kept if opcode.name not in ("PROTO", "FRAME", "STOP"))


LOGISTIC = ("sklearn.linear_model._logistic", "LogisticRegression")
SCORE = named("sklearn.metrics._classification", "accuracy_score")


def partial(function: bytes, *arguments: bytes) -> bytes:
    return called("functools", "partial", SCORE) + made_tuple(function, made_tuple(*arguments), b"}", b"N") + b"b"


def frame_that_poses_as_an_estimator() -> bytes:
    frame = opcodes_of(pd.DataFrame({"a": [1]}))
    tags = partial(named("sklearn.utils._bunch", "Bunch"))[:-1]  # a state of four, without BUILD
    assert frame.endswith(b"b")
    return frame[:-1] + b"(" + text("__sklearn_tags__") + tags + b"b" + b"ub"


def scorer_of(method: str) -> bytes:
    return instance(
        "sklearn.metrics._scorer",
        "_Scorer",
        made_dict(_response_method=text(method), _score_func=SCORE, _sign=b"K\x01", _kwargs=b"}"),
    )


def frame_method(method: str, argument: str) -> bytes:
    """Calls a method of a frame by a scorer's name for it: allowed names alone."""
    return partial(scorer_of(method), frame_that_poses_as_an_estimator(), text(argument))


def answering(attribute: str, function: bytes) -> bytes:
    """An allowed object that answers to a name with a function of the file's choice."""
    return instance("sklearn.base", "BaseEstimator", made_dict(**{attribute: function}))
