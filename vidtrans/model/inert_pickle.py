"""Pickled arrays, interpreted without importing or calling anything that the pickle names.

numpy saves a dictionary of arrays as a pickle. Only the opcodes that such a file needs are
interpreted: numbers, texts, bytes, lists, tuples, dictionaries, and the calls by which numpy
reconstructs an array of plain numbers. Anything else is refused.
"""

from __future__ import annotations

import math
import pickletools
import struct
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

_T = TypeVar("_T")
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_LARGEST_STACK = 1 << 20
"""Values: a published cluster file has about a thousand."""


class RefusedError(ValueError):
    """The pickle holds more than plain values and arrays of numbers; the message says what."""


@dataclass(frozen=True)
class _Name:
    """The name of something that unpickling would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class _Type:
    """A numpy dtype under construction: its code without the byte order, and the byte order."""

    code: str
    order: str = "="

    def dtype(self) -> np.dtype[Any]:
        order = (
            "|"
            if self.code in ("b1", "i1", "u1")
            else {"=": "=", "<": "<", ">": ">"}.get(self.order)
        )
        if order is None or self.code not in (
            "b1",
            "i1",
            "i2",
            "i4",
            "i8",
            "u1",
            "u2",
            "u4",
            "u8",
            "f2",
            "f4",
            "f8",
        ):
            raise RefusedError(f"an array of the type {self.order}{self.code}")
        return np.dtype(order + self.code)


@dataclass(eq=False)
class _Array:
    """A numpy array under construction: ``value`` is the array, or the list of its objects."""

    value: Any = None


class _Mark:
    pass


_MARK = _Mark()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *(
            "STRING",
            "BINSTRING",
            "SHORT_BINSTRING",
            "UNICODE",
            "BINUNICODE",
            "SHORT_BINUNICODE",
            "BINUNICODE8",
        ),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    )
)
_PASSED_OVER = frozenset(("PROTO", "FRAME"))


def read_inert(data: bytes) -> Any:
    """The value that a pickle holds.

    Args:
        data: a pickle of any protocol.

    Returns:
        Numbers, texts, bytes, tuples, lists, dictionaries and numpy arrays of numbers; an array of
        objects becomes the list of its objects.

    Raises:
        RefusedError: the pickle is damaged, or holds anything else.
    """
    machine = _PickleMachine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            machine.step(opcode.name, argument)
            if len(machine.stack) > _LARGEST_STACK:
                raise RefusedError("more values than any cluster file has")
        _check_size(machine.stack[-1])
        return _plain(machine.stack[-1])
    except RefusedError:
        raise
    except (
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        UnicodeError,
        OverflowError,
        MemoryError,
        struct.error,
    ) as error:
        raise RefusedError(f"a damaged pickle ({error})") from error


@dataclass(eq=False)
class _PickleMachine:
    """The stack and the memo of pickle's virtual machine."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, opcode: str, argument: Any) -> None:
        stack = self.stack
        if opcode in _PASSED_OVER:
            return
        if opcode == "STOP":
            if len(stack) != 1:
                raise RefusedError("a damaged pickle")
        elif opcode in _LITERALS:
            stack.append(argument)
        elif opcode in _CONSTANTS:
            stack.append(_CONSTANTS[opcode])
        elif opcode == "MARK":
            stack.append(_MARK)
        elif opcode in ("EMPTY_DICT", "EMPTY_LIST"):
            stack.append({} if opcode == "EMPTY_DICT" else [])
        elif opcode in ("DICT", "LIST", "TUPLE"):
            items = self._since_mark()
            stack.append(
                _pairs(items) if opcode == "DICT" else items if opcode == "LIST" else tuple(items)
            )
        elif opcode in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(opcode[-1])
            items = stack[-count:]
            del stack[-count:]
            stack.append(tuple(items))
        elif opcode in ("APPEND", "APPENDS"):
            items = [stack.pop()] if opcode == "APPEND" else self._since_mark()
            _expect(stack[-1], list).extend(items)
        elif opcode in ("SETITEM", "SETITEMS"):
            items = [stack.pop(-2), stack.pop()] if opcode == "SETITEM" else self._since_mark()
            _expect(stack[-1], dict).update(_pairs(items))
        elif opcode in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if opcode == "MEMOIZE" else int(argument)] = stack[-1]
        elif opcode in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[int(argument)])
        elif opcode == "GLOBAL":
            stack.append(_Name(*str(argument).split(" ", 1)))
        elif opcode == "STACK_GLOBAL":
            name, module = _expect(stack.pop(), str), _expect(stack.pop(), str)
            stack.append(_Name(module, name))
        elif opcode == "REDUCE":
            arguments = stack.pop()
            stack.append(_construct(stack.pop(), arguments))
        elif opcode == "BUILD":
            state = stack.pop()
            _set_state(stack[-1], state)
        else:
            raise RefusedError(f"the opcode {opcode}")

    def _since_mark(self) -> list[Any]:
        # From the end: each value is passed once, however many marks there are.
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise RefusedError("a damaged pickle")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items


