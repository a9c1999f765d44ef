"""The rules for pickles, as a pickle machine.

Python's own machine in Python (the base class of joblib's) reads the opcodes; what can import, call, instantiate or
change an object is decided here, the same for inspecting and for loading, so that both see one and the same file:

* a name must be on the allowed list; dotted names are refused, and so are extension codes and persistent ids;
* only a name may be called or instantiated, never an object that the file made; its role must allow it;
* what is called takes data only (`arguments`), and so do objects as their state, scikit-learn's aside (`states`);
* a state is given once, to an object that the file made, by the method of its class;
* only lists grow by APPEND, only dictionaries by SETITEM, only sets by ADDITEMS, and kinds of them;
* only data whose hash the file can't choose is a key or lies in a set.

Arrays that joblib wrote between the opcodes are read where they stand; object arrays there are pickles of their own
and run by the same rules.
"""

from __future__ import annotations

import _compat_pickle
import pickle
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

from taskkit.pickles.arguments import arguments_fit
from taskkit.pickles.names import AllowedNames, Name
from taskkit.pickles.states import state_problem
from taskkit.pickles.streams import MalformedPickleError, PickleStream
from taskkit.pickles.values import Known, is_data, is_key

ARRAY_WRAPPER = Name("joblib.numpy_pickle", "NumpyArrayWrapper")
NESTING_LIMIT = 20
_ARRAY = Name("numpy._core.multiarray", "_reconstruct")
_RECONSTRUCTOR = Name("copyreg", "_reconstructor")


# The class that joblib builds on, too: private by name, the same since Python 3.4.
_PythonMachine: Any = pickle._Unpickler  # noqa: SLF001


