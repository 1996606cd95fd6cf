"""Published checkpoint folders: what is read off them, what is said when they do not fit, and
the way back."""

from itertools import pairwise

import pytest
import torch

import vidtrans
from vidtrans.errors import ModelError, OutputError, UsageError
from vidtrans.model import Bundle, Card, describe, flop_per_frame, read_folder, write_folder
from vidtrans.model.export import published_options

SINGLE = {
    "use_instance": False,
    "channels": 4,
    "downsamplings": 1,
    "blocks": 1,
    "stored": True,
    "channel_cap": 1024,
}
CARDS = {
    "vid2vid with a first-frame generator": Card(
        system="vid2vid",
        generator={
            "use_instance": True,
            "foreground": True,
            "foreground_labels": [24, 26],
            "channels": 4,
            "downsamplings": 3,
            "blocks": 3,
            "local_blocks": 2,
            "scales": 2,
            "n_frames": 4,
        },
        first=SINGLE | {"local_enhancers": 1, "local_blocks": 2},
        first_frames="single",
    ),
    "vid2vid without": Card(
        system="vid2vid",
        generator={
            "channels": 4,
            "downsamplings": 1,
            "blocks": 1,
            "norm": "instance",
            "flow": False,
        },
        first_frames="none",
    ),
    "vid2vid from pictures with boundaries": Card(
        system="vid2vid",
        generator={
            "label_nc": 0,
            "input_nc": 3,
            "use_instance": True,
            "channels": 4,
            "downsamplings": 1,
            "blocks": 1,
            "scales": 2,
            "local_blocks": 1,
        },
        first_frames="given",
        label_scheme=None,
    ),
    "pix2pixHD global": Card(
        system="pix2pixhd", generator={"channels": 4, "downsamplings": 2, "blocks": 2}
    ),
    "pix2pixHD with two enhancers and features": Card(
        system="pix2pixhd",
        generator={
            "channels": 2,
            "downsamplings": 1,
            "blocks": 1,
            "local_enhancers": 2,
            "local_blocks": 1,
            "feature_nc": 3,
            "norm": "batch",
            "stored": True,
        },
        encoder={"channels": 2, "downsamplings": 1},
    ),
    "pix2pix": Card(
        system="pix2pix", generator={"channels": 2, "downsamplings": 7}, label_scheme=None
    ),
    "pix2pix with instance norm": Card(
        system="pix2pix",
        generator={
            "channels": 2,
            "downsamplings": 5,
            "norm": "instance",
            "statistics": "frame",
            "stored": False,
        },
        label_scheme=None,
    ),
    "pix2pix with a ResNet": Card(
        system="pix2pix",
        generator={"kind": "resnet", "channels": 2, "blocks": 6, "dropout_layers": True},
        label_scheme=None,
    ),
}


@pytest.fixture(params=CARDS)
def bundle(request, random_networks):
    card = CARDS[request.param]
    return Bundle(card, random_networks(card).tensors(), where=request.param)


@pytest.fixture
def folder(random_networks, tmp_path):
    """A small vid2vid's folder, without opt.txt."""
    card = CARDS["vid2vid with a first-frame generator"]
    write_folder(tmp_path / "checkpoint", Bundle(card, random_networks(card).tensors()))
    (tmp_path / "checkpoint" / "opt.txt").unlink()
    return tmp_path / "checkpoint"


def test_import_after_export_gives_the_same_model(bundle, tmp_path):
    files = write_folder(tmp_path / "out", bundle)
    assert tmp_path / "out" / "opt.txt" in files
    found = read_folder(tmp_path / "out")
    assert found.card.system == bundle.card.system
    assert found.card.first_frames == bundle.card.first_frames
    assert found.tensors.keys() == bundle.tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in bundle.tensors.items())
    for name, value in bundle.card.generator.items():
        assert found.card.generator[name] == value, name


