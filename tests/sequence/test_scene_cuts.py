import numpy as np
import pytest

from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.sequence.scene_cuts import is_cut, likeness

ROAD, SIDEWALK, BUILDING, POLE, VEGETATION, SKY, PERSON, CAR = 7, 8, 11, 17, 21, 23, 24, 26


def street(seed, width=1200, height=128):
    """A long street's label map: road, pavement, houses and trees of different heights, poles,
    cars, people."""
    rng = np.random.default_rng(seed)
    ids = np.full((height, width), SKY, np.uint8)
    x = 0
    while x < width:
        w = int(rng.integers(20, 90))
        ids[int(rng.integers(5, 70)) :, x : x + w] = rng.choice(
            [BUILDING, BUILDING, VEGETATION, SKY]
        )
        x += w
    horizon = int(rng.integers(70, 95))
    ids[horizon:] = SIDEWALK
    ids[horizon + int(rng.integers(2, 16)) :] = ROAD
    for _ in range(25):
        kind, w, h = [(CAR, 30, 20), (PERSON, 6, 22), (POLE, 3, 60)][rng.integers(3)]
        x, bottom = int(rng.integers(0, width - w)), horizon + int(rng.integers(5, 25))
        ids[bottom - h : bottom, x : x + w] = kind
    return ids


def label_frame(ids, index=0):
    return LabelFrame(index=index, ids=np.ascontiguousarray(ids), time=FrameTime(index, 1))


def cuts(clip):
    frames = [label_frame(ids, t) for t, ids in enumerate(clip)]
    return [t for t in range(1, len(frames)) if is_cut(frames[t - 1], frames[t])]


def test_two_cuts_and_none_false():
    """Three streets of eight frames each, driven along at a walking pace."""
    clip = [street(seed)[:, 4 * t : 4 * t + 256] for seed in (1, 2, 3) for t in range(8)]
    assert cuts(clip) == [8, 16]


@pytest.mark.parametrize("step", [-75, -40, 20, 50, 75])
def test_a_fast_pan_is_no_cut(step):
    """Up to 30% of the width from frame to frame."""
    starts = range(0, 940, step) if step > 0 else range(940, 0, step)
    assert cuts([street(5)[:, x : x + 256] for x in starts]) == []


def test_a_pan_that_tilts_and_noise_are_no_cut():
    long = np.pad(street(6), ((10, 10), (0, 0)), "edge")
    rng = np.random.default_rng(0)
    clip = []
    for t in range(8):
        ids = long[(t % 3) * 5 : (t % 3) * 5 + 128, 30 * t : 30 * t + 256].copy()
        ids[rng.random(ids.shape) < 0.03] = VEGETATION
        clip.append(ids)
    assert cuts(clip) == []


def test_a_car_that_fills_half_the_view_is_no_cut():
    before = street(7)[:, :256]
    after = before.copy()
    after[40:110, :110] = CAR
    assert not is_cut(label_frame(before), label_frame(after))


def test_the_measure():
    ids = street(8)[:, :256]
    assert likeness(ids, ids) == 1
    assert likeness(np.zeros_like(ids), np.full_like(ids, 3)) == 0
    # By hand: two classes side by side, on the grid of 64x128; the border between them moved by an
    # eighth of the width.
    a = np.zeros((64, 128), np.uint8)
    a[:, :64] = 1
    b = a.copy()
    b[:, 64:80] = 1
    overlap = (64 / 80 * np.sqrt(80) + 48 / 64 * np.sqrt(64)) / (np.sqrt(80) + np.sqrt(64))
    equal, chance = 112 / 128, 0.5 * (80 / 128) + 0.5 * (48 / 128)
    wanted = (overlap + (equal - chance) / (1 - chance)) / 2
    assert wanted > 0.65
    assert likeness(a, b) == pytest.approx(wanted)


def test_other_sizes_are_a_cut_and_pictures_without_labels_never():
    ids = street(1)[:, :256]
    assert is_cut(label_frame(ids), label_frame(ids[:, :200]))
    blank = label_frame(np.zeros((4, 4), np.uint8))
    assert not is_cut(blank, blank)


def test_real_streets(shared):
    import cv2

    def read(folder):
        files = sorted((shared / "real" / folder / "labels").glob("*.png"))
        return [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files]

    sequence, pairs = read("sequence"), read("pairs")
    assert cuts(sequence) == []
    # Consecutive numbers of a drive, minutes apart: every picture another street.
    assert cuts([sequence[-1], *pairs]) == [1, 2, 3, 4]
