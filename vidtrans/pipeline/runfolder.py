"""The hidden folder beside an output that holds a run's finished frames, to resume it.

``.film.mp4.parts/`` holds ``run.json`` (the facts that decide the pictures, which a resumed run
must share), ``ledger.jsonl`` (one line for each span of finished frames), the files of the spans,
and the generator's states after spans. A line is appended only after its files are on the disk, so
that after a power cut the complete lines describe complete files. Each line has the digests of its
files: where a disk has altered one, a resumed run makes that span again, from the last state before
it. The folder is removed when the output is complete.

A film is joined inside the folder and renamed to its own name from there, after ``done.json`` was
written. So a run that died between the rename and the removal of the folder is known to be done.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, TypedDict

from filelock import lock_descriptor

from vidtrans.atomic_write import (
    cannot_write,
    check_free,
    discard_file,
    discard_folder,
    remove_orphans,
    replaced_file,
    sync_file,
    sync_folder,
)
from vidtrans.errors import OutputError, Remedy, UsageError
from vidtrans.frame import FrameTime
from vidtrans.media.writer import parts_folder

FORMAT = 2

STATES_BYTES = 256 << 20
"""Disk for the generator's states of one run, bytes, beside those that are always kept. States are
kept so that a damaged part does not cost the parts before it; one of a 1024x512 film takes 7 MB."""

PicturePath = Callable[[int], Path]
"""The path of a frame's picture, in runs that write a folder of pictures."""


class BusyError(OutputError):
    """Another process is at work on this output at the moment."""


class ResumeError(UsageError):
    """The interrupted run was started with other settings, or on another input."""


@dataclass(frozen=True, slots=True)
class Span:
    """Finished frames ``first`` .. ``end - 1``.

    Attributes:
        kind: ``part`` for an encoded segment or for PNGs in their folder; ``rest`` for the
            unencoded pictures of an incomplete segment.
        first: The first frame.
        end: The frame after the last one.
        checksum: CRC-32 of the input frame ``end - 1``, which identifies the input.
        times: Of a ``rest``, the time of each frame; of a ``part``, that of the last frame only, so
            that memory does not grow with the length of the film.
        file: Name in the run's folder; None for PNGs.
        digest: Of the file's bytes, or of all PNGs; empty before ``RunFolder.keep``.
        state: Digest of the file with the generator's state after the last frame; likewise.
    """

    kind: Literal["part", "rest"]
    first: int
    end: int
    checksum: int
    times: tuple[FrameTime, ...]
    file: str | None = None
    digest: str = ""
    state: str = ""

    def __post_init__(self) -> None:
        assert self.end > self.first
        assert len(self.times) == (1 if self.kind == "part" else self.end - self.first)

    def to_json(self) -> str:
        times = [(t.pts, str(t.time_base), t.duration) for t in self.times]
        line = {
            "kind": self.kind,
            "first": self.first,
            "end": self.end,
            "checksum": self.checksum,
            "file": self.file,
            "digest": self.digest,
            "state": self.state,
        }
        text = json.dumps({**line, "times": times}, separators=(",", ":"))
        return f'{text[:-1]},"line":"{_short(text)}"}}'

    @classmethod
    def from_json(cls, line: str) -> Span:
        """Read a line of the ledger.

        Raises:
            ValueError, KeyError, TypeError: The line is incomplete or was altered.
        """
        raw = json.loads(line)
        text = json.dumps({k: v for k, v in raw.items() if k != "line"}, separators=(",", ":"))
        if raw["line"] != _short(text):
            raise ValueError("the line was altered")
        times = tuple(
            FrameTime(int(pts), Fraction(base), duration) for pts, base, duration in raw["times"]
        )
        return cls(
            raw["kind"],
            int(raw["first"]),
            int(raw["end"]),
            int(raw["checksum"]),
            times,
            raw["file"],
            str(raw["digest"]),
            str(raw["state"]),
        )


