"""What a batch would do, before it does anything: sizes, frames, time and space."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from vidtrans.batches.batch import BatchSettings
from vidtrans.batches.job import Job
from vidtrans.batches.ledger import FILE, Ledger
from vidtrans.batches.plan import Plan
from vidtrans.batches.record import record_folder
from vidtrans.batches.remote import is_url
from vidtrans.errors import InputError, VidtransError
from vidtrans.pipeline.frame_range import written_frames

LOOKED_INTO = 200
"""Jobs that are opened to know their size and length: about a second. The others are taken to be
like these."""
_LISTED = 50
FILM_BYTES = 0.05
"""Bytes of a film for each pixel, at the default encoding: measured on the first 12 frames of the
demo clip at 512x256. Others differ by a factor."""
PNG_BYTES = 1.24
"""Bytes of a PNG for each pixel, of the same frames."""
_TIMED_FRAMES = 4


@dataclass(frozen=True, slots=True)
class JobEstimate:
    """A job that would be done.

    Attributes:
        name: Its output.
        input: Its input.
        state: In the record, ``new`` where it has none.
        width: Of the pictures; None where unknown.
        height: Of the pictures.
        frames: Its length; None where unknown.
        problem: Why it cannot be opened, in a sentence.
    """

    name: str
    input: str
    state: str
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    problem: str = ""

    @property
    def pixels(self) -> int:
        """Of all frames; 0 where unknown."""
        return (self.frames or 0) * (self.width or 0) * (self.height or 0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a batch would do.

    Attributes:
        jobs: Those that were looked into.
        count: All jobs that are not done.
        done: Jobs that are done already.
        frames: Frames of all jobs, extrapolated from those that were looked into.
        seconds: Of work by one worker; None where it cannot be told.
        space: Bytes of the outputs, roughly.
        measured: Seconds a frame that ``seconds`` is based on, and of which size.
    """

    jobs: tuple[JobEstimate, ...]
    count: int
    done: int
    frames: int
    seconds: float | None
    space: int
    measured: str

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "jobs": [asdict(job) for job in self.jobs]}

    def lines(self) -> Iterator[str]:
        """For people."""
        for job in self.jobs[:_LISTED]:
            size = "?" if job.width is None else f"{job.width}x{job.height}"
            length = "?" if job.frames is None else str(job.frames)
            what = job.problem or f"{size}, {length} frames"
            yield f"{job.state:<8} {job.input} -> {job.name}  {what}"
        if self.count > min(len(self.jobs), _LISTED):
            yield f"... {self.count} jobs in all, {len(self.jobs)} of them looked into"
        hours = "unknown" if self.seconds is None else f"{self.seconds / 3600:.2f} hours"
        yield (
            f"{self.count} jobs to do, {self.done} done; about {self.frames} frames, {hours} of one"
            f" worker ({self.measured}), {self.space / 2**20:.0f} MiB"
        )


def estimate(plan: Plan | None, settings: BatchSettings) -> Estimate:
    """Look into the jobs of a batch and measure the model, without writing anything.

    Args:
        plan: The jobs; None for those that the record has.
        settings: How the batch would be run.

    Raises:
        InputError: There is neither a plan nor a record.
    """
    folder = record_folder(settings.out, settings.ledger, settings.shard)
    states: dict[str, str] = {}
    jobs: tuple[Job, ...] = () if plan is None else plan.jobs
    if plan is None or (folder / FILE).is_file():
        with Ledger(folder, create=False) as ledger:
            entries = ledger.entries()
        states = {entry.name: entry.state for entry in entries}
        if plan is None:
            jobs = tuple(entry.job for entry in entries if entry.state != "removed")
    if settings.shard is not None and plan is not None:
        jobs = settings.shard.of(jobs)
    to_do = [job for job in jobs if states.get(job.name) != "done"]
    step = max(1, -(-len(to_do) // LOOKED_INTO))
    looked = [(job, _look_into(job, states.get(job.name, "new"))) for job in to_do[::step]]
    known = [(job, found) for job, found in looked if found.pixels]
    share = len(to_do) / len(known) if known else 0.0
    pixels = sum(found.pixels for _, found in known)
    space = sum(
        found.pixels * (PNG_BYTES if found.name.endswith("/") else FILM_BYTES) for _, found in known
    )
    speed = _measure(known[len(known) // 2][0], settings) if known else None
    measured = "no input could be opened"
    if speed is not None:
        measured = f"measured now: {1e9 * speed:.0f} ns a pixel"
    return Estimate(
        tuple(found for _, found in looked),
        len(to_do),
        len(jobs) - len(to_do),
        round(share * sum(f.frames or 0 for _, f in known)),
        None if speed is None else share * pixels * speed,
        round(share * space),
        measured,
    )


def _look_into(job: Job, state: str) -> JobEstimate:
    if is_url(job.input):
        return JobEstimate(job.name, job.input, state, problem="is a URL, and is not opened here")
    from vidtrans.pipeline.setup import open_source

    try:
        asked = job.settings("-")
        with open_source(asked) as reader:
            height, width = asked.render.size_hw or reader.info.size_hw
            frames = reader.info.frames
            if frames is None and reader.info.duration_s is not None:
                frames = round(reader.info.duration_s * reader.info.rate)
            if frames is None:
                with suppress(InputError):
                    frames = reader.count()
            if asked.start is not None or asked.end is not None:
                first, end = written_frames(asked, reader.times(), job.input)
                frames = end - first
    except VidtransError as error:
        return JobEstimate(job.name, job.input, state, problem=str(error))
    return JobEstimate(job.name, job.input, state, width, height, frames)


def _measure(job: Job, settings: BatchSettings) -> float | None:
    """Seconds that a pixel of a job takes, from its first frames; None where it cannot be
    painted."""
    from vidtrans.pipeline.setup import open_input
    from vidtrans.pipeline.stream import translate_stream

    given = job.settings(str(Path(settings.out) / "-"))
    if "," not in settings.device and given.render.device == "auto":
        given = given.model_copy(update={"device": settings.device})
    times: list[float] = []
    try:
        with open_input(given) as opened:
            height, width = opened.painter.sizing.scaled_hw
            stream = translate_stream(
                opened.frames, opened.label_reader, opened.painter, instances=opened.instances
            )
            last = time.monotonic()
            for _, frame in zip(range(_TIMED_FRAMES), stream, strict=False):
                now = time.monotonic()
                times.append(now - last)
                last = now
                del frame
            stream.close()
    except VidtransError:
        return None
    return median(times[1:] or times) / (height * width) if times else None
