"""Reads the pickle inside a torch file as data. Nothing that it names is imported or called.

`pickle.load` runs whatever a file says. Here a small machine steps over the opcodes that torch's own files
of weights use, and builds numbers, strings, tuples, lists, dicts and `Stored` tensors. Of the names that a
file may mention only those in `_KNOWN` mean anything, and what they mean is written here.
"""

from __future__ import annotations

import pickletools
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn

from magxr.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

_TYPES = {
    "FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8", "BFloat16Storage": "bf16",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "u1",
}  # fmt: skip
_KNOWN = {
    "collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter",
    *(f"torch {name}" for name in _TYPES),
}  # fmt: skip
_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_PLAIN = {
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINSTRING", "SHORT_BINSTRING",
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Name(NamedTuple):
    """A name that the file mentions: never looked up."""

    text: str


class Storage(NamedTuple):
    """A run of numbers elsewhere in the file."""

    key: str
    code: str
    """Numpy's code of the type, or "bf16"."""
    length: int


class Stored(NamedTuple):
    """A tensor: which part of a storage, in which layout."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In numbers, not bytes."""


def read(stream: IO[bytes], what: str) -> Any:
    """Return what one pickle describes, and leave the stream behind it.

    Parameters
    ----------
    stream : binary file
    what : str
        The file's name, for errors.

    Raises
    ------
    ModelError
        If the pickle asks for anything that a file of weights does not need, or is cut short.
    """
    machine = _Machine(what)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        if isinstance(error, ModelError):
            raise
        msg = f"{what} holds no whole table of weights ({error}); it is truncated or damaged"
        raise ModelError(msg) from error
    msg = f"{what} holds no whole table of weights; it is truncated"
    raise ModelError(msg)


class _Machine:
    def __init__(self, what: str) -> None:
        self._what = what
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PLAIN:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name in ("SETITEM", "SETITEMS", "APPEND", "APPENDS"):
            self._fill(name)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            text = (
                argument if name == "GLOBAL" else " ".join(reversed([_word(stack.pop()), _word(stack.pop())]))
            )
            if text not in _KNOWN:
                self._refuse(f"it names {text.replace(' ', '.')}")
            stack.append(Name(text))
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(self._made(stack.pop(), arguments))
        elif name == "BUILD":  # notes that torch hangs on its table of tensors
            stack.pop()
            if not isinstance(stack[-1], dict):
                self._refuse("it sets the state of something that is no table")
        elif name not in ("PROTO", "FRAME"):
            self._refuse(f"it uses the pickle instruction {name}")

    def _since_mark(self) -> list[Any]:
        place = max(i for i, x in enumerate(self.stack) if x is _MARK)
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def _fill(self, name: str) -> None:
        if name in ("SETITEM", "APPEND"):
            count = 2 if name == "SETITEM" else 1
            values = self.stack[-count:]
            del self.stack[-count:]
        else:
            values = self._since_mark()
        target = self.stack[-1]
        if name.startswith("APPEND") and isinstance(target, list):
            target.extend(values)
        elif name.startswith("SETITEM") and isinstance(target, dict):
            self._put(target, zip(values[::2], values[1::2], strict=True))
        else:
            self._refuse("it fills something that is neither a table nor a list")

    def _put(self, table: dict[Any, Any], pairs: Iterable[Any]) -> None:
        for key, value in pairs:
            if not isinstance(key, str | int):  # to hash tuples of tuples can take for ever
                self._refuse(f"a table has a {type(key).__name__} for a key")
            table[key] = value

    def _storage(self, told: Any) -> Storage:
        kind, held, key, _, count, *view = told
        if view not in ([], [None]):
            self._refuse("a tensor is a view into another, as torch wrote before 0.4")
        if kind != "storage" or not isinstance(held, Name) or held.text.split(" ")[-1] not in _TYPES:
            self._refuse(f"it refers to {_word(kind)}, which is no storage of numbers")
        return Storage(_word(key), _TYPES[held.text.split(" ")[-1]], int(count))

    def _made(self, name: Any, arguments: Any) -> Any:
        text = name.text.split(" ")[-1] if isinstance(name, Name) else ""
        made: Any = None
        if text == "OrderedDict":
            made = {}
            self._put(made, arguments[0] if arguments else ())
        elif text == "_rebuild_parameter" and isinstance(arguments[0], Stored):
            made = arguments[0]
        elif text == "_rebuild_tensor_v2" and isinstance(arguments[0], Storage):
            storage, offset, shape, strides = arguments[:4]
            made = Stored(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))
        else:
            self._refuse(f"it calls {_word(name)}")
        return made

    def _refuse(self, why: str) -> NoReturn:
        msg = (
            f"{self._what} is refused, and nothing of it was run: {why}, which no file of weights needs; "
            "get the weights as safetensors or from another source"
        )
        raise ModelError(msg)


def _word(value: Any) -> str:
    """Return a name or a number as text; of anything else its type: tuples of tuples may never end."""
    return str(value) if isinstance(value, str | int | Name) else f"a {type(value).__name__}"
