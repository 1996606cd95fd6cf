"""Takes the editor's pictures for the docs.

xvfb-run -a -s "-screen 0 1600x900x24" .venv/bin/python scripts/editor_pictures.py
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

FRAME = 48
CAR, WHITE, RED = 26, 6, 5
IMAGES = Path(__file__).parents[1] / "docs" / "images"


def main() -> None:
    """The wipe over the demo, then a few edits of it, in a window of its own settings."""
    with tempfile.TemporaryDirectory() as place:
        os.environ |= {"XDG_CONFIG_HOME": place, "XDG_DATA_HOME": place}
        from vidtrans_gui.app import build

        app, window = build(["--demo"])
        window.resize(1600, 900)
        window.move(0, 0)
        exact = [0]
        window.session.shown.connect(
            lambda shown: exact.append(shown.request.id) if shown.approximation is None else None
        )

        def wait(condition: Callable[[], object], seconds: float = 120) -> None:
            end = time.monotonic() + seconds
            while not condition() and time.monotonic() < end:
                app.processEvents()
                time.sleep(0.003)

        def settle() -> None:
            """Until what was asked last is shown, with its labels, and the status has followed."""

            def shown() -> bool:
                asked, seen = window.session._last, window.editing._shown
                return (
                    asked is not None
                    and seen is not None
                    and asked.id == seen.request.id == exact[-1]
                )

            wait(shown)
            wait(lambda: False, 0.6)

        def car(rank: int) -> tuple[int, int]:
            """A pixel in the middle of the car that is the ``rank``-th largest."""
            labels = window.editing._shown.labels
            ids, counts = np.unique(labels.instances[labels.ids == CAR], return_counts=True)
            mask = labels.instances == ids[np.argsort(-counts)][rank]
            rows, columns = np.nonzero(mask)
            middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
            return int(columns[middle]), int(rows[middle])

        def shoot(name: str) -> None:
            window.screen().grabWindow(0).save(str(IMAGES / name))

        wait(lambda: window.session.film is not None)
        window.actions_["paint-all"].setChecked(True)
        window.navigation.go(FRAME)
        settle()
        window.actions_["paint-all"].setChecked(False)
        window.viewer.set_wipe(0.42)
        window.viewer.hovered.emit(*car(0))
        settle()
        shoot("editor-wipe.png")

        window.viewer.picked.emit(*car(0))
        window.editing.style_as(WHITE)
        window.viewer.picked.emit(*car(1))
        window.editing.style_as(RED)
        window.edits_panel.reach.setCurrentIndex(window.edits_panel.reach.findData("onward"))
        window.navigation.go(20)
        settle()
        window.editing.pick_class("vegetation")
        window.editing.relabel_as("building")
        window.navigation.go(70)
        window.editing.toggle_reset()
        settle()
        window.navigation.go(FRAME)
        window.navigation.set_range(12, 84)
        window.set_compare("side")
        settle()
        window.edits_panel.select(0)
        settle()
        shoot("editor-edit.png")
        window.shut_down()


if __name__ == "__main__":
    main()
