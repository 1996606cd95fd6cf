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
from typing import Annotated, Literal, cast

import typer

from vidtrans.errors import Interrupted, ReaderGone, UsageError, VidtransError
from vidtrans.media.pixels import ColourTags
from vidtrans.sequence.allocator import keep_freed_memory
from vidtrans_ffmpeg.pipes import InputPipe, OutputPipe, Wake

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Matrix = Literal["bt709", "bt601"]


@app.command()
def filter_command(
    model: Annotated[
        str,
        typer.Option(
            help="A model's name, a .safetensors file, or identity (frames go out as they came)."
        ),
    ] = "street",
    labels: Annotated[
        str, typer.Option(help="auto, SCHEME, SCHEME:ENCODING, or a palette file (.toml, .json).")
    ] = "auto",
    instances: Annotated[
        str | None,
        typer.Option(help="16-bit instance maps beside the labels: video, folder or pattern."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="Translate at this size (rawvideo: the size that comes in)."
        ),
    ] = None,
    fit: Annotated[
        str, typer.Option(metavar="pad|resize", help="With --size: keep the aspect, or not.")
    ] = "pad",
    layer: Annotated[
        str,
        typer.Option(help="final, raw, warped, flow, occlusion, foreground, labels or compare."),
    ] = "final",
    scene_cuts: Annotated[
        str,
        typer.Option(
            help="Where the past is forgotten: auto, off, frame numbers, or a file of them."
        ),
    ] = "auto",
    first_frame: Annotated[
        list[str] | None, typer.Option(help="A picture that the film starts from; repeatable.")
    ] = None,
    relabel: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=CLASS",
            help="Paint a class, or instance:26001, as another class; repeatable.",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="INSTANCE", help="Take one thing out, as instance:26001; repeatable."),
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=NUMBER", help="A style of the model: car=3, instance:26001=5; repeatable."
        ),
    ] = None,
    styles: Annotated[
        str | None, typer.Option(metavar="FILE", help="Styles from a TOML or JSON file.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Draw styles (street, pix2pixHD), or what dropout drops (pix2pix)."),
    ] = None,
    edits: Annotated[
        str | None, typer.Option(metavar="FILE", help="Edits of labels, as convert takes them.")
    ] = None,
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
) -> None:
    """Translate label video from stdin into street video on stdout.

    Reads y4m, NUT and Matroska, and writes what it read. Words go to stderr.

    ffmpeg -i labels.mkv -c:v rawvideo -f nut - | vidtrans-filter | ffmpeg -i - street.mp4
    """
    from vidtrans.labels.edit_text import gather_edits, load_styles
    from vidtrans.pipeline.settings import ConvertSettings, parse_edits
    from vidtrans_ffmpeg.formats import FORMATS, RawVideo
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
        size, given = (None, size) if input_size is None else (size, input_size)
        if given is None or pixel_format is None or rate is None:
            raise UsageError(
                "rawvideo says nothing of itself.",
                hint="Give --input-size WxH, --pixel-format and --rate.",
            )
        shape = ConvertSettings.read(input="-", output="-", size_hw=given, rate=rate)
        assert shape.size_hw is not None
        assert shape.rate is not None
        raw = RawVideo(shape.size_hw, pixel_format, Fraction(shape.rate))
    elif input_size or pixel_format or rate:
        raise UsageError(
            "--input-size, --pixel-format and --rate are for --format rawvideo; the others say it"
            " themselves."
        )
    chosen = None if styles is None else load_styles(styles)
    gathered = gather_edits(
        parse_edits(edits) if edits else None,
        relabel=relabel or (),
        drop=drop or (),
        styles=chosen,
        style=style or (),
    )
    # The checks of convert's settings are the filter's.
    checked = ConvertSettings.read(
        input="-", output="-", model=model, labels=labels, instances=instances, device=device,
        precision=precision,
        size_hw=size, fit=fit, layer=layer, scene_cuts=scene_cuts,
        first_frame=tuple(first_frame or ()),
        edits=gathered, seed=chosen.seed if seed is None and chosen is not None else seed,
    )  # fmt: skip
    settings = FilterSettings(
        model=checked.model, labels=checked.labels, instances=checked.instances,
        device=checked.device,
        precision=checked.precision, size_hw=checked.size_hw, fit=checked.fit, layer=checked.layer,
        scene_cuts=checked.scene_cuts, first_frame=checked.first_frame, edits=checked.edits,
        seed=checked.seed, format=format, raw=raw,
        tags=_tags(input_matrix, input_range), output_format=output_format,
        output_pixel_format=output_pixel_format,
        output_matrix=_matrix("--output-matrix", output_matrix),
        output_full_range=_one_of("--output-range", output_range, ("limited", "full")) == "full",
    )  # fmt: skip
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
    wake = Wake()
    with _frames_only() as pictures:
        target = OutputPipe(pictures)
        with _interruptible(wake, target):
            run_filter(settings, InputPipe(sys.stdin.fileno(), wake), target, wake)


@contextlib.contextmanager
def _frames_only() -> Iterator[int]:
    """The real stdout; whatever else writes to file 1 meanwhile writes to stderr."""
    sys.stdout.flush()
    pictures = os.dup(1)
    os.dup2(2, 1)
    try:
        yield pictures
    finally:
        os.dup2(pictures, 1)
        os.close(pictures)


@contextlib.contextmanager
def _interruptible(wake: Wake, target: OutputPipe) -> Iterator[None]:
    """Ctrl-C and a polite kill end every wait. Between two waits the loop itself looks."""

    def asked(number: int, frame: FrameType | None) -> None:
        again = wake.is_set()
        wake.set()
        if target.writing:
            raise Interrupted("interrupted.")
        if again:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_RENAMED = {"size_hw": "size", "pixel_format": "output_pixel_format"}
"""Settings of the engine whose option here has another name: ``--pixel-format`` is that of the
pictures that come in."""


def option_words(setting: str, value: str | None = None) -> str:
    """A setting of the engine as this command's option, in plain words where it has none.

    Args:
        setting: The field's name in the settings.
        value: The value that a remedy suggests; None where it suggests none.
    """
    name = _RENAMED.get(setting, setting)
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
    """Run the filter with ``argv`` (default: the process's own); the exit code: 0, 2 usage, 3
    input, 4 model, 5 output, 130 interrupted, 141 the reader of our stdout has gone."""
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
