"""What the systems of single pictures share, pix2pix and pix2pixHD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from vidtrans_training.clip import Clip
from vidtrans_training.options import StillOptions
from vidtrans_training.pool import PicturePool
from vidtrans_training.systems.system import System

StillOptionsT = TypeVar("StillOptionsT", bound=StillOptions)


class StillSystem(System[StillOptionsT]):
    """A clip is one chunk, and the discriminator may see generated pictures of earlier steps.

    Args:
        options: Its options.
        device: Where the networks live.
    """

    def __init__(self, options: StillOptionsT, device: torch.device) -> None:
        super().__init__(options, device)
        self.pool = PicturePool(options.pool_size)

    def chunks(self, clip: Clip) -> Iterator[Clip]:
        yield clip

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"pool": self.pool.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.pool.load_state_dict(state["pool"])

    @contextmanager
    def measuring(self) -> Iterator[None]:
        with super().measuring(), self.pool.fixed():
            yield
