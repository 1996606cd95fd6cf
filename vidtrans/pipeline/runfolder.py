"""The hidden folder beside an output in which a run keeps what is done, so that no run is ever
lost.

``.film.mp4.parts/`` holds ``run.json`` (the facts that decide the pictures: a run is only resumed
with the same), ``ledger.jsonl`` (one line for each span of finished frames), the spans' files, and
the snapshot of the generator's state after the last span. A line is written only after its files
are on the disk, and only ever appended: whatever moment the power goes, the whole lines describe
whole files. It is removed when the output is whole.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, TypedDict

from filelock import lock_descriptor

from vidtrans.atomic_write import cannot_write, replaced_file, sync_file, sync_folder
from vidtrans.errors import OutputError, Remedy, UsageError
from vidtrans.frame import FrameTime
from vidtrans.media.writer import parts_folder

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Span:
    """Finished frames ``first`` .. ``end - 1``.

    ``kind``: ``part`` for an encoded segment, or for pictures already in their folder; ``rest`` for
    the pictures of a segment that was not yet full, kept as they came from the generator.
    ``checksum``: of the input frame ``end - 1``, to know it again. ``times``: of a rest, when each
    of its frames is shown; of a part, when the last one is (memory must not grow with a film's
    length). ``file``: name in the run's folder.
    """

    kind: Literal["part", "rest"]
    first: int
    end: int
    checksum: int
    times: tuple[FrameTime, ...]
    file: str | None = None

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
        }
        return json.dumps({**line, "times": times}, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Span:
        """Raises ValueError, KeyError or TypeError for a line that was not written whole."""
        raw = json.loads(line)
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
        )


@contextlib.contextmanager
def written(place: Path) -> Iterator[None]:
    """What fails to be written inside is told as an OutputError about ``place``."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(cannot_write(error), where=place) from error


class RunFolder:
    """The parts of one run, held by one process at a time. Use as a context manager; leaving it
    removes nothing."""

    def __init__(
        self,
        folder: Path,
        lock: IO[str],
        spans: list[Span],
        *,
        run_id: str,
        overwrite: bool,
        resumed: bool,
    ) -> None:
        self.folder = folder
        self.id = run_id
        """Tells this run from another of the same output; a run that is resumed keeps it."""
        self.overwrite = overwrite
        """The run was started (now or when it first began) with leave to replace an existing
        output."""
        self.resumed = resumed
        """An earlier process began this run, though it may not have finished any frame of it."""
        self._lock = lock
        self._spans = spans

    @classmethod
    def open(
        cls, output: Path, facts: dict[str, str], *, resume: bool, overwrite: bool
    ) -> RunFolder:
        """Begin a run, or take up an earlier one.

        ``facts``: what decides the pictures, by name, in words: compared with the facts of the run
        that is resumed.

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
            for left in folder.parent.glob(f"{glob.escape(folder.name)}.*"):
                if left.suffix[1:].isdigit():  # of a run that was killed while it tidied up
                    shutil.rmtree(left, ignore_errors=True)
            with written(output):
                return cls._begin(folder, lock, output, facts, resume=resume, overwrite=overwrite)
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
            _sweep(folder, keep=kept)
            # Without a torn last line, to which the next would be glued.
            _write_whole(folder / "ledger.jsonl", "".join(span.to_json() + "\n" for span in kept))
            return cls(
                folder,
                lock,
                kept,
                run_id=run["id"],
                overwrite=overwrite or run["overwrite"],
                resumed=True,
            )
        run_id = uuid.uuid4().hex
        _sweep(folder, keep=[])
        (folder / "ledger.jsonl").unlink(missing_ok=True)
        _write_whole(
            folder / "run.json",
            json.dumps(
                {"format": FORMAT, "id": run_id, "facts": facts, "overwrite": overwrite}, indent=1
            ),
        )
        return cls(folder, lock, [], run_id=run_id, overwrite=overwrite, resumed=False)

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
        """Finished frames, in order: parts first, then the rests of the segment that is not yet
        full."""
        return tuple(self._spans)

    @property
    def parts(self) -> tuple[Path, ...]:
        """The encoded segments, in order."""
        return tuple(self.folder / s.file for s in self._spans if s.kind == "part" and s.file)

    @property
    def rests(self) -> tuple[Span, ...]:
        return tuple(s for s in self._spans if s.kind == "rest")

    @property
    def frames(self) -> int:
        """Frames that need not be made again."""
        return self._spans[-1].end if self._spans else 0

    @property
    def state_file(self) -> Path:
        """The generator's state after the last span."""
        return self._state_after(self.frames)

    def path_for(self, kind: str, first: int, suffix: str) -> Path:
        """Where to write the file of a span that is yet to come."""
        return self.folder / f"{kind}-{first:08d}{suffix}"

    def keep(self, span: Span, save_state: Callable[[Path], None]) -> None:
        """Make a span last: its file, the state after it, then its line. A part replaces the
        rests inside it."""
        before = list(self._spans)
        stale = [s for s in before if s.kind == "rest"] if span.kind == "part" else []
        state = self._state_after(span.end)
        with written(self.folder):
            if span.file:
                sync_file(self.folder / span.file)
            save_state(state)
            sync_folder(self.folder)
            with (self.folder / "ledger.jsonl").open("a", encoding="utf-8") as ledger:
                ledger.write(span.to_json() + "\n")
                ledger.flush()
                os.fsync(ledger.fileno())
        self._spans = [s for s in before if s not in stale] + [span]
        # Only now are older files of no use to anybody.
        old_state = self._state_after(before[-1].end) if before else None
        for path in [
            *(self.folder / s.file for s in stale if s.file),
            *([old_state] if old_state != state else []),
        ]:
            if path is not None:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """The output is whole: the parts go, all at once, so that another run never begins in a
        folder that vanishes."""
        leaving = self.folder.with_name(f"{self.folder.name}.{os.getpid()}")
        if os.name == "nt":  # a folder with an open file cannot be renamed there
            self.close()
        try:
            self.folder.rename(leaving)
        except OSError:
            leaving = self.folder
        self.close()
        shutil.rmtree(leaving, ignore_errors=True)

    def close(self) -> None:
        self._lock.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Whatever came between: a run without a finished span leaves nothing behind; one with
        spans leaves them."""
        if not self._spans and not self._lock.closed:
            self.remove()
        self.close()

    def _state_after(self, frames: int) -> Path:
        return self.folder / f"state-{frames:08d}.safetensors"


def _locked(folder: Path, output: Path, *, create: bool = True) -> IO[str]:
    """The lock of ``folder``, held by this process. ``create``: make the folder where it is
    missing. Raises OutputError."""
    gone = OutputError(
        "another run of this output ended just now.", where=output, hint="Start this one again."
    )
    with written(output):
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
        return  # a file system without locks: nothing tells of a second run there
    if not held:
        raise OutputError("another run is writing this output at the moment.", where=output)


def _is_still(file: IO[str], path: Path) -> bool:
    """Whether the open ``file`` is the one called ``path``: a run that ended in between took its
    own away."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


