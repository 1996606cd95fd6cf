"""3x3 convolutions of one picture on a CPU, their weights prepared once.

Where there are many channels, they are computed in tiles (`vidtrans.nets.winograd`). oneDNN's
operators that take ReLU and sums in the same pass are not used: they are internal to PyTorch, and
a frame of the street model is 1 or 2% faster with them.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets import winograd

LEAST_CHANNELS = 48
"""Inputs of a convolution from which on tiles are faster, where it also has `LEAST_OUTPUTS`. At
512x256, one thread with AVX-512, directly and in tiles: 24 to 24 channels 2.4 and 3.3 ms, 48 to 48
1.7 and 1.6, 48 to 96 3.0 and 2.5, 96 to 96 1.6 and 1.1, 160 to 160 1.1 and 0.6."""
LEAST_OUTPUTS = 96
LEAST_TILES = 32
"""Fewer rows in each product of matrices do not pay."""


class PreparedConvolution:
    """A 3x3 convolution padded with zeros; images are float32 [1,C,h,w] in channels_last.

    It holds the weights as they were when it was made.

    Args:
        weight: float32 [K,C,3,3].
        bias: float32 [K].
        stride: 1 or 2.
    """

    def __init__(self, weight: Tensor, bias: Tensor, stride: int = 1) -> None:
        self._weight = weight.detach().contiguous(memory_format=torch.channels_last)
        self._bias = bias.detach()
        self._stride = stride
        outputs, channels = weight.shape[:2]
        many = channels >= LEAST_CHANNELS and outputs >= LEAST_OUTPUTS and stride == 1
        self._tiles = winograd.Tiles.of(self._weight, self._bias) if many else None

    @classmethod
    def of_layer(cls, layer: nn.Module) -> PreparedConvolution:
        """That of a `Conv2d`, which has a padding of 1 and a bias."""
        convolution = cast(nn.Conv2d, layer)
        assert convolution.bias is not None
        return cls(convolution.weight, convolution.bias, convolution.stride[0])

    def of(self, image: Tensor, *, relu: bool = False) -> Tensor:
        """The convolution, and its ReLU."""
        tiles = self._tiles_for(image)
        if tiles is None:
            out = F.conv2d(image, self._weight, self._bias, stride=self._stride, padding=1)
            return out.relu_() if relu else out
        _, _, h, w = image.shape
        out = image.new_empty(1, h, w, len(self._bias)).permute(0, 3, 1, 2)
        target = winograd.by_tiles(out)
        for rows, values in tiles.strips(image):
            if relu:
                torch.clamp_min(values, 0, out=target[rows])
            else:
                target[rows] = values
        return out

    def add_to(self, out: Tensor, image: Tensor) -> Tensor:
        """Add the convolution to ``out``, in place; gives ``out``."""
        tiles = self._tiles_for(image)
        if tiles is None:
            return out.add_(self.of(image))
        target = winograd.by_tiles(out)
        for rows, values in tiles.strips(image):
            target[rows] += values
        return out

    def add_shuffled(self, out: Tensor, image: Tensor) -> Tensor:
        """Add the convolution's pixel shuffle by 2, its channels ordered (2, 2, C).

        Args:
            out: [1,K/4,2h,2w] in channels_last, changed in place.
            image: [1,C,h,w].
        """
        _, _, h, w = image.shape
        tiles = self._tiles_for(image)
        if tiles is None:
            rows = self.of(image).permute(0, 2, 3, 1).view(h, w, 2, 2, -1)
            out.permute(0, 2, 3, 1).view(h, 2, w, 2, -1).add_(rows.transpose(1, 2))
            return out
        side = winograd.TILE
        # A tile's rows and columns, each of two pixels of the result.
        target = out.permute(0, 2, 3, 1).view(h // side, side, 2, w // side, side, 2, -1)
        for strip, values in tiles.strips(image):
            target[strip] += values.view(*values.shape[:4], 2, 2, -1).permute(0, 1, 4, 2, 3, 5, 6)
        return out

    def _tiles_for(self, image: Tensor) -> winograd.Tiles | None:
        h, w = image.shape[2:]
        side = winograd.TILE
        fit = h % side == 0 and w % side == 0 and h * w >= LEAST_TILES * side * side
        return self._tiles if fit else None
