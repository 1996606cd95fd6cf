"""``vidtrans-world``: renders clips of procedural streets."""

from __future__ import annotations

import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated

import typer

from vidtrans.errors import OutputError, UsageError, VidtransError
from vidtrans_world.clip import clip_folder, write_clip
from vidtrans_world.demo import DEMO_SEED, write_demo
from vidtrans_world.render import render_clip
from vidtrans_world.street import Kind

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Procedural streets with labels, instances and exact flow.",
)

Size = Annotated[str, typer.Option(help="Width x height in pixels.")]
StreetKind = Annotated[
    Kind, typer.Option(help="Streets that differ in everything, or the terraces of one sunny town.")
]


def parse_size(text: str) -> tuple[int, int]:
    """``WxH`` as (height, width). Raises ``UsageError``."""
    found = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    if not found or not (16 <= int(found[1]) <= 8192 and 16 <= int(found[2]) <= 8192):
        raise UsageError(
            f"--size is '{text}', expected width x height such as 512x256, each from 16 to 8192."
        )
    return int(found[2]), int(found[1])


def render_one(out: Path, seed: int, frames: int, size_hw: tuple[int, int], kind: Kind) -> float:
    """Renders one clip under ``out``; seconds taken."""
    start = time.perf_counter()
    write_clip(clip_folder(out, seed), seed, render_clip(seed, frames, size_hw, kind), kind)
    return time.perf_counter() - start


@app.command()
def render(
    out: Annotated[Path, typer.Argument(help="Folder for the clips; each gets OUT/clip_SEED.")],
    seed: Annotated[int, typer.Option(help="The first street's seed.", min=0)] = 0,
    clips: Annotated[
        int, typer.Option(help="How many streets, with seeds from --seed on.", min=1)
    ] = 1,
    frames: Annotated[int, typer.Option(help="Frames a clip, 17 a second.", min=1, max=200)] = 24,
    size: Size = "512x256",
    kind: StreetKind = "varied",
    workers: Annotated[int, typer.Option(help="Processes, one clip each.", min=1)] = 1,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave clips that are there alone, and go on.")
    ] = False,
) -> None:
    """Renders clips: RGB, labels, instances, flow and occlusion."""
    size_hw = parse_size(size)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder: {error.strerror or error}.", where=out
        ) from error
    seeds = [
        s for s in range(seed, seed + clips) if not (skip_existing and clip_folder(out, s).exists())
    ]
    if workers == 1:
        for each in seeds:
            _say(each, render_one(out, each, frames, size_hw, kind), frames)
        return
    with ProcessPoolExecutor(min(workers, max(1, len(seeds)))) as pool:
        jobs = {pool.submit(render_one, out, each, frames, size_hw, kind): each for each in seeds}
        for job in as_completed(jobs):
            _say(jobs[job], job.result(), frames)


@app.command("demo-clip")
def demo_clip(
    out: Annotated[Path, typer.Argument(help="Folder for demo_labels.mkv and demo_instances.mkv.")],
    seed: Annotated[int, typer.Option(help="The street's seed.", min=0)] = DEMO_SEED,
    frames: Annotated[int, typer.Option(help="Frames, 17 a second.", min=1, max=200)] = 96,
    size: Size = "512x256",
    kind: StreetKind = "terrace",
) -> None:
    """Writes a street's labels and instances, without its picture, as lossless grey Matroska."""
    for path in write_demo(out, seed, frames, parse_size(size), kind):
        print(f"{path}: {path.stat().st_size / 1e3:.0f} kB", file=sys.stderr)


def _say(seed: int, seconds: float, frames: int) -> None:
    print(f"clip_{seed}: {frames} frames in {seconds:.1f} s", file=sys.stderr, flush=True)


def main() -> None:
    """The entry point: a user's mistake is one sentence on stderr and an exit code, never a
    traceback."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        app()
    except VidtransError as error:
        print(f"vidtrans-world: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
