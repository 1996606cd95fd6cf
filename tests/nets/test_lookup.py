"""A lookup by label gives the numbers of the convolution that it stands for, and its gradients."""

import pytest
import torch
from torch.nn import functional as F

from vidtrans.nets.lookup import LabelLookup


def planes(ids: torch.Tensor, boundary: torch.Tensor, label_nc: int) -> torch.Tensor:
    """Label planes, then the boundary plane, for each frame: [N, T * (label_nc + 1), H, W]."""
    one_hot = F.one_hot(ids.long(), label_nc).movedim(-1, 2).float()
    return torch.cat([one_hot, boundary[:, :, None].float()], dim=2).flatten(1, 2)


def as_convolution(lookup: LabelLookup) -> torch.Tensor:
    """The same layer as convolution weights [channels, T * (label_nc + 1), patch, patch]."""
    both = torch.cat([lookup.labels, lookup.boundary], dim=1)
    p = lookup.patch
    return (
        both.view(lookup.n_frames, p, p, lookup.label_nc + 1, -1)
        .permute(4, 0, 3, 1, 2)
        .flatten(1, 2)
    )


@pytest.mark.parametrize(("patch", "frames"), [(2, 1), (4, 2)])
def test_equals_the_convolution_over_planes(patch, frames):
    torch.manual_seed(0)
    ids = torch.randint(0, 7, (2, frames, 8, 16), dtype=torch.uint8)
    boundary = torch.rand(2, frames, 8, 16) > 0.7
    lookup = LabelLookup(7, 5, patch, frames)
    expected = F.conv2d(planes(ids, boundary, 7), as_convolution(lookup), stride=patch)
    found = lookup(ids, boundary)
    torch.testing.assert_close(found, expected)

    wanted = torch.randn_like(expected)
    parameters = list(lookup.parameters())
    by_lookup = torch.autograd.grad((found * wanted).sum(), parameters)
    by_convolution = torch.autograd.grad((expected * wanted).sum(), parameters)
    torch.testing.assert_close(by_lookup, by_convolution)


def test_no_boundary_is_an_empty_boundary_plane():
    lookup = LabelLookup(4, 3, 2)
    ids = torch.randint(0, 4, (1, 1, 4, 4), dtype=torch.uint8)
    assert torch.equal(lookup(ids, None), lookup(ids, torch.zeros(1, 1, 4, 4, dtype=torch.bool)))
