"""One film of labels into one film of pictures: everything that ``vidtrans convert`` does, as a
function."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from vidtrans.atomic_write import cannot_write, discard_folder
from vidtrans.errors import (
    InputError,
    Interrupted,
    Note,
    OutputError,
    Remedy,
    UsageError,
    VidtransError,
)
from vidtrans.frame import Bytes, Frame, LabelFrame, Nv12
from vidtrans.labels.edit import FirstFrame
from vidtrans.labels.report import LabelReport, ReportBuilder
from vidtrans.media.naming import exists, names_pictures, resolve
from vidtrans.media.pngs import FolderWriter, png_names
from vidtrans.media.writer import (
    SegmentWriter,
    is_folder_target,
    join_segments,
    open_segments,
    open_writer,
    tracks_left_out,
)
from vidtrans.pipeline.facts import facts_of
from vidtrans.pipeline.frame_range import FrameRange, frame_range
from vidtrans.pipeline.outputs import (
    FilmOutput,
    FolderOutput,
    Made,
    Output,
    checksum,
    segment_frames,
)
from vidtrans.pipeline.progress import OnProgress, ProgressMeter
from vidtrans.pipeline.runfolder import RunFolder, Span
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.pipeline.setup import Render, open_input
from vidtrans.pipeline.stream import Cancel, Painter, errors_at, painted_stream, read_labels
from vidtrans.sequence.model import Model
from vidtrans.sequence.state import State

OnNote = Callable[[str], None]


_MANY_CUTS, _FEW_FRAMES = 0.25, 8
"""A film of this share of cuts is warned of, unless it has few frames: four frames a scene, at 25
fps, are shorter than any shot of a film."""


@dataclass(frozen=True)
class ConvertSummary:
    """What a run made.

    ``frames``: of the whole output; ``resumed_from``: how many of them an earlier run had made.
    ``cuts``: frames before which this run reset the history. ``seconds``: this run's time.
    ``labels``: what this run read.
    """

    output: Path
    frames: int
    resumed_from: int
    cuts: tuple[int, ...]
    seconds: float
    labels: LabelReport

    @property
    def fps(self) -> float:
        """Frames a second of this run."""
        return (self.frames - self.resumed_from) / self.seconds if self.seconds > 0 else 0.0


def convert(
    settings: ConvertSettings,
    *,
    model: Model | None = None,
    on_progress: OnProgress | None = None,
    on_note: OnNote | None = None,
    on_warning: OnNote | None = None,
    cancel: Cancel | None = None,
) -> ConvertSummary:
    """Translate ``settings.input`` into ``settings.output``: one picture for each frame, with its
    time. Where ``settings`` name a range, the pictures are those of the whole input.

    ``model``: that of ``settings``, loaded already, for many runs in one process.

    The output appears under its name when it is whole. ``on_progress`` is called in the caller's
    thread after each frame that is written; ``on_note`` with sentences for people (what the labels
    are taken for, and why), ``on_warning`` with important ones (ids that a lossy
    codec may have altered). Set ``cancel`` from any thread: the frame at work is finished and all
    that is done is kept, to go on from with ``resume``. The same settings give the same bits on the
    same device, whether the run was interrupted or not.

    Raises UsageError, InputError, ModelError, OutputError; Interrupted after ``cancel``;
    PipelineError for unexpected failures. After any of them no thread is left and the output
    is as it was before.
    """
    began = time.monotonic()
    note = on_note or (lambda sentence: None)
    warn = on_warning or note
    output = Path(settings.output)
    check_paths(settings)
    with ExitStack() as stack:
        render = stack.enter_context(open_input(settings, model=model))
        if render.detection is not None:
            reasons = [
                each for each in render.detection.reasons if each not in render.detection.warnings
            ]
            sure = f"{render.detection.confidence:.0%} sure"
            note(f"Labels are read as {render.detection} ({sure}): {' '.join(reasons)}".strip())
            for warning in render.detection.warnings:
                warn(warning)
        for remark in render.remarks:
            warn(remark)
        chosen = frame_range(settings, render.reader, render.painter)
        name = png_names(_stems(render, chosen))
        run = stack.enter_context(
            RunFolder.open(
                output,
                facts_of(settings, render),
                resume=settings.resume,
                overwrite=settings.overwrite,
                picture=(
                    (lambda index: output / name(index))
                    if is_folder_target(settings.output)
                    else None
                ),
                threads=torch.get_num_threads(),
            )
        )
        stack.enter_context(_threads(run.threads))
        done = run.frames
        if run.published:
            note("An earlier run has finished the output already.")
            run.remove()
            labels = ReportBuilder(render.label_reader.scheme, render.label_reader.encoding)
            return ConvertSummary(output, done, done, (), time.monotonic() - began, labels.report())
        if done:
            note(f"Going on after {done} frames that an earlier run made.")
        report = ReportBuilder(render.label_reader.scheme, render.label_reader.encoding)
        for span in run.damaged:
            warn(
                f"Frames {span.first} to {span.end - 1} of the earlier run are damaged on the disk"
                " and are made again."
            )
            _make_again(settings, render, run, span, chosen, cancel)
        start = _start_after(render, run, run.spans[-1] if done else None, chosen)
        if chosen.history and not done:
            note(
                f"Frames {chosen.origin} to {chosen.first - 1} are painted first, for the history"
                f" of frame {chosen.first}."
            )
        meter = ProgressMeter(_frames_to_paint(render, chosen, done=done), done=done)
        cuts: list[int] = []
        frames = done
        size_hw = _size_hw(settings, render)
        try:
            sink = stack.enter_context(_open_output(settings, render, run, chosen))
            if isinstance(sink, FilmOutput):
                for sentence in tracks_left_out(settings.input, output, settings.audio_codec):
                    warn(sentence)
            stream = stack.enter_context(
                painted_stream(
                    start.frames,
                    render.label_reader,
                    _painter(render, sink.nv12),
                    start.state,
                    instances=start.instances,
                    previous=start.previous,
                    report=report,
                    cancel=cancel,
                )
            )
            try:
                for painted in stream:
                    if painted.index >= chosen.first:
                        with errors_at(painted.index, "translation"):
                            translation = painted.translation()
                        with errors_at(painted.index, "encoding"):
                            sink.write(
                                Made(
                                    _filled(translation.picture, size_hw),
                                    chosen.in_output(translation.time),
                                    painted.read.frame,
                                    painted.state,
                                )
                            )
                        frames += 1
                    if painted.cut:
                        cuts.append(painted.index)
                    if on_progress is not None:
                        on_progress(meter.frame())
            except Interrupted:
                sink.keep()
                raise
            whole = sink.finish()
            if len(cuts) > _MANY_CUTS * (frames - done) and frames - done > _FEW_FRAMES:
                text = (
                    f"{len(cuts)} of {frames - done} frames begin a new scene: the labels change"
                    " so much from frame to frame that hardly any picture remembers the one before."
                    " Labels that flicker, or frames far apart in time, do this."
                )
                remedy = Remedy("Where the past is to be forgotten is told by {scene_cuts}.")
                warn(Note(text, remedy))
        except VidtransError as error:
            _say_what_is_kept(error, run)
            raise
        run.remove()
    return ConvertSummary(
        whole, frames, done, tuple(cuts), time.monotonic() - began, report.report()
    )


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Compute with this many threads; None: with as many as before."""
    before = torch.get_num_threads()
    if number is not None and number != before:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        if number is not None and number != before:
            torch.set_num_threads(before)


