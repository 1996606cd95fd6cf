"""Everything that can be wrong with what a user gives: one clear sentence, the right exit code,
nothing touched."""

import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vidtrans.cli import main

VIDTRANS = str(Path(sys.executable).with_name("vidtrans"))


@pytest.fixture
def refused(capfd, tmp_path, tiny_model):
    """``refused(code, *sentences, source=..., words=...)``: convert fails with this code and one
    sentence that holds all of ``sentences``; the folder is as it was before."""

    def call(
        code, *sentences, source, output="film.mp4", words=(), labels="cityscapes", model=tiny_model
    ):
        target = Path(output) if Path(output).is_absolute() else tmp_path / output
        if output.endswith("/"):
            target = f"{target}/"
        before = snapshot(tmp_path)
        given = ["convert", source, target, "--model", model, "--labels", labels, *words]
        found = main([str(word) for word in given])
        out, err = capfd.readouterr()
        assert found == code, err
        assert out == ""
        assert err.startswith("vidtrans: error: ")
        assert err.count("\n") == 1, err
        assert err.rstrip().endswith((".", "?")), err
        assert "Traceback" not in err
        for sentence in sentences:
            assert sentence in err, err
        assert snapshot(tmp_path) == before
        return err

    return call


def snapshot(folder):
    """Every file below ``folder`` with what it holds, hidden ones too."""
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in sorted(folder.rglob("*"))
    }


def test_a_missing_file(refused, tmp_path):
    refused(3, "nowhere.mkv", "does not exist", source=tmp_path / "nowhere.mkv")


LONG = "a" * 300
"""Longer than a file's name may be: a value that is taken for a path all the same."""


@pytest.mark.parametrize(
    ("code", "sentence", "words"),
    [
        (3, "does not exist", ["--instances", LONG]),
        (3, "does not exist", ["--first-frame", f"{LONG}.png"]),
        (3, "cannot be read", ["--styles", LONG]),
        (3, "cannot be read", ["--edits", LONG]),
        (2, "no label scheme", ["--labels", LONG]),
        (3, "cannot be read", ["--labels", f"{LONG}.toml"]),
        (4, "no model called", ["--model", LONG]),
        (4, "does not exist", ["--model", f"{LONG}.safetensors"]),
    ],
)
def test_an_overlong_value_is_no_path(refused, label_film, code, sentence, words):
    refused(code, sentence, source=label_film, words=words)


@pytest.mark.parametrize("source", [LONG, f"{LONG}.mkv", f"{LONG}/a.mkv"])
def test_an_overlong_input(refused, source):
    refused(3, "does not exist", source=source)


def test_an_overlong_pattern(refused):
    refused(3, "matches no file", source=f"{LONG}*.png")


@pytest.mark.parametrize("output", [f"{LONG}.mp4", LONG, f"{LONG}/", f"{LONG}/film.mp4"])
def test_an_overlong_output(refused, label_film, output):
    refused(5, "its name is too long", source=label_film, output=output)


def test_a_text_file_named_mp4(refused, tmp_path):
    (tmp_path / "labels.mp4").write_text("This is no film.\n" * 100)
    refused(3, "labels.mp4", source=tmp_path / "labels.mp4")


def test_an_empty_file(refused, tmp_path):
    (tmp_path / "labels.mkv").touch()
    refused(3, "labels.mkv", source=tmp_path / "labels.mkv")


@pytest.fixture
def mp4(grey_film, scene, tmp_path):
    """A lossless mp4 of labels in grey, with its index at the end, as most cameras write it."""
    path = tmp_path / "labels.mp4"
    grey_film(tmp_path / "l.mkv", [scene(n) for n in range(40)])
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(tmp_path / "l.mkv"),
        "-c:v",
        "libx264",
        "-qp",
        "0",
        "-pix_fmt",
        "gray",
        str(path),
    ]
    subprocess.run(command, check=True)
    (tmp_path / "l.mkv").unlink()
    return path


def test_a_truncated_mp4_without_its_index(refused, mp4):
    os.truncate(mp4, mp4.stat().st_size // 2)
    refused(3, "labels.mp4", "truncated", source=mp4)


def test_a_truncated_mp4_whose_index_is_there(refused, mp4, tmp_path):
    front = tmp_path / "front.mp4"
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(mp4),
            "-c",
            "copy",
            "-movflags",
            "+faststart",
            str(front),
        ],
        check=True,
    )
    os.truncate(front, front.stat().st_size - 900)
    err = refused(3, "front.mp4", "frame", source=front)
    assert "truncated" in err or "damaged" in err


