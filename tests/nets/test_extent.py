"""Extents: steps to the ends of a run, counted by hand."""

import torch

from vidtrans.nets.extent import PLANES, extent_planes, extents


def spread(rows: list[list[int]]) -> torch.Tensor:
    """Each cell as 4 x 4 pixels."""
    return torch.tensor(rows).repeat_interleave(4, 0).repeat_interleave(4, 1)[None]


def test_steps_to_the_ends_of_a_thing():
    ids = spread([[7, 7, 26, 26, 26], [7, 7, 26, 26, 26], [7, 7, 7, 7, 7]])
    up, down, left, right = extents(ids, None)[0]
    assert left.tolist() == [[0, 1, 0, 1, 2], [0, 1, 0, 1, 2], [0, 1, 2, 3, 4]]
    assert right.tolist() == [[1, 0, 2, 1, 0], [1, 0, 2, 1, 0], [4, 3, 2, 1, 0]]
    assert up.tolist() == [[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [2, 2, 0, 0, 0]]
    assert down.tolist() == [[2, 2, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_a_boundary_parts_two_cars():
    ids = spread([[26, 26, 26, 26, 26]])
    boundary = spread([[0, 0, 1, 0, 0]]).bool()
    _, _, left, right = extents(ids, boundary)[0]
    assert left.tolist() == [[0, 1, 0, 0, 1]]
    assert right.tolist() == [[1, 0, 0, 1, 0]]


def test_planes_are_bounded_and_mirrored_by_a_mirror():
    ids = torch.randint(0, 3, (1, 32, 64))
    planes = extent_planes(extents(ids, None), 32)
    assert planes.shape == (1, PLANES, 8, 16)
    assert planes.abs().max() <= 1
    steps = extents(ids, None)
    mirrored = extent_planes(steps[:, [0, 1, 3, 2]].flip(-1), 32)
    torch.testing.assert_close(mirrored[:, 0], planes[:, 0].flip(-1))
    torch.testing.assert_close(mirrored[:, PLANES // 2], -planes[:, PLANES // 2].flip(-1))