def test_the_tensors_alone_tell_the_rest(bundle, tmp_path):
    """Without opt.txt; foreground classes and first frames are all that shapes do not tell."""
    write_folder(tmp_path / "out", bundle)
    (tmp_path / "out" / "opt.txt").unlink()
    options = {}
    if bundle.card.system == "vid2vid":
        options = {"fg_labels": bundle.card.generator.get("foreground_labels", [26])}
        options["no_first_img"] = bundle.card.first_frames == "none"
        if bundle.card.generator.get("label_nc") == 0:
            options["label_nc"] = 0
    model = vidtrans.import_checkpoint(tmp_path / "out", options=options, device="cpu")
    for name, value in bundle.card.generator.items():
        assert model.card.generator[name] == value, name


def test_files_of_data_parallel_and_without_counters(folder):
    path = folder / "latest_net_G0.pth"
    tensors = torch.load(path, weights_only=True)
    torch.save(
        {f"module.{n}": t for n, t in tensors.items() if not n.endswith("num_batches_tracked")},
        path,
    )
    model = vidtrans.import_checkpoint(folder, device="cpu")
    assert torch.equal(
        model.networks.tensors()["G0.model_final_img.1.weight"], tensors["model_final_img.1.weight"]
    )


def test_an_unknown_option_names_the_nearest(folder):
    with pytest.raises(UsageError, match="Did you mean n_scales_spatial"):
        read_folder(folder, system="vid2vid", options={"n_scale_spatial": 2})
    with pytest.raises(UsageError, match=r"vid2vid option ngf: .* \(found 'many'\)"):
        read_folder(folder, system="vid2vid", options={"ngf": "many"})
    with pytest.raises(UsageError, match="no system called"):
        read_folder(folder, system="cyclegan")


def test_options_that_the_tensors_contradict(folder):
    with pytest.raises(
        ModelError,
        match=r"model_down_seg\.1: weight found \[4, 144, 7, 7\], expected \[8, 144, 7, 7\]; bias",
    ):
        vidtrans.import_checkpoint(folder, options={"ngf": 8}, device="cpu")
    with pytest.raises(
        ModelError,
        match=r"36 missing of 540\.(.|\n)*res_img\.1\.conv_block\.1: weight \[32, 32, 3, 3\]; bias",
    ):
        vidtrans.import_checkpoint(folder, options={"n_blocks": 4}, device="cpu")
    with pytest.raises(ModelError, match="unexpected"):
        vidtrans.import_checkpoint(folder, options={"fg": False}, device="cpu")
    with pytest.raises(ModelError, match="n_scales_spatial is 3, and there are 2 files"):
        read_folder(folder, options={"n_scales_spatial": 3})


def test_options_that_opt_txt_contradicts(folder):
    (folder / "opt.txt").write_text(
        "--- Options ---\nngf: 4   \t[default: 128]\nn_blocks: 3\nbatchSize: 1\nnetG: composite\n"
    )
    assert read_folder(folder).card.generator["channels"] == 4
    with pytest.raises(ModelError, match=r"opt\.txt: ngf is given as 8, and opt.txt says 4"):
        read_folder(folder, options={"ngf": 8})
    (folder / "opt.txt").write_text("ngf: 8\n")
    with pytest.raises(ModelError, match="misshapen"):
        vidtrans.import_checkpoint(folder, device="cpu")
    (folder / "opt.txt").write_text("norm: group\n")
    with pytest.raises(ModelError, match=r"opt\.txt: vid2vid option norm"):
        read_folder(folder)


def test_another_epoch_than_training_went_on_from(folder):
    for path in folder.glob("latest_net_*.pth"):
        path.rename(path.with_name(path.name.replace("latest", "20")))
    for text in ("latest", "10"):
        (folder / "opt.txt").write_text(f"which_epoch: {text}\n")
        for epoch in ("20", 20):  # a command line reads it as a number
            assert (
                read_folder(folder, options={"which_epoch": epoch}).card.generator["channels"] == 4
            )


