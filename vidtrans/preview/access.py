"""Random access to the pictures that ``convert`` would write.

The generator is recurrent, so a frame depends on the frames before it. Its state is kept every few
frames, and a picture is painted from the nearest earlier state, frame by frame, with the function
that ``convert`` paints with. A cut resets the state: the first frame of a scene needs no earlier
state, and an edit has no effect after the scene in which it ends.

There are no threads here: the worker of ``PreviewEngine`` owns the ``RandomAccess``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from vidtrans.frame import Bytes, LabelFrame
from vidtrans.labels.edit import Edit, EditList, FirstFrame
from vidtrans.pipeline.layers import label_colours
from vidtrans.pipeline.setup import plan_edits, read_pictures
from vidtrans.pipeline.stream import Painter, PendingPicture, Read, errors_at
from vidtrans.preview.cache import ByteCache, PictureKey, Pictures, Snapshots, Version
from vidtrans.preview.records import Budgets
from vidtrans.preview.source import LabelSource
from vidtrans.preview.versions import CutMap, EditDependencies
from vidtrans.sequence.state import State

_SCAN_FROM_FRAMES = 48
"""Length of a replay, in frames, from which on the labels are scanned for a cut first. Twice the
default distance of snapshots: a replay within a painted part of the film is shorter."""
_RECENT = 4
"""States kept after the last painted frames, for a step back or another layer of the same frame."""

Stop = Callable[[], bool]
OnStep = Callable[[int, int, float], None]
"""Called after each painted frame with the number of frames painted, the number to paint, and the
seconds that this one took."""
Stamp = tuple[Edit, int]
"""An edit and the modification time of its picture file in ns."""


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The generator's ``state`` before ``frame``, which depends on the edits ``version``."""

    frame: int
    version: Version
    state: State


