"""``vidtrans inspect``: an input's properties, its label scheme and its classes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidtrans.cli.wording import option_words
from vidtrans.errors import InputError, worded

if TYPE_CHECKING:
    from vidtrans.frame import Frame, VideoInfo
    from vidtrans.labels.report import LabelReport
    from vidtrans.labels.scheme_detector import Detection


def inspect(
    input: Annotated[
        str, typer.Argument(metavar="INPUT", help="Label video, folder of images, or pattern.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    labels: Annotated[
        str,
        typer.Option(
            metavar="SCHEME",
            help="As in convert: auto, SCHEME, SCHEME:ENCODING, or a palette file.",
        ),
    ] = "auto",
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Also list the classes that this model does not have."),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Read only the first FRAMES.", metavar="FRAMES")
    ] = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="As in convert: numbers may be missing.")
    ] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="As in convert: go on over damaged frames.")
    ] = False,
    stream: Annotated[
        int | None,
        typer.Option(min=0, metavar="NUMBER", help="As in convert: which video stream is read."),
    ] = None,
    allow_protocols: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="As in convert: read addresses of this protocol."),
    ] = None,
) -> None:
    """Describe a label video and how its labels are read.

    Size, rate, frames, label scheme, classes with their shares, and the values
    that are no labels. Where the input is no label map, its other properties are
    printed and the exit code is 3.
    """
    from vidtrans.labels.detect import parse_labels
    from vidtrans.media.reader import open_reader
    from vidtrans.pipeline.look_ahead import look_ahead

    choice = parse_labels(labels)
    with open_reader(
        input,
        protocols=allow_protocols or (),
        allow_gaps=allow_gaps,
        skip_damaged=skip_damaged,
        stream=stream,
    ) as reader:
        refusal: InputError | None = None
        detection: Detection | None = None
        report: LabelReport | None = None
        info = reader.info
        try:
            looked_at = look_ahead(reader, choice)
            found = looked_at.detection
            report = _read(islice(looked_at.frames, frames), found, info, model)
            detection = found
        except InputError as error:
            refusal = error
    facts = _facts(info, detection, report)
    if refusal is not None:
        facts["refusal"] = refusal.sentence(option_words)
    typer.echo(
        json.dumps(facts, indent=2) if as_json else "\n".join(_lines(info, detection, report))
    )
    if refusal is not None:
        raise refusal


def _read(
    frames: Iterator[Frame], detection: Detection, info: VideoInfo, model: str | None
) -> LabelReport:
    from vidtrans.labels.reader import LabelReader
    from vidtrans.labels.report import ReportBuilder
    from vidtrans.model.card_styles import card_scheme

    scheme, label_nc = None, None
    if model is not None:
        from vidtrans.sequence.loading import load_model

        loaded = load_model(model, device="cpu")
        scheme = card_scheme(loaded.card, where=model)
        label_nc = loaded.label_nc or None
    reader = LabelReader(
        detection.scheme,
        detection.encoding,
        scheme,
        label_nc,
        clean_fringe=info.lossy or detection.fringed,
        unknown_ids="unlabeled",
    )
    builder = ReportBuilder(detection.scheme, detection.encoding)
    for frame in frames:
        builder.add(reader.read(frame)[1])
    return builder.report()


def _facts(
    info: VideoInfo, detection: Detection | None, report: LabelReport | None
) -> dict[str, Any]:
    facts = {
        name: str(value) if isinstance(value, Fraction) else value
        for name, value in (
            (field.name, getattr(info, field.name)) for field in dataclasses.fields(info)
        )
    }
    del facts["size_hw"]
    facts |= {"width": info.size_hw[1], "height": info.size_hw[0], "labels": None}
    if detection is not None and report is not None:
        facts["labels"] = {
            **report.to_dict(),
            "confidence": round(detection.confidence, 3),
            "reasons": list(detection.reasons),
            "notes": list(report.notes()),
        }
    return facts


def _lines(
    info: VideoInfo, detection: Detection | None, report: LabelReport | None
) -> Iterator[str]:
    height, width = info.size_hw
    frames = report.frames if report is not None else info.frames
    length = "" if info.duration_s is None else f", {info.duration_s:.2f} s"
    yield f"{info.source}"
    yield f"  size    {width}x{height}" + (f", rotated by {info.rotation}" if info.rotation else "")
    yield (
        f"  rate    {float(info.rate):.6g} frames/s, {'?' if frames is None else frames}"
        f" frames{length}"
    )
    yield f"  pixels  {info.kind}, {info.codec}" + (" (lossy)" if info.lossy else "")
    for remark in info.remarks:
        yield f"  note    {worded(remark, option_words)}"
    if detection is None or report is None:
        yield "  labels  none that can be read"
        return
    yield f"  labels  {detection} ({detection.scheme.title}), {detection.confidence:.0%} sure"
    for reason in detection.reasons:
        yield f"          {reason}"
    yield "  classes"
    for entry in report.classes:
        yield (
            f"    {entry.id:>5}  {entry.name:<24} {entry.share:>8.3%}  in {entry.frames} frames"
            + ("" if entry.matched else "  (the model has no such class)")
        )
    for sentence in report.notes():
        yield f"  note    {sentence}"
