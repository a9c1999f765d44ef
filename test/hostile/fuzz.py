"""Random pickles through both readers, in a process that ends at the first thing that reaches beyond memory.

``python fuzz.py FIRST COUNT``: seeds FIRST … FIRST+COUNT-1. Half are valid pickles with bytes or opcodes changed, half
are programs made from the names that are allowed and the attributes that matter. Prints one line of JSON: how many were
loaded, refused or broken, and findings, each with its seed. The exit code is 99 where something got through.
"""

from __future__ import annotations

import json
import os
import pickle
import pickletools
import random
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from assembly import made_tuple, named, text
from threadpoolctl import threadpool_limits

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
READING = ("os.listdir", "os.scandir", "os.getxattr", "os.listxattr")
GROUPS = (
    "subprocess",
    "socket",
    "ctypes",
    "shutil",
    "tempfile",
    "sqlite3",
    "urllib",
    "pty",
    "webbrowser",
    "_thread",
    "mmap",
)
ATTRIBUTES = ("pop", "items", "keys", "get", "update", "copy", "append", "__setstate__", "__array__", "__class__", "__dict__", "__sklearn_tags__", "_response_method",
              "stack_method_", "estimator", "estimators_", "steps", "predict", "transform", "func", "kw_args", "best_estimator_", "dtype", "shape", "nodes", "astype", "categories", "_mgr", "_typ",
              "metric", "analyzer", "tokenizer", "kernel", "scorer_", "_score_func", "default_factory", "_metadata", "attrs", "_flags", "classes_", "coef_", "random_state")  # fmt: skip
TEXTS = (
    "predict",
    "to_pickle",
    "eval",
    "query",
    "tofile",
    "dump",
    "system",
    "f8",
    "O",
    "V8",
    "|",
    "<",
    "latin1",
    "os",
    "C",
    "F",
    "ns",
    "UTC",
    "M8[ns]",
    "string",
    "python",
    "pyarrow",
)


class _Now:
    """What the hook below watches: '' for nothing."""

    watching = ""
    seed = 0


def _beyond_memory(event: str, arguments: tuple) -> None:
    """What no pickle may make happen. In ``inspect`` nothing may even be imported."""
    if not _Now.watching:
        return
    write = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
    other = event.partition(".")[0] in GROUPS or (event.startswith("os.") and event not in READING)
    if write or other or (_Now.watching == "inspect" and event in ("import", "exec", "compile")):
        os.write(2, f"seed {_Now.seed}: {_Now.watching} let through {event} {arguments!r:.200}\n".encode())
        os._exit(99)


