"""Writes a film: encodes, muxes, copies the input's other streams, and renames at the end."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av.error
import numpy as np
from av.packet import Packet

from vidtrans.atomic_write import PartialFile, cannot_write
from vidtrans.errors import OutputError, Remedy
from vidtrans.frame import Bytes, FrameTime
from vidtrans.media.encoders import Encoding
from vidtrans.media.encoding import (
    PictureEncoder,
    add_encoder,
    open_container,
    open_encoder,
    write_header,
)
from vidtrans.media.stream_copy import COPY, WHOLE, StreamCopier, TimeSpan, tracks_left_out

_log = logging.getLogger(__name__)


class FilmMuxer:
    """Muxes the packets of one encoder and the streams copied from another file.

    Args:
        encoding: Encoder and container.
        target: The file, which appears with ``commit``.
        overwrite: Whether an existing file may be replaced.
        copy_from: A film whose audio, subtitles, attachments, chapters and metadata are copied.
        copy_span: The part of it that is copied.
        audio_codec: The encoder of its sound; ``copy`` keeps it as it is.

    Attributes:
        stream: The video stream, whose packets ``mux`` takes.

    Raises:
        OutputError: ``target`` may not be written, or encoder and container refuse each other.
    """

    def __init__(
        self,
        encoding: Encoding,
        target: Path,
        *,
        overwrite: bool,
        copy_from: Path | None,
        copy_span: TimeSpan = WHOLE,
        audio_codec: str = COPY,
    ) -> None:
        if copy_from is not None and target.exists() and target.samefile(copy_from):
            raise OutputError("is the input itself.", where=target, hint="Choose another name.")
        self._target = target
        self._tracks: StreamCopier | None = None
        self._sink = PartialFile(target, overwrite=overwrite)
        self._done = False
        try:
            self._container = open_container(self._sink, encoding, target)
            self.stream = add_encoder(self._container, encoding, target)
            if copy_from is not None:
                self._tracks = StreamCopier(
                    copy_from,
                    self._container,
                    self.stream,
                    span=copy_span,
                    audio_codec=audio_codec,
                )
            open_encoder(self.stream, encoding, target)
            write_header(self._container, target)
        except BaseException:
            self.discard()
            raise

    def mux(self, packets: Iterable[Packet[Any]]) -> None:
        """Write packets of ``stream``, and the other streams' packets that come before them.

        Raises OutputError.
        """
        with self._writing():
            for packet in packets:
                if self._tracks is not None and packet.dts is not None:
                    self._tracks.copy_until(packet.dts * packet.time_base)
                self._container.mux(packet)

    def commit(self) -> Path:
        """Write the trailer, sync the file and give it its name. Raises OutputError."""
        with self._writing():
            if self._tracks is not None:
                self._tracks.copy_until(None)
            self._container.close()
        self._close_tracks()
        self._done = True
        return self._sink.commit()

    def discard(self) -> None:
        """Remove what was written.

        The file is closed before the container: PyAV writes the trailer of a container that is
        collected, unless its file is closed.
        """
        if not self._done:
            self._done = True
            self._sink.discard()
            self._close_tracks()

    def _close_tracks(self) -> None:
        tracks, self._tracks = self._tracks, None
        if tracks is not None:
            tracks.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            if isinstance(error, OutputError):
                raise
            cause = self._sink.error or error
            raise OutputError(cannot_write(cause), where=self._target) from error
        if self._sink.error is not None:
            raise OutputError(
                cannot_write(self._sink.error), where=self._target
            ) from self._sink.error


def try_film(encoding: Encoding, target: Path, *, copy_from: Path | None) -> None:
    """Make a film of one black picture in memory, with the other streams' headers.

    Which codecs, pixel formats, sizes and tracks a muxer takes together is known for certain only
    by trying; a run of hours should not learn it at its end.

    Raises:
        OutputError: Encoder, container or tracks refuse each other.
    """
    # The index is moved to the front by opening the file again, which has no name here.
    trial = replace(encoding, container_options={})
    tracks = None
    container = open_container(io.BytesIO(), trial, target)
    try:
        stream = add_encoder(container, trial, target)
        if copy_from is not None:
            tracks = StreamCopier(copy_from, container, stream)
        open_encoder(stream, trial, target)
        write_header(container, target)
        pictures = PictureEncoder(stream, trial, target)
        black = np.zeros((*trial.size_hw, 3), np.uint8)
        for packets in (pictures.encode(black, FrameTime(0, trial.time_base)), pictures.flush()):
            container.mux(packets)
        container.close()
    except (av.error.FFmpegError, ValueError, NotImplementedError) as error:
        if isinstance(error, OutputError):
            raise
        height, width = trial.size_hw
        raise OutputError(
            f"{encoding.codec} in {encoding.pixel_format} of {width}x{height} pixels cannot be"
            f" written to a {encoding.container} file.",
            where=target,
            remedy=Remedy("Choose another {codec} or {pixel_format}, or another suffix."),
        ) from error
    finally:
        if tracks is not None:
            tracks.close()


class FilmWriter:
    """A ``Writer`` of one film. See ``vidtrans.media.writer.open_writer``."""

    def __init__(
        self,
        encoding: Encoding,
        target: Path,
        *,
        overwrite: bool = False,
        copy_from: Path | None = None,
    ) -> None:
        self.encoding = encoding
        for sentence in tracks_left_out(copy_from, encoding.container) if copy_from else ():
            _log.warning("%s", sentence)
        self._muxer = FilmMuxer(encoding, target, overwrite=overwrite, copy_from=copy_from)
        self._pictures = PictureEncoder(self._muxer.stream, encoding, target)
        self._target = target
        self._written = 0

    def write(self, picture: Bytes, time: FrameTime) -> None:
        """See ``Writer.write``."""
        try:
            packets = self._pictures.encode(picture, time)
        except (av.error.FFmpegError, ValueError) as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(
                f"the encoder failed: {error}.", where=self._target, frame=self._written
            ) from error
        self._muxer.mux(packets)
        self._written += 1

    def finish(self) -> Path:
        """See ``Writer.finish``."""
        if not self._written:
            self.abort()
            raise OutputError("is not written: there was no picture to write.", where=self._target)
        try:
            self._muxer.mux(self._pictures.flush())
            return self._muxer.commit()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """See ``Writer.abort``."""
        self._muxer.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()
