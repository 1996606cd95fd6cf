"""File names of image sequences: natural order, frame numbers, Cityscapes names, patterns, gaps."""

from __future__ import annotations

import errno
import glob
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from vidtrans.errors import InputError, Remedy

IMAGE_SUFFIXES = frozenset(
    {
        ".png",
        ".jpg",
        ".jpeg",
        ".bmp",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".pam",
    }
)
_OTHER_FORMATS = {
    ".tga": "Targa images",
    ".jp2": "JPEG 2000 images",
    ".j2k": "JPEG 2000 images",
    ".exr": "OpenEXR images of floating point",
    ".hdr": "Radiance images of floating point",
    ".npy": "NumPy arrays",
    ".npz": "NumPy archives",
    ".mat": "MATLAB arrays",
    ".gif": "GIF images",
    ".avif": "AVIF images",
    ".heic": "HEIC images",
    ".jxl": "JPEG XL images",
}
"""Suffixes of files that hold labels elsewhere, and what they are."""
_NOT_PICTURES = frozenset({".npy", ".npz", ".mat", ".exr", ".hdr"})
"""Those of them that FFmpeg does not open, or not as ids or colours."""
_CITYSCAPES = re.compile(
    r"(?P<city>.+)_(?P<sequence>\d{6})_(?P<frame>\d{6})_(?P<type>[A-Za-z]\w*)$"
)
_NUMBERED = re.compile(r"(?P<head>.*?)(?P<frame>\d+)(?P<tail>\D*)$")
_PRINTF = re.compile(r"%0?(\d*)d")
_DIGITS = re.compile(r"\d+")
_SECONDS = re.compile(r"(\d{9,11})\.(\d{1,9})(?!\d)")
"""Seconds since 1970 with a fraction, as ROS and others name files."""
_COPY = re.compile(r"(.+?)(?: ?\(\d+\)| - [Cc]opy.*| copy.*)$")
"""The name of a copy that a file manager made: ``000003 (1)``."""
_STAMP = 10**12
"""Frame numbers from here on are time stamps: milliseconds since 1970 or finer. Their steps vary,
and none is missing."""
_LEAST_STEP = Fraction(1, 1000)
"""Seconds between two frames, at least, where names give the times: 1000 frames a second."""
_CUT_STEPS = 10
"""Where gaps are allowed, a gap of more steps than this is a cut: at 25 fps nearly half a second,
in which a car moves by more than its own length."""
_LEAST_SEQUENCE = 3
"""Numbered images from which on single other images of a folder are strays."""

_log = logging.getLogger(__name__)
_TRAILING_DIGITS = re.compile(r"\d+$")


FrameKey = tuple[str, int]
"""A frame among the images of one kind: Cityscapes' sequence (else empty) and the number."""
_STAMP_UNITS = {13: 10**3, 16: 10**6, 19: 10**9}
"""By their digits, time stamps a second: milliseconds, microseconds or nanoseconds since 1970."""


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """Images that follow one another.

    Attributes:
        name: The sequence's name, for messages.
        files: The images in order.
        keys: For each image what it shares with those of other kinds that show the same frame; None
            where its name has no number.
        numbers: Their frame numbers, None where a name has none.
    """

    name: str
    files: tuple[Path, ...]
    keys: tuple[FrameKey | None, ...] = ()
    numbers: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class _NameParts:
    """What a file name says.

    Attributes:
        sequence: The sequence that the image belongs to: what stands before the frame number.
        kind: The kind of image, as a pattern: ``*_gtFine_labelIds.png``.
        frame: The frame number; None where the name holds none.
        cityscapes: The name is one of Cityscapes: ``city_sequence_frame_kind``.
        own_folder: Each image has a folder of its own, whose name ``sequence`` includes.
    """

    sequence: str
    kind: str
    frame: int | None
    cityscapes: bool = False
    own_folder: bool = False


def natural_key(path: Path) -> tuple[tuple[int, int | str], ...]:
    """A sorting key in which frame 2 comes before frame 10."""
    return tuple(
        (0, int(part)) if part.isdecimal() else (1, part.lower())
        for part in re.split(r"(\d+)", str(path))
        if part
    )


