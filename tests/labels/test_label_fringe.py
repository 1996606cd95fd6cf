"""Colours after a real codec: snapped, and the fringe along edges cleaned."""

import subprocess

import cv2
import numpy as np
import pytest

from vidtrans.labels import LabelReader, colourise, detect, load_scheme
from vidtrans.labels.colours import colour_table

CITY = load_scheme("cityscapes")
PALETTE = tuple(colour for colour, _ in CITY.colours())


def through_x264(clip, crf, encoded="bt709", decoded="bt709"):
    """uint8 [T,H,W,3] through x264 with half-size chroma, as colour videos of labels come."""
    frames, height, width, _ = clip.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    encode = f"scale=out_color_matrix={encoded}"
    packed = subprocess.run(
        ["ffmpeg", "-v", "error", *raw, "-s", f"{width}x{height}", "-r", "17", "-i", "-", "-vf",
        encode,
         "-c:v", "libx264", "-crf", str(crf), "-pix_fmt", "yuv420p", "-threads", "1", "-f",
         "matroska", "-"],
        input=clip.tobytes(), stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    plain = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "-", "-vf", f"scale=in_color_matrix={decoded}", *raw, "-"],
        input=packed, stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    return np.frombuffer(plain, np.uint8).reshape(frames, height, width, 3)


def right(reader, frame_of, clip, truth):
    return np.mean(
        [np.mean(reader.read(frame_of(p))[0].ids == t) for p, t in zip(clip, truth, strict=True)]
    )


def pan(ids, frames, step):
    width = ids.shape[1] - (frames - 1) * step
    return np.stack([ids[:, i * step : i * step + width] for i in range(frames)])


def busy_street():
    """Slanted kerbs, round trees, people, thin poles: edges at all angles, uint8 [160,320]."""
    rng = np.random.default_rng(7)
    ids = np.full((160, 320), 23, np.uint8)
    for x in range(0, 320, 40):
        cv2.rectangle(ids, (x, int(rng.integers(15, 50))), (x + 36, 100), 11, -1)
    for _ in range(12):
        cv2.circle(
            ids,
            (int(rng.integers(0, 320)), int(rng.integers(40, 80))),
            int(rng.integers(6, 18)),
            21,
            -1,
        )
    cv2.fillPoly(
        ids, [np.array([[0, 110], [140, 88], [190, 88], [320, 118], [320, 160], [0, 160]])], 7
    )
    cv2.fillPoly(ids, [np.array([[0, 100], [140, 86], [140, 90], [0, 116]])], 8)
    for x in (40, 95, 225, 290):
        cv2.line(ids, (x, 30), (x + 3, 108), 17, 2)
        cv2.circle(ids, (x, 30), 5, 20, -1)
    for x in (70, 160, 250):
        cv2.ellipse(ids, (x, 112), (22, 10), 0, 0, 360, 26, -1)
        cv2.ellipse(ids, (x + 30, 104), (3, 9), 0, 0, 360, 24, -1)
    return ids


@pytest.mark.parametrize(("crf", "at_least"), [(23, 0.99), (35, 0.97)])
def test_a_pan_after_x264(frame_of, crf, at_least):
    truth = pan(busy_street(), 9, 3)
    clip = through_x264(np.stack([colourise(ids, CITY) for ids in truth]), crf)
    before = right(
        LabelReader(CITY, "colours", CITY, 35, clean_fringe=False), frame_of, clip, truth
    )
    after = right(LabelReader(CITY, "colours", CITY, 35), frame_of, clip, truth)
    assert before < 0.98  # else this proves nothing
    assert after > at_least
    assert 1 - after < (1 - before) / 2


@pytest.mark.parametrize(("encoded", "decoded"), [("bt601", "bt709"), ("bt709", "bt601")])
def test_a_film_decoded_with_the_wrong_matrix(frame_of, encoded, decoded):
    """Untagged films are: colours are off by up to 25, which is told, and read all the same."""
    truth = pan(busy_street(), 5, 4)
    clip = through_x264(np.stack([colourise(ids, CITY) for ids in truth]), 23, encoded, decoded)
    found = detect([frame_of(picture) for picture in clip], lossy=True)
    assert str(found) == "cityscapes:colours"
    names = {"bt601": "BT.601", "bt709": "BT.709"}
    assert any(
        f"encoded with {names[encoded]}, but decoded as {names[decoded]}" in reason
        for reason in found.reasons
    )
    told = right(LabelReader(found.scheme, "colours", CITY, 35), frame_of, clip, truth)
    assert told > 0.99
    assert right(LabelReader(CITY, "colours", CITY, 35), frame_of, clip, truth) < told


