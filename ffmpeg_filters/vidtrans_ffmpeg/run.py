"""The filter: frames from one pipe, pictures into another, painted as ``vidtrans convert`` does."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from av import VideoFrame
from av.codec import Codec
from av.video.reformatter import ColorRange

from vidtrans.errors import InputError, Interrupted, UsageError, VidtransError
from vidtrans.frame import FrameTime, VideoInfo
from vidtrans.media.films import FilmReader
from vidtrans.media.pixels import ColourTags
from vidtrans.media.reader import MAX_SIDE
from vidtrans.media.truncation import frame_bytes
from vidtrans.pipeline.settings import RenderSettings, WithRender
from vidtrans.startup import loading_modules
from vidtrans_ffmpeg.demuxing import RawVideoFormat, open_input, probe_container
from vidtrans_ffmpeg.held_frame import MOVING_PIPE_BYTES, HeldFrame, can_hold
from vidtrans_ffmpeg.muxing import (
    Muxer,
    MuxerSettings,
    NutMuxer,
    Picture,
    can_pass_through,
    open_muxer,
)
from vidtrans_ffmpeg.pipes import CancelEvent, InputPipe, OutputPipe, enlarge
from vidtrans_ffmpeg.plain_frames import PlainFrames

if TYPE_CHECKING:  # torch takes seconds to import, and the identity does without
    from vidtrans.pipeline.setup import Render
    from vidtrans.sequence.model import Model

_log = logging.getLogger(__name__)

IDENTITY = "identity"
"""The model name for no model: frames are passed through, to try and to measure the pipes."""


class FilterSettings(WithRender):
    """The settings of ``vidtrans-filter``.

    Attributes:
        format: The container that comes in, or ``auto``: by its first bytes.
        raw: What ``rawvideo`` does not say of itself.
        tags: Matrix and range of YUV that comes in.
        output_format: The container that goes out; None for the one that came in.
        output_pixel_format: ffmpeg's name; None for ``rgb24`` (y4m: ``yuv420p``).
        output_matrix: Of YUV that goes out; None: by its height.
        output_full_range: Of YUV that goes out.
    """

    format: str = "auto"
    raw: RawVideoFormat | None = None
    tags: ColourTags = ColourTags()
    output_format: str | None = None
    output_pixel_format: str | None = None
    output_matrix: Literal["bt709", "bt601"] | None = None
    output_full_range: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OutputFrame:
    """A picture to write.

    Attributes:
        pixels: uint8 RGB [H,W,3]; from the identity also grey [H,W] or a decoded frame.
        time: The timestamp of the input frame.
    """

    pixels: Picture
    time: FrameTime


def run_filter(
    settings: FilterSettings, source: InputPipe, target: OutputPipe, cancel: CancelEvent
) -> int:
    """Read a pipe to its end and write a picture for every frame.

    Args:
        settings: What to do.
        source: The input.
        target: The output.
        cancel: Ends the run when it is set.

    Returns:
        The number of pictures.

    Raises:
        InputError: The input cannot be read. The pictures of all frames before are written.
        ModelError: The model cannot be used.
        UsageError: Settings that do not suit the input.
        OutputError: The output cannot be written.
        ReaderGone: The reader of the output has closed it.
        Interrupted: ``cancel`` is set.
    """
    with contextlib.ExitStack() as stack:
        model = _model(settings.render)
        _stop_if(cancel)
        try:
            name = probe_container(source) if settings.format == "auto" else settings.format
            _stop_if(cancel)
            reader: FilmReader = stack.enter_context(
                open_input(
                    source,
                    cancel,
                    name,
                    max_side=MAX_SIDE,
                    raw=settings.raw,
                    tags=settings.tags,
                    skip_damaged=settings.render.skip_damaged,
                    stream=settings.render.stream,
                )
            )
        except InputError:
            _stop_if(cancel)  # its reads ended because of the signal
            raise
        if model is None or model.label_nc:
            _warn_of_losses(reader.info, name)
        aspect = reader.info.sample_aspect
        if model is None:
            outputs = _identity(settings, reader, name)
        else:
            # Imported here: torch takes seconds, and the identity does without.
            from vidtrans.pipeline.setup import open_render

            # From one frame: the next may come only after this one was written.
            render = stack.enter_context(
                open_render(reader, settings.render, model=model, look_ahead=1)
            )
            aspect = render.painter.sizing.sample_aspect(aspect)
            outputs = stack.enter_context(contextlib.closing(_translated(render)))
        count = 0
        muxer = None
        passage: _Passage | None = None
        try:
            for picture in outputs:
                _stop_if(cancel)
                if muxer is None:
                    muxer = open_muxer(
                        target, _muxer_settings(settings, reader.info, name, picture.pixels, aspect)
                    )
                    passage = stack.enter_context(
                        _open_passage(reader, picture.pixels, muxer, source, target)
                    )
                muxer.write(picture.pixels, picture.time)
                count += 1
                while passage is not None and passage.pass_on(count):
                    _stop_if(cancel)
                    count += 1
            _stop_if(cancel)
        except VidtransError as error:
            if cancel.is_set():
                raise Interrupted("interrupted.") from error
            if muxer is not None and isinstance(error, InputError):
                muxer.finish()  # the frames before are whole, and the muxer may hold the last one
            raise
        else:
            if muxer is not None:
                muxer.finish()
        finally:
            target.closed = True
    return count


def _stop_if(cancel: CancelEvent) -> None:
    if cancel.is_set():
        raise Interrupted("interrupted.")


def _warn_of_losses(info: VideoInfo, name: str) -> None:
    if not info.lossy:
        return
    codec = Codec(info.codec, "r")
    if codec.lossless and not codec.lossy:
        _log.warning(
            "colours come in with subsampled chroma, which blurs them along edges; NUT with"
            " -pix_fmt rgb24 does not"
        )
    else:
        _log.warning(
            "labels come in through a lossy codec (%s), which alters them; "
            "give ffmpeg -c:v rawvideo (or ffv1) before -f %s",
            info.codec, name,
        )  # fmt: skip


def _model(render: RenderSettings) -> Model | None:
    if render.model == IDENTITY:
        refused: dict[str, object] = {
            "instances": render.instances, "first frames": render.first_frame,
            "size": render.size_hw,
            "edits": render.edits, "seed": render.seed is not None,
        }  # fmt: skip
        for what, given in refused.items():
            if given:
                raise UsageError(f"the identity takes no {what}.")
        return None
    with loading_modules():
        from vidtrans.sequence.loading import load_model

    return load_model(
        render.model,
        device=render.device,
        precision=render.precision,
        seed=render.seed,
    )


def _identity(settings: FilterSettings, reader: FilmReader, name: str) -> Iterator[OutputFrame]:
    """The input's frames: unchanged where the container takes them, else as arrays.

    There is no thread here: nothing is left to do while a frame is read.
    """
    container = settings.output_format or name
    converts = settings.output_pixel_format or settings.output_matrix or settings.output_full_range
    if (
        not converts
        and settings.tags == ColourTags()
        and can_pass_through(container, reader.pixel_format)
    ):
        return (OutputFrame(picture, time) for picture, time in reader.pictures())
    return (
        OutputFrame(f.pixels if f.palette is None else f.palette[f.pixels], f.time) for f in reader
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Passage:
    """The way of frames that are passed on without being decoded."""

    reader: FilmReader
    frames: PlainFrames
    held: HeldFrame
    muxer: NutMuxer

    def pass_on(self, given: int) -> bool:
        """Pass the next frame on; False where the reader has to go on.

        Args:
            given: Frames before it.
        """
        pts = self.frames.take(self.held, given)
        if pts is None:
            return False
        self.muxer.pass_on(self.held, self.reader.count_taken(pts))
        return True


@contextlib.contextmanager
def _open_passage(
    reader: FilmReader, first: Picture, muxer: Muxer, source: InputPipe, target: OutputPipe
) -> Iterator[_Passage | None]:
    """Pass the frames behind ``first`` on without decoding them. Yields None where they have to be
    decoded."""
    frames = reader.packet_source
    if (
        not isinstance(first, VideoFrame)
        or not isinstance(muxer, NutMuxer)
        or not isinstance(frames, PlainFrames)
        or frames.size != frame_bytes(first.format)
        or not muxer.takes_frames_of(frames.stream)
        or not can_hold(source, target)
    ):
        yield None
        return
    with contextlib.closing(HeldFrame(frames.size)) as held:
        if not held.moves_pages:
            yield None
            return
        for pipe in (source, target):
            enlarge(pipe.fd, MOVING_PIPE_BYTES)
        yield _Passage(reader, frames, held, muxer)


def _translated(render: Render) -> Generator[OutputFrame, None, None]:
    from vidtrans.labels.report import ReportBuilder
    from vidtrans.pipeline.stream import translate_stream

    if render.detection is not None:
        _log.info("labels are read as %s: %s", render.detection, " ".join(render.detection.reasons))
        for warning in render.detection.warnings:
            _log.warning("%s", warning)
    for remark in render.remarks:
        _log.warning("%s", remark)
    report = ReportBuilder(render.label_reader.scheme, render.label_reader.encoding)
    translations = translate_stream(
        render.frames,
        render.label_reader,
        render.painter,
        instances=render.instances,
        state=render.start(),
        report=report,
    )
    with contextlib.closing(translations):
        for translation in translations:
            yield OutputFrame(translation.picture, translation.time)
    for sentence in report.report().notes():
        _log.warning("%s", sentence)


def _muxer_settings(
    settings: FilterSettings, info: VideoInfo, name: str, pixels: Picture, aspect: Fraction
) -> MuxerSettings:
    """The stream that goes out, by the first picture, whose size depends on layer and settings,
    and whose pixels have this ``aspect``."""
    common = MuxerSettings(
        container=settings.output_format or name,
        kind="rgb",
        size_hw=info.size_hw,
        rate=Fraction(info.rate),
        time_base=info.time_base,
        sample_aspect=info.sample_aspect,
        pixel_format=settings.output_pixel_format,
        matrix=settings.output_matrix,
        full_range=settings.output_full_range,
    )
    if isinstance(pixels, VideoFrame):
        return replace(
            common,
            pixel_format=pixels.format.name,
            full_range=pixels.color_range == ColorRange.JPEG,
        )
    kind: Literal["rgb", "grey8", "grey16"] = "rgb"
    if pixels.ndim == 2:
        kind = "grey8" if pixels.dtype == np.uint8 else "grey16"
    return replace(
        common, kind=kind, size_hw=(pixels.shape[0], pixels.shape[1]), sample_aspect=aspect
    )
