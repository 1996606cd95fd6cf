"""The hidden folder beside an output that holds a run's finished frames, to resume it.

``.film.mp4.parts/`` holds ``run.json`` (the facts that decide the pictures, which a resumed run
must share), ``ledger.jsonl`` (one line for each span of finished frames), the files of the spans,
and the generator's state after the last span. A line is appended only after its files are on the
disk, so that after a power cut the complete lines describe complete files. The folder is removed
when the output is complete.
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

    Attributes:
        kind: ``part`` for an encoded segment or for PNGs in their folder; ``rest`` for the
            unencoded pictures of an incomplete segment.
        first: The first frame.
        end: The frame after the last one.
        checksum: CRC-32 of the input frame ``end - 1``, which identifies the input.
        times: Of a ``rest``, the time of each frame; of a ``part``, that of the last frame only, so
            that memory does not grow with the length of the film.
        file: Name in the run's folder; None for PNGs.
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
        """Read a line of the ledger.

        Raises:
            ValueError, KeyError, TypeError: The line is incomplete.
        """
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
    ) -> None:
        self.folder = folder
        self.id = run_id
        """Identifies the run among those of the same output; a resumed run keeps it."""
        self.overwrite = overwrite
        """Whether the run may replace an existing output, as it was first started or resumed."""
        self.resumed = resumed
        """Whether an earlier process began this run, even if it finished no frame."""
        self._lock = lock
        self._spans = spans

    @classmethod
    def open(
        cls, output: Path, facts: dict[str, str], *, resume: bool, overwrite: bool
    ) -> RunFolder:
        """Begin a run, or resume an earlier one.

        Args:
            output: The output of the run.
            facts: What decides the pictures, as name and text; a resumed run must have the same.
            resume: Go on with an earlier run where there is one.
            overwrite: Start anew where there is an earlier run.

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
                if left.suffix[1:].isdigit():  # left by a run that was killed in ``remove``
                    shutil.rmtree(left, ignore_errors=True)
            with write_errors(output):
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
            # Without an incomplete last line, to which the next one would be appended.
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
        """The finished frames in order: parts, then the rests of an incomplete segment."""
        return tuple(self._spans)

    @property
    def parts(self) -> tuple[Path, ...]:
        """The encoded segments, in order."""
        return tuple(self.folder / s.file for s in self._spans if s.kind == "part" and s.file)

    @property
    def rests(self) -> tuple[Span, ...]:
        """The spans of the incomplete segment, in order."""
        return tuple(s for s in self._spans if s.kind == "rest")

    @property
    def frames(self) -> int:
        """The number of finished frames."""
        return self._spans[-1].end if self._spans else 0

    @property
    def state_file(self) -> Path:
        """The generator's state after the last span."""
        return self._state_after(self.frames)

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
        before = list(self._spans)
        stale = [s for s in before if s.kind == "rest"] if span.kind == "part" else []
        state = self._state_after(span.end)
        with write_errors(self.folder):
            if span.file:
                sync_file(self.folder / span.file)
            save_state(state)
            sync_folder(self.folder)
            with (self.folder / "ledger.jsonl").open("a", encoding="utf-8") as ledger:
                ledger.write(span.to_json() + "\n")
                ledger.flush()
                os.fsync(ledger.fileno())
        self._spans = [s for s in before if s not in stale] + [span]
        # The line is on the disk, so nothing refers to the older files any more.
        old_state = self._state_after(before[-1].end) if before else None
        for path in [
            *(self.folder / s.file for s in stale if s.file),
            *([old_state] if old_state != state else []),
        ]:
            if path is not None:
                path.unlink(missing_ok=True)

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
        shutil.rmtree(leaving, ignore_errors=True)

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

    def _state_after(self, frames: int) -> Path:
        return self.folder / f"state-{frames:08d}.safetensors"


def _locked(folder: Path, output: Path, *, create: bool = True) -> IO[str]:
    """The lock of ``folder``, held by this process. ``create``: make the folder where it is
    missing. Raises OutputError."""
    gone = OutputError(
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
        raise OutputError("another run is writing this output at the moment.", where=output)


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


def _read_run(folder: Path) -> _Run:
    """Raises OutputError where ``run.json`` is missing, damaged or of another format."""
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
    """The spans whose files exist. An incomplete last line, left by a power cut, is ignored."""
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
    """Raises UsageError where the facts of the interrupted run and of this one differ."""
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
    """Remove the files of no span, such as the segment at work when the run was killed."""
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
