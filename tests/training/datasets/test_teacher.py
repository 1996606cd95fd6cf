"""Teachers of flow: exact, estimated, kept on disk, measured."""

import dataclasses
import sys

import numpy as np
import pytest
from vidtrans_training.datasets.geometry import Motion, Transform
from vidtrans_training.datasets.layouts import find_layout
from vidtrans_training.datasets.material import open_material
from vidtrans_training.teacher import (
    CACHE_FOLDER,
    EstimatingTeacher,
    ExactTeacher,
    composed,
    dis_flow,
    open_teacher,
    trusted_pixels,
)
from vidtrans_training.teacher_error import flow_errors

from vidtrans.errors import InputError, UsageError

TRANSFORM = Transform("vid2vid", "scaleWidth", 128, 128, 8)


def opened(tiny, kind="world"):
    layout = find_layout(tiny.make(kind))
    return layout, open_material(layout, labels="cityscapes:ids", label_nc=35)


class Counting:
    """An estimator that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, current, earlier):
        self.calls += 1
        return dis_flow(current, earlier)


def test_exact_flow_is_composed_over_several_frames(tiny):
    layout, _ = opened(tiny)
    teacher = open_teacher("auto", layout, TRANSFORM)
    assert isinstance(teacher, ExactTeacher)
    shown = tiny.shot(3).picture
    motion = teacher.motion(layout.sequences[0], 4, 3, shown, shown)
    assert np.allclose(motion.flow[0], 3 * tiny.SHIFT)
    assert not motion.flow[1].any()
    width = tiny.SIZE_HW[1]
    assert motion.trusted[:, : width - 3 * tiny.SHIFT].all()
    assert not motion.trusted[:, width - 3 * tiny.SHIFT :].any()


def test_composed_flow_follows_a_place_through_unlike_flows():
    first = Motion(np.zeros((2, 4, 8), np.float32), np.ones((4, 8), bool))
    first.flow[0] = 2
    second = Motion(np.zeros((2, 4, 8), np.float32), np.ones((4, 8), bool))
    second.flow[0, :, 5] = 1
    second.trusted[:, 4] = False
    both = composed([first, second])
    assert both.flow[0, 0].tolist() == [2, 2, 2, 3, 2, 2, 2, 2]
    assert both.trusted[0].tolist() == [True, True, False, True, True, True, False, False]


def test_dis_finds_the_motion_from_the_current_to_the_earlier_frame(tiny):
    flow = dis_flow(tiny.shot(4).picture, tiny.shot(2).picture)
    inside = flow[:, 8:-8, 16:-16]
    assert abs(float(np.median(inside[0])) - 2 * tiny.SHIFT) < 0.3
    assert abs(float(np.median(inside[1]))) < 0.3


def test_trust_is_the_published_threshold():
    current = np.full((1, 4, 3), 100, np.uint8)
    earlier = current.copy()
    # One channel off by d levels differs by (d / 127.5)^2: below 0.02 up to 18 levels.
    earlier[0, :, 0] += np.array([0, 18, 19, 60], np.uint8)
    trusted = trusted_pixels(current, earlier, np.zeros((2, 1, 4), np.float32))
    assert trusted.tolist() == [[True, True, False, False]]


def test_estimates_are_kept_until_a_picture_or_the_method_changes(tiny):
    layout, material = opened(tiny, "vid2vid")
    sequence = layout.sequences[0]
    estimator = Counting()
    teacher = EstimatingTeacher(estimator, "dis 1", TRANSFORM, layout.root / CACHE_FOLDER)
    now, before = (frame.picture for frame in material.read(sequence, [3, 2]))
    made = teacher.motion(sequence, 3, 1, now, before)
    kept = teacher.motion(sequence, 3, 1, now, before)
    assert estimator.calls == 1
    assert np.array_equal(made.flow, kept.flow)
    assert np.array_equal(made.trusted, kept.trusted)
    changed = before.copy()
    changed[0, 0] ^= 1
    teacher.motion(sequence, 3, 1, now, changed)
    assert estimator.calls == 2
    teacher.motion(sequence, 3, 1, now, before)
    assert estimator.calls == 3
    dataclasses.replace(teacher, method="dis 2").motion(sequence, 3, 1, now, before)
    assert estimator.calls == 4
    files = [path for path in (layout.root / CACHE_FOLDER).rglob("*") if path.is_file()]
    assert len(files) == 1


def test_a_kept_estimate_that_was_cut_off_is_made_again(tiny):
    layout, material = opened(tiny, "vid2vid")
    sequence = layout.sequences[0]
    teacher = open_teacher("auto", layout, TRANSFORM)
    now, before = (frame.picture for frame in material.read(sequence, [3, 2]))
    made = teacher.motion(sequence, 3, 1, now, before)
    (path,) = (path for path in (layout.root / CACHE_FOLDER).rglob("*") if path.is_file())
    path.write_bytes(path.read_bytes()[:100])
    again = teacher.motion(sequence, 3, 1, now, before)
    assert np.array_equal(made.flow, again.flow)


def test_a_cache_that_cannot_be_written_is_told_once(tiny):
    layout, material = opened(tiny, "vid2vid")
    sequence = layout.sequences[0]
    (tiny.root / "file").write_text("")
    teacher = open_teacher("dis", layout, TRANSFORM, cache=tiny.root / "file")
    now, before = (frame.picture for frame in material.read(sequence, [3, 2]))
    with pytest.warns(UserWarning, match="flow_cache") as told:
        flows = [teacher.motion(sequence, 3, 1, now, before).flow for _ in range(2)]
    assert len(told) == 1
    assert np.array_equal(*flows)


def test_real_material_has_no_exact_flow(tiny):
    layout, _ = opened(tiny, "vid2vid")
    with pytest.raises(UsageError, match=r"no exact flow.*dis or raft"):
        open_teacher("exact", layout, TRANSFORM)


def test_raft_without_torchvision_says_how_to_get_it(tiny, monkeypatch):
    layout, _ = opened(tiny, "vid2vid")
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(UsageError, match=r"needs torchvision.*pip install torchvision"):
        open_teacher("raft", layout, TRANSFORM)


def test_raft_gives_flow_with_weights_from_a_file(tiny, tmp_path):
    optical_flow = pytest.importorskip("torchvision.models.optical_flow")
    import torch

    torch.manual_seed(1)
    torch.save(optical_flow.raft_large(weights=None).state_dict(), tmp_path / "raft.pth")
    layout, material = opened(tiny, "vid2vid")
    teacher = open_teacher("raft", layout, TRANSFORM, weights=tmp_path / "raft.pth")
    now, before = (frame.picture for frame in material.read(layout.sequences[0], [3, 2]))
    motion = teacher.motion(layout.sequences[0], 3, 1, now, before)
    assert motion.flow.shape == (2, *tiny.SIZE_HW)
    assert np.isfinite(motion.flow).all()
    (tmp_path / "no.pth").write_bytes(b"no weights")
    with pytest.raises(InputError, match="cannot be read as weights"):
        open_teacher("raft", layout, TRANSFORM, weights=tmp_path / "no.pth")


def test_a_damaged_flow_file_is_named(tiny):
    layout, _ = opened(tiny)
    path = tiny.root / "world/clip_1/flow/000002.npz"
    path.write_bytes(path.read_bytes()[:50])
    shown = tiny.shot(2).picture
    with pytest.raises(InputError, match=r"000002\.npz: the flow is missing or unreadable"):
        ExactTeacher().motion(layout.sequences[0], 2, 1, shown, shown)


def test_the_error_of_an_estimate_is_measured_against_exact_flow(tiny):
    _, material = opened(tiny)

    class Off:
        """Exact flow with 3 and 4 pixels too much."""

        def motion(self, sequence, index, back, current, earlier):
            exact = ExactTeacher().motion(sequence, index, back, current, earlier)
            wrong = exact.flow + np.array([3, 4], np.float32)[:, None, None]
            return Motion(wrong, ~exact.trusted)

    (error,) = flow_errors(material, Off(), TRANSFORM, [2])
    assert (error.back, error.pairs) == (2, 3)
    assert error.motion == pytest.approx(2 * tiny.SHIFT)
    assert error.mean == error.median == pytest.approx(5)
    assert (error.over_one, error.trusted, error.wrongly_trusted) == (1, 0, 1)
    (exact,) = flow_errors(material, ExactTeacher(), TRANSFORM, [1])
    assert (exact.mean, exact.trusted, exact.mean_trusted) == (0, 1, 0)


def test_errors_need_exact_flow_and_clips_long_enough(tiny):
    _, material = opened(tiny, "vid2vid")
    with pytest.raises(InputError, match="no exact flow"):
        flow_errors(material, ExactTeacher(), TRANSFORM, [1])
    _, material = opened(tiny)
    with pytest.raises(InputError, match="more than 9 frames"):
        flow_errors(material, ExactTeacher(), TRANSFORM, [9])
