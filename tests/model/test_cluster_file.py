"""Published cluster files: read whatever wrote them, and never run."""

import io
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from vidtrans.errors import ModelError
from vidtrans.model import Bundle, Card, read_bundle, read_folder, write_bundle, write_folder
from vidtrans.model.cluster_file import read_clusters, write_clusters

CENTRES = {
    7: np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3),
    26: np.asfortranarray(np.linspace(0, 1, 30).reshape(10, 3)),
    0: np.zeros((0, 3)),  # a class that no training picture held
}
STYLED = Card(
    name="styled",
    system="pix2pixhd",
    generator={"channels": 2, "downsamplings": 1, "blocks": 1, "feature_nc": 3},
    encoder={"channels": 2, "downsamplings": 1, "feature_nc": 3},
    styles={"7": [[0.5, -0.5, 0.25]], "26": [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]},
)


def save_as_published(path, content, protocol=3):
    """What numpy saves, with any of the pickle protocols that Pythons and numpys have used for
    it."""
    array = np.array(content, dtype=object)
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
        pickle.dump(array, file, protocol=protocol)
    return path


@pytest.mark.parametrize("protocol", range(5))
def test_a_pickled_dictionary_is_read_without_running_it(tmp_path, protocol):
    found = read_clusters(save_as_published(tmp_path / "c.npy", CENTRES, protocol))
    assert sorted(found) == [7, 26]
    for plane, centres in found.items():
        np.testing.assert_allclose(centres, CENTRES[plane], rtol=1e-6)


def test_numbers_of_numpy_as_keys_and_big_endian_arrays(tmp_path):
    found = read_clusters(
        save_as_published(tmp_path / "c.npy", {np.int64(26): CENTRES[7].astype(">f4")})
    )
    np.testing.assert_allclose(found[26], CENTRES[7])


def test_plain_arrays(tmp_path):
    np.savez(tmp_path / "c.npz", **{str(k): v for k, v in CENTRES.items()})
    assert {k: len(v) for k, v in read_clusters(tmp_path / "c.npz").items()} == {7: 4, 26: 10}
    table = np.full((35, 4, 3), np.nan)
    table[7] = CENTRES[7]
    table[8, :2] = 0.5
    np.save(tmp_path / "c.npy", table)
    assert {k: len(v) for k, v in read_clusters(tmp_path / "c.npy").items()} == {7: 4, 8: 2}


def test_what_we_write_is_what_the_published_code_loads(tmp_path):
    write_clusters(tmp_path / "c.npy", {26: CENTRES[26]})
    loaded = np.load(tmp_path / "c.npy", allow_pickle=True).item()
    np.testing.assert_allclose(loaded[26], CENTRES[26], rtol=1e-6)
    np.testing.assert_allclose(read_clusters(tmp_path / "c.npy")[26], CENTRES[26], rtol=1e-6)


class Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path, protocol):
    file = save_as_published(tmp_path / "evil.npy", {26: Runs(tmp_path / "ran")}, protocol)
    with pytest.raises(
        ModelError, match=r"evil\.npy: is refused: it holds .*nothing in a model file is run.*savez"
    ):
        read_clusters(file)
    assert not (tmp_path / "ran").exists()


def test_the_advice_of_the_refusal_works(tmp_path):
    """An object that is harmless, but more than arrays: the sentence says how to save it so that
    it can be read."""
    file = save_as_published(tmp_path / "FILE.npy", {26: CENTRES[7].astype("M8[s]")})
    with pytest.raises(ModelError) as caught:
        read_clusters(file)
    save_as_published(file, CENTRES)
    command = caught.value.hint.split('python -c "')[1].removesuffix('"')
    subprocess.run([sys.executable, "-c", command], cwd=tmp_path, check=True)
    assert sorted(read_clusters(tmp_path / "features_clustered_010.npz")) == [7, 26]


@pytest.mark.parametrize("keep", [0, 3, 60, 130, 200, -2])
def test_a_truncated_file(tmp_path, keep):
    file = save_as_published(tmp_path / "c.npy", CENTRES)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"c\.npy: is (refused|no whole file)"):
        read_clusters(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"car": CENTRES[7]}, "an entry called 'car'"),
        ({26: CENTRES[7][0]}, r"an array \[3\].*for class 26"),
        ([CENTRES[7]], "no dictionary"),
    ],
)
def test_a_file_of_something_else(tmp_path, content, said):
    with pytest.raises(ModelError, match=said):
        read_clusters(save_as_published(tmp_path / "c.npy", content))