class Maker:
    """Programs of opcodes from the allowed names."""

    def __init__(self, dice: random.Random) -> None:
        from taskkit.pickles.names import locked_names

        allowed = locked_names()
        self.dice = dice
        self.classes, self.called = sorted(allowed.classes), sorted(allowed.called)
        self.all = [*self.classes, *self.called, *sorted(allowed.values), *sorted(allowed.functions)]

    def name(self, names=None) -> bytes:
        one = self.dice.choice(names or self.all)
        return named(one.module, one.name)

    def word(self) -> str:
        return self.dice.choice(ATTRIBUTES if self.dice.random() < 0.5 else TEXTS)

    def value(self, depth: int) -> bytes:
        if depth <= 0:
            return self.dice.choice(
                (
                    b"N",
                    b"\x88",
                    b"K\x01",
                    b"J\xff\xff\xff\xff",
                    b")",
                    b"]",
                    b"}",
                    b"C\x08AAAAAAAA",
                    text(self.word()),
                    self.name(),
                )
            )
        kinds = (self.called_one, self.new_one, self.with_state, self.tuple_of, self.dict_of, self.list_of, self.set_of)
        return self.dice.choice(kinds)(depth - 1)

    def values(self, depth: int, most: int = 4) -> list[bytes]:
        return [self.value(depth if self.dice.random() < 0.4 else 0) for _ in range(self.dice.randint(0, most))]

    def tuple_of(self, depth: int) -> bytes:
        return made_tuple(*self.values(depth))

    def list_of(self, depth: int) -> bytes:
        return b"](" + b"".join(self.values(depth)) + b"e"

    def set_of(self, depth: int) -> bytes:
        return (
            self.dice.choice((b"\x8f(", b"(")) + b"".join(self.values(depth, 2)) + self.dice.choice((b"\x90", b"\x91"))
        )

    def dict_of(self, depth: int) -> bytes:
        pairs = [
            text(self.word()) + value if self.dice.random() < 0.9 else value + b"N" for value in self.values(depth)
        ]
        return b"}(" + b"".join(pairs) + b"u"

    def called_one(self, depth: int) -> bytes:
        return self.name(self.called if self.dice.random() < 0.9 else None) + self.tuple_of(depth) + b"R"

    def new_one(self, depth: int) -> bytes:
        arguments = b")" if self.dice.random() < 0.8 else self.tuple_of(depth)
        return self.name(self.classes) + arguments + (b"\x81" if self.dice.random() < 0.9 else b"}\x92")

    def with_state(self, depth: int) -> bytes:
        made = self.new_one(depth) if self.dice.random() < 0.7 else self.called_one(depth)
        state = self.dice.choice((self.dict_of, self.dict_of, self.tuple_of, self.value))(depth)
        return made + state + b"b"

    def program(self) -> bytes:
        return b"\x80\x04" + self.value(self.dice.randint(1, 4)) + b"."


def changed(content: bytes, dice: random.Random, maker: Maker, others: list[bytes]) -> bytes:
    """A valid pickle with something else in it."""
    how = dice.random()
    if how < 0.3:
        found = bytearray(content)
        for _ in range(dice.randint(1, 6)):
            found[dice.randrange(len(found))] = dice.randrange(256)
        return bytes(found)
    starts = [at for _, _, at in pickletools.genops(content)]
    at = dice.choice(starts[1:])
    if how < 0.5:
        return content[:at] + maker.value(2) + content[at:]
    if how < 0.7:
        return content[:at] + maker.value(3) + b"b" + content[at:]
    if how < 0.8:
        end = dice.choice(starts[1:])
        return content[: min(at, end)] + content[max(at, end) :]
    other = dice.choice(others)
    return content[:at] + other[dice.choice([at for _, _, at in pickletools.genops(other)][1:]) :]


def seeds_of_value() -> list[bytes]:
    import joblib
    import numpy as np
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.metrics import get_scorer
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    rows, labels = np.random.RandomState(0).rand(30, 3), np.arange(30) % 3
    frame = pd.DataFrame({"a": [1.0, 2], "b": pd.Categorical(["x", "y"]), "c": pd.to_datetime(["2024-01-01", None])})
    values = [
        make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), RandomForestClassifier(2, max_depth=2).fit(rows, labels), KNeighborsClassifier(algorithm="kd_tree").fit(rows, labels),
        HistGradientBoostingClassifier(max_iter=1, max_depth=2).fit(rows, labels), SGDClassifier().fit(rows, labels), GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2).fit(rows, labels),
        get_scorer("roc_auc"), FunctionTransformer(np.log1p), frame, frame.index, np.ma.array([1, 2], mask=[0, 1]), np.array([None, "a"], dtype=object), np.random.RandomState(0), np.random.default_rng(0),
        make_column_transformer((OneHotEncoder(), ["b"])).fit(frame),
    ]  # fmt: skip
    found = [pickle.dumps(value, protocol) for value in values for protocol in (0, 2, 4, 5)]
    with tempfile.TemporaryDirectory() as folder:
        for value in values[:4]:
            joblib.dump(value, Path(folder) / "m")
            found.append((Path(folder) / "m").read_bytes())
    return [content for content in found if _readable(content)]


def _readable(content: bytes) -> bool:
    try:
        return bool(list(pickletools.genops(content)))
    except ValueError:  # joblib's array bytes
        return False


