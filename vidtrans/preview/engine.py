"""The preview's worker: one thread that paints what requests ask for, and answers with events."""

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
from vidtrans.preview.records import (
    Answer,
    Approximation,
    Budgets,
    Event,
    Failed,
    PreviewScale,
    Request,
    Status,
)
from vidtrans.sequence.model import Model

_log = logging.getLogger(__name__)

_QUICK_S = 0.04
"""Seconds of a step that may be spent on an approximation: a delay of the exact picture below 50 ms
is hardly noticed."""
_LONG_S = 1.0
"""Seconds of a replay from which on an approximation is worth one more step."""
_LONG = 8
"""Frames of a replay from which on one more step adds at most an eighth."""
_LONG_UNKNOWN = 32
"""The same where it is not known how long a step takes: it adds at most 3 %."""
_PATIENCE_S = 0.2
"""Seconds of a replay below which no approximation is shown: it would only flash up."""
_REST_S = 0.5
"""Seconds without a request after which a frame counts as looked at, not passed by."""
_PREPARED_STEP_S = 0.5
"""Seconds of a step up to which the state before such a frame is made ready for edits: the next
request may have to wait for one step of it."""
_NEAR = 6
"""Distance in frames within which a cached picture approximates another: a quarter of a second at
25 fps."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A request, the time at which it was submitted, and its serial number."""

    request: Request
    requested_at: float
    serial: int


