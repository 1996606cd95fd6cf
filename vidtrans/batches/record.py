"""Where the record of a batch lies, and the shards of it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vidtrans.batches.job import Job
from vidtrans.batches.ledger import FILE
from vidtrans.batches.naming import RECORD
from vidtrans.batches.remote import is_url
from vidtrans.errors import InputError, UsageError


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a batch: number ``index`` (from 1) of ``count``.

    Attributes:
        index: From 1.
        count: At least 1.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``"2/8"``: the second of eight. Raises UsageError."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise UsageError(f"a shard is NUMBER/COUNT, as 2/8, not {text!r}.")
        return cls(int(found[1]), int(found[2]))

    @property
    def folder(self) -> str:
        """The name of its folder in the record's."""
        return f"shard-{self.index}-of-{self.count}"

    def of(self, jobs: Iterable[Job]) -> tuple[Job, ...]:
        """Its jobs. A job's shard depends on its name alone, so that machines need not agree on
        the others."""
        return tuple(job for job in jobs if _number(job.name) % self.count == self.index - 1)


def _number(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def record_folder(out: str, ledger: str | None = None, shard: Shard | None = None) -> Path:
    """The folder of a batch's record.

    Args:
        out: The batch's folder or URL.
        ledger: A folder that the user names for it; None: in ``out``, or for a URL in the user's
            cache.
        shard: The part of the batch that has a record of its own.
    """
    if ledger is not None:
        top = Path(ledger)
    elif is_url(out):
        cache = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
        place = Path(cache) if cache else Path.home() / ".cache"
        key = hashlib.blake2b(out.rstrip("/").encode(), digest_size=8).hexdigest()
        top = place / "vidtrans" / "batches" / key
    else:
        top = Path(out) / RECORD
    return top if shard is None else top / shard.folder


def record_folders(out: str, ledger: str | None = None) -> tuple[Path, ...]:
    """The folders of a batch's records: one, and one for each shard.

    Raises:
        InputError: There is none.
    """
    top = record_folder(out, ledger)
    found = [top, *sorted(top.glob("shard-*-of-*"))]
    there = tuple(folder for folder in found if (folder / FILE).is_file())
    if not there:
        raise InputError("there is no batch there: no record was found.", where=out)
    return there
