"""Runs jobs in this process: the model is loaded once and kept."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vidtrans.atomic_write import cannot_write
from vidtrans.batches.job import Job
from vidtrans.batches.naming import output_path
from vidtrans.batches.outputs import discard_left, frames_of, is_partial, made_since
from vidtrans.batches.remote import clear, downloaded, exists_at, is_url, upload
from vidtrans.errors import Interrupted, OutputError, Remedy, VidtransError, worded
from vidtrans.media.writer import is_folder_target
from vidtrans.model import find_bundle
from vidtrans.pipeline.convert import ConvertSummary, convert
from vidtrans.pipeline.options import option_of
from vidtrans.pipeline.progress import OnProgress
from vidtrans.pipeline.runfolder import BusyError, ResumeError
from vidtrans.pipeline.settings import ConvertSettings, RenderSettings
from vidtrans.pipeline.stream import Cancel
from vidtrans.sequence.loading import load_model
from vidtrans.sequence.model import Model
from vidtrans.sequence.together import painting_together

_KEPT_MODELS = 2
"""Models that stay loaded; a batch that changes between more loads them again."""
_BUSY_S = 60.0
"""How long a job waits for the process that is at work on its output. One that was killed on
another machine keeps its lock until the network file system notices: NFS takes up to about 45 s."""

OnNote = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """A job that a worker is to do.

    Attributes:
        job: What is converted.
        out: The batch's folder or URL.
        overwrite: Whether an output that is there already may be replaced.
        anew: Whether unfinished work of an earlier run is dropped.
        before: The output's stamp as work on the job began, where a worker was lost at it; None
            elsewhere.
        scratch: A local folder for copies, where input or output is a URL.
    """

    job: Job
    out: str
    overwrite: bool = False
    anew: bool = False
    before: str | None = None
    scratch: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Order:
        return cls(**{**values, "job": Job(**values["job"])})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Attributes:
        state: ``done``; ``failed``; ``interrupted``, with all finished frames kept.
        frames: Of the whole output, where the job is done.
        resumed_from: How many of them an earlier run had made.
        seconds: Of this run.
        error: Why it failed, in a sentence.
        exit_code: That ``convert`` would end with.
        retry: Whether the same job may succeed on another try.
    """

    state: Literal["done", "failed", "interrupted"]
    frames: int = 0
    resumed_from: int = 0
    seconds: float = 0.0
    error: str = ""
    exit_code: int = 0
    retry: bool = False


