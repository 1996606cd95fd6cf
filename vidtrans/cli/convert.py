"""``vidtrans convert``: one film of labels into one film of pictures."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from vidtrans.cli.show import ProgressMode, interruptible, progress_shown
from vidtrans.errors import Interrupted, Remedy, UsageError

_INPUT = "Input"
_LOOK = "Pictures"
_RUN = "Run"
_ENCODE = "Encoding"


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
    labels: Annotated[
        str,
        typer.Option(
            metavar="SCHEME",
            help=(
                "How labels are read: auto, SCHEME, SCHEME:ENCODING, or a palette file (.toml,"
                " .json)."
            ),
            rich_help_panel=_INPUT,
        ),
    ] = "auto",
    instances: Annotated[
        str | None,
        typer.Option(
            metavar="MAPS",
            help="16-bit instance maps beside the labels: video, folder or pattern.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="Frames a second of an image sequence (default 25).",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="A model's name (see vidtrans models list) or a .safetensors file.",
            rich_help_panel=_LOOK,
        ),
    ] = "street",
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Translate at this size; the default is the input's own.",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    fit: Annotated[
        str,
        typer.Option(
            metavar="pad|resize",
            help="With --size: keep the aspect (pad), or not (resize).",
            rich_help_panel=_LOOK,
        ),
    ] = "pad",
    layer: Annotated[
        str,
        typer.Option(
            metavar="LAYER",
            help=(
                "What to write: final, raw, warped, flow, occlusion, foreground, labels or compare"
                " (labels beside result)."
            ),
            rich_help_panel=_LOOK,
        ),
    ] = "final",
    scene_cuts: Annotated[
        str,
        typer.Option(
            metavar="CUTS",
            help=(
                "Where the past is forgotten: auto, off, frame numbers (120,300), or a file of"
                " them."
            ),
            rich_help_panel=_LOOK,
        ),
    ] = "auto",
    first_frame: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PICTURE",
            help="A picture that the film starts from; several, in order, may be given.",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=NUMBER",
            help=(
                "Paint a class (car=3) or one thing (instance:26001=5) in a style of the model;"
                " vidtrans styles shows them."
            ),
            rich_help_panel=_LOOK,
        ),
    ] = None,
    styles: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Styles from a TOML or JSON file: classes, instances, seed.",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            help=(
                "Draw a style for each thing (street, pix2pixHD), or what dropout drops (pix2pix),"
                " the same every time."
            ),
            rich_help_panel=_LOOK,
        ),
    ] = None,
    relabel: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=CLASS",
            help=(
                "Paint a class as another, as vegetation=building, or one thing:"
                " instance:26001=truck; "
                "in frames 100 to 249: vegetation=building@100:250."
            ),
            rich_help_panel=_LOOK,
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INSTANCE",
            help=(
                "Take one thing out, as instance:26001: what surrounds it fills the gap. Needs"
                " instance maps."
            ),
            rich_help_panel=_LOOK,
        ),
    ] = None,
    edits: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Edits of labels: a JSON file, an editor's project, or the JSON itself.",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            metavar="ENCODER",
            help="Any ffmpeg encoder (default libx264; .webm: libvpx-vp9).",
            rich_help_panel=_ENCODE,
        ),
    ] = None,
    encoder_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Any option of it, as crf=18; repeatable.",
            rich_help_panel=_ENCODE,
        ),
    ] = None,
    pixel_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="As ffmpeg calls it (default yuv420p).", rich_help_panel=_ENCODE
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.", rich_help_panel=_RUN)
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto, fp32, bf16 or fp16.", metavar="TYPE", rich_help_panel=_RUN)
    ] = "auto",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run; begins where there is none.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace an existing output once the new one is whole.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    snapshot_every: Annotated[
        int | None,
        typer.Option(
            metavar="FRAMES",
            help="Put what is done in safety this often (default: about 5 s).",
            rich_help_panel=_RUN,
        ),
    ] = None,
    progress: Annotated[
        ProgressMode,
        typer.Option(
            help="auto shows a bar on a terminal; json writes one line a frame.",
            rich_help_panel=_RUN,
        ),
    ] = ProgressMode.auto,
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
    from vidtrans.labels.edit_text import gather_edits, load_styles
    from vidtrans.pipeline.convert import convert as run
    from vidtrans.pipeline.settings import ConvertSettings, parse_edits

    chosen = None if styles is None else load_styles(styles)
    settings = ConvertSettings.read(
        input=input,
        output=output,
        model=model,
        labels=labels,
        instances=instances,
        device=device,
        precision=precision,
        size_hw=size,
        fit=fit,
        layer=layer,
        scene_cuts=scene_cuts,
        first_frame=tuple(first_frame or ()),
        edits=gather_edits(
            parse_edits(edits) if edits else None,
            relabel=relabel or (),
            drop=drop or (),
            styles=chosen,
            style=style or (),
        ),
        seed=chosen.seed if seed is None and chosen is not None else seed,
        rate=rate,
        codec=codec,
        encoder_options=key_values(encoder_option or []),
        pixel_format=pixel_format,
        resume=resume,
        overwrite=overwrite,
        snapshot_every=snapshot_every,
    )
    with progress_shown(progress, output) as shown, interruptible() as cancel:
        try:
            summary = run(
                settings,
                on_progress=shown.update,
                on_note=shown.note,
                on_warning=shown.warn,
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


def key_values(options: list[str]) -> dict[str, str]:
    """``["crf=18", ...]`` as a dictionary. Raises UsageError for one without ``=``."""
    pairs = {}
    for option in options:
        key, sign, value = option.partition("=")
        if not sign or not key:
            raise UsageError(f"--encoder-option takes KEY=VALUE, as crf=18, not {option!r}.")
        pairs[key] = value
    return pairs


def resume_command(arguments: list[str]) -> str:
    """The command that goes on with the run of ``vidtrans ARGUMENTS``: the same words with
    ``--resume``."""
    words = [word for word in arguments if word not in ("--resume", "--overwrite")]
    return shlex.join(["vidtrans", *words, "--resume"])
