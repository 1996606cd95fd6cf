"""The playhead: scrubbing, stepping, playing, in and out points, and their preview requests."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from vidtrans.media.times import FilmTimes, nominal_rate
from vidtrans.preview import Opened, Status
from vidtrans_gui.actions import Actions
from vidtrans_gui.document import Document
from vidtrans_gui.player import Player
from vidtrans_gui.project import View
from vidtrans_gui.session import Session, Shown
from vidtrans_gui.timeline import Timeline
from vidtrans_gui.transport import NO_FILM, Transport

_LABELS_EVERY_S = 0.4
"""Seconds between two counts of the classes while playing."""
ALL_AHEAD = 1 << 30
"""Frames to paint ahead for a whole film: more than any film has."""


class Navigation(QObject):
    """Moves the playhead and requests its frames.

    Signals:
        moved(frame): The playhead has moved.
        range_moved(first, stop): In and out points have moved; ``stop`` is exclusive.
    """

    moved = Signal(int)
    range_moved = Signal(int, int)

    def __init__(
        self,
        parent: QObject,
        document: Document,
        session: Session,
        timeline: Timeline,
        transport: Transport,
        actions: Actions,
    ) -> None:
        super().__init__(parent)
        self._document, self._session, self._actions = document, session, actions
        self._canvas, self._transport = timeline.canvas, transport
        self.player = Player(self)
        self._frames = 0
        self._second = 25
        self._times = NO_FILM
        self._labels_at = 0.0
        self._counted = -1
        self._shown_at: deque[float] = deque(maxlen=50)
        self._marks: tuple[int, ...] = ()
        self.player.wanted.connect(self._play_frame)
        self.player.changed.connect(self._playing_changed)
        self._canvas.scrubbed.connect(self.go)
        self._canvas.in_moved.connect(lambda frame: self.set_range(frame, self._canvas.in_out[1]))
        self._canvas.out_moved.connect(lambda frame: self.set_range(self._canvas.in_out[0], frame))
        transport.frame_entered.connect(self.go)
        commands: dict[str, Callable[[], object]] = {
            "play": self.player.toggle,
            "pause": self.player.pause,
            "forward": lambda: self.player.faster(1),
            "backward": lambda: self.player.faster(-1),
            "next": lambda: self.go(self.frame + 1),
            "previous": lambda: self.go(self.frame - 1),
            "next-second": lambda: self.go(self._a_second_on(1)),
            "previous-second": lambda: self.go(self._a_second_on(-1)),
            "next-mark": lambda: self.go(
                min((m for m in self._marks if m > self.frame), default=self._frames - 1)
            ),
            "previous-mark": lambda: self.go(
                max((m for m in self._marks if m < self.frame), default=0)
            ),
            "first": lambda: self.go(0),
            "last": lambda: self.go(self._frames - 1),
            "mark-in": lambda: self.set_range(
                self.frame, max(self._canvas.in_out[1], self.frame + 1)
            ),
            "mark-out": lambda: self.set_range(
                min(self._canvas.in_out[0], self.frame), self.frame + 1
            ),
            "clear-range": lambda: self.set_range(0, self._frames),
        }
        for key, command in commands.items():
            actions[key].triggered.connect(lambda _=False, call=command: call())
        actions["loop"].toggled.connect(self._loop)
        actions["paint-all"].toggled.connect(lambda _on: self._request(self.frame))

    @property
    def frame(self) -> int:
        """The playhead."""
        return self._canvas.frame

    @property
    def in_out(self) -> tuple[int, int]:
        """The range between in and out points; the end is exclusive."""
        return self._canvas.in_out

    # -- the film ----------------------------------------------------------------------------------

    def film_opened(self, film: Opened, view: View | None) -> None:
        """Set up the film.

        Args:
            film: The open film.
            view: Where to begin; None where the same film was reopened, so that playhead, range
                and scale stay.
        """
        same = view is None and film.frames == self._frames
        if not same:
            self._set_film(film.times)
            view = view or View()
            self._actions["loop"].setChecked(view.loop)
            last = film.frames if view.out_point is None else min(film.frames, view.out_point + 1)
            self.set_range(min(view.in_point or 0, film.frames - 1), last)
            self.go(view.playhead)
        else:
            self.player.pause()
            self._request(self.frame)

    def _set_film(self, times: FilmTimes) -> None:
        self._frames, self._second, self._times = times.frames, nominal_rate(times.rate), times
        self._canvas.set_film(times)
        self._transport.set_film(times)
        self.player.set_film(times)

    def _a_second_on(self, direction: int) -> int:
        """The frame a second after the playhead, or before it; at least one frame on."""
        if self._times.constant or not self._frames:
            return self.frame + direction * self._second
        at = float(self._times.seconds(self.frame)) + direction
        frame = self._times.shown_at(max(0.0, at))
        return frame if frame != self.frame else frame + direction

    def film_closed(self) -> None:
        """Stop playing; the timeline stays, because the film may be reopened."""
        self.player.pause()

    def film_left(self) -> None:
        """Clear the timeline: another film follows, or none."""
        self._set_film(NO_FILM)

    def set_range(self, first: int, stop: int) -> None:
        """Set in and out points; ``stop`` is exclusive. Both are kept within the film."""
        first = min(max(0, first), max(0, self._frames - 1))
        stop = min(max(first + 1, stop), self._frames)
        self._canvas.set_in_out(first, stop)
        self.player.set_range(first, stop)
        self._document.view(
            in_point=first or None, out_point=None if stop == self._frames else stop - 1
        )
        self.range_moved.emit(first, stop)

    def set_marks(self, marks: tuple[int, ...]) -> None:
        """Set the frames to jump to: cuts, and where edits begin and end."""
        self._marks = tuple(sorted({mark for mark in marks if 0 <= mark < self._frames}))

    def _loop(self, on: bool) -> None:
        self.player.loop = on
        self._document.view(loop=on)

    # -- moving ------------------------------------------------------------------------------------

    def go(self, frame: int) -> None:
        """Show ``frame``, kept within the film; playing stops."""
        if not self._frames:
            return
        frame = min(max(0, frame), self._frames - 1)
        self.player.pause()
        self.player.set_frame(frame)
        self._move_to(frame)
        self._request(frame)

    def _move_to(self, frame: int) -> None:
        self._canvas.set_frame(frame)
        self._transport.show_frame(frame)
        self._document.view(playhead=frame)
        self.moved.emit(frame)

    def _request(self, frame: int) -> None:
        ahead = ALL_AHEAD if self._actions["paint-all"].isChecked() else 0
        self._session.seek(frame, ahead=ahead)

    def _play_frame(self, frame: int) -> None:
        self._move_to(frame)
        # A late picture is better than an approximate one. The shares of the classes are counted
        # now and then only: nobody reads them at every frame.
        backwards, now = self.player.speed < 0, time.monotonic()
        with_labels = now - self._labels_at >= _LABELS_EVERY_S
        if with_labels:
            self._labels_at = now
        self._session.seek(
            frame,
            ahead=0 if backwards else self._second * 2,
            with_labels=with_labels,
            approximate=False,
        )

    def _playing_changed(self) -> None:
        self._actions.show_playing(self.player.playing)
        self._transport.show_speed(self.player.speed)
        if not self.player.playing:
            self._shown_at.clear()
            self._request(self.frame)

    def show(self, shown: Shown) -> None:
        """Continue playing after a picture was shown."""
        if shown.approximation is None:
            if shown.request.id == self._counted:
                return  # the labels of a picture that was shown already
            self._counted = shown.request.id
            if self.player.playing:
                self._shown_at.append(time.monotonic())
            self.player.arrived(shown.frame, cached=shown.cached)

    def failed(self) -> None:
        """Stop playing after an error."""
        self.player.pause()

    @property
    def fps(self) -> float:
        """Pictures shown per second while playing, else 0."""
        if len(self._shown_at) < 2:
            return 0.0
        return (len(self._shown_at) - 1) / max(1e-6, self._shown_at[-1] - self._shown_at[0])

    def show_status(self, status: Status) -> None:
        """Draw cached frames and snapshots of the current layer in the timeline."""
        cached = status.cached.get(self._session.layer, ())
        self._canvas.set_cached(cached, status.snapshots)
