"""What networks keep between frames must serve training too, whoever asks first."""

import pytest
import torch

from vidtrans.model.street_classes import street_classes
from vidtrans.nets.constants import constant, kept
from vidtrans.nets.painting import Conditioning, SceneMeasurements
from vidtrans.nets.pix2pix import Pix2PixConfig, UNet
from vidtrans.nets.pix2pixhd import Encoder, EncoderConfig, Pix2PixHD, Pix2PixHDConfig
from vidtrans.nets.resnet import Resnet, ResnetConfig
from vidtrans.nets.street import StreetConfig, StreetGenerator
from vidtrans.nets.vid2vid import Vid2Vid, Vid2VidConfig
from vidtrans.nets.viewport import Viewport


def test_a_result_is_made_once_and_can_be_trained_with():
    made = []

    @kept(maxsize=4)
    def ramp(length: int) -> torch.Tensor:
        made.append(length)
        return torch.arange(float(length))

    with torch.inference_mode():
        first = ramp(3)
    assert ramp(3) is first
    assert made == [3]
    assert not first.is_inference()
    weight = torch.ones(3, requires_grad=True)
    (weight * first).sum().backward()
    assert weight.grad.tolist() == [0, 1, 2]


def test_constants_are_kept_by_value_device_and_type():
    cpu = torch.device("cpu")
    assert constant((1, 2), cpu, torch.int64) is constant((1, 2), cpu, torch.int64)
    assert constant((1, 2), cpu, torch.int64).dtype == torch.int64
    assert constant((1.5,), cpu).tolist() == [1.5]


def labels(frames: int, size: tuple[int, int] = (64, 96), **more) -> Conditioning:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 35, (1, frames, *size), generator=generator, dtype=torch.uint8)
    return Conditioning(ids, ids > 30, present=(tuple(range(35)),) * frames, **more)


def image(size: tuple[int, int] = (64, 96), **more) -> Conditioning:
    return Conditioning(image=torch.zeros(1, 1, 3, *size), **more)


def past(scales: int, frames: int) -> tuple[torch.Tensor, ...]:
    return tuple(
        torch.rand(1, 3 * (frames - 1), 64 // 2**s, 96 // 2**s) for s in reversed(range(scales))
    )


STREET = StreetConfig(fg_labels=(26,), channels=(4, 8, 8, 8), blocks=(1, 1, 1, 1, 1), feature_nc=3)
STYLES = {"features": torch.zeros(1, 3, 64, 96)}
# Numbers that no other test uses, so that nothing is kept of them yet.
CROP = Viewport((136, 200), (64, 96), ((8, 4),))
MEASURED = SceneMeasurements(
    torch.zeros(1, 4, 16, 24, dtype=torch.uint8), torch.tensor([[1.0, 9.0, 7.0]])
)
VID2VID = Vid2VidConfig(
    use_instance=True,
    foreground=True,
    foreground_labels=(26,),
    channels=4,
    downsamplings=1,
    blocks=1,
    local_blocks=1,
    scales=2,
)
CASES = {
    "street": (lambda: StreetGenerator(STREET, street_classes()), labels(2, **STYLES), past(1, 2)),
    "street, first frame": (
        lambda: StreetGenerator(STREET, street_classes()),
        labels(2, **STYLES),
        None,
    ),
    "street, padded": (
        lambda: StreetGenerator(STREET, street_classes()),
        labels(2, viewport=Viewport.padded((46, 74), (64, 96), 4), **STYLES),
        past(1, 2),
    ),
    "street, crop": (
        lambda: StreetGenerator(STREET, street_classes()),
        labels(2, viewport=CROP, measured=MEASURED, **STYLES),
        past(1, 2),
    ),
    "vid2vid": (lambda: Vid2Vid(VID2VID), labels(3), past(2, 3)),
    "pix2pixHD": (
        lambda: Pix2PixHD(Pix2PixHDConfig(channels=4, downsamplings=2, blocks=1, feature_nc=3)),
        labels(1, **STYLES),
        None,
    ),
    "U-Net": (
        lambda: UNet(Pix2PixConfig(channels=2, downsamplings=6)),
        image((64, 128), dropout_seed=77),
        None,
    ),
    "Resnet": (
        lambda: Resnet(ResnetConfig(channels=2, blocks=2, dropout_layers=True)),
        image(dropout_seed=78),
        None,
    ),
}


@pytest.mark.parametrize(("make", "conditioning", "history"), CASES.values(), ids=CASES)
def test_training_follows_inference(make, conditioning, history):
    torch.manual_seed(0)
    network = make().eval()
    with torch.inference_mode():
        network(conditioning, history)
    picture = network(conditioning, history).picture
    picture.square().sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_training_of_the_encoder_follows_inference():
    encoder = Encoder(EncoderConfig(channels=4, downsamplings=2)).eval()
    picture, instances = torch.rand(1, 3, 32, 48), torch.arange(32 * 48).view(1, 32, 48) // 200
    with torch.inference_mode():
        encoder(picture, instances, 7)
    encoder(picture, instances, 7).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