class Machine(_PythonMachine):  # type: ignore[misc]
    """What inspecting and loading share. Subclasses say what names, objects and arrays are."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(_PythonMachine.dispatch)
    stack: list[Any]
    append: Callable[[Any], None]

    def __init__(self, stream: PickleStream, allowed: AllowedNames, nesting: int = 0) -> None:
        super().__init__(stream)
        if nesting > NESTING_LIMIT:
            raise MalformedPickleError("has pickles within pickles without end")
        self.stream = stream
        self.allowed = allowed
        self.nesting = nesting
        self._kept: dict[int, Any] = {}
        self._makers: dict[int, Name | None] = {}
        self._with_state: set[int] = set()
        self.known = Known(self.name_of, self.made_by, allowed)

    # What subclasses answer.

    def resolve(self, name: Name) -> Any:
        """The value that stands for a name."""
        raise NotImplementedError

    def saw(self, name: Name, at: int) -> None:
        """Told of every name, allowed or not."""

    def name_of(self, value: Any) -> Name | None:
        """The name that a value stands for, None for everything else."""
        raise NotImplementedError

    def made_by(self, value: Any) -> Name | None:
        """The class or reconstructor that an object of the file was made by, None for everything else."""
        return self._makers.get(id(value))

    def refuse(self, what: str, at: int) -> None:
        """Something at a byte is against the rules; may return to collect more."""
        raise NotImplementedError

    def call(self, callee: Any, arguments: tuple[Any, ...]) -> Any:
        raise NotImplementedError

    def instantiate(self, made: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        raise NotImplementedError

    def set_state(self, instance: Any, state: Any) -> None:
        raise NotImplementedError

    def is_array_wrapper(self, instance: Any) -> bool:
        raise NotImplementedError

    def read_array(self, wrapper: Any) -> Any:
        """Reads the bytes that follow and gives the array that takes the wrapper's place."""
        raise NotImplementedError

    def grows_by(self, container: Any, method: str) -> bool:
        """Whether a container is a kind of list (append), dictionary (setitem) or set (add)."""
        raise NotImplementedError

    # Rules.

    def position(self) -> int:
        """Bytes of the (unpacked) stream that the opcodes so far have used."""
        frame = self._unframer.current_frame
        waiting = len(frame.getbuffer()) - frame.tell() if frame else 0
        return self.stream.position - waiting

    def _here(self) -> int:
        """Where the current opcode of one byte lies."""
        return self.position() - 1

    def load_global(self) -> None:
        at = self._here()
        module, name = (self.readline()[:-1].decode() for _ in range(2))
        self.append(self._named(module, name, at))

    def load_stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise MalformedPickleError("has a name that is no string")
        self.append(self._named(module, name, self._here()))

    def _named(self, module: str, name: str, at: int) -> Any:
        if self.proto < 3:  # names as Python 2 has them
            if (module, name) in _compat_pickle.NAME_MAPPING:
                module, name = _compat_pickle.NAME_MAPPING[module, name]
            module = _compat_pickle.IMPORT_MAPPING.get(module, module)
        found = Name(module, name)
        self.saw(found, at)
        if "." in name:
            self.refuse(f"names {found} with a dotted name", at)
        elif not self.allowed.names(found):
            self.refuse(f"names {found}", at)
        return self.resolve(found)

    def load_inst(self) -> NoReturn:
        at = self._here()
        module, name = (self.readline()[:-1].decode() for _ in range(2))
        self._named(module, name, at)
        raise MalformedPickleError(f"uses the opcode INST at byte {at}, which no current Python writes")

    def load_obj(self) -> NoReturn:
        raise MalformedPickleError(f"uses the opcode OBJ at byte {self._here()}, which no current Python writes")

    def find_class(self, module: str, name: str) -> NoReturn:
        """Python's own way to import a name; every opcode that leads there has a rule of its own above."""
        raise MalformedPickleError(f"names {module}.{name} at byte {self._here()} in an unknown way")

    def get_extension(self, code: int) -> NoReturn:
        raise MalformedPickleError(f"uses the extension code {code} at byte {self.position()}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise MalformedPickleError(f"uses the persistent id {pid!r} at byte {self.position()}")

    def load_next_buffer(self) -> NoReturn:
        raise MalformedPickleError(f"refers to buffers outside of the file at byte {self._here()}")

    def load_reduce(self) -> None:
        arguments, callee = self.stack.pop(), self.stack.pop()
        name = self.name_of(callee)
        if name is None:
            self.refuse("calls an object that it made itself", self._here())
        elif not self.allowed.may_call(name):
            if self.allowed.names(name):  # else it was refused by its name already
                self.refuse(f"calls {name}", self._here())
        elif type(arguments) is not tuple:
            raise MalformedPickleError(f"calls {name} with something that is no tuple")
        elif not arguments_fit(name, arguments, self.known):
            self.refuse(f"calls {name} with arguments that no estimator gives it", self._here())
        by = self.name_of(arguments[0]) if name == _RECONSTRUCTOR and arguments else name
        self.append(self._made(self.call(callee, arguments), by))

    def load_newobj(self) -> None:
        arguments, made = self.stack.pop(), self.stack.pop()
        self._new(made, arguments, {})

    def load_newobj_ex(self) -> None:
        keywords, arguments, made = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self._new(made, arguments, keywords)

    def _new(self, made: Any, arguments: Any, keywords: Any) -> None:
        name = self.name_of(made)
        if type(arguments) is not tuple or type(keywords) is not dict:
            raise MalformedPickleError("makes an object with something that is no tuple of arguments")
        if name is None:
            self.refuse("makes an object of a class that it made itself", self._here())
        elif self.allowed.names(name) and not self.allowed.may_instantiate(name):
            self.refuse(f"makes an object of {name}", self._here())
        elif name not in self.allowed.project and not self._fits_new(name, arguments, keywords):
            self.refuse(f"makes an object of {name} with arguments that no estimator gives it", self._here())
        self.append(self._made(self.instantiate(made, arguments, keywords), name))

    def _fits_new(self, name: Name, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
        if not arguments and not keywords:
            return True
        return arguments_fit(name, arguments, self.known) and is_data((keywords,), self.known)

    def _made(self, value: Any, by: Name | None) -> Any:
        """Remembers what the file made, and keeps it, so that no other object gets its identity."""
        self._kept[id(value)] = value
        self._makers[id(value)] = by
        self._with_state.discard(id(value))  # some constructors give the same object again
        return value

    def load_build(self) -> None:
        state, instance = self.stack.pop(), self.stack[-1]
        if id(instance) not in self._kept or self.name_of(instance) is not None:
            self.refuse("gives a state to something that it did not make", self._here())
        if id(instance) in self._with_state:
            self.refuse("gives a second state to the same object", self._here())
        self._with_state.add(id(instance))
        problem = "" if self.is_array_wrapper(instance) else state_problem(self.made_by(instance), state, self.known)
        if problem:
            self.refuse(problem, self._here())
        self.set_state(instance, state)
        if self.is_array_wrapper(instance):
            frame = self._unframer.current_frame
            if frame is not None and frame.read(1):
                raise MalformedPickleError("has array bytes within a frame")
            self._unframer.current_frame = None
            self.stack[-1] = self._made(self.read_array(instance), _ARRAY)

    def _container(self, value: Any, method: str) -> None:
        if self.name_of(value) is not None or not self.grows_by(value, method):
            self.refuse(f"uses the opcode of {method} on something else", self._here())

    def load_append(self) -> None:
        self._container(self.stack[-2], "append")
        super().load_append()

    def load_appends(self) -> None:
        self._container(self.metastack[-1][-1], "append")
        super().load_appends()

    def _keys(self, values: Sequence[Any]) -> None:
        for value in values:
            if not is_key(value, self.known):
                self.refuse("uses an object as a key or in a set, which would run its methods", self._here())

    def load_setitem(self) -> None:
        self._container(self.stack[-3], "setitem")
        self._keys(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        self._container(self.metastack[-1][-1], "setitem")
        self._keys(self.stack[::2])
        super().load_setitems()

    def load_additems(self) -> None:
        self._container(self.metastack[-1][-1], "add")
        self._keys(self.stack)
        super().load_additems()

    def load_dict(self) -> None:
        self._keys(self.stack[::2])
        super().load_dict()

    def load_frozenset(self) -> None:
        self._keys(self.stack)
        super().load_frozenset()

    def run(self) -> Any:
        """The object in the stream. Raises MalformedPickleError for everything that Python's machine stumbles over."""
        try:
            return self.load()
        except MalformedPickleError as error:
            placed = "" if " at byte " in str(error) else f" at byte {self.position()}"
            raise MalformedPickleError(f"{error}{placed}") from error
        except RecursionError as error:
            raise MalformedPickleError("is nested too deeply") from error
        except (
            pickle.UnpicklingError,
            EOFError,
            IndexError,
            KeyError,
            AttributeError,
            ValueError,
            TypeError,
            OverflowError,
            AssertionError,
            MemoryError,
        ) as error:
            detail = " ".join(str(error).split()) or type(error).__name__
            raise MalformedPickleError(f"can't be read at byte {self.position()} ({detail})") from error


for _opcode, _method in (
    (pickle.GLOBAL, Machine.load_global),
    (pickle.STACK_GLOBAL, Machine.load_stack_global),
    (pickle.REDUCE, Machine.load_reduce),
    (pickle.NEWOBJ, Machine.load_newobj),
    (pickle.NEWOBJ_EX, Machine.load_newobj_ex),
    (pickle.BUILD, Machine.load_build),
    (pickle.APPEND, Machine.load_append),
    (pickle.APPENDS, Machine.load_appends),
    (pickle.SETITEM, Machine.load_setitem),
    (pickle.SETITEMS, Machine.load_setitems),
    (pickle.ADDITEMS, Machine.load_additems),
    (pickle.DICT, Machine.load_dict),
    (pickle.FROZENSET, Machine.load_frozenset),
    (pickle.INST, Machine.load_inst),
    (pickle.OBJ, Machine.load_obj),
    (pickle.NEXT_BUFFER, Machine.load_next_buffer),
):
    Machine.dispatch[_opcode[0]] = _method
