"""Caches of finished pictures and of generator states, each limited in bytes."""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from vidtrans.frame import Bytes
from vidtrans.sequence.state import State

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Version = tuple[int, ...]
"""The numbers of the edits that a frame depends on: those that apply to frames of its scene, up to
the frame itself."""


class ByteCache(Generic[K, V]):
    """A thread-safe LRU cache limited in bytes."""

    def __init__(self, budget: int) -> None:
        """Make an empty cache of at most ``budget`` bytes."""
        self.budget = budget
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """Memory taken, in bytes."""
        return self._bytes

    def get(self, key: K) -> V | None:
        """The value of ``key``, now the most recently used; None where it is not cached."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def __contains__(self, key: K) -> bool:
        with self._lock:
            return key in self._entries

    def put(self, key: K, value: V, size: int) -> None:
        """Keep ``value`` of ``size`` bytes and evict the least recently used ones.

        A value larger than the whole budget is not kept.
        """
        with self._lock:
            self._drop(key)
            if size > self.budget:
                return
            self._entries[key] = (value, size)
            self._bytes += size
            while self._bytes > self.budget:
                self._drop(next(iter(self._entries)))

    def keys(self) -> tuple[K, ...]:
        """All keys, least recently used first."""
        with self._lock:
            return tuple(self._entries)

    def clear(self) -> None:
        """Evict everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _drop(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry[1]


@dataclass(frozen=True, slots=True)
class PictureKey:
    """Identifies one picture by layer, frame, and the edits that it depends on."""

    layer: str
    frame: int
    version: Version


Pictures = ByteCache[PictureKey, Bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A state of the generator.

    Attributes:
        frame: The frame before which the generator had this state.
        version: The edits that it depends on.
        state: The state, in host memory.
        size: Its memory in bytes.
    """

    frame: int
    version: Version
    state: State
    size: int


class Snapshots:
    """States along the film, thinned out evenly when memory is short.

    To be used by one thread; ``frames`` and ``bytes`` may be read by any.
    """

    def __init__(self, budget: int) -> None:
        """Make an empty collection of at most ``budget`` bytes."""
        self.budget = budget
        self._by_frame: dict[int, list[Snapshot]] = {}
        self._order: list[int] = []
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """Memory taken, in bytes."""
        return self._bytes

    def put(self, frame: int, version: Version, state: State) -> None:
        """Copy ``state`` to host memory, unless one of this frame and version is kept already."""
        if self.has(frame, version):
            return
        kept = state.to("cpu")
        snapshot = Snapshot(frame, version, kept, state_bytes(kept))
        if snapshot.size > self.budget:
            return
        with self._lock:
            if frame not in self._by_frame:
                insort(self._order, frame)
            self._by_frame.setdefault(frame, []).append(snapshot)
            self._bytes += snapshot.size
            while self._bytes > self.budget:
                self._thin(snapshot)

    def has(self, frame: int, version: Version) -> bool:
        """Whether there is a snapshot before ``frame`` that depends on exactly these edits."""
        return any(snapshot.version == version for snapshot in self._by_frame.get(frame, ()))

    def at(self, frame: int, version: Version) -> Snapshot | None:
        """The snapshot before ``frame`` that depends on exactly these edits, or None.

        It is now the most recently used one of its frame.
        """
        kept = self._by_frame.get(frame, [])
        found = next((s for s in kept if s.version == version), None)
        if found is not None:
            kept.remove(found)
            kept.append(found)
        return found

    def frames(self) -> tuple[int, ...]:
        """Frames with a snapshot of any version, ascending."""
        with self._lock:
            return tuple(self._order)

    def until(self, frame: int, after: int) -> Iterable[int]:
        """Frames in (``after``, ``frame``] with a snapshot, in descending order."""
        with self._lock:
            end = bisect_right(self._order, frame)
            start = bisect_right(self._order, after)
            return self._order[start:end][::-1]

    def clear(self) -> None:
        """Drop every snapshot."""
        with self._lock:
            self._by_frame.clear()
            self._order.clear()
            self._bytes = 0

    def _thin(self, newest: Snapshot) -> None:
        """Drop one snapshot.

        Where a frame has several versions this is its least recently used one, else the one whose
        neighbours are closest.
        """
        for kept in self._by_frame.values():
            if len(kept) > 1:
                self._remove(next(s for s in kept if s is not newest))
                return
        order = self._order
        candidates = [at for at, frame in enumerate(order) if frame != newest.frame]
        # Without a snapshot, replays from its predecessor grow to the distance of its neighbours.
        bounds = [0, *order, order[-1] + (order[-1] - order[0]) // max(1, len(order) - 1)]
        loser = min(candidates, key=lambda at: (bounds[at + 2] - bounds[at], -at))
        self._remove(self._by_frame[order[loser]][0])

    def _remove(self, snapshot: Snapshot) -> None:
        kept = self._by_frame[snapshot.frame]
        kept.remove(snapshot)
        self._bytes -= snapshot.size
        if not kept:
            del self._by_frame[snapshot.frame]
            self._order.remove(snapshot.frame)


def state_bytes(state: State) -> int:
    """The memory of a state's tensors, in bytes."""
    tensors = [state.ids, state.boundary, state.image, state.given, *(state.history or ())]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors if tensor is not None)
