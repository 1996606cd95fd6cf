"""Clips on disk, the demo's videos, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner
from vidtrans_world import cli, demo
from vidtrans_world.clip import clip_folder, read_frame, read_info, write_clip
from vidtrans_world.demo import write_demo
from vidtrans_world.render import WorldFrame

from vidtrans.errors import InputError, OutputError

SIZE_HW = (32, 48)


def a_frame(index: int) -> WorldFrame:
    """Known numbers in every field, each different from frame to frame."""
    rng = np.random.default_rng(index)
    return WorldFrame(
        rng.integers(0, 256, (*SIZE_HW, 3), dtype=np.uint8),
        rng.integers(0, 34, SIZE_HW, dtype=np.uint8),
        rng.integers(0, 33999, SIZE_HW, dtype=np.uint16),
        (rng.integers(-800, 800, (2, *SIZE_HW)) / 16).astype(np.float32),
        rng.random(SIZE_HW) < 0.3,
    )


def test_a_clip_comes_back_as_it_was_written(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path, 5)
    info = write_clip(folder, 5, [a_frame(0), a_frame(1)])
    assert folder.name == "clip_5"
    assert (info.seed, info.frames, info.size_hw, info.fps) == (5, 2, SIZE_HW, 17)
    assert read_info(folder) == info
    assert len(info.route) == 2
    assert info.route[0][0] < info.route[1][0]  # the camera drives on
    for index in range(info.frames):
        frame = read_frame(folder, index)
        for name in ("rgb", "labels", "instances", "flow", "occlusion"):
            stored, written = getattr(frame, name), getattr(a_frame(index), name)
            assert stored.dtype == written.dtype, name
            np.testing.assert_array_equal(stored, written, err_msg=name)


def test_pictures_are_rgb_for_other_programs(tmp_path: Path) -> None:
    frame = a_frame(0)
    frame.rgb[:] = (200, 10, 30)
    write_clip(tmp_path / "clip_0", 0, [frame])
    bgr = cv2.imread(str(tmp_path / "clip_0" / "rgb" / "000000.png"))
    assert bgr[0, 0].tolist() == [30, 10, 200]


def test_a_clip_that_fails_midway_leaves_nothing(tmp_path: Path) -> None:
    def frames():  # type: ignore[no-untyped-def]
        yield a_frame(0)
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write_clip(tmp_path / "clip_1", 1, frames())
    assert list(tmp_path.iterdir()) == []


def test_an_existing_clip_is_left_alone(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip_1", 1, [a_frame(0)])
    with pytest.raises(OutputError, match="exists already"):
        write_clip(tmp_path / "clip_1", 1, [a_frame(1)])
    np.testing.assert_array_equal(read_frame(tmp_path / "clip_1", 0).rgb, a_frame(0).rgb)


def test_a_damaged_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"world\.json is missing"):
        read_info(tmp_path)
    folder = tmp_path / "clip_1"
    write_clip(folder, 1, [a_frame(0)])
    (folder / "flow" / "000000.npz").write_bytes(b"not a zip")
    with pytest.raises(InputError, match="flow cannot be read"):
        read_frame(folder, 0)
    (folder / "labels" / "000000.png").unlink()
    with pytest.raises(InputError, match=r"labels/000000\.png"):
        read_frame(folder, 0)
    (folder / "world.json").write_text(json.dumps({"seed": 1}))
    with pytest.raises(InputError, match="damaged"):
        read_info(folder)


def decoded(path: Path) -> tuple[str, list[np.ndarray]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 17
        return f"{stream.codec_context.name} {stream.pix_fmt}", [
            frame.to_ndarray() for frame in container.decode(stream)
        ]


def test_the_demo_holds_the_ids_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [(a_frame(i).labels, a_frame(i).instances) for i in range(3)]
    monkeypatch.setattr(
        demo, "label_clip", lambda seed, frames, size_hw, kind: iter(drawn[:frames])
    )
    labels, instances = write_demo(tmp_path, 4, 2, SIZE_HW)
    kind, label_frames = decoded(labels)
    assert kind == "ffv1 gray"
    kind16, instance_frames = decoded(instances)
    assert kind16 == "ffv1 gray16le"
    assert len(label_frames) == len(instance_frames) == 2
    for index, (label, instance) in enumerate(drawn[:2]):
        np.testing.assert_array_equal(label_frames[index], label)
        np.testing.assert_array_equal(instance_frames[index], instance)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["demo_instances.mkv", "demo_labels.mkv"]


def test_the_command_renders_and_goes_on(tmp_path: Path) -> None:
    arguments = ["render", str(tmp_path), "--seed", "3", "--frames", "1", "--size", "48x32"]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    assert read_info(tmp_path / "clip_3").size_hw == SIZE_HW
    before = (tmp_path / "clip_3" / "world.json").stat().st_mtime_ns
    again = CliRunner().invoke(cli.app, [*arguments, "--skip-existing"])
    assert again.exit_code == 0
    assert (tmp_path / "clip_3" / "world.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["render", "OUT", "--size", "huge"], 2, "expected width x height"),
        (["render", "OUT", "--size", "4x4"], 2, "16 to 8192"),
        (["render", "FILE/x", "--size", "48x32"], 5, "cannot make the folder"),
        (["demo-clip", "FILE/x", "--frames", "1", "--size", "48x32"], 5, "cannot make the folder"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("in the way")
    places = {"OUT": str(tmp_path / "out"), "FILE/x": str(tmp_path / "file" / "x")}
    monkeypatch.setattr("sys.argv", ["vidtrans-world", *[places.get(a, a) for a in arguments]])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == code
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("vidtrans-world: ")
    assert error.count("\n") == 1
