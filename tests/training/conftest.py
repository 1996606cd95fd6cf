"""Tiny runs of every system."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from vidtrans_training.settings import TrainingSettings, parse_settings

SHAPES: dict[str, dict[str, Any]] = {
    "pix2pix": {"netG": "unet_32", "ngf": 2, "ndf": 2, "n_layers_D": 1, "netD": "n_layers"},
    "pix2pixhd": {
        "ngf": 2,
        "ndf": 2,
        "n_downsample_global": 1,
        "n_blocks_global": 1,
        "num_D": 1,
        "n_layers_D": 1,
        "instance_feat": True,
        "nef": 2,
        "n_downsample_E": 1,
        "no_vgg_loss": True,
        "pool_size": 2,
    },
    "vid2vid": {
        "label_nc": 35,
        "ngf": 4,
        "ndf": 2,
        "n_downsample_G": 1,
        "n_blocks": 1,
        "n_blocks_local": 1,
        "n_scales_spatial": 2,
        "niter_fix_global": 1,
        "n_scales_temporal": 1,
        "num_D": 1,
        "n_layers_D": 1,
        "no_vgg": True,
        "use_instance": True,
        "max_frames_per_gpu": 2,
        "n_frames_total": 2,
        "niter_step": 1,
        "niter": 2,
        "niter_decay": 8,
    },
    "street": {
        "channels": [4, 4, 4, 4],
        "blocks": [1, 1, 1, 1, 1],
        "ndf": 2,
        "num_D": 1,
        "n_layers_D": 1,
        "n_scales_temporal": 1,
        "no_vgg": True,
        "feature_nc": 3,
        "no_first_img": True,
        "mean_textures": True,
        "max_frames_per_gpu": 3,
        "lambda_L1": 10.0,
    },
}

spec = importlib.util.spec_from_file_location("toy_clips", Path(__file__).with_name("toy_clips.py"))
assert spec is not None
assert spec.loader is not None
toy_clips = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy_clips)


def write_pairs(folder: Path, count: int = 4) -> None:
    """Side-by-side pictures of 64x32: a gradient, and the same darker and in another colour."""
    (folder / "train").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        left = cv2.resize(rng.integers(0, 255, (4, 4, 3)).astype(np.uint8), (32, 32))
        cv2.imwrite(
            str(folder / "train" / f"{number}.png"), np.hstack([left, left[..., ::-1] // 2])
        )


def settings_in(folder: Path, system: str, **changes: Any) -> TrainingSettings:
    """Settings of a tiny run on toy data that is written into ``folder``.

    ``changes``: ``options``, ``data`` and ``run`` update those sections.
    """
    root = folder / f"data_{'pairs' if system == 'pix2pix' else 'clips'}"
    if not root.exists():
        if system == "pix2pix":
            write_pairs(root)
        else:
            for seed in range(2):
                toy_clips.write_clip(root / f"clip_{seed}", seed)
    data: dict[str, Any] = {"root": str(root), "workers": 0}
    if system == "pix2pix":
        data |= {"load_size": 36, "fine_size": 32}
    else:
        data |= {"load_size": 64, "fine_size": 32}
    if system == "pix2pixhd":
        data["resize_or_crop"] = "none"
    content = {
        "system": system,
        "data": data | changes.get("data", {}),
        "options": SHAPES[system] | changes.get("options", {}),
        "run": {"threads": 1, "device": "cpu", "ema": 0.9} | changes.get("run", {}),
    }
    return parse_settings(content)


@pytest.fixture
def one_thread():
    """Tiny tensors: threads would only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny_settings(tmp_path):
    """Settings of a tiny run by the system's name and changes of their sections."""
    return lambda system, **changes: settings_in(tmp_path, system, **changes)
