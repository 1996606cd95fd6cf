"""Options of the systems: published names and defaults, and what is refused."""

import pytest
from vidtrans_training.options import (
    Pix2PixHDOptions,
    Pix2PixOptions,
    StreetOptions,
    Vid2VidOptions,
    parse_options,
)

from vidtrans.errors import UsageError


def test_published_defaults():
    pix2pix, hd, vid2vid = Pix2PixOptions(), Pix2PixHDOptions(), Vid2VidOptions()
    assert (pix2pix.netG, pix2pix.gan_mode, pix2pix.no_dropout) == ("unet_256", "vanilla", False)
    assert (hd.label_nc, hd.num_D, hd.n_downsample_E, hd.nef) == (35, 2, 4, 16)
    assert (vid2vid.label_nc, vid2vid.ngf, vid2vid.n_frames_G, vid2vid.niter_step) == (0, 128, 3, 5)
    assert StreetOptions().n_frames_G == 2


def test_texts_mean_what_opt_txt_means_by_them():
    options = parse_options("vid2vid", {"label_nc": "35", "fg": "True", "fg_labels": "[26, 24]"})
    assert options == Vid2VidOptions(label_nc=35, fg=True, fg_labels=(26, 24))


def test_older_names_of_pix2pix():
    assert parse_options("pix2pix", {"niter": 3, "niter_decay": 4}).epochs == 7


def test_options_of_data_and_display_are_passed_over():
    assert parse_options("pix2pixHD", {"gpu_ids": "0", "loadSize": 512}) == Pix2PixHDOptions()


@pytest.mark.parametrize(
    ("system", "options", "said"),
    [
        ("pix2pix", {"ngff": 4}, "ngf"),
        ("pix2pix", {"netG": "unet_100"}, "unet_128"),
        ("pix2pixhd", {"n_layer_D": 4}, "n_layers_D"),
        ("pix2pixhd", {"niter_fix_global": 2}, "netG is global"),
        ("pix2pixhd", {"instance_feat": True, "label_feat": True}, "exclude"),
        ("vid2vid", {"fg": True}, "label_nc is 0"),
        ("vid2vid", {"lr": -1}, "lr"),
        ("vid2vid", {"loss_weights": {"G_Wrap": 0}}, "G_Warp"),
        ("vid3vid", {}, "vid2vid"),
    ],
)
def test_a_wrong_option_is_refused_with_what_would_be_right(system, options, said):
    with pytest.raises(UsageError, match=said):
        parse_options(system, options)
