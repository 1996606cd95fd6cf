"""The published kinds of scaling and cropping, and flow that moves with its picture."""

import cv2
import numpy as np
import pytest
import torch
from vidtrans_training.datasets.geometry import (
    KINDS,
    Geometry,
    Motion,
    Transform,
    scale_picture,
)

from vidtrans.errors import InputError, UsageError
from vidtrans.nets.warp import warp


def drawn(transform: Transform, size_hw, seed=0) -> Geometry:
    return transform.draw(size_hw, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("system", "kind", "load", "fine", "multiple", "picture", "scaled", "size"),
    [
        ("pix2pix", "resize_and_crop", 286, 256, 256, (600, 900), (286, 286), (256, 256)),
        ("pix2pix", "crop", 286, 256, 256, (600, 900), (600, 900), (256, 256)),
        ("pix2pix", "scale_width", 512, 256, 4, (600, 900), (340, 512), (340, 512)),
        ("pix2pix", "scale_width_and_crop", 512, 256, 256, (600, 900), (341, 512), (256, 256)),
        ("pix2pix", "none", 286, 256, 4, (602, 901), (600, 900), (600, 900)),
        ("pix2pixhd", "scale_width", 1024, 512, 16, (1024, 2048), (512, 1024), (512, 1024)),
        ("pix2pixhd", "scale_width", 1024, 512, 32, (376, 1242), (288, 1024), (288, 1024)),
        ("pix2pixhd", "scale_width_and_crop", 1024, 512, 16, (1024, 1500), (699, 1024), (512, 512)),
        ("pix2pixhd", "resize_and_crop", 1024, 512, 16, (600, 900), (1024, 1024), (512, 512)),
        ("pix2pixhd", "none", 1024, 512, 32, (1024, 2048), (1024, 2048), (1024, 2048)),
        ("vid2vid", "scaleWidth", 512, 512, 8, (1024, 2048), (256, 512), (256, 512)),
        ("vid2vid", "scaleWidth", 512, 512, 8, (376, 1242), (160, 512), (160, 512)),
        ("vid2vid", "scaleHeight", 256, 256, 8, (1024, 2048), (256, 512), (256, 512)),
        ("vid2vid", "resize", 256, 256, 8, (1024, 2048), (256, 256), (256, 256)),
        ("vid2vid", "scaleWidth_and_crop", 1024, 300, 8, (1024, 2048), (512, 1024), (288, 288)),
        (
            "vid2vid",
            "scaleWidth_and_scaledCrop",
            1030,
            512,
            8,
            (1024, 2048),
            (516, 1032),
            (256, 512),
        ),
        (
            "vid2vid",
            "scaleHeight_and_scaledCrop",
            512,
            128,
            16,
            (256, 512),
            (512, 1024),
            (128, 256),
        ),
    ],
)
def test_sizes_of_the_published_kinds(system, kind, load, fine, multiple, picture, scaled, size):
    transform = Transform(system, kind, load, fine, multiple)
    geometry = drawn(transform, picture)
    assert (geometry.scaled_hw, geometry.size_hw) == (scaled, size)
    assert transform.size_of(picture) == size


@pytest.mark.parametrize("kind", KINDS["vid2vid"])
def test_every_kind_of_vid2vid_gives_what_the_network_takes(kind):
    transform = Transform("vid2vid", kind, 200, 128, 8)
    for seed in range(20):
        geometry = drawn(transform, (300, 333), seed)
        assert geometry.size_hw[0] % 32 == geometry.size_hw[1] % 32 == 0
        if geometry.cropped:
            assert geometry.scaled_hw[0] % 4 == geometry.scaled_hw[1] % 4 == 0
        (top, left), (h, w) = geometry.corner, geometry.size_hw
        assert 0 <= top <= geometry.scaled_hw[0] - h
        assert 0 <= left <= geometry.scaled_hw[1] - w


def test_random_widths_lie_between_fine_size_and_load_size():
    transform = Transform("vid2vid", "randomScaleWidth", 512, 256, 8)
    widths = {drawn(transform, (256, 512), seed).scaled_hw[1] for seed in range(200)}
    assert (min(widths), max(widths)) == (256, 512)
    assert len(widths) == 9  # every multiple of 32


def test_crops_of_streets_lie_about_the_middle_and_in_the_upper_eighth():
    transform = Transform("vid2vid", "scaleWidth_and_crop", 1024, 256, 8)
    corners = [drawn(transform, (512, 1024), seed).corner for seed in range(500)]
    top, left = np.array(corners).T
    assert top.max() <= (512 - 256) // 8
    assert top.min() == 0
    # A normal draw about the middle of the span 768 with a third of it as deviation, clipped.
    assert abs(left.mean() - 384) < 40
    assert 190 < left.std() < 260
    assert left.min() == 0
    assert left.max() == 768


