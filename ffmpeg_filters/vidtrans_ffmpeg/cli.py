"""``vidtrans-filter``: the command line, its signals and its exit codes."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from fractions import Fraction
from types import FrameType
from typing import Annotated, Any, Literal, cast

import typer

from vidtrans.cli.options import with_options
from vidtrans.errors import Interrupted, ReaderGone, UsageError, VidtransError
from vidtrans.media.pixels import ColourTags
from vidtrans.pipeline.options import option_of
from vidtrans.pipeline.settings import RenderSettings
from vidtrans.sequence.allocator import keep_freed_memory
from vidtrans.startup import missing_library
from vidtrans_ffmpeg.pipes import CancelEvent, InputPipe, OutputPipe

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Matrix = Literal["bt709", "bt601"]


@app.command()
@with_options(
    RenderSettings,
    piped=True,
    help={
        "model": "A model's name, a .safetensors file, or identity (frames go out as they came).",
        "size": "Translate at this size (rawvideo: the size that comes in).",
    },
)
def filter_command(
    format: Annotated[
        str, typer.Option(help="auto (by the first bytes), y4m, nut, matroska or rawvideo.")
    ] = "auto",
    input_size: Annotated[
        str | None, typer.Option(metavar="WxH", help="rawvideo: its size.")
    ] = None,
    pixel_format: Annotated[
        str | None, typer.Option(help="rawvideo: its pixel format, as gray or rgb24.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(help="rawvideo: frames a second, as 25 or 30000/1001.")
    ] = None,
    input_matrix: Annotated[
        str, typer.Option(help="YUV that comes in: auto, bt709 or bt601.")
    ] = "auto",
    input_range: Annotated[
        str, typer.Option(help="YUV that comes in: auto, limited or full.")
    ] = "auto",
    output_format: Annotated[
        str | None, typer.Option(help="y4m, nut, matroska or rawvideo; default: what came in.")
    ] = None,
    output_pixel_format: Annotated[
        str | None, typer.Option(help="Default: rgb24 (y4m: yuv420p).")
    ] = None,
    output_matrix: Annotated[
        str, typer.Option(help="YUV that goes out: auto (by its height), bt709 or bt601.")
    ] = "auto",
    output_range: Annotated[
        str, typer.Option(help="YUV that goes out: limited or full.")
    ] = "limited",
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Say what the labels are taken for, and why.")
    ] = False,
    **options: Any,
) -> None:
    """Translate label video from stdin into street video on stdout.

    Reads y4m, NUT and Matroska, and writes what it read. Words go to stderr.

    ffmpeg -i labels.mkv -c:v rawvideo -f nut - | vidtrans-filter | ffmpeg -i - street.mp4
    """
    from vidtrans_ffmpeg.demuxing import FORMATS, RawVideoFormat
    from vidtrans_ffmpeg.run import FilterSettings, run_filter

    logging.basicConfig(
        format="vidtrans-filter: %(message)s",
        level=logging.INFO if verbose else logging.WARNING,
        force=True,
    )
    _one_of("--format", format, ("auto", *FORMATS))
    _one_of("--output-format", output_format or "nut", FORMATS)
    raw = None
    if format == "rawvideo":
        given = options.pop("size") if input_size is None else input_size
        if given is None or pixel_format is None or rate is None:
            raise UsageError(
                "rawvideo has no header.",
                hint="Give --input-size WxH, --pixel-format and --rate.",
            )
        shape = RenderSettings.read(size_hw=given, rate=rate)
        assert shape.size_hw is not None
        assert shape.rate is not None
        raw = RawVideoFormat(shape.size_hw, pixel_format, Fraction(shape.rate))
    elif input_size or pixel_format or rate:
        raise UsageError(
            "--input-size, --pixel-format and --rate are for --format rawvideo; the other formats"
            " have headers."
        )
    settings = FilterSettings(
        render=RenderSettings.from_options(**options),
        format=format,
        raw=raw,
        tags=_tags(input_matrix, input_range),
        output_format=output_format,
        output_pixel_format=output_pixel_format,
        output_matrix=_matrix("--output-matrix", output_matrix),
        output_full_range=_one_of("--output-range", output_range, ("limited", "full")) == "full",
    )
    if sys.stdin.isatty():
        raise UsageError(
            "there is no pipe to read from.",
            hint="For files there is: vidtrans convert INPUT OUTPUT.",
        )
    if sys.stdout.isatty():
        raise UsageError(
            "pictures on a terminal are of no use.",
            hint="Send stdout into ffmpeg, a player or a file.",
        )
    keep_freed_memory()
    cancel = CancelEvent()
    with _frames_only() as pictures:
        target = OutputPipe(pictures)
        with _interruptible(cancel, target):
            run_filter(settings, InputPipe(sys.stdin.fileno(), cancel), target, cancel)


@contextlib.contextmanager
def _frames_only() -> Iterator[int]:
    """A descriptor of stdout for frames alone; what libraries write to descriptor 1 goes to
    stderr."""
    sys.stdout.flush()
    pictures = os.dup(1)
    os.dup2(2, 1)
    try:
        yield pictures
    finally:
        os.dup2(pictures, 1)
        os.close(pictures)


@contextlib.contextmanager
def _interruptible(cancel: CancelEvent, target: OutputPipe) -> Iterator[None]:
    """Let SIGINT and SIGTERM set ``cancel``, which ends reads; in a write the handler raises. A
    second signal raises KeyboardInterrupt wherever it arrives."""

    def handle(number: int, frame: FrameType | None) -> None:
        again = cancel.is_set()
        cancel.set()
        if target.writing:
            raise Interrupted("interrupted.")
        if again:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_RENAMED = {"pixel_format": "output_pixel_format"}
"""Settings of the engine whose option here has another name: ``--pixel-format`` is that of the
pictures that come in."""


def option_words(setting: str, value: str | None = None) -> str:
    """A setting of the engine as this command's option, in plain words where it has none.

    Args:
        setting: The field's name in the settings.
        value: The value that a remedy suggests; None where it suggests none.
    """
    option = option_of(RenderSettings, setting)
    name = _RENAMED.get(setting, setting) if option is None else option.parameter
    has_option = name in inspect.signature(filter_command).parameters
    words = f"--{name.replace('_', '-')}" if has_option else setting.replace("_", " ")
    return words if value is None else f"{words} {value}"


def _one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise UsageError(f"{option} is one of {', '.join(allowed)}, not {value!r}.")
    return value


def _matrix(option: str, value: str) -> Matrix | None:
    _one_of(option, value, ("auto", "bt709", "bt601"))
    return None if value == "auto" else cast(Matrix, value)


def _tags(matrix: str, values: str) -> ColourTags:
    _one_of("--input-range", values, ("auto", "limited", "full"))
    return ColourTags(
        _matrix("--input-matrix", matrix), None if values == "auto" else values == "full"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments; None for those of the process.

    Returns:
        The exit code: 0 done, 2 wrong usage, 3 invalid input, 4 unusable model, 5 output cannot be
        written, 130 interrupted, 141 the reader of stdout has gone.
    """
    debug = os.environ.get("VIDTRANS_DEBUG", "") not in ("", "0")
    try:
        app(
            list(sys.argv[1:] if argv is None else argv),
            prog_name="vidtrans-filter",
            standalone_mode=False,
        )
        return 0
    except KeyboardInterrupt:
        return _say("interrupted.", Interrupted.exit_code)
    except ReaderGone as error:
        return error.exit_code
    except VidtransError as error:
        if debug:
            traceback.print_exc()
        return _say(error.sentence(option_words), error.exit_code)
    except Exception as error:
        sentence = getattr(
            error, "format_message", None
        )  # the option parser's errors know their sentence and their code
        if sentence is not None:
            return _say(
                f"{sentence()} (see vidtrans-filter --help)", int(getattr(error, "exit_code", 2))
            )
        if not debug and (missing := missing_library(error)) is not None:
            return _say(missing, 1)
        if debug:
            traceback.print_exc()
            return 1
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _say(f"{what}. This is a fault of vidtrans; VIDTRANS_DEBUG=1 shows where.", 1)


def _say(sentence: str, code: int) -> int:
    with contextlib.suppress(OSError):
        print(
            f"vidtrans-filter: {'' if code == Interrupted.exit_code else 'error: '}{sentence}",
            file=sys.stderr,
            flush=True,
        )
    return code
