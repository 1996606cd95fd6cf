"""Position encoding in the perspective of a street camera.

Convolutions see labels only: within the flat area of one label they cannot tell where they are.
These planes say where a pixel lies in the picture, on a level ground and on an upright facade, so
that a network can draw lane marks and windows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vidtrans.nets.constants import kept
from vidtrans.nets.fourier import fourier_features
from vidtrans.nets.viewport import Viewport

PLANES = 38

ENCODED_HORIZON = 0.48
"""Share of the picture's height, from the top, at which the encoding has its origin.

Not a second camera: distances are measured in `vidtrans.nets.camera`. The encoding needs an origin
near the horizon (0.476 there), and the weights of the embedded model were trained with this one.
"""


def perspective_planes(viewport: Viewport, stride: int, device: torch.device) -> Tensor:
    """Planes that encode positions in a picture, or in crops of one.

    Convention: with u, v the distances from the vanishing point in picture heights, a point of the
    ground lies at X = u / v to the side and Z = 1 / v ahead (in camera heights), one of a facade at
    Y = v / |u| up and Z = 1 / |u| ahead.

    Args:
        viewport: What the network sees of the film's picture.
        stride: Pixels of a cell along each side.
        device: Where the planes shall be.

    Returns:
        float32 [N, PLANES, h, w], all within [-1,1]; N is the number of ``viewport.origins``. Not
        to be changed in place: planes of whole pictures are kept.
    """
    # Crops, of which training draws other ones in every step, are not worth keeping.
    make = _kept_planes if len(viewport.origins) == 1 else _planes
    return make(viewport, stride, device)


def _planes(viewport: Viewport, stride: int, device: torch.device) -> Tensor:
    height, width = viewport.picture_hw
    y, x = viewport.rows(stride, device), viewport.columns(stride, device)
    n, h, w = len(y), y.shape[1], x.shape[1]
    v = (y / height - ENCODED_HORIZON)[:, :, None].expand(n, h, w)
    u = ((x - width / 2) / height)[:, None, :].expand(n, h, w)
    side = u / (width / height / 2)

    # Near the vanishing point coordinates grow without bound: the least distances from it are about
    # five and ten pixels of a picture 256 high.
    below = v.clamp(min=0.02)
    beside = u.abs().clamp(min=0.04)
    ground_x, ground_z = u / below, 1 / below
    facade_y, facade_z = v / beside, 1 / beside
    planes = [side, v]
    planes += fourier_features(side, (0.5, 1, 2)) + fourier_features(v, (1, 2, 4))
    planes.append((ground_x / 8).clamp(-1, 1))
    planes += fourier_features(ground_x.clamp(-12, 12), (1 / 6, 1 / 3, 2 / 3))
    planes.append((ground_z.log() / 4).clamp(-1, 1))
    planes += fourier_features(ground_z.clamp(max=16), (1 / 8, 1 / 3))
    planes.append((facade_y / 2).clamp(-1, 1))
    planes += fourier_features(facade_y.clamp(-4, 4), (0.5, 1.5, 4))
    planes.append((facade_z.log() / 4).clamp(-1, 1))
    planes += fourier_features(facade_z.clamp(max=8), (1 / 2, 2))
    return torch.stack(planes, dim=1)


_kept_planes = kept(maxsize=16)(_planes)