def _construct(called: Any, arguments: Any) -> Any:
    """The result of a call by which numpy reconstructs arrays; any other call is refused."""
    if not isinstance(called, _Name) or not isinstance(arguments, tuple):
        raise RefusedError("a call of something that is no name")
    if (
        called.module in _MULTIARRAY
        and called.name == "_reconstruct"
        and arguments[0] == _Name("numpy", "ndarray")
    ):
        return _Array()
    if called.module in _MULTIARRAY and called.name == "scalar" and isinstance(arguments[0], _Type):
        kind = arguments[0].dtype()
        return np.frombuffer(_raw(arguments[1]), kind, count=1)[0].item()
    if called == _Name("numpy", "dtype"):
        code = _text(arguments[0])
        return _Type(code.lstrip("<>=|"), next((c for c in code if c in "<>"), "="))
    if called in (_Name("__builtin__", "bytes"), _Name("builtins", "bytes")) and not arguments:
        return b""
    if called == _Name("_codecs", "encode") and arguments[1] in ("latin1", "latin-1"):
        return _expect(arguments[0], str).encode("latin1")
    raise RefusedError(f"a call of {called}")


def _set_state(thing: Any, state: Any) -> None:
    """Completes a dtype or an array, as ``__setstate__`` does."""
    if isinstance(thing, _Type):
        if state[1] in ("<", ">"):
            thing.order = state[1]
        return
    if not isinstance(thing, _Array):
        raise RefusedError("a state of something that is no array")
    _, shape, kind, by_columns, raw = _expect(state, tuple)
    shape = tuple(_expect(side, int) for side in _expect(shape, tuple))
    if isinstance(raw, list):
        if math.prod(shape) != len(raw):
            raise RefusedError("an array with too few or too many values")
        thing.value = raw
        return
    known, data = _expect(kind, _Type).dtype(), _raw(raw)
    if math.prod(shape) * known.itemsize != len(data) or any(side < 0 for side in shape):
        raise RefusedError("an array whose size is not its shape's")
    thing.value = np.frombuffer(data, known).reshape(shape, order="F" if by_columns else "C").copy()


def _raw(value: Any) -> bytes:
    # Python 2 wrote bytes as text.
    return value.encode("latin1") if isinstance(value, str) else bytes(_expect(value, bytes))


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return {_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _key(value: Any) -> Any:
    """A key of a dictionary: a number or a text. Of nested tuples even the hash may take for
    ever."""
    if isinstance(value, int) and value.bit_length() > 63:
        raise RefusedError("an integer of more than 64 bits as a name")
    if isinstance(value, bool | int | float | str | bytes):
        return value
    raise RefusedError(f"{type(value).__name__} as a name")


def _text(value: Any) -> str:
    """A short text, which Python 2 wrote as bytes."""
    if isinstance(value, bytes):
        value = value.decode("latin1")
    if len(_expect(value, str)) > 16:
        raise RefusedError("a type of a long name")
    return str(value)


def _check_size(value: Any) -> None:
    """Refuses values that share parts so often that they would not fit into memory as a tree."""
    left, waiting = _LARGEST_STACK, [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, _Array):
            waiting.append(value.value)
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        left -= 1
        if left < len(waiting):
            raise RefusedError("more values than any cluster file has")


def _plain(value: Any) -> Any:
    """``value`` with the arrays in place of `_Array`."""
    if isinstance(value, _Array):
        if value.value is None:
            raise RefusedError("an array without values")
        return _plain(value.value)
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, _Name):
        raise RefusedError(f"a reference to {value}")
    if isinstance(value, _Type):
        raise RefusedError("a type as a value")
    return value


def _expect(value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise RefusedError(f"{type(value).__name__} where {kind.__name__} is needed")
    return value