def test_zero_frames(refused, grey_film, scene, tmp_path):
    whole = grey_film(tmp_path / "l.mkv", [scene(0)])
    empty = tmp_path / "empty.mkv"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(whole), "-c", "copy", "-frames:v", "0", str(empty)],
        check=True,
    )
    refused(3, "empty.mkv", source=empty)


def test_an_empty_folder(refused, tmp_path):
    (tmp_path / "labels").mkdir()
    refused(3, "labels", source=tmp_path / "labels")


def test_a_photo_instead_of_labels(refused, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 128, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), cv2.GaussianBlur(noise, (0, 0), 3))
    refused(3, "photo.png", "label", source=tmp_path / "photo.png", labels="auto")


def test_a_real_photo_instead_of_labels(refused, tmp_path):
    real = (
        Path(os.environ.get("VIDTRANS_SHARED", Path(__file__).parents[3] / "shared"))
        / "real"
        / "sequence"
        / "images"
    )
    if not real.is_dir():
        pytest.skip("the real material is not here")
    refused(3, "label", source=real, labels="auto")


def test_labels_beyond_the_classes(refused, grey_film, scene, tmp_path):
    frames = [scene(n) for n in range(5)]
    frames[3][0, 0] = 77
    refused(
        3,
        "film.mkv, frame 3: ",
        "77",
        "palette file",
        source=grey_film(tmp_path / "film.mkv", frames),
        output="out.mp4",
    )


def test_an_instance_map_of_another_size(refused, label_film, grey_film, scene, tmp_path):
    other = grey_film(
        tmp_path / "instances.mkv", [scene(n, 16, 32).astype(np.uint16) for n in range(12)]
    )
    refused(3, "instances.mkv", "32x16", "64x32", source=label_film, words=["--instances", other])


def test_an_instance_map_of_another_length(refused, label_film, grey_film, scene, tmp_path):
    other = grey_film(tmp_path / "instances.mkv", [scene(n).astype(np.uint16) for n in range(7)])
    refused(
        3, "frame 7 is the first without a partner", source=label_film, words=["--instances", other]
    )


@pytest.fixture
def label_folder(scene, tmp_path):
    (tmp_path / "labels").mkdir()
    for n in range(6):
        cv2.imwrite(str(tmp_path / "labels" / f"street_{n:04d}.png"), scene(n))
    return tmp_path / "labels"


def test_a_folder_with_a_hole(refused, label_folder):
    (label_folder / "street_0003.png").unlink()
    refused(3, "0003", source=label_folder)


def test_a_folder_of_mixed_sizes(refused, label_folder, scene):
    cv2.imwrite(str(label_folder / "street_0004.png"), scene(4, 48, 64))
    refused(3, "street_0004.png", "64x48", "64x32", source=label_folder)


def test_a_damaged_picture_in_a_folder(refused, label_folder):
    os.truncate(label_folder / "street_0002.png", 60)
    refused(3, "street_0002.png", source=label_folder)


def test_a_size_change_midway(refused, scene, tmp_path):
    """Two H.264 streams of different sizes, one behind the other, as a recorder makes them when
    its camera is switched."""
    parts = []
    for number, size in enumerate(((32, 64), (48, 64))):
        raw = b"".join(scene(n, *size).tobytes() for n in range(10))
        part = tmp_path / f"part{number}.h264"
        geometry = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{size[1]}x{size[0]}", "-i", "-"]
        encoder = ["-c:v", "libx264", "-qp", "0", "-pix_fmt", "gray", str(part)]
        subprocess.run(["ffmpeg", "-v", "error", *geometry, *encoder], input=raw, check=True)
        parts.append(part.read_bytes())
    (tmp_path / "film.h264").write_bytes(b"".join(parts))
    refused(3, "film.h264", "frame 10", "64x48", source=tmp_path / "film.h264", output="out.mp4")


def test_a_truncated_model(refused, label_film, tiny_model, tmp_path):
    (tmp_path / "short.safetensors").write_bytes(tiny_model.read_bytes()[:-500])
    refused(
        4, "short.safetensors", "truncated", source=label_film, model=tmp_path / "short.safetensors"
    )


def test_a_file_that_is_no_model(refused, label_film, tmp_path):
    (tmp_path / "text.safetensors").write_text("not a model, and longer than a header")
    refused(4, "text.safetensors", source=label_film, model=tmp_path / "text.safetensors")


def test_a_model_of_another_system(refused, label_film, tiny_model, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(tiny_model, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        metadata = dict(opened.metadata())
    metadata |= {"system": '"pix2pix"', "architecture": '"published"'}
    save_file(tensors, tmp_path / "other.safetensors", metadata=metadata)
    refused(4, "other.safetensors", source=label_film, model=tmp_path / "other.safetensors")


class Bomb:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors", "model.pkl"])
def test_a_pickle_that_runs_code(refused, label_film, tmp_path, name):
    marker = tmp_path / "it ran"
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(marker)))
    refused(4, name, "pickle", source=label_film, model=tmp_path / name)
    assert not marker.exists()


