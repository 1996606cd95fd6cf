import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from vidtrans.errors import ModelError
from vidtrans.model.pth_file import read_pth

TENSORS = {"model.1.weight": torch.arange(6.0).reshape(2, 3), "model.1.bias": torch.zeros(2)}


def assert_same(found):
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


def test_zip_and_old_files(tmp_path):
    torch.save(TENSORS, tmp_path / "new.pth")
    torch.save(TENSORS, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_same(read_pth(tmp_path / "new.pth"))
    assert_same(read_pth(tmp_path / "old.pth"))


def test_data_parallel_names(tmp_path):
    torch.save({f"module.{name}": tensor for name, tensor in TENSORS.items()}, tmp_path / "m.pth")
    assert_same(read_pth(tmp_path / "m.pth"))


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("kind", ["zip", "old", "plain"])
def test_a_pickle_that_would_run_code_does_not(tmp_path, kind):
    file, mark = tmp_path / "evil.pth", tmp_path / "ran"
    content = {"model.1.weight": Evil(mark)}
    if kind == "plain":
        file.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(ModelError, match="refused") as caught:
        read_pth(file)
    assert not mark.exists()
    assert ("mkdir" if kind != "plain" else "more than tensors") in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_whole_network_is_refused(tmp_path):
    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"refused.*state_dict"):
        read_pth(tmp_path / "net.pth")


@pytest.mark.parametrize("old", [False, True])
def test_numpy_values_beside_a_network_are_left_out(tmp_path, old):
    state = {
        "state_dict": TENSORS,
        "best": np.float64(0.5),
        "epoch": np.int64(3),
        "curve": np.arange(4),
        "name": np.str_("street"),
        "objects": np.array([Evil(tmp_path / "ran")], dtype=object)[:0],
    }
    torch.save(state, tmp_path / "m.pth", _use_new_zipfile_serialization=not old)
    assert_same(read_pth(tmp_path / "m.pth"))
    torch.save({"best": np.float64(0.5)}, tmp_path / "m.pth")
    with pytest.raises(ModelError, match=r"'best': NumpyValue, and only named tensors"):
        read_pth(tmp_path / "m.pth")
    # An array of objects may hold anything: what would run code is refused in it too.
    state["objects"] = np.array([Evil(tmp_path / "ran")], dtype=object)
    torch.save(state, tmp_path / "m.pth")
    with pytest.raises(ModelError, match="mkdir"):
        read_pth(tmp_path / "m.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files(tmp_path, old, keep):
    torch.save(
        {"w": torch.rand(64, 64)}, tmp_path / "m.pth", _use_new_zipfile_serialization=not old
    )
    whole = (tmp_path / "m.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(ModelError, match=r"cut\.pth"):
        read_pth(tmp_path / "cut.pth")


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"a": 3}, {1: torch.zeros(1)}, {"state_dict": {"w": 1}}]
)
def test_other_contents(tmp_path, content):
    torch.save(content, tmp_path / "m.pth")
    with pytest.raises(ModelError, match="named tensors"):
        read_pth(tmp_path / "m.pth")


def test_a_text_file_and_a_missing_one(tmp_path):
    (tmp_path / "m.pth").write_text("hello\n" * 10)
    with pytest.raises(ModelError, match=r"m\.pth"):
        read_pth(tmp_path / "m.pth")
    with pytest.raises(ModelError, match="No such file"):
        read_pth(tmp_path / "none.pth")


def test_a_compressed_archive_is_refused(tmp_path):
    torch.save({"w": torch.zeros(1 << 16)}, tmp_path / "m.pth")
    with (
        zipfile.ZipFile(tmp_path / "m.pth") as archive,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", 8) as bomb,
    ):
        for entry in archive.infolist():
            bomb.writestr(entry.filename, archive.read(entry))
    with pytest.raises(ModelError, match="compressed"):
        read_pth(tmp_path / "bomb.pth")


def test_a_directory_of_names_that_are_no_utf8_is_damage(tmp_path):
    path = tmp_path / "latest_net_G.pth"
    torch.save({"a": torch.zeros(2)}, path)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 9] |= 8  # the flag of UTF-8 names
    data[data.rindex(b"PK\x01\x02") + 50] = 0xFF
    path.write_bytes(data)
    with pytest.raises(ModelError, match="truncated or damaged"):
        read_pth(path)
