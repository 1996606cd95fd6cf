"""From the command line to an exit code: one sentence for a user's mistake, never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence

from vidtrans.cli.app import app
from vidtrans.cli.wording import option_words
from vidtrans.errors import VidtransError

INTERRUPTED = 130
READER_GONE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``vidtrans`` with ``argv`` (default: the process's own) and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # a file's name may be no text; stderr does so by itself
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
        if isinstance(stop.__context__, BrokenPipeError):  # typer's way to say it
            return _reader_gone()
        raise
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except VidtransError as error:
        if error.exit_code == READER_GONE:
            return _reader_gone()
        if debug:
            traceback.print_exc()
        return _say(error.sentence(option_words), error.exit_code)
    except Exception as error:
        # The option parser's own errors (typer carries its own copy of click) know their sentence
        # and their exit code.
        sentence = getattr(error, "format_message", None)
        if sentence is not None:
            command = getattr(getattr(error, "ctx", None), "command_path", "vidtrans")
            return _say(f"{sentence()} (see {command} --help)", int(getattr(error, "exit_code", 2)))
        if debug:
            traceback.print_exc()
            return 1
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _say(f"{what}. This is a fault of vidtrans; VIDTRANS_DEBUG=1 shows where.", 1)


def _say(sentence: str, code: int) -> int:
    with contextlib.suppress(OSError):
        print(
            f"vidtrans: {'error: ' if code != INTERRUPTED else ''}{sentence}",
            file=sys.stderr,
            flush=True,
        )
    return code


def _reader_gone() -> int:
    # Python would complain about the closed pipe once more when it flushes at exit.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
    return READER_GONE
