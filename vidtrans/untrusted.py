"""Text from files that anybody may have written: JSON, TOML and Python literals, with bounds.

Projects, edits, styles, palettes, bundles' cards and published options come from strangers. Their
parsers are recursive and take numbers of any length, so that a small file can exhaust the stack or
hang. All of them are read through this module: what is too large, too deep or out of range is an
error like any other mistake in a file.
"""

from __future__ import annotations

import ast
import json
import math
import re
import stat
import tomllib
import warnings
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

__all__ = [
    "UntrustedTextError",
    "json_text",
    "parse_json",
    "parse_literal",
    "parse_toml",
    "read_text",
]

LARGEST_BYTES = 16 << 20
"""A project with 100,000 edits has 10 MB."""
DEEPEST = 64
"""Lists and tables within one another; no format of ours has more than 8."""
LONGEST_INTEGER = 40
"""Digits. Conversions of long integers take quadratic time, and Python refuses them above 4,300."""
LONGEST_LITERAL = 1 << 16
"""Characters of one Python literal. Python's compiler is recursive in the length of sums."""


class UntrustedTextError(ValueError):
    """A text is refused. The message continues a sentence: ``line 1: Expecting value``."""


def read_text(path: str | PathLike[str], *, largest: int = LARGEST_BYTES) -> str:
    """Read a whole text file, but no more than ``largest`` bytes of it.

    Args:
        path: The file.
        largest: Bytes.

    Raises:
        OSError: It cannot be read.
        UntrustedTextError: It is no regular file (a device or a pipe may never end), is larger, or
            is no UTF-8.
    """
    file = Path(path)
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise UntrustedTextError("it is no regular file")
        with file.open("rb") as opened:
            data = opened.read(largest + 1)
    except ValueError as error:  # a name with a null byte
        raise UntrustedTextError(str(error)) from error
    if len(data) > largest:
        raise UntrustedTextError(f"it is larger than {largest >> 10} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UntrustedTextError(f"it is no UTF-8: {error.reason} at byte {error.start}") from error


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        UntrustedTextError: It is no JSON, too deep, or holds a number that is out of range or half
            of a surrogate pair.
    """
    return _parsed(lambda: json.loads(text))


def parse_toml(text: str) -> dict[str, Any]:
    """The table of a TOML text. Raises UntrustedTextError, as ``parse_json``."""
    found: dict[str, Any] = _parsed(lambda: tomllib.loads(text))
    return found


def parse_literal(text: str) -> Any:
    """The value of a Python literal: numbers, texts, bytes, lists, tuples, sets, dictionaries.

    Raises:
        UntrustedTextError: It is no literal, too long, too deep, or holds a number that is out of
            range.
    """
    if len(text) > LONGEST_LITERAL:
        raise UntrustedTextError(f"it has more than {LONGEST_LITERAL} characters")
    if re.search(rf"(?:[-+~]\s*){{{DEEPEST + 1}}}", text) or _nesting(text) > DEEPEST:
        raise UntrustedTextError(f"it is deeper than {DEEPEST} levels")

    def parse() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escape sequences in a stranger's text
            return ast.literal_eval(text)

    return _parsed(parse)


def json_text(value: Any) -> str:
    """A value as JSON for people: indented, and in plain characters where UTF-8 has them.

    Names of files may hold bytes that are no UTF-8; a text with such a name is escaped, and
    ``parse_json`` gives it back.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    return text + "\n"


def _nesting(text: str) -> int:
    """The greatest depth of brackets, those in quotes included."""
    depth = deepest = 0
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


def _parsed(parse: Callable[[], Any]) -> Any:
    try:
        value = parse()
    except RecursionError:
        raise UntrustedTextError(f"it is deeper than {DEEPEST} levels") from None
    except (ValueError, SyntaxError, TypeError, MemoryError, AttributeError) as error:
        # TypeError: a list as a key of a Python dictionary. MemoryError: what CPython's parser says
        # of an expression that is too complex. tomllib raises AttributeError on some tables.
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise UntrustedTextError(reason or type(error).__name__) from error
    _check(value)
    return value


def _check(value: Any) -> None:
    """Refuse what is too deep and values out of range, level by level and without recursion."""
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            raise UntrustedTextError(f"it is deeper than {DEEPEST} levels")
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.keys()
                below += each.values()
            elif isinstance(each, list | tuple | set | frozenset):
                below += each
            else:
                _check_scalar(each)
        level, depth = below, depth + 1


def _check_scalar(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise UntrustedTextError("it holds a number that is not finite")
    if isinstance(value, int) and abs(value) >= 10**LONGEST_INTEGER:
        raise UntrustedTextError(f"it holds an integer of more than {LONGEST_INTEGER} digits")
    if isinstance(value, str):
        try:
            # Names of files may hold bytes that are no UTF-8, as U+DC80 to U+DCFF.
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise UntrustedTextError("it holds half of a surrogate pair") from None
