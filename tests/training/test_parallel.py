"""Workers average their gradients, and the command starts and ends them."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import torch
from vidtrans_training.data import ClipPool

spec = importlib.util.spec_from_file_location("toy_clips", Path(__file__).with_name("toy_clips.py"))
toy_clips = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy_clips)

AVERAGE = """
import torch
from vidtrans_training.parallel import joined
with joined() as workers:
    shared, lonely = torch.nn.Parameter(torch.zeros(2, 3)), torch.nn.Parameter(torch.zeros(1))
    shared.grad = torch.full((2, 3), 1.0 + workers.rank)
    if workers.rank == 1:
        lonely.grad = torch.tensor([4.0])
    workers.average_gradients([shared, lonely])
    assert torch.equal(shared.grad, torch.full((2, 3), 1.5)), shared.grad
    assert lonely.grad.item() == 2, lonely.grad
    assert workers.any(workers.rank == 1) and not workers.any(False)
"""


def test_gradients_are_averaged(tmp_path):
    place = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(20000 + os.getpid() % 20000),
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-c", AVERAGE], env=os.environ | place | {"RANK": str(rank)}
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in both] == [0, 0]


def test_two_workers_train_and_end(tmp_path):
    for seed in range(2):
        toy_clips.write_clip(tmp_path / "clips" / f"clip_{seed}", seed)
    config = tmp_path / "run.toml"
    config.write_text(
        "threads = 1\n[data]\nclips = 'clips'\n[model]\nchannels = [4, 8, 8, 8]\nblocks = [1, 1, 1,"
        " 1, 1]\n[discriminator]\nchannels = 4\ntemporal_channels = 4\n[[stages]]\nsteps = 2\ncrop"
        " = [32, 32]\nbatch = 1\n"
    )
    command = [
        sys.executable,
        "-m",
        "vidtrans_training",
        "vid2vid",
        "--config",
        str(config),
        "--out",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(
        [*command, "--workers", "2"], capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 2


def test_every_clip_is_one_workers(tmp_path):
    for seed in range(3):
        toy_clips.write_clip(tmp_path / f"clip_{seed}", seed)
    pools = [ClipPool(tmp_path, 9, share=(rank, 2)) for rank in range(2)]
    assert [pool.refresh() for pool in pools] == [2, 1]
    assert {clip.name for pool in pools for clip in pool.clips} == {"clip_0", "clip_1", "clip_2"}
