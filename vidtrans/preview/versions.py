"""Which edits a frame depends on.

The generator's history begins at the last cut, so edits that end before it have no effect.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from vidtrans.labels.edit import EditList, FirstFrame, ResetAt
from vidtrans.preview.cache import Version

UNKNOWN, NO_CUT, CUT = -1, 0, 1


class CutMap:
    """For each frame of a film: a cut, no cut, or not yet known.

    ``note`` must be called from one thread; the other methods may be called from any. Known values
    never change.
    """

    def __init__(
        self, frames: int, cuts: str | tuple[int, ...], sequence_starts: frozenset[int]
    ) -> None:
        """Make the map.

        Args:
            frames: The number of frames.
            cuts: ``auto`` (to be detected), ``off``, or the frames before which there is a cut.
            sequence_starts: Frames at which the input begins another sequence.
        """
        self._flags = np.full(frames, UNKNOWN if cuts == "auto" else NO_CUT, np.int8)
        self._flags[:1] = NO_CUT
        if cuts != "off":
            known = [*sequence_starts, *(cuts if isinstance(cuts, tuple) else ())]
            self._flags[[frame for frame in known if 0 < frame < frames]] = CUT

    def note(self, frame: int, cut: bool) -> None:
        """Record whether there is a cut before ``frame``."""
        if self._flags[frame] == UNKNOWN:
            self._flags[frame] = CUT if cut else NO_CUT

    def known(self, frame: int) -> bool:
        """Whether it is known if there is a cut before ``frame``."""
        return bool(self._flags[frame] != UNKNOWN)

    def first_unknown(self, start: int, end: int) -> int | None:
        """The first frame in [``start``, ``end``) that is not known yet."""
        found = np.flatnonzero(self._flags[start:end] == UNKNOWN)
        return start + int(found[0]) if found.size else None

    def last_cut(self, frame: int) -> int:
        """The last known cut at or before ``frame``, else 0."""
        found = np.flatnonzero(self._flags[: frame + 1] == CUT)
        return int(found[-1]) if found.size else 0

    def origin(self, frame: int, least: int) -> int | None:
        """The first frame of the scene of ``frame``, at ``least`` or later.

        None where it depends on a frame that is not known yet.
        """
        candidates = np.flatnonzero(self._flags[least + 1 : frame + 1] != NO_CUT)
        if not candidates.size:
            return least
        last = least + 1 + int(candidates[-1])
        return last if self._flags[last] == CUT else None

    def cuts(self) -> tuple[int, ...]:
        """The known cuts, ascending."""
        return tuple(np.flatnonzero(self._flags == CUT).tolist())

    def known_to(self) -> int:
        """The first frame that is not known yet, else the number of frames."""
        found = np.flatnonzero(self._flags == UNKNOWN)
        return int(found[0]) if found.size else len(self._flags)


class EditDependencies:
    """Which edits of a list each frame's picture depends on.

    Immutable but for a cache of results, so any thread may use it.
    """

    def __init__(
        self, edits: EditList, numbers: Sequence[int], cuts: CutMap, *, memoryless: bool = False
    ) -> None:
        """Analyse a list of edits.

        Args:
            edits: The edits.
            numbers: One for each edit, the same for equal edits over all edit lists of a film.
            cuts: The cuts of the film.
            memoryless: The generator has no history, as in image-to-image systems.
        """
        self.edits = edits
        self._memoryless = memoryless
        self._numbered = tuple(
            (edit.start, edit.end, number)
            for edit, number in zip(edits.edits, numbers, strict=True)
        )
        self.starts = frozenset(edit.start for edit in edits.edits)
        """Frames at which edits begin: the state before them outlives changes of the edits."""
        self._resets = sorted(
            {0} | {edit.start for edit in edits.edits if isinstance(edit, ResetAt | FirstFrame)}
        )
        self._cuts = cuts
        self._known: dict[int, Version] = {}

    def last_reset(self, frame: int) -> int:
        """The last frame up to ``frame`` before which the history is known to be reset.

        The reason is an edit, a known cut, or the film's beginning.
        """
        return max(self._resets[bisect_right(self._resets, frame) - 1], self._cuts.last_cut(frame))

    def version(self, frame: int) -> Version | None:
        """The edits that the picture of ``frame``, and the state after it, depend on.

        None while the first frame of its scene is not known; such a frame was never painted.
        """
        found = self._known.get(frame)
        if found is None and self._memoryless:
            found = self._known[frame] = self.own(frame)
        if found is None:
            least = self._resets[bisect_right(self._resets, frame) - 1]
            origin = self._cuts.origin(frame, least)
            if origin is None:
                return None
            found = tuple(
                number
                for start, end, number in self._numbered
                if start <= frame and (end is None or end > origin)
            )
            self._known[frame] = found
        return found

    def own(self, frame: int) -> Version:
        """The edits whose range contains ``frame``: those that its labels depend on."""
        return tuple(
            number
            for start, end, number in self._numbered
            if start <= frame and (end is None or frame < end)
        )
