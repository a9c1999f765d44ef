"""Opcodes that Python never writes, and ones in an order that it never writes them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from assembly import (
    LOGISTIC,
    SCORE,
    Hostile,
    answering,
    called,
    instance,
    made_dict,
    made_tuple,
    named,
    opcodes_of,
    pickled,
    text,
)


def opcodes(marker: Path) -> Iterator[Hostile]:
    shell = f"touch {marker}"
    system = named("os", "system")
    yield Hostile("INST", b"(S'" + shell.encode() + b"'\nios\nsystem\n.", "names os.system at byte")
    yield Hostile(
        "INST of an allowed class", b"(i" + "\n".join(LOGISTIC).encode() + b"\n.", "uses the opcode INST at byte"
    )
    yield Hostile("OBJ", pickled(b"(", system, text(shell), b"o"), "names os.system at byte")
    yield Hostile("OBJ of an allowed class", pickled(b"(", named(*LOGISTIC), b"o"), "uses the opcode OBJ at byte")
    yield Hostile(
        "NEWOBJ", pickled(named("os", "_wrap_close"), made_tuple(text(shell)), b"\x81"), "names os._wrap_close at byte"
    )
    yield Hostile(
        "NEWOBJ of a function", pickled(named("numpy", "log"), b")\x81"), "makes an object of numpy.log at byte"
    )
    yield Hostile(
        "NEWOBJ_EX",
        pickled(named("subprocess", "Popen"), made_tuple(opcodes_of(["touch", str(marker)])), b"}\x92"),
        "names subprocess.Popen at byte",
    )
    yield Hostile(
        "NEWOBJ_EX with keywords",
        pickled(named("numpy", "ndarray"), b")", made_dict(shape=answering("__len__", SCORE)), b"\x92"),
        "",
    )
    for code in (b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"):
        yield Hostile(f"EXT of {len(code) - 1} bytes", pickled(code), "uses the extension code 1 at byte")
    yield Hostile(
        "a registered extension",
        pickled(
            called("copyreg", "add_extension", text("os"), text("system"), b"K\x07"),
            b"0\x82\x07",
            made_tuple(text(shell)),
            b"R",
        ),
        "names copyreg.add_extension",
    )
    yield Hostile("PERSID", b"P" + shell.encode() + b"\n.", "uses the persistent id")
    yield Hostile("BINPERSID", pickled(text(shell), b"Q"), "uses the persistent id")
    yield Hostile("NEXT_BUFFER", b"\x80\x05\x97.", "refers to buffers outside of the file at byte")
    yield Hostile("READONLY_BUFFER", b"\x80\x05K\x01\x98.", "can't be read at byte")
    yield Hostile(
        "memo: put, pop, get",
        pickled(system, b"q\x00", b"0", b"h\x00", made_tuple(text(shell)), b"R"),
        "names os.system at byte",
    )
    yield Hostile(
        "memo: the name of an allowed call replaced",
        pickled(
            named("builtins", "set"), b"q\x00", b"0", system, b"q\x00", b"0", b"h\x00", made_tuple(text(shell)), b"R"
        ),
        "names os.system",
    )
    yield Hostile(
        "memo: a huge index",
        pickled(b"K\x01r\xff\xff\xff\x7f", system, made_tuple(text(shell)), b"R"),
        "names os.system",
    )
    yield Hostile(
        "two protocols", b"\x80\x04\x80\x02c__builtin__\neval\n" + made_tuple(text("1")) + b"R.", "names builtins.eval"
    )
    yield Hostile(
        "a frame that is too short",
        b"\x80\x04\x95" + struct.pack("<Q", 2) + named("os", "system") + b".",
        "can't be read at byte",
    )
    yield Hostile(
        "a frame within a frame",
        b"\x80\x04\x95" + struct.pack("<Q", 10) + b"\x95" + struct.pack("<Q", 1) + b"N" + system + b".",
        "",
    )
    yield Hostile(
        "a call of what a call gave",
        pickled(called("functools", "partial", named("numpy", "log")), made_tuple(b"K\x01"), b"R"),
        "calls an object that it made itself at byte",
    )
    yield Hostile(
        "an instance as a class",
        pickled(instance(*LOGISTIC), b")\x81"),
        "makes an object of a class that it made itself at byte",
    )
    yield Hostile(
        "a function that is no reconstructor",
        pickled(called("sklearn.metrics.pairwise", "pairwise_distances", b"]")),
        "calls sklearn.metrics.pairwise.pairwise_distances at byte",
    )
    yield Hostile(
        "a class called with its __init__",
        pickled(called("pandas", "DataFrame", b"}")),
        "calls pandas.DataFrame at byte",
    )
    yield Hostile(
        "APPEND to an estimator",
        pickled(instance(*LOGISTIC), b"K\x01a"),
        "uses the opcode of append on something else at byte",
    )
    yield Hostile(
        "APPENDS to a class",
        pickled(named("builtins", "list"), b"(K\x01e"),
        "uses the opcode of append on something else at byte",
    )
    yield Hostile("SETITEM of a frame", pickled(instance("pandas", "DataFrame"), b"K\x01K\x02s"), "setitem")
    yield Hostile(
        "ADDITEMS to a name",
        pickled(named("builtins", "set"), b"(K\x01\x90"),
        "uses the opcode of add on something else at byte",
    )
    yield Hostile("a stack that is empty", pickled(b"R"), "can't be read at byte")
    yield Hostile("no end", pickled(system)[:-1], "names os.system")
    yield Hostile("a name that is no string", pickled(b"K\x01K\x02\x93"), "has a name that is no string")
