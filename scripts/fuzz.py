"""Mutated files into every parser and the filter: ``make fuzz``.

    python scripts/fuzz.py --cases 3000 --seed 1

Every case is a valid input with a few mutations. Right is a result or an error of vidtrans
(``VidtransError``; ``ValueError`` from the parsers of option values). Anything else fails: an
internal error, the death of the process, more than 10 s, or more than 2 GB. Cases run in a worker
process, so that the death of one is a finding and not the end. The same seed gives the same cases;
``--first N --cases 1`` repeats one; ``--only manifest`` takes the inputs whose name begins so.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import logging
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SECONDS, MEMORY = 10, 2 << 30
STREET = Path(__file__).parents[1] / "training" / "street.toml"
TOKENS = (
    b"[" * 3000, b"{" * 300, b"9" * 5000, b"-" * 3000, b"1e999999999", b"\xff\xfe", b"\0" * 64,
    b'"\\ud800"', b"NaN", b"../../", b"\r\n", b"\x7f\xff\xff\xff", b"\xff" * 8, b"(", b"'",
    b"{[]:1}",
)  # fmt: skip
Target = Callable[[Path], object]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """``data`` with one to four mutations."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        length = rng.choice((1, 2, 8, 64))
        kind = rng.randrange(6)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            found[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            del found[at:]
        elif kind == 3:
            found[at:at] = rng.choice(TOKENS)
        elif kind == 4:
            del found[at : at + length]
        else:
            found[at:at] = found[at : at + length * 4]
    return bytes(found)


def film(path: Path, codec: str, pixel_format: str) -> bytes:
    import av
    import numpy as np

    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, pixel_format
        for number in range(4):
            ids = np.full((16, 32), 7 + number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(ids, format="gray")))
        out.mux(stream.encode())
    return path.read_bytes()


