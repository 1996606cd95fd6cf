import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vidtrans.errors import ModelError, OutputError
from vidtrans.model import (
    Bundle,
    Card,
    build,
    find_bundle,
    list_bundles,
    read_bundle,
    read_card,
    write_bundle,
)


@pytest.fixture
def small(published_networks):
    networks = published_networks()
    return networks.card, networks.tensors()


def test_a_bundle_comes_back_as_it_was(small, tmp_path):
    card, tensors = small
    card = card.model_copy(
        update={"styles": {"26": [[0.1, -0.2]]}, "training_hw": (256, 512), "licence": "Apache-2.0"}
    )
    write_bundle(tmp_path / "m.safetensors", card, tensors)
    found = read_bundle(tmp_path / "m.safetensors")
    assert found.card == card == read_card(tmp_path / "m.safetensors")
    assert found.tensors.keys() == tensors.keys()
    assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)
    built = build(card.model_copy(update={"styles": {}}), found.tensors, where=found.where)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in built.tensors().items())
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_bundle_that_changes_on_the_disk_changes_no_model(small, tmp_path):
    path = tmp_path / "m.safetensors"
    write_bundle(path, *small)
    found = read_bundle(path)
    with path.open("r+b") as file:  # as cp does: the same file, other bytes
        file.seek(path.stat().st_size // 2)
        file.write(bytes(path.stat().st_size // 2))
    assert all(torch.equal(found.tensors[name], small[1][name]) for name in small[1])


def test_half_precision_storage_is_read_as_float32(small, tmp_path):
    card, tensors = small
    write_bundle(tmp_path / "whole.safetensors", card, tensors)
    write_bundle(tmp_path / "half.safetensors", card, tensors, storage=torch.float16)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.7 * (
        tmp_path / "whole.safetensors"
    ).stat().st_size
    found = read_bundle(tmp_path / "half.safetensors")
    for name, tensor in build(found.card, found.tensors, where="half").tensors().items():
        assert tensor.dtype == tensors[name].dtype
        torch.testing.assert_close(tensor, tensors[name], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("keep", [0, 5, 60, 3000, -1])
def test_a_truncated_file(small, tmp_path, keep):
    write_bundle(tmp_path / "m.safetensors", *small)
    whole = (tmp_path / "m.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:keep])
    with pytest.raises(ModelError, match=r"cut\.safetensors: is (empty|no model bundle|truncated)"):
        read_bundle(tmp_path / "cut.safetensors")


def test_a_header_that_claims_the_world_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    with pytest.raises(ModelError, match="no model bundle"):
        read_bundle(path)


def test_a_card_that_asks_for_the_world_is_refused_before_memory_is_taken(small, tmp_path):
    card, tensors = small
    greedy = card.model_copy(update={"generator": card.generator | {"channels": 1 << 40}})
    with pytest.raises(ModelError, match="channels is 1099511627776"):
        build(greedy, tensors, where="greedy")
    large = card.model_copy(
        update={"generator": card.generator | {"channels": 4096, "blocks": 64, "downsamplings": 8}}
    )
    with pytest.raises(ModelError, match="misshapen"):
        build(large, tensors, where="large")


def test_a_card_with_a_setting_that_nobody_knows(small):
    card, tensors = small
    odd = card.model_copy(update={"generator": card.generator | {"chanels": 4}})
    with pytest.raises(ModelError, match="'chanels' is no setting"):
        build(odd, tensors, where="odd")


def test_a_pickle_is_named_as_one_and_never_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "evil.safetensors").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelError, match=r"pickled checkpoint.*Import the folder"):
        read_bundle(tmp_path / "evil.safetensors")
    assert not (tmp_path / "ran").exists()


def test_a_text_file_and_a_missing_one(tmp_path):
    (tmp_path / "m.safetensors").write_text(
        "this is no model, but a letter of some length to somebody\n" * 20
    )
    with pytest.raises(ModelError, match="no model bundle"):
        read_bundle(tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match="No such file"):
        read_bundle(tmp_path / "nowhere.safetensors")


def test_other_safetensors_and_newer_bundles(tmp_path, small):
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="no model bundle of vidtrans"):
        read_bundle(tmp_path / "other.safetensors")
    save_file(
        {"x": torch.zeros(2)},
        tmp_path / "new.safetensors",
        {"format": "vidtrans-bundle", "format_version": "99"},
    )
    with pytest.raises(ModelError, match=r"format 99.*newer vidtrans"):
        read_bundle(tmp_path / "new.safetensors")
    metadata = {
        "format": "vidtrans-bundle",
        "format_version": "1",
        "system": json.dumps("cyclegan"),
        "generator": "{}",
    }
    save_file({"x": torch.zeros(2)}, tmp_path / "odd.safetensors", metadata)
    with pytest.raises(ModelError, match=r"unreadable card: system"):
        read_bundle(tmp_path / "odd.safetensors")


def test_an_unwritable_place_leaves_what_was_there(small, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_bundle(tmp_path / "no" / "m.safetensors", *small)
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(OutputError):
        write_bundle(tmp_path / "folder.safetensors", *small)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.safetensors"]


def test_tensors_that_do_not_fit_are_all_named(small):
    card, tensors = small
    tensors = dict(tensors)
    first, second, third = list(tensors)[:3]
    del tensors[first]
    tensors["G0.extra"] = torch.zeros(1, 2)
    tensors[third] = torch.zeros(7)
    with pytest.raises(ModelError) as caught:
        build(card, tensors, where="damaged")
    text = str(caught.value)
    layer = first.rpartition(".")[0]
    assert first == f"{layer}.weight"
    assert second == f"{layer}.bias"
    assert f"missing:\n    {layer}: weight {list(small[1][first].shape)}\n" in text
    assert "unexpected:\n    G0: extra [1, 2]\n" in text
    assert (
        f"misshapen:\n    {third.rpartition('.')[0]}: weight found [7], expected"
        f" {list(small[1][third].shape)}" in text
    )
    assert "1 missing, 1 unexpected, 1 misshapen" in text


def test_numbers_that_are_not_finite(small):
    card, tensors = small
    name = "G1.model_final_img.1.weight"
    broken = dict(tensors) | {name: torch.full_like(tensors[name], float("nan"))}
    with pytest.raises(ModelError, match=f"{name} holds numbers that are not finite"):
        build(card, broken, where="broken")


@pytest.mark.parametrize("kind", ["meta", "sparse"])
def test_tensors_without_numbers_of_their_own(small, kind):
    card, tensors = small
    name = "G1.model_final_img.1.weight"
    odd = tensors[name].to("meta") if kind == "meta" else tensors[name].to_sparse()
    with pytest.raises(ModelError, match=f"tensor {name} is no plain array of numbers"):
        build(card, dict(tensors) | {name: odd}, where="odd")


def test_the_list_of_models(small, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDTRANS_MODELS", str(tmp_path))
    write_bundle(tmp_path / "mine.safetensors", *small)
    (tmp_path / "broken.safetensors").write_bytes(b"xx")
    entries = {entry.name: entry for entry in list_bundles()}
    assert entries["mine"].card == small[0]
    assert not entries["mine"].embedded
    assert "no model bundle" in entries["broken"].problem
    assert find_bundle("mine") == tmp_path / "mine.safetensors"
    (tmp_path / "work" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    assert (
        find_bundle("mine") == tmp_path / "mine.safetensors"
    )  # and not a folder of pictures of that name
    (tmp_path / "work" / "mine" / "latest_net_G.pth").touch()
    assert find_bundle("mine") == Path("mine")
    with pytest.raises(ModelError, match="Did you mean mine"):
        find_bundle("mime")
    with pytest.raises(ModelError, match="does not exist"):
        find_bundle(tmp_path / "none.safetensors")


def test_bundle_is_a_value(small):
    card, tensors = small
    assert Bundle(card, tensors).where == ""
    with pytest.raises(ValueError, match="frozen"):
        card.name = "other"
    with pytest.raises(ValueError, match="Extra inputs"):
        Card(system="vid2vid", generator={}, colour="red")
