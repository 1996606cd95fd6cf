"""The training sample checks its shapes, moves and is cut as a whole."""

import pytest
import torch
from vidtrans_training.clip import Clip


def clip(**changes: torch.Tensor) -> Clip:
    parts: dict = {
        "real": torch.zeros(4, 3, 8, 6),
        "labels": torch.zeros(4, 8, 6, dtype=torch.uint8),
        "flow": {1: torch.zeros(4, 2, 8, 6)},
        "confidence": {1: torch.ones(4, 1, 8, 6)},
        "names": tuple("abcd"),
    }
    return Clip(**(parts | changes))


def test_a_clip_is_cut_with_everything_in_it():
    part = clip().frames(1, 3)
    assert len(part) == 2
    assert part.size_hw == (8, 6)
    assert part.names == ("b", "c")
    assert part.flow[1].shape == (2, 2, 8, 6)
    assert part.labels is not None
    assert part.labels.shape == (2, 8, 6)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("labels", torch.zeros(4, 8, 7, dtype=torch.uint8)),
        ("instances", torch.zeros(3, 8, 6, dtype=torch.int32)),
        ("images", torch.zeros(4, 3, 4, 6)),
        ("flow", {3: torch.zeros(4, 3, 8, 6)}),
        ("confidence", {1: torch.zeros(4, 2, 8, 6)}),
        ("real", torch.zeros(3, 8, 6)),
    ],
)
def test_a_tensor_of_another_shape_is_refused_by_name(name, wrong):
    with pytest.raises(ValueError, match=name):
        clip(**{name: wrong})


def test_a_clip_without_a_condition_is_refused():
    with pytest.raises(ValueError, match="labels or images"):
        Clip(real=torch.zeros(1, 3, 8, 6))


def test_moving_keeps_every_part():
    moved = clip(instances=torch.zeros(4, 8, 6, dtype=torch.int32)).to("cpu")
    assert moved.instances is not None
    assert set(moved.flow) == {1}