def targets(folder: Path) -> dict[str, tuple[bytes, str, Target]]:
    """By name: a valid input, the suffix of its file, and what reads the file."""
    import numpy as np
    import torch
    from vidtrans_ffmpeg.pipes import CancelEvent, InputPipe, OutputPipe
    from vidtrans_ffmpeg.run import FilterSettings, run_filter
    from vidtrans_training.settings import read_settings

    from vidtrans.batches.job import DEFAULT_MODEL, Job
    from vidtrans.batches.ledger import FILE, Ledger
    from vidtrans.batches.naming import RECORD
    from vidtrans.batches.plan import plan_batch
    from vidtrans.batches.run import conclude, order_of, recover
    from vidtrans.batches.runner import Outcome
    from vidtrans.batches.status import read_status
    from vidtrans.labels.detect import parse_labels
    from vidtrans.labels.edit import EditList
    from vidtrans.labels.edit_text import load_styles
    from vidtrans.labels.scheme import load_scheme
    from vidtrans.media.reader import open_reader
    from vidtrans.model.bundle import read_bundle
    from vidtrans.model.card import Card
    from vidtrans.model.cluster_file import read_clusters
    from vidtrans.model.networks import build, empty
    from vidtrans.model.options import parse_options, read_opt_file
    from vidtrans.model.pth_file import read_pth
    from vidtrans.pipeline.settings import ConvertSettings, RenderSettings
    from vidtrans.sequence.state import State

    def read(path: Path) -> None:
        with open_reader(path, hwaccel="none") as reader:
            for _ in reader:
                pass

    def model(path: Path) -> None:
        bundle = read_bundle(path)
        build(bundle.card, bundle.tensors, where=str(path))

    def filtered(path: Path) -> None:
        cancel = CancelEvent()
        source, target = os.open(path, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)
        try:
            settings = FilterSettings(render=RenderSettings(model="identity"))
            run_filter(settings, InputPipe(source, cancel), OutputPipe(target), cancel)
        finally:
            os.close(source)
            os.close(target)
            cancel.close()

    def option(path: Path) -> None:
        name, _, value = path.read_bytes().decode("utf-8", "replace").partition("=")
        if name == "labels":
            parse_labels(value)
        else:
            given = [value] if name in ("relabel", "style") else value
            ConvertSettings.from_options(**{"input": "i", "output": "o", name: given})

    from safetensors.torch import save

    card = Card(system="pix2pix", generator={"channels": 4, "downsamplings": 5, "kind": "unet"})
    tensors = {name: value.contiguous() for name, value in empty(card, "card").tensors().items()}
    metadata = {"format": "vidtrans-bundle", "format_version": "1"}
    metadata |= {name: json.dumps(value) for name, value in card.model_dump(mode="json").items()}
    pth, npy = io.BytesIO(), io.BytesIO()
    torch.save({"model.1.weight": torch.zeros(2, 3)}, pth)
    np.save(npy, {7: np.zeros((2, 3), np.float32)}, allow_pickle=True)  # type: ignore[arg-type]

    def record() -> bytes:
        """A batch's record with a job in each state."""
        with Ledger(folder, file="seed.sqlite") as ledger:
            jobs = [Job(f"{n}.mp4", f"/in/{n}.mkv", weight=n, stamp="1") for n in range(8)]
            ledger.enter(jobs, {DEFAULT_MODEL: "digest"}, exists=bool)
            for n in range(4):
                entry = ledger.claim("somebody")
                assert entry is not None
                if n == 0:
                    ledger.finish(entry.name, frames=3, seconds=1.0)
                elif n == 1:
                    ledger.fail(entry.name, "is truncated.", 3)
                elif n == 2:
                    ledger.began(entry.name, "")
        place = folder / "seed.sqlite"
        whole = sqlite3.connect(place)
        whole.execute("PRAGMA journal_mode=DELETE")  # all of it in one file
        whole.close()
        return place.read_bytes()

    def recorded(path: Path) -> None:
        out = folder / "out"
        place = out / RECORD
        shutil.rmtree(out, ignore_errors=True)
        place.mkdir(parents=True)
        shutil.copy(path, place / FILE)
        status = read_status(str(out))
        assert sum(status.jobs.values()) >= 0
        with Ledger(place, create=False) as ledger:
            recover(ledger, place, str(out))
            ledger.enter(
                [Job("1.mp4", "/in/1.mkv"), Job("new.mp4", "/in/new.mkv")],
                {DEFAULT_MODEL: "digest"},
                exists=lambda name: False,
            )
            while (entry := ledger.claim("me")) is not None:
                order_of(ledger, entry, str(out), "", overwrite=False)
                conclude(ledger, entry, Outcome("failed", error="no.", exit_code=3))
        read_status(str(out))

    def planned(path: Path) -> None:
        plan_batch([str(path)], str(folder / "planned"))

    rows = (
        b"input,output,seed,relabel,labels\na.mkv,x/a.mp4,1,car=bus;truck=bus,\nb/,,2,,cityscapes\n"
    )
    lines = (
        b'{"input": "a.mkv", "output": "x/a.mp4", "relabel": ["car=bus"], "seed": 3}\n'
        b'{"input": "frame_%06d.png", "size": "512x256", "fit": "pad"}\n'
    )
    training = (
        b'version = 1\nsystem = "pix2pixhd"\n[data]\nroot = "d"\nhold_out = ["a"]\nload_size = 64\n'
        b'[run]\nseed = 3\nema = 0.9\n[options]\nngf = 8\nnetG = "local"\nn_blocks_global = 2\n'
    )
    edits = (
        b'{"version": 1, "edits": [{"kind": "relabel-class", "source": "car", "target": "bus"}]}'
    )
    found: dict[str, tuple[bytes, str, Target]] = {
        "edits": (edits, ".json", EditList.load),
        "styles": (b'seed = 1\n[classes]\ncar = 3\n[instances]\n26001 = 5\n', ".toml", load_styles),
        "scheme": (
            b'title = "x"\n[[classes]]\nid = 1\nname = "road"\ncolour = [1, 2, 3]\n', ".toml",
            load_scheme,
        ),
        "palette": (b'{"classes": [{"id": 1, "name": "road"}]}', ".json", load_scheme),
        "opt.txt": (
            b"ngf: 64\nlabel_nc: 35\nfg_labels: [26, 1]\nnetG: global\n", ".txt",
            lambda path: parse_options("vid2vid", read_opt_file(path, "vid2vid")),
        ),
        "bundle": (save(tensors, metadata=metadata), ".safetensors", model),
        "state": (
            State((2, 2), ids=torch.zeros(1, 1, 2, 2)).to_bytes(), ".safetensors", State.load
        ),
        "pth": (pth.getvalue(), ".pth", read_pth),
        "clusters": (npy.getvalue(), ".npy", read_clusters),
        "manifest csv": (rows, ".csv", planned),
        "manifest tsv": (rows.replace(b",", b"\t"), ".tsv", planned),
        "manifest jsonl": (lines, ".jsonl", planned),
        "record": (record(), ".sqlite", recorded),
        "training pix2pixhd": (training, ".toml", read_settings),
        "training street": (STREET.read_bytes(), ".toml", read_settings),
    }  # fmt: skip
    for text in ("size=512x256", "rate=30000/1001", "scene_cuts=1,2", "labels=cityscapes:ids",
                 "relabel=car=bus@1:2", "style=car=3", "seed=3", "model=street"):  # fmt: skip
        found[f"option {text.partition('=')[0]}"] = (text.encode(), ".txt", option)
    for suffix, codec, form in (
        (".mkv", "ffv1", "gray"), (".nut", "rawvideo", "gray"), (".nut", "rawvideo", "monow"),
        (".mp4", "libx264", "yuv420p"), (".png", "png", "gray"), (".png", "png", "pal8"),
        (".tiff", "tiff", "gray"), (".bmp", "bmp", "bgr24"), (".y4m", "wrapped_avframe", "yuv420p"),
    ):  # fmt: skip
        try:
            data = film(folder / f"seed{suffix}", codec, form)
        except (OSError, ValueError):
            continue  # this build of FFmpeg does not write it
        found[f"{codec} {form} {suffix}"] = (data, suffix, read)
        if suffix in (".mkv", ".nut", ".y4m"):
            found[f"filter {codec} {form} {suffix}"] = (data, suffix, filtered)
    return found