def test_the_tensors_tell_a_picture_s_channels(random_networks, tmp_path):
    for n, generator in enumerate(({"use_instance": False}, {"use_instance": True})):
        small = {"label_nc": 0, "input_nc": 5, "channels": 2, "downsamplings": 2, "blocks": 1}
        card = Card(system="pix2pixhd", generator=small | generator, label_scheme=None)
        write_folder(tmp_path / str(n), Bundle(card, random_networks(card).tensors()))
        (tmp_path / str(n) / "opt.txt").unlink()
        options = {"label_nc": 0, "no_instance": not generator["use_instance"]}
        found = vidtrans.import_checkpoint(
            tmp_path / str(n), system="pix2pixHD", options=options, device="cpu"
        )
        assert found.card.generator["input_nc"] == 5


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ("pix2pix", "model.model.1.model.1.weight"),
        ("pix2pix", "model.model.1.model.3.model.3.model.1.weight"),
        ("vid2vid without", "model_down_seg.1.weight"),
        ("pix2pixHD global", "model.1.weight"),
    ],
)
def test_a_missing_tensor_is_named_even_where_it_tells_the_options(
    random_networks, tmp_path, card, name
):
    write_folder(tmp_path, Bundle(CARDS[card], random_networks(CARDS[card]).tensors()))
    (tmp_path / "opt.txt").unlink()
    (path,) = tmp_path.glob("*.pth")
    tensors = torch.load(path, weights_only=True)
    del tensors[name]
    torch.save(tensors, path)
    with pytest.raises(
        ModelError, match=rf"missing:\n(.*\n)*.*{name.removesuffix('.weight')}: weight \["
    ):
        vidtrans.import_checkpoint(tmp_path, device="cpu")


@pytest.mark.parametrize("scale", [0, 1])
def test_a_missing_scale(random_networks, tmp_path, scale):
    card = CARDS["vid2vid without"].model_copy(
        update={"generator": {"channels": 4, "scales": 3, "local_blocks": 1}}
    )
    write_folder(tmp_path, Bundle(card, random_networks(card).tensors()))
    (tmp_path / f"latest_net_G{scale}.pth").unlink()
    with pytest.raises(ModelError, match=rf"latest_net_G{scale}\.pth is missing"):
        read_folder(tmp_path)


def test_options_as_texts(folder):
    options = {
        "ngf": "4",
        "fg": "True",
        "fg_labels": "[24, 26]",
        "statistics": "None",
        "first_frames": "single",
    }
    found = read_folder(
        folder, system="vid2vid", options=options | {"single": "{'netG': 'local', 'ngf': 4}"}
    )
    assert found.card.generator["foreground_labels"] == [24, 26]
    assert found.card.first["channels"] == 4
    read_folder(folder, system="vid2vid", options=options | {"single": "None"})


def test_opt_txt_lists_of_classes(folder):
    for text in ("fg_labels: [24, 26]", "fg_labels: 24,26", "fg_labels: '24,26'"):
        (folder / "opt.txt").write_text(text + "\n")
        assert read_folder(folder).card.generator["foreground_labels"] == [24, 26]


def test_a_folder_of_another_system(folder, random_networks, tmp_path):
    with pytest.raises(ModelError, match=r"pix2pixhd needs latest_net_G\.pth.*a model of vid2vid"):
        read_folder(folder, system="pix2pixHD")
    card = CARDS["pix2pixHD global"]
    write_folder(tmp_path / "hd", Bundle(card, random_networks(card).tensors()))
    with pytest.raises(ModelError, match=r"vid2vid needs latest_net_G0\.pth"):
        read_folder(tmp_path / "hd", system="vid2vid")
    (tmp_path / "hd" / "opt.txt").unlink()
    with pytest.raises(ModelError, match="missing"):
        vidtrans.import_checkpoint(
            tmp_path / "hd", system="pix2pix", options={"netG": "unet_256"}, device="cpu"
        )
    card = CARDS["pix2pix"]
    write_folder(tmp_path / "unet", Bundle(card, random_networks(card).tensors()))
    with pytest.raises(ModelError, match="holds a model of pix2pix, and pix2pixhd was asked for"):
        read_folder(tmp_path / "unet", system="pix2pixHD")


def test_features_asked_of_a_generator_that_takes_none(random_networks, tmp_path):
    card = CARDS["pix2pixHD global"]
    write_folder(tmp_path / "hd", Bundle(card, random_networks(card).tensors()))
    (tmp_path / "hd" / "opt.txt").unlink()
    for more in ({}, {"label_nc": 35}, {"label_nc": 35, "no_instance": False}):
        with pytest.raises(ModelError, match="the generator takes none"):
            read_folder(tmp_path / "hd", options={"instance_feat": True} | more)


