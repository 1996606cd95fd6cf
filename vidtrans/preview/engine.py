"""The preview's worker: one thread that owns the model's work, asked by values and answering by
values."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from vidtrans.errors import InputError, VidtransError
from vidtrans.frame import Bytes, LabelFrame
from vidtrans.labels.edit import EditList
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.preview.access import RandomAccess
from vidtrans.preview.film import Film, open_film
from vidtrans.preview.records import Answer, Approximation, Budgets, Event, Failed, Request, Status
from vidtrans.sequence.model import Model

_log = logging.getLogger(__name__)

_QUICK_S = 0.04
"""A step this fast may be spent on an approximation: the exact picture comes that much later,
under 50 ms."""
_LONG = 32
"""Frames of a replay in which one more step, for an approximation, does not matter."""
_PATIENCE_S = 0.2
"""Replays shorter than this show nothing meanwhile: a picture that flashes up is no help."""
_NEAR = 6
"""Frames whose picture stands in for that of a frame nearby."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A request, when it was made, and its place among all that was ever asked."""

    request: Request
    asked_at: float
    serial: int


class PreviewEngine:
    """Random access to the film that ``convert`` would write from the same settings and edits,
    without waiting.

    Everything slow (opening, decoding, painting) happens in one worker thread. ``on_event`` is
    called with ``Opened``, ``Answer`` and ``Failed``: from the worker's thread, or from within
    ``submit`` and ``edit``. It must return at once and must not raise. No method below waits for
    the worker but ``close``.
    """

    def __init__(
        self, on_event: Callable[[Event], None], *, budgets: Budgets | None = None
    ) -> None:
        self._on_event = on_event
        self._budgets = budgets or Budgets()
        self._changed = threading.Condition()
        # Guarded by _changed: what is asked, and the film that answers.
        self._opening: ConvertSettings | None = None
        self._edits = EditList()
        self._generation = 0
        self._serial = 0
        self._task: _Task | None = None
        self._ahead: tuple[Request, int] | None = None
        self._film: Film | None = None
        self._stopping = False
        self._closed = False
        # Written by the worker alone.
        self._model: tuple[tuple[str, str, str], Model] | None = None
        self._painted_at: deque[float] = deque(maxlen=48)
        self._replaying: tuple[int, int] | None = None
        self._busy = False
        self._thread = threading.Thread(target=self._work, name="vidtrans-preview", daemon=True)
        self._thread.start()

    # -- for any thread ----------------------------------------------------------------------------

    def open(self, settings: ConvertSettings, edits: EditList | None = None) -> int:
        """Open ``settings.input`` with the model of ``settings`` (its output, layer and encoder
        are ignored). ``edits``: None for those of ``settings``.

        Gives the generation that the ``Opened`` or ``Failed`` event will carry. A model that is
        loaded is not loaded again. Cancels what is at work; requests wait until the film is open.
        Edits that do not suit the model are left out, which a ``Failed`` event after ``Opened``
        says.
        """
        with self._changed:
            self._generation += 1
            self._serial += 1
            self._opening = settings
            self._edits = settings.render.edits if edits is None else edits
            self._film = None
            self._task = None
            self._ahead = None
            self._changed.notify_all()
            return self._generation

    def edit(self, edits: EditList) -> None:
        """From now on answer with these edits. Pictures of frames that the change does not reach
        stay at hand, and those of earlier edit lists as long as there is memory, so that an undo
        shows at once.

        What is at work is cancelled: submit a request after it. Edits that do not suit the model
        give a ``Failed`` event, and those before stay.
        """
        with self._changed:
            film = self._film
            if film is None:
                self._edits = edits
                return
            try:
                film.access.edit(edits)
            except VidtransError as error:
                failed = Failed.of(error, generation=self._generation)
            else:
                self._edits = edits
                self._supersede()
                return
        self._emit(failed)

    def submit(self, request: Request) -> bool:
        """Ask for a frame; True where it was at hand, so that ``on_event`` has been called already
        with the exact answer.

        Cancels older requests; the states that they led to are kept, so little is lost. A frame
        outside the film is answered with ``Failed``. While playing, ask for the next frame when the
        answer has come.
        """
        asked_at = time.perf_counter()
        with self._changed:
            serial = self._supersede()
            film = self._film
            found = None if film is None else self._found(film.access, request)
            if found is None or request.with_labels:
                self._task = _Task(request, asked_at, serial)
            if found is not None and request.ahead:
                self._ahead = (request, serial)
            self._changed.notify_all()
        if film is not None and found is not None:
            self._emit(self._answer(film.access, request, found, asked_at))
            return True
        return False

    def cancel(self) -> None:
        """Drop what is asked and stop painting ahead."""
        with self._changed:
            self._supersede()

    def forget_pictures(self) -> None:
        """Free the memory of finished pictures; states stay, so that any picture is back after a
        short replay."""
        with self._changed:
            self._supersede()
            if self._film is not None:
                self._film.access.pictures.clear()

    def status(self) -> Status:
        """How things stand; cheap, for a timer. Never waits for a frame that is being painted."""
        with self._changed:
            film = self._film
        if film is None:
            return Status(busy=self._busy)
        access = film.access
        return Status(
            cached=access.cached(),
            snapshots=access.snapshotted(),
            cuts=access.cuts.cuts(),
            cuts_known_to=access.cuts.known_to(),
            picture_bytes=access.pictures.bytes,
            snapshot_bytes=access.snapshots.bytes,
            label_bytes=access.source.bytes,
            given_bytes=access.given.bytes,
            fps=self._fps(),
            replaying=self._replaying,
            busy=self._busy,
        )

    def close(self, timeout_s: float = 30.0) -> bool:
        """End the worker after the frame that it is painting, and join it; False where it did not
        end in time.

        No event comes after this. Safe to call twice. Not to be called from within ``on_event``.
        """
        with self._changed:
            self._stopping = True
            self._serial += 1
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._changed:
            self._closed = True
        return not self._thread.is_alive()

    # -- the worker --------------------------------------------------------------------------------

    def _work(self) -> None:
        with ExitStack() as holder:
            while True:
                with self._changed:
                    self._changed.wait_for(self._has_work)
                    if self._stopping:
                        self._film = None
                        return
                    opening, generation = self._opening, self._generation
                    self._opening = None
                    film, task, ahead = self._film, self._task, self._ahead
                    if opening is None:
                        self._task = None
                        if task is None:
                            self._ahead = None
                    self._busy = True
                try:
                    if opening is not None:
                        holder.close()
                        self._open(holder, opening, generation)
                    elif film is not None and task is not None:
                        self._serve(film.access, task)
                    elif film is not None and ahead is not None:
                        with suppress(VidtransError):  # it is told when that frame is asked for
                            self._paint_ahead(film.access, *ahead)
                except Exception as error:
                    self._fail(error, None if opening is not None else task, generation)
                finally:
                    self._busy = False
                    self._replaying = None

    def _has_work(self) -> bool:
        asked = self._task is not None or self._ahead is not None
        return self._stopping or self._opening is not None or (self._film is not None and asked)

    def _open(self, holder: ExitStack, settings: ConvertSettings, generation: int) -> None:
        key = (settings.render.model, settings.render.device, settings.render.precision)
        if self._model is not None and self._model[0] != key:
            self._model = None  # before the next one is loaded: two may not fit
        model = None if self._model is None else self._model[1]
        film = holder.enter_context(open_film(settings, self._budgets, model=model))
        self._model = (key, film.model)
        unfit: Failed | None = None
        with self._changed:
            if generation != self._generation or self._stopping:
                holder.close()
                return
            try:
                film.access.edit(self._edits)
            except VidtransError as error:
                unfit, self._edits = Failed.of(error, generation=generation), EditList()
            self._film = film
        self._emit(film.opened(generation))
        if unfit is not None:
            self._emit(unfit)

    def _serve(self, access: RandomAccess, task: _Task) -> None:
        request = task.request
        if not 0 <= request.frame < access.frames:
            raise InputError(
                f"the film has {access.frames} frames; frame {request.frame} is asked for."
            )

        def stop() -> bool:
            return self._serial != task.serial

        painted, painting_s = 0, 0.0

        def stepped(done: int, total: int, seconds: float) -> None:
            nonlocal painting_s
            painting_s += seconds
            self._stepped(done, total, seconds)

        if self._found(access, request) is None:
            if request.approximate:
                self._approximate(access, task)
            if "labels" in request.layers:
                access.paint_labels(request.frame)
            layers = [layer for layer in request.layers if layer != "labels"]
            if layers:
                done = access.paint(request.frame, layers, stop, stepped)
                if done is None:
                    return
                painted = done
        found = self._found(access, request)
        if found is None:
            raise InputError(
                "a picture of this size does not fit into the preview's memory.",
                frame=request.frame,
            )
        labels = access.labels(request.frame) if request.with_labels else None
        answer = self._answer(access, request, found, task.asked_at, labels=labels)
        self._emit_now(task, replace(answer, replayed=painted, painting_s=painting_s))
        if request.ahead:
            with self._changed:
                if self._serial == task.serial:
                    self._ahead = (request, task.serial)

    def _approximate(self, access: RandomAccess, task: _Task) -> None:
        """Show something while a long replay is at work, where that does not delay the exact
        picture noticeably."""
        request = task.request
        layers = [layer for layer in request.layers if layer != "labels"]
        if not layers:
            return
        steps, step_s = access.replay(request.frame), access.step_s()
        if steps < 2 or (step_s is not None and steps * step_s < _PATIENCE_S):
            return
        kind: Approximation
        near = access.nearest(request.frame, layers, _NEAR)
        if near is not None:
            kind, pictures = "near", near[1]
        elif steps >= _LONG or (step_s is not None and step_s < _QUICK_S):
            kind, pictures = "fresh", access.fresh(request.frame, layers)
        else:
            kind, pictures = "labels", dict.fromkeys(layers, access.label_picture(request.frame))
        if "labels" in request.layers:
            pictures["labels"] = access.label_picture(request.frame)
        self._emit_now(
            task, self._answer(access, request, pictures, task.asked_at, approximation=kind)
        )

    def _paint_ahead(self, access: RandomAccess, request: Request, serial: int) -> None:
        layers = [layer for layer in request.layers if layer != "labels"]
        budget = access.pictures.budget // 2  # what was seen is kept too
        for frame in range(
            request.frame + 1, min(request.frame + 1 + request.ahead, access.frames)
        ):
            if (
                layers
                and access.paint(frame, layers, lambda: self._serial != serial, self._stepped)
                is None
            ):
                return
            if "labels" in request.layers:
                access.paint_labels(frame)
            found = access.at_hand(frame, request.layers)
            budget -= sum(picture.nbytes for picture in (found or {}).values())
            if self._serial != serial or budget <= 0:
                return

    def _fail(self, error: Exception, task: _Task | None, generation: int) -> None:
        expected = isinstance(error, VidtransError)
        # Text only: an exception holds frames of the worker's stack, and with them tensors.
        details = "" if expected else "".join(traceback.format_exception(error))
        if not expected:
            _log.error("the preview failed", exc_info=error)
        if task is None:
            with self._changed:
                if generation == self._generation:
                    self._task = None  # what waited for the film
            self._emit(Failed.of(error, details, generation=generation))
        else:
            self._emit_now(
                task, Failed.of(error, details, request=task.request, generation=generation)
            )

    # -- shared ------------------------------------------------------------------------------------

    def _supersede(self) -> int:
        """Everything asked before is stale now. Called with the lock held."""
        self._serial += 1
        self._task = None
        self._ahead = None
        return self._serial

    @staticmethod
    def _found(access: RandomAccess, request: Request) -> dict[str, Bytes] | None:
        inside = 0 <= request.frame < access.frames
        return access.at_hand(request.frame, request.layers) if inside else None

    @staticmethod
    def _answer(
        access: RandomAccess,
        request: Request,
        pictures: dict[str, Bytes],
        asked_at: float,
        *,
        approximation: Approximation | None = None,
        labels: tuple[LabelFrame, LabelFrame] | None = None,
    ) -> Answer:
        edited, original = labels or (None, None)
        return Answer(
            request,
            pictures,
            access.source.time(request.frame),
            approximation,
            access.starts_anew(request.frame),
            edited,
            original,
            time.perf_counter() - asked_at,
        )

    def _emit_now(self, task: _Task, event: Event) -> None:
        """Unless something newer was asked."""
        if self._serial == task.serial:
            self._emit(event)

    def _emit(self, event: Event) -> None:
        if self._closed:
            return
        try:
            self._on_event(event)
        except Exception:
            _log.exception("the receiver of a preview's answer failed")

    def _stepped(self, done: int, total: int, _seconds: float) -> None:
        self._painted_at.append(time.perf_counter())
        self._replaying = (done, total)

    def _fps(self) -> float:
        times = tuple(self._painted_at)
        recent = [at for at in times if at > time.perf_counter() - 3]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0