def test_a_checkpoint_folder_that_runs_code(capfd, tmp_path):
    marker = tmp_path / "it ran"
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    torch.save({"model.0.weight": Bomb(marker)}, folder / "latest_net_G.pth")
    assert (
        main(
            [
                "models",
                "import",
                str(folder),
                str(tmp_path / "out.safetensors"),
                "--system",
                "pix2pix",
            ]
        )
        == 4
    )
    assert "latest_net_G.pth" in capfd.readouterr().err
    assert not marker.exists()
    assert not (tmp_path / "out.safetensors").exists()


def test_a_missing_model(refused, label_film, tmp_path):
    refused(
        4,
        "none.safetensors",
        "does not exist",
        source=label_film,
        model=tmp_path / "none.safetensors",
    )
    refused(4, "stret", source=label_film, model="stret")


@pytest.mark.parametrize("output", ["film.mp4", "pngs/"])
def test_a_full_disk(label_film, tiny_model, tmp_path, output, capfd, monkeypatch):
    """``write`` fails as on a full disk, whoever writes; a really full file system is tried
    where it can be mounted."""
    from vidtrans.atomic_write import PartialFile

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = snapshot(tmp_path)
    if output.endswith("/"):
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(PartialFile, "write", full)
    code = main(
        [
            "convert",
            str(label_film),
            f"{tmp_path}/{output}",
            "--model",
            str(tiny_model),
            "--labels",
            "cityscapes",
        ]
    )
    err = capfd.readouterr().err
    assert code == 5, err
    assert "no space left" in err.lower()
    assert err.count("\n") == 1
    assert snapshot(tmp_path) == before


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 KiB, where this user may mount one."""
    if sys.platform != "linux":
        pytest.skip("mounting a tmpfs needs Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True
    )
    if made.returncode:
        pytest.skip("this user may not mount a file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("output", ["film.mkv", "pngs/"])
def test_a_disk_that_really_is_full(label_film, tiny_model, tiny_disk, output, capfd):
    words = ["--model", str(tiny_model), "--labels", "cityscapes"]
    if output == "film.mkv":
        words += ["--codec", "ffv1"]
    else:
        words += ["--size", "256x128", "--fit", "resize"]
    code = main(["convert", str(label_film), f"{tiny_disk}/{output}", *words])
    err = capfd.readouterr().err
    assert code == 5, err
    assert "no space left" in err.lower()
    assert list(tiny_disk.iterdir()) == []


def test_an_unwritable_folder(refused, label_film, tmp_path):
    """Root may write anywhere, so the folder is a file, is missing, or lies on a file system
    that takes nothing."""
    (tmp_path / "file").write_bytes(b"precious")
    refused(5, "file", source=label_film, output="file/film.mp4")
    refused(5, "missing", "does not exist", source=label_film, output="missing/film.mp4")
    refused(5, "file", source=label_film, output="file/pngs/")
    if sys.platform == "linux":
        refused(5, "/proc", source=label_film, output="/proc/film.mp4")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_without_permission(refused, label_film, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    refused(5, "locked", "ermission", source=label_film, output="locked/film.mp4")


def test_an_existing_output(refused, label_film, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"precious")
    refused(5, "film.mp4", "exists already", "--overwrite", source=label_film)
    (tmp_path / "pngs").mkdir()
    (tmp_path / "pngs" / "000000.png").write_bytes(b"precious")
    refused(5, "pngs", "--overwrite", source=label_film, output="pngs/")


def test_an_output_that_is_the_input(refused, label_film):
    refused(
        2,
        "labels.mkv",
        "replace the input",
        source=label_film,
        output="labels.mkv",
        words=["--overwrite"],
    )


def test_an_encoder_that_does_not_exist(refused, label_film):
    refused(5, "libx265turbo", source=label_film, words=["--codec", "libx265turbo"])


def test_an_encoder_option_that_does_not_exist(refused, label_film):
    refused(5, "crff", source=label_film, words=["--encoder-option", "crff=18"])


def test_an_encoder_that_the_container_does_not_hold(refused, label_film):
    refused(5, "film.webm", source=label_film, words=["--codec", "ffv1"], output="film.webm")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_no_cuda_when_asked_for(refused, label_film):
    refused(2, "CUDA", source=label_film, words=["--device", "cuda"])


def test_the_installed_command_says_the_same(tmp_path):
    done = subprocess.run(
        [VIDTRANS, "convert", "nowhere.mkv", "film.mp4"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == "vidtrans: error: nowhere.mkv: does not exist.\n"
    assert list(tmp_path.iterdir()) == []