def work(seed: int, first: int, end: int, only: str) -> None:
    """Run cases and print a line for each: its number and name, then its result."""
    from vidtrans.errors import VidtransError

    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        every = [each for each in sorted(targets(folder).items()) if each[0].startswith(only)]
        used = int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, used + MEMORY))
        for number in range(first, end):
            what, (data, suffix, target) = every[number % len(every)]
            rng = random.Random(f"{seed} {number}")
            path = folder / f"case{suffix}"
            path.write_bytes(mutated(data, rng))
            print(f"{number}\t{what}", end="\t", flush=True)
            signal.alarm(SECONDS)
            try:
                target(path)
                result = "read"
            except VidtransError:
                result = "refused"
            except BaseException as error:
                is_wrong_value = what.startswith("option") and type(error) is ValueError
                text = " ".join(str(error).split())[:120]
                result = "refused" if is_wrong_value else f"FAULT {type(error).__name__}: {text}"
            signal.alarm(0)
            print(result, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--worker", type=int, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    end = given.first + given.cases
    if given.worker is not None:
        work(given.seed, given.worker, end, given.only)
        return 0
    counts: collections.Counter[str] = collections.Counter()
    faults: list[str] = []
    number = given.first
    while number < end:
        command = [sys.executable, __file__, "--seed", str(given.seed), "--first", str(given.first)]
        done = subprocess.run(
            [*command, "--cases", str(given.cases), "--only", given.only, "--worker", str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            check=False,
        )
        lines = [line.split("\t") for line in done.stdout.splitlines() if line]
        if not lines:
            print(f"the worker did not start (exit code {done.returncode})")
            return 1
        for line in lines:
            number = int(line[0]) + 1
            result = line[2] if len(line) > 2 and line[2] else ""
            if not result:
                ended = "a hang" if done.returncode == -signal.SIGALRM else "a death"
                result = f"FAULT {ended} of the process ({done.returncode})"
            counts[result.partition(" ")[0]] += 1
            if result.startswith("FAULT"):
                faults.append(f"case {line[0]}, {line[1]}: {result[6:]}")
    print("\n".join(faults))
    print(f"seed {given.seed}: " + ", ".join(f"{n} {kind}" for kind, n in counts.most_common()))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
