"""What a user names, as sequences: films, folders, Cityscapes' tree, patterns."""

import pytest

from vidtrans.batches.discovery import find
from vidtrans.errors import InputError


@pytest.fixture
def found():
    """``found(source)``: path under the input, and what is read, for each sequence."""
    notes = []

    def call(source, **more):
        notes.clear()
        return {each.path: each for each in find(str(source), skipped=notes.append, **more)}

    call.notes = notes
    return call


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


def test_films_mirror_their_tree(tmp_path, found):
    touch(tmp_path / "a", "one.mkv", "two.mp4", "notes.txt", ".hidden.mkv")
    touch(tmp_path / "b" / "c", "one.mkv")
    touch(tmp_path / ".out.parts", "000000.mkv")
    assert list(found(tmp_path)) == ["a/one", "a/two", "b/c/one"]
    assert found(tmp_path)["b/c/one"].source == str(tmp_path / "b" / "c" / "one.mkv")


def test_a_folder_for_each_sequence(tmp_path, found):
    for name in ("drive1", "drive2/front"):
        touch(tmp_path / name, "0001.png", "0002.png")
    sequences = found(tmp_path)
    assert list(sequences) == ["drive1", "drive2/front"]
    assert sequences["drive1"].source == str(tmp_path / "drive1")
    assert found(tmp_path / "drive1")["drive1"].weight == 2


def test_sequences_of_one_folder_are_divided_by_name(tmp_path, found):
    touch(tmp_path, "a_1.png", "a_2.png", "b_007.png", "b_008.png")
    sequences = found(tmp_path)
    assert {path: each.source for path, each in sequences.items()} == {
        "a": str(tmp_path / "a_%d.png"),
        "b": str(tmp_path / "b_%03d.png"),
    }


def test_a_pattern_of_discovery_reads_exactly_its_files(tmp_path, found):
    from vidtrans.media.naming import resolve

    touch(tmp_path, *(f"s{n}_{i:02d}.png" for n in range(3) for i in range(9, 12)))
    for path, each in found(tmp_path).items():
        (sequence,) = resolve(each.source)
        assert [file.name for file in sequence.files] == [
            f"{path}_{i:02d}.png" for i in (9, 10, 11)
        ]


def test_the_tree_of_cityscapes(tmp_path, found):
    """Sequences and stills, with instance maps beside them and photographs left out."""
    kinds = ("labelIds", "instanceIds", "color", "labelTrainIds")
    for frame in (10, 11, 12):
        touch(
            tmp_path / "gtFine" / "val" / "ulm",
            *(f"ulm_000001_{frame:06d}_gtFine_{kind}.png" for kind in kinds),
        )
    touch(
        tmp_path / "gtFine" / "val" / "bonn",
        *(f"bonn_{n:06d}_000019_gtFine_{kind}.png" for n in (0, 1) for kind in kinds),
    )
    touch(tmp_path / "leftImg8bit" / "val", "ulm_000001_000010_leftImg8bit.png")
    sequences = found(tmp_path)
    assert list(sequences) == [
        "gtFine/val/bonn/bonn_000000_000019",
        "gtFine/val/bonn/bonn_000001_000019",
        "gtFine/val/ulm",
    ]
    ulm = sequences["gtFine/val/ulm"]
    assert ulm.source.endswith("ulm_000001_%06d_gtFine_labelIds.png")
    assert ulm.instances.endswith("ulm_000001_%06d_gtFine_instanceIds.png")
    assert any("leftImg8bit" in note for note in found.notes)


def test_names_of_cityscapes_in_one_folder(tmp_path, found):
    touch(tmp_path, *(f"ulm_00000{s}_{f:06d}_gtFine_labelIds.png" for s in (1, 2) for f in (4, 5)))
    assert list(found(tmp_path)) == ["ulm_000001", "ulm_000002"]


def test_a_glob_takes_films_and_folders(tmp_path, found):
    touch(tmp_path / "x", "a.mkv")
    touch(tmp_path / "y" / "seq", "1.png", "2.png")
    touch(tmp_path / "z", "b.mkv")
    assert list(found(f"{tmp_path}/[xy]")) == ["x/a", "y/seq"]
    assert list(found(f"{tmp_path}/*/*.mkv")) == ["x/a", "z/b"]


def test_links_are_followed_and_loops_are_not(tmp_path, found):
    touch(tmp_path / "real", "a.mkv")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "data")
    assert list(found(tmp_path / "data")) == ["link/a"]


def test_the_output_is_not_searched(tmp_path, found):
    touch(tmp_path, "a.mkv")
    touch(tmp_path / "out", "a.mp4")
    assert list(found(tmp_path, outside=str(tmp_path / "out"))) == ["a"]


def test_several_kinds_of_image_are_left_out_and_named(tmp_path, found):
    touch(tmp_path, *(f"f_{n}_{kind}.png" for n in (1, 2) for kind in ("ids", "depth")))
    touch(tmp_path / "ok", "a.mkv")
    assert list(found(tmp_path)) == ["ok/a"]
    assert "several kinds of image (depth, ids)" in found.notes[0]


@pytest.mark.parametrize("name", ["nothing", "empty", "*.xyz"])
def test_nothing_to_convert(tmp_path, found, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"does not exist|holds no film|matches nothing"):
        found(tmp_path / name)
