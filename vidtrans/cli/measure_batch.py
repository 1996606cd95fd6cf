"""What ``vidtrans bench batch`` measures: workers, and the cost of the record."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidtrans.batches.batch import BatchSettings, open_batch
from vidtrans.batches.ledger import Ledger
from vidtrans.batches.plan import plan_batch
from vidtrans.batches.record import record_folder
from vidtrans.batches.run import worker_plans
from vidtrans.batches.status import read_status
from vidtrans.pipeline.settings import ConvertSettings, format_size


def measure_workers(settings: ConvertSettings, folder: Path, *, jobs: int) -> dict[str, Any]:
    """Jobs an hour with one worker and with two, which share the threads.

    Args:
        settings: Input, model and size; each job is the whole input.
        folder: For inputs and outputs.
        jobs: How many each time; even.

    Returns:
        For each number of workers its threads, seconds from the first job's start to the last
        one's end, and jobs an hour; and the ratio of two workers to one.
    """
    source = folder / f"labels{Path(settings.input).suffix}"
    shutil.copyfile(settings.input, source)
    rows = [{"input": str(source), "output": f"{n}.mp4"} for n in range(jobs)]
    render = settings.render
    options = {"model": render.model, "labels": render.labels, "fit": render.fit}
    if render.size_hw is not None:
        options["size"] = format_size(render.size_hw)
    found: dict[str, Any] = {"jobs": jobs}
    rates = []
    for workers in (1, 2):
        out = str(folder / f"out-{workers}")
        plan = plan_batch(rows, out, options=options)
        with open_batch(plan, BatchSettings(out, workers=workers, device=render.device)) as opened:
            began, frames = None, 0
            for event in opened.work():
                if event.kind == "started" and began is None:
                    began = time.monotonic()
                frames += (event.frames or 0) if event.kind == "done" else 0
        seconds = time.monotonic() - (began or 0.0)
        rates.append(3600 * jobs / seconds)
        found[f"workers_{workers}"] = {
            "threads_each": worker_plans(render.device, workers)[0].threads,
            "seconds": round(seconds, 2),
            "jobs_per_hour": round(rates[-1], 1),
            "frames_per_second": round(frames / seconds, 2),
        }
    found["two_workers_to_one"] = round(rates[1] / rates[0], 3)
    return found


def measure_record(folder: Path, *, jobs: int) -> dict[str, Any]:
    """Seconds that a batch of ``jobs`` spends on its manifest and its record.

    Args:
        folder: For both.
        jobs: How many.

    Returns:
        ``plan_s`` (the manifest read and checked), ``start_s`` (all jobs put into the record),
        ``resume_s`` (the same again), ``claim_ms`` (one job taken and done), ``status_s``; wall and
        processor time, and the record's size.
    """
    (folder / "film.mkv").write_bytes(b"film")
    manifest = folder / "jobs.csv"
    with manifest.open("w", encoding="utf-8") as file:
        file.write("input,output,seed\n")
        file.writelines(f"film.mkv,{n // 1000:03d}/{n:06d}.mp4,{n % 7}\n" for n in range(jobs))
    out = str(folder / "out")
    found: dict[str, Any] = {"jobs": jobs}

    @contextlib.contextmanager
    def timed(name: str, *, per: int = 1) -> Iterator[None]:
        began, worked = time.monotonic(), time.process_time()
        yield
        found[name] = round((time.monotonic() - began) / per, 6)
        found[f"{name}_processor"] = round((time.process_time() - worked) / per, 6)

    with timed("plan_s"):
        plan = plan_batch([str(manifest)], out)
    record = record_folder(out)
    models = {"street": "measured"}
    with Ledger(record) as ledger:
        with timed("start_s"):
            ledger.enter(plan.jobs, models, exists=lambda name: False)
        with timed("resume_s"):
            ledger.enter(plan.jobs, models, exists=lambda name: False)
        with timed("claim_s", per=100):
            for _ in range(100):
                entry = ledger.claim("bench")
                assert entry is not None
                ledger.finish(entry.name, frames=100, seconds=1.0)
    with timed("status_s"):
        read_status(out)
    found["record_mib"] = round(sum(p.stat().st_size for p in record.iterdir()) / 2**20, 1)
    return found
