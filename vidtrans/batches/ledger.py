"""The record of a batch: every job's state, in an SQLite file beside the outputs.

One machine at a time writes a record. What a process is at work on is told by a lock that it holds
as long as it lives (``owners.py``), so that the jobs of a process that was killed are known at
once, whatever the clock says.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from vidtrans.atomic_write import cannot_write
from vidtrans.batches.job import Fingerprints, Job
from vidtrans.errors import InputError, OutputError

State = Literal["waiting", "running", "done", "failed", "removed"]
STATES: tuple[State, ...] = get_args(State)
FILE = "record.sqlite"
SCHEMA = 1
_APPLICATION = 0x76744242
"""``vtBB``: tells a record from other SQLite files."""
_BUSY_S = 30.0
"""How long another process may hold the file. A transaction over 100,000 jobs takes about 2 s."""

_TABLES = """
CREATE TABLE jobs (
    name TEXT PRIMARY KEY,           -- the output, relative to the batch's folder
    input TEXT NOT NULL,
    options TEXT NOT NULL,           -- JSON
    weight INTEGER NOT NULL,         -- bytes of the input
    stamp TEXT NOT NULL,
    fingerprint TEXT NOT NULL,       -- of input and options
    model TEXT NOT NULL,             -- digest of the model's content
    state TEXT NOT NULL,
    wanted INTEGER NOT NULL,         -- whether the last command named it
    added INTEGER NOT NULL,          -- whether "add" put it there
    anew INTEGER NOT NULL,           -- 1: an earlier run's output and unfinished frames are
                                     -- replaced, 2: its output is, and the frames are new
    tries INTEGER NOT NULL DEFAULT 0,
    owner TEXT,                      -- the process that is at work on it
    before TEXT,                     -- stamp of its output as work began, '' where nothing was
                                     -- there, NULL unless a worker is, or was lost, at work on it
    frames INTEGER,                  -- of the whole sequence, NULL where unknown
    done INTEGER NOT NULL DEFAULT 0, -- frames that are made
    seconds REAL NOT NULL DEFAULT 0, -- of work, over all tries
    fps REAL,                        -- of the run at work
    exit_code INTEGER,
    error TEXT,
    changed REAL                     -- seconds since 1970, for people
) WITHOUT ROWID;
CREATE INDEX by_state ON jobs (state, wanted, weight DESC);
"""

_COLUMNS = (
    "name, input, options, weight, stamp, fingerprint, model, state, wanted, added, anew, tries,"
    " owner, before, frames, done, seconds, fps, exit_code, error, changed"
)

_TEXT, _NUMBER = (str, type(None)), (int, float, type(None))
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("name", "input", "options", "stamp", "fingerprint", "model", "state"), str),
    **dict.fromkeys(("owner", "before", "error"), _TEXT),
    **dict.fromkeys(("weight", "wanted", "added", "anew", "tries", "done"), int),
    **dict.fromkeys(("frames", "exit_code"), (int, type(None))),
    **dict.fromkeys(("seconds", "fps", "changed"), _NUMBER),
}
"""The types of an entry's values, as SQLite gives them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A job in the record. The fields are those of the table ``jobs``."""

    name: str
    input: str
    options: str
    weight: int
    stamp: str
    fingerprint: str
    model: str
    state: State
    wanted: bool
    added: bool
    anew: int
    tries: int
    owner: str | None
    before: str | None
    frames: int | None
    done: int
    seconds: float
    fps: float | None
    exit_code: int | None
    error: str | None
    changed: float | None

    @property
    def job(self) -> Job:
        """What is to be converted."""
        return Job(self.name, self.input, self.options, self.weight, self.stamp)


@dataclass(frozen=True, slots=True)
class Entered:
    """What ``Ledger.enter`` found: numbers of jobs.

    Attributes:
        new: Not in the record before.
        changed: Whose input, options or model are others than those recorded.
        lost: Done, and whose output is no longer there.
        again: Failed before.
        done: Done already, and left as they are.
        unnamed: In the record and not done, and not named by this command.
    """

    new: int
    changed: int
    lost: int
    again: int
    done: int
    unnamed: int


