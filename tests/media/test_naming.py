"""Folders and patterns: order, sequences, holes, kinds."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest

from vidtrans.errors import InputError
from vidtrans.media.naming import named_sequences, resolve
from vidtrans.media.reader import open_reader


def put(folder, *names, size=(4, 6)):
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    for value, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full(size, value, np.uint8))
    return folder


def read(source, **options):
    with open_reader(source, **options) as reader:
        return [frame.pixels[0, 0] for frame in reader], reader


def test_natural_order(tmp_path):
    put(tmp_path, "f8.png", "f9.png", "f10.png", "f11.png")
    values, reader = read(tmp_path)
    assert values == [0, 1, 2, 3]
    assert list(reader.stems) == ["f8", "f9", "f10", "f11"]
    assert reader.sequence_starts == frozenset()


def test_every_fifth_frame_is_no_hole(tmp_path):
    assert read(put(tmp_path, "f000.png", "f005.png", "f010.png"))[0] == [0, 1, 2]


@pytest.mark.parametrize("pattern", ["", "f_%03d.png", "f_*.png"])
def test_a_hole_names_the_missing_file(tmp_path, pattern):
    put(tmp_path, "f_001.png", "f_002.png", "f_004.png", "f_005.png")
    with pytest.raises(InputError, match=r"f_003\.png is missing \(after f_002\.png\)") as caught:
        open_reader(str(tmp_path / pattern))
    assert caught.value.exit_code == 3
    assert "--" not in str(caught.value)  # no command has an option for it
    assert read(str(tmp_path / pattern), allow_gaps=True)[0] == [0, 1, 2, 3]


def test_printf_takes_only_its_own_names(tmp_path):
    put(tmp_path, "a_1.png", "a_2.png", "a_3.png", "b_1.png", "a_x.png", "a_02.png")
    assert read(str(tmp_path / "a_%d.png"))[0] == [0, 1, 2]


def test_glob_across_folders(tmp_path):
    put(tmp_path, "s1/0.png", "s1/1.png", "s2/0.png", "s2/1.png")
    values, reader = read(str(tmp_path / "*" / "*.png"))
    assert values == [0, 1, 2, 3]
    assert reader.sequence_starts == {2}


def test_cityscapes_names_group_into_sequences(tmp_path):
    drives = [("aachen", "000000", 0), ("aachen", "000001", 7), ("ulm", "000000", 3)]
    names = [
        f"{c}_{s}_{n:06d}_gtFine_labelIds.png"
        for c, s, first in drives
        for n in range(first, first + 3)
    ]
    put(tmp_path, *names)
    values, reader = read(tmp_path)
    assert values == list(range(9))
    assert reader.sequence_starts == {3, 6}


def test_annotated_stills_are_cut_from_each_other(tmp_path):
    put(
        tmp_path, *[f"frankfurt_000000_{n:06d}_gtFine_labelIds.png" for n in (294, 576, 1016, 1236)]
    )
    assert read(tmp_path)[1].sequence_starts == {1, 2, 3}


def test_several_kinds_of_image_are_not_mixed(tmp_path):
    kinds = ("gtFine_labelIds", "gtFine_instanceIds")
    put(tmp_path, *[f"ulm_000000_{n:06d}_{kind}.png" for n in range(3) for kind in kinds])
    with pytest.raises(InputError, match="several kinds") as caught:
        open_reader(tmp_path)
    assert "*_gtFine_instanceIds.png, *_gtFine_labelIds.png" in str(caught.value)
    assert len(read(str(tmp_path / "*_labelIds.png"))[0]) == 3


def test_two_files_with_one_number(tmp_path):
    put(tmp_path, "f1.png", "f01.png")
    with pytest.raises(InputError, match="same number"):
        open_reader(tmp_path)


def test_files_without_numbers_are_read_by_name(tmp_path):
    assert read(put(tmp_path, "a.png", "b.png", "c.png"))[0] == [0, 1, 2]


def test_what_is_no_image_is_passed_over_in_a_folder_and_refused_in_a_pattern(tmp_path):
    put(tmp_path, "0.png", "1.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_text("x")
    assert read(tmp_path)[0] == [0, 1]
    with pytest.raises(InputError, match=r"notes\.txt, which is no image"):
        open_reader(str(tmp_path / "*"))


def test_mixed_sizes_are_refused_before_the_first_frame_is_read(tmp_path):
    put(tmp_path, "0.png", "1.png")
    put(tmp_path, "2.png", size=(8, 6))
    with pytest.raises(
        InputError, match=r"2\.png, frame 2: is 6x8, while the images before it are 6x4"
    ):
        open_reader(tmp_path)


def test_mixed_sizes_of_jpegs_are_refused_at_the_frame(tmp_path):
    put(tmp_path, "0.jpg", "1.jpg")
    put(tmp_path, "2.jpg", size=(8, 6))
    with (
        open_reader(tmp_path) as reader,
        pytest.raises(InputError, match=r"2\.jpg, frame 2: is 6x8"),
    ):
        list(reader)


def test_grey_and_colour_are_not_mixed(tmp_path):
    import cv2

    put(tmp_path, "0.png")
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((4, 6, 3), np.uint8))
    with (
        open_reader(tmp_path) as reader,
        pytest.raises(InputError, match=r"1\.png, frame 1: holds rgb pixels"),
    ):
        list(reader)


def test_a_name_that_looks_like_a_pattern_but_is_there(tmp_path):
    assert read(put(tmp_path / "a[1]%d", "0.png"))[0] == [0]
    assert read(put(tmp_path, "b[0].png") / "b[0].png")[0] == [0]


def test_sequences_of_one_folder():
    names = [
        "ulm_000000_000000_leftImg8bit.png", "ulm_000000_000001_leftImg8bit.png", "f_2.png",
        "f_10.png", "ulm_000001_000000_leftImg8bit.png",
    ]  # fmt: skip
    found = [
        (each.name, each.kind, [Path(file).name for file in each.files])
        for each in named_sequences("/data", names)
    ]
    assert [(kind, files) for _, kind, files in found] == [
        ("", ["f_2.png", "f_10.png"]),
        (
            "leftImg8bit",
            ["ulm_000000_000000_leftImg8bit.png", "ulm_000000_000001_leftImg8bit.png"],
        ),
        ("leftImg8bit", ["ulm_000001_000000_leftImg8bit.png"]),
    ]


def test_digits_that_are_no_numbers(tmp_path):
    assert read(put(tmp_path, "a².png", "b½.png"))[0] == [0, 1]


def bytecodes(function, *arguments):
    """How many instructions of Python ``function`` executes: a measure of work without a clock."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "name",
    ["{0:08x}-{1:08x}.png", "{2:06d}_{1:06x}.png", "{0:08x}-{1:04x}-4{2:03x}-{1:012x}.png"],
    ids=["BDD100K", "distinct tails", "UUIDs"],
)
def test_the_work_of_a_scan_is_in_proportion_to_the_files(tmp_path, name):
    def scan(count):
        draw = random.Random(0)
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / name.format(draw.getrandbits(32), draw.getrandbits(24), number)).touch()
        return bytecodes(lambda: resolve(folder, allow_gaps=True))

    few, many = scan(100), scan(800)
    assert many < 1.5 * 8 * few