class JobRunner:
    """Runs jobs.

    Args:
        device: For jobs that name none, as in ``convert``.
        threads: Of the CPU, for the network; None for torch's own choice.
        together: How many threads call ``run`` at once. Frames of one size that they paint at the
            same time go through the generator together.
    """

    def __init__(
        self, *, device: str = "auto", threads: int | None = None, together: int = 1
    ) -> None:
        self._device = device
        self._together = together
        self._loading = threading.Lock()
        self._models: OrderedDict[tuple[Any, ...], Model] = OrderedDict()
        if threads is not None:
            import cv2
            import torch

            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)

    def run(
        self,
        order: Order,
        *,
        on_progress: OnProgress | None = None,
        on_note: OnNote | None = None,
        cancel: Cancel | None = None,
    ) -> Outcome:
        """Do a job, from its last snapshot where there is one. Raises nothing but KeyboardInterrupt
        and its like: a failure is an outcome."""
        began = time.monotonic()
        note = on_note or (lambda sentence: None)
        try:
            if _made_by_lost(order):
                return _found(order, began)
            summary = self._run(order, on_progress, note, cancel)
        except Interrupted:
            return Outcome("interrupted", seconds=time.monotonic() - began)
        except VidtransError as error:
            # The worker that was lost finished the job while this one waited for its output.
            if isinstance(error, OutputError) and _made_by_lost(order):
                return _found(order, began)
            return Outcome(
                "failed",
                seconds=time.monotonic() - began,
                error=sentence(error),
                exit_code=error.exit_code,
                retry=error.exit_code == 1 or isinstance(error, BusyError),
            )
        except MemoryError:
            return Outcome(
                "failed",
                seconds=time.monotonic() - began,
                error="there was not enough memory.",
                exit_code=1,
                retry=True,
            )
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            return Outcome(
                "failed",
                seconds=time.monotonic() - began,
                error=f"{what}. This is a fault of vidtrans.",
                exit_code=1,
                retry=True,
            )
        return Outcome("done", summary.frames, summary.resumed_from, time.monotonic() - began)

    def _run(
        self, order: Order, on_progress: OnProgress | None, note: OnNote, cancel: Cancel | None
    ) -> ConvertSummary:
        job, target = order.job, output_path(order.out, order.job.name)
        if not is_url(job.input) and not is_url(target):
            return self._convert(order, target, on_progress, note, cancel)
        scratch = Path(order.scratch) / _flat(job.name)
        with downloaded(job.input, scratch / "input") as source:
            local = target
            if is_url(target):
                theirs = exists_at(target.rstrip("/")) and not is_partial(target)
                if theirs and not order.overwrite:
                    raise OutputError(
                        "exists already.",
                        where=target,
                        remedy=Remedy("Give {overwrite} to replace it, or another name."),
                    )
                local = f"{scratch / 'output'}/{job.name.rstrip('/').rpartition('/')[2]}" + (
                    "/" if job.name.endswith("/") else ""
                )
            # What lies in the scratch folder is the job's own.
            nearby = replace(
                order,
                job=replace(job, input=source),
                overwrite=order.overwrite or is_url(target),
            )
            summary = self._convert(nearby, local, on_progress, note, cancel)
        if is_url(target):
            upload(summary.output, target)
        clear(scratch)
        return summary

    def _convert(
        self,
        order: Order,
        output: str,
        on_progress: OnProgress | None,
        note: OnNote,
        cancel: Cancel | None,
    ) -> ConvertSummary:
        settings = order.job.settings(
            output, resume=not order.anew, overwrite=order.overwrite or order.anew
        )
        if settings.render.device == "auto":
            settings = settings.model_copy(update={"device": self._device})
        try:
            Path(output.rstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(cannot_write(error), where=output) from error
        model = self._model(settings.render)

        def run(settings: ConvertSettings) -> ConvertSummary:
            return convert(
                settings,
                model=model,
                on_progress=on_progress,
                on_warning=lambda sentence: note(worded(sentence, _column)),
                cancel=cancel,
            )

        give_up = time.monotonic() + _BUSY_S
        while True:
            try:
                return run(settings)
            except BusyError:
                if time.monotonic() > give_up or (cancel is not None and cancel.is_set()):
                    raise
                time.sleep(0.5)
            except ResumeError as error:
                there = os.path.lexists(output) and not is_folder_target(output)
                if there and not settings.overwrite:
                    raise
                note(f"{error.description} It begins anew.")
                settings = settings.model_copy(update={"resume": False, "overwrite": True})

    def _model(self, render: RenderSettings) -> Model:
        path = find_bundle(render.model)
        found = path.stat()
        key = (str(path), found.st_mtime_ns, found.st_size, render.device, render.precision)
        with self._loading:
            if key not in self._models:
                model = load_model(render.model, device=render.device, precision=render.precision)
                self._models[key] = painting_together(model) if self._together > 1 else model
                while len(self._models) > _KEPT_MODELS:
                    self._models.popitem(last=False)
            self._models.move_to_end(key)
            return self._models[key]


def _made_by_lost(order: Order) -> bool:
    """Whether the worker that was lost at a job had made its output."""
    path = output_path(order.out, order.job.name)
    return order.before is not None and made_since(path, order.before)


def _found(order: Order, began: float) -> Outcome:
    """The outcome of a job whose output a worker that was lost had made."""
    path = output_path(order.out, order.job.name)
    discard_left(path)
    frames = frames_of(path) or 0
    return Outcome("done", frames, frames, time.monotonic() - began)


def sentence(error: VidtransError) -> str:
    """An error of a job as a sentence, with settings named as the columns of a manifest.

    That a run can be resumed is left out: a batch does so by itself.
    """
    words = [each.sentence(_column) for each in error.remedies if "resume" not in each.settings]
    return " ".join([error.description, *words])


def _column(setting: str, value: str | None) -> str:
    option = option_of(ConvertSettings, setting)
    name = setting if option is None else option.parameter
    return name if value is None else f"{name} {value}"


def _flat(name: str) -> str:
    """A job's name as the name of one folder."""
    return name.strip("/").replace("%", "%25").replace("/", "%2F")