def check_paths(settings: ConvertSettings) -> None:
    """Refuse what would be regretted, before any work.

    Raises UsageError where the output would replace one of its own inputs, InputError for a pattern
    that matches no sequence, OutputError where the output exists and neither ``overwrite`` nor
    ``resume`` is given.
    """
    output = Path(settings.output)
    try:
        there = output.exists()
    except OSError as error:  # a name longer than the system takes, a folder that is closed to us
        raise OutputError(cannot_write(error), where=output) from error
    if not is_folder_target(settings.output) and not output.parent.is_dir():
        raise OutputError("cannot be written: its folder does not exist.", where=output)
    for name, source in (
        ("input", settings.input),
        ("instance map", settings.render.instances),
        ("model", settings.render.model),
        *(("first frame", picture) for picture in settings.render.first_frame),
        *(
            ("picture of an edit", edit.picture)
            for edit in settings.render.edits.edits
            if isinstance(edit, FirstFrame)
        ),
    ):
        if source is not None and there and _would_replace(output, source):
            raise UsageError(
                f"the output would replace the {name}.", where=output, hint="Give another output."
            )
    if settings.overwrite or settings.resume or not there:
        return
    if output.is_dir() and not any(output.glob("*.png")):
        return
    what = "holds PNGs already." if output.is_dir() else "exists already."
    raise OutputError(
        what, where=output, remedy=Remedy("Give {overwrite} to replace it, or another name.")
    )


