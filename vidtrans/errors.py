"""Every error that a user can meet, each with the exit code of the commands.

An error is one clear sentence: what failed, where (file, frame), what was found, what was expected,
what to do. Exit codes: 0 done, 2 wrong usage, 3 unreadable or invalid input, 4 unusable model, 5
output cannot be written, 130 interrupted, 141 the reader of our stdout is gone.
"""

from __future__ import annotations

from os import PathLike, fspath


class VidtransError(Exception):
    """Base of all errors that are a user's to mend.

    ``where`` is the file that the error is about, ``frame`` the 0-based frame; both are put in
    front of the message. ``hint`` says what to do and follows it.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        where: str | PathLike[str] | None = None,
        frame: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.where = None if where is None else fspath(where)
        self.frame = frame
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        place = [
            p
            for p in (self.where, None if self.frame is None else f"frame {self.frame}")
            if p is not None
        ]
        text = f"{', '.join(place)}: {self.message}" if place else self.message
        return f"{text} {self.hint}" if self.hint else text


class UsageError(VidtransError, ValueError):
    """Wrong usage: an option, a value or a combination that makes no sense."""

    exit_code = 2


class InputError(VidtransError, ValueError):
    """The input is missing, unreadable, truncated or not what it should be."""

    exit_code = 3


class ModelError(VidtransError, ValueError):
    """The model file cannot be used: truncated, of another system, misshapen, unsafe."""

    exit_code = 4


class OutputError(VidtransError, OSError):
    """The output cannot be written: no space, no permission, no such encoder, exists already."""

    exit_code = 5


class Interrupted(VidtransError):
    """The user stopped the run (Ctrl-C); what is done is kept."""

    exit_code = 130


class ReaderGone(VidtransError):
    """Whoever read our stdout has closed it."""

    exit_code = 141