class _Run(TypedDict):
    """What ``run.json`` says."""

    id: str
    facts: dict[str, str]
    overwrite: bool


def _read_run(folder: Path) -> _Run:
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if run["format"] == FORMAT:
            return {
                "id": str(run.get("id", "")),
                "facts": dict(run["facts"]),
                "overwrite": bool(run["overwrite"]),
            }
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise OutputError(
        "the interrupted run kept there was written by another version of vidtrans and cannot be"
        " resumed.",
        where=folder,
        remedy=Remedy("Give {overwrite} to start anew."),
    )


def _read_ledger(folder: Path) -> list[Span]:
    """The spans whose files are there. The last line may be torn: a power cut came while it was
    written."""
    try:
        lines = (folder / "ledger.jsonl").read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return []
    spans: list[Span] = []
    for line in lines[:-1]:
        try:
            span = Span.from_json(line)
        except (ValueError, TypeError, KeyError, AssertionError):
            break
        if span.kind == "part":
            spans = [s for s in spans if s.kind == "part"]
        spans.append(span)
    while spans and not (folder / f"state-{spans[-1].end:08d}.safetensors").is_file():
        spans.pop()
    return spans if all(s.file is None or (folder / s.file).is_file() for s in spans) else []


def _compare(then: dict[str, str], now: dict[str, str], output: Path) -> None:
    for name in {**then, **now}:
        if then.get(name) != now.get(name):
            raise UsageError(
                f"the interrupted run cannot be resumed: it was started with {name}"
                f" {then.get(name, 'unset')}, this one has {now.get(name, 'unset')}.",
                where=output,
                remedy=Remedy(
                    "Give the same settings, or {overwrite} without {resume} to start anew."
                ),
            )


def _sweep(folder: Path, *, keep: list[Span]) -> None:
    """Remove files that no whole line speaks of: the segment that was being written when the run
    was killed."""
    names = {"lock", "run.json", "ledger.jsonl"} | {s.file for s in keep if s.file}
    if keep:
        names.add(f"state-{keep[-1].end:08d}.safetensors")
    for path in folder.iterdir():
        if path.name not in names:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _write_whole(path: Path, text: str) -> None:
    with replaced_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
