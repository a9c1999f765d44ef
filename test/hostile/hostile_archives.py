"""skops archives and arrays."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import skops.io
from assembly import (
    LOGISTIC,
    SCORE,
    Call,
    Hostile,
    answering,
    called,
    instance,
    made_dict,
    made_tuple,
    pickled,
    text,
)
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer


def arrays(marker: Path) -> Iterator[Hostile]:
    call = Call(os.system, f"touch {marker}")
    objects = np.array([1, call], dtype=object)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield Hostile(
            f"an object array, protocol {protocol}", pickle.dumps(objects, protocol), "names posix.system at byte"
        )
    yield Hostile(
        "a record of objects", pickle.dumps(np.array([(call,)], dtype=[("a", "O")])), "names posix.system at byte"
    )
    yield Hostile("a masked array of objects", pickle.dumps(np.ma.array(objects)), "names posix.system at byte")
    yield Hostile(
        "a frame with an object in a cell", pickle.dumps(pd.DataFrame({"a": [call]})), "names posix.system at byte"
    )
    yield Hostile("an index of objects", pickle.dumps(pd.Index([call, 1], dtype=object)), "names posix.system at byte")
    stream = io.BytesIO()
    np.save(stream, objects, allow_pickle=True)
    yield Hostile("a .npy file", stream.getvalue(), "can't be read at byte")
    wrapper = instance("joblib.numpy_pickle", "NumpyArrayWrapper")
    record = called("numpy", "dtype", text("V8"), b"\x89", b"\x88") + made_tuple(
        b"K\x03", text("|"), b"N", made_tuple(text("a")), b"}" + text("a") + called("numpy", "dtype", text("O8"), b"\x89", b"\x88") + b"K\x00\x86s", b"K\x08", b"K\x01", b"K\x1b"
    ) + b"b"  # fmt: skip
    number = called("numpy", "dtype", text("f8"), b"\x89", b"\x88")
    for what, state in (
        ("records that hold objects", made_dict(shape=b"K\x01\x85", order=text("C"), dtype=record)),
        ("a shape that is no number", made_dict(shape=made_tuple(text("9")), order=text("C"), dtype=number)),
        ("a shape below zero", made_dict(shape=made_tuple(b"J\xff\xff\xff\xff"), order=text("C"), dtype=number)),
        (
            "more numbers than the file has",
            made_dict(shape=made_tuple(b"J\xff\xff\xff\x7f"), order=text("C"), dtype=number),
        ),
        ("a type that is none", made_dict(shape=b"K\x01\x85", order=text("C"), dtype=answering("hasobject", SCORE))),
        ("no description", b"}"),
        ("a state that is an object", instance(*LOGISTIC, made_dict(shape=b")"))),
    ):
        yield Hostile(f"a joblib array with {what}", pickled(wrapper, state, b"b" + b"x" * 8), "")


def zipped(members: dict[str, bytes], *, twice: tuple[str, bytes] | None = None) -> bytes:
    stream = io.BytesIO()
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")
        for name, content in members.items():
            archive.writestr(name, content)
        if twice:
            archive.writestr(*twice)
    return stream.getvalue()


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archives(marker: Path) -> Iterator[Hostile]:
    def node(loader: str, name: str, content=None, **more) -> dict:
        module, _, last = name.rpartition(".")
        return {"__class__": last, "__module__": module, "__loader__": loader, "content": content, **more}

    def word(value) -> dict:
        return {**node("JsonNode", "builtins.str", json.dumps(value)), "is_json": True}

    def mapping(items: dict, keys=None) -> dict:
        types = node("ListNode", "builtins.list", keys or [node("TypeNode", "builtins.str") for _ in items])
        return node("DictNode", "builtins.dict", items, key_types=types)

    def sequence(*items) -> dict:
        return node("TupleNode", "builtins.tuple", list(items))

    def archive(schema: dict, *, protocol=2, **members: bytes) -> bytes:
        written = json.dumps({**schema, "protocol": protocol, "_skops_version": "0.16"}).encode()
        return zipped({"schema.json": written, **members})

    shell = f"touch {marker}"
    estimator = "sklearn.linear_model._logistic.LogisticRegression"
    for loader in (
        "FunctionNode",
        "ObjectNode",
        "TypeNode",
        "ConstructorFromReduceNode",
        "DictNode",
        "ListNode",
        "NdArrayNode",
        "PartialNode",
        "RandomStateNode",
        "SparseMatrixNode",
    ):
        yield Hostile(
            f"skops: os.system as {loader}",
            archive(node(loader, "os.system", sequence(word(shell)), type="numpy", file="x")),
            "names os.system at schema.json",
        )
    yield Hostile(
        "skops: a method",
        archive(node("MethodNode", "pandas.DataFrame", {"func": "to_pickle", "obj": mapping({})})),
        "has a node of the kind MethodNode",
    )
    yield Hostile(
        "skops: an operator",
        archive(node("OperatorFuncNode", "operator.methodcaller", {"attrs": sequence(word("system"), word(shell))})),
        "has a node of the kind OperatorFuncNode",
    )
    yield Hostile(
        "skops: a kind of its own", archive(node("EvalNode", "builtins.eval", shell)), "has a node of the kind EvalNode"
    )
    yield Hostile(
        "skops: an older protocol",
        archive(node("MethodNode", "builtins.str"), protocol=0),
        "was written by protocol 0 of skops at schema.json",
    )
    for name in ("pandas.DataFrame", "sklearn.pipeline.Pipeline", "sklearn.feature_extraction.text.CountVectorizer"):
        for loader in (
            "ConstructorFromReduceNode",
            "DictNode",
            "ListNode",
            "NdArrayNode",
            "FunctionNode",
            "SetNode",
            "RandomStateNode",
        ):
            refused = (
                f"makes a function of {name}"
                if loader == "FunctionNode" and name != "pandas.DataFrame"
                else f"names {name} in a node of the kind {loader}"
            )
            yield Hostile(
                f"skops: {name} called by {loader}",
                archive(node(loader, name, sequence(word(str(marker))), type="numpy", file="x", key_types=None)),
                refused,
            )
    yield Hostile(
        "skops: a frame",
        archive(node("ObjectNode", "pandas.DataFrame", mapping({}))),
        "names pandas.DataFrame in a node of the kind ObjectNode",
    )
    yield Hostile(
        "skops: a state that is an object",
        archive(
            node("ObjectNode", estimator, node("ObjectNode", "sklearn.base.BaseEstimator", mapping({"pop": word("x")})))
        ),
        "gives sklearn.linear_model._logistic.LogisticRegression a state that is no plain value",
    )
    yield Hostile(
        "skops: a state that is another node's",
        archive(node("ObjectNode", estimator, {**node("CachedNode", "builtins.dict"), "__id__": 1})),
        "a state that is no plain value",
    )
    shared = {
        "a": {**node("ObjectNode", "sklearn.base.BaseEstimator", mapping({})), "__id__": 5},
        "b": node("ObjectNode", estimator, {**mapping({}), "__id__": 5}),
    }
    yield Hostile("skops: a state with the id of an object", archive(mapping(shared)), "has two nodes with the same id")
    texts = {
        "a": {**word("to_pickle"), "__id__": 5},
        "b": node(
            "ObjectNode",
            "sklearn.metrics._scorer._Scorer",
            mapping({"_response_method": {**word("predict"), "__id__": 5}}),
        ),
    }
    yield Hostile(
        "skops: a method's name with the id of another text", archive(mapping(texts)), "has two nodes with the same id"
    )
    yield Hostile(
        "skops: a special attribute",
        archive(node("ObjectNode", estimator, mapping({"__array__": word("x")}))),
        "the attribute __array__ at schema.json",
    )
    yield Hostile(
        "skops: a scorer that names any method",
        archive(
            node("ObjectNode", "sklearn.metrics._scorer._Scorer", mapping({"_response_method": word("to_pickle")}))
        ),
        "the attribute _response_method with a method",
    )
    yield Hostile(
        "skops: keys made by a function",
        archive(mapping({"1": word("x")}, [node("FunctionNode", "numpy.log")])),
        "with keys that are no plain values",
    )
    yield Hostile(
        "skops: keys made by a class",
        archive(mapping({"1": word("x")}, [node("TypeNode", "sklearn.feature_extraction.text.CountVectorizer")])),
        "with keys that are no plain values",
    )
    yield Hostile(
        "skops: a partial of an object",
        archive(
            node(
                "PartialNode",
                "functools.partial",
                {
                    "func": node("ObjectNode", "sklearn.metrics._scorer._Scorer", mapping({})),
                    "args": sequence(),
                    "kwds": mapping({}),
                    "namespace": word(None),
                },
            )
        ),
        "makes a functools.partial of something that is no function",
    )
    yield Hostile(
        "skops: a partial of a class",
        archive(
            node(
                "PartialNode",
                "functools.partial",
                {
                    "func": node("TypeNode", "pandas.DataFrame"),
                    "args": sequence(),
                    "kwds": mapping({}),
                    "namespace": word(None),
                },
            )
        ),
        "makes a functools.partial of something that is no function",
    )
    yield from _more_than_data(archive, node, word, mapping, sequence)
    yield Hostile(
        "skops: a dotted name",
        archive(node("FunctionNode", "x.y") | {"__module__": "sklearn.datasets", "__class__": "_base.os.system"}),
        "with a dotted name",
    )
    yield Hostile(
        "skops: a node without a class",
        archive({"__loader__": "ObjectNode", "content": None}),
        "has a node without a class at schema.json",
    )
    stream = io.BytesIO()
    np.save(stream, np.array([Call(os.system, shell)], dtype=object), allow_pickle=True)
    good = _members(skops.io.dumps(LinearRegression().fit([[1.0], [2.0]], [1, 2])))
    array = next(name for name in good if name.endswith(".npy"))
    yield Hostile(
        "skops: an array of pickled objects", zipped({**good, array: stream.getvalue()}), f"holds objects in {array}"
    )
    yield Hostile(
        "skops: a sparse matrix of pickled objects",
        zipped({**good, array: zipped({"data.npy": stream.getvalue()})}),
        f"holds objects in {array}/data.npy",
    )
    evil = archive(node("FunctionNode", "os.system"))
    yield Hostile(
        "skops: a schema twice",
        zipped(good, twice=("schema.json", _members(evil)["schema.json"])),
        "holds schema.json twice",
    )
    yield Hostile(
        "skops: a key twice",
        zipped({**good, "schema.json": b'{"__class__": "a", ' + good["schema.json"].lstrip()[1:]}),
        "has a key twice",
    )
    yield Hostile("skops: no schema", zipped({"x": b""}), "is an archive, but no skops file")
    yield Hostile("skops: a schema that is a list", zipped({"schema.json": b"[]"}), "is an archive, but no skops file")
    yield Hostile(
        "skops: numpy.load as a transformer's function",
        skops.io.dumps(FunctionTransformer(np.load)),
        "names numpy.load at schema.json",
    )


def _more_than_data(archive, node, word, mapping, sequence) -> Iterator[Hostile]:
    """Objects that answer with a function of the file's choice, where only data is used."""
    score = node("FunctionNode", "sklearn.metrics._classification.accuracy_score")
    answers = node("ObjectNode", "sklearn.base.BaseEstimator", mapping({"astype": score, "dtype": word(1)}))
    predictor = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"

    def partial(args=None, kwds=None, namespace=None) -> dict:
        content = {"func": score, "args": args or sequence(), "kwds": kwds or mapping({}), "namespace": namespace or word(None)}  # fmt: skip
        return node("PartialNode", "functools.partial", content)

    for what, schema, refused in (
        ("a tree predictor whose nodes answer", node("ObjectNode", predictor, mapping({"nodes": answers})), predictor),
        ("a tree predictor whose nodes are partial", node("ObjectNode", predictor, mapping({"nodes": partial()})), predictor),
        ("a partial with an object", partial(sequence(answers)), "functools.partial"),
        ("a partial with an object by name", partial(kwds=mapping({"x": answers})), "functools.partial"),
        ("a set of objects", node("SetNode", "builtins.set", [answers]), "builtins.set"),
        ("a frozen set of objects", node("ConstructorFromReduceNode", "builtins.frozenset", sequence(sequence(answers))), "builtins.frozenset"),
        ("a random state of an object", node("RandomStateNode", "numpy.random.mtrand.RandomState", answers), "numpy.random.mtrand.RandomState"),
        ("a masked array of objects", node("MaskedArrayNode", "numpy.ma.MaskedArray", {"data": answers, "mask": answers}), "numpy.ma"),
    ):  # fmt: skip
        yield Hostile(
            f"skops: {what}", archive(schema), f"gives {refused}" if what != "a masked array of objects" else ""
        )
    hidden = mapping({
        "a": {**answers, "__id__": 5},
        "b": node("ObjectNode", predictor, mapping({"nodes": {**node("CachedNode", "builtins.dict"), "__id__": 5}})),
    })  # fmt: skip
    yield Hostile("skops: an object behind an id", archive(hidden), f"gives {predictor} more than data")
    yield Hostile(
        "skops: a partial with attributes",
        archive(partial(namespace=mapping({"x": word("y")}))),
        "gives functools.partial attributes",
    )
    factory = {"main": mapping({}), "default_factory": answers}
    yield Hostile(
        "skops: a default of an object",
        archive(node("DefaultDictNode", "collections.defaultdict", factory)),
        "of something that is no name",
    )
