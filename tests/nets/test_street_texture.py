"""Learned textures: what lies at a place is found there again from wherever it is seen."""

import pytest
import torch

from vidtrans.nets.camera import EYE_M, FOCAL, HORIZON
from vidtrans.nets.street_geometry import surface_coordinates
from vidtrans.nets.street_texture import FACADE_PERIOD_M, StreetTexture
from vidtrans.nets.viewport import Viewport

FULL_HW = (256, 512)


def seen_from(texture: StreetTexture, travelled: float) -> torch.Tensor:
    scene = torch.tensor([[travelled, 10.0, 7.0]])
    at = surface_coordinates(scene, Viewport.whole(FULL_HW), 2)
    ground = at.ground.expand(at.shape) & (at.up < 0)
    return texture(at, ~ground, ground)


@pytest.fixture
def texture() -> StreetTexture:
    torch.manual_seed(0)
    return StreetTexture(2)


@torch.inference_mode()
def test_it_is_the_same_after_a_round(texture):
    torch.testing.assert_close(
        seen_from(texture, 1.0), seen_from(texture, 1.0 + FACADE_PERIOD_M), atol=1e-4, rtol=1e-3
    )
    assert not torch.allclose(seen_from(texture, 1.0), seen_from(texture, 3.0), atol=1e-2)


@torch.inference_mode()
def test_a_mark_on_the_road_stays_where_it_is(texture):
    """One white texel row across the road: it is seen where perspective says, and nearer after
    two metres."""
    for part in texture.parameters():
        part.zero_()
    texture.road[1][..., 90] = 1.0  # 9 m along the street
    for travelled in (0.0, 2.0):
        shown = seen_from(texture, travelled)[0].abs().sum(0)
        row = shown[:, 128].argmax().item()
        assert row == pytest.approx(
            (EYE_M * FOCAL / (9.05 - travelled) + HORIZON) * 128 - 0.5, abs=1
        )


@torch.inference_mode()
def test_sides_have_fronts_of_their_own(texture):
    for part in texture.parameters():
        part.zero_()
    for texels in texture.fronts:
        texels[:, :, : texels.shape[2] // 2] = 1.0  # the left ones
    shown = seen_from(texture, 0.0)[0].abs().sum(0)
    assert shown[30, 20] > 0
    assert shown[:, 128:].max() < 1e-2
    assert shown[5, 110] == 0  # above the highest front


@torch.inference_mode()
def test_far_cells_see_no_fine_texels(texture):
    """They could only flicker."""
    for part in texture.parameters():
        part.zero_()
    texture.fronts[2].fill_(1.0)
    shown = seen_from(texture, 0.0)[0].abs().sum(0)
    assert shown[60, 110:146].max() == 0
    assert shown[60, :20].min() > 0


def test_only_what_is_seen_is_learnt(texture):
    seen_from(texture, 0.0)[..., :64].sum().backward()
    left, right = texture.fronts[0].grad[0, 0, :40], texture.fronts[0].grad[0, 0, 40:]
    assert left.abs().sum() > 0
    assert right.abs().sum() == 0
