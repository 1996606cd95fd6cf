"""A data set read from the first file to the last: what training would stumble over, by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vidtrans.errors import InputError
from vidtrans.labels.report import LabelReport, ReadReport, ReportBuilder
from vidtrans_training.datasets.material import Decoder, Material, OtherSize
from vidtrans_training.datasets.sources import Problem, SequenceSources, Source

_CHUNK = 16
"""Consecutive frames that one thread reads: films are then read mostly in order."""


@dataclass(frozen=True)
class DataReport:
    """What a data set holds.

    Args:
        sequences: How many.
        frames: Frames with a label map and a picture.
        longest: Frames of the longest sequence.
        sizes: Sizes (height, width) of the pictures that could be read, and how many have each.
        labels: The classes found; None where pictures are translated.
        problems: What is wrong, the layout's problems first.
    """

    sequences: int
    frames: int
    longest: int
    sizes: tuple[tuple[tuple[int, int], int], ...]
    labels: LabelReport | None
    problems: tuple[Problem, ...]

    @property
    def fatal(self) -> tuple[Problem, ...]:
        """The problems with which training cannot start."""
        return tuple(problem for problem in self.problems if problem.fatal)


@dataclass(frozen=True, slots=True)
class _Read:
    """One frame: where its label map lies, and what came of reading it."""

    source: Source
    size_hw: tuple[int, int] | None = None
    report: ReadReport | None = None
    problem: Problem | None = None


def read_everything(
    material: Material, *, threads: int = 2, progress: Callable[[int], None] = lambda done: None
) -> DataReport:
    """Read every frame of a data set.

    A damaged or mis-sized file is reported and no reason not to train, as training passes it over;
    it is one where no file can be read at all. Values that the network has no plane for are one.

    Args:
        material: The data set.
        threads: Threads that read.
        progress: Called with the number of frames read so far.
    """
    layout = material.layout
    problems = list(layout.problems)
    sizes: Counter[tuple[int, int]] = Counter()
    unknown: dict[int, list[Source]] = defaultdict(list)
    builder = None
    if material.detection is not None:
        builder = ReportBuilder(material.detection.scheme, material.detection.encoding)
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        for reads in pool.map(lambda chunk: _read(material, *chunk), _chunks(material)):
            for read in reads:
                if read.size_hw is not None:
                    sizes[read.size_hw] += 1
                if read.report is not None and builder is not None:
                    builder.add(read.report)
                    for value in read.report.unknown_ids:
                        unknown[value].append(read.source)
                if read.problem is not None:
                    problems.append(read.problem)
            done += len(reads)
            progress(done)
    problems.extend(
        Problem(
            "labels",
            f"holds the label value {value}, for which the network has no plane, as"
            f" {len(sources)} label maps of this data set do.",
            sources[0].path,
            fatal=material.unknown_ids == "error",
        )
        for value, sources in sorted(unknown.items())
    )
    if not sizes:
        problems.append(
            Problem("unreadable", "no frame of this data set can be read.", layout.root)
        )
    return DataReport(
        sequences=len(layout.sequences),
        frames=layout.frames,
        longest=max(map(len, layout.sequences), default=0),
        sizes=tuple(sizes.most_common()),
        labels=None if builder is None else builder.report(),
        problems=tuple(problems),
    )


def _chunks(material: Material) -> Iterator[tuple[SequenceSources, range]]:
    for sequence in material.sequences:
        for start in range(0, len(sequence), _CHUNK):
            yield sequence, range(start, min(start + _CHUNK, len(sequence)))


def _read(material: Material, sequence: SequenceSources, indices: range) -> list[_Read]:
    # A decoder keeps films open and belongs to one thread.
    own = replace(material, decoder=Decoder(), unknown_ids="unlabeled")
    return [_read_one(own, sequence, index) for index in indices]


def _read_one(material: Material, sequence: SequenceSources, index: int) -> _Read:
    source = sequence.frames[index].label
    try:
        (read,) = material.read(sequence, [index])
    except InputError as error:
        kind: Literal["size", "unreadable"] = (
            "size" if isinstance(error, OtherSize) else "unreadable"
        )
        where = Path(error.where or source.path)
        told = error.message if error.frame is None else f"frame {error.frame}: {error.message}"
        return _Read(source, problem=Problem(kind, told, where, fatal=False))
    return _Read(source, read.size_hw, read.report)