def exists(path: str | Path) -> bool:
    """Whether a file or folder of this name is there.

    A name longer than the system takes is no file's: a long value of an option is not taken for a
    path. ``Path.exists`` raises for such a name before Python 3.14.
    """
    try:
        return Path(path).exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def is_image_name(path: Path) -> bool:
    """Whether the suffix is an image's, and the file is not hidden."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def names_pictures(source: str) -> bool:
    """Whether ``source`` is a folder, a pattern or an image, none of which has timestamps."""
    path = Path(source)
    return is_pattern(source) or (exists(path) and path.is_dir()) or is_image_name(path)


def _name_parts(path: Path) -> _NameParts:
    city = _CITYSCAPES.match(path.stem)
    if city:
        return _NameParts(
            f"{city['city']}_{city['sequence']}",
            f"*_{city['type']}{path.suffix}",
            int(city["frame"]),
            True,
        )
    numbered = _NUMBERED.match(path.stem)
    if numbered:
        return _NameParts(
            numbered["head"], f"*{numbered['tail']}{path.suffix}", int(numbered["frame"])
        )
    return _NameParts("", f"*{path.suffix}", None)


def frame_key(path: Path) -> tuple[str, int | str]:
    """What a file shares with the files of other kinds that show the same frame.

    Cityscapes names give city, sequence and frame, other names their last number alone (what is
    written around it often tells the kind: ``img_0001`` beside ``label_0001``), names without a
    number the whole stem.
    """
    parts = _name_parts(path)
    if parts.frame is None:
        return "", path.stem.lower()
    return (parts.sequence if parts.cityscapes else ""), parts.frame


@dataclass(frozen=True, slots=True)
class _Name:
    """A file's name, taken apart at its numbers.

    Attributes:
        path: The file.
        text: The stem, or the folder's name and the stem where each image has a folder of its own.
        numbers: The places of its numbers in ``text``.
    """

    path: Path
    text: str
    numbers: tuple[tuple[int, int], ...]

    @property
    def shape(self) -> tuple[str, ...]:
        """What is the same in the names of images of one kind: all but the numbers."""
        ends = (0, *(end for _, end in self.numbers))
        starts = (*(start for start, _ in self.numbers), len(self.text))
        between = (self.text[end:start] for end, start in zip(ends, starts, strict=True))
        return (str(self.path.parent), *between, self.path.suffix)

    def value(self, column: int) -> int:
        start, end = self.numbers[column]
        digits = self.text[start:end]
        seconds = _SECONDS.fullmatch(digits)
        if seconds:  # in nanoseconds, so that fractions of any length compare
            return int(seconds[1]) * 10**9 + int(seconds[2].ljust(9, "0"))
        return int(digits)


def _take_apart(path: Path, *, own_folder: bool) -> _Name:
    text = f"{path.parent.name}/{path.stem}" if own_folder else path.stem
    stamps = [match.span() for match in _SECONDS.finditer(text)]
    plain = [
        match.span()
        for match in _DIGITS.finditer(text)
        if not any(start <= match.start() < end for start, end in stamps)
    ]
    return _Name(path, text, tuple(sorted(stamps + plain)))


def _parse_names(files: Sequence[Path]) -> dict[Path, _NameParts]:
    """What the names say, the frame number being the one that varies from file to file."""
    own_folder = len(files) > 1 and len({path.parent for path in files}) == len(files)
    own_folder = own_folder and not any(_CITYSCAPES.match(path.stem) for path in files)
    parsed: dict[Path, _NameParts] = {}
    shapes: dict[tuple[str, ...], list[_Name]] = defaultdict(list)
    for path in files:
        name = _take_apart(path, own_folder=own_folder)
        if _CITYSCAPES.match(path.stem) or not name.numbers:
            parsed[path] = _name_parts(path)
            continue
        shape = (str(path.parent.parent), *name.shape[1:]) if own_folder else name.shape
        shapes[shape].append(name)
    for names in shapes.values():
        column = _frame_column(names)
        for name in names:
            start, end = name.numbers[column]
            tail = _DIGITS.sub("*", name.text[end:]) if own_folder else name.text[end:]
            head = name.text[:start]
            if own_folder:
                head = str(name.path.parent.parent / head)
            parsed[name.path] = _NameParts(
                head, f"*{tail}{name.path.suffix}", name.value(column), own_folder=own_folder
            )
    return {path: parsed[path] for path in files}


def _frame_column(names: Sequence[_Name]) -> int:
    """Which of the numbers in names of one shape is the frame's: the last that varies.

    Where every image would then be a sequence of its own, because a number before it varies as
    well, it is the first that is different in every name.
    """
    columns = range(len(names[0].numbers))
    values = [[name.value(column) for name in names] for column in columns]
    varying = [column for column in columns if len(set(values[column])) > 1]
    if not varying:
        return len(columns) - 1
    last = varying[-1]
    heads = {name.text[: name.numbers[last][0]] for name in names}
    if len(heads) == len(names) > 1:
        return next((column for column in varying if len(set(values[column])) == len(names)), last)
    return last


def _without_strays(files: Sequence[Path]) -> list[Path]:
    """The files of a folder without copies of others, and without single images that have no
    number beside numbered ones."""
    stems = {path.stem for path in files}
    copies = [path for path in files if (m := _COPY.match(path.stem)) and m[1] in stems]
    rest = [path for path in files if path not in copies]
    numbered = [path for path in rest if _DIGITS.search(path.stem)]
    strays = [path for path in rest if not _DIGITS.search(path.stem)]
    if len(numbered) < _LEAST_SEQUENCE or len(strays) >= len(numbered):
        strays = []
    for path in sorted([*copies, *strays]):
        _log.warning("%s: is no frame of the numbered images beside it; left out", path)
    left_out = {*copies, *strays}
    return [path for path in files if path not in left_out]


def _numbers_apart(frames: Sequence[int]) -> tuple[int, float]:
    """The most frequent step from number to number, and the share of the steps that are it (0 to
    1)."""
    steps = Counter(b - a for a, b in pairwise(frames))
    step, often = min(steps.items(), key=lambda item: (-item[1], item[0]))
    return step, often / (len(frames) - 1)


def _split(files: Iterable[Path], *, where: str, allow_gaps: bool) -> list[ImageSequence]:
    """The sequences of ``files``, in natural order.

    Raises InputError for several kinds of image, a number that comes twice, or a gap.
    """
    parsed = _parse_names(sorted(files, key=natural_key))
    groups: dict[str, list[Path]] = defaultdict(list)
    for path, parts in parsed.items():
        folder = Path() if parts.own_folder else path.parent
        groups[str(folder / parts.sequence)].append(path)
    mixed = _mixed_kinds(parsed.values())
    if mixed:
        raise InputError(
            f"holds several kinds of image: {', '.join(mixed)}.",
            where=where,
            hint=f"Name one kind with a pattern, such as FOLDER/{mixed[0]}.",
        )
    found: list[ImageSequence] = []
    for name, members in groups.items():
        members = sorted(members, key=lambda path: (parsed[path].frame or 0, natural_key(path)))
        frames = [parsed[path].frame for path in members]
        numbers = [frame for frame in frames if frame is not None]
        keys = tuple(_key_of(parsed[path]) for path in members)
        if len(numbers) < len(members) or len(numbers) < 2:
            found.append(ImageSequence(name, tuple(members), keys, tuple(frames)))
            continue
        for (first, a), (second, b) in pairwise(zip(members, numbers, strict=True)):
            if a == b:
                raise InputError(
                    f"{first.name} and {second.name} have the same number.", where=where
                )
        step, share = _numbers_apart(numbers)
        if parsed[members[0]].cityscapes and share < 0.5:
            # Annotated stills out of a longer drive: no two of them follow one another.
            found.extend(
                ImageSequence(str(path.with_suffix("")), (path,), (key,), (number,))
                for path, key, number in zip(members, keys, numbers, strict=True)
            )
            continue
        if not allow_gaps and numbers[0] < _STAMP:
            _refuse_gaps(members, numbers, step, where)
        found.extend(
            _cut_at_gaps(ImageSequence(name, tuple(members), keys, tuple(numbers)), numbers)
        )
    return found


def _key_of(parts: _NameParts) -> FrameKey | None:
    if parts.frame is None:
        return None
    return (parts.sequence if parts.cityscapes else "", parts.frame)


def stamps_of(sequences: Sequence[ImageSequence]) -> tuple[Fraction, ...] | None:
    """The times that names tell which are time stamps, in seconds from the first; None where they
    are none, or do not grow from image to image."""
    numbers = [number for sequence in sequences for number in sequence.numbers]
    known = [number for number in numbers if number is not None]
    digits = {len(str(number)) for number in known}
    unit = _STAMP_UNITS.get(digits.pop()) if len(digits) == 1 else None
    if unit is None or len(known) < max(2, len(numbers)):
        return None
    if any(b - a < _LEAST_STEP * unit for a, b in pairwise(known)):
        return None
    return tuple(Fraction(number - known[0], unit) for number in known)


def _cut_at_gaps(sequence: ImageSequence, numbers: Sequence[int]) -> list[ImageSequence]:
    """The sequences between gaps of many frames."""
    name, files = sequence.name, sequence.files
    steps = sorted(b - a for a, b in pairwise(numbers))
    usual = steps[len(steps) // 2]
    starts = [
        0,
        *(at for at, (a, b) in enumerate(pairwise(numbers), 1) if b - a > _CUT_STEPS * usual),
        len(files),
    ]
    return [
        ImageSequence(
            name if a == 0 else f"{name}{numbers[a]}",
            files[a:b],
            sequence.keys[a:b],
            sequence.numbers[a:b],
        )
        for a, b in pairwise(starts)
    ]


def _mixed_kinds(parsed: Iterable[_NameParts]) -> list[str]:
    """The kinds of image that share a frame of a sequence (``0001_color`` beside ``0001_ids``)."""
    kinds: dict[tuple[str, int], set[str]] = defaultdict(set)
    for parts in parsed:
        if parts.frame is not None:
            kinds[parts.sequence, parts.frame].add(parts.kind)
    return sorted({kind for found in kinds.values() if len(found) > 1 for kind in found})


def _refuse_gaps(files: Sequence[Path], numbers: Sequence[int], step: int, where: str) -> None:
    for (before, a), b in zip(zip(files, numbers, strict=True), numbers[1:], strict=False):
        if b - a != step:
            raise InputError(
                f"{_renumbered(before, a, a + step)} is missing (after {before.name}).",
                where=where,
                hint="Put it there, or renumber the files.",
                remedy=Remedy("{allow_gaps} reads on over the gap."),
            )


def _renumbered(path: Path, old: int, new: int) -> str:
    """The file's name with another frame number of as many digits."""
    spots = [match for match in re.finditer(r"\d+", path.stem) if int(match[0]) == old]
    spot = spots[-1]
    return (
        f"{path.stem[: spot.start()]}{new:0{len(spot[0])}d}{path.stem[spot.end() :]}{path.suffix}"
    )


