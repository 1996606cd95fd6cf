"""The entry point: commands end with an exit code, and a user's mistake with one sentence."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence

from vidtrans.cli.app import app
from vidtrans.errors import VidtransError
from vidtrans.startup import missing_library

INTERRUPTED = 130
READER_GONE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``vidtrans`` with ``argv`` (default: the process's own) and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # a file's name need not be valid text; stderr escapes it by default
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = os.environ.get("VIDTRANS_DEBUG", "") not in ("", "0")
    if "--debug" in arguments:
        arguments.remove("--debug")
        debug = True
    try:
        result = app(arguments, prog_name="vidtrans", standalone_mode=False, obj=arguments)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # typer exits when stdout is closed
            return _reader_gone()
        raise
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except VidtransError as error:
        if error.exit_code == READER_GONE:
            return _reader_gone()
        if debug:
            traceback.print_exc()
        from vidtrans.cli.wording import option_words  # brings the settings, which take 0.2 s

        return _say(error.sentence(option_words), error.exit_code)
    except Exception as error:
        if not debug and (missing := missing_library(error)) is not None:
            return _say(missing, 1)
        # The option parser's errors have a sentence and an exit code. Their class cannot be named:
        # typer carries its own copy of click.
        sentence = getattr(error, "format_message", None)
        if sentence is not None:
            command = getattr(getattr(error, "ctx", None), "command_path", "vidtrans")
            return _say(f"{sentence()} (see {command} --help)", int(getattr(error, "exit_code", 2)))
        if debug:
            traceback.print_exc()
            return 1
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _say(f"{what}. This is a fault of vidtrans; VIDTRANS_DEBUG=1 shows where.", 1)


def printable(sentence: str) -> str:
    """``sentence`` with control characters as escapes: names of files and models come from
    anybody, and a terminal would act on them."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode()
        for c in sentence
    )


def _say(sentence: str, code: int) -> int:
    sentence = printable(sentence)
    with contextlib.suppress(OSError):
        print(
            f"vidtrans: {'error: ' if code != INTERRUPTED else ''}{sentence}",
            file=sys.stderr,
            flush=True,
        )
    return code


def _reader_gone() -> int:
    # Python flushes stdout at exit, and would report the closed pipe again.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
    return READER_GONE
