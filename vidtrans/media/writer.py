"""Writes pictures to a film or a folder of PNGs, which is there whole or not at all.

    times = {"rate": info.rate, "time_base": info.time_base}
    with open_writer("street.mp4", size_hw=(512, 1024), **times) as writer:
        for translation in ...:
            writer.write(translation.picture, translation.time)
        writer.finish()

A film is written under a temporary name in the same folder, synced, and renamed by ``finish``;
leaving the ``with`` without ``finish`` (an exception, Ctrl-C) removes it.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from vidtrans.atomic_write import check_free
from vidtrans.errors import InputError, OutputError
from vidtrans.frame import Bytes, FrameTime, Nv12
from vidtrans.media import stream_copy as copy
from vidtrans.media.encoders import CONTAINERS, choose_encoding
from vidtrans.media.encoding import add_encoder, open_container, open_encoder
from vidtrans.media.filmwriter import FilmWriter
from vidtrans.media.naming import is_image_name, is_pattern
from vidtrans.media.pngs import FolderWriter
from vidtrans.media.segments import PacketSegments, join

_LONGEST_NAME = 220
"""Bytes of an output's name in that of its parts, which has at most 255 bytes with the digest of a
longer name and the number of a process."""

__all__ = [
    "SegmentWriter",
    "Writer",
    "is_folder_target",
    "join_segments",
    "open_segments",
    "open_writer",
    "parts_folder",
    "tracks_left_out",
    "try_encoding",
]


class Writer(Protocol):
    """An open output.

    Its methods raise ``OutputError`` with the file. Leaving it without ``finish`` removes what was
    written.
    """

    def write(self, picture: Bytes, time: FrameTime) -> None:
        """Write one picture.

        Args:
            picture: uint8 RGB [H,W,3] of the size that the writer was opened with.
            time: Its timestamp, later than that of the picture before.
        """
        ...

    def finish(self) -> Path:
        """Flush the encoder, sync the file and give it its name; its path."""
        ...

    def abort(self) -> None:
        """Remove what was written, apart from whole PNGs. Safe to call twice and after
        ``finish``."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_writer(
    target: str | Path,
    *,
    size_hw: tuple[int, int],
    rate: Fraction,
    time_base: Fraction,
    codec: str | None = None,
    encoder_options: Mapping[str, str] | None = None,
    pixel_format: str | None = None,
    overwrite: bool = False,
    copy_from: str | Path | None = None,
    sample_aspect: Fraction = Fraction(1),
    container_format: str | None = None,
    stems: Sequence[str] | None = None,
    first_index: int = 0,
) -> Writer:
    """Open a film or a folder of PNGs.

    Args:
        target: A film (mp4, m4v, mov, mkv, webm, avi, nut), or a folder: ``OUT/``, an existing one,
            or a name without suffix.
        size_hw: Height and width of the pictures.
        rate: Average frames a second.
        time_base: The unit of the timestamps, in seconds.
        codec: Any encoder by name; None for libx264 (webm: libvpx-vp9, nut: ffv1); ``auto`` for
            NVENC where it works.
        encoder_options: The encoder's own options by name.
        pixel_format: FFmpeg's name; None for the encoder's usual one.
        overwrite: Whether an existing output may be replaced.
        copy_from: The input film, whose audio, subtitles, attachments, chapters and metadata are
            copied without encoding them again.
        sample_aspect: Width of a pixel over its height.
        container_format: FFmpeg's name of a muxer, in place of the suffix.
        stems: Names of the PNGs without suffix, one for each frame; None for 000000, 000001, ...
        first_index: The first frame that will be written, where PNGs of a resumed run are there
            already.

    Raises:
        OutputError: The output exists already or cannot be written, or encoder, options and
            container do not suit each other.
    """
    path = Path(target)
    if is_folder_target(target) and container_format is None:
        _check_folder_codec(path, codec, encoder_options)
        return FolderWriter(
            path, size_hw=size_hw, overwrite=overwrite, stems=stems, first_index=first_index
        )
    check_free(path, overwrite=overwrite)
    encoding = choose_encoding(
        path,
        size_hw=size_hw,
        rate=rate,
        time_base=time_base,
        codec=codec,
        encoder_options=encoder_options,
        pixel_format=pixel_format,
        sample_aspect=sample_aspect,
        container_format=container_format,
    )
    return FilmWriter(encoding, path, overwrite=overwrite, copy_from=_film(copy_from))


def tracks_left_out(
    source: str | Path, target: str | Path, audio_codec: str = copy.COPY
) -> list[str]:
    """A sentence for each track of the input that the output's container cannot hold, to tell
    before the first frame. ``audio_codec``: as for ``join_segments``.

    Raises:
        InputError: ``source`` cannot be opened.
        UsageError: There is no such encoder of sound, or the container does not hold its sound.
    """
    film, container = _film(source), CONTAINERS.get(Path(target).suffix.lower())
    copy.check_audio_codec(audio_codec, container)
    return (
        []
        if film is None or container is None
        else copy.tracks_left_out(film, container, audio_codec)
    )


def is_folder_target(target: str | Path) -> bool:
    """Whether PNGs go to ``target``: it ends in ``/``, is a folder, or has no suffix."""
    return str(target).endswith("/") or Path(target).is_dir() or not Path(target).suffix


def _film(source: str | Path | None) -> Path | None:
    """The input as a path, where it is a film, which may hold other streams."""
    if source is None or is_pattern(str(source)):
        return None
    path = Path(source)
    return path if path.is_file() and not is_image_name(path) else None