def _would_replace(output: Path, source: str) -> bool:
    """Is ``output`` the ``source`` itself, a picture of it, or a folder that holds one whose name a
    picture would take? Links count as what they lead to."""
    if exists(source) and output.samefile(source):
        return True
    if not names_pictures(source):
        return False
    images = [image for sequence in resolve(source, allow_gaps=True) for image in sequence.files]
    if not output.is_dir():
        return any(output.samefile(image) for image in images if image.exists())
    # A link's own name and the file behind it: neither is to be replaced.
    folders = {
        place.parent
        for image in images
        for place in (image, image.resolve())
        if place.suffix.lower() == ".png" and image.exists()
    }
    return any(output.samefile(folder) for folder in folders)


def _size_hw(settings: ConvertSettings, render: Render) -> tuple[int, int]:
    """The size of the pictures that are written."""
    height, width = render.painter.sizing.scaled_hw
    width *= 2 if settings.render.layer == "compare" else 1
    return (height + height % 2, width + width % 2) if settings.even_sides else (height, width)


def _painter(render: Render, nv12: Nv12 | None) -> Painter:
    """What paints for an output that takes ``nv12``: on a CPU RGB, which FFmpeg's scaler converts
    faster than PyTorch."""
    painter = render.painter
    return replace(painter, nv12=nv12) if _makes_nv12(painter.model) else painter


def _makes_nv12(model: Model) -> bool:
    return model.device.type == "cuda"


def _filled(picture: Bytes, size_hw: tuple[int, int]) -> Bytes:
    """An RGB picture with its last row and column repeated up to a size; NV12 planes have them."""
    if picture.ndim == 2:
        return picture
    bottom, right = size_hw[0] - picture.shape[0], size_hw[1] - picture.shape[1]
    if not (bottom or right):
        return picture
    return np.pad(picture, ((0, bottom), (0, right), (0, 0)), "edge")


def _stems(render: Render, chosen: FrameRange) -> Sequence[str] | None:
    """The names of the pictures that are written; None for 000000, 000001, ..."""
    return render.reader.stems if chosen.stems is None else chosen.stems


def _frames_to_paint(render: Render, chosen: FrameRange, *, done: int) -> int | None:
    """How many frames a run paints in all, with those of the history and those ``done`` before;
    None where that is not known."""
    end = chosen.end if chosen.end is not None else render.frames_expected()
    if end is None:
        return None
    return end - (chosen.first if done else chosen.origin)


def _open_folder(
    settings: ConvertSettings,
    render: Render,
    run: RunFolder,
    first_index: int,
    chosen: FrameRange,
) -> FolderWriter:
    writer = open_writer(
        f"{Path(settings.output)}/",
        size_hw=_size_hw(settings, render),
        rate=render.info.rate,
        time_base=render.info.time_base,
        codec=settings.codec,
        encoder_options=settings.encoder_options,
        pixel_format=settings.pixel_format,
        # PNGs of a run that was killed before it kept a snapshot are made again.
        overwrite=run.overwrite or run.resumed,
        stems=_stems(render, chosen),
        first_index=first_index,
    )
    assert isinstance(writer, FolderWriter)
    return writer


def _open_segments(
    settings: ConvertSettings, render: Render, run: RunFolder, folder: Path, first_segment: int
) -> SegmentWriter:
    return open_segments(
        folder,
        target=Path(settings.output),
        size_hw=_size_hw(settings, render),
        rate=render.info.rate,
        time_base=render.info.time_base,
        codec=settings.codec,
        encoder_options=settings.encoder_options,
        pixel_format=settings.pixel_format,
        sample_aspect=render.painter.sizing.sample_aspect(render.info.sample_aspect),
        first_segment=first_segment,
        overwrite=run.overwrite,
        copy_from=settings.input,
    )


