"""Every recipe of the filter's page runs as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
PAGE = Path(__file__).parents[2] / "ffmpeg_filters" / "README.md"
RECIPES = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory, ids, tiny_model):
    """A folder with the files that the recipes name, and a filter that uses a small model unless
    it is told one."""
    from vidtrans.labels.palette import colourise
    from vidtrans.labels.scheme import load_scheme

    top = tmp_path_factory.mktemp("recipes")
    frames = np.concatenate([ids, ids[::-1]])

    def encode(pixels, form, out, *options):
        raw = ["-f", "rawvideo", "-pix_fmt", form, "-s", "64x32", "-r", "25", "-i", "-"]
        command = ["ffmpeg", "-v", "error", "-y", *raw, *options, str(top / out)]
        subprocess.run(command, input=np.ascontiguousarray(pixels).tobytes(), check=True)

    encode(frames, "gray", "ids.mkv", "-c:v", "ffv1")
    (top / "ids").mkdir()
    for number, picture in enumerate(frames):
        cv2.imwrite(str(top / "ids" / f"{number:06d}.png"), picture)
    colours = np.stack([colourise(frame, load_scheme("cityscapes")) for frame in frames])
    encode(colours, "rgb24", "colours.mp4", "-c:v", "libx264", "-crf", "10", "-pix_fmt", "yuv444p")
    wide = np.where(frames >= 24, frames.astype(np.uint16) * 1000 + 1, frames).astype(np.uint16)
    encode(wide, "gray16le", "instances.mkv", "-c:v", "ffv1", "-strict", "-1")
    uneven = [
        "-vf",
        "settb=1/1000,setpts=N*N*20",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "1/1000",
    ]
    encode(frames, "gray", "vfr.mkv", *uneven, "-c:v", "ffv1")
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-nostdin",
            "-f",
            "lavfi",
            "-i",
            "sine=d=0.48",
            str(top / "sound.wav"),
        ],
        check=True,
    )
    tools = top / "bin"
    tools.mkdir()
    (tools / "vidtrans-filter").write_text(
        f"#!{sys.executable} -S\n{CLIENT.format(socket=str(top / 'socket'))}"
    )
    (tools / "vidtrans-filter").chmod(0o755)
    words = ["--model", str(tiny_model), "--device", "cpu"]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(top / "socket"), *words], env=ONE_THREAD
    )
    while not (top / "socket").exists():
        assert server.poll() is None
        time.sleep(0.05)
    yield top
    server.terminate()
    server.wait()


# torch takes seconds to import, so one process imports it and forks for every filter that a recipe
# starts: the command's own main, with the recipe's own pipes, arguments and exit code.
SERVER = """
import json, os, socket, sys
import torch, vidtrans.sequence.loading, vidtrans.pipeline.stream, vidtrans.pipeline.setup
from vidtrans_ffmpeg.cli import main
vidtrans.sequence.loading.load_model(sys.argv[sys.argv.index("--model") + 1],
device="cpu")  # which imports the rest
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(8)
while True:
    caller, _ = listener.accept()
    words, pipes, _, _ = socket.recv_fds(caller, 65536, 3)
    if os.fork() == 0:
        for number, pipe in enumerate(pipes):
            os.dup2(pipe, number)
            os.close(pipe)
        listener.close()
        folder, *words = json.loads(words)
        os.chdir(folder)
        code = main([*sys.argv[2:], *words])
        for number in (1, 0):
            os.close(number)
        caller.send(bytes([code]))
        os._exit(0)
    for pipe in pipes:
        os.close(pipe)
    caller.close()
"""
CLIENT = """
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({socket!r})
socket.send_fds(server, [json.dumps([os.getcwd(), *sys.argv[1:]]).encode()], [0, 1, 2])
for stream in (0, 1):
    os.close(stream)
sys.exit((server.recv(1) or b"\\1")[0])
"""


@pytest.mark.posix
@pytest.mark.parametrize(
    "recipe", RECIPES, ids=[re.findall(r"street\w*|ffplay", recipe)[-1] for recipe in RECIPES]
)
def test_recipe(place, recipe):
    if "ffplay" in recipe and shutil.which("ffplay") is None:
        pytest.skip("no ffplay here")
    environment = {
        **ONE_THREAD,
        "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "SDL_VIDEODRIVER": "dummy",
        "SDL_AUDIODRIVER": "dummy",
    }
    done = subprocess.run(
        ["bash", "-c", recipe],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
    for name in re.findall(r"(street\w*\.\w+)", recipe):
        command = [
            "ffprobe",
            "-v",
            "error",
            "-count_frames",
            "-select_streams",
            "v",
            "-show_streams",
            "-of",
            "json",
            name,
        ]
        found = json.loads(
            subprocess.run(command, cwd=place, capture_output=True, check=True).stdout
        )["streams"][0]
        assert int(found["nb_read_frames"]) == 12
        assert (found["width"], found["height"]) == (64, 32)
        if name in ("street_x264.mp4", "street_from_y4m.mp4"):
            assert found["color_space"] == "bt709"
        if name == "street_vfr.mkv":
            assert times(place / name) == times(place / "vfr.mkv")


def times(film):
    command = [
        "ffprobe",
        "-v",
        "error",
        "-show_entries",
        "frame=pts_time",
        "-of",
        "csv=p=0",
        str(film),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [float(line.strip(",")) for line in shown.split()]


def test_the_page_has_a_recipe_for_each_case():
    text = "\n".join(RECIPES)
    for word in (
        "gray16le",
        "colours.mp4",
        "--instances",
        "vfr.mkv",
        "libx264",
        "ffplay",
        "rawvideo --input-size",
        "yuv4mpegpipe",
    ):
        assert word in text
    assert all(recipe.startswith("set -o pipefail\n") for recipe in RECIPES)
