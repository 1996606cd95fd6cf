"""What a run shows of itself: a log, TensorBoard, a progress line, sample films."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, TextIO

import numpy as np
import torch
from torch import Tensor

from vidtrans.frame import Bytes, FrameTime
from vidtrans.labels.palette import colourise
from vidtrans.labels.scheme import Scheme
from vidtrans.media.pngs import write_picture
from vidtrans.media.writer import open_writer
from vidtrans.nets.range import to_bytes
from vidtrans.pipeline.layers import flow_colours
from vidtrans_training.clip import Clip
from vidtrans_training.memory import peak_memory
from vidtrans_training.run_folder import RunFolder
from vidtrans_training.systems.system import Generated

SAMPLE_RATE = Fraction(12)
"""Frames a second of sample films."""
_PROGRESS_S = 1.0
_WIDEST_LINE = 160


class Monitor:
    """Log and pictures of a run.

    Args:
        folder: The run's.
        total_steps: Of the whole schedule, for the time left.
        start_step: Steps done when the run begins or goes on; later lines of the log, which a
            lost run may have left, are removed.
        device: Where the networks live.
        log_every: Steps whose mean losses make one line of the log.
        scheme: Of the label planes, for their colours.
        progress: Where the progress line goes.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        total_steps: int,
        start_step: int = 0,
        device: torch.device,
        log_every: int = 20,
        scheme: Scheme | None = None,
        progress: TextIO | None = None,
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder, self.total_steps, self.scheme = folder, total_steps, scheme
        self._device = device
        self._every = log_every
        self._progress = progress or sys.stderr
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._begun, self._first, self._shown = time.monotonic(), start_step, 0.0
        _cut_log(folder, start_step)
        self._log = folder.log.open("a", encoding="utf-8")
        self._board = SummaryWriter(
            str(folder.tensorboard), purge_step=start_step + 1 if start_step else None
        )

    def losses(self, step: int, losses: Mapping[str, float], rates: Mapping[str, float]) -> None:
        """Takes in the losses of a step, and shows them now and then.

        Args:
            step: Steps done, this one included.
            losses: By their published names.
            rates: Each optimiser's learning rate.
        """
        for name, value in losses.items():
            self._sums[name].append(value)
        now = time.monotonic()
        if self._progress.isatty() and now - self._shown > _PROGRESS_S:
            self._shown = now
            self._line(step, losses)
        if step % self._every and step != self.total_steps:
            return
        if not self._progress.isatty():
            self._line(step, losses)
        means = {name: sum(values) / len(values) for name, values in self._sums.items()}
        self._sums.clear()
        cost = {
            "s": round(now - self._begun, 1),
            "cpu_s": round(time.process_time(), 1),
            "peak_mb": round(peak_memory(self._device) / 1e6),
        }
        self.write({"step": step, **cost, **means, "lr": dict(rates)})
        for name, value in means.items():
            self._board.add_scalar(f"losses/{name}", value, step)
        for name, value in rates.items():
            self._board.add_scalar(f"lr/{name}", value, step)

    def write(self, entry: Mapping[str, Any]) -> None:
        """A line of the log."""
        self._log.write(json.dumps(entry) + "\n")
        self._log.flush()

    def sample(self, step: int, clip: Clip, generated: Sequence[Generated]) -> None:
        """Shows a clip: pictures of its last frame on the board, and a film of labels, generated
        and real pictures side by side."""
        last = generated[-1]
        for name, picture in pictures_of(clip, last, self.scheme).items():
            self._board.add_image(f"pictures/{name}", picture, step, dataformats="HWC")
        fake = torch.cat([part.pictures for part in generated])
        self.folder.samples.mkdir(parents=True, exist_ok=True)
        path = self.folder.samples / f"step_{step:08d}.mp4"
        first = len(clip) - len(fake)
        rows = []
        for number, picture in enumerate(fake):
            frame = clip.frames(first + number, first + number + 1)
            rows.append(
                np.hstack([_condition(frame, self.scheme), _bytes(picture), _bytes(frame.real[0])])
            )
        if len(rows) == 1:
            path = path.with_suffix(".png")
        _write_film(path, rows)

    def close(self) -> None:
        """Ends the log and the board."""
        self._progress.write("\n" if self._progress.isatty() else "")
        self._log.close()
        self._board.close()

    def _line(self, step: int, losses: Mapping[str, float]) -> None:
        done = step - self._first
        each = (time.monotonic() - self._begun) / max(done, 1)
        left = _duration(each * (self.total_steps - step))
        shown = " ".join(f"{name} {value:.3g}" for name, value in losses.items())
        speed = f"{1 / each:.2f}/s" if each else ""
        line = f"step {step}/{self.total_steps} {speed}, {left} left: {shown}"[:_WIDEST_LINE]
        self._progress.write(f"\r{line}\x1b[K" if self._progress.isatty() else f"{line}\n")
        self._progress.flush()


def pictures_of(clip: Clip, generated: Generated, scheme: Scheme | None) -> dict[str, Bytes]:
    """The parts of a clip's last frame as pictures, by name: condition, raw, warped, flow,
    occlusion (white: painted anew), foreground, final and real."""
    last = clip.frames(len(clip) - 1, len(clip))
    shown = {"labels" if clip.labels is not None else "input": _condition(last, scheme)}
    for name in ("raw", "warped", "foreground"):
        part: Tensor | None = getattr(generated, name)
        if part is not None:
            shown[name] = _bytes(part[-1])
    if generated.flow is not None:
        shown["flow"] = _bytes(flow_colours(generated.flow[-1:].float())[0])
    if generated.weight is not None:
        shown["occlusion"] = _bytes(generated.weight[-1] * 2 - 1)
    return shown | {"final": _bytes(generated.pictures[-1]), "real": _bytes(last.real[0])}


def _condition(frame: Clip, scheme: Scheme | None) -> Bytes:
    if frame.labels is None or scheme is None:
        shown = frame.images if frame.images is not None else frame.real
        picture = shown[0]
        return _bytes(picture[:3] if picture.shape[0] >= 3 else picture[:1])
    return colourise(frame.labels[0].cpu().numpy(), scheme)


def _bytes(picture: Tensor) -> Bytes:
    return to_bytes(picture.detach().float()).cpu().numpy()


def _write_film(path: Any, rows: Sequence[Bytes]) -> None:
    height, width = (side // 2 * 2 for side in rows[0].shape[:2])  # H.264 wants even sides
    if len(rows) == 1:
        write_picture(path, np.ascontiguousarray(rows[0]), what="the sample picture")
        return
    tick = 1 / SAMPLE_RATE
    with open_writer(
        path, size_hw=(height, width), rate=SAMPLE_RATE, time_base=tick, overwrite=True
    ) as writer:
        for number, row in enumerate(rows):
            writer.write(np.ascontiguousarray(row[:height, :width]), FrameTime(number, tick, 1))
        writer.finish()


def _cut_log(folder: RunFolder, step: int) -> None:
    """Removes the lines of steps after ``step``, and a half-written last one."""
    if not folder.log.exists():
        return
    kept = []
    for line in folder.log.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line).get("step", 0) <= step:
                kept.append(line)
        except (ValueError, AttributeError):
            continue
    folder.log.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"
