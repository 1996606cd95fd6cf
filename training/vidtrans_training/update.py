"""Optimisation steps: phases of a system, each followed by the steps of its optimisers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

from vidtrans.errors import VidtransError
from vidtrans_training.clip import Clip
from vidtrans_training.distributed import Processes, parallel_module
from vidtrans_training.systems.system import Generated, Phase, System

Precision = Literal["fp32", "bf16", "fp16"]
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Diverged(VidtransError):
    """A loss is no finite number any more; the last checkpoint is from before that."""


class Updater:
    """Learns from clips, chunk by chunk.

    Args:
        system: Its weights and optimisers are changed.
        precision: Of convolutions, by autocast; weights, statistics and losses stay in full
            precision. ``fp16`` scales losses so that small gradients do not vanish.
        processes: Those that train together; every one learns from clips of its own, and
            gradients are averaged.
    """

    def __init__(
        self,
        system: System[Any],
        *,
        precision: Precision = "fp32",
        processes: Processes | None = None,
    ) -> None:
        self.system = system
        self.precision = precision
        self.processes = processes or Processes()
        self.scaler = torch.amp.GradScaler(system.device.type, enabled=precision == "fp16")
        self._parallel = parallel_module(system.networks) if self.processes.count > 1 else None

    def learn(self, clips: Sequence[Clip], *, step: int = 0) -> dict[str, Tensor]:
        """Learns from ``clips`` at once: gradients are their mean.

        Args:
            clips: All of one number of chunks; of longer ones the last chunks are not used.
            step: Its number, for the error.

        Returns:
            Every loss by its published name, detached: the mean over clips and chunks.

        Raises:
            Diverged: A loss is not finite. Weights are as they were before this chunk's step, or
                before the step of its generator where the discriminator goes first.
        """
        chunks = [list(self.system.chunks(clip)) for clip in clips]
        count = self.processes.fewest(min(map(len, chunks)))
        found: dict[str, list[Tensor]] = defaultdict(list)
        carried: list[Any] = [None] * len(clips)
        for number in range(count):
            now = [parts[number] for parts in chunks]
            with self._autocast():
                generated = [
                    self.system.generate(chunk, before)
                    for chunk, before in zip(now, carried, strict=True)
                ]
                running = [
                    self.system.phases(chunk, one)
                    for chunk, one in zip(now, generated, strict=True)
                ]
            carried = [one.carried for one in generated]
            for _ in range(self.system.n_phases):
                self._phase(running, now, generated, found, step)
        return {name: torch.stack(values).mean() for name, values in found.items()}

    def _phase(
        self,
        running: Sequence[Iterator[Phase]],
        chunks: Sequence[Clip],
        generated: Sequence[Generated],
        found: dict[str, list[Tensor]],
        step: int,
    ) -> None:
        """The next phase of every clip, and the steps of its optimisers."""
        for optimiser in self.system.optimisers.values():
            optimiser.zero_grad(set_to_none=True)
        optimisers: dict[str, None] = {}
        for number, (phases, chunk, pictures) in enumerate(
            zip(running, chunks, generated, strict=True)
        ):

            def compute(
                phases: Iterator[Phase] = phases,
                chunk: Clip = chunk,
                pictures: Generated = pictures,
            ) -> dict[str, Tensor]:
                with self._autocast():
                    phase = next(phases)
                check_finite(phase.losses, chunk, pictures, step)
                for name, value in phase.losses.items():
                    found[name].append(value.detach())
                return dict(phase.objectives)

            with self._synchronised(last=number == len(running) - 1):
                objectives = compute() if self._parallel is None else self._parallel(compute)
                total = torch.stack(list(objectives.values())).sum() / len(running)
                self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
            optimisers |= dict.fromkeys(objectives)
        for name in optimisers:
            self.scaler.step(self.system.optimisers[name])
        self.scaler.update()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.system.device.type, _TYPES[self.precision])

    def _synchronised(self, *, last: bool) -> AbstractContextManager[Any]:
        """Gradients of several clips are averaged over the processes once, with the last one's."""
        if self._parallel is None or last:
            return nullcontext()
        return self._parallel.no_sync()


def check_finite(
    losses: Mapping[str, Tensor], chunk: Clip, generated: Generated, step: int
) -> None:
    """Raises Diverged with the step, the loss and the frame where a loss is not finite."""
    values = torch.stack([value.detach() for value in losses.values()])
    finite = torch.isfinite(values)
    if bool(finite.all()):
        return
    name = list(losses)[int((~finite).nonzero()[0, 0])]
    first = len(chunk) - len(generated.pictures)
    bad = [
        frame
        for frame, picture in enumerate(generated.pictures.detach(), start=first)
        if not bool(torch.isfinite(picture).all())
        or not bool(torch.isfinite(chunk.real[frame]).all())
    ]
    frame = bad[0] if bad else len(chunk) - 1
    where = chunk.names[frame] if chunk.names else f"frame {frame} of the sample"
    raise Diverged(
        f"the training has diverged in step {step}: {name} is {values[~finite][0].item()}"
        f" at {where}{'' if bad else ' or a frame near it'}.",
        hint=(
            "Go on from the last checkpoint with a lower lr, or with fp32 or bf16 instead of fp16."
        ),
    )
