"""Trees as ONNX Runtime takes them: thresholds and leaves in double precision, a row in microseconds.

The model is one node, TreeEnsemble of ai.onnx.ml 5 (https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html),
written out by hand: a few protobuf fields, by the numbers of onnx.proto. The library `onnx` is as large as the rest of
the server together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_IR_VERSION, _AI_ONNX, _AI_ONNX_ML = 10, 21, 5
_DOUBLE, _UINT8 = 11, 2
_INT, _TENSOR, _INTS = 2, 4, 7  # AttributeProto.AttributeType
_SUM, _NO_TRANSFORM = 1, 0
_NAN_AWARE_LEQ = 0


@dataclass
class TreeTable:
    """Trees one after the other; nodes with a split and leaves are counted apart. A row goes left where its value is
    not greater than the threshold, or where it is missing and ``missing_left`` says so."""

    roots: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    missing_left: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    left_is_leaf: list[int] = field(default_factory=list)
    right_is_leaf: list[int] = field(default_factory=list)
    leaf_values: list[float] = field(default_factory=list)
    leaf_targets: list[int] = field(default_factory=list)

    def add(self, nodes: Any, target: int) -> None:
        """``nodes`` are those of a tree of scikit-learn's histogram gradient boosting."""
        inner = np.flatnonzero(nodes["is_leaf"] == 0)
        leaves = np.flatnonzero(nodes["is_leaf"])
        place = np.empty(len(nodes), dtype=np.int64)
        place[inner] = len(self.features) + np.arange(len(inner))
        place[leaves] = len(self.leaf_values) + np.arange(len(leaves))
        self.leaf_values += nodes["value"][leaves].tolist()
        self.leaf_targets += [target] * len(leaves)
        split = nodes[inner]
        if not len(inner):  # a tree that is a leaf: any split, with the leaf on both sides
            split, one = np.zeros(1, dtype=nodes.dtype), place[leaves[0]]
            self.left.append(int(one))
            self.right.append(int(one))
            self.left_is_leaf.append(1)
            self.right_is_leaf.append(1)
        else:
            self.left += place[split["left"]].tolist()
            self.right += place[split["right"]].tolist()
            self.left_is_leaf += nodes["is_leaf"][split["left"]].tolist()
            self.right_is_leaf += nodes["is_leaf"][split["right"]].tolist()
        self.roots.append(len(self.features))
        self.features += split["feature_idx"].tolist()
        self.thresholds += split["num_threshold"].tolist()
        self.missing_left += split["missing_go_to_left"].tolist()


class TreeSession:
    """``sums`` gives for each row of a matrix of doubles the sums of the leaves it falls into, one column per target.

    Raises whatever ONNX Runtime raises.
    """

    def __init__(self, table: TreeTable, *, columns: int, targets: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        content = model_bytes(table, columns=columns, targets=targets)
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def sums(self, rows: Any) -> Any:
        return self._session.run(None, {"X": np.ascontiguousarray(rows, dtype=np.float64)})[0]


def model_bytes(table: TreeTable, *, columns: int, targets: int) -> bytes:
    modes = np.full(len(table.features), _NAN_AWARE_LEQ, dtype=np.uint8)
    attributes = [
        _integer("n_targets", targets),
        _integer("aggregate_function", _SUM),
        _integer("post_transform", _NO_TRANSFORM),
        _integers("tree_roots", table.roots),
        _integers("nodes_featureids", table.features),
        _tensor("nodes_splits", _DOUBLE, np.array(table.thresholds, dtype="<f8")),
        _tensor("nodes_modes", _UINT8, modes),
        _integers("nodes_truenodeids", table.left),
        _integers("nodes_falsenodeids", table.right),
        _integers("nodes_trueleafs", table.left_is_leaf),
        _integers("nodes_falseleafs", table.right_is_leaf),
        _integers("nodes_missing_value_tracks_true", table.missing_left),
        _integers("leaf_targetids", table.leaf_targets),
        _tensor("leaf_weights", _DOUBLE, np.array(table.leaf_values, dtype="<f8")),
    ]
    node = [_bytes(1, b"X"), _bytes(2, b"Y"), _bytes(4, b"TreeEnsemble"), *(_bytes(5, one) for one in attributes),
            _bytes(7, b"ai.onnx.ml")]  # fmt: skip
    graph = [_bytes(1, b"".join(node)), _bytes(2, b"trees"), _bytes(11, _matrix(b"X", columns)),
             _bytes(12, _matrix(b"Y", targets))]  # fmt: skip
    model = [_number(1, _IR_VERSION), _bytes(7, b"".join(graph)), _bytes(8, _number(2, _AI_ONNX)),
             _bytes(8, _bytes(1, b"ai.onnx.ml") + _number(2, _AI_ONNX_ML))]  # fmt: skip
    return b"".join(model)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _number(position: int, number: int) -> bytes:
    return _varint(position << 3) + _varint(number)


def _bytes(position: int, content: bytes) -> bytes:
    return _varint(position << 3 | 2) + _varint(len(content)) + content


def _integer(name: str, value: int) -> bytes:
    return _bytes(1, name.encode()) + _number(3, value) + _number(20, _INT)


def _integers(name: str, values: Iterable[int]) -> bytes:
    return _bytes(1, name.encode()) + _bytes(8, b"".join(map(_varint, values))) + _number(20, _INTS)


def _tensor(name: str, kind: int, values: Any) -> bytes:
    tensor = _number(1, len(values)) + _number(2, kind) + _bytes(9, values.tobytes())
    return _bytes(1, name.encode()) + _bytes(5, tensor) + _number(20, _TENSOR)


def _matrix(name: bytes, columns: int) -> bytes:
    rows, width = _bytes(1, _bytes(2, b"N")), _bytes(1, _number(1, columns))
    tensor = _number(1, _DOUBLE) + _bytes(2, rows + width)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


def boosting_table(predictors: Sequence[Sequence[Any]]) -> TreeTable | None:
    """The trees of histogram gradient boosting: one per iteration and target. None where a split is by category."""
    table = TreeTable()
    for iteration in predictors:
        for target, tree in enumerate(iteration):
            if tree.nodes["is_categorical"].any():
                return None
            table.add(tree.nodes, target)
    return table