@pytest.mark.parametrize(
    "name",
    [
        "170908_06163{:04d}_Camera_5_bin.png",
        "frame_{:04d}_512x256.png",
        "{:05d}_seg_v2.png",
        "run3_{:06d}.png",
        "{0:04d}_{1}.png",
    ],
)
def test_the_frame_number_is_the_number_that_varies(tmp_path, name):
    put(tmp_path, *[name.format(n, 17 * n * n + 3) for n in range(12)])
    values, reader = read(tmp_path)
    assert values == list(range(12))
    assert reader.sequence_starts == frozenset()


def test_names_that_are_time_stamps_are_read_in_order(tmp_path):
    first = 1701234567000000000
    put(tmp_path / "ns", *[f"{first + n * 58823529 + n % 3 * 1000}.png" for n in range(12)])
    put(tmp_path / "dot", *[f"{1701234567 + n // 4}.{n % 4 * 25:02d}.png" for n in range(12)])
    for folder in ("ns", "dot"):
        values, reader = read(tmp_path / folder)
        assert values == list(range(12))
        assert reader.sequence_starts == frozenset()


def test_a_long_gap_is_a_cut(tmp_path):
    put(tmp_path, *[f"{n:06d}.png" for n in (1, 2, 3, 5, 6, 90, 91)])
    with pytest.raises(InputError, match=r"000004\.png is missing.*allow_gaps=True"):
        open_reader(tmp_path)
    values, reader = read(tmp_path, allow_gaps=True)
    assert values == list(range(7))
    assert reader.sequence_starts == {5}


def test_strays_and_copies_are_no_frames(tmp_path, caplog):
    put(tmp_path, *[f"{n:06d}.png" for n in range(4)], "preview.png", "000003 (1).png")
    assert read(tmp_path)[0] == [0, 1, 2, 3]
    assert "preview.png" in caplog.text
    assert "000003 (1).png" in caplog.text


def test_one_picture_in_each_folder(tmp_path):
    put(tmp_path, *[f"{n:04d}/labels.png" for n in range(5)])
    values, reader = read(str(tmp_path / "*" / "labels.png"))
    assert values == list(range(5))
    assert reader.sequence_starts == frozenset()


def test_links_are_followed_and_dangling_ones_named(tmp_path):
    put(tmp_path / "real", *[f"{n}.png" for n in range(3)])
    (tmp_path / "links").mkdir()
    for n in range(3):
        (tmp_path / "links" / f"{n}.png").symlink_to(tmp_path / "real" / f"{n}.png")
    assert read(tmp_path / "links")[0] == [0, 1, 2]
    (tmp_path / "links" / "3.png").symlink_to("/nowhere.png")
    with pytest.raises(InputError, match=r"3\.png: is a link to /nowhere\.png"):
        open_reader(tmp_path / "links")


def test_brackets_in_a_folder_name_are_literal(tmp_path):
    put(tmp_path / "drive [1]", *[f"{n}.png" for n in range(3)])
    assert read(str(tmp_path / "drive [1]" / "*.png"))[0] == [0, 1, 2]
    assert read(str(tmp_path / "drive [1]" / "%d.png"))[0] == [0, 1, 2]


@pytest.mark.parametrize(("suffix", "what"), [("tga", "Targa"), ("npy", "NumPy"), ("exr", "EXR")])
def test_other_formats_are_named(tmp_path, suffix, what):
    (tmp_path / f"0.{suffix}").write_bytes(b"x")
    with pytest.raises(InputError, match=f"holds no images.*{what}"):
        open_reader(tmp_path)


def test_several_sequences_in_a_folder_are_told(tmp_path):
    cities = ("aachen_000000", "bonn_000003")
    put(tmp_path, *(f"{city}_{n:06}_gtFine_labelIds.png" for city in cities for n in range(3)))
    with open_reader(tmp_path) as reader:
        assert reader.sequence_starts == {3}
        (remark,) = reader.info.remarks
    assert "2 sequences are read one after the other (aachen_000000, bonn_000003)" in remark