class SegmentWriter(Protocol):
    """Writes a film in segments, for runs that can be resumed.

    Every segment starts with a keyframe and depends on no other.
    """

    @property
    def nv12(self) -> Nv12 | None:
        """The NV12 planes that ``write`` takes without another conversion of colours, as it takes
        RGB pictures; None where there are none."""
        ...

    def write(self, picture: Bytes, time: FrameTime) -> None:
        """See ``Writer.write``."""
        ...

    def close_segment(self) -> Path:
        """Flush the encoder, sync the segment and give it its name; its path.

        The next ``write`` begins another segment. Raises OutputError.
        """
        ...

    def abort(self) -> None:
        """Remove the open segment; closed ones stay."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def parts_folder(target: str | Path) -> Path:
    """The folder of the segments of ``target``: ``.NAME.parts`` beside it."""
    target = Path(target)
    # "." and its like have a name only when written out; a folder and a link to it are one output.
    if target.name in ("", "..") or target.is_dir():
        target = target.resolve()
    name = os.fsencode(target.name)
    if len(name) > _LONGEST_NAME:
        digest = hashlib.blake2b(name, digest_size=6).hexdigest()
        return target.with_name(f".{name[:_LONGEST_NAME].decode('utf-8', 'ignore')}-{digest}.parts")
    return target.with_name(f".{target.name}.parts")


def open_segments(
    parts: str | Path,
    *,
    target: str | Path,
    size_hw: tuple[int, int],
    rate: Fraction,
    time_base: Fraction,
    codec: str | None = None,
    encoder_options: Mapping[str, str] | None = None,
    pixel_format: str | None = None,
    sample_aspect: Fraction = Fraction(1),
    container_format: str | None = None,
    first_segment: int = 0,
    overwrite: bool = False,
    copy_from: str | Path | None = None,
) -> SegmentWriter:
    """Open a folder for segments ``000000.packets``, ``000001.packets``, ... of a film.

    Args:
        parts: The folder; made where it is missing.
        target: The film. It decides the encoding, and appears with ``join_segments``.
        first_segment: The number of the next segment. Later ones, of an interrupted run, are
            removed.
        copy_from: The film whose other streams ``join_segments`` will copy: whether the container
            takes all together is tried before anything is written.

    The other arguments and errors are those of ``open_writer``.
    """
    path = Path(target)
    check_free(path, overwrite=overwrite)
    encoding = choose_encoding(
        path,
        size_hw=size_hw,
        rate=rate,
        time_base=time_base,
        codec=codec,
        encoder_options=encoder_options,
        pixel_format=pixel_format,
        sample_aspect=sample_aspect,
        container_format=container_format,
    )
    return PacketSegments(
        Path(parts),
        encoding,
        path,
        first_segment=first_segment,
        copy_from=_film(copy_from),
    )


def try_encoding(
    target: str | Path,
    *,
    size_hw: tuple[int, int],
    rate: Fraction,
    time_base: Fraction,
    codec: str | None = None,
    encoder_options: Mapping[str, str] | None = None,
    pixel_format: str | None = None,
    audio_codec: str = copy.COPY,
) -> None:
    """Refuse what the encoder and the container of a film would refuse, without writing anything.

    The arguments are those of ``open_segments`` and ``join_segments``.

    Raises:
        OutputError: Encoder, options, size and container do not suit each other, or a folder is to
            hold a film.
        UsageError: There is no such encoder of sound, or the container does not hold its sound.
    """
    path = Path(target)
    if is_folder_target(target):
        _check_folder_codec(path, codec, encoder_options)
        return
    encoding = choose_encoding(
        path,
        size_hw=size_hw,
        rate=rate,
        time_base=time_base,
        codec=codec,
        encoder_options=encoder_options,
        pixel_format=pixel_format,
    )
    with open_container(io.BytesIO(), encoding, path) as container:
        open_encoder(add_encoder(container, encoding, path), encoding, path)
    copy.check_audio_codec(audio_codec, encoding.container)


def _check_folder_codec(
    path: Path, codec: str | None, encoder_options: Mapping[str, str] | None
) -> None:
    if codec not in (None, "png", "auto") or encoder_options:
        raise OutputError(
            "a folder holds PNGs; it takes no encoder.",
            where=path,
            hint="Name a film, such as OUT.mp4.",
        )


def join_segments(
    parts: Sequence[Path],
    target: str | Path,
    *,
    overwrite: bool = False,
    copy_from: str | Path | None = None,
    copy_span: copy.TimeSpan = copy.WHOLE,
    audio_codec: str = copy.COPY,
) -> Path:
    """Mux segments into a film without encoding again. Timestamps are exact, and the segments stay.

    Args:
        parts: The segments in order.
        target: The film.
        overwrite: Whether an existing film may be replaced.
        copy_from: See ``open_writer``.
        copy_span: The part of it whose streams are copied.
        audio_codec: The encoder of its sound where that is in another codec; ``copy`` keeps it.

    Returns:
        The film's path.

    Raises:
        OutputError: A segment is truncated or was encoded with other settings, or the film cannot
            be written.
        InputError: ``copy_from`` is gone.
    """
    if copy_from is not None and not is_pattern(str(copy_from)) and not Path(copy_from).exists():
        raise InputError(
            "is gone, and its sound and other tracks were to be copied.",
            where=copy_from,
            hint="Put it back.",
        )
    return join(
        parts,
        Path(target),
        overwrite=overwrite,
        copy_from=_film(copy_from),
        copy_span=copy_span,
        audio_codec=audio_codec,
    )