@contextlib.contextmanager
def write_errors(place: Path) -> Iterator[None]:
    """Raise an OSError of this context as an OutputError about ``place``."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(cannot_write(error), where=place) from error


class RunFolder:
    """The finished frames of one run, locked by one process at a time.

    Leaving the context releases the lock; the folder stays where it holds finished frames.
    """

    def __init__(
        self,
        folder: Path,
        lock: IO[str],
        spans: list[Span],
        *,
        run_id: str,
        overwrite: bool,
        resumed: bool,
        picture: PicturePath | None = None,
        damaged: Iterable[Span] = (),
        published: bool = False,
        threads: int | None = None,
    ) -> None:
        self.folder = folder
        self.id = run_id
        """Identifies the run among those of the same output; a resumed run keeps it."""
        self.overwrite = overwrite
        """Whether the run may replace an existing output, as it was first started or resumed."""
        self.resumed = resumed
        """Whether an earlier process began this run, even if it finished no frame."""
        self.damaged: tuple[Span, ...] = tuple(damaged)
        """Parts of an earlier process whose files are missing or altered, in order. ``replace``
        takes new ones."""
        self.published = published
        """Whether an earlier process gave the output its name, and only the folder is left."""
        self.threads = threads
        """Threads of arithmetic on the CPU when the run began; with another number, sums are taken
        in another order and pictures differ."""
        self._picture = picture
        self._lock = lock
        self._spans = spans
        # Ends of the spans whose states are there: a long film has too many to look each time.
        self._states = [span.end for span in spans if _state_file(folder, span.end).exists()]
        self._last_part = max((span.end for span in spans if span.kind == "part"), default=0)

    @classmethod
    def open(
        cls,
        output: Path,
        facts: dict[str, str],
        *,
        resume: bool,
        overwrite: bool,
        picture: PicturePath | None = None,
        threads: int | None = None,
    ) -> RunFolder:
        """Begin a run, or resume an earlier one.

        Args:
            output: The output of the run.
            facts: What decides the pictures, as name and text; a resumed run must have the same.
            resume: Go on with an earlier run where there is one.
            overwrite: Start again where there is an earlier run.
            picture: Where the run writes a folder of pictures, the path of each frame's.
            threads: Threads of arithmetic on the CPU. A resumed run has the number that it began
                with.

        Raises:
            OutputError: the folder cannot be written; frames of an earlier run are kept there and
                neither ``resume`` nor ``overwrite`` is given; another process is
                writing the same output.
            UsageError: the run to resume had other facts; the sentence names the first that
                differs.
        """
        folder = parts_folder(output)
        made = not folder.exists()
        lock = _locked(folder, output)
        try:
            discard_left(output)
            if picture is None:
                remove_orphans(output.parent, output.name)
            elif output.is_dir():
                remove_orphans(output)
            with write_errors(output):
                return cls._begin(
                    folder,
                    lock,
                    output,
                    facts,
                    resume=resume,
                    overwrite=overwrite,
                    picture=picture,
                    threads=threads,
                )
        except BaseException:
            if made:
                shutil.rmtree(folder, ignore_errors=True)
            lock.close()
            raise

    @classmethod
    def _begin(
        cls,
        folder: Path,
        lock: IO[str],
        output: Path,
        facts: dict[str, str],
        *,
        resume: bool,
        overwrite: bool,
        picture: PicturePath | None,
        threads: int | None,
    ) -> RunFolder:
        kept = _read_ledger(folder)
        begun = (folder / "run.json").is_file()
        if kept and not (resume or overwrite):
            raise OutputError(
                f"{kept[-1].end} frames of an interrupted run are kept for this output.",
                where=output,
                remedy=Remedy("Give {resume} to go on with it, or {overwrite} to start anew."),
            )
        if begun and resume:
            run = _read_run(folder)
            _compare(run["facts"], facts, output)
            joined = _joined_file(folder, output)
            published = (folder / "done.json").is_file() and not joined.exists() and output.exists()
            kept, damaged = _whole_spans(folder, kept, picture)
            _sweep(folder, keep=kept, done=published)
            # Without an incomplete last line, to which the next one would be appended.
            _write_ledger(folder, kept)
            return cls(
                folder,
                lock,
                kept,
                run_id=run["id"],
                overwrite=overwrite or run["overwrite"],
                resumed=True,
                picture=picture,
                damaged=damaged,
                published=published,
                threads=run["threads"],
            )
        run_id = uuid.uuid4().hex
        _sweep(folder, keep=[])
        discard_file(folder / "ledger.jsonl")
        if (folder / "ledger.jsonl").exists():  # the file system removes nothing
            _write_ledger(folder, [])
        _write_whole(
            folder / "run.json",
            json.dumps(
                {
                    "format": FORMAT,
                    "id": run_id,
                    "facts": facts,
                    "overwrite": overwrite,
                    "threads": threads,
                },
                indent=1,
            ),
        )
        return cls(
            folder,
            lock,
            [],
            run_id=run_id,
            overwrite=overwrite,
            resumed=False,
            picture=picture,
            threads=threads,
        )

    @classmethod
    def reopen(cls, output: Path, run_id: str) -> RunFolder | None:
        """The parts that the run ``run_id`` left, to remove them.

        Returns:
            None where they are gone, belong to another run by now, or another process is at work
            on them.
        """
        folder = parts_folder(output)
        try:
            lock = _locked(folder, output, create=False)
        except OutputError:
            return None
        try:
            if _read_run(folder)["id"] == run_id:
                return cls(
                    folder, lock, _read_ledger(folder), run_id=run_id, overwrite=False, resumed=True
                )
        except OutputError:
            pass
        lock.close()
        return None

    @property
    def spans(self) -> tuple[Span, ...]:
        """The finished frames in order: parts, then the rests of an incomplete segment."""
        return tuple(self._spans)

    @property
    def parts(self) -> tuple[Path, ...]:
        """The encoded segments, in order."""
        return tuple(self.folder / s.file for s in self._spans if s.kind == "part" and s.file)

    @property
    def rests(self) -> tuple[Span, ...]:
        """The spans of the incomplete segment, in order."""
        count = sum(1 for _ in takewhile(lambda s: s.kind == "rest", reversed(self._spans)))
        return tuple(self._spans[len(self._spans) - count :])

    @property
    def frames(self) -> int:
        """The number of finished frames."""
        return self._spans[-1].end if self._spans else 0

    @property
    def state_file(self) -> Path:
        """The generator's state after the last span."""
        return self.state_after(self.frames)

    def state_after(self, frames: int) -> Path:
        """The file of the generator's state after the first ``frames`` frames."""
        return _state_file(self.folder, frames)

    def span_before(self, frame: int) -> Span | None:
        """The last span that ends at or before ``frame`` and whose state is whole, to start from
        there; None where only the start of the film is left."""
        return next(
            (
                span
                for span in reversed(self._spans)
                if span.end <= frame and _has_state(self.folder, span)
            ),
            None,
        )

    def path_for(self, kind: str, first: int, suffix: str) -> Path:
        """The path for the file of the next span.

        Args:
            kind: As in ``Span``.
            first: The span's first frame.
            suffix: The file's suffix, with its dot.
        """
        return self.folder / f"{kind}-{first:08d}{suffix}"

    def keep(self, span: Span, save_state: Callable[[Path], None]) -> None:
        """Make a span permanent: its file, the state after it, then its line in the ledger.

        A ``part`` replaces the rests inside it.

        Args:
            span: The finished frames; their file is written already.
            save_state: Saves the generator's state after them to a path.
        """
        stale = list(self.rests) if span.kind == "part" else []
        state = self.state_after(span.end)
        with write_errors(self.folder):
            if span.file:
                sync_file(self.folder / span.file)
            save_state(state)
            sync_folder(self.folder)
            span = replace(
                span, digest=_digest_of(self.folder, span, self._picture), state=_file_digest(state)
            )
            with (self.folder / "ledger.jsonl").open("a", encoding="utf-8") as ledger:
                ledger.write(span.to_json() + "\n")
                ledger.flush()
                os.fsync(ledger.fileno())
        del self._spans[len(self._spans) - len(stale) :]
        self._spans.append(span)
        # The line is on the disk, so nothing refers to the older files any more.
        for rest in stale:
            if rest.file:
                discard_file(self.folder / rest.file)
            if rest.end != span.end and rest.end in self._states:
                self._states.remove(rest.end)
                discard_file(self.state_after(rest.end))
        if span.end not in self._states[-1:]:
            self._states.append(span.end)
        if span.kind == "part":
            self._last_part = span.end
        self._thin_states()

    def _thin_states(self) -> None:
        """Remove states while they take more than ``STATES_BYTES``: the one that is nearest to its
        neighbours, so that those that stay lie evenly. The last two always stay, and that after the
        last part."""
        free = [end for end in self._states[:-2] if end != self._last_part]
        most = STATES_BYTES // max(1, self.state_file.stat().st_size)
        while len(free) > most:
            gaps = [
                (after - before, end)
                for before, end, after in zip(
                    [0, *free[:-1]], free, [*free[1:], self.frames], strict=True
                )
            ]
            _, nearest = min(gaps)
            discard_file(self.state_after(nearest))
            free.remove(nearest)
            self._states.remove(nearest)

    def replace(self, damaged: Span, file: Path | None) -> None:
        """Take a new file, or new pictures, for a part of ``damaged``.

        Args:
            damaged: The part.
            file: Its new file, in a folder on the same disk; None for pictures.
        """
        with write_errors(self.folder):
            if file is not None and damaged.file:
                sync_file(file)
                file.replace(self.folder / damaged.file)
                sync_folder(self.folder)
            made = replace(damaged, digest=_digest_of(self.folder, damaged, self._picture))
            self._spans = [made if span == damaged else span for span in self._spans]
            self.damaged = tuple(span for span in self.damaged if span != damaged)
            _write_ledger(self.folder, self._spans)

    def publish(self, output: Path, join: Callable[[Path], object]) -> Path:
        """Give the output its name.

        Args:
            output: The output's path.
            join: Writes the whole output, synced, to the path that it is given.

        Returns:
            ``output``.

        Raises:
            OutputError: The output cannot be written, or exists and may not be replaced.
        """
        check_free(output, overwrite=self.overwrite)
        whole = _joined_file(self.folder, output)
        try:
            join(whole)
        except OutputError as error:
            if error.where == str(whole):
                error.where = str(output)
            raise
        with write_errors(output):
            _write_whole(self.folder / "done.json", json.dumps({"frames": self.frames}))
            check_free(output, overwrite=self.overwrite)  # somebody may have made it meanwhile
            whole.replace(output)
            sync_folder(output.parent)
        return output

    def remove(self) -> None:
        """Remove the folder.

        It is renamed first, so that no other run begins in a folder that is being emptied.
        """
        leaving = self.folder.with_name(f"{self.folder.name}.{os.getpid()}")
        if os.name == "nt":  # a folder with an open file cannot be renamed there
            self.close()
        try:
            self.folder.rename(leaving)
        except OSError:
            leaving = self.folder
        self.close()
        discard_folder(leaving)

    def close(self) -> None:
        """Release the lock."""
        self._lock.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the folder of a run without finished frames; release the lock."""
        if not self._spans and not self._lock.closed:
            self.remove()
        self.close()


def discard_left(output: Path) -> None:
    """Remove what a run left that was killed in ``RunFolder.remove``."""
    folder = parts_folder(output)
    for left in folder.parent.glob(f"{glob.escape(folder.name)}.*"):
        if left.suffix[1:].isdigit():
            discard_folder(left)


def _state_file(folder: Path, frames: int) -> Path:
    return folder / f"state-{frames:08d}.safetensors"


def _joined_file(folder: Path, output: Path) -> Path:
    """Where the film is joined. Its suffix is that of the output, which chooses the container."""
    return folder / f"joined{output.suffix}"


def _file_digest(path: Path) -> str:
    """Digest of a file's bytes; empty where it is missing."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, _short_blake2b).hexdigest()
    except FileNotFoundError:
        return ""


