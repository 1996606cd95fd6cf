"""Runs of published checkpoints with options that no reference case has: what is trained, at which
rate, how far gradients reach, and what is left alone."""

import numpy as np
import pytest
import torch
from vidtrans_training import import_run
from vidtrans_training.options import parse_options
from vidtrans_training.systems.build import build_system

from vidtrans.errors import ModelError, UsageError

pytestmark = pytest.mark.usefixtures("one_thread")

PIX2PIX = {"netG": "unet_32", "ngf": 2, "ndf": 2, "no_dropout": True}
PIX2PIXHD = {
    "ngf": 2,
    "ndf": 2,
    "n_downsample_global": 1,
    "n_blocks_global": 1,
    "num_D": 1,
    "nef": 2,
    "n_downsample_E": 1,
    "no_vgg_loss": True,
}
VID2VID = {
    "label_nc": 3,
    "ngf": 4,
    "ndf": 2,
    "n_downsample_G": 1,
    "n_blocks": 2,
    "n_blocks_local": 1,
    "num_D": 1,
    "n_scales_temporal": 1,
    "no_vgg": True,
    "max_frames_per_gpu": 4,
}


@pytest.fixture
def run_of(tmp_path):
    """A run of freshly drawn networks, by system and options."""

    def build(system, **options):
        torch.manual_seed(0)
        built = build_system(parse_options(system, options), torch.device("cpu"))
        for name, network in built.networks.items():
            torch.save(network.state_dict(), tmp_path / f"latest_net_{name}.pth")
        return import_run(tmp_path, system=system, options=options)

    return build


def inputs(frames: int, size: int = 16, **more) -> dict[str, np.ndarray]:
    """Random pictures, labels below 3, two instances, flow and trust."""
    rng = np.random.default_rng(0)
    shape = (frames, size, size)
    return {
        "real": rng.uniform(-1, 1, (frames, 3, size, size)).astype(np.float32),
        "images": rng.uniform(-1, 1, (frames, 3, size, size)).astype(np.float32),
        "labels": rng.integers(0, 3, shape).astype(np.uint8),
        "instances": rng.integers(0, 2, shape).astype(np.uint16) * 40000,
        "flow_1": rng.normal(0, 1, (frames, 2, size, size)).astype(np.float32),
        "confidence_1": rng.integers(0, 2, (frames, 1, size, size)).astype(np.uint8),
    } | more


def rates(run) -> dict[str, float]:
    optimisers = run.system.optimisers
    return {name: own.param_groups[0]["lr"] for name, own in optimisers.items()}


@pytest.mark.parametrize(
    ("system", "options", "frames"),
    [
        ("pix2pix", PIX2PIX | {"pool_size": 1}, 1),
        ("pix2pixhd", PIX2PIXHD | {"instance_feat": True, "norm": "batch"}, 1),
        ("vid2vid", VID2VID | {"sparse_D": True}, 7),
    ],
)
def test_measuring_changes_nothing(system, options, frames, run_of):
    run, given = run_of(system, **options), inputs(frames, 32)
    run.step(given)
    before, losses = run.state_dicts(), run.losses(given)
    random = torch.get_rng_state()
    run.gradients(given)
    run.outputs(given)
    assert run.losses(given) == losses
    assert torch.equal(torch.get_rng_state(), random)
    after = run.state_dicts()
    assert all(torch.equal(after[f][n], before[f][n]) for f in before for n in before[f])
    if system == "pix2pix":
        assert len(run.system.pool.pairs) == 1


def test_dropout_is_active_while_pix2pix_trains(run_of):
    run = run_of("pix2pix", **PIX2PIX | {"netG": "unet_64", "no_dropout": False})
    given = inputs(1, 64)
    torch.manual_seed(1)
    one = run.outputs(given)["fake"]
    torch.manual_seed(2)
    assert not torch.equal(run.outputs(given)["fake"], one)