class PreviewEngine:
    """Random access to the film that ``convert`` would write from the same settings and edits.

    Everything slow (opening, decoding, painting) happens in one worker thread. No method but
    ``close`` waits for it. Results are events: ``Opened``, ``Answer`` and ``Failed``.

    Example:
        engine = PreviewEngine(print)
        engine.open(ConvertSettings(input="labels.mkv", output="unused.mkv"))
        engine.submit(Request(id=1, frame=120))
        ...
        engine.close()
    """

    def __init__(
        self, on_event: Callable[[Event], None], *, budgets: Budgets | None = None
    ) -> None:
        """Start the worker.

        Args:
            on_event: Called with every event, from the worker's thread or from within ``submit``
                and ``edit``. It must return at once and must not raise.
            budgets: Limits of memory; None for the defaults.
        """
        self._on_event = on_event
        self._budgets = budgets or Budgets()
        self._changed = threading.Condition()
        # Guarded by _changed: what is requested, and the open film.
        self._opening: tuple[ConvertSettings, PreviewScale] | None = None
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

    def open(
        self,
        settings: ConvertSettings,
        edits: EditList | None = None,
        *,
        scale: PreviewScale = "full",
    ) -> int:
        """Open a film; an ``Opened`` or ``Failed`` event follows.

        Cancels running work. Requests wait until the film is open. A model that is loaded already
        is not loaded again. Edits that do not suit the model are left out; a ``Failed`` event after
        ``Opened`` reports it.

        Args:
            settings: As for ``convert``; output, layer and encoder are ignored.
            edits: None for those of ``settings``.
            scale: The size of the pictures, as a part of that which ``convert`` writes.

        Returns:
            The generation that the event will carry.
        """
        with self._changed:
            self._generation += 1
            self._serial += 1
            self._opening = settings, scale
            self._edits = settings.render.edits if edits is None else edits
            self._film = None
            self._task = None
            self._ahead = None
            self._changed.notify_all()
            return self._generation

    def edit(self, edits: EditList) -> None:
        """Use these edits from now on.

        Pictures that do not depend on the change stay cached, and, within the memory budget, those
        of earlier edit lists, so that an undo is shown at once. Running work is cancelled: submit a
        request afterwards. Edits that do not suit the model give a ``Failed`` event, and the
        previous ones remain.

        Args:
            edits: The edits of the film.
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

    def check(self, edits: EditList) -> VidtransError | None:
        """What is wrong with these edits for the open film; None if nothing, or no film is open."""
        with self._changed:
            film = self._film
        if film is not None:
            try:
                film.access.check(edits)
            except VidtransError as error:
                return error
        return None

    def submit(self, request: Request) -> bool:
        """Request a frame.

        Cancels older requests; their states and pictures are kept. A frame outside the film is
        answered with ``Failed``. While playing, request the next frame after the answer.

        Args:
            request: The frame and its layers.

        Returns:
            Whether it was cached, so that ``on_event`` was called with the exact answer already.
        """
        requested_at = time.perf_counter()
        with self._changed:
            serial = self._supersede()
            film = self._film
            found = None if film is None else self._found(film.access, request)
            if found is None or request.with_labels:
                self._task = _Task(request, requested_at, serial)
            if found is not None and request.ahead:
                self._ahead = (request, serial)
            self._changed.notify_all()
        if film is not None and found is not None:
            self._emit(self._answer(film.access, request, found, requested_at))
            return True
        return False

    def cancel(self) -> None:
        """Drop all requests and stop painting ahead."""
        with self._changed:
            self._supersede()

    def forget_pictures(self) -> None:
        """Free the memory of finished pictures; states stay, so that replays remain short."""
        with self._changed:
            self._supersede()
            if self._film is not None:
                self._film.access.pictures.clear()

    def status(self) -> Status:
        """The current status. It is cheap and never waits for a frame that is being painted."""
        with self._changed:
            film = self._film
        if film is None:
            return Status(busy=self._busy)
        access = film.access
        return Status(
            cached=access.cached_ranges(),
            snapshots=access.snapshot_frames(),
            cuts=access.cuts.cuts(),
            cuts_known_to=access.cuts.known_to(),
            picture_bytes=access.pictures.bytes,
            snapshot_bytes=access.snapshots.bytes,
            label_bytes=access.source.bytes,
            reference_bytes=access.reference_frames.bytes,
            fps=self._fps(),
            replaying=self._replaying,
            busy=self._busy,
        )

    def close(self, timeout_s: float = 30.0) -> bool:
        """Stop the worker after its current frame and join it.

        No event comes afterwards. It may be called twice, but not from within ``on_event``.

        Args:
            timeout_s: Seconds to wait.

        Returns:
            Whether the worker has ended.
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
                        self._open(holder, *opening, generation)
                    elif film is not None and task is not None:
                        self._serve(film.access, task)
                    elif film is not None and ahead is not None:
                        with suppress(VidtransError):  # reported when that frame is requested
                            self._paint_ahead(film.access, *ahead)
                except Exception as error:
                    self._fail(error, None if opening is not None else task, generation)
                finally:
                    self._busy = False
                    self._replaying = None

    def _has_work(self) -> bool:
        requested = self._task is not None or self._ahead is not None
        return self._stopping or self._opening is not None or (self._film is not None and requested)

    def _open(
        self,
        holder: ExitStack,
        settings: ConvertSettings,
        scale: PreviewScale,
        generation: int,
    ) -> None:
        key = (settings.render.model, settings.render.device, settings.render.precision)
        if self._model is not None and self._model[0] != key:
            self._model = None  # freed before the next one is loaded: two may not fit in memory
        model = None if self._model is None else self._model[1]
        film = holder.enter_context(open_film(settings, self._budgets, model=model, scale=scale))
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
                f"the film has {access.frames} frames; frame {request.frame} was requested."
            )

        def stop() -> bool:
            return self._serial != task.serial

        painted, painting_s = 0, 0.0

        def on_step(done: int, total: int, seconds: float) -> None:
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
                done = access.paint(
                    request.frame, layers, stop, on_step, keep_state=request.with_labels
                )
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
        answer = self._answer(access, request, found, task.requested_at, labels=labels)
        self._emit_now(task, replace(answer, replayed=painted, painting_s=painting_s))
        if request.ahead or request.with_labels:
            with self._changed:
                if self._serial == task.serial:
                    self._ahead = (request, task.serial)

    def _approximate(self, access: RandomAccess, task: _Task) -> None:
        """Answer with an approximation during a long replay, unless it delays the exact picture too
        much."""
        request = task.request
        layers = [layer for layer in request.layers if layer != "labels"]
        if not layers:
            return
        steps, step_s = access.replay(request.frame), access.step_s()
        if steps * (step_s or 0) < _PATIENCE_S and (step_s is not None or steps < 2):
            return
        if step_s is None:
            worth = steps >= _LONG_UNKNOWN
        else:
            worth = step_s < _QUICK_S or (steps >= _LONG and steps * step_s >= _LONG_S)
        near = access.nearest(request.frame, layers, _NEAR)
        if near is not None:
            self._stand_in(access, task, "near", near[1])
            return
        quick = worth and steps > 1
        if not quick or (step_s or 0) > _PATIENCE_S:
            self._stand_in(access, task, "waiting", {})
        if quick:
            pictures = access.without_history(request.frame, layers)
            self._stand_in(access, task, "no_history", pictures)

    def _stand_in(
        self, access: RandomAccess, task: _Task, kind: Approximation, pictures: dict[str, Bytes]
    ) -> None:
        """Answer with an approximation, and with the labels, which need no painting."""
        request = task.request
        if "labels" in request.layers:
            pictures = pictures | {"labels": access.label_picture(request.frame)}
        self._emit_now(
            task, self._answer(access, request, pictures, task.requested_at, approximation=kind)
        )

    def _paint_ahead(self, access: RandomAccess, request: Request, serial: int) -> None:
        if request.with_labels and not self._prepare(access, request.frame, serial):
            return
        layers = [layer for layer in request.layers if layer != "labels"]
        budget = access.pictures.budget // 2  # the other half keeps pictures already shown
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
            found = access.cached(frame, request.layers)
            budget -= sum(picture.nbytes for picture in (found or {}).values())
            if self._serial != serial or budget <= 0:
                return

    def _prepare(self, access: RandomAccess, frame: int, serial: int) -> bool:
        """Keep the state before a frame that is looked at at rest, since an edit may begin there.

        Returns whether there was no newer request meanwhile.
        """
        step_s = access.step_s()
        if step_s is None or step_s > _PREPARED_STEP_S:
            return True
        with self._changed:
            if self._changed.wait_for(
                lambda: self._serial != serial or self._stopping, timeout=_REST_S
            ):
                return False
        return access.prepare(frame, lambda: self._serial != serial)

    def _fail(self, error: Exception, task: _Task | None, generation: int) -> None:
        expected = isinstance(error, VidtransError)
        # Text only: an exception holds frames of the worker's stack, and with them tensors.
        details = "" if expected else "".join(traceback.format_exception(error))
        if not expected:
            _log.error("the preview failed", exc_info=error)
        if task is None:
            with self._changed:
                if generation == self._generation:
                    self._task = None  # the request that waited for the film
            self._emit(Failed.of(error, details, generation=generation))
        else:
            self._emit_now(
                task, Failed.of(error, details, request=task.request, generation=generation)
            )

    # -- shared ------------------------------------------------------------------------------------

    def _supersede(self) -> int:
        """Make all earlier requests stale. To be called with the lock held."""
        self._serial += 1
        self._task = None
        self._ahead = None
        return self._serial

    @staticmethod
    def _found(access: RandomAccess, request: Request) -> dict[str, Bytes] | None:
        inside = 0 <= request.frame < access.frames
        return access.cached(request.frame, request.layers) if inside else None

    @staticmethod
    def _answer(
        access: RandomAccess,
        request: Request,
        pictures: dict[str, Bytes],
        requested_at: float,
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
            access.resets_at(request.frame),
            edited,
            original,
            time.perf_counter() - requested_at,
        )

    def _emit_now(self, task: _Task, event: Event) -> None:
        """Emit ``event`` unless there is a newer request."""
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
