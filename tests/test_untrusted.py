"""Text from strangers: what is too large, too deep or out of range is an error like any other."""

import os

import pytest

from vidtrans.untrusted import (
    UntrustedTextError,
    json_text,
    parse_json,
    parse_literal,
    parse_toml,
    read_text,
)


def test_plain_text_is_read():
    assert parse_json('{"a": [1, 2.5, "ä", null]}') == {"a": [1, 2.5, "ä", None]}
    assert parse_toml('a = [1, 2.5, "ä"]') == {"a": [1, 2.5, "ä"]}
    assert parse_literal("{'a': (1, -2.5, 'ä', None)}") == {"a": (1, -2.5, "ä", None)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        "[" * 66 + "]" * 66,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 1000,
        "9" * 5000,
        "9" * 50,
        "1e400",
        "NaN",
        "Infinity",
        r'"\ud800"',
        r'{"\udfff": 1}',
        b"\xff\xfe\x00",
    ],
)
def test_json_that_is_refused(text):
    with pytest.raises(UntrustedTextError):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "a =",
        "a = " + "[" * 3000 + "]" * 3000,
        "a = " + "{a = " * 3000 + "1" + "}" * 3000,
        ".".join("a" * 3000) + " = 1",
        "a = " + "9" * 5000,
        "a = " + "9" * 50,
        "a = inf",
    ],
)
def test_toml_that_is_refused(text):
    with pytest.raises(UntrustedTextError):
        parse_toml(text)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[" * 5000,
        "(" * 90 + ")" * 90,
        "-" * 5000 + "1",
        "- " * 5000 + "1",
        "1" + "+1" * 20_000,
        "9" * 5000,
        "1e999",
        "{[]: 1}",
        "'\\x00" * 3 + "\0",
        "a" * 100_000,
        "open('x')",
    ],
)
def test_literals_that_are_refused(text):
    with pytest.raises(UntrustedTextError):
        parse_literal(text)


def test_reading_is_bounded(tmp_path):
    path = tmp_path / "edits.json"
    path.write_bytes(b"x" * 100)
    assert read_text(path, largest=100) == "x" * 100
    with pytest.raises(UntrustedTextError, match="larger"):
        read_text(path, largest=99)
    path.write_bytes(b"\xff")
    with pytest.raises(UntrustedTextError, match="UTF-8"):
        read_text(path)
    with pytest.raises(OSError, match="No such file"):
        read_text(tmp_path / "nothing")
    with pytest.raises(UntrustedTextError):
        read_text("a\0b")


@pytest.mark.posix
def test_devices_and_pipes_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe", tmp_path):
        with pytest.raises(UntrustedTextError, match="no regular file"):
            read_text(path)


def test_names_that_are_no_utf8_come_back():
    value = {"picture": os.fsdecode(b"caf\xe9.png"), "name": "ä"}
    text = json_text(value)
    text.encode("utf-8")
    assert parse_json(text) == value
    assert "ä" in json_text({"name": "ä"})
