"""What was read as labels: per frame, and added up for ``vidtrans inspect`` and the end of a
run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vidtrans.labels.scheme import Scheme


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What one frame held.

    ``pixels``: all of them. ``counts``: scheme id -> pixels, after cleaning. ``unreadable``: pixels
    whose colour was within the tolerance of no class (they took their neighbours' class, or
    unlabeled where no neighbour was sure). ``cleaned``: all pixels that the fringe vote changed.
    ``unmatched``: class name -> pixels, for classes that the model does not have. ``beyond``:
    values that no class has -> pixels (read as unlabeled, where that was asked for).
    """

    index: int
    pixels: int
    counts: Mapping[int, int] = field(default_factory=dict)
    unreadable: int = 0
    cleaned: int = 0
    unmatched: Mapping[str, int] = field(default_factory=dict)
    beyond: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One class that was seen: ``share`` 0..1 of all pixels of all frames, ``frames`` that it
    occurs in."""

    id: int
    name: str
    pixels: int
    share: float
    frames: int
    matched: bool


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What a whole input held; shares are 0..1 of all its pixels. ``classes``: commonest first."""

    scheme: str
    encoding: str
    frames: int
    pixels: int
    classes: tuple[ClassShare, ...]
    unreadable: float
    cleaned: float
    unmatched: Mapping[str, float]
    beyond: Mapping[int, float]

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
            "beyond": {str(value): round(share, 6) for value, share in self.beyond.items()},
        }

    def notes(self) -> tuple[str, ...]:
        """What a person should know, one sentence each; empty where all was read and matched."""
        found = []
        if self.unmatched:
            listed = ", ".join(f"{name} ({share:.2%})" for name, share in self.unmatched.items())
            found.append(f"The model has no class for {listed}; read as unlabeled.")
        if self.beyond:
            listed = ", ".join(f"{value} ({share:.2%})" for value, share in self.beyond.items())
            found.append(
                f"Scheme {self.scheme} has no class for the values {listed}; read as unlabeled."
            )
        if self.unreadable:
            found.append(
                f"{self.unreadable:.3%} of the pixels matched no class and took their neighbours'"
                " class."
            )
        return tuple(found)


class ReportBuilder:
    """Adds up ReadReports; ``report()`` may be called at any time."""

    def __init__(self, scheme: Scheme, encoding: str) -> None:
        self._scheme, self._encoding = scheme, encoding
        self._frames = self._pixels = self._unreadable = self._cleaned = 0
        self._counts: Counter[int] = Counter()
        self._seen: Counter[int] = Counter()
        self._unmatched: Counter[str] = Counter()
        self._beyond: Counter[int] = Counter()

    def add(self, read: ReadReport) -> None:
        """One more frame."""
        self._frames += 1
        self._pixels += read.pixels
        self._unreadable += read.unreadable
        self._cleaned += read.cleaned
        self._counts.update(read.counts)
        self._seen.update(read.counts.keys())
        self._unmatched.update(read.unmatched)
        self._beyond.update(read.beyond)

    def report(self) -> LabelReport:
        """What the frames so far held."""
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
            {value: pixels / total for value, pixels in self._beyond.most_common()},
        )
