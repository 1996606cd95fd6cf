"""The ``vidtrans convert`` command of an export."""

from __future__ import annotations

from pathlib import Path

from vidtrans.pipeline.settings import ConvertSettings


def command_line(settings: ConvertSettings, edits_file: str | Path | None = None) -> str:
    """The ``vidtrans convert`` command for some settings, quoted for a POSIX shell.

    Args:
        settings: The settings of the export.
        edits_file: A file that holds the edits, for ``--edits``; None writes them into the command.
    """
    # The command's parser takes time to load, and the window opens without it.
    from vidtrans.cli.options import command_line as words_of
    from vidtrans.cli.options import quoted

    words = words_of(["vidtrans", "convert"], settings, edits_file)
    return quoted(words, [settings.input, settings.output])
