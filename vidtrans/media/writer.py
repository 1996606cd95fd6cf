"""Pictures out: a film or a folder of PNGs, whole under its name or not there at all.

    times = {"rate": info.rate, "time_base": info.time_base}
    with open_writer("street.mp4", size_hw=(512, 1024), **times) as writer:
        for translation in ...:
            writer.write(translation.picture, translation.time)
        writer.finish()

A film is written under a temporary name in the same folder, synced, and renamed by ``finish``;
leaving the ``with`` without ``finish`` (an exception, Ctrl-C) removes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from vidtrans.atomic_write import check_free
from vidtrans.errors import OutputError
from vidtrans.frame import Bytes, FrameTime
from vidtrans.media.encoders import choose_encoding
from vidtrans.media.filmwriter import FilmWriter
from vidtrans.media.naming import is_image_name, is_pattern
from vidtrans.media.pngs import FolderWriter
from vidtrans.media.segments import PacketSegments, join, remove_parts

__all__ = [
    "SegmentWriter",
    "Writer",
    "is_folder_target",
    "join_segments",
    "open_segments",
    "open_writer",
    "parts_folder",
    "remove_parts",
]


class Writer(Protocol):
    """An open output. Errors are ``OutputError`` with the file and one sentence; nothing is left
    behind after one."""

    def write(self, picture: Bytes, time: FrameTime) -> None:
        """``picture``: uint8 RGB [H,W,3] of the size that was announced; ``time`` must grow from
        picture to picture."""
        ...

    def finish(self) -> Path:
        """Flush, sync, rename: the output is there, whole. Returns its path."""
        ...

    def abort(self) -> None:
        """Drop what was written (PNGs that are whole stay). Safe to call twice and after
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
    """Open a film (by suffix: mp4, mov, mkv, webm, avi, nut) or, for ``OUT/`` or no suffix, a
    folder of PNGs.

    ``codec``: any encoder by name; None: libx264 (webm: libvpx-vp9); "auto": NVENC where there is
    one, else libx264. ``copy_from``: the input film, whose audio, subtitles, attachments, chapters
    and metadata are copied as they are. ``stems``: names of the PNGs, one for each frame (else
    000000.png, ...). ``first_index``: the first frame that will be written, where PNGs of a resumed
    run are there already. Raises OutputError before anything is read: exists already, no such
    folder, not writable, no such encoder or option.
    """
    path = Path(target)
    if is_folder_target(target) and container_format is None:
        if codec not in (None, "png", "auto") or encoder_options:
            raise OutputError(
                "a folder holds PNGs; it takes no encoder.",
                where=path,
                hint="Name a film, such as OUT.mp4.",
            )
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


def is_folder_target(target: str | Path) -> bool:
    """``OUT/``, a folder that exists, or a name without suffix: PNGs go there."""
    return str(target).endswith("/") or Path(target).is_dir() or not Path(target).suffix


def _film(source: str | Path | None) -> Path | None:
    """The input, where it is a film that can have other tracks."""
    if source is None or is_pattern(str(source)):
        return None
    path = Path(source)
    return path if path.is_file() and not is_image_name(path) else None


class SegmentWriter(Protocol):
    """A film in closed pieces, for runs that can be resumed: every piece starts with a key frame
    and is whole."""

    def write(self, picture: Bytes, time: FrameTime) -> None: ...
    def close_segment(self) -> Path:
        """Close the piece: encoded to its last picture, synced and renamed. The next ``write``
        begins another."""
        ...

    def abort(self) -> None:
        """Drop the open piece; closed ones stay."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def parts_folder(target: str | Path) -> Path:
    """Where the pieces of ``target`` lie: ``.NAME.parts`` beside it."""
    target = Path(target)
    if target.name in ("", ".."):  # "." and its like, which have a name only when written out
        target = target.resolve()
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
) -> SegmentWriter:
    """Pieces 000000.packets, 000001.packets, ... in ``parts`` (made if missing), encoded as for
    ``target``.

    ``first_segment``: the number of the next piece; later pieces that a broken run left are
    removed. Raises OutputError as ``open_writer`` does.
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
    return PacketSegments(Path(parts), encoding, path, first_segment=first_segment)


def join_segments(
    parts: Sequence[Path],
    target: str | Path,
    *,
    overwrite: bool = False,
    copy_from: str | Path | None = None,
) -> Path:
    """Join pieces into ``target`` without encoding again, every picture with its exact time. The
    pieces stay.

    Raises OutputError for a piece that is truncated or was encoded with other settings.
    """
    return join(parts, Path(target), overwrite=overwrite, copy_from=_film(copy_from))
