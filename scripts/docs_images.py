"""Makes the documents' pictures with the embedded model, from the demo clip.

street.jpg: three frames, labels above and the street below. relabelled.jpg: one frame as it is, and
with edited labels. street-styles.jpg: the styles of two classes.

.venv/bin/python scripts/docs_images.py
"""

import tempfile
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from vidtrans.assets.demo_clip import DEMO_SEED, demo_instances, demo_labels
from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.labels.edit_text import gather_edits
from vidtrans.media.reader import open_reader
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.pipeline.setup import open_input
from vidtrans.pipeline.stream import translate_stream
from vidtrans.sequence.loading import load_model
from vidtrans.styles.sheet import style_sheet

ROOT = Path(__file__).parents[1]
FRAME = 8
STREET_FRAMES = (0, 12, 24)
ROWS = (
    gather_edits(),
    gather_edits(relabel=["building=vegetation"]),
    gather_edits(drop=["26013", "26014"]),
)


def frames_of(edits, wanted):
    """Labels beside the picture, uint8 RGB [H,2W,3], of each wanted frame."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ConvertSettings(
            input=str(demo_labels()),
            instances=str(demo_instances()),
            output=folder,
            seed=DEMO_SEED,
            layer="compare",
            edits=edits,
        )
        found = []
        with open_input(settings) as render:
            stream = translate_stream(
                render.frames, render.label_reader, render.painter, instances=render.instances
            )
            for translation in stream:
                if translation.index in wanted:
                    found.append(translation.picture)
                if translation.index == max(wanted):
                    stream.close()
                    return found
    raise SystemExit("the demo clip is too short")


def styles_of(classes):
    """The sheet of the styles of ``classes``, uint8 RGB [H,W,3]."""
    labels, instances = (
        next(islice(open_reader(film), FRAME, None)).pixels
        for film in (demo_labels(), demo_instances())
    )
    frame = LabelFrame(
        FRAME, labels, FrameTime(FRAME, Fraction(1, 25)), instances=instances.astype(np.int32)
    )
    return style_sheet(load_model("street", seed=DEMO_SEED), frame, classes=classes)


def save(name, picture):
    out = ROOT / "docs" / "images" / name
    cv2.imwrite(str(out), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(out, picture.shape, out.stat().st_size)


def main():
    pairs = [np.split(picture, 2, axis=1) for picture in frames_of(gather_edits(), STREET_FRAMES)]
    save("street.jpg", np.hstack([np.vstack(pair) for pair in pairs]))
    save("relabelled.jpg", np.vstack([frames_of(edits, (FRAME,))[0] for edits in ROWS]))
    save("street-styles.jpg", styles_of(("car", "person")))


if __name__ == "__main__":
    main()
