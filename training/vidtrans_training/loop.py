"""The training loop: one for all systems.

A run is an order of clips, a system and a schedule. All of its state is in a checkpoint, so that a
run which was stopped goes on as if nothing had happened, on a CPU to the bit.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidtrans.errors import InputError, Interrupted, ModelError
from vidtrans.sequence.device import choose_device
from vidtrans_training.averaging import WeightAverage
from vidtrans_training.beginning import begin_with
from vidtrans_training.checkpoint import (
    checkpoints,
    random_states,
    read_checkpoint,
    set_random_states,
    write_checkpoint,
)
from vidtrans_training.clip import Clip
from vidtrans_training.datasets.feed import Feed, Share
from vidtrans_training.datasets.opening import TrainingData, open_data
from vidtrans_training.datasets.samples import Fault, Lengths
from vidtrans_training.distributed import Processes, joined
from vidtrans_training.monitor import Monitor
from vidtrans_training.run_folder import RunFolder
from vidtrans_training.settings import TrainingSettings, size_multiple
from vidtrans_training.systems.build import build_system
from vidtrans_training.systems.street import StreetSystem
from vidtrans_training.systems.system import Generated, System
from vidtrans_training.systems.vid2vid import SequenceSystem
from vidtrans_training.textures import mean_textures, set_textures
from vidtrans_training.update import Updater

SAMPLE_FRAMES = 24
"""Frames of a sample film."""


def train(settings: TrainingSettings, out: Path, *, resume: bool = False) -> int:
    """Runs the schedule to its end, or until SIGINT or SIGTERM, which saves and ends.

    Under ``torchrun`` several processes train together; number 0 writes.

    Args:
        settings: The whole run's.
        out: The run's folder.
        resume: Go on with the run in it from its newest checkpoint.

    Returns:
        The number of steps done.

    Raises:
        UsageError: ``out`` holds another run, or options and data do not suit each other.
        InputError: The data cannot be read.
        ModelError: A checkpoint, or weights to begin with, cannot be read or do not fit.
        OutputError: Something cannot be written; the last whole checkpoint is kept.
        Diverged: A loss is no finite number any more.
        WorkerKilled: A process that reads the data was killed.
        Interrupted: A signal stopped it; all is saved.
    """
    with joined() as processes:
        return Trainer(settings, out, processes, resume=resume).run()


@dataclass
class _Clock:
    """What happens every so many minutes."""

    minutes: float
    last: float

    def due(self) -> bool:
        if time.monotonic() - self.last < self.minutes * 60:
            return False
        self.last = time.monotonic()
        return True


class Trainer:
    """A run in progress.

    Args:
        settings: The run's.
        out: Its folder.
        processes: Those that train together.
        resume: Go on with the run in the folder.
    """

    def __init__(
        self, settings: TrainingSettings, out: Path, processes: Processes, *, resume: bool
    ) -> None:
        self.settings, self.processes = settings, processes
        self._multiple = size_multiple(settings.options)
        run = settings.run
        self.folder = RunFolder(out)
        if resume:
            self.folder.check(settings)
        elif processes.writes:
            self.folder.check_free()
        if run.threads:
            torch.set_num_threads(run.threads)
        self.device = _device(run.device, processes)
        self.data: TrainingData = open_data(settings)
        labels = self.data.training.material.labels
        self.scheme = None if labels is None else labels.model_scheme
        _seed(run.seed)
        self.system: System[Any] = build_system(
            settings.options, self.device, vgg_weights=run.vgg, scheme=self.scheme
        )
        self.system.recompute = run.checkpointing
        self.began_with = ""
        if not resume:
            self._begin()
        self.average = WeightAverage(self.system.generator_networks, run.ema)
        self.updater = Updater(self.system, precision=run.precision, processes=processes)
        self.feed = Feed(
            self.data.training,
            batch=settings.data.batch,
            workers=settings.data.workers,
            share=Share(processes.rank, processes.count),
            lengths=self._lengths,
            on_fault=self._report,
        )
        self.step = 0
        self.size_hw: tuple[int, int] | None = None
        # Every process draws its own random numbers from here on.
        _seed(run.seed + processes.rank)
        if resume:
            self._resume()
        elif processes.writes:
            # Only now, so that a run which cannot begin leaves nothing in the way of the next.
            self.folder.begin(settings)
        self.monitor = self._monitor() if processes.writes else None

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch: clips over those that make one update, the last of which may be
        fewer."""
        return -(-len(self.feed) // self.settings.run.accumulate)

    @property
    def total_steps(self) -> int:
        """Steps of the whole schedule, or as many as were asked for."""
        whole: int = self.settings.options.epochs * self.steps_per_epoch
        return min(whole, self.settings.run.steps or whole)

    def run(self) -> int:
        """Trains to the end of the schedule; the number of steps done."""
        run, now = self.settings.run, time.monotonic()
        save, sample = _Clock(run.checkpoint_minutes, now), _Clock(run.sample_minutes, now)
        try:
            with _stop_signals() as stopped:
                while self.step < self.total_steps:
                    for clips in self._groups():
                        self._learn(clips)
                        stop = self.processes.any(bool(stopped))
                        every = run.checkpoint_steps
                        due = self.processes.any(save.due())
                        if stop or due or (every and self.step % every == 0):
                            self._save()
                        if stop:
                            raise Interrupted(
                                f"stopped after step {self.step}, which is saved.",
                                where=self.folder.root,
                                hint="--resume goes on from there.",
                            )
                        if self.monitor is not None and sample.due():
                            self._sample()
                        if self.step >= self.total_steps:
                            break
            self._save()
            if self.monitor is not None:
                self._sample()
        except RuntimeError as error:
            killed = self.feed.killed_worker()
            if killed is None:
                raise
            raise killed from error
        finally:
            self.feed.close()
            if self.monitor is not None:
                self.monitor.close()
        return self.step

    def _groups(self) -> Iterator[list[Clip]]:
        """The rest of the epoch under way, in groups of clips that make one update; then the
        epoch is ended."""
        group: list[Clip] = []
        for clip in self.feed:
            group.append(clip)
            if len(group) == self.settings.run.accumulate or self.feed.position == len(self.feed):
                yield group
                group = []

    def _learn(self, clips: Sequence[Clip]) -> None:
        moved = [clip.to(self.device) for clip in clips]
        self.size_hw = moved[0].size_hw
        losses = self.updater.learn(moved, step=self.step + 1)
        self.average.update()
        self.step += 1
        # The epoch ends with its last step, so that a checkpoint is never between the two.
        if self.feed.position == len(self.feed):
            self.system.end_epoch()
        if self.processes.count > 1:
            losses = _mean([*self.processes.gathered({n: v.cpu() for n, v in losses.items()})])
        if self.monitor is not None:
            rates = {
                name: optimiser.param_groups[0]["lr"]
                for name, optimiser in self.system.optimisers.items()
            }
            self.monitor.losses(self.step, {n: v.item() for n, v in losses.items()}, rates)

    def _lengths(self, epoch: int) -> Lengths:
        """Lengths of sequences in an epoch (from 0)."""
        if not isinstance(self.system, SequenceSystem):
            return Lengths()
        longest = max(map(len, self.data.training.material.sequences))
        return Lengths(self.system.sequence_frames(epoch, longest), self.system.chunk_frames(epoch))

    def _report(self, fault: Fault, epoch: int) -> None:
        """Name a file that could not be read, once per epoch; every process names its own."""
        count = self.feed.faults
        told = f"{fault.message} Another sample takes its place ({count} in epoch {epoch + 1})."
        # A progress line may stand where the warning goes.
        print(f"\rvidtrans-train: warning: {told}", file=sys.stderr, flush=True)
        if self.monitor is not None:
            self.monitor.write({"step": self.step, "epoch": epoch, "unreadable": fault.message})

    def _begin(self) -> None:
        """What a run begins with that does not begin from nothing."""
        source, system = self.settings.run.begin_with, self.system
        if source is not None:
            self.began_with = begin_with(system, source).name
        elif isinstance(system, StreetSystem) and system.options.mean_textures:
            set_textures(system.generator, mean_textures(self._whole_clips(), system))

    def _whole_clips(self) -> Iterator[Clip]:
        """Every training sequence, whole, in pieces of so many frames that fit into memory."""
        samples = self.data.training
        for sequence in samples.material.sequences:
            for start in range(0, len(sequence), SAMPLE_FRAMES):
                stop = min(start + SAMPLE_FRAMES, len(sequence))
                try:
                    clip = samples.whole(sequence, range(start, stop))
                except InputError:
                    if samples.strict:
                        raise
                    continue  # training comes to the damaged file and names it
                yield clip.fitted(self._multiple)

    def _monitor(self) -> Monitor:
        return Monitor(
            self.folder,
            total_steps=self.total_steps,
            start_step=self.step,
            device=self.device,
            scheme=self.scheme,
        )

    def _sample(self) -> None:
        """Generates a held-out sequence (else one trained on) with the averaged
        weights. Nothing of the run is changed by it."""
        clip = self._sample_clip()
        if clip is None:
            return
        clip = clip.fitted(self._multiple).to(self.device)
        with self.system.measuring(), torch.no_grad(), self.average.applied():
            generated = generate_whole(self.system, clip)
        assert self.monitor is not None
        self.monitor.sample(self.step, clip, generated)

    def _sample_clip(self) -> Clip | None:
        """The beginning of the first sequence that is long enough and can be read."""
        samples = self.data.held_out or self.data.training
        history = samples.history or 0
        for sequence in samples.material.sequences:
            if len(sequence) <= history:
                continue
            frames = 1
            if samples.history is not None:
                frames = min(len(sequence), SAMPLE_FRAMES + history)
            try:
                return samples.whole(sequence, range(frames))
            except InputError:
                if samples.strict:
                    raise
        return None

    def _save(self) -> None:
        states = self.processes.gathered(random_states())
        if self.monitor is None:
            return
        state = {
            "system": self.settings.system,
            "state": self.system.state_dict(),
            "average": self.average.state_dict(),
            "scaler": self.updater.scaler.state_dict(),
            "feed": self.feed.state_dict(),
            "random": states,
            "label_scheme": None if self.scheme is None else self.scheme.name,
            "size_hw": list(self.size_hw or ()),
            "began_with": self.began_with,
        }
        write_checkpoint(self.folder.checkpoints, self.step, state, keep=self.settings.run.keep)

    def _resume(self) -> None:
        found = checkpoints(self.folder.checkpoints)
        if not found:
            return  # stopped before the first checkpoint: the run begins again
        state = read_checkpoint(found[-1])
        try:
            if state["system"] != self.settings.system:
                raise ValueError(f"it is one of {state['system']}")
            self.system.load_state_dict(state["state"])
            self.average.load_state_dict(state["average"])
            if state["scaler"]:
                self.updater.scaler.load_state_dict(state["scaler"])
            self.feed.load_state_dict(state["feed"])
            self.step, self.began_with = state["step"], state["began_with"]
            self.size_hw = tuple(state["size_hw"]) or None
            if self.processes.rank < len(state["random"]):
                set_random_states(state["random"][self.processes.rank])
        except (RuntimeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelError(
                f"the checkpoint does not fit these settings: {str(error).splitlines()[0]}.",
                where=found[-1],
            ) from error


def generate_whole(system: System[Any], clip: Clip) -> list[Generated]:
    """What ``system`` generates for all chunks of a clip."""
    carried, generated = None, []
    for chunk in system.chunks(clip):
        generated.append(system.generate(chunk, carried))
        carried = generated[-1].carried
    return generated


def _mean(losses: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean over processes of each loss that all of them have."""
    names = [name for name in losses[0] if all(name in own for own in losses)]
    return {name: torch.stack([own[name] for own in losses]).mean() for name in names}


def _device(name: str, processes: Processes) -> torch.device:
    device = choose_device(name)
    if device.type == "cuda" and device.index is None and processes.count > 1:
        return torch.device("cuda", processes.local_rank)
    return device


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that fills when the run is asked to stop; the step in progress is finished first.

    Asked a second time, the process ends at once.
    """
    stopped: list[int] = []

    def stop(number: int, _: Any) -> None:
        if stopped:
            os._exit(128 + number)
        stopped.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