def test_lies_about_sizes_are_refused(tmp_path):
    file = save_as_published(tmp_path / "c.npy", {26: np.zeros((4, 3), np.float32)})
    data = bytearray(file.read_bytes())
    place = data.index(b"K\x04K\x03\x86")  # the shape (4, 3)
    data[place + 1] = 200
    file.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="size is not its shape's"):
        read_clusters(file)


@pytest.mark.parametrize("rows", [1 << 40, 1 << 70])
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_claims_the_world_is_refused_before_memory_is_taken(tmp_path, rows, packed):
    header = io.BytesIO()
    npy.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (rows, 1, 3)}
    )
    path = tmp_path / "c.npz"
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("7.npy", header.getvalue() + bytes(12))
    else:
        path.write_bytes(header.getvalue() + bytes(12))
    with pytest.raises(ModelError, match="size is not its shape's"):
        read_clusters(path)


def test_packed_arrays_that_are_damaged_or_unfold_to_the_world(tmp_path):
    path = tmp_path / "c.npz"
    np.savez_compressed(path, **{"7": np.zeros((1 << 20, 3), np.float32)})
    with pytest.raises(ModelError, match="unfolds to more"):
        read_clusters(path)
    np.savez_compressed(path, **{"7": CENTRES[7]})
    for keep in (0.5, 0.95):
        data = path.read_bytes()
        (tmp_path / "cut.npz").write_bytes(data[: int(len(data) * keep)])
        with pytest.raises(ModelError, match="no whole file of cluster centres"):
            read_clusters(tmp_path / "cut.npz")
    damaged = bytearray(path.read_bytes())
    damaged[60] ^= 255
    path.write_bytes(bytes(damaged))
    with pytest.raises(ModelError, match="no whole file of cluster centres"):
        read_clusters(path)


def test_lists_within_lists_that_never_end_are_refused(tmp_path):
    bomb = []
    for _ in range(60):
        bomb = [bomb, bomb]
    with pytest.raises(ModelError, match="more values than any cluster file has"):
        read_clusters(save_as_published(tmp_path / "c.npy", {7: bomb}))


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        read_clusters(tmp_path / "c.npy")


# -- folders and bundles ---------------------------------------------------------------------------


@pytest.fixture
def styled(random_networks):
    return Bundle(STYLED, random_networks(STYLED).tensors(), where="styled")


def test_styles_travel_in_bundles(styled, tmp_path):
    write_bundle(tmp_path / "m.safetensors", styled.card, styled.tensors)
    assert read_bundle(tmp_path / "m.safetensors").card.styles == STYLED.styles


def test_styles_travel_in_published_folders(styled, tmp_path):
    files = write_folder(tmp_path / "folder", styled)
    assert "features_clustered_010.npy" in [file.name for file in files]
    found = read_folder(tmp_path / "folder")
    assert found.card.styles == STYLED.styles
    assert found.tensors.keys() == styled.tensors.keys()


def test_a_folder_without_its_encoder_still_has_styles(styled, tmp_path):
    write_folder(tmp_path / "folder", styled)
    (tmp_path / "folder" / "latest_net_E.pth").unlink()
    (tmp_path / "folder" / "opt.txt").unlink()
    found = read_folder(tmp_path / "folder")
    assert found.card.encoder is None
    assert found.card.generator["feature_nc"] == 3
    assert found.card.styles == STYLED.styles


def test_several_cluster_files_need_a_choice(styled, tmp_path):
    folder = tmp_path / "folder"
    write_folder(folder, styled)
    write_clusters(folder / "features_clustered_002.npy", {26: CENTRES[26]})
    with pytest.raises(ModelError, match="several files of cluster centres"):
        read_folder(folder)
    found = read_folder(folder, options={"cluster_path": "features_clustered_002.npy"})
    assert list(found.card.styles) == ["26"]


def test_styles_that_are_none_of_the_networks(styled, tmp_path):
    from vidtrans.model import build

    for styles, said in (
        ({"40": [[0.0, 0.0, 0.0]]}, "styles of class '40', and the network's classes are 0 to 34"),
        ({"26": [[0.0, 0.0]]}, "style 0 of class 26 is not the 3 finite numbers"),
        ({"26": [[0.0, 0.0, float("nan")]]}, "not the 3 finite numbers"),
    ):
        with pytest.raises(ModelError, match=said):
            build(STYLED.model_copy(update={"styles": styles}), styled.tensors, where="odd")