def test_real_labels_after_x264(frame_of, real):
    """Network output at a quarter of its size: thin poles, specks, and an edge within three
    pixels nearly everywhere."""
    paths = sorted((real / "sequence" / "labels").glob("*.png"))[:4]
    truth = np.stack([cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[::4, ::4] for path in paths])
    clip = through_x264(np.stack([colourise(ids, CITY) for ids in truth]), 23)
    before = right(
        LabelReader(CITY, "colours", CITY, 35, clean_fringe=False), frame_of, clip, truth
    )
    after = right(LabelReader(CITY, "colours", CITY, 35), frame_of, clip, truth)
    assert before < 0.98
    assert after > 0.99


def test_exact_colours_are_never_voted_away(frame_of):
    """A lone pixel, a line and a chequerboard of exact colours are labels, however thin."""
    ids = np.full((16, 32), 7, np.uint8)
    ids[4, 4] = 26
    ids[:, 20] = 17
    ids[10:14:2, ::2] = 24
    label, report = LabelReader(CITY, "colours", CITY, 35).read(frame_of(colourise(ids, CITY)))
    assert np.array_equal(label.ids, ids)
    assert report.cleaned == 0


def test_a_mix_that_looks_like_a_third_class_joins_one_of_its_sides(frame_of):
    """Between road and black lies a colour near ground's, which is a class too."""
    rgb = np.zeros((12, 12, 3), np.uint8)
    rgb[:, :6] = (128, 64, 128)
    rgb[:, 6] = (74, 20, 76)  # nearer to ground (81, 0, 81) than to either side
    label, report = LabelReader(CITY, "colours", CITY, 35).read(frame_of(rgb))
    assert set(np.unique(label.ids)) == {0, 7}
    assert report.cleaned == 12
    plain, _ = LabelReader(CITY, "colours", CITY, 35, clean_fringe=False).read(frame_of(rgb))
    assert (plain.ids[:, 6] == 6).all()


def test_unreadable_pixels_take_their_neighbours_class_and_are_counted(frame_of):
    rgb = np.empty((12, 12, 3), np.uint8)
    rgb[:] = (128, 64, 128)
    rgb[3:5, 3:5] = (0, 255, 0)  # no class within 48
    label, report = LabelReader(CITY, "colours", CITY, 35).read(frame_of(rgb))
    assert (label.ids == 7).all()
    assert report.unreadable == 4
    plain, _ = LabelReader(CITY, "colours", CITY, 35, clean_fringe=False).read(frame_of(rgb))
    assert (plain.ids[3:5, 3:5] == 0).all()


@pytest.mark.parametrize("tolerance", [0, 7, 48])
def test_the_table_is_the_nearest_entry(tolerance):
    """All that the table says, against distances worked out one by one."""
    rng = np.random.default_rng(tolerance)
    near = np.array(PALETTE)[rng.integers(0, len(PALETTE), 4000)] + rng.integers(-40, 41, (4000, 3))
    colours = np.concatenate(
        [np.clip(near, 0, 255), rng.integers(0, 256, (1000, 3)), PALETTE]
    ).astype(np.uint8)
    squares = ((colours[:, None].astype(int) - np.array(PALETTE)) ** 2).sum(axis=2)
    found = colour_table(PALETTE, tolerance).snap(colours[None], clean=False)
    within = squares.min(axis=1) <= tolerance**2
    entries = found.entries[0]
    assert np.array_equal(entries == 255, ~within)
    assert np.array_equal(
        squares[np.arange(len(colours)), np.minimum(entries, len(PALETTE) - 1)][within],
        squares.min(axis=1)[within],
    )
    assert found.unreadable == int((~within).sum())