def _open_output(
    settings: ConvertSettings, render: Render, run: RunFolder, chosen: FrameRange
) -> Output:
    every = settings.snapshot_every or segment_frames(_size_hw(settings, render))
    output = Path(settings.output)
    if is_folder_target(settings.output):
        return FolderOutput(run, _open_folder(settings, render, run, run.frames, chosen), every)
    segments = _open_segments(settings, render, run, run.folder, len(run.parts))
    copy_from = settings.input if Path(settings.input).is_file() else None

    def join(parts: tuple[Path, ...]) -> Path:
        return run.publish(
            output,
            lambda whole: join_segments(
                parts,
                whole,
                overwrite=True,
                copy_from=copy_from,
                copy_span=chosen.span,
                audio_codec=settings.audio_codec,
            ),
        )

    return FilmOutput(run, segments, join, every)


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    """Where a run starts: the frames that are still to make, and what is known of those before."""

    frames: Iterator[Frame]
    instances: Iterator[Frame] | None
    state: State
    previous: LabelFrame | None


def _start_after(render: Render, run: RunFolder, span: Span | None, chosen: FrameRange) -> _Start:
    """Where the history of the first frame begins, or after the frames ``span`` that an earlier run
    kept.

    Raises InputError where the input is not the one that the interrupted run began with.
    """
    painter = render.painter
    if span is None:
        frames = render.frames
        if run.damaged or chosen.origin:  # the input is read twice
            render.reader.seek(chosen.origin)
            frames = iter(render.reader)
            if render.instances is not None:
                render.instances.seek(chosen.origin)
        state = render.start()
        if chosen.origin:
            state = painter.model.reset(replace(state, index=chosen.origin))
        return _start(render, frames, chosen, chosen.origin, state, None)
    # One frame early: to see that it is the same input, and to know a cut that comes right after
    # it.
    last = chosen.first + span.end - 1
    time = chosen.in_input(span.times[-1])
    render.reader.seek(last, time)
    frames = iter(render.reader)
    frame = next(frames, None)
    if frame is None or frame.time != time or checksum(frame) != span.checksum:
        raise InputError(
            "is not what the interrupted run began with.",
            where=render.info.source,
            frame=last,
            remedy=Remedy("Give the same input, or {overwrite} without {resume} to start anew."),
        )
    maps = None
    if render.instances is not None:
        render.instances.seek(last)
        maps = [next(iter(render.instances))]
    previous = next(read_labels([frame], render.label_reader, painter, instances=maps))
    state = State.load(run.state_after(span.end))
    return _start(render, frames, chosen, last + 1, state, previous.original)


def _start(
    render: Render,
    frames: Iterator[Frame],
    chosen: FrameRange,
    at: int,
    state: State,
    previous: LabelFrame | None,
) -> _Start:
    """The start at frame ``at``, with which ``frames`` and the instance maps go on."""
    maps = None if render.instances is None else chosen.up_to_end(render.instances, at)
    return _Start(chosen.up_to_end(frames, at), maps, state, previous)


def _make_again(
    settings: ConvertSettings,
    render: Render,
    run: RunFolder,
    span: Span,
    chosen: FrameRange,
    cancel: Cancel | None,
) -> None:
    """Make a damaged part again, painting from the last state before it.

    The same frames from the same state give the same pictures, so the parts after it still follow.
    """
    before = run.span_before(span.first)
    start = _start_after(render, run, before, chosen)
    count = span.end - (before.end if before else -chosen.history)
    folder = run.folder / "again"
    with ExitStack() as stack:
        writer: FolderWriter | SegmentWriter
        if span.file is None:
            writer = stack.enter_context(_open_folder(settings, render, run, span.first, chosen))
        else:
            writer = stack.enter_context(_open_segments(settings, render, run, folder, 0))
        stream = stack.enter_context(
            painted_stream(
                islice(start.frames, count),
                render.label_reader,
                _painter(render, None if isinstance(writer, FolderWriter) else writer.nv12),
                start.state,
                instances=None if start.instances is None else islice(start.instances, count),
                previous=start.previous,
                cancel=cancel,
            )
        )
        for painted in stream:
            if painted.index < chosen.first + span.first:
                continue
            with errors_at(painted.index, "encoding"):
                translation = painted.translation()
                picture = _filled(translation.picture, _size_hw(settings, render))
                writer.write(picture, chosen.in_output(translation.time))
        if isinstance(writer, FolderWriter):
            writer.sync()
            run.replace(span, None)
        else:
            run.replace(span, writer.close_segment())
    discard_folder(folder)


def _say_what_is_kept(error: VidtransError, run: RunFolder) -> None:
    """An error that leaves finished frames behind says so, and how to go on."""
    if run.frames:
        error.kept_frames, error.kept_run = run.frames, run.id
        error.add_remedy(
            Remedy(
                "{frames} finished frames are kept; run again with {resume} to go on.",
                {"frames": str(run.frames)},
            )
        )
