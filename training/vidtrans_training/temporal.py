"""Groups of frames for the temporal discriminators (Wang et al. 2018b, section 3.3).

Scale s looks at ``n_frames`` frames that lie n_frames**s apart. A sequence is trained in chunks, so
frames that a group of the next chunk will reach back to are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

FLOW_UNIT = 20.0
"""Pixels of flow that a temporal discriminator sees as 1."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Consecutive frames, oldest first.

    Args:
        real: Real pictures [K,C,H,W] in [-1,1].
        fake: Generated pictures of the same shape.
        flow: The teacher's flow [K,2,H,W] that the scale takes, x then y, pixels.
    """

    real: Tensor
    fake: Tensor
    flow: Tensor

    def __len__(self) -> int:
        return self.real.shape[0]

    def at(self, index: slice) -> Frames:
        """Some of the frames."""
        return Frames(self.real[index], self.fake[index], self.flow[index])

    def detached(self) -> Frames:
        """The same frames, without the way their pictures were generated."""
        return Frames(self.real, self.fake.detach(), self.flow)

    def followed_by(self, later: Frames) -> Frames:
        """These frames and then ``later``."""
        return Frames(
            torch.cat([self.real, later.real]),
            torch.cat([self.fake, later.fake]),
            torch.cat([self.flow, later.flow]),
        )


@dataclass(frozen=True, eq=False)
class Groups:
    """What a temporal discriminator sees: a batch of groups, each its pictures, oldest first, and
    then the flows between them, divided by 20.

    Args:
        real: [M, n_frames * C + (n_frames - 1) * 2, H, W], of real pictures.
        fake: The same of generated pictures, with the **same** flows.
    """

    real: Tensor
    fake: Tensor


@dataclass(frozen=True)
class TemporalScale:
    """One temporal scale: which frames form groups, and which are kept.

    Args:
        scale: s, 0 for adjacent frames.
        n_frames: tD, the frames of a group.
        sparse: Consecutive groups that do not overlap, with flows of adjacent frames, instead of
            groups that end at the newest frame and every tD-th frame before it (``sparse_D``).
    """

    scale: int
    n_frames: int
    sparse: bool = False

    @property
    def distance(self) -> int:
        """Frames from one frame of a group to the next."""
        return int(self.n_frames**self.scale)

    @property
    def flow_distance(self) -> int:
        """How many frames back the flow leads that this scale takes."""
        return 1 if self.sparse else self.distance

    def groups(
        self, kept: Frames | None, new: Frames, start: int
    ) -> tuple[Groups | None, Frames | None]:
        """The groups that end in a chunk, and what the next chunk needs.

        Args:
            kept: What the chunk before handed on; None at the beginning of a sequence.
            new: The chunk's frames.
            start: Which generated frame of the sequence ``new`` begins with.

        Returns:
            The groups, None where nothing is to be seen yet; and the frames to keep, detached.
        """
        return self._sparse(kept, new, start) if self.sparse else self._dense(kept, new)

    def _dense(self, kept: Frames | None, new: Frames) -> tuple[Groups | None, Frames]:
        frames = new if kept is None else kept.followed_by(new)
        span = self.distance * (self.n_frames - 1)
        first_new = len(frames) - len(new)
        ends = range(len(frames) - 1, max(first_new, span) - 1, -self.n_frames)
        groups = _grouped(frames.at(slice(end - span, end + 1, self.distance)) for end in ends)
        return groups, frames.at(slice(max(len(frames) - span, 0), None)).detached()

    def _sparse(
        self, kept: Frames | None, new: Frames, start: int
    ) -> tuple[Groups | None, Frames | None]:
        new = new.at(slice(-start % self.distance, None, self.distance))
        frames = new if kept is None else kept.followed_by(new)
        count = len(frames) // self.n_frames
        first = len(frames) - count * self.n_frames
        groups = _grouped(
            frames.at(slice(first + n * self.n_frames, first + (n + 1) * self.n_frames))
            for n in range(count)
        )
        return groups, frames.at(slice(max(len(frames) - self.n_frames + 1, 0), None)).detached()


def _grouped(groups: Iterable[Frames]) -> Groups | None:
    shown = [
        (
            group.real.flatten(0, 1),
            group.fake.flatten(0, 1),
            group.flow[1:].flatten(0, 1) / FLOW_UNIT,
        )
        for group in groups
    ]
    if not shown:
        return None
    real = torch.stack([torch.cat([real, flow]) for real, _, flow in shown])
    fake = torch.stack([torch.cat([fake, flow]) for _, fake, flow in shown])
    return Groups(real, fake)
