"""Random access to the pictures that ``convert`` would write, without threads: the worker of
``PreviewEngine`` owns it.

The generator needs the frames before a frame. So its state is kept every few frames, and a picture
is painted from the nearest state before it, frame by frame, with the very function that ``convert``
paints with. At a cut the generator forgets, so a scene's first frame needs no state, and no edit
reaches beyond the scene that it ends in.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vidtrans.frame import Bytes, LabelFrame
from vidtrans.labels.edit import Edit, EditList, FirstFrame
from vidtrans.pipeline.layers import label_colours
from vidtrans.pipeline.setup import plan_edits, read_pictures
from vidtrans.pipeline.stream import Painter, PendingPicture, Read, errors_at
from vidtrans.preview.cache import ByteCache, PictureKey, Pictures, Snapshots, Version
from vidtrans.preview.records import Budgets
from vidtrans.preview.source import LabelSource
from vidtrans.preview.versions import CutMap, EditView
from vidtrans.sequence.state import State

_SCAN_AT_LEAST = 48
"""Frames to paint from which on it is worth looking for a cut first, which only takes reading
the labels."""
_RECENT = 4
"""States after the last frames painted, for a step back or another layer at the same frame."""

Stop = Callable[[], bool]
OnStep = Callable[[int, int, float], None]
"""Told after each frame that is painted: how many are, how many there will be, and seconds spent
on this one."""
Stamp = tuple[Edit, int]


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The generator's ``state`` before ``frame``, which depends on the edits ``version``."""

    frame: int
    version: Version
    state: State


class _GivenPictures(Mapping[int, Bytes]):
    """The pictures that ``FirstFrame`` edits give, by frame; read when they are needed and kept
    within the preview's budget."""

    def __init__(self, edits: EditList, read: Callable[[FirstFrame], Bytes]) -> None:
        self._edits = {edit.start: edit for edit in edits.edits if isinstance(edit, FirstFrame)}
        self._read = read

    def __getitem__(self, frame: int) -> Bytes:
        return self._read(self._edits[frame])

    def __iter__(self) -> Iterator[int]:
        return iter(self._edits)

    def __len__(self) -> int:
        return len(self._edits)


