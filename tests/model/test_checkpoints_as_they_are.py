"""Published folders as people have them: imported, or refused with what they are."""

from __future__ import annotations

import tarfile

import pytest
import torch

from vidtrans.errors import ModelError
from vidtrans.model import Bundle, Card, read_folder, write_folder
from vidtrans.model.networks import empty


def folder(path, content, name="latest_net_G.pth"):
    path.mkdir()
    torch.save(content, path / name)
    return path


SPADE = {"fc.weight": torch.zeros(4, 4, 3, 3), "head_0.conv_0.weight_orig": torch.zeros(4, 4, 3, 3)}


def test_the_first_frame_generator_in_the_sibling_folder(tmp_path):
    card = Card(
        system="vid2vid",
        generator={"channels": 4, "downsamplings": 2, "blocks": 2},
        first={
            "use_instance": False,
            "channels": 4,
            "downsamplings": 1,
            "blocks": 1,
            "stored": True,
            "channel_cap": 1024,
            "local_enhancers": 0,
        },
        first_frames="single",
    )
    main, single = tmp_path / "label2city_1024_g1", tmp_path / "label2city_single"
    write_folder(main, Bundle(card, empty(card, "x").tensors()))
    (main / "opt.txt").unlink()
    single.mkdir()
    (main / "latest_net_G_single.pth").rename(single / "latest_net_G_1024.pth")
    torch.save({"model.1.weight": torch.zeros(1)}, single / "latest_net_G_512.pth")
    found = read_folder(main)
    assert found.card.first_frames == "single"
    assert any(name.startswith("first.") for name in found.tensors)


def test_a_wrapped_dictionary_is_read_as_the_network_in_it(tmp_path):
    card = Card(system="pix2pixhd", generator={"channels": 4, "downsamplings": 1, "blocks": 1})
    plain = tmp_path / "plain"
    write_folder(plain, Bundle(card, empty(card, "x").tensors()))
    inner = torch.load(plain / "latest_net_G.pth")
    torch.save({"state_dict": inner, "epoch": 3}, plain / "latest_net_G.pth")
    assert set(read_folder(plain).tensors) == {f"G.{name}" for name in inner}


def test_an_encoder_of_an_earlier_version_is_named(tmp_path):
    card = Card(
        system="pix2pixhd",
        generator={"channels": 4, "downsamplings": 1, "blocks": 1, "feature_nc": 3},
        encoder={"channels": 4, "downsamplings": 4},
    )
    made = tmp_path / "ck"
    write_folder(made, Bundle(card, empty(card, "x").tensors()))
    file = made / "latest_net_E.pth"
    old = {k.replace("model.29.", "model.28."): v for k, v in torch.load(file).items()}
    torch.save(old, file)
    with pytest.raises(ModelError, match="earlier pix2pixHD"):
        read_folder(made)


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (SPADE, "latest_net_G.pth", "SPADE"),
        (
            {"net_G": SPADE, "opt_G": {}},
            "epoch_00200_iteration_000005800_checkpoint.pt",
            "imaginaire",
        ),
        ({"net_G": SPADE, "opt_G": {}}, "latest_net_G.pth", "SPADE"),
    ],
)
def test_other_systems_are_named(tmp_path, content, name, said):
    with pytest.raises(ModelError, match=said):
        read_folder(folder(tmp_path / "ck", content, name))


def test_files_that_are_no_checkpoints_are_named(tmp_path):
    made = folder(tmp_path / "ck", {"model.1.weight": torch.zeros(4, 3, 7, 7)})
    file = made / "latest_net_G.pth"
    with tarfile.open(tmp_path / "packed", "w:gz") as archive:
        archive.add(file, "latest_net_G.pth")
    file.write_bytes((tmp_path / "packed").read_bytes())
    with pytest.raises(ModelError, match=r"gzip.*Unpack"):
        read_folder(made)
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n")
    with pytest.raises(ModelError, match=r"Git LFS pointer.*git lfs pull"):
        read_folder(made)
