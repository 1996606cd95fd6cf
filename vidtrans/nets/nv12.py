"""RGB pictures as NV12 planes, on the device that made them: what video encoders compute with, and
half the bytes to copy to the host."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vidtrans.frame import Nv12


def to_nv12(picture: Tensor, planes: Nv12) -> Tensor:
    """Convert an RGB picture to NV12.

    Chroma is that of the mean of 2x2 pixels. FFmpeg's scaler filters it vertically over some pixels
    more, so that only edges differ, and there in chroma only.

    Args:
        picture: uint8 RGB [H,W,3].
        planes: The matrix.

    Returns:
        uint8 [3h/2,w] as `Nv12` says, on the same device; h and w are H and W rounded up to even
        sides, for which the last row and column are repeated.
    """
    height, width = picture.shape[:2]
    pixels = picture.permute(2, 0, 1)[None].float()
    if height % 2 or width % 2:
        pixels = F.pad(pixels, (0, width % 2, 0, height % 2), mode="replicate")
    luma = _luma(pixels, planes)
    mean = F.avg_pool2d(pixels, 2)
    grey = _luma(mean, planes)
    # Of limited range: 219 steps of luma from 16 on, 224 of chroma around 128.
    blue = (mean[:, 2] - grey) * (224 / 255 / (2 * (1 - planes.blue))) + 128
    red = (mean[:, 0] - grey) * (224 / 255 / (2 * (1 - planes.red))) + 128
    width = luma.shape[-1]
    chroma = torch.stack((blue[0], red[0]), dim=-1).view(-1, width)
    samples = torch.cat((luma[0] * (219 / 255) + 16, chroma))
    return samples.round_().to(torch.uint8)


def _luma(pixels: Tensor, planes: Nv12) -> Tensor:
    red, green, blue = pixels.unbind(1)
    return red * planes.red + green * (1 - planes.red - planes.blue) + blue * planes.blue