def test_switched_off_losses_leave_the_published_names(run_of):
    run = run_of("pix2pixhd", **PIX2PIXHD | {"no_ganFeat_loss": True, "no_lsgan": True})
    assert set(run.losses(inputs(1))) == {"G_GAN", "D_real", "D_fake"}
    assert "layer0.0.weight" in run.state_dicts()["latest_net_D.pth"]
    # An untrained discriminator's logits are near 0, where the log loss is log 2.
    assert run.losses(inputs(1))["D_real"] == pytest.approx(np.log(2), abs=0.1)


def test_ready_made_features_train_no_encoder(run_of):
    run = run_of("pix2pixhd", **PIX2PIXHD | {"instance_feat": True, "load_features": True})
    features = np.zeros((1, 3, 16, 16), np.float32)
    assert set(run.gradients(inputs(1, features=features))) == {
        "latest_net_G.pth",
        "latest_net_D.pth",
    }
    others = features.copy()
    others[..., :8] = 1
    found = run.losses(inputs(1, features=others))
    assert found["G_GAN"] != run.losses(inputs(1, features=features))["G_GAN"]


def test_the_global_part_is_fixed_then_released_and_really_trained(run_of):
    options = {"netG": "local", "niter_fix_global": 1, "niter": 1, "niter_decay": 2}
    run, given = run_of("pix2pixhd", **PIX2PIXHD | options), inputs(1)
    start = run.state_dicts()["latest_net_G.pth"]
    run.step(given)
    fixed = run.state_dicts()["latest_net_G.pth"]
    moved = {name for name in start if not torch.equal(fixed[name], start[name])}
    assert moved
    assert all(name.startswith("model1_") for name in moved)
    run.end_epoch()
    run.step(given)
    released = run.state_dicts()["latest_net_G.pth"]
    assert not torch.equal(released["model.1.weight"], fixed["model.1.weight"])
    run.end_epoch()
    assert rates(run) == {"G": 1e-4, "D": 1e-4}


def test_the_finest_scale_is_trained_alone_at_first(run_of):
    options = {"n_scales_spatial": 2, "niter_fix_global": 1, "niter": 9}
    run, given = run_of("vid2vid", **VID2VID | options), inputs(6)
    assert "latest_net_G0.pth" not in run.gradients(given)
    run.end_epoch()
    coarse = run.gradients(given)["latest_net_G0.pth"]
    assert coarse["model_down_seg.1.weight"].norm() > 0
    # Its own head has no loss, and no gradient passes through the history.
    assert coarse["model_final_img.1.weight"].norm() == 0


def test_gradients_reach_through_as_many_frames_as_the_schedule_says(run_of):
    options = {"max_frames_backpropagate": 4, "niter_step": 1, "niter": 9}
    run, given = run_of("vid2vid", **VID2VID | options), inputs(6)
    one = run.gradients(given)["latest_net_G0.pth"]["model_final_img.1.weight"]
    assert run.system.n_frames_bp == 1
    run.end_epoch()
    assert run.system.n_frames_bp == 2
    run.end_epoch()
    assert run.system.n_frames_bp == 4
    four = run.gradients(given)["latest_net_G0.pth"]["model_final_img.1.weight"]
    assert not torch.allclose(one, four, rtol=1e-3)
    assert run.losses(given)["G_GAN"] > 0


def test_chunks_and_sequences_grow(run_of):
    options = {"n_frames_total": 2, "niter_step": 2, "max_frames_per_gpu": 7}
    system = run_of("vid2vid", **VID2VID | options).system
    assert [system.chunk_frames(epoch) for epoch in (0, 1, 2, 4, 9)] == [2, 2, 4, 7, 7]
    assert [system.sequence_frames(epoch, 50) for epoch in (0, 2, 4, 30)] == [2, 4, 8, 48]
    assert system.sequence_frames(60, 500) == 128 - 2


