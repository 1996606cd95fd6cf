"""A conversion that fails or dies at one file-changing call after the other, each followed by a
resumed one. Prints a line for each call: its number, what it is, and what came of it.

    python injected_faults.py FILM MODEL FOLDER error|death FIRST STEP [SUFFIX]

The columns: number, call, exit code, exit code of the resumed run, whether the output is that of an
undisturbed run, whether the first run left half a film under its name, and what else is left.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from vidtrans.errors import VidtransError
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import ConvertSettings

CHANGING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.chmod", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR
UNKNOWN, DEAD = 99, 137


def watch(folder: Path, mode: str, target: int, report: Path) -> None:
    """Let the call number ``target`` that changes something in ``folder`` fail, or be the last."""
    calls = count(1)

    def happen(what: str) -> None:
        if next(calls) != target:
            return
        report.write_text(what)
        if mode == "death":
            os._exit(DEAD)
        raise OSError(errno.EIO, "injected")

    def inside(path: object) -> bool:
        return isinstance(path, (str, bytes, os.PathLike)) and str(folder) in os.fsdecode(path)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        changes = event in CHANGING or (event == "open" and arguments[2] & WRITING)
        if changes and inside(arguments[0]):
            happen(f"{event} {Path(os.fsdecode(arguments[0])).name}")

    plain = os.fsync

    def fsync(descriptor: int) -> None:
        happen("fsync")
        plain(descriptor)

    os.fsync = fsync
    sys.addaudithook(hook)


def run(values: dict[str, Any], *, resume: bool) -> int:
    try:
        convert(ConvertSettings.read(**values, resume=resume))
    except VidtransError as error:
        return error.exit_code
    except BaseException:
        traceback.print_exc()
        return UNKNOWN
    return 0


def faulty(folder: Path, mode: str, target: int, report: Path, values: dict[str, Any]) -> int:
    watch(folder, mode, target, report)
    return run(values, resume=False)


def in_child(work: Callable[[], int]) -> int:
    """The exit code of ``work`` in a process of its own."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def content(path: Path) -> list[bytes] | None:
    if path.is_dir():
        return [each.read_bytes() for each in sorted(path.iterdir())]
    return [path.read_bytes()] if path.exists() else None


def main() -> None:
    film, model, top, mode, first, step, *rest = sys.argv[1:]
    suffix = rest[0] if rest else ".mp4"
    values = {
        "input": film, "model": model, "device": "cpu", "labels": "cityscapes",
        "snapshot_every": 4,
    }  # fmt: skip
    whole = Path(top) / f"whole{suffix}"
    assert in_child(partial(run, values | {"output": str(whole)}, resume=False)) == 0
    wanted = content(whole)
    for number in count(int(first), int(step)):
        folder, report = Path(top) / str(number), Path(top) / f"{number}.txt"
        folder.mkdir()
        given = values | {"output": str(folder / f"film{suffix}")}
        code = in_child(partial(faulty, folder, mode, number, report, given))
        if not report.exists():
            return
        early = content(folder / f"film{suffix}")
        again = 0 if code == 0 else in_child(partial(run, given, resume=True))
        left = sorted(each.name for each in folder.iterdir() if each.name != f"film{suffix}")
        right = content(folder / f"film{suffix}") == wanted
        half = bool(suffix) and early not in (None, wanted)
        print(f"{number}\t{report.read_text()}\t{code}\t{again}\t{right}\t{half}\t{left}")
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
