"""The stream of training clips, epoch after epoch, in worker processes, resumable to the sample.

Its whole state is how many batches of which epoch were handed out: order and augmentation follow
from seed, epoch and position (`samples`), so nothing else needs to be stored, and the number of
workers does not matter. torchdata 0.11's StatefulDataLoader was tried beside torch 2.13: it resumes
the order but not what workers draw at random, and refuses another number of workers.
"""

from __future__ import annotations

import atexit
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from vidtrans.errors import Remedy, VidtransError
from vidtrans_training.clip import Clip
from vidtrans_training.datasets.samples import Draw, Drawn, Fault, Lengths, Samples, stacked


class WorkerKilled(VidtransError):
    """A process that reads and decodes was killed, mostly because memory ran out."""


@dataclass(frozen=True)
class Share:
    """Which part of every global batch a process takes: number ``rank`` of ``count``."""

    rank: int = 0
    count: int = 1


class Feed:
    """Clips for training.

    Example:
        >>> feed = Feed(samples, batch=1, workers=2)  # doctest: +SKIP
        >>> while feed.epoch < 20:  # doctest: +SKIP
        ...     for clip in feed:
        ...         train_on(clip)

    Args:
        samples: The data.
        batch: Single pictures in a clip; sequences come one at a time.
        workers: Processes that decode ahead; 0 decodes in this one.
        share: This process's part of every global batch. All processes see the order of one.
        lengths: Lengths of the sequences of an epoch (from 0).
        on_fault: Called with each file that could not be read, once per epoch, and the epoch.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        batch: int = 1,
        workers: int = 0,
        share: Share | None = None,
        lengths: Callable[[int], Lengths] = lambda epoch: Lengths(),
        on_fault: Callable[[Fault, int], None] = lambda fault, epoch: None,
    ) -> None:
        if batch > 1 and samples.history is not None:
            raise ValueError("sequences come one at a time; share a batch among processes")
        self.samples, self.batch, self.workers = samples, batch, workers
        self.share = share or Share()
        self._lengths, self._on_fault = lengths, on_fault
        self._epoch = self._position = 0
        self._faults: set[str] = set()
        self._running: Iterator[list[Drawn] | VidtransError] | None = None
        self._processes: list[BaseProcess] = []

    @property
    def epoch(self) -> int:
        """The epoch under way, from 0."""
        return self._epoch

    @property
    def position(self) -> int:
        """Clips of this epoch that were handed out."""
        return self._position

    @property
    def faults(self) -> int:
        """Files of this epoch that could not be read."""
        return len(self._faults)

    def __len__(self) -> int:
        """Clips in an epoch, for this process."""
        return -(-len(self.samples) // (self.batch * self.share.count))

    def __iter__(self) -> Iterator[Clip]:
        """The rest of the epoch under way; at its end the next one begins."""
        if self._running is None:
            self._running = self._start()
        while self._position < len(self):
            drawn = next(self._running)
            if isinstance(drawn, VidtransError):
                self.close()
                raise drawn
            # Counted before it is handed out: a state saved after the step resumes behind it.
            self._position += 1
            self._report(drawn)
            yield stacked([each.clip for each in drawn])
        self._epoch, self._position = self._epoch + 1, 0
        self._faults.clear()

    def state_dict(self) -> dict[str, int]:
        """The place in the data."""
        return {"seed": self.samples.seed, "epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a place in the data.

        Raises:
            ValueError: The place is one of another seed's order.
        """
        if state["seed"] != self.samples.seed:
            raise ValueError(f"the data's seed was {state['seed']}, it is {self.samples.seed}")
        self.close()
        self._epoch, self._position = state["epoch"], state["position"]

    def close(self) -> None:
        """End the worker processes. The next iteration starts others."""
        self._running = None  # its deletion ends them

    def killed_worker(self) -> WorkerKilled | None:
        """The error that tells of a worker process which something killed; None where none was.

        PyTorch raises a RuntimeError for it wherever the program is at that moment, from a signal
        handler.
        """
        for process in self._processes:
            code = process.exitcode
            if code is not None and code < 0:
                return WorkerKilled(
                    f"one of the {self.workers} processes that read and decode the data was killed"
                    f" ({_signal_name(-code)}). The system does so when memory runs out.",
                    remedy=Remedy(
                        "Give fewer {workers} (0 reads in the process that trains), smaller"
                        " pictures or shorter sequences, and go on from the newest checkpoint with"
                        " {resume}."
                    ),
                )
        return None

    def _report(self, drawn: Sequence[Drawn]) -> None:
        for fault in (fault for each in drawn for fault in each.faults):
            key = fault.where or fault.message
            if key not in self._faults:
                self._faults.add(key)
                self._on_fault(fault, self._epoch)

    def _start(self) -> Iterator[list[Drawn] | VidtransError]:
        loader: DataLoader[Any] = DataLoader(
            self.samples,  # type: ignore[arg-type]
            sampler=_Draws(self._draws, self._epoch, self._position),
            batch_size=None,
            num_workers=self.workers,
            collate_fn=_unchanged,
            # Starting a loader draws from a generator: from the global one it would disturb the
            # networks' random numbers, another time in a resumed run.
            generator=torch.Generator(),
            worker_init_fn=_quiet if self.workers else None,
        )
        others = set(multiprocessing.active_children())
        running = iter(loader)
        workers = [each for each in multiprocessing.active_children() if each not in others]
        # Runs before multiprocessing's own end, which sends SIGTERM to every worker that is left
        # and waits for it without a limit: workers ignore SIGTERM.
        atexit.register(_kill, workers)
        self._processes = workers
        return running

    def _draws(self, epoch: int) -> Iterator[list[Draw]]:
        """This process's batches of one epoch."""
        whole = self.batch * self.share.count
        # The last global batch is filled up from the beginning, as DistributedSampler does.
        order = np.resize(self.samples.order(epoch), len(self) * whole).tolist()
        lengths = self._lengths(epoch)
        for start in range(0, len(order), whole):
            first = start + self.share.rank * self.batch
            yield [Draw(epoch, at, order[at], lengths) for at in range(first, first + self.batch)]


@dataclass(frozen=True)
class _Draws:
    """The batches of all epochs from a place on."""

    of_epoch: Callable[[int], Iterator[list[Draw]]]
    epoch: int
    position: int

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, skipped = self.epoch, self.position
        while True:
            for at, draws in enumerate(self.of_epoch(epoch)):
                if at >= skipped:
                    yield draws
            epoch, skipped = epoch + 1, 0


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _unchanged(drawn: Any) -> Any:
    return drawn


def _quiet(worker: int) -> None:
    """A worker takes one core and leaves signals to its parent, which saves the run and then ends
    it. Ctrl-C, ``timeout`` and systemd send them to the whole group: a worker that ended first
    would end the run in the middle of a step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)


def _kill(workers: Sequence[BaseProcess]) -> None:
    """End the workers that are left at exit, as after an error in the middle of an epoch."""
    if sys.platform != "win32":
        # The loader's own handler raises for a worker that ends by a signal.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for worker in workers:
        worker.kill()
