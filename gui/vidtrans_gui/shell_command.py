"""The ``vidtrans convert`` command that repeats an export in a shell."""

from __future__ import annotations

from pathlib import Path

from vidtrans.cli.options import command_line as words_of
from vidtrans.cli.options import quoted
from vidtrans.pipeline.settings import ConvertSettings


def command_line(settings: ConvertSettings, edits_file: str | Path | None = None) -> str:
    """The ``vidtrans convert`` command that does the same, quoted for a POSIX shell.

    ``edits_file``: where the edits of ``settings`` are saved, for ``--edits``; without it they
    stand in the command itself.
    """
    words = words_of(["vidtrans", "convert"], settings, edits_file)
    return quoted(words, [settings.input, settings.output])