def is_pattern(source: str) -> bool:
    """Whether ``source`` is a printf or glob pattern, and no existing file's or folder's name."""
    return bool(_PRINTF.search(source) or glob.has_magic(source)) and not exists(source)


def resolve(source: str | Path, *, allow_gaps: bool = False) -> list[ImageSequence]:
    """Find the image sequences of a folder, an image or a pattern.

    Args:
        source: A folder, an image, or a printf (``frame_%06d.png``) or glob (``*_labelIds.png``)
            pattern.
        allow_gaps: Accept sequences whose numbers have gaps.

    Returns:
        The sequences in the order in which they are read.

    Raises:
        InputError: Nothing is found, one folder holds several kinds of image, a number comes twice,
            or one is missing. The sentence names the file.
    """
    text = str(source)
    path = Path(source)
    if exists(path) and path.is_dir():
        files = [child for child in path.iterdir() if is_image_name(child) and _is_file(child)]
        if not files:
            raise InputError("holds no images." + _elsewhere(path), where=text)
        files = _without_strays(files)
    elif _PRINTF.search(text) and not exists(path):
        files = _printf_files(path)
    elif glob.has_magic(text) and not exists(path):
        names = glob.glob(_literal_folders(path), recursive=True)  # noqa: PTH207
        files = [Path(name) for name in names if _is_file(Path(name))]
        others = sorted(name for name in files if not is_image_name(name))
        if others:
            raise InputError(f"matches {others[0].name}, which is no image.", where=text)
    else:
        files = [path]
    if not files:
        raise InputError("matches no file.", where=text)
    return _split(files, where=text, allow_gaps=allow_gaps)


