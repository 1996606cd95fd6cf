import numpy as np
import pytest
import torch

from vidtrans.errors import UsageError
from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.nets.painting import Painting
from vidtrans.pipeline.layers import render_layer
from vidtrans.pipeline.settings import LAYERS


def labels(ids):
    return LabelFrame(index=0, ids=np.array(ids, np.uint8), time=FrameTime(0, 1))


def flat(value, channels=3):
    return torch.full((1, channels, 2, 3), value)


LABELS = labels([[7, 7, 26], [23, 23, 23]])
FULL = Painting(
    picture=flat(0.0),
    scales=(flat(0.0),),
    raw=flat(1.0),
    warped=flat(-1.0),
    flow=torch.tensor([[100.0, 0.0, -100.0], [0.0, 0.0, 0.0]])
    .reshape(1, 1, 2, 3)
    .repeat(1, 2, 1, 1)
    * torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1),
    weight=torch.tensor([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]]).reshape(1, 1, 2, 3),
    foreground=flat(1.0),
    foreground_mask=torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]).reshape(1, 1, 2, 3),
)
FIRST = Painting(picture=flat(0.0), scales=(flat(0.0),))


def colours(painting, layer):
    return render_layer(painting, layer, LABELS).tolist()


@pytest.mark.parametrize("painting", [FULL, FIRST])
@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_is_a_picture(painting, layer):
    found = render_layer(painting, layer, LABELS)
    assert found.dtype == torch.uint8
    assert found.shape == (2, 6 if layer == "compare" else 3, 3)
    assert found.is_contiguous()


def test_parts_are_shown_as_they_are():
    assert colours(FULL, "final")[0][0] == [128, 128, 128]
    assert colours(FULL, "raw")[0][0] == [255, 255, 255]
    assert colours(FULL, "warped")[0][0] == [0, 0, 0]
    assert colours(FULL, "occlusion")[0] == [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    assert colours(FULL, "foreground")[0] == [[128, 128, 128], [128, 128, 128], [255, 255, 255]]


def test_flow_is_a_colour_wheel():
    """To the right is red, to the left its complement, and nothing moving is white."""
    right, still, left = colours(FULL, "flow")[0]
    assert right == [255, 0, 0]
    assert still == [255, 255, 255]
    assert left == [0, 255, 255]


def test_labels_have_the_schemes_colours():
    assert colours(FULL, "labels") == [
        [[128, 64, 128], [128, 64, 128], [0, 0, 142]],
        [[70, 130, 180]] * 3,
    ]
    beside = colours(FULL, "compare")[0]
    assert beside[:3] == colours(FULL, "labels")[0]
    assert beside[3:] == colours(FULL, "final")[0]


def test_first_frames_have_neutral_pictures():
    assert colours(FIRST, "raw") == colours(FIRST, "final")
    assert colours(FIRST, "warped")[0][0] == [0, 0, 0]
    assert colours(FIRST, "flow")[0][0] == [255, 255, 255]
    assert colours(FIRST, "occlusion")[0][0] == [255, 255, 255]
    assert colours(FIRST, "foreground")[0][0] == [128, 128, 128]


def test_an_unknown_layer():
    with pytest.raises(UsageError, match="no layer called 'depth'"):
        render_layer(FULL, "depth", LABELS)
