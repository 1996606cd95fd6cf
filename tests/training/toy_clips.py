"""A toy street in the form of the trainer's clips."""

from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH, FRAMES, SHIFT = 32, 64, 5, 2


def write_clip(folder: Path, seed: int) -> Path:
    """A wall above a road with a post, both striped, that move ``SHIFT`` pixels to the left each
    frame."""
    rng = np.random.default_rng(seed)
    wide = WIDTH + SHIFT * FRAMES
    labels = (
        np.where(np.arange(HEIGHT)[:, None] < HEIGHT // 2, 11, 7).repeat(wide, 1).astype(np.uint8)
    )
    post = int(rng.integers(10, wide - 10))
    labels[8:24, post : post + 6] = 26
    colours = np.zeros((34, 3), np.uint8)
    colours[[7, 11, 26]] = (90, 90, 90), (60, 120, 190), (200, 30, 40)
    rgb = colours[labels]
    rgb[:, ::8] += 40
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[:, WIDTH - SHIFT :] = True
    flow = np.stack([np.full((HEIGHT, WIDTH), SHIFT), np.zeros((HEIGHT, WIDTH))]).astype(np.float16)
    for kind in ("rgb", "labels", "instances", "flow"):
        (folder / kind).mkdir(parents=True)
    for t in range(FRAMES):
        seen = slice(t * SHIFT, t * SHIFT + WIDTH)
        cv2.imwrite(str(folder / "rgb" / f"{t:06d}.png"), rgb[:, seen, ::-1])
        cv2.imwrite(str(folder / "labels" / f"{t:06d}.png"), labels[:, seen])
        cv2.imwrite(
            str(folder / "instances" / f"{t:06d}.png"), labels[:, seen].astype(np.uint16) * 1000
        )
        np.savez(folder / "flow" / f"{t:06d}.npz", flow=flow, occlusion=hidden)
    (folder / "world.json").write_text("{}")
    return folder