def main(first: int, count: int) -> int:
    """Children do the work, so that a crash of compiled code is a finding and no end."""
    import importlib

    from taskkit.pickles.loading import RestrictedUnpickler
    from taskkit.pickles.names import locked_names

    warnings.simplefilter("ignore")
    allowed = locked_names()
    everything = (allowed.classes, allowed.functions, allowed.called, allowed.values)  # noqa: PD011 - no pandas here
    for name in frozenset().union(*everything):
        importlib.import_module(name.module)
    originals = seeds_of_value()
    for content in originals:
        RestrictedUnpickler(_stream(content), allowed).run()
    total, at = Counter(), first
    findings: list[str] = []
    while at < first + count:
        at, counts, found, code = _in_a_child(at, first + count, originals)
        total.update(counts)
        findings += found
        if code == 99:
            return 99
    print(json.dumps({"executions": sum(total[kind] for kind in KINDS), **total, "findings": findings}))
    return 0


def _in_a_child(first: int, end: int, originals: list[bytes]) -> tuple[int, Counter[str], list[str], int]:
    """(next seed, counts, findings, exit code)"""
    with tempfile.TemporaryFile() as told:
        child = os.fork()
        if not child:
            sys.addaudithook(_beyond_memory)
            sys.unraisablehook = lambda _: None  # of half-made objects that go away
            for one in range(first, end):
                told.write(json.dumps([one, "", []]).encode() + b"\n")
                told.flush()
                told.write(json.dumps([one, *_one(one, originals)]).encode() + b"\n")
            told.flush()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        told.seek(0)
        lines = [json.loads(line) for line in told if line.endswith(b"\n")]
    last = max(line[0] for line in lines)
    counts = Counter(kind for _, kind, _ in lines if kind)
    findings = [finding for _, _, some in lines for finding in some]
    if os.WIFSIGNALED(status):
        counts["crashed"] += 1
        findings.append(f"seed {last}: crashed by signal {os.WTERMSIG(status)}")
    return last + 1, counts, findings, os.waitstatus_to_exitcode(status)


KINDS = ("loaded", "refused", "raised", "malformed", "crashed")


def content_of(one: int, originals: list[bytes]) -> bytes:
    dice = random.Random(one)
    maker = Maker(dice)
    return maker.program() if dice.random() < 0.5 else changed(dice.choice(originals), dice, maker, originals)


def _one(one: int, originals: list[bytes]) -> tuple[str, list[str]]:
    from taskkit.errors import TaskError
    from taskkit.pickles.inspection import _Inspector
    from taskkit.pickles.loading import RestrictedUnpickler, _CallFailedError, _RefusedError
    from taskkit.pickles.names import locked_names
    from taskkit.pickles.streams import MalformedPickleError

    _Now.seed, content, allowed = one, content_of(one, originals), locked_names()
    problems, found = None, []
    try:
        _Now.watching = "inspect"
        inspector = _Inspector(_stream(content), allowed)
        inspector.run()
        problems = inspector.problems
    except MalformedPickleError:
        pass
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        found.append(f"seed {one}: inspecting raised {type(error).__name__}: {error}"[:300])
    try:
        _Now.watching = "load"
        RestrictedUnpickler(_stream(content), allowed).run()
        if problems is None or problems:
            found.append(f"seed {one}: loaded what inspection refuses: {problems}"[:300])
        return "loaded", found
    except _RefusedError as error:
        if "while it is loaded" in error.what:
            found.append(f"seed {one}: only the net stopped it: {error.what}"[:300])
        return "refused", found
    except (_CallFailedError, TaskError):
        return "raised", found
    except MalformedPickleError:
        return "malformed", found
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return "raised", [*found, f"seed {one}: loading raised {type(error).__name__}: {error}"[:300]]
    finally:
        _Now.watching = ""


def _stream(content: bytes):
    import io

    from taskkit.pickles.streams import PickleStream

    return PickleStream(io.BytesIO(content), len(content) + 1)


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