def _short_blake2b() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=8)


def _digest_of(folder: Path, span: Span, picture: PicturePath | None) -> str:
    """Digest of what a span holds: of its file, or of its pictures; empty where one is missing."""
    if span.file:
        return _file_digest(folder / span.file)
    if picture is None:
        return "unknown"
    each = [_file_digest(picture(number)) for number in range(span.first, span.end)]
    return _short(" ".join(each)) if all(each) else ""


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _has_state(folder: Path, span: Span) -> bool:
    return _file_digest(_state_file(folder, span.end)) == span.state


def _whole_spans(
    folder: Path, spans: list[Span], picture: PicturePath | None
) -> tuple[list[Span], list[Span]]:
    """The spans up to the last one after which a run can go on, and the damaged parts among them.

    A damaged rest ends them, since no picture after it can be encoded; so does the lack of a whole
    state after the last one.
    """
    damaged: list[Span] = []
    for number, span in enumerate(spans):
        if _digest_of(folder, span, picture) != span.digest:
            if span.kind == "rest":
                spans = spans[:number]
                break
            damaged.append(span)
    spans = list(spans)
    while spans and (spans[-1] in damaged or not _has_state(folder, spans[-1])):
        spans.pop()
    return spans, [span for span in damaged if span in spans]


def _write_ledger(folder: Path, spans: list[Span]) -> None:
    _write_whole(folder / "ledger.jsonl", "".join(span.to_json() + "\n" for span in spans))


