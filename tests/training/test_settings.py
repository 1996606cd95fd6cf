"""A run's settings: what they mean, and what is refused before anything is loaded."""

import pytest
from vidtrans_training.settings import VERSION, parse_settings, read_settings, size_multiple

from vidtrans.errors import UsageError


def settings(system="vid2vid", data=None, options=None, **more):
    content = {"system": system, "data": {"root": "here"} | (data or {})} | more
    return parse_settings(content | {"options": options or {}})


@pytest.mark.parametrize("system", ["pix2pix", "pix2pixhd", "vid2vid", "street"])
def test_a_folder_is_all_that_must_be_said(system):
    found = settings(system)
    assert found.version == VERSION
    assert found.transform.system == system
    assert found.run.seed == 1


def test_sizes_and_kinds_are_the_published_ones():
    assert settings("pix2pix").transform.kind == "resize_and_crop"
    assert settings("pix2pix").transform.load_size == 286
    assert settings("pix2pixhd").transform.size_of((1024, 2048)) == (512, 1024)
    assert settings("vid2vid").transform.size_of((1024, 2048)) == (256, 512)


@pytest.mark.parametrize(
    ("system", "options", "multiple"),
    [
        ("pix2pix", {}, 256),
        ("pix2pix", {"netG": "unet_128"}, 128),
        ("pix2pix", {"netG": "resnet_9blocks"}, 4),
        ("pix2pixhd", {}, 16),
        ("pix2pixhd", {"netG": "local", "n_local_enhancers": 2}, 64),
        ("pix2pixhd", {"n_downsample_global": 2, "instance_feat": True}, 16),
        ("vid2vid", {"n_scales_spatial": 3}, 32),
        ("street", {}, 16),
    ],
)
def test_sides_are_multiples_that_the_network_takes(system, options, multiple):
    assert size_multiple(settings(system, options=options).options) == multiple


def test_what_the_data_must_give_follows_from_the_options():
    found = settings(options={"n_frames_D": 2, "n_scales_temporal": 3, "label_nc": 35})
    assert (found.distances, found.history, found.label_nc) == ((1, 2, 4), 2, 35)
    assert settings(options={"sparse_D": True}).distances == (1,)
    assert settings(options={"n_scales_temporal": 0}).distances == (1,)
    assert (settings("pix2pix").distances, settings("pix2pix").history) == ((), None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": {"rot": "x"}}, r"data\.rot: unknown key\. Did you mean root"),
        ({"dta": {}}, r"dta: unknown key\. Did you mean data"),
        ({"run": {"precison": "bf16"}}, r"run\.precison: unknown key.*precision"),
        ({"options": {"label_mc": 35}}, r"label_mc.*label_nc"),
        ({"options": {"loadSize": 512}}, r"options\.loadSize: .*data\.load_size"),
        ({"options": {"fp16": True}}, r"options\.fp16: .*run\.precision"),
        ({"data": {"root": "x", "load_size": 0}}, r"data\.load_size: .*greater than or equal to 1"),
        (
            {"data": {"root": "x", "load_size": 16}},
            "load_size is 16, the network takes 32 at least",
        ),
        ({"data": {"root": "x", "batch": 2}}, "learns from one sequence at a time"),
        ({"data": {"root": "x", "resize_or_crop": "scalewidth"}}, "scaleWidth"),
        ({"data": {"root": "x", "layout": "voc"}}, r"data\.layout: "),
        ({"data": {"root": "x", "world": {"streets": 2, "size": "wide"}}}, "WIDTHxHEIGHT"),
        ({"version": 2}, "version: the format 2 is newer than 1.*Update vidtrans"),
        ({"version": 2, "data": {"new": 1}}, "newer than 1"),
        ({"version": "one"}, "no version of the format"),
        ({"version": 0}, "no version of the format"),
        ({"system": "vid2vd"}, "system: "),
    ],
)
def test_what_cannot_be_meant_is_refused(content, message):
    with pytest.raises(UsageError, match=message):
        parse_settings({"system": "vid2vid", "data": {"root": "x"}} | content)


def test_crops_that_the_network_does_not_take_are_refused():
    with pytest.raises(UsageError, match=r"fine_size is 200.*Nearest: 256"):
        settings("pix2pix", {"fine_size": 200})


def test_a_file_is_read_with_its_paths_relative_to_it(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('system = "pix2pix"\n[data]\nroot = "pairs"\n[run]\nvgg = "../vgg19.pth"\n')
    found = read_settings(path)
    assert found.data.root == tmp_path / "pairs"
    assert found.run.vgg == tmp_path.parent / "vgg19.pth"
    with pytest.raises(UsageError, match=r"run\.toml: these are settings of pix2pix, not of vid2v"):
        read_settings(path, system="vid2vid")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"system = ", "not valid TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "not valid TOML"),
        (b'system = "pix2pix"\n[data]\nroot = "x"\nphase = 3', r"data\.phase"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_settings(path)
    assert str(caught.value).startswith(str(path))
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(tmp_path / "none.toml")
