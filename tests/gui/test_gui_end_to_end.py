"""A whole session in a real window under Xvfb: the demo, playing, wipe, relabel, restyle, undo,
export, and back again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage

pytestmark = pytest.mark.timeout(
    600
)  # a busy machine may take its time: what is asked is that it gets there

DRIVER = Path(__file__).with_name("drive_editor.py")


@pytest.fixture(scope="module")
def session(tmp_path_factory, tiny_model):
    """Runs the session once; its report and its folder. VIDTRANS_SCREENSHOTS names a folder that
    keeps the pictures."""
    if shutil.which("xvfb-run") is None:
        pytest.skip(
            "xvfb-run is not installed (Debian: apt-get install xvfb), so there is no screen to"
            " open a window on"
        )
    from vidtrans.model import list_bundles

    embedded = {entry.name for entry in list_bundles() if entry.embedded and entry.card is not None}
    model = "street" if "street" in embedded else str(tiny_model)
    out = tmp_path_factory.mktemp("session")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("QT_", "WAYLAND"))
    }
    environment |= {
        "QT_QPA_PLATFORM": "xcb",
        # As opencv-python leaves it in the processes that it starts.
        "QT_QPA_PLATFORM_PLUGIN_PATH": "/nowhere/cv2/qt/plugins",
        "XDG_CONFIG_HOME": str(out / "config"),
        "XDG_DATA_HOME": str(out / "data"),
        "LC_ALL": "C.UTF-8",
    }
    command = [
        "xvfb-run",
        "-a",
        "-s",
        "-screen 0 1600x900x24",
        sys.executable,
        str(DRIVER),
        model,
        str(out),
    ]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=570)
    if kept := os.environ.get("VIDTRANS_SCREENSHOTS"):
        Path(kept).mkdir(parents=True, exist_ok=True)
        for picture in out.glob("*.png"):
            shutil.copy(picture, kept)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
    return json.loads((out / "report.json").read_text()), out


def test_it_is_a_real_window_beside_opencv(session):
    report, _ = session
    assert report["platform"] == "xcb"
    assert report["plugins"] == ""


def test_playing_scrubbing_and_the_wipe(session):
    report, _ = session
    assert report["frames"] > 20
    assert report["played_to"] >= 8
    assert report["home"], "the first frame is the same picture again"
    assert report["scrubbed_to"] == 20
    assert 0.2 < report["wipe"] < 0.45


def test_edits_change_the_picture_and_undo_brings_it_back_bit_for_bit(session):
    report, _ = session
    assert report["picked"] // 1000 == 26
    assert report["relabel_changed_the_picture"]
    assert report["restyle_changed_the_picture"]
    assert report["undone"]
    assert report["undone_twice"]
    assert report["redone"]


def test_the_export_holds_the_pictures_that_the_window_showed(session, decoded):
    report, out = session
    assert report["export"] == ["done", "", report["frames"]]
    film = decoded(out / "street.mkv")
    assert len(film) == report["frames"]
    assert np.array_equal(film[20], np.load(out / "frame20.npy"))


def test_the_project_comes_back(session):
    report, _ = session
    assert report["same_project"]
    assert report["same_picture"]


def test_the_screenshots_show_a_window(session):
    report, out = session
    assert len(report["shots"]) >= 13
    for name in report["shots"]:
        image = QImage(str(out / f"{name}.png"))
        assert image.width() > 300, name
        colours = {
            image.pixel(x, y)
            for x in range(0, image.width(), 7)
            for y in range(0, image.height(), 7)
        }
        assert len(colours) > 8, f"{name} is blank"
