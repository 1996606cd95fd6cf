"""What the examples of the pages take for granted: files in the working directory, and names."""

from fractions import Fraction

import numpy as np
import pytest

SIZE_HW = (32, 64)
FRAMES = 3
CAR = 26


@pytest.fixture
def page_names(tmp_path, monkeypatch, scene, random_networks, published_networks):
    """The names that an example finds; its working directory holds ``model.safetensors`` (a
    pix2pixHD with styles) and ``checkpoints/label2city_1024`` (a published folder of vid2vid).

    Both are tiny and untrained, so that an example takes a second.
    """
    from vidtrans.frame import FrameTime, LabelFrame
    from vidtrans.model import Bundle, Card, write_bundle, write_folder
    from vidtrans.sequence.model import Model

    monkeypatch.chdir(tmp_path)
    labels = np.stack([scene(n) for n in range(FRAMES)])
    instances = labels.astype(np.uint16)
    for number, offset in ((26001, 0), (26002, 20)):
        for frame in range(FRAMES):
            labels[frame, 16:24, 4 + offset + frame : 12 + offset + frame] = CAR
            instances[frame, 16:24, 4 + offset + frame : 12 + offset + frame] = number

    styled = Card(
        system="pix2pixhd",
        generator={"channels": 4, "downsamplings": 1, "blocks": 1, "feature_nc": 3},
        encoder={"channels": 4, "downsamplings": 1, "feature_nc": 3},
        styles={str(CAR): [[x, -x, x / 2] for x in np.linspace(-1, 1, 6).tolist()]},
    )
    write_bundle("model.safetensors", styled, random_networks(styled).tensors())
    published = published_networks()
    write_folder("checkpoints/label2city_1024", Bundle(published.card, published.tensors()))
    return {
        "size_hw": SIZE_HW,
        "labels": labels,
        "instances": instances,
        "images": np.random.default_rng(0).uniform(-1, 1, (FRAMES, 3, *SIZE_HW)),
        "label_frames": [
            LabelFrame(index=n, ids=ids, time=FrameTime(n, Fraction(1, 17)))
            for n, ids in enumerate(labels)
        ],
        "model": Model(published, device="cpu"),
    }
