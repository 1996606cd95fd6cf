import pytest
import torch

from vidtrans.nets.warp import warp


@pytest.mark.parametrize("size", [(8, 16), (5, 7), (33, 100), (135, 240)])
def test_zero_flow_is_the_identity_to_the_bit(size):
    picture = torch.rand(2, 3, *size)
    assert torch.equal(warp(picture, torch.zeros(2, 2, *size)), picture)


def test_flow_points_to_where_the_pixel_was():
    """x then y, in pixels: a flow of (1, 0) fetches the pixel at the right."""
    picture = torch.arange(12.0).reshape(1, 1, 3, 4)
    right = torch.zeros(1, 2, 3, 4)
    right[:, 0] = 1
    assert warp(picture, right)[0, 0].tolist() == [[1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]]
    below = torch.zeros(1, 2, 3, 4)
    below[:, 1] = 1
    assert warp(picture, below)[0, 0].tolist() == [[4, 5, 6, 7], [8, 9, 10, 11], [8, 9, 10, 11]]


def test_between_pixels_is_bilinear_and_outside_is_the_border():
    picture = torch.tensor([[0.0, 1.0, 4.0]]).reshape(1, 1, 1, 3)
    half = torch.zeros(1, 2, 1, 3)
    half[:, 0] = 0.5
    assert warp(picture, half)[0, 0, 0].tolist() == pytest.approx([0.5, 2.5, 4.0])
    assert warp(picture, half * -200)[0, 0, 0].tolist() == [0.0, 0.0, 0.0]


def test_it_can_be_trained_through():
    flow = torch.full((1, 2, 6, 6), 0.3, requires_grad=True)
    warp(torch.rand(1, 3, 6, 6), flow).sum().backward()
    assert flow.grad is not None
    assert flow.grad.abs().sum() > 0
