"""Several processes that train one network, on one machine or many: torchrun and PyTorch's
DistributedDataParallel.

    torchrun --nproc-per-node 2 -m vidtrans_training pix2pixhd --config streets.toml
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Processes:
    """This process is number ``rank`` of ``count``; number 0 writes logs, samples and
    checkpoints.

    ``local_rank``: its number on its machine, which is also its GPU's.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process: all of them learn the same."""
        return any(self.gathered(flag))

    def fewest(self, number: int) -> int:
        """The least number of any process."""
        return int(min(self.gathered(number)))

    def gathered(self, value: Any) -> list[Any]:
        """The value of every process, by rank."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that the environment names, as ``torchrun`` sets it; else this one alone.

    NCCL where there are GPUs, else gloo. The group is ended in any case: a process that ends with
    a group's threads still running is aborted now and then.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if torch.cuda.is_available():
        torch.cuda.set_device(local)
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Processes(dist.get_rank(), count, local)
    finally:
        dist.destroy_process_group()


class PhaseModule(nn.Module):
    """A system's networks as one module whose ``forward`` computes one phase.

    DistributedDataParallel prepares its averaging of gradients at the end of a ``forward`` and
    does it during ``backward``. A phase may use any of the networks, many times.
    """

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)

    def forward(self, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """What ``compute`` gives: for each optimiser what it minimises."""
        return compute()


def parallel_module(networks: Mapping[str, nn.Module]) -> DistributedDataParallel:
    """The networks, their gradients averaged over all processes.

    Which parameters take part differs from phase to phase, so that they are looked for each time.
    Running statistics stay each process's own; number 0's are saved.
    """
    return DistributedDataParallel(
        PhaseModule(networks), broadcast_buffers=False, find_unused_parameters=True
    )