def test_export_keeps_what_the_published_options_cannot_say(random_networks, tmp_path):
    own = {"statistics": "frame", "dropout": True}
    card = CARDS["pix2pix"].model_copy(update={"generator": CARDS["pix2pix"].generator | own})
    write_folder(tmp_path / "out", Bundle(card, random_networks(card).tensors()))
    assert own.items() <= read_folder(tmp_path / "out").card.generator.items()


def test_places_without_checkpoints(tmp_path, folder):
    with pytest.raises(ModelError, match="does not exist"):
        read_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"holds no latest_net_G\.pth"):
        read_folder(tmp_path / "empty")
    with pytest.raises(ModelError, match="is a file"):
        read_folder(folder / "latest_net_G0.pth")
    with pytest.raises(ModelError, match="holds no 20_net"):
        read_folder(folder, options={"which_epoch": "20"})


def test_a_first_frame_generator_elsewhere_is_named_by_the_caller_alone(folder):
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (folder / "latest_net_G_single.pth").rename(elsewhere / "G.pth")
    single = {"file": "../elsewhere/G.pth"}
    assert read_folder(folder, options={"single": single}).card.first_frames == "single"
    (folder / "opt.txt").write_text(f"single: {single}\n")
    with pytest.raises(ModelError, match=r"a file's name in the folder was expected") as caught:
        read_folder(folder)
    assert caught.value.where == str(folder / "opt.txt")


def test_several_first_frame_generators_need_a_choice(folder):
    for name in ("512", "1024"):
        (folder / f"latest_net_G_{name}.pth").write_bytes(
            (folder / "latest_net_G_single.pth").read_bytes()
        )
    (folder / "latest_net_G_single.pth").unlink()
    with pytest.raises(ModelError, match="several single-image generators"):
        read_folder(folder)
    found = read_folder(folder, options={"single": {"file": "latest_net_G_512.pth"}})
    assert found.card.first["local_enhancers"] == 1
    with pytest.raises(ModelError, match=r"none\.pth"):
        read_folder(folder, options={"single": {"file": "none.pth"}})
    for name in ("512", "1024"):
        (folder / f"latest_net_G_{name}.pth").unlink()
    with pytest.raises(ModelError, match="is missing"):
        read_folder(folder, options={"first_frames": "single"})
    assert read_folder(folder).card.first_frames == "given"


def test_export_takes_care(folder, random_networks, tmp_path):
    bundle = read_folder(folder)
    with pytest.raises(OutputError, match="exist already"):
        write_folder(folder, bundle)
    write_folder(folder, bundle, overwrite=True)
    street = bundle.card.model_copy(update={"architecture": "street"})
    with pytest.raises(ModelError, match="'street'"):
        write_folder(tmp_path / "street", Bundle(street, bundle.tensors))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_folder(tmp_path / "file" / "sub", bundle)


def test_figures_of_a_model(folder, random_networks):
    bundle = read_folder(folder)
    figures = describe(bundle, size_hw=(64, 128))
    assert figures["system"] == "vid2vid"
    assert figures["parameters"] == sum(
        t.numel()
        for n, t in bundle.tensors.items()
        if not n.endswith(("running_mean", "running_var", "num_batches_tracked"))
    )
    networks = random_networks(CARDS["pix2pix"])
    # By hand: every 4x4 convolution costs 2 * 16 * in * out for each pixel of its smaller side.
    widths = [3, 2, 4, 8, 16, 16, 16, 16]
    down = sum(2 * 16 * a * b * (128 >> i + 1) ** 2 for i, (a, b) in enumerate(pairwise(widths)))
    up = sum(
        2 * 16 * b * (1 if i == 6 else 2) * a * (128 >> i + 1) ** 2
        for i, (a, b) in enumerate(pairwise(widths))
    )
    assert flop_per_frame(networks, (128, 128)) == down + up
    assert flop_per_frame(networks, (128, 256)) == 2 * (down + up)
    with pytest.raises(UsageError, match="multiples of 128"):
        flop_per_frame(networks, (100, 128))


def test_published_names_cover_the_card():
    options = published_options(CARDS["pix2pixHD with two enhancers and features"])
    assert options["netG"] == "local"
    assert options["instance_feat"] is True
    assert options["n_downsample_E"] == 1
