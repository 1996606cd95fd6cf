"""VGG19's features (Simonyan and Zisserman 2015), by which pictures are compared."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidtrans.errors import InputError, ModelError
from vidtrans.model.pth_file import read_pth

ADDRESS = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""torchvision's weights; the name ends in the first digits of the file's SHA-256."""

# Channels of the convolutions of each block; a 2x2 max pooling stands between two blocks.
_BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))


class VGG19(nn.Module):
    """The layers of VGG19 up to relu5_1, never trained; tensors have torchvision's names,
    ``features.{index}``."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict()
        # torchvision's indices count ReLUs and poolings too.
        self._blocks: list[list[str]] = []
        index, inputs = 0, 3
        for block in _BLOCKS:
            names = []
            for channels in block:
                self.features[str(index)] = nn.Conv2d(inputs, channels, 3, padding=1)
                names.append(str(index))
                index, inputs = index + 2, channels
            self._blocks.append(names)
            index += 1
        self.requires_grad_(False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 of ``pictures`` [N,3,H,W].

        Pictures in [-1,1] are taken as they are: the published systems subtract no mean.
        """
        x = pictures
        found = []
        for number, names in enumerate(self._blocks):
            if number:
                x = F.max_pool2d(x, 2)
            for place, name in enumerate(names):
                x = F.relu(self.features[name](x))
                if place == 0:
                    found.append(x)
        return tuple(found)


def load_vgg19(path: str | PathLike[str] | None = None) -> VGG19:
    """VGG19 with its weights.

    Args:
        path: A file of them under torchvision's names. None: torchvision's own, from torch hub's
            cache or downloaded into it, with their checksum verified.

    Raises:
        ModelError: ``path`` holds other tensors.
        InputError: Neither a file nor the network is there.
    """
    if path is not None:
        tensors, where = read_pth(path), str(path)
    else:
        tensors, where = _published(), ADDRESS
    network = VGG19()
    wanted = network.state_dict()
    unfit = [
        name
        for name, own in wanted.items()
        if name not in tensors or tensors[name].shape != own.shape
    ]
    if unfit:
        raise ModelError(
            f"holds no VGG19 as torchvision names it: {len(unfit)} tensors are missing or of"
            f" another shape, such as {unfit[0]}.",
            where=where,
        )
    network.load_state_dict({name: tensors[name] for name in wanted})
    return network


def _published() -> dict[str, Tensor]:
    try:
        return torch.hub.load_state_dict_from_url(
            ADDRESS, map_location="cpu", check_hash=True, weights_only=True, progress=True
        )
    except (OSError, RuntimeError) as error:
        cache = Path(torch.hub.get_dir()) / "checkpoints" / Path(ADDRESS).name
        raise InputError(
            f"VGG19's weights for the perceptual loss cannot be had from {ADDRESS}: {error}.",
            hint=(
                "Either download that file on another machine and name it in the settings, under"
                f' [run] vgg = "FILE" (or put it at {cache}), or switch the loss off under'
                " [options]: no_vgg_loss = true (pix2pixHD), no_vgg = true (vid2vid, street)."
            ),
        ) from error
