"""Label films to convert, and the batch's command."""

import cv2
import pytest

from vidtrans.cli import main


@pytest.fixture
def films(tmp_path, grey_film, scene):
    """``films(3)``: a folder of films in two sub-folders, each a frame longer than the last."""

    def make(count, frames=6):
        top = tmp_path / "in"
        for n in range(count):
            folder = top / "ab"[n % 2]
            folder.mkdir(parents=True, exist_ok=True)
            grey_film(folder / f"c{n}.mkv", [scene(i + n) for i in range(frames + n)])
        return top

    return make


@pytest.fixture
def pictures(scene):
    """``pictures(folder, names)``: street pictures of these names."""

    def make(folder, names):
        folder.mkdir(parents=True, exist_ok=True)
        for n, name in enumerate(names):
            cv2.imwrite(str(folder / name), scene(n))
        return folder

    return make


@pytest.fixture
def batch(capfd, tiny_model, tmp_path):
    """``batch(input, ...)``: exit code, stdout and stderr of the command into ``out``."""

    def call(*words, model=tiny_model, options=True):
        given = ["--model", str(model), "--labels", "cityscapes", "--device", "cpu"]
        code = main(["batch", *map(str, words), *(given if options else [])])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"