def _is_file(path: Path) -> bool:
    """Whether it is a file, or a link to one. Raises InputError for a link to nothing."""
    if path.is_symlink() and is_image_name(path) and not path.exists():
        raise InputError(f"is a link to {path.readlink()}, which does not exist.", where=path)
    return path.is_file()


def _literal_folders(pattern: Path) -> str:
    """A glob pattern in which the names of existing folders are literal: they may have brackets."""
    done = Path(pattern.anchor)
    parts = list(pattern.parts[1:] if pattern.anchor else pattern.parts)
    literal = []
    while len(parts) > 1 and (done / parts[0]).is_dir():
        done /= parts[0]
        literal.append(glob.escape(parts.pop(0)))
    return str(Path(pattern.anchor, *literal, *parts))


def other_format(path: Path) -> str | None:
    """What a file holds whose suffix is that of arrays or of floating-point images; else None."""
    suffix = path.suffix.lower()
    return _OTHER_FORMATS[suffix] if suffix in _NOT_PICTURES else None


def _elsewhere(folder: Path) -> str:
    inside = [
        child.name
        for child in sorted(folder.iterdir())
        if child.is_dir() and any(map(is_image_name, child.iterdir()))
    ]
    others = sorted({c.suffix.lower() for c in folder.iterdir()} & _OTHER_FORMATS.keys())
    if others:
        return (
            f" It holds {_OTHER_FORMATS[others[0]]} ({others[0]}), which are not read. Convert them"
            " to PNG, whose values stay as they are."
        )
    return (
        f" Its folder {inside[0]} does: name that one, or a pattern such as '*/*.png'."
        if inside
        else ""
    )


