"""What a newcomer does first, through the installed command."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

VIDTRANS = str(Path(sys.executable).with_name("vidtrans"))
REAL = Path(os.environ.get("VIDTRANS_SHARED", Path(__file__).parents[3] / "shared")) / "real"


def vidtrans(*words, cwd):
    return subprocess.run(
        [VIDTRANS, *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=170
    )


def test_demo(tmp_path, decoded):
    """The embedded clip through the embedded model."""
    done = vidtrans("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "vidtrans-demo"
    film, beside = decoded(out / "film.mp4"), decoded(out / "side_by_side.mp4")
    assert len(film) == len(beside) >= 24
    height, width = film.shape[1:3]
    assert beside.shape[1:3] == (height, 2 * width)
    # Not one grey: a picture, and one that changes as the car drives on.
    assert film[0].std() > 10
    assert np.abs(film[0].astype(int) - film[-1]).mean() > 2
    assert cv2.imread(str(out / "contact_sheet.png")).std() > 10


@pytest.mark.skipif(
    not (REAL / "sequence" / "labels").is_dir(), reason="the real material is not here"
)
def test_real_labels_into_a_film(tmp_path, decoded, tiny_model):
    """A folder of Cityscapes' names, its scheme found by itself."""
    labels = REAL / "sequence" / "labels"
    done = vidtrans(
        "convert",
        labels,
        "street.mp4",
        "--model",
        tiny_model,
        "--size",
        "128x64",
        "--rate",
        17,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert decoded(tmp_path / "street.mp4").shape == (len(list(labels.iterdir())), 64, 128, 3)
