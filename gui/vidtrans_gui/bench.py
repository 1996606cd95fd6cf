"""Measures the time from the start of the editor to its first picture.

``python -m vidtrans_gui.bench`` prints JSON: wall and processor time from the start of a process
that opens the demo clip to the first painted picture in the window, in new processes. Without
QT_QPA_PLATFORM the window is drawn offscreen.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from typing import Any

_SHOWN = "first picture"
_FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


def measure(*, rounds: int = 5) -> dict[str, Any]:
    """Start the editor with the demo clip until its first picture.

    Settings and recovery copies of the user are left alone on Linux, where folders tell where they
    lie.

    Args:
        rounds: Starts that count.

    Returns:
        Plain values for JSON, as ``vidtrans.cli.measure_start`` gives them.

    Raises:
        InputError: The editor showed no picture.
    """
    from vidtrans.cli.measure_start import measure_starts  # not in the process that is measured

    with tempfile.TemporaryDirectory(prefix="vidtrans-bench-") as folder:
        environment = {"QT_QPA_PLATFORM": "offscreen"} | dict(os.environ)
        environment |= dict.fromkeys(_FOLDERS, folder)
        command = [sys.executable, "-m", "vidtrans_gui.bench", "--show"]
        return measure_starts(
            command, lambda line: line.startswith(_SHOWN), rounds=rounds, environment=environment
        )


def _show() -> int:
    """Run the editor with the demo clip, and print a line once a painted picture is in the
    window."""
    from vidtrans_gui.app import build

    app, window = build(["--demo"])

    def shown(picture: Any) -> None:
        if picture.approximation is None and not picture.result.isNull():
            window.viewer.repaint()
            print(_SHOWN, flush=True)

    window.session.shown.connect(shown)
    return app.exec()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m vidtrans_gui.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--show", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.show:
        return _show()
    from vidtrans.cli.machine import describe_machine

    figures = {"editor": measure(rounds=given.rounds), "machine": describe_machine("cpu")}
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
