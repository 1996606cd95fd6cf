import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vidtrans.nets import conditioning
from vidtrans.nets.conditioning import (
    boundary,
    coarser,
    convolve_planes,
    foreground_plane,
    half_size,
    pyramid,
    stack_window,
)
from vidtrans.nets.painting import Conditioning


def boundary_by_loop(instances):
    height, width = instances.shape
    edge = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                if (
                    0 <= y + dy < height
                    and 0 <= x + dx < width
                    and instances[y + dy, x + dx] != instances[y, x]
                ):
                    edge[y, x] = True
    return edge


def test_boundaries_are_those_of_a_plain_loop():
    instances = np.random.default_rng(0).integers(0, 3, (13, 17)).astype(np.int32) * 1000
    assert np.array_equal(
        boundary(torch.from_numpy(instances)).numpy(), boundary_by_loop(instances)
    )


def test_boundaries_of_real_instances(shared):
    import cv2

    files = sorted((shared / "real" / "pairs" / "instances").glob("*.png"))
    instances = cv2.imread(str(files[0]), cv2.IMREAD_UNCHANGED)[300:420, 500:700].astype(np.int32)
    found = boundary(torch.from_numpy(instances)).numpy()
    assert found.any()
    assert np.array_equal(found, boundary_by_loop(instances))


def random_window(classes=(3, 7, 26), frames=3, size=(12, 20)):
    generator = torch.Generator().manual_seed(1)
    ids = torch.tensor(classes)[
        torch.randint(len(classes), (1, frames, *size), generator=generator)
    ].to(torch.uint8)
    edges = torch.rand((1, frames, *size), generator=generator) < 0.2
    return ids, edges


def all_planes(ids, edges, label_nc=35):
    """The published planes: each frame's one-hot labels, then its boundary."""
    parts = []
    for t in range(ids.shape[1]):
        parts.append(F.one_hot(ids[:, t].long(), label_nc).permute(0, 3, 1, 2).float())
        parts.append(edges[:, t, None].float())
    return torch.cat(parts, dim=1)


def test_leaving_empty_planes_out_changes_nothing():
    ids, edges = random_window()
    plain = all_planes(ids, edges)
    window = Conditioning(ids=ids, boundary=edges, present=((3, 7, 26), (3, 7, 26, 30), (3, 7, 26)))
    planes = stack_window(window, label_nc=35, use_boundary=True)
    assert planes.total == plain.shape[1]
    assert planes.values.shape[1] == 4 + 5 + 4
    assert torch.equal(planes.values, plain[:, list(planes.channels)])
    convolutions = [nn.Conv2d(plain.shape[1], 8, 7), nn.Conv2d(plain.shape[1], 4, 7)]
    for scale in range(2):
        if scale:
            planes, plain = coarser(planes), F.avg_pool2d(plain, 3, 2, 1, count_include_pad=False)
        found = convolve_planes(planes, convolutions)
        for part, convolution in zip(found, convolutions, strict=True):
            wanted = convolution(F.pad(plain, (3, 3, 3, 3), mode="reflect"))
            torch.testing.assert_close(part, wanted, atol=2e-6, rtol=1e-5)


def test_without_knowing_what_is_present_all_planes_are_there():
    ids, edges = random_window()
    planes = stack_window(Conditioning(ids=ids, boundary=edges), label_nc=35, use_boundary=True)
    assert torch.equal(planes.values, all_planes(ids, edges))


def test_planes_for_a_gpu_are_the_same_in_channels_last(monkeypatch):
    ids, edges = random_window()
    features = torch.rand(1, 2, 12, 20)
    window = Conditioning(ids=ids, boundary=edges, features=features)
    wanted = stack_window(window, label_nc=35, use_boundary=True)
    monkeypatch.setattr(conditioning, "keeps_layout", lambda x: True)
    found = stack_window(window, label_nc=35, use_boundary=True)
    assert torch.equal(found.values, wanted.values)
    assert found.channels == wanted.channels
    for planes in (found, coarser(found)):
        assert planes.values.is_contiguous(memory_format=torch.channels_last)
        assert not planes.values.is_contiguous()


def test_pictures_are_stacked_oldest_first_and_features_last():
    image = torch.arange(2 * 3 * 4.0).reshape(1, 2, 3, 2, 2)
    planes = stack_window(Conditioning(image=image), label_nc=0, use_boundary=False)
    assert torch.equal(planes.values, image.reshape(1, 6, 2, 2))
    features = torch.rand(1, 2, 12, 20)
    ids, edges = random_window(frames=1)
    window = Conditioning(ids=ids, boundary=edges, features=features, present=((3, 7, 26),))
    planes = stack_window(window, label_nc=35, use_boundary=True)
    assert planes.channels == (3, 7, 26, 35, 36, 37)
    assert torch.equal(planes.values[:, -2:], features)


def test_coarser_scales_count_only_what_is_inside():
    picture = torch.arange(16.0).reshape(1, 1, 4, 4)
    # Corner: the mean of 2x2; edge: of 2x3; inside: of 3x3.
    assert half_size(picture)[0, 0].tolist() == [[2.5, 4.0], [8.5, 10.0]]
    levels = pyramid(picture, 3)
    assert [level.shape[-1] for level in levels] == [1, 2, 4]
    assert levels[-1] is picture


def test_the_foreground_is_the_sum_of_its_classes():
    ids = torch.tensor([[[24, 26, 7, 24]]], dtype=torch.uint8)
    assert foreground_plane(ids, (26, 24, 24))[0, 0, 0].tolist() == [1, 1, 0, 1]


def test_what_is_missing_is_said():
    with pytest.raises(ValueError, match="labels"):
        stack_window(Conditioning(), label_nc=35, use_boundary=False)
    with pytest.raises(ValueError, match="pictures"):
        stack_window(Conditioning(), label_nc=0, use_boundary=False)


def test_pictures_may_have_boundaries_too():
    image = torch.rand(1, 2, 3, 4, 5)
    edges = torch.rand(1, 2, 4, 5) < 0.5
    planes = stack_window(Conditioning(image=image, boundary=edges), label_nc=0, use_boundary=True)
    assert planes.total == 8
    assert torch.equal(planes.values[:, 3], edges[:, 0].float())
    assert torch.equal(planes.values[:, 4:7], image[:, 1])


def test_what_inference_used_first_can_be_trained_with():
    ids, edges = random_window(classes=(1, 5, 9))
    window = Conditioning(ids=ids, boundary=edges, present=((1, 5, 9),) * 3)
    convolution = nn.Conv2d(108, 2, 7)
    with torch.inference_mode():
        convolve_planes(stack_window(window, label_nc=35, use_boundary=True), [convolution])
    convolve_planes(stack_window(window, label_nc=35, use_boundary=True), [convolution])[
        0
    ].sum().backward()
    assert convolution.weight.grad is not None
