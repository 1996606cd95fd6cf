"""Frames of several sequences through one generator at once, in a batch dimension.

A generator is a pure function of a window and a history, and both have a batch dimension. So
sequences that are painted in threads of their own can meet at the generator: their calls are joined
into one, and each thread takes its own part of the result. A frame still depends on its own
sequence alone. Its sums are taken in another order than alone, so pictures in [-1,1] differ from
those of a single run by rounding, less than 1e-3 in float32.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from vidtrans.nets.painting import Conditioning, Generator, History, Painting
from vidtrans.sequence.model import Model

_LEAST_WAIT_S = 0.05
"""How long a call waits for the others at least: a thread that is ready may not be scheduled
before."""
_WAIT_STEPS = 2.0
"""How long it waits, in durations of the last call: a sequence that does not come by then is held
up by its decoder or encoder, or has ended."""
_TENSORS = ("ids", "boundary", "image", "features")


def painting_together(model: Model) -> Model:
    """``model``, to be used by several threads at once, each for a sequence of its own: frames of
    one size that are painted at the same time go through the generator together.

    Args:
        model: The model; its weights are shared.
    """
    other = copy.copy(model)
    gathering = GatheringGenerator(model.networks.generator)
    other.networks = replace(model.networks, generator=gathering)
    return other


@dataclass(eq=False)
class _Call:
    """A thread's call of the generator, and its result."""

    thread: int
    conditioning: Conditioning
    history: History | None
    painting: Painting | None = None
    error: Exception | None = None

    @property
    def ended(self) -> bool:
        return self.painting is not None or self.error is not None

    @property
    def kind(self) -> Hashable:
        """Calls of one kind can be joined."""
        given = self.conditioning
        shapes = [_shape(getattr(given, name)) for name in _TENSORS]
        history = None if self.history is None else tuple(map(_shape, self.history))
        # What was measured on a whole picture is of training alone, and is not joined.
        alone = None if given.measured is None else id(self)
        return (*shapes, history, given.viewport, given.dropout_seed, given.present is None, alone)


class GatheringGenerator:
    """A generator that several threads call, each for a sequence of its own.

    The calls of all threads that took part last time are awaited for a moment, and those of one
    kind become one call. Everything else of the generator is passed on.

    Args:
        generator: The generator.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._changed = threading.Condition()
        self._calls: list[_Call] = []
        self._expected: set[int] = set()
        self._computing = False
        self._wait_s = _LEAST_WAIT_S

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def __copy__(self) -> GatheringGenerator:
        return self

    def __call__(self, conditioning: Conditioning, history: History | None) -> Painting:
        """See `vidtrans.nets.painting.Generator`."""
        call = _Call(threading.get_ident(), conditioning, history)
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()
            end = time.monotonic() + self._wait_s
            while not call.ended:
                left = end - time.monotonic()
                if self._computing:
                    self._changed.wait()
                    end = time.monotonic() + self._wait_s
                elif left > 0 and not self._expected <= {each.thread for each in self._calls}:
                    self._changed.wait(left)
                else:
                    self._compute()
        if call.error is not None:
            raise call.error
        assert call.painting is not None
        return call.painting

    def _compute(self) -> None:
        """Make the calls that wait, without the lock."""
        calls, self._calls = self._calls, []
        self._computing = True
        self._changed.release()
        began = time.monotonic()
        try:
            self._answer(calls)
        finally:
            self._changed.acquire()
            self._computing = False
            self._expected = {call.thread for call in calls}
            self._wait_s = max(_LEAST_WAIT_S, _WAIT_STEPS * (time.monotonic() - began))
            self._changed.notify_all()

    def _answer(self, calls: Sequence[_Call]) -> None:
        kinds: dict[Hashable, list[_Call]] = {}
        for call in calls:
            kinds.setdefault(call.kind, []).append(call)
        for group in kinds.values():
            if len(group) > 1 and self._answer_group(group):
                continue
            for call in group:  # one alone, or all one by one so that each has its own error
                try:
                    call.painting = self._generator(call.conditioning, call.history)
                except Exception as error:
                    call.error = error

    def _answer_group(self, calls: Sequence[_Call]) -> bool:
        """Answer calls of one kind by one; False where that fails, for want of memory say."""
        try:
            painting = self._generator(
                _joined([call.conditioning for call in calls]),
                _joined_history([call.history for call in calls]),
            )
        except Exception:
            return False
        for number, call in enumerate(calls):
            call.painting = _part(painting, slice(number, number + 1))
        return True


def _shape(tensor: Tensor | None) -> Hashable:
    return None if tensor is None else (tuple(tensor.shape), tensor.dtype, tensor.device)


def _joined(windows: Sequence[Conditioning]) -> Conditioning:
    """Windows of one kind as one, [N,...]."""
    tensors: dict[str, Any] = {
        name: torch.cat([getattr(window, name) for window in windows])
        for name in _TENSORS
        if getattr(windows[0], name) is not None
    }
    present = None
    if windows[0].present is not None:
        # The classes of any of them: more than occur is allowed.
        frames = zip(*(window.present or () for window in windows), strict=True)
        present = tuple(tuple(sorted(set().union(*frame))) for frame in frames)
    return replace(windows[0], **tensors, present=present)


def _joined_history(histories: Sequence[History | None]) -> History | None:
    there = [history for history in histories if history is not None]
    return tuple(torch.cat(parts) for parts in zip(*there, strict=True)) if there else None


def _part(painting: Painting, which: slice) -> Painting:
    """Some of a painting's pictures."""
    parts: dict[str, Any] = {}
    for field in fields(painting):
        value = getattr(painting, field.name)
        if isinstance(value, Tensor):
            parts[field.name] = value[which]
        elif isinstance(value, tuple):
            parts[field.name] = tuple(each[which] for each in value)
    parts["scales"] = (*parts["scales"][:-1], parts["picture"])
    return Painting(**parts)