def test_two_time_scales(run_of):
    run = run_of("vid2vid", **VID2VID | {"TTUR": True, "niter": 1, "niter_decay": 4})
    assert rates(run) == {"G": 1e-4, "D": 4e-4, "D_T0": 2e-4}
    betas = {n: own.param_groups[0]["betas"] for n, own in run.system.optimisers.items()}
    assert betas == {"G": (0.0, 0.9), "D": (0.0, 0.9), "D_T0": (0.5, 0.999)}
    run.end_epoch()
    run.end_epoch()
    assert rates(run) == pytest.approx({"G": 1.5e-4, "D": 1.5e-4, "D_T0": 2e-4})


def test_gan_mode_has_no_effect_in_vid2vid_and_gan_has(run_of):
    given = inputs(6)
    plain = run_of("vid2vid", **VID2VID).losses(given)
    assert run_of("vid2vid", **VID2VID | {"gan_mode": "hinge"}).losses(given) == plain
    hinge = run_of("vid2vid", **VID2VID | {"gan": "hinge"}).losses(given)
    assert hinge["D_real"] != plain["D_real"]
    assert hinge["F_Flow"] == plain["F_Flow"]


def test_without_flow_its_losses_are_zero(run_of):
    losses = run_of("vid2vid", **VID2VID | {"no_flow": True}).losses(inputs(6))
    assert losses["F_Flow"] == losses["F_Warp"] == losses["W"] == 0
    assert losses["G_Warp"] > 0


def test_a_loss_is_switched_off_by_its_weight(run_of):
    weights = {"G_GAN": 0.0, "G_GAN_Feat": 0.0}
    run = run_of("pix2pixhd", **PIX2PIXHD | {"loss_weights": weights})
    gradients = run.gradients(inputs(1))
    assert all(not g.any() for g in gradients["latest_net_G.pth"].values())
    assert any(g.any() for g in gradients["latest_net_D.pth"].values())
    assert run.losses(inputs(1))["G_GAN"] > 0  # still reported


def test_pictures_in_place_of_labels(run_of):
    run = run_of("vid2vid", **VID2VID | {"label_nc": 0})
    assert run.outputs(inputs(5))["fake"].shape == (3, 3, 16, 16)


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [("step", [0.1, 0.01]), ("linear", [1.0, 0.75]), ("cosine", [0.5, 0.0])],
)
def test_policies_of_pix2pix(policy, wanted, run_of):
    options = {"lr_policy": policy, "lr_decay_iters": 1, "n_epochs": 2, "n_epochs_decay": 3}
    run = run_of("pix2pix", **PIX2PIX | options)
    for share in wanted:
        run.end_epoch()
        assert rates(run)["G"] == pytest.approx(2e-4 * share, abs=1e-12)


def test_a_plateau_is_waited_for(run_of):
    run = run_of("pix2pix", **PIX2PIX | {"lr_policy": "plateau"})
    found = []
    for _ in range(7):
        run.end_epoch()
        found.append(rates(run)["G"])
    assert found == pytest.approx([2e-4] * 6 + [4e-5])


def test_what_is_refused(run_of, tmp_path):
    run = run_of("pix2pix", **PIX2PIX)
    with pytest.raises(UsageError, match="no input 'label'"):
        run.losses({"label": np.zeros(1), "real": np.zeros((1, 3, 8, 8))})
    with pytest.raises(UsageError, match="lack real"):
        run.losses({"images": np.zeros((1, 3, 8, 8))})
    with pytest.raises(UsageError, match="do not fit one another"):
        run.losses({"images": np.zeros((1, 3, 8, 4)), "real": np.zeros((1, 3, 8, 8))})
    with pytest.raises(UsageError, match="ngf"):
        import_run(tmp_path, system="pix2pix", options={"nfg": 3})
    with pytest.raises(ModelError, match="do not fit the network"):
        import_run(tmp_path, system="pix2pix", options=PIX2PIX | {"ngf": 4})
    (tmp_path / "latest_net_G.pth").unlink()
    with pytest.raises(ModelError, match=r"latest_net_G\.pth"):
        import_run(tmp_path, system="pix2pix", options=PIX2PIX)
    with pytest.raises(ModelError, match="epoch_net_G"):
        import_run(tmp_path, system="pix2pix", options=PIX2PIX | {"which_epoch": "epoch"})