class Ledger:
    """The record of a batch, open.

    Args:
        folder: Where the file is.
        create: Make the file where it is missing.
        file: The file's name.

    Raises:
        InputError: There is no record, and ``create`` is False.
        OutputError: It cannot be opened or written, is damaged, or was written by a newer version.
    """

    def __init__(self, folder: Path, *, create: bool = True, file: str = FILE) -> None:
        self.path = folder / file
        if not create and not self.path.is_file():
            raise InputError("there is no batch there: no record was found.", where=folder.parent)
        if create:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(cannot_write(error), where=folder) from error
        with self._errors():
            self._db = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        try:
            with self._errors():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with contextlib.suppress(sqlite3.OperationalError):  # a file system without shared memory
            self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        with self._transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (kind,) = db.execute("PRAGMA application_id").fetchone()
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not tables:
                for statement in _TABLES.split(";")[:-1]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={SCHEMA}")
                db.execute(f"PRAGMA application_id={_APPLICATION}")
            elif kind != _APPLICATION:
                raise OutputError("is no record of a batch.", where=self.path)
            elif version > SCHEMA:
                raise OutputError(
                    f"was written by a newer version of vidtrans (format {version}, this version"
                    f" knows {SCHEMA}).",
                    where=self.path,
                    hint="Update vidtrans, or give the batch another folder.",
                )
            else:
                db.execute(f"SELECT {_COLUMNS} FROM jobs LIMIT 1").fetchone()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise what SQLite says as an OutputError."""
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "locked" in text or "busy" in text:
                raise OutputError(
                    f"another program has had the record locked for {_BUSY_S:.0f} s.",
                    where=self.path,
                    hint="Close it, or wait, and start again.",
                ) from error
            if "no such" in text:
                raise OutputError("is no record of a batch.", where=self.path) from error
            reason = {"database or disk is full": "there is no space left on the disk"}
            raise OutputError(
                f"cannot be written: {reason.get(text, text)}.", where=self.path
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # Python decodes what SQLite says, and names in a damaged file are any bytes.
            raise self._damaged(str(error)) from error

    def _damaged(self, what: str) -> OutputError:
        return OutputError(
            f"the record is damaged ({what}).",
            where=self.path,
            hint="Move it away and start again with the existing outputs skipped: whole outputs are"
            " taken as done, and unfinished ones go on.",
        )

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        """A row as a job. SQLite keeps values of any type in any column, so a damaged file may."""
        entry = Entry(*row)
        for column, types in _TYPES.items():
            if not isinstance(getattr(entry, column), types):
                raise self._damaged(f"{column} of a job is {getattr(entry, column)!r}")
        if entry.state not in STATES:
            raise self._damaged(f"a job is {entry.state!r}")
        return entry

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one writer at a time."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    # -- what a command asks for -------------------------------------------------------------------

    def enter(
        self,
        jobs: Iterable[Job],
        models: Mapping[str, str],
        *,
        exists: Callable[[str], bool],
        added: bool = False,
        alone: bool = True,
        retry_failed: bool = True,
        skip_existing: bool = False,
    ) -> Entered:
        """Put jobs into the record: what is missing, changed or failed waits afterwards.

        Args:
            jobs: What the command names.
            models: The digest of each model, by its name or path.
            exists: Whether the output of this name is there.
            added: Whether they come on top of what the record holds.
            alone: Whether no other process is at work; then jobs that are not named rest.
            retry_failed: Whether jobs that failed wait again.
            skip_existing: Whether new jobs whose output is there count as done.
        """
        prints = Fingerprints()
        rows = [
            (j.name, j.input, j.options, j.weight, j.stamp, prints.of(j), models[j.model])
            for j in jobs
        ]
        now = time.time()
        with self._transaction() as db:
            db.execute(
                "CREATE TEMP TABLE IF NOT EXISTS named (name TEXT PRIMARY KEY, input TEXT, options"
                " TEXT, weight INTEGER, stamp TEXT, fingerprint TEXT, model TEXT) WITHOUT ROWID"
            )
            db.execute("DELETE FROM named")
            db.executemany("INSERT INTO named VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            if alone and not added:
                db.execute(
                    "UPDATE jobs SET wanted = added WHERE wanted != added"
                    " AND name NOT IN (SELECT name FROM named)"
                )
            fresh = db.execute("SELECT name FROM named EXCEPT SELECT name FROM jobs").fetchall()
            whole = {n for (n,) in fresh if exists(n)} if skip_existing else set()
            db.execute(
                f"INSERT INTO jobs ({_COLUMNS}) SELECT name, input, options, weight, stamp,"
                " fingerprint, model, 'waiting', 1, ?, 0, 0, NULL, NULL, NULL, 0, 0, NULL, NULL,"
                " NULL, ? FROM named WHERE name NOT IN (SELECT name FROM jobs)",
                (added, now),
            )
            db.executemany("UPDATE jobs SET state = 'done' WHERE name = ?", [(n,) for n in whole])
            differs = (
                "FROM named n WHERE n.name = jobs.name AND jobs.state != 'running'"
                " AND (n.fingerprint != jobs.fingerprint OR n.model != jobs.model)"
            )
            changed = db.execute(
                "UPDATE jobs SET input = n.input, options = n.options, weight = n.weight,"
                " stamp = n.stamp, fingerprint = n.fingerprint, model = n.model,"
                " state = 'waiting',"
                " anew = (jobs.tries > 0 OR jobs.done > 0 OR jobs.state = 'done'),"
                " tries = 0, done = 0, before = NULL, frames = NULL, seconds = 0, error = NULL,"
                f" exit_code = NULL {differs}"
            ).rowcount
            lost = [
                (name,)
                for (name,) in db.execute(
                    "SELECT j.name FROM jobs j JOIN named n USING (name) WHERE j.state = 'done'"
                )
                if not exists(name)
            ]
            db.executemany(
                "UPDATE jobs SET state = 'waiting', tries = 0, done = 0 WHERE name = ?", lost
            )
            again = 0
            if retry_failed:
                again = db.execute(
                    "UPDATE jobs SET state = 'waiting', tries = 0, error = NULL, exit_code = NULL"
                    " WHERE state = 'failed' AND name IN (SELECT name FROM named)"
                ).rowcount
            db.execute(
                "UPDATE jobs SET wanted = 1, added = max(added, ?), input = n.input,"
                " weight = n.weight, state = CASE WHEN jobs.state = 'removed' AND ? THEN 'waiting'"
                " ELSE jobs.state END FROM named n WHERE n.name = jobs.name AND (jobs.wanted = 0"
                " OR jobs.added < ? OR jobs.input != n.input OR jobs.weight != n.weight"
                " OR jobs.state = 'removed')",
                (added, added, added),
            )
            done = _count(db, "state = 'done' AND wanted")
            unnamed = _count(db, "state IN ('waiting', 'failed') AND NOT wanted")
            db.execute("DROP TABLE named")
        return Entered(len(fresh) - len(whole), changed, len(lost), again, done, unnamed)

    def only_failed(self) -> int:
        """Let the jobs that failed wait, and all others rest; their number."""
        with self._transaction() as db:
            db.execute("UPDATE jobs SET wanted = (state = 'failed') WHERE state != 'running'")
            return db.execute(
                "UPDATE jobs SET state = 'waiting', tries = 0, error = NULL, exit_code = NULL"
                " WHERE state = 'failed'"
            ).rowcount

    def resume_all(self) -> None:
        """Let everything that is not done wait, as the last commands left it."""
        with self._transaction() as db:
            db.execute("UPDATE jobs SET wanted = 1 WHERE state = 'waiting'")

    def remove(self, names: Iterable[str]) -> int:
        """Take jobs out of the batch. Outputs stay; what is at work ends. Gives their number."""
        with self._transaction() as db:
            return sum(
                db.execute(
                    "UPDATE jobs SET state = 'removed', added = 0 WHERE name = ?"
                    " AND state != 'running'",
                    (name,),
                ).rowcount
                for name in names
            )

    def reset(self, names: Iterable[str]) -> int:
        """Let jobs be made anew, whatever their state, replacing what is there; their number."""
        with self._transaction() as db:
            return sum(
                db.execute(
                    "UPDATE jobs SET state = 'waiting', wanted = 1, anew = 1, tries = 0, done = 0,"
                    " before = NULL, seconds = 0, error = NULL, exit_code = NULL WHERE name = ?"
                    " AND state != 'running'",
                    (name,),
                ).rowcount
                for name in names
            )

    # -- work --------------------------------------------------------------------------------------

    def claim(self, owner: str) -> Entry | None:
        """Take the heaviest job that waits; None where none does. No two processes get one job."""
        with self._transaction() as db:
            row = db.execute(
                "UPDATE jobs SET state = 'running', owner = ?, tries = tries + 1, fps = NULL,"
                " changed = ? WHERE name = (SELECT name FROM jobs WHERE state = 'waiting'"
                f" AND wanted = 1 ORDER BY weight DESC LIMIT 1) RETURNING {_COLUMNS}",
                (owner, time.time()),
            ).fetchone()
        return None if row is None else self._entry(row)

    def began(self, name: str, before: str) -> None:
        """Note the stamp of what is there under a job's name as work on it begins."""
        self._change("before = ?", name, before)

    def progress(self, name: str, *, done: int, frames: int | None, fps: float) -> None:
        """Note how far a job is."""
        what = "done = ?, frames = ?, fps = ?, changed = ?"
        self._change(what, name, done, frames, fps, time.time())

    def finish(self, name: str, *, frames: int | None, seconds: float) -> None:
        """A job is done. ``frames`` of the whole output, ``seconds`` of this run's work."""
        self._change(
            "state = 'done', anew = 0, owner = NULL, before = NULL, fps = NULL,"
            " frames = coalesce(?, frames),"
            " done = coalesce(?, frames, done), seconds = seconds + ?, error = NULL,"
            " exit_code = NULL, changed = ?",
            name, frames, frames, seconds, time.time(),
        )  # fmt: skip

    def fail(self, name: str, error: str, exit_code: int, *, seconds: float = 0.0) -> None:
        """A job failed, with a sentence and the exit code that ``convert`` would end with."""
        self._change(
            "state = 'failed', owner = NULL, before = NULL, fps = NULL, error = ?, exit_code = ?,"
            " seconds = seconds + ?, changed = ?",
            name, error, exit_code, seconds, time.time(),
        )  # fmt: skip

    def give_back(
        self,
        name: str,
        *,
        error: str | None = None,
        seconds: float = 0.0,
        counts: bool = True,
        lost: bool = False,
    ) -> None:
        """Let a job wait again, for another worker.

        Args:
            name: The job's name.
            error: Why, in a sentence.
            seconds: Of work.
            counts: Whether it was a try.
            lost: Whether its worker was lost, so that nobody knows whether it made the output: the
                stamp of what was there before is kept.
        """
        self._change(
            "state = 'waiting', owner = NULL, fps = NULL, error = ?, tries = tries - ?,"
            " before = CASE WHEN ? THEN before END, seconds = seconds + ?, changed = ?",
            name, error, 0 if counts else 1, lost, seconds, time.time(),
        )  # fmt: skip

    def began_anew(self, name: str) -> None:
        """The unfinished frames of a job that replaces an older output are its own from now on."""
        self._change("anew = 2", name)

    def _change(self, what: str, name: str, *values: Any) -> None:
        with self._transaction() as db:
            db.execute(f"UPDATE jobs SET {what} WHERE name = ?", (*values, name))

    # -- questions ---------------------------------------------------------------------------------

    def entries(self, condition: str = "1", values: tuple[Any, ...] = ()) -> list[Entry]:
        """The jobs for which an SQL condition of ours holds, by name."""
        with self._errors():
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE {condition} ORDER BY name",
                values,
            )
            return [self._entry(row) for row in rows]

    def entry(self, name: str) -> Entry | None:
        """The job of this name."""
        return next(iter(self.entries("name = ?", (name,))), None)

    def names(self) -> list[str]:
        """The names of all jobs."""
        with self._errors():
            names = [name for (name,) in self._db.execute("SELECT name FROM jobs ORDER BY name")]
        if not all(isinstance(name, str) for name in names):
            raise self._damaged("a job's name is no text")
        return names

    def waiting(self) -> int:
        """The number of jobs that wait and are wanted."""
        with self._errors():
            return _count(self._db, "state = 'waiting' AND wanted = 1")

    def totals(self) -> dict[State, dict[str, float]]:
        """For each state of the jobs that are wanted or done: jobs, frames, seconds, weight."""
        with self._errors():
            rows = self._db.execute(
                "SELECT state, count(*), sum(done), sum(seconds), sum(weight),"
                " sum(CASE WHEN state IN ('running', 'waiting') THEN"
                " weight * (1.0 - CASE WHEN frames > 0 THEN min(1.0, 1.0 * done / frames)"
                " ELSE 0 END) ELSE 0 END), sum(CASE WHEN seconds > 0 THEN weight ELSE 0 END)"
                " FROM jobs WHERE wanted OR state != 'waiting' GROUP BY state"
            ).fetchall()
        for state, *_ in rows:
            if state not in STATES:
                raise self._damaged(f"a job is {state!r}")
        keys = ("jobs", "frames", "seconds", "weight", "weight_left", "weight_timed")
        return {row[0]: dict(zip(keys, row[1:], strict=True)) for row in rows}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _count(db: sqlite3.Connection, condition: str) -> int:
    found: int = db.execute(f"SELECT count(*) FROM jobs WHERE {condition}").fetchone()[0]
    return found
