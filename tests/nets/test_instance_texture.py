"""Places on things: a car's left end is its left end wherever the car stands, and its texture
with it."""

import pytest
import torch

from vidtrans.model.street_classes import street_classes
from vidtrans.nets.extent import extents
from vidtrans.nets.instance_texture import KINDS, SIDE, InstanceTexture, InstanceUV, instance_uv
from vidtrans.nets.viewport import Viewport

FULL_HW = (128, 256)
CITYSCAPES = street_classes()


def a_thing(label: int, top: int, left: int, height: int, width: int) -> torch.Tensor:
    ids = torch.full((1, *FULL_HW), 7, dtype=torch.uint8)
    ids[:, top : top + height, left : left + width] = label
    return ids


def places_of(ids: torch.Tensor) -> InstanceUV:
    return instance_uv(extents(ids, None), ids[:, ::2, ::2], Viewport.whole(FULL_HW), CITYSCAPES)


def test_only_things_have_places():
    ids = a_thing(26, 40, 160, 32, 64)
    assert torch.equal(places_of(ids).valid, ids[:, ::2, ::2] == 26)


def test_a_place_is_a_share_of_the_thing():
    at = places_of(a_thing(26, 40, 160, 32, 64))
    column = at.column[0, 25, 80:112]
    assert column[0] < 0.5
    assert column[-1] > SIDE - 1.5
    assert (column.diff() > 0).all()
    share = at.row[0, 20:36, 90] % SIDE
    assert share[0] < 1
    assert share[-1] > SIDE - 2
    assert at.aspect[0, 25, 90] == pytest.approx((1 + 1) / 3.5 * 3)  # twice as wide as high


def test_what_comes_shows_its_front_and_what_goes_its_back():
    coming, going = places_of(a_thing(26, 40, 20, 32, 64)), places_of(a_thing(26, 40, 160, 32, 64))
    assert (coming.row[coming.valid] < SIDE).all()
    assert (going.row[going.valid] >= SIDE).all()
    person = places_of(a_thing(24, 40, 20, 32, 16)), places_of(a_thing(24, 40, 160, 32, 16))
    assert torch.equal(person[0].row[person[0].valid], person[1].row[person[1].valid])


def test_crops_know_their_side():
    """The right half of a picture is on the right even where it is cut out."""
    ids = a_thing(26, 40, 160, 32, 64)
    steps = extents(ids, None)
    right = Viewport(FULL_HW, (128, 128), ((0, 128),))
    half = instance_uv(steps[..., 32:], ids[:, ::2, 128::2], right, CITYSCAPES)
    whole = places_of(ids)
    assert torch.equal(half.row, whole.row[..., 64:])


@torch.inference_mode()
def test_a_mark_moves_with_its_thing():
    texture = InstanceTexture(2)
    texture.texels.zero_()
    texture.texels[:, :, :, 4] = 1.0  # a stripe a sixth from the left
    for left in (20, 160):
        shown = texture(places_of(a_thing(26, 40, left, 32, 64)))[0].abs().sum(0)
        assert shown[25].argmax().item() == pytest.approx(left / 2 + 32 * 4.5 / SIDE, abs=1)
        assert shown[:, : left // 2].max() == 0
    assert texture.texels.shape[2] == KINDS * SIDE
