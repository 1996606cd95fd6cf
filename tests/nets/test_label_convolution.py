import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vidtrans.nets.conditioning import WindowPlanes, boundary, convolve_planes, stack_window
from vidtrans.nets.label_convolution import convolve_labels
from vidtrans.nets.painting import Conditioning


def street(frames, size, seed=0):
    """Large regions with some noise: both insides and edges."""
    rng = np.random.default_rng(seed)
    ids = np.full((frames, *size), 7, np.uint8)
    for t in range(frames):
        ids[t, : size[0] // 2] = 23
        ids[t, :, size[1] // 3 + t : size[1] // 2 + t] = 11
        ids[t, rng.integers(size[0]), rng.integers(size[1])] = 24 + t
    return torch.from_numpy(ids)[None]


def plain(ids, edges, convolution, label_nc=35):
    planes = []
    for t in range(ids.shape[1]):
        planes.append(F.one_hot(ids[:, t].long(), label_nc).permute(0, 3, 1, 2).float())
        if edges is not None:
            planes.append(edges[:, t, None].float())
    return convolution(F.pad(torch.cat(planes, 1), (3, 3, 3, 3), mode="reflect"))


def present(ids):
    return tuple(tuple(frame.unique().tolist()) for frame in ids[0])


@pytest.mark.parametrize("size", [(4, 4), (9, 30), (40, 64)])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("with_edges", [False, True])
def test_it_is_the_convolution(size, frames, with_edges):
    ids = street(frames, size)
    edges = boundary(ids) if with_edges else None
    convolution = nn.Conv2d(frames * (35 + with_edges), 5, 7)
    with torch.inference_mode():
        found = convolve_labels(ids, edges, present(ids), convolution.weight, convolution.bias, 35)
        torch.testing.assert_close(found, plain(ids, edges, convolution), atol=2e-6, rtol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_noise_everywhere_and_one_class_alone():
    convolution = nn.Conv2d(35, 5, 7, bias=False)
    noise = torch.from_numpy(
        np.random.default_rng(0).integers(0, 35, (1, 1, 24, 24), dtype=np.uint8)
    )
    for ids in (noise, torch.full((1, 1, 12, 12), 34, dtype=torch.uint8)):
        with torch.inference_mode():
            found = convolve_labels(ids, None, present(ids), convolution.weight, None, 35)
            torch.testing.assert_close(found, plain(ids, None, convolution), atol=2e-6, rtol=1e-5)


def test_planes_are_not_made_where_labels_are_looked_up(monkeypatch):
    ids = street(2, (16, 32))
    window = Conditioning(
        ids=ids, boundary=boundary(ids), features=torch.rand(1, 3, 16, 32), present=present(ids)
    )
    convolutions = [nn.Conv2d(2 * 36 + 3, 4, 7), nn.Conv2d(2 * 36 + 3, 2, 7)]
    wanted = convolve_planes(stack_window(window, label_nc=35, use_boundary=True), convolutions)
    planes = WindowPlanes(window, 35, True)
    with torch.inference_mode():
        found = convolve_planes(planes, convolutions)
    assert "dense" not in vars(planes)
    for part, like in zip(found, wanted, strict=True):
        torch.testing.assert_close(part, like, atol=2e-6, rtol=1e-5)
    # Gradients need the convolution itself.
    trained = convolve_planes(WindowPlanes(window, 35, True), convolutions)
    trained[0].sum().backward()
    assert convolutions[0].weight.grad is not None
