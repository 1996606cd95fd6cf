"""``vidtrans convert``: one film of labels into one film of pictures."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated, Any

import typer

from vidtrans.cli.options import with_options
from vidtrans.cli.show import ProgressMode, interruptible, progress_shown
from vidtrans.cli.wording import option_words
from vidtrans.errors import Interrupted, Remedy, worded
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.startup import loading_modules


@with_options(ConvertSettings)
def convert(
    context: typer.Context,
    input: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Label video, folder of images, or pattern (frame_%06d.png, '*.png').",
        ),
    ],
    output: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT",
            help="Film (.mp4 .mov .mkv .webm), or a folder for PNGs (OUT/ or no suffix).",
        ),
    ],
    progress: Annotated[
        ProgressMode,
        typer.Option(
            help="auto shows a bar on a terminal; json writes one line a frame.",
            rich_help_panel="Run",
        ),
    ] = ProgressMode.auto,
    **options: Any,
) -> None:
    """Translate a label video into a street video.

    One picture for each input frame, with its time; sound, subtitles and
    chapters of the input come along. A run that is interrupted (Ctrl-C,
    kill, power cut) loses nothing: the same command with --resume goes on.

    Examples:

      vidtrans convert labels.mkv street.mp4

      vidtrans convert labels/ street.mp4 --instances maps/ --rate 17

      vidtrans convert carla.mp4 pngs/ --labels carla --layer compare

      vidtrans convert labels/ city.mp4 --relabel vegetation=building
    """
    with loading_modules():
        from vidtrans.pipeline.convert import convert as run

    settings = ConvertSettings.from_options(input=input, output=output, **options)
    with progress_shown(progress, output) as shown, interruptible() as cancel:
        try:
            summary = run(
                settings,
                on_progress=shown.update,
                on_note=shown.note,
                on_warning=lambda sentence: shown.warn(worded(sentence, option_words)),
                cancel=cancel,
            )
        except Interrupted as error:
            error.message = "interrupted."
            if error.kept_frames:
                error.remedies = (
                    Remedy(
                        "{frames} finished frames are kept; go on with: {command}",
                        {
                            "frames": str(error.kept_frames),
                            "command": resume_command(context.obj or sys.argv[1:]),
                        },
                    ),
                )
            raise
        for sentence in summary.labels.notes():
            shown.warn(sentence)
        shown.done(summary)


def resume_command(arguments: list[str]) -> str:
    """The command that goes on with the run of ``vidtrans ARGUMENTS``: the same words with
    ``--resume``."""
    words = [word for word in arguments if word not in ("--resume", "--overwrite")]
    return shlex.join(["vidtrans", *words, "--resume"])
