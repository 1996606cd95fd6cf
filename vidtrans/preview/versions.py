"""Which edits a frame depends on: what the generator remembers begins at the last cut, so edits
before it are forgotten."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from vidtrans.labels.edit import EditList, FirstFrame, ResetAt
from vidtrans.preview.cache import Version

UNKNOWN, NO_CUT, CUT = -1, 0, 1


class CutMap:
    """What is known of the cuts of a film: for each frame whether the input's scene begins there,
    or that nobody looked.

    One thread notes, any may ask; what is known never changes.
    """

    def __init__(
        self, frames: int, cuts: str | tuple[int, ...], sequence_starts: frozenset[int]
    ) -> None:
        """``cuts``: ``auto`` (to be looked for), ``off``, or the frames; as ``convert`` takes
        them."""
        self._flags = np.full(frames, UNKNOWN if cuts == "auto" else NO_CUT, np.int8)
        self._flags[:1] = NO_CUT
        if cuts != "off":
            known = [*sequence_starts, *(cuts if isinstance(cuts, tuple) else ())]
            self._flags[[frame for frame in known if 0 < frame < frames]] = CUT

    def note(self, frame: int, cut: bool) -> None:
        """Frame ``frame`` was looked at."""
        if self._flags[frame] == UNKNOWN:
            self._flags[frame] = CUT if cut else NO_CUT

    def known(self, frame: int) -> bool:
        return bool(self._flags[frame] != UNKNOWN)

    def first_unknown(self, start: int, end: int) -> int | None:
        """The first frame of ``start`` .. ``end - 1`` that nobody looked at."""
        found = np.flatnonzero(self._flags[start:end] == UNKNOWN)
        return start + int(found[0]) if found.size else None

    def last_cut(self, frame: int) -> int:
        """The last cut known at or before ``frame``, else 0."""
        found = np.flatnonzero(self._flags[: frame + 1] == CUT)
        return int(found[-1]) if found.size else 0

    def origin(self, frame: int, least: int) -> int | None:
        """Where the scene of ``frame`` begins, at ``least`` or later; None where a frame between
        was not looked at."""
        told = np.flatnonzero(self._flags[least + 1 : frame + 1] != NO_CUT)
        if not told.size:
            return least
        last = least + 1 + int(told[-1])
        return last if self._flags[last] == CUT else None

    def cuts(self) -> tuple[int, ...]:
        return tuple(np.flatnonzero(self._flags == CUT).tolist())

    def known_to(self) -> int:
        """Every frame before this one was looked at."""
        found = np.flatnonzero(self._flags == UNKNOWN)
        return int(found[0]) if found.size else len(self._flags)


class EditView:
    """A film's edits as numbers, and for each frame those that its picture depends on. Immutable
    but for a memory of its own answers, so any thread may use it."""

    def __init__(
        self, edits: EditList, numbers: Sequence[int], cuts: CutMap, *, memoryless: bool = False
    ) -> None:
        """``numbers``: one for each edit; the same for the same edit, over all edit lists of a
        film. ``memoryless``: the generator paints each frame for itself, as image systems do."""
        self.edits = edits
        self._memoryless = memoryless
        self._numbered = tuple(
            (edit.start, edit.end, number)
            for edit, number in zip(edits.edits, numbers, strict=True)
        )
        self._resets = sorted(
            {0} | {edit.start for edit in edits.edits if isinstance(edit, ResetAt | FirstFrame)}
        )
        self._cuts = cuts
        self._known: dict[int, Version] = {}

    def last_reset(self, frame: int) -> int:
        """The last frame up to ``frame`` before which the history starts anew for sure: by an
        edit, a known cut, or 0."""
        return max(self._resets[bisect_right(self._resets, frame) - 1], self._cuts.last_cut(frame))

    def version(self, frame: int) -> Version | None:
        """The edits that the picture of ``frame``, and the state after it, depend on.

        None while it is not known where its scene begins: such a frame was never painted.
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
        """The edits whose range holds ``frame`` itself: what its labels depend on."""
        return tuple(
            number
            for start, end, number in self._numbered
            if start <= frame and (end is None or frame < end)
        )
