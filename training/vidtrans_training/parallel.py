"""Several processes that train one network: each takes its own clips and crops, and gradients
are averaged every step."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from vidtrans.errors import UsageError


@dataclass(frozen=True)
class Workers:
    """This process is number ``rank`` of ``count``; number 0 writes the log, the sheets and the
    checkpoints."""

    rank: int = 0
    count: int = 1

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces every gradient by its mean over the workers; a missing gradient counts as
        zero."""
        if self.count == 1:
            return
        wanted = list(parameters)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in wanted]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        for parameter, part in zip(
            wanted, torch.split(flat, [p.numel() for p in wanted]), strict=True
        ):
            parameter.grad = part.view_as(parameter)

    def share(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every worker the parameters of number 0."""
        if self.count > 1:
            for parameter in parameters:
                dist.broadcast(parameter.data, src=0)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any worker: all of them learn the same."""
        if self.count == 1:
            return flag
        raised = torch.tensor([float(flag)])
        dist.all_reduce(raised)
        return bool(raised.item())


@contextmanager
def joined() -> Iterator[Workers]:
    """The workers that the environment names (RANK, WORLD_SIZE and the address, as `torchrun` sets
    them); else one alone.

    They part at the end: a process that ends with a group's threads still running is aborted now
    and then.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Workers()
        return
    dist.init_process_group("gloo")
    try:
        yield Workers(dist.get_rank(), count)
    finally:
        dist.destroy_process_group()


@contextmanager
def helpers(count: int, arguments: Sequence[str]) -> Iterator[None]:
    """Starts ``count`` - 1 more processes of `vidtrans-train` with the same arguments, and makes
    this one number 0.

    They stop when this one stops; whatever is still there at the end is ended.
    """
    if count == 1 or "WORLD_SIZE" in os.environ:
        yield
        return
    if not dist.is_available():
        raise UsageError(
            "This build of PyTorch cannot train with several workers.", hint="Leave --workers out."
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    command = [sys.executable, "-m", "vidtrans_training", *arguments]
    # Sessions of their own: Ctrl-C reaches number 0 alone, which tells the others, and Linux shares
    # processors by session.
    started = [
        subprocess.Popen(
            command, env=os.environ | place | {"RANK": str(rank)}, start_new_session=True
        )
        for rank in range(1, count)
    ]
    os.environ |= place | {"RANK": "0"}
    try:
        yield
        for process in started:
            process.wait(timeout=60)
    finally:
        for name in (*place, "RANK"):
            os.environ.pop(name, None)
        for process in started:
            process.kill()
            process.wait()
