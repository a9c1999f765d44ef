"""Names that no model needs: dangerous calls, dotted names, modules, however they are packed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
from assembly import (
    LOGISTIC,
    Call,
    Hostile,
    called,
    named,
    opcodes_of,
    pickled,
    text,
)
from sklearn.linear_model import LogisticRegression


def calls(marker: Path) -> Iterator[Hostile]:
    shell, code = f"touch {marker}", f"open({str(marker)!r}, 'w')"
    callables = {
        ("os", "system"): (shell,), ("posix", "system"): (shell,), ("nt", "system"): (shell,), ("os", "popen"): (shell,),
        ("subprocess", "Popen"): (["touch", str(marker)],), ("subprocess", "check_output"): (["touch", str(marker)],),
        ("builtins", "eval"): (code,), ("builtins", "exec"): (code,), ("builtins", "open"): (str(marker), "w"),
        ("builtins", "__import__"): ("os",), ("builtins", "compile"): (code, "x", "exec"), ("io", "open"): (str(marker), "w"),
        ("_io", "open"): (str(marker), "w"), ("_io", "FileIO"): (str(marker), "w"), ("pty", "spawn"): (["touch", str(marker)],),
        ("runpy", "_run_code"): (code, {}), ("code", "interact"): ("x",), ("timeit", "timeit"): (code,), ("cProfile", "run"): (code,),
        ("pdb", "run"): (code,), ("bdb", "Bdb"): (), ("pickle", "loads"): (b".",), ("_pickle", "loads"): (b".",), ("marshal", "loads"): (b"N",),
        ("shelve", "open"): (str(marker),), ("dbm.dumb", "open"): (str(marker), "c"), ("pathlib", "Path"): (str(marker),), ("os", "mkdir"): (str(marker),),
        ("os", "open"): (str(marker), 65), ("shutil", "copyfile"): ("/etc/hostname", str(marker)), ("tempfile", "mktemp"): (), ("importlib", "import_module"): ("os",),
        ("ctypes", "CDLL"): ("libc.so.6",), ("types", "FunctionType"): (), ("types", "CodeType"): (), ("operator", "methodcaller"): ("x",),
        ("operator", "attrgetter"): ("x",), ("functools", "reduce"): (), ("builtins", "getattr"): ("", "format"), ("builtins", "setattr"): (), ("builtins", "type"): ("X", (), {}),
        ("builtins", "map"): (), ("builtins", "filter"): (), ("builtins", "property"): (), ("copyreg", "add_extension"): ("os", "system", 7), ("copyreg", "pickle"): (),
        ("webbrowser", "open"): ("x",), ("socket", "create_connection"): (("127.0.0.1", 9),), ("urllib.request", "urlopen"): ("file:///etc/hostname",), ("sys", "setprofile"): (),
        ("threading", "Thread"): (), ("multiprocessing.process", "BaseProcess"): (), ("asyncio", "run"): (), ("logging.config", "dictConfig"): ({},), ("ast", "literal_eval"): ("1",),
    }  # fmt: skip
    for (module, name), arguments in callables.items():
        yield Hostile(
            f"reduce {module}.{name}",
            pickled(called(module, name, *map(opcodes_of, arguments))),
            f"names {module}.{name}",
        )
    libraries = (
        ("numpy", "load"), ("numpy", "memmap"), ("numpy", "fromfile"), ("numpy", "savetxt"), ("numpy.lib.npyio", "DataSource"), ("numpy.f2py.crackfortran", "myeval"),
        ("numpy.testing._private.utils", "runstring"), ("numpy.testing._private.utils", "measure"), ("numpy.ctypeslib", "load_library"), ("numpy._core.memmap", "memmap"),
        ("pandas", "read_pickle"), ("pandas", "eval"), ("pandas.io.common", "get_handle"), ("pandas.core.computation.eval", "eval"), ("pandas.core.frame", "DataFrame.to_csv"),
        ("joblib", "load"), ("joblib.numpy_pickle", "load"), ("joblib.memory", "Memory"), ("joblib.parallel", "Parallel"), ("joblib.externals.cloudpickle.cloudpickle", "_make_function"),
        ("scipy.stats", "norm"), ("scipy.stats._distn_infrastructure", "rv_frozen"), ("scipy.stats._continuous_distns", "norm_gen"), ("scipy.io", "savemat"), ("scipy._lib._ccallback", "LowLevelCallable"),
        ("sklearn.datasets._base", "load_files"), ("sklearn.datasets._openml", "fetch_openml"), ("sklearn.utils.parallel", "_FuncWrapper"), ("sklearn.externals._packaging.version", "parse"),
        ("sklearn.model_selection._validation", "cross_validate"), ("sklearn.metrics._scorer", "make_scorer"), ("cloudpickle.cloudpickle", "_make_function"), ("cloudpickle.cloudpickle", "subimport"),
    )  # fmt: skip
    for module, name in libraries:
        yield Hostile(
            f"library {module}.{name}", pickled(called(module, name, text(str(marker)))), f"names {module}.{name}"
        )
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield Hostile(
            f"os.system, protocol {protocol}",
            pickle.dumps(Call(os.system, shell), protocol),
            "names posix.system at byte",
        )
        yield Hostile(
            f"exec, protocol {protocol}",
            pickle.dumps([1, {"a": Call(exec, code)}], protocol),
            "names builtins.exec at byte",
        )
        hidden = LogisticRegression()
        hidden.coef_ = Call(os.system, shell)
        yield Hostile(
            f"within an estimator, protocol {protocol}", pickle.dumps(hidden, protocol), "names posix.system at byte"
        )


def names(marker: Path) -> Iterator[Hostile]:
    shell = text(f"touch {marker}")
    dotted = (
        ("sklearn.utils", "os.system"), ("sklearn.datasets._base", "os.system"), ("sklearn", "utils.os.system"), ("numpy", "f2py.os.system"),
        ("numpy._core._internal", "sys.modules"), ("numpy.lib._npyio_impl", "os.system"), ("builtins", "object.__subclasses__"), ("builtins", "eval.__call__"), ("pandas", "io.common.os.system"),
        (LOGISTIC[0], "LogisticRegression.fit"), ("numpy", "ndarray.tofile"), ("numpy", "ndarray.dump"), ("pandas", "DataFrame.eval"), ("pandas", "DataFrame.to_pickle"), ("joblib.numpy_pickle", "NumpyArrayWrapper.read"),
    )  # fmt: skip
    for module, name in dotted:
        yield Hostile(
            f"dotted {module}.{name}", pickled(called(module, name, shell)), f"names {module}.{name} with a dotted name"
        )
    modules = (
        ("sklearn.datasets._base", "os"), ("sklearn.utils.fixes", "sys"), ("numpy", "os"), ("numpy", "sys"), ("numpy.lib._npyio_impl", "os"), ("pandas.io.common", "os"),
        ("sklearn.utils._estimator_html_repr", "html"), ("joblib.numpy_pickle", "pickle"), ("joblib", "os"), ("numpy._core._internal", "ctypes"), ("sklearn", "os"),
    )  # fmt: skip
    for module, name in modules:
        yield Hostile(f"module {module}.{name}", pickled(named(module, name)), f"names {module}.{name}")
    yield Hostile("names of Python 2", b"c__builtin__\neval\n(S'1'\ntR.", "names builtins.eval")
    yield Hostile(
        "mapped names of Python 2",
        b"ccommands\ngetoutput\n(S'" + f"touch {marker}".encode() + b"'\ntR.",
        "names subprocess.getoutput",
    )
    yield Hostile("an empty name", pickled(named("os", "")), "names os.")
    yield Hostile("a name with a NUL", pickled(named("os", "system\0")), "names os.system")
    yield Hostile("a name with a look-alike", pickled(named("numpy", "ndаrray")), "names numpy.nd")
    yield Hostile("a module with a trailing dot", pickled(named("numpy.", "ndarray")), "names numpy..ndarray")
    yield Hostile("__main__", pickled(named("__main__", "Model")), "names __main__.Model")
    yield Hostile("a module that acts when it is imported", b"(iantigravity\nfly\n.", "names antigravity.fly")


def nested(marker: Path) -> Iterator[Hostile]:
    inner = pickle.dumps(Call(os.system, f"touch {marker}"))
    for module in ("pickle", "_pickle", "cloudpickle", "joblib.externals.cloudpickle", "dill"):
        yield Hostile(
            f"nested in {module}.loads", pickled(called(module, "loads", opcodes_of(inner))), f"names {module}.loads"
        )
    squeezers = {
        "zlib": zlib.compress, "gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress,
        "lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE), "zlib 0": lambda content: zlib.compress(content, 0), "zlib 9": lambda content: zlib.compress(content, 9),
    }  # fmt: skip
    for name, squeeze in squeezers.items():
        yield Hostile(f"compressed, {name}", squeeze(inner), "names posix.system at byte")
    for kind in (0, 1, 9, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)):
        for what, value in (
            ("a call", Call(os.system, f"touch {marker}")),
            ("an object array", np.array([1, Call(os.system, f"touch {marker}")], dtype=object)),
            (
                "a call after array bytes",
                [np.arange(999.0), np.asfortranarray(np.ones((7, 3))), Call(os.system, f"touch {marker}")],
            ),
            (
                "an array in an array in an array",
                np.array(
                    [np.array([np.array([Call(os.system, f"touch {marker}"), 1], dtype=object), 1], dtype=object), 1],
                    dtype=object,
                ),
            ),
        ):
            stream = io.BytesIO()
            if kind == 0:
                joblib.dump(value, stream)
            else:
                _dump_compressed(value, stream, kind)
            yield Hostile(f"joblib {kind}: {what}", stream.getvalue(), "names posix.system at byte")
    yield Hostile("a pickle behind a pickle in a zip's clothes", inner + b"PK\x03\x04schema.json", "names posix.system")


def _dump_compressed(value, stream, kind) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(value, Path(folder) / "model", compress=kind)
        stream.write((Path(folder) / "model").read_bytes())
