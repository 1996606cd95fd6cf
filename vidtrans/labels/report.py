"""What was read as labels: in one frame, and in a whole input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vidtrans.labels.scheme import Scheme

_SHOWN_RANGES = 8
"""Ranges of damaged frames that a sentence names."""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What one frame held.

    Attributes:
        index: the frame, 0-based.
        pixels: the number of its pixels.
        counts: scheme id -> pixels, after cleaning.
        unreadable: pixels whose colour is within the tolerance of no class. They took their
            neighbours' class, or unlabeled where no neighbour was certain.
        cleaned: pixels that the vote along edges changed.
        unmatched: class name -> pixels, for classes that the model does not have.
        unknown_ids: id -> pixels, for ids that the scheme or the model does not have, where these
            are read as unlabeled.
        held: whether the frame is damaged, and the labels are those of a frame near it.
    """

    index: int
    pixels: int
    counts: Mapping[int, int] = field(default_factory=dict)
    unreadable: int = 0
    cleaned: int = 0
    unmatched: Mapping[str, int] = field(default_factory=dict)
    unknown_ids: Mapping[int, int] = field(default_factory=dict)
    held: bool = False


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One class that was seen.

    Attributes:
        id: the class's id in the input's scheme.
        name: its name.
        pixels: its pixels in all frames.
        share: their share of all pixels of all frames, 0..1.
        frames: the number of frames that it occurs in.
        matched: whether the model has the class.
    """

    id: int
    name: str
    pixels: int
    share: float
    frames: int
    matched: bool


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What a whole input held. Shares are 0..1 of all pixels of all frames.

    Attributes:
        scheme: the name of its scheme.
        encoding: how it holds the ids.
        frames: frames read.
        pixels: their pixels.
        classes: the classes seen, commonest first.
        unreadable: the share of pixels whose colour is no class's.
        cleaned: the share of pixels that the vote along edges changed.
        unmatched: class name -> share, for classes that the model does not have.
        unknown_ids: id -> share, for ids that the scheme or the model does not have.
        held: the frames that are damaged, whose labels are those of a frame near them.
    """

    scheme: str
    encoding: str
    frames: int
    pixels: int
    classes: tuple[ClassShare, ...]
    unreadable: float
    cleaned: float
    unmatched: Mapping[str, float]
    unknown_ids: Mapping[int, float]
    held: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "scheme": self.scheme,
            "encoding": self.encoding,
            "frames": self.frames,
            "pixels": self.pixels,
            "classes": [
                {
                    "id": entry.id,
                    "name": entry.name,
                    "pixels": entry.pixels,
                    "share": round(entry.share, 6),
                    "frames": entry.frames,
                    "matched": entry.matched,
                }
                for entry in self.classes
            ],
            "unreadable": round(self.unreadable, 6),
            "cleaned": round(self.cleaned, 6),
            "unmatched": {name: round(share, 6) for name, share in self.unmatched.items()},
            # The key of ``inspect --json`` since its first version.
            "beyond": {str(value): round(share, 6) for value, share in self.unknown_ids.items()},
            "damaged_frames": list(self.held),
        }

    def notes(self) -> tuple[str, ...]:
        """Sentences for people about what was not read as it is; empty where all was."""
        found = []
        if self.unmatched:
            listed = ", ".join(f"{name} ({share:.2%})" for name, share in self.unmatched.items())
            found.append(f"The model has no class for {listed}; read as unlabeled.")
        if self.unknown_ids:
            listed = ", ".join(
                f"{value} ({share:.2%})" for value, share in self.unknown_ids.items()
            )
            found.append(
                f"Scheme {self.scheme} has no class for the values {listed}; read as unlabeled."
            )
        if self.unreadable:
            found.append(
                f"{self.unreadable:.3%} of the pixels matched no class and took their neighbours'"
                " class."
            )
        if self.held:
            found.append(
                f"{len(self.held)} frame{'s are' if len(self.held) > 1 else ' is'} damaged"
                f" ({_ranges(self.held)}); the labels of the frame before were held."
            )
        return tuple(found)


def _ranges(frames: tuple[int, ...]) -> str:
    """Sorted numbers as '3, 7 to 9'; of many ranges the first ones."""
    ranges: list[tuple[int, int]] = []
    for frame in frames:
        if ranges and frame == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], frame)
        else:
            ranges.append((frame, frame))
    shown = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in ranges[:_SHOWN_RANGES])
    return shown + (", ..." if len(ranges) > _SHOWN_RANGES else "")


class ReportBuilder:
    """Adds up the `ReadReport` of each frame; `report` may be called at any time.

    Args:
        scheme: the input's scheme.
        encoding: how it holds the ids.
    """

    def __init__(self, scheme: Scheme, encoding: str) -> None:
        self._scheme, self._encoding = scheme, encoding
        self._frames = self._pixels = self._unreadable = self._cleaned = 0
        self._counts: Counter[int] = Counter()
        self._seen: Counter[int] = Counter()
        self._unmatched: Counter[str] = Counter()
        self._unknown_ids: Counter[int] = Counter()
        self._held: list[int] = []

    def add(self, read: ReadReport) -> None:
        """Counts one more frame."""
        self._frames += 1
        self._pixels += read.pixels
        self._unreadable += read.unreadable
        self._cleaned += read.cleaned
        self._counts.update(read.counts)
        self._seen.update(read.counts.keys())
        self._unmatched.update(read.unmatched)
        self._unknown_ids.update(read.unknown_ids)
        if read.held:
            self._held.append(read.index)

    def report(self) -> LabelReport:
        """What the frames counted so far held."""
        total = max(self._pixels, 1)
        classes = tuple(
            ClassShare(
                identity,
                name := self._scheme.name_of(identity) or f"id {identity}",
                pixels,
                pixels / total,
                self._seen[identity],
                name not in self._unmatched,
            )
            for identity, pixels in self._counts.most_common()
        )
        return LabelReport(
            self._scheme.name,
            self._encoding,
            self._frames,
            self._pixels,
            classes,
            self._unreadable / total,
            self._cleaned / total,
            {name: pixels / total for name, pixels in self._unmatched.most_common()},
            {value: pixels / total for value, pixels in self._unknown_ids.most_common()},
            tuple(sorted(self._held)),
        )
