"""Which processes are at work on a batch: each holds the lock of a file as long as it lives."""

from __future__ import annotations

import json
import os
import secrets
import socket
from pathlib import Path
from types import TracebackType
from typing import IO

from filelock import lock_descriptor

from vidtrans.atomic_write import cannot_write
from vidtrans.errors import OutputError

_FOLDER = "owners"


class Owner:
    """This process's lock in the folder of a record. The system releases it when the process ends,
    however that happens.

    Args:
        folder: The folder of the record.

    Raises:
        OutputError: The folder cannot be written, or its file system has no locks.
    """

    def __init__(self, folder: Path) -> None:
        place = folder / _FOLDER
        try:
            place.mkdir(parents=True, exist_ok=True)
            while not self._take(place):
                pass
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(cannot_write(error), where=folder) from error

    def _take(self, place: Path) -> bool:
        """Make a lock file and lock it; False where ``living`` took it for that of a dead process
        in between."""
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._path = place / f"{self.id}.lock"
        self._file: IO[str] = self._path.open("w", encoding="utf-8")
        try:
            locked = lock_descriptor(self._file.fileno(), blocking=False)
        except OSError as error:
            self.close()
            raise OutputError(
                "its file system has no locks, and a batch needs them so that no two processes do"
                " one job.",
                where=place.parent.parent,
                hint="Keep the record on a local disk: name a folder for it (ledger).",
            ) from error
        if not (locked and self._path.exists()):
            self.close()
            return False
        json.dump({"host": socket.gethostname(), "pid": os.getpid()}, self._file)
        self._file.flush()
        return True

    def close(self) -> None:
        """Release the lock and remove its file."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    def __enter__(self) -> Owner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def living(folder: Path) -> dict[str, str]:
    """The processes that hold a lock there: host by identifier. Files of dead ones are removed."""
    place = folder / _FOLDER
    found: dict[str, str] = {}
    if not place.is_dir():
        return found
    for path in sorted(place.glob("*.lock")):
        host = _host_if_alive(path)
        if host is not None:
            found[path.stem] = host
    return found


def _host_if_alive(path: Path) -> str | None:
    """The host of the process that holds the lock; None where nobody does."""
    try:
        with path.open("r+", encoding="utf-8") as file:
            if lock_descriptor(file.fileno(), blocking=False):
                path.unlink(missing_ok=True)
                return None
            try:
                return str(json.load(file)["host"])
            except (ValueError, KeyError, TypeError):
                return "an unknown host"  # it is being written just now
    except OSError:
        return None
