"""Textures counted from clips: a street with painted fronts comes out as its paint."""

import numpy as np
import pytest
import torch
from vidtrans_training.clip import Clip
from vidtrans_training.options import StreetOptions
from vidtrans_training.systems.street import StreetSystem
from vidtrans_training.textures import mean_textures

from vidtrans.nets.street_geometry import surface_coordinates
from vidtrans.nets.street_texture import FACADE_TEXELS_M, ROAD_TEXELS_M, StreetTexture
from vidtrans.nets.viewport import Viewport

SIZE_HW = (128, 256)


@pytest.fixture
def clip() -> Clip:
    """One frame: houses red from 12 m to 24 m along the street and blue elsewhere, road black
    and white by turns of 3 m."""
    scene = np.array([[0.0, 8.0, 8.0]], np.float32)
    at = surface_coordinates(torch.from_numpy(scene), Viewport.whole(SIZE_HW), 1)
    front = ((at.up > 0) & (at.up < 12)).expand(at.shape)[0].numpy()
    labels = np.where(front, 11, np.where(at.ground.expand(at.shape)[0].numpy(), 7, 23)).astype(
        np.uint8
    )
    red = ((at.along > 12) & (at.along < 24)).expand(at.shape)[0].numpy()
    white = (at.ahead.remainder(6) < 3).expand(at.shape)[0].numpy()
    rgb = np.where(red[..., None], (255, 0, 0), (0, 0, 255))
    rgb = np.where((labels == 7)[..., None], np.where(white, 255, 0)[..., None], rgb).astype(
        np.uint8
    )
    return Clip(
        real=torch.from_numpy(rgb).movedim(-1, 0)[None].float() / 127.5 - 1,
        labels=torch.from_numpy(labels)[None],
        instances=torch.from_numpy(labels.astype(np.int32))[None],
        scene=torch.from_numpy(scene),
    )


@pytest.fixture
def system() -> StreetSystem:
    options = StreetOptions(channels=(4, 4, 4, 4), ndf=2, num_D=1, n_scales_temporal=0, no_vgg=True)
    return StreetSystem(options, torch.device("cpu"), vgg=None)


def test_fronts_and_road_are_found(clip: Clip, system: StreetSystem) -> None:
    mean = mean_textures([clip], system)
    fronts, road = mean.fronts, mean.road
    assert [len(fronts), len(road)] == [len(FACADE_TEXELS_M), len(ROAD_TEXELS_M)]
    coarse = fronts[0]  # texels of 1.6 m along and 0.4 m up
    assert coarse[:, 8, 10].tolist() == pytest.approx([1, -1, -1], abs=0.05)
    assert coarse[:, 8, 16].tolist() == pytest.approx([-1, -1, 1], abs=0.05)
    middle = road[0][0, 80]  # texels of 0.4 m, straight ahead
    assert middle[[16, 19]].mean() > 0.9  # 6.6 m and 7.8 m
    assert middle[[24, 27]].mean() < -0.9  # 9.8 m and 11 m


def test_a_texture_begins_with_them(clip: Clip, system: StreetSystem) -> None:
    texture = StreetTexture(4)
    mean = mean_textures([clip], system)
    texture.set_colours(mean.fronts, mean.road)
    at = surface_coordinates(
        clip.scene,
        Viewport.whole(SIZE_HW),
        2,
    )
    ground = at.ground.expand(at.shape) & (at.up < 0)
    with torch.inference_mode():
        seen = texture(at, ~ground, ground)[0, 0, :, SIZE_HW[1] // 4]
    ahead = at.ahead[0, :, 0]
    inside = (ahead > 5) & (ahead < 9) & ((ahead.remainder(3) - 1.5).abs() < 1)
    assert torch.equal(seen[inside] > 0, ahead[inside].remainder(6) < 3)
