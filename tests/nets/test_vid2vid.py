import pytest
import torch

from vidtrans.nets.painting import Conditioning, push
from vidtrans.nets.vid2vid import Vid2Vid, Vid2VidConfig


def window(frames=3, size=(32, 48)):
    generator = torch.Generator().manual_seed(3)
    ids = torch.tensor([7, 11, 26])[torch.randint(3, (1, frames, *size), generator=generator)].to(
        torch.uint8
    )
    return Conditioning(ids=ids, boundary=torch.rand((1, frames, *size), generator=generator) < 0.1)


def history(frames=3, scales=2, size=(32, 48)):
    generator = torch.Generator().manual_seed(4)
    return tuple(
        torch.rand((1, 3 * (frames - 1), size[0] // 2**s, size[1] // 2**s), generator=generator) * 2
        - 1
        for s in reversed(range(scales))
    )


def biases(network, part, value):
    """Silence a head's weights, so that its output is its bias alone."""
    for name, parameter in network.named_parameters():
        if part in name:
            parameter.data.fill_(value if name.endswith("bias") else 0.0)


def test_weight_zero_and_no_flow_carries_the_last_picture_over(published_networks):
    network = published_networks(foreground=False).generator
    biases(network, "model_final_flow", 0.0)
    biases(network, "model_final_w", -200.0)
    past = history()
    painting = network(window(), past)
    assert torch.equal(painting.weight, torch.zeros_like(painting.weight))
    assert torch.equal(painting.picture, past[-1][:, -3:])
    assert not torch.equal(painting.raw, painting.picture)


def test_weight_one_paints_anew(published_networks):
    network = published_networks(foreground=False).generator
    biases(network, "model_final_w", 200.0)
    painting = network(window(), history())
    assert torch.equal(painting.picture, painting.raw)


def test_each_scale_scales_its_flow(published_networks):
    network = published_networks(foreground=False, scales=3).generator
    biases(network, "model_final_flow", 0.1)
    assert network(window(), history(scales=3)).flow.unique().tolist() == pytest.approx(
        [0.1 * 20 * 4]
    )


def test_the_foreground_covers_its_classes_alone(published_networks):
    network = published_networks(foreground_labels=[26]).generator
    biases(network, "indv_final", 0.5)
    conditioning = window()
    painting = network(conditioning, history())
    cars = (conditioning.ids[:, -1:] == 26).expand(-1, 3, -1, -1)
    assert painting.picture[cars].unique().tolist() == pytest.approx(
        [torch.tanh(torch.tensor(0.5)).item()]
    )
    assert torch.equal(painting.raw[cars], painting.picture[cars])
    elsewhere = painting.weight * painting.raw + (1 - painting.weight) * painting.warped
    torch.testing.assert_close(painting.picture[~cars], elsewhere[~cars])


def test_without_a_history_everything_is_raw(published_networks):
    network = published_networks().generator
    painting = network(window(), None)
    assert torch.equal(painting.picture, painting.raw)
    assert [tuple(scale.shape[-2:]) for scale in painting.scales] == [(16, 24), (32, 48)]
    assert painting.scales[-1] is painting.picture


def test_no_flow_has_no_motion(published_networks):
    painting = published_networks(flow=False).generator(window(), history())
    assert painting.flow is None
    assert painting.weight is None
    assert painting.warped is None


@pytest.mark.parametrize("frames", [2, 4])
def test_other_window_lengths(published_networks, frames):
    network = published_networks(n_frames=frames).generator
    past = history(frames)
    painting = network(window(frames), past)
    pushed = push(past, painting)
    assert [h.shape for h in pushed] == [h.shape for h in past]
    assert torch.equal(pushed[-1][:, -3:], painting.picture)
    assert torch.equal(pushed[-1][:, :-3], past[-1][:, 3:])


def test_the_newest_frame_and_the_newest_picture_are_the_last(published_networks):
    """The order is oldest first: changing the oldest frame matters less than nothing to the mask
    of the newest."""
    network = published_networks().generator
    conditioning = window()
    other = conditioning.ids.clone()
    other[:, 0] = 26
    changed = network(Conditioning(ids=other, boundary=conditioning.boundary), history())
    assert torch.equal(changed.foreground_mask, network(conditioning, history()).foreground_mask)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        Vid2Vid(Vid2VidConfig(n_frames=1, channels=4))
    with pytest.raises(ValueError, match="foreground"):
        Vid2Vid(Vid2VidConfig(label_nc=0, foreground=True, channels=4))


def test_half_precision_stays_near(published_networks):
    network = published_networks().generator
    exact = network(window(), history()).picture
    with torch.autocast("cpu", dtype=torch.bfloat16):
        near = network(window(), history()).picture
    assert near.dtype == torch.float32
    assert (near - exact).abs().mean() < 0.05
    assert (near - exact).abs().mean() > 0


def test_gradients_reach_every_weight(published_networks):
    network = published_networks().generator.requires_grad_(True)
    painting = network(window(), history())
    (
        painting.scales[0].sum() + painting.picture.sum() + painting.flow.sum() + painting.raw.sum()
    ).backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None]
    assert idle == []
