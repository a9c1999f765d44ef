"""Files that ask for more than an estimator needs: refused by name and place, and nothing of them ever runs."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import pickletools
import struct
import sys
import zipfile
import zlib

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from taskkit.errors import TaskError
from taskkit.pickles import inspect, load


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def called(module: str, name: str, *arguments: bytes) -> bytes:
    return named(module, name) + b"(" + b"".join(arguments) + b"tR"


def pickled(*opcodes: bytes) -> bytes:
    return b"\x80\x04" + b"".join(opcodes) + b"."


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


@pytest.fixture
def refused(tmp_path, marker, no_project):
    """Both inspection and loading refuse a file and say what and where; no marker appears."""

    def check(content: bytes, what: str):
        path = tmp_path / "model.pkl"
        path.write_bytes(content)
        with pytest.raises(TaskError) as by_load:
            load(path, no_project, tmp_path / "code")
        try:
            problems = [f"{path} {problem.what} at {problem.where}" for problem in inspect(path).problems]
        except TaskError as error:
            problems = [str(error)]
        assert problems
        assert what in problems[0]
        assert what in str(by_load.value)
        assert str(path) in str(by_load.value)
        assert not marker.exists()

    return check


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(("function", "name"), [
    (os.system, "names posix.system"), (eval, "names builtins.eval"), (exec, "names builtins.exec"),
    (getattr, "names builtins.getattr"), (__import__, "names builtins.__import__"), (open, ".open at byte"),
    (np.load, "names numpy.load"), (np.memmap, "names numpy.memmap"), (pickle.loads, "pickle.loads at byte"),
])  # fmt: skip
def test_a_call_of_something_dangerous_is_refused_in_every_protocol(refused, marker, protocol, function, name):
    refused(pickle.dumps(Call(function, f"touch {marker}"), protocol), name)


def test_the_position_is_that_of_the_opcode(tmp_path):
    path = tmp_path / "model.pkl"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        content = pickle.dumps([1, "x" * 300, Call(os.system, "true")], protocol)
        path.write_bytes(content)
        (problem,) = inspect(path).problems
        at = int(problem.where.removeprefix("byte "))
        opcode = next(opcode.name for opcode, _, position in pickletools.genops(content) if position == at)
        assert opcode in ("GLOBAL", "STACK_GLOBAL")


@pytest.mark.parametrize(("module", "name"), [
    ("sklearn.utils", "os.system"), ("sklearn", "utils.os"), ("numpy", "f2py.os.system"), ("builtins", "eval.__call__"),
    ("sklearn.linear_model._logistic", "LogisticRegression.fit"),
])  # fmt: skip
def test_dotted_names_are_refused(refused, marker, module, name):
    refused(pickled(called(module, name, text(f"touch {marker}"))), f"names {module}.{name} with a dotted name")


@pytest.mark.parametrize(("module", "name"), [
    ("sklearn.utils.fixes", "sys"), ("joblib.externals.loky.backend.reduction", "_mk_inheritable"), ("scipy.stats", "norm"),
    ("scipy.stats._continuous_distns", "norm_gen"), ("scipy.stats._distn_infrastructure", "rv_continuous_frozen"),
    ("pandas", "read_pickle"), ("pandas", "eval"), ("pandas.io.common", "os"), ("sklearn.datasets._openml", "fetch_openml"),
    ("numpy.testing._private.utils", "runstring"), ("numpy.f2py.crackfortran", "myeval"), ("joblib.memory", "Memory"),
    ("operator", "attrgetter"), ("operator", "methodcaller"), ("functools", "reduce"), ("types", "FunctionType"),
    ("cloudpickle.cloudpickle", "_make_function"), ("builtins", "type"), ("sklearn.utils.parallel", "_FuncWrapper"),
])  # fmt: skip
def test_powerful_names_of_allowed_packages_are_refused(refused, module, name):
    refused(pickled(named(module, name)), f"names {module}.{name}")


def test_a_function_that_may_be_a_value_may_not_be_called(refused):
    content = pickled(called("sklearn.metrics._classification", "accuracy_score", b"]", b"]"))
    refused(content, "calls sklearn.metrics._classification.accuracy_score")


def test_an_object_that_the_file_made_may_not_be_called(refused):
    partial = called("functools", "partial", named("numpy", "log"))
    refused(pickled(partial, b"(K\x01tR"), "calls an object that it made itself")


def test_an_object_that_the_file_made_is_no_class(refused):
    instance = named("sklearn.linear_model._logistic", "LogisticRegression") + b")\x81"
    refused(pickled(instance, b")\x81"), "makes an object of a class that it made itself")


def test_a_constructor_that_calls_its_argument_is_held_to_the_real_one(refused):
    content = pickled(called("numpy.random._pickle", "__randomstate_ctor", text("x"), named("numpy", "log")))
    refused(content, "calls numpy.random._pickle.__randomstate_ctor with arguments that no estimator gives it")
    own = named("numpy.random._pickle", "__bit_generator_ctor")
    content = pickled(called("numpy.random._pickle", "__randomstate_ctor", named("pandas", "DataFrame"), own))
    refused(content, "calls numpy.random._pickle.__randomstate_ctor with arguments that no estimator gives it")


@pytest.mark.parametrize("arguments", [
    [text("x"), named("builtins", "object"), b"N"],
    [named("numpy", "log"), named("builtins", "object"), b"N"],
    [named("builtins", "dict"), named("sklearn.linear_model._logistic", "LogisticRegression"), b"N"],
])  # fmt: skip
def test_the_reconstructor_of_old_protocols_takes_only_classes(refused, arguments):
    refused(pickled(called("copyreg", "_reconstructor", *arguments)), "calls copyreg._reconstructor with arguments")


def test_iterating_over_a_made_object_in_a_constructor_is_refused(refused):
    instance = named("sklearn.linear_model._logistic", "LogisticRegression") + b")\x81"
    refused(pickled(called("builtins", "set", instance)), "calls builtins.set with arguments")


def test_a_state_is_not_given_to_a_class_or_function(refused):
    state = b"N}" + text("fit") + named("numpy", "log") + b"s\x86b"
    refused(pickled(named("sklearn.linear_model._logistic", "LogisticRegression"), state), "gives a state to something")
    refused(pickled(named("numpy", "log"), state), "gives a state to something")


def test_a_second_state_is_refused(refused):
    instance = named("sklearn.linear_model._logistic", "LogisticRegression") + b")\x81"
    first = b"}" + text("coef_") + named("numpy", "log") + b"sb"
    refused(pickled(instance, first, b"}b"), "gives a second state")


def test_items_go_only_into_lists_dictionaries_and_sets(refused):
    refused(pickled(named("builtins", "list"), b"K\x01a"), "uses the opcode of append on something else")
    refused(
        pickled(named("collections", "OrderedDict"), b"K\x01K\x02s"), "uses the opcode of setitem on something else"
    )
    refused(pickled(named("builtins", "set"), b"(K\x01\x90"), "uses the opcode of add on something else")


@pytest.mark.parametrize(("content", "what"), [
    (b"\x80\x04\x82\x01.", "extension code"), (b"\x80\x04K\x01Q.", "persistent id"), (b"(iposix\nsystem\n.", "names posix.system"),
    (b"(inumpy\nndarray\n.", "opcode INST at byte 1"),
    (b"\x80\x04(" + named("builtins", "object") + b"o.", "opcode OBJ"), (b"\x80\x05\x97.", "buffers outside"),
    (b"", "ends in the middle"), (b"\x80\x04]", "ends in the middle"), (b"hello", "can't be read"),
    (b"\x80\x04\x8e" + b"\xff" * 8, ""), (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40), "ends in the middle"),
    (b"\x80\x04\x96" + struct.pack("<Q", 1 << 62), ""), (b"\x80\x04" + b"(" * 10, "ends in the middle"),
    (b"\x80\x04a.", "can't be read"), (b"\x80\x04h\x05.", "can't be read"), (b"\x80\x09.", "can't be read"),
])  # fmt: skip
def test_what_python_never_writes_is_refused(refused, content, what):
    refused(content, what)


@pytest.mark.parametrize("content", [b"(ithis\ns\n.", b"cthis\ns\n.", b"\x80\x04" + named("this", "s") + b"."])
def test_nothing_of_a_module_is_imported_before_its_name_is_known_to_be_allowed(refused, content, capsys):
    sys.modules.pop("this", None)
    refused(content, "names this.s at byte")
    assert "this" not in sys.modules
    assert "Zen" not in capsys.readouterr().out


@pytest.mark.parametrize("squeeze", [
    zlib.compress, gzip.compress, bz2.compress, lzma.compress, lambda content: lzma.compress(content, lzma.FORMAT_ALONE),
])  # fmt: skip
def test_compressed_files_are_opened(refused, marker, squeeze):
    refused(squeeze(pickle.dumps(Call(os.system, f"touch {marker}"))), "names posix.system")


@pytest.mark.parametrize("squeeze", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_that_is_cut_is_refused(refused, squeeze):
    content = squeeze(pickle.dumps(list(range(1000))))
    refused(content[: len(content) // 2], "")


def test_a_decompression_bomb_is_stopped(refused, monkeypatch):
    monkeypatch.setattr("taskkit.pickles.streams._FREE", 1 << 20)
    bomb = bz2.compress(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 24) + bytes(1 << 24))
    refused(bomb, "unpacks to more than 1000 times its size")


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_object_arrays_of_joblib_files_are_pickles_by_the_same_rules(refused, marker, tmp_path, compress):
    array = np.array([1, Call(os.system, f"touch {marker}")], dtype=object)
    joblib.dump({"before": np.arange(10.0), "objects": array}, tmp_path / "j", compress=compress)
    refused((tmp_path / "j").read_bytes(), "names posix.system")


def test_a_call_after_array_bytes_is_seen(refused, marker, tmp_path):
    joblib.dump(
        [np.arange(1000.0), np.asfortranarray(np.ones((7, 3))), Call(os.system, f"touch {marker}")], tmp_path / "j"
    )
    refused((tmp_path / "j").read_bytes(), "names posix.system")


def test_array_bytes_that_look_like_a_pickle_are_not_run(tmp_path, no_project, marker):
    content = pickle.dumps(Call(os.system, f"touch {marker}"))
    joblib.dump(np.frombuffer(content, dtype="u1").copy(), tmp_path / "model.pkl")
    assert inspect(tmp_path / "model.pkl").problems == ()
    assert load(tmp_path / "model.pkl", no_project, tmp_path).tobytes() == content
    assert not marker.exists()


def test_records_that_hold_objects_are_refused_in_joblib_files(refused, tmp_path):
    wrapper = named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81"
    dtype = called("numpy", "dtype", text("V8"), b"\x89", b"\x88") + b"("
    inner = called("numpy", "dtype", text("O8"), b"\x89", b"\x88")
    dtype += (
        b"K\x03"
        + text("|")
        + b"N"
        + b"("
        + text("a")
        + b"t"
        + b"}"
        + text("a")
        + inner
        + b"K\x00\x86s"
        + b"K\x08K\x01K\x1btb"
    )
    state = b"}(" + text("shape") + b"K\x01\x85" + text("order") + text("C") + text("dtype") + dtype + b"ub"
    refused(pickled(wrapper, state, b"x" * 8), "records that hold objects")


def test_a_protocol_two_name_of_python_2_is_read_as_python_reads_it(refused, marker):
    refused(b"c__builtin__\neval\n(S'1'\ntR.", "names builtins.eval")
    refused(b"cos\nsystem\n(S'true'\ntR.", "names os.system")


def test_skops_archives_are_held_to_the_same_list(refused, tmp_path, marker):
    class Foreign(LogisticRegression):
        pass

    Foreign.__module__, Foreign.__qualname__ = "os", "Foreign"
    transformer = FunctionTransformer(np.load)
    refused(skops.io.dumps(transformer), "names numpy.load at schema.json/content/content/func")
    content = skops.io.dumps(LogisticRegression())
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(changed, "w") as target:
        schema = (
            source.read("schema.json")
            .replace(b"sklearn.linear_model._logistic", b"posix")
            .replace(b"LogisticRegression", b"system")
        )
        target.writestr("schema.json", schema)
    refused(changed.getvalue(), "names posix.system at schema.json")


@pytest.mark.parametrize("loader", ["MethodNode", "OperatorFuncNode", "SomethingNew"])
def test_skops_nodes_that_call_by_name_are_refused(refused, loader):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        target.writestr(
            "schema.json", f'{{"__class__": "str", "__module__": "builtins", "__loader__": "{loader}", "protocol": 2}}'
        )
    refused(content.getvalue(), f"has a node of the kind {loader}")


def test_an_archive_that_is_no_skops_file_is_refused(refused):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        target.writestr("other.txt", "x")
    refused(content.getvalue(), "is an archive, but no skops file")