class RandomAccess:
    """The pictures of one film with one model, in any order, each exactly as ``convert`` would
    write it.

    One thread calls ``paint``, ``fresh``, ``labels`` and ``edit``; any may call ``at_hand``,
    ``nearest`` and the counters.
    """

    def __init__(
        self, source: LabelSource, painter: Painter, first: State, budgets: Budgets
    ) -> None:
        """``painter``: without edits. ``first``: the state before frame 0, as ``Model.start``
        gives it."""
        self.source = source
        self.budgets = budgets
        self.cuts = CutMap(source.frames, painter.cuts, painter.sequence_starts)
        self.pictures: Pictures = Pictures(budgets.picture_bytes)
        self.snapshots = Snapshots(budgets.snapshot_bytes)
        self._plain = painter
        self._painter = painter
        self._first = first
        self._recent: deque[_State] = deque(maxlen=_RECENT)
        self._numbers: dict[Stamp, int] = {}
        self.given: ByteCache[tuple[str, int], Bytes] = ByteCache(budgets.given_bytes)
        self._memoryless = painter.model.n_frames == 1
        self._view = EditView(EditList(), (), self.cuts, memoryless=self._memoryless)
        self._painted_view = self._view
        self._last_original: LabelFrame | None = None
        self._step_s: deque[float] = deque(maxlen=32)
        self._read_s: deque[float] = deque(maxlen=32)

    @property
    def frames(self) -> int:
        return self.source.frames

    # -- edits -------------------------------------------------------------------------------------

    def edit(self, edits: EditList) -> None:
        """Paint with these edits from now on. Raises UsageError where they do not suit the
        model; then nothing changes."""
        plan_edits(edits, self._plain.model, has_instances=self.source.has_instances)
        stamps = [(edit, _changed_at(edit)) for edit in edits.edits]
        numbers = [self._numbers.setdefault(stamp, len(self._numbers)) for stamp in stamps]
        self._view = EditView(edits, numbers, self.cuts, memoryless=self._memoryless)

    def version(self, frame: int) -> Version | None:
        """The edits that ``frame`` depends on, by number; None while its scene's beginning is
        not known."""
        return self._view.version(frame)

    def _edited(self) -> tuple[Painter, EditView]:
        """The painter with the edits of now, and these. Raises InputError where a given picture
        cannot be read."""
        view = self._view
        if self._painted_view is not view:
            plan = plan_edits(
                view.edits, self._plain.model, has_instances=self.source.has_instances
            )
            given = _GivenPictures(view.edits, self._given_picture)
            for frame in given:  # an unreadable picture fails now, not when its frame is painted
                given[frame]
            self._painter = replace(self._plain, edits=plan, reference_frames=given)
            self._painted_view = view
        return self._painter, view

    def _given_picture(self, edit: FirstFrame) -> Bytes:
        key = (edit.picture, _changed_at(edit))
        found = self.given.get(key)
        if found is None:
            found = read_pictures([edit.picture], self._plain.sizing)
            self.given.put(key, found, found.nbytes)
        return found

    # -- what is at hand ---------------------------------------------------------------------------

    def at_hand(self, frame: int, layers: Iterable[str]) -> dict[str, Bytes] | None:
        """The finished pictures of ``frame``, where all of ``layers`` are there."""
        view, found = self._view, {}
        for layer in layers:
            version = view.own(frame) if layer == "labels" else view.version(frame)
            picture = (
                None if version is None else self.pictures.get(PictureKey(layer, frame, version))
            )
            if picture is None:
                return None
            found[layer] = picture
        return found

    def starts_anew(self, frame: int) -> bool:
        """Whether the history starts anew before ``frame``, as far as is known."""
        return frame > 0 and self._view.last_reset(frame) == frame

    def nearest(
        self, frame: int, layers: Sequence[str], reach: int
    ) -> tuple[int, dict[str, Bytes]] | None:
        """The finished pictures of the nearest frame within ``reach`` frames, of the same scene."""
        first = max(self._view.last_reset(frame), frame - reach)
        around = [f for step in range(1, reach + 1) for f in (frame - step, frame + step)]
        for other in around:
            if first <= other < self.frames and self._view.last_reset(other) <= frame:
                found = self.at_hand(other, layers)
                if found is not None:
                    return other, found
        return None

    def cached(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """By layer, the spans of frames that are at hand."""
        frames: dict[str, list[int]] = {}
        view = self._view
        for key in self.pictures.keys():  # noqa: SIM118 - a snapshot of the keys, not a dict
            if key.version == (
                view.own(key.frame) if key.layer == "labels" else view.version(key.frame)
            ):
                frames.setdefault(key.layer, []).append(key.frame)
        return {layer: spans(sorted(found)) for layer, found in frames.items()}

    def snapshotted(self) -> tuple[int, ...]:
        """Frames that are painted without a replay, with the edits of now."""
        view = self._view
        if self._memoryless:
            return tuple(range(self.frames))
        found = {0, *self.cuts.cuts()}
        for frame in self.snapshots.frames():
            version = view.version(frame - 1)
            if version is not None and self.snapshots.has(frame, version):
                found.add(frame)
        return tuple(sorted(found))

    def step_s(self) -> float | None:
        """Seconds that a frame lately took to paint; None before the first."""
        return float(np.median(self._step_s)) if self._step_s else None

    # -- painting ----------------------------------------------------------------------------------

    def replay(self, frame: int) -> int:
        """Frames that must be painted for ``frame``, itself included, as far as is known now."""
        return frame - self._nearest_state(self._view, frame).frame + 1

    def paint(
        self, frame: int, layers: Sequence[str], stop: Stop, on_step: OnStep | None = None
    ) -> int | None:
        """Put the pictures of ``frame`` (and of the frames painted for it) into the cache.

        ``stop`` is asked between frames. Gives the number of frames painted, None where it was
        stopped before the end; what was painted is kept. Raises InputError for frames that cannot
        be read or do not suit the model or an edit.
        """
        assert "labels" not in layers, "paint_labels paints these"
        if self.at_hand(frame, layers) is not None:
            return 0
        if not self._look_for_cuts(frame, stop):
            return None
        painter, view = self._edited()
        start = self._nearest_state(view, frame)
        state = start.state
        waiting: list[tuple[PictureKey, PendingPicture]] = []
        for at in range(start.frame, frame + 1):
            if stop():
                self._land(waiting)
                return None
            # Where nobody looked for a cut yet, this does; frames known to be none need no look at
            # the one before.
            looked = self.cuts.known(at) or self._memoryless
            began = time.perf_counter()
            read = self._read(painter, at, None if looked else self._original(at - 1))
            if at == start.frame:
                began = (
                    time.perf_counter()
                )  # the way to the first frame of a replay is no part of painting it
            if not looked:
                self.cuts.note(at, read.cut)
            version, state = self._step(painter, view, state, read, layers, waiting)
            self._recent.append(_State(at + 1, version, state))
            if (at + 1) % self.budgets.snapshot_every == 0 and not self._memoryless:
                self.snapshots.put(at + 1, version, state)
            if on_step is not None:
                on_step(at - start.frame + 1, frame - start.frame + 1, time.perf_counter() - began)
        self._land(waiting)
        return frame - start.frame + 1

    def _step(
        self,
        painter: Painter,
        view: EditView,
        state: State,
        read: Read,
        layers: Sequence[str],
        waiting: list[tuple[PictureKey, PendingPicture]],
    ) -> tuple[Version, State]:
        began, at = time.perf_counter(), read.frame.index
        with errors_at(at, "translation"):
            stepped = painter.step(state, read)
            version = view.version(at)
            assert version is not None, (
                "the frames of a replay follow one another from a known beginning"
            )
            # The pictures of the frame before come from the device while this one is painted.
            self._land(waiting)
            for layer in layers:
                key = PictureKey(layer, at, version)
                if key not in self.pictures:
                    waiting.append((key, painter.picture(stepped, read, layer)))
        self._step_s.append(time.perf_counter() - began)
        return version, stepped.state

    def fresh(self, frame: int, layers: Sequence[str]) -> dict[str, Bytes]:
        """An approximation: ``frame`` painted as if its scene began there. One step, whatever
        lies before."""
        painter, _ = self._edited()
        read = self._read(painter, frame, None)
        with errors_at(frame, "translation"):
            stepped = painter.step(self._fresh(frame), read)
            return {
                layer: _frozen(painter.picture(stepped, read, layer).wait()) for layer in layers
            }

    def labels(self, frame: int) -> tuple[LabelFrame, LabelFrame]:
        """The label frame with edits, and as it was read; at the network's size."""
        original = self._original(frame)
        with errors_at(frame, "editing"):
            return self._edited()[0].edits.apply(original), original

    def paint_labels(self, frame: int) -> None:
        """Put the layer ``labels`` of ``frame`` into the cache."""
        key = self._label_key(frame)
        if key not in self.pictures:
            picture = self.label_picture(frame)
            self.pictures.put(key, picture, picture.nbytes)

    def label_picture(self, frame: int) -> Bytes:
        """The layer ``labels``, which needs no painting."""
        labels, _ = self.labels(frame)
        return _frozen(label_colours(labels, self._plain.model.label_scheme))

    def _original(self, frame: int) -> LabelFrame:
        if self._last_original is not None and self._last_original.index == frame:
            return self._last_original
        began = time.perf_counter()
        known = self.source.cached(frame) is not None
        with errors_at(frame, "reading"):
            labels = self._plain.sizing.scale(self.source.read(frame).labels)
        if not known:
            self._read_s.append(time.perf_counter() - began)
        return labels

    def _read(self, painter: Painter, frame: int, previous: LabelFrame | None) -> Read:
        with errors_at(frame, "reading"):
            found = self.source.read(frame)
            read = painter.read(found.frame, found.labels, previous)
            self._last_original = read.original
            return read

    def _label_key(self, frame: int) -> PictureKey:
        return PictureKey("labels", frame, self._view.own(frame))

    def _fresh(self, frame: int) -> State:
        return (
            self._first
            if frame == 0
            else self._plain.model.reset(replace(self._first, index=frame))
        )

    def _nearest_state(self, view: EditView, frame: int) -> _State:
        """The nearest state before ``frame`` that these edits would lead to."""
        if self._memoryless:
            return _State(frame, (), self._fresh(frame))
        begin = view.last_reset(frame)
        best = _State(begin, (), self._fresh(begin))
        for recent in self._recent:
            if (
                best.frame < recent.frame <= frame
                and view.version(recent.frame - 1) == recent.version
            ):
                best = recent
        for at in self.snapshots.until(frame, after=best.frame):
            version = view.version(at - 1)
            found = None if version is None else self.snapshots.at(at, version)
            if found is not None:
                return _State(at, found.version, found.state)
        return best

    def _look_for_cuts(self, frame: int, stop: Stop) -> bool:
        """Where ``frame`` is far from any state, look for a cut before it: reading is far cheaper
        than painting.

        False where it was stopped.
        """
        start = self._nearest_state(self._view, frame).frame
        if frame - start < _SCAN_AT_LEAST or self.cuts.first_unknown(start, frame + 1) is None:
            return True
        step, read = self.step_s(), float(np.median(self._read_s)) if self._read_s else 0.0
        if step is not None and read > step / 4:
            return True
        previous: tuple[int, LabelFrame] | None = None
        for at in range(start + 1, frame + 1):
            if self.cuts.known(at):
                continue
            if stop():
                return False
            before = (
                previous[1]
                if previous is not None and previous[0] == at - 1
                else self._original(at - 1)
            )
            labels = self._original(at)
            self.cuts.note(at, self._plain.is_cut(before, labels))
            previous = at, labels
        return True

    def _land(self, waiting: list[tuple[PictureKey, PendingPicture]]) -> None:
        for key, pending in waiting:
            picture = _frozen(pending.wait())
            self.pictures.put(key, picture, picture.nbytes)
        waiting.clear()


def spans(frames: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Ascending frame numbers as half-open ranges."""
    found: list[tuple[int, int]] = []
    for frame in frames:
        if found and found[-1][1] == frame:
            found[-1] = (found[-1][0], frame + 1)
        else:
            found.append((frame, frame + 1))
    return tuple(found)


def _changed_at(edit: Edit) -> int:
    """When an edit's picture file was last changed, in ns: a picture painted over is another
    picture."""
    if not isinstance(edit, FirstFrame):
        return 0
    try:
        return Path(edit.picture).stat().st_mtime_ns
    except OSError:
        return -1


def _frozen(picture: Bytes) -> Bytes:
    """Several threads look at it from now on."""
    picture.setflags(write=False)
    return picture