def _locked(folder: Path, output: Path, *, create: bool = True) -> IO[str]:
    """The lock of ``folder``, held by this process. ``create``: make the folder where it is
    missing. Raises OutputError."""
    gone = BusyError(
        "another run of this output ended just now.", where=output, hint="Start this one again."
    )
    with write_errors(output):
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = (folder / "lock").open("w")
        except FileNotFoundError:
            raise gone from None
    try:
        _lock(lock, output)
        if not _is_still(lock, folder / "lock"):
            raise gone
    except BaseException:
        lock.close()
        raise
    return lock


def _lock(lock: IO[str], output: Path) -> None:
    try:
        held = lock_descriptor(lock.fileno(), blocking=False)
    except OSError:
        return  # the file system has no locks: a second run cannot be detected
    if not held:
        raise BusyError("another run is writing this output at the moment.", where=output)


def _is_still(file: IO[str], path: Path) -> bool:
    """Whether the open ``file`` still is the one at ``path``.

    It is not where the run that made it ended between opening and locking.
    """
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


class _Run(TypedDict):
    """The content of ``run.json``."""

    id: str
    facts: dict[str, str]
    overwrite: bool
    threads: int | None


def _read_run(folder: Path) -> _Run:
    """Raises OutputError where ``run.json`` is missing, damaged or of another format."""
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if run["format"] == FORMAT:
            return {
                "id": str(run.get("id", "")),
                "facts": dict(run["facts"]),
                "overwrite": bool(run["overwrite"]),
                "threads": None if run["threads"] is None else int(run["threads"]),
            }
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise OutputError(
        "the interrupted run kept there was written by another version of vidtrans and cannot be"
        " resumed.",
        where=folder,
        remedy=Remedy("Give {overwrite} to start anew."),
    )