class _ReferenceFrames(Mapping[int, Bytes]):
    """The pictures of ``FirstFrame`` edits by frame, read on demand and cached by bytes."""

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
    """The pictures of one film with one model, in any order.

    Each picture is bit-identical to the one that ``convert`` writes on the same device.

    ``paint``, ``without_history``, ``labels`` and ``edit`` must be called from one thread;
    ``cached``, ``nearest`` and the counters may be called from any.
    """

    def __init__(
        self, source: LabelSource, painter: Painter, first: State, budgets: Budgets
    ) -> None:
        """Make the access.

        Args:
            source: The label frames.
            painter: The painter, without edits.
            first: The state before frame 0, as ``Model.start`` returns it.
            budgets: Limits of memory.
        """
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
        self.reference_frames: ByteCache[tuple[str, int], Bytes] = ByteCache(
            budgets.reference_bytes
        )
        self._memoryless = painter.model.n_frames == 1
        self._dependencies = EditDependencies(
            EditList(), (), self.cuts, memoryless=self._memoryless
        )
        self._painted_dependencies = self._dependencies
        self._last_original: LabelFrame | None = None
        self._step_s: deque[float] = deque(maxlen=32)
        self._read_s: deque[float] = deque(maxlen=32)

    @property
    def frames(self) -> int:
        return self.source.frames

    # -- edits -------------------------------------------------------------------------------------

    def edit(self, edits: EditList) -> None:
        """Paint with these edits from now on.

        Raises:
            UsageError: The edits do not suit the model or the film; the previous ones remain.
        """
        self.check(edits)
        stamps = [(edit, _changed_at(edit)) for edit in edits.edits]
        numbers = [self._numbers.setdefault(stamp, len(self._numbers)) for stamp in stamps]
        self._dependencies = EditDependencies(
            edits, numbers, self.cuts, memoryless=self._memoryless
        )

    def check(self, edits: EditList) -> None:
        """Refuse edits that do not suit the model or the film. Their pictures are not read.

        Raises:
            UsageError: They do not suit.
        """
        plan_edits(edits, self._plain.model, has_instances=self.source.has_instances)

    def version(self, frame: int) -> Version | None:
        """The numbers of the edits that ``frame`` depends on.

        None while the first frame of its scene is not known.
        """
        return self._dependencies.version(frame)

    def _edited(self) -> tuple[Painter, EditDependencies]:
        """The painter with the current edits, and their dependencies.

        Raises:
            InputError: A reference frame cannot be read.
        """
        dependencies = self._dependencies
        if self._painted_dependencies is not dependencies:
            plan = plan_edits(
                dependencies.edits, self._plain.model, has_instances=self.source.has_instances
            )
            frames = _ReferenceFrames(dependencies.edits, self._reference_frame)
            for frame in frames:  # an unreadable picture fails now, not when its frame is painted
                frames[frame]
            self._painter = replace(self._plain, edits=plan, reference_frames=frames)
            self._painted_dependencies = dependencies
        return self._painter, dependencies

    def _reference_frame(self, edit: FirstFrame) -> Bytes:
        key = (edit.picture, _changed_at(edit))
        found = self.reference_frames.get(key)
        if found is None:
            found = read_pictures([edit.picture], self._plain.sizing)
            self.reference_frames.put(key, found, found.nbytes)
        return found

    # -- cached pictures ---------------------------------------------------------------------------

    def cached(self, frame: int, layers: Iterable[str]) -> dict[str, Bytes] | None:
        """The finished pictures of ``frame`` by layer; None unless all of ``layers`` are cached."""
        dependencies, found = self._dependencies, {}
        for layer in layers:
            version = dependencies.own(frame) if layer == "labels" else dependencies.version(frame)
            picture = (
                None if version is None else self.pictures.get(PictureKey(layer, frame, version))
            )
            if picture is None:
                return None
            found[layer] = picture
        return found

    def resets_at(self, frame: int) -> bool:
        """Whether the history is reset before ``frame``, as far as is known."""
        return frame > 0 and self._dependencies.last_reset(frame) == frame

    def nearest(
        self, frame: int, layers: Sequence[str], reach: int
    ) -> tuple[int, dict[str, Bytes]] | None:
        """The nearest frame of the same scene whose pictures are cached.

        Args:
            frame: The frame to stand in for.
            layers: The layers needed.
            reach: The largest distance, in frames.

        Returns:
            The frame's number and its pictures by layer; None where there is none.
        """
        first = max(self._dependencies.last_reset(frame), frame - reach)
        around = [f for step in range(1, reach + 1) for f in (frame - step, frame + step)]
        for other in around:
            if first <= other < self.frames and self._dependencies.last_reset(other) <= frame:
                found = self.cached(other, layers)
                if found is not None:
                    return other, found
        return None

    def cached_ranges(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """The half-open ranges of cached frames, by layer."""
        frames: dict[str, list[int]] = {}
        dependencies = self._dependencies
        for key in self.pictures.keys():  # noqa: SIM118 - a snapshot of the keys, not a dict
            if key.version == (
                dependencies.own(key.frame)
                if key.layer == "labels"
                else dependencies.version(key.frame)
            ):
                frames.setdefault(key.layer, []).append(key.frame)
        return {layer: frame_ranges(sorted(found)) for layer, found in frames.items()}

    def snapshot_frames(self) -> tuple[int, ...]:
        """Frames that are painted without a replay, with the current edits."""
        dependencies = self._dependencies
        if self._memoryless:
            return tuple(range(self.frames))
        found = {0, *self.cuts.cuts()}
        for frame in self.snapshots.frames():
            version = dependencies.version(frame - 1)
            if version is not None and self.snapshots.has(frame, version):
                found.add(frame)
        return tuple(sorted(found))

    def step_s(self) -> float | None:
        """Median seconds to paint one of the last 32 frames; None before the first."""
        return median(self._step_s) if self._step_s else None

    # -- painting ----------------------------------------------------------------------------------

    def replay(self, frame: int) -> int:
        """The number of frames to paint for ``frame``, itself included, as far as is known."""
        return frame - self._nearest_state(self._dependencies, frame).frame + 1

    def paint(
        self,
        frame: int,
        layers: Sequence[str],
        stop: Stop,
        on_step: OnStep | None = None,
        *,
        keep_state: bool = False,
    ) -> int | None:
        """Put the pictures of ``frame``, and of the frames painted for it, into the cache.

        Args:
            frame: The frame to paint.
            layers: The layers needed, without ``labels``.
            stop: Called between frames; True stops. Finished pictures stay cached.
            on_step: Called after each painted frame.
            keep_state: Whether to keep a snapshot before ``frame``, as for a frame that may be
                edited.

        Returns:
            The number of frames painted; None if it was stopped before ``frame``.

        Raises:
            InputError: A frame cannot be read, or does not suit the model or an edit.
        """
        assert "labels" not in layers, "paint_labels paints these"
        if self.cached(frame, layers) is not None:
            return 0
        if not self._scan_for_cuts(frame, stop):
            return None
        painter, dependencies = self._edited()
        start = self._nearest_state(dependencies, frame)
        state = start.state
        pending: list[tuple[PictureKey, PendingPicture]] = []
        for at in range(start.frame, frame + 1):
            if stop():
                self._store_finished(pending)
                return None
            # Whether there is a cut is found out once; only then is the previous frame needed.
            known = self.cuts.known(at) or self._memoryless
            if at in dependencies.starts or (keep_state and at == frame):
                self._keep_before(at, dependencies, state)
            began = time.perf_counter()
            read = self._read(painter, at, None if known else self._original(at - 1))
            if at == start.frame:
                began = time.perf_counter()  # the seek to the first frame is not painting time
            if not known:
                self.cuts.note(at, read.cut)
            version, state = self._step(painter, dependencies, state, read, layers, pending)
            self._recent.append(_State(at + 1, version, state))
            if (at + 1) % self.budgets.snapshot_every == 0 and not self._memoryless:
                self.snapshots.put(at + 1, version, state)
            if on_step is not None:
                on_step(at - start.frame + 1, frame - start.frame + 1, time.perf_counter() - began)
        self._store_finished(pending)
        return frame - start.frame + 1

    def prepare(self, frame: int, stop: Stop) -> bool:
        """Keep a snapshot before ``frame``, so that an edit that begins there repaints nothing
        before it.

        Args:
            frame: The frame.
            stop: Called between frames; True stops.

        Returns:
            Whether it was not stopped.

        Raises:
            InputError: A frame before it cannot be read, or does not suit the model or an edit.
        """
        painter, dependencies = self._edited()
        if self._memoryless or dependencies.version(frame - 1) is None:
            return True  # no state is needed, or the frame was never reached
        start = self._nearest_state(dependencies, frame)
        state = start.state
        for at in range(start.frame, frame):
            if stop():
                return False
            known = self.cuts.known(at)
            read = self._read(painter, at, None if known else self._original(at - 1))
            if not known:
                self.cuts.note(at, read.cut)
            _, state = self._step(painter, dependencies, state, read, (), [])
        self._keep_before(frame, dependencies, state)
        return True

    def _keep_before(self, frame: int, dependencies: EditDependencies, state: State) -> None:
        """Keep a snapshot before a frame at which edits begin, or may begin: what lies before it is
        not painted again when they change."""
        if frame == 0 or self._memoryless or dependencies.last_reset(frame) == frame:
            return
        version = dependencies.version(frame - 1)
        if version is not None:
            self.snapshots.put(frame, version, state)

    def _step(
        self,
        painter: Painter,
        dependencies: EditDependencies,
        state: State,
        read: Read,
        layers: Sequence[str],
        pending: list[tuple[PictureKey, PendingPicture]],
    ) -> tuple[Version, State]:
        began, at = time.perf_counter(), read.frame.index
        with errors_at(at, "translation"):
            stepped = painter.step(state, read)
            version = dependencies.version(at)
            assert version is not None, (
                "the frames of a replay follow one another from a known beginning"
            )
            # The pictures of the previous frame are downloaded while this one is painted.
            self._store_finished(pending)
            for layer in layers:
                key = PictureKey(layer, at, version)
                if key not in self.pictures:
                    pending.append((key, painter.picture(stepped, read, layer)))
        self._step_s.append(time.perf_counter() - began)
        return version, stepped.state

    def without_history(self, frame: int, layers: Sequence[str]) -> dict[str, Bytes]:
        """Paint ``frame`` as if its scene began there: an approximation that costs one step.

        Raises:
            InputError: The frame cannot be read, or does not suit the model or an edit.
        """
        painter, _ = self._edited()
        read = self._read(painter, frame, None)
        with errors_at(frame, "translation"):
            stepped = painter.step(self._reset_state(frame), read)
            return {
                layer: _read_only(painter.picture(stepped, read, layer).wait()) for layer in layers
            }

    def labels(self, frame: int) -> tuple[LabelFrame, LabelFrame]:
        """The label frame with edits and the original one, at the network's size.

        Raises:
            InputError: The frame cannot be read, or does not suit an edit.
        """
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
        """The layer ``labels``, uint8 RGB [H,W,3], which needs no generator."""
        labels, _ = self.labels(frame)
        return _read_only(label_colours(labels, self._plain.model.label_scheme))

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
        return PictureKey("labels", frame, self._dependencies.own(frame))

    def _reset_state(self, frame: int) -> State:
        return (
            self._first
            if frame == 0
            else self._plain.model.reset(replace(self._first, index=frame))
        )

    def _nearest_state(self, dependencies: EditDependencies, frame: int) -> _State:
        """The nearest state before ``frame`` that these edits lead to."""
        if self._memoryless:
            return _State(frame, (), self._reset_state(frame))
        begin = dependencies.last_reset(frame)
        best = _State(begin, (), self._reset_state(begin))
        for recent in self._recent:
            if (
                best.frame < recent.frame <= frame
                and dependencies.version(recent.frame - 1) == recent.version
            ):
                best = recent
        for at in self.snapshots.until(frame, after=best.frame):
            version = dependencies.version(at - 1)
            found = None if version is None else self.snapshots.at(at, version)
            if found is not None:
                return _State(at, found.version, found.state)
        return best

    def _scan_for_cuts(self, frame: int, stop: Stop) -> bool:
        """Where ``frame`` is far from any state, look for a cut before it.

        Reading labels is usually far cheaper than painting; where it is not, nothing is done.
        Returns False if it was stopped.
        """
        start = self._nearest_state(self._dependencies, frame).frame
        if frame - start < _SCAN_FROM_FRAMES or self.cuts.first_unknown(start, frame + 1) is None:
            return True
        step, read = self.step_s(), median(self._read_s) if self._read_s else 0.0
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

    def _store_finished(self, pending: list[tuple[PictureKey, PendingPicture]]) -> None:
        """Move pictures from the device into the cache."""
        for key, download in pending:
            picture = _read_only(download.wait())
            self.pictures.put(key, picture, picture.nbytes)
        pending.clear()


def frame_ranges(frames: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Ascending frame numbers as half-open ranges."""
    found: list[tuple[int, int]] = []
    for frame in frames:
        if found and found[-1][1] == frame:
            found[-1] = (found[-1][0], frame + 1)
        else:
            found.append((frame, frame + 1))
    return tuple(found)


def _changed_at(edit: Edit) -> int:
    """The modification time of an edit's picture file in ns.

    An edit whose file was changed is another edit. -1 where the file cannot be read, 0 for edits
    without a file.
    """
    if not isinstance(edit, FirstFrame):
        return 0
    try:
        return Path(edit.picture).stat().st_mtime_ns
    except OSError:
        return -1


def _read_only(picture: Bytes) -> Bytes:
    """``picture``, made read-only: threads share it."""
    picture.setflags(write=False)
    return picture