def test_crops_of_single_pictures_are_uniform():
    transform = Transform("pix2pixhd", "crop", 512, 256, 16)
    top, left = np.array([drawn(transform, (512, 1024), seed).corner for seed in range(500)]).T
    assert top.max() > 240
    assert abs(left.mean() - 384) < 30


def test_every_other_sample_is_mirrored_and_none_without_flip():
    flips = [drawn(Transform("pix2pix", "none", 1, 1), (8, 8), s).flip for s in range(200)]
    assert 60 < sum(flips) < 140
    still = Transform("pix2pix", "none", 1, 1, flip=False)
    assert not any(drawn(still, (8, 8), seed).flip for seed in range(20))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pix2pix", "resize_and_crop", 286, 250, 256), "fine_size is 250.*multiples of 256.*256"),
        (("pix2pix", "scale_width", 100, 256, 256), "load_size is 100.*256 at least"),
        (("pix2pixhd", "scale_width_and_crop", 512, 1024, 16), "1024 is larger than load_size 512"),
        (("vid2vid", "scaleWidth_and_crop", 512, 16, 8), "fine_size is 16.*32 at least"),
        (
            ("street", "scaleWidth_and_crop", 512, 256, 16),
            "no resize_or_crop 'scaleWidth_and_crop'",
        ),
        (("vid2vid", "scale_width", 512, 512, 8), "no resize_or_crop 'scale_width'.*scaleWidth"),
        (("vid2vid", "randomScaleWidth", 256, 512, 8), "larger than load_size"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        Transform(*arguments)


def test_a_picture_smaller_than_the_crop_is_refused():
    transform = Transform("pix2pixhd", "crop", 512, 256, 16)
    with pytest.raises(InputError, match=r"crop of 256x256 does not fit.*300x200"):
        drawn(transform, (200, 300))


def test_pictures_are_scaled_as_pillow_scales_them():
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (96, 160, 3), dtype=np.uint8)
    wanted = np.asarray(image.fromarray(picture).resize((64, 40), image.BICUBIC)).astype(int)
    assert np.abs(scale_picture(picture, (40, 64)).astype(int) - wanted).max() <= 1


def test_pictures_become_tensors_in_range():
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[0, 0] = 255, 127, 0
    tensor = Geometry((4, 6), (0, 0), (2, 3), flip=True).picture(picture)
    assert tensor.shape == (3, 2, 3)
    assert tensor[0, 0, 2] == 1
    assert tensor[2, 0, 2] == -1


def test_labels_and_instances_keep_their_values():
    instances = np.arange(16, dtype=np.int32).reshape(4, 4) * 100_000
    half = Geometry((2, 2), (0, 0), (2, 2)).nearest(instances)
    assert set(half.ravel()) <= set(instances.ravel())
    part = Geometry((4, 4), (1, 2), (2, 2), flip=True).nearest(instances)
    assert np.array_equal(part, instances[1:3, 2:4][:, ::-1])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scaled", [(64, 96), (128, 192), (64, 192)])
def test_flow_moves_with_its_picture(scaled, flip):
    """The earlier picture, warped by the transformed flow, is the transformed current one."""
    rng = np.random.default_rng(2)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (72, 120, 3)).astype(np.float32), (0, 0), 5)
    wide = np.clip((wide - 128) * 10 + 128, 0, 255).astype(np.uint8)
    earlier, current = wide[:64, :96], wide[4:68, 6:102]
    flow = np.zeros((2, 64, 96), np.float32)
    flow[0], flow[1] = 6, 4
    size = (scaled[0] // 2, scaled[1] // 2)
    geometry = Geometry(scaled, (scaled[0] // 8, scaled[1] // 4), size, flip)
    motion = geometry.motion(Motion(flow, np.ones((64, 96), bool)))
    before, now = geometry.picture(earlier)[None], geometry.picture(current)
    moved = warp(before, torch.from_numpy(motion.flow)[None])[0]
    trusted = torch.from_numpy(motion.trusted)
    assert 0.6 < trusted.float().mean() < 1
    assert (moved - now).abs().amax(0)[trusted].max() < 0.15
    assert (moved - now).abs().amax(0)[~trusted].max() > 0.3


def test_flow_of_a_whole_picture_is_trusted_to_its_border():
    flow = np.full((2, 4, 6), 3, np.float32)
    motion = Geometry((4, 6), (0, 0), (4, 6)).motion(Motion(flow, np.ones((4, 6), bool)))
    assert motion.trusted.all()