def kept_frames(folder: str | os.PathLike[str]) -> int:
    """The number of finished frames in the folder of an interrupted run."""
    spans = _read_ledger(Path(folder))
    return spans[-1].end if spans else 0


def _read_ledger(folder: Path) -> list[Span]:
    """The spans of the ledger. An incomplete last line, left by a power cut, is ignored."""
    try:
        lines = (folder / "ledger.jsonl").read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return []
    spans: list[Span] = []
    for line in lines[:-1]:
        try:
            span = Span.from_json(line)
        except (ValueError, TypeError, KeyError, AssertionError, ArithmeticError):
            break
        if span.kind == "part":
            spans = [s for s in spans if s.kind == "part"]
        if span.first != (spans[-1].end if spans else 0):
            break  # a line that a disk has altered
        spans.append(span)
    return spans


def _compare(then: dict[str, str], now: dict[str, str], output: Path) -> None:
    """Raises UsageError where the facts of the interrupted run and of this one differ."""
    for name in {**then, **now}:
        if then.get(name) != now.get(name):
            raise ResumeError(
                f"the interrupted run cannot be resumed: it was started with {name}"
                f" {then.get(name, 'unset')}, this one has {now.get(name, 'unset')}.",
                where=output,
                remedy=Remedy(
                    "Give the same settings, or {overwrite} without {resume} to start anew."
                ),
            )


def _sweep(folder: Path, *, keep: list[Span], done: bool = False) -> None:
    """Remove the files of no span, such as the segment at work when the run was killed."""
    names = {"lock", "run.json", "ledger.jsonl"} | {s.file for s in keep if s.file}
    names |= {_state_file(folder, span.end).name for span in keep}
    if done:
        names.add("done.json")
    for path in folder.iterdir():
        if path.name not in names:
            if path.is_dir():
                discard_folder(path)
            else:
                discard_file(path)


def _write_whole(path: Path, text: str) -> None:
    with replaced_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