def _printf_files(pattern: Path) -> list[Path]:
    if len(_PRINTF.findall(pattern.name)) != 1 or _PRINTF.search(str(pattern.parent)):
        raise InputError(
            "a pattern has one number, in the file's name, such as frame_%06d.png.", where=pattern
        )
    head, width, tail = _PRINTF.split(pattern.name)
    if not pattern.parent.is_dir():
        raise InputError("its folder does not exist.", where=pattern)
    digits = rf"\d{{{int(width)},}}" if width else r"(?:0|[1-9]\d*)"
    shape = re.compile(
        f"{re.escape(head.replace('%%', '%'))}({digits}){re.escape(tail.replace('%%', '%'))}"
    )
    return [c for c in pattern.parent.iterdir() if shape.fullmatch(c.name) and _is_file(c)]


@dataclass(frozen=True, slots=True)
class NamedSequence:
    """One of the image sequences in a folder.

    Attributes:
        name: What stands before the frame number; empty where names are numbers alone.
        kind: What stands behind it (``gtFine_labelIds``); empty where nothing does.
        files: The paths of the images in order.
        source: The path or pattern with which ``open_reader`` reads exactly these.
    """

    name: str
    kind: str
    files: tuple[str, ...]
    source: str


def named_sequences(folder: str, names: Iterable[str]) -> list[NamedSequence]:
    """Sort the images of one folder into sequences, by their names alone.

    Images of Cityscapes that are annotated stills, of which no two follow one another, are
    sequences of one picture each, and so are images without a number beside numbered ones.

    Args:
        folder: The folder's path or URL.
        names: The names of its images.

    Returns:
        The sequences, in natural order.
    """
    groups: dict[tuple[str, str], list[tuple[Path, _NameParts]]] = defaultdict(list)
    for path in sorted(map(Path, names), key=natural_key):
        parts = _name_parts(path)
        groups[parts.sequence, parts.kind].append((path, parts))
    top = folder.rstrip("/")
    found: list[NamedSequence] = []
    for (name, kind), members in groups.items():
        files = tuple(f"{top}/{path.name}" for path, _ in members)
        numbers = [parts.frame for _, parts in members if parts.frame is not None]
        apart = members[0][1].cityscapes and len(members) > 1 and _numbers_apart(numbers)[1] < 0.5
        if len(groups) == 1 and not apart:
            found.append(NamedSequence(name, _without_suffix(kind), files, folder))
        elif apart or not numbers or len(members) == 1:
            found.extend(
                NamedSequence(_stem_before(path, kind), _without_suffix(kind), (file,), file)
                for file, (path, _) in zip(files, members, strict=True)
            )
        else:
            source = f"{top}/{_printf_pattern(members)}"
            found.append(NamedSequence(name, _without_suffix(kind), files, source))
    return found


def _without_suffix(kind: str) -> str:
    return Path(kind).stem.lstrip("*_-. ")


def _stem_before(path: Path, kind: str) -> str:
    """The stem of an image without what tells its kind."""
    return path.stem.removesuffix(Path(kind).stem.lstrip("*")) or path.stem


def _printf_pattern(members: Sequence[tuple[Path, _NameParts]]) -> str:
    """A printf pattern that matches exactly these names of one sequence."""
    path, parts = members[0]
    tail = parts.kind.removeprefix("*")
    head = path.name.removesuffix(tail)
    digits = [_TRAILING_DIGITS.search(other.name.removesuffix(tail)) for other, _ in members]
    texts = [found[0] for found in digits if found]
    padded = any(len(text) > 1 and text.startswith("0") for text in texts)
    width = f"0{min(map(len, texts))}" if padded else ""
    start = head[: len(head) - len(texts[0])]
    return f"{start.replace('%', '%%')}%{width}d{tail.replace('%', '%%')}"
