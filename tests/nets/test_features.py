"""Style planes: which pixel shows which cluster centre."""

import time

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from vidtrans.frame import StyleChoice
from vidtrans.nets import features as features_module
from vidtrans.nets.features import StyleTable, average_instances, style_numbers, style_planes

CAR, ROAD, SKY = 26, 7, 23
CENTRES = {CAR: [[float(i), -float(i)] for i in range(10)], ROAD: [[0.5, 0.25], [0.125, 0.75]]}


@pytest.fixture
def table():
    return StyleTable.of(CENTRES, 35, 2)


def scene(*columns):
    """One row of pixels, each (class, instance), as ids and instances [1,1,W]."""
    ids, instances = zip(*columns, strict=True)
    return torch.tensor([[ids]], dtype=torch.uint8), torch.tensor([[instances]], dtype=torch.int32)


def test_without_choice_or_seed_every_class_has_its_first_style(table):
    ids, instances = scene((CAR, 26001), (ROAD, ROAD), (SKY, SKY))
    planes, chosen = style_planes(ids, instances, table)
    assert chosen is None
    assert planes.shape == (1, 2, 1, 3)
    assert planes[0, :, 0].T.tolist() == [[0.0, 0.0], [0.5, 0.25], [0.0, 0.0]]


def test_a_choice_for_an_instance_goes_before_its_class(table):
    ids, instances = scene((CAR, 26001), (CAR, 26002), (ROAD, ROAD))
    numbers, chosen = style_numbers(
        ids, instances, table, choice=StyleChoice(((CAR, 3),), ((26002, 5),))
    )
    assert numbers[0, 0].tolist() == [3, 5, 0]
    assert chosen[0, 0].tolist() == [True, True, False]


def test_of_several_choices_the_last_counts(table):
    ids, instances = scene((CAR, 26001), (CAR, 26002))
    choice = StyleChoice(((CAR, 3), (CAR, 4)), ((26002, 5), (26002, 6)))
    assert style_numbers(ids, instances, table, choice=choice)[0][0, 0].tolist() == [4, 6]


def test_a_seed_draws_by_the_instance_alone(table):
    """An instance keeps its style whatever else is in the frame, wherever it is."""
    alone = style_numbers(*scene((CAR, 26007)), table, seed=3)[0][0, 0, 0]
    ids, instances = scene((ROAD, ROAD), (CAR, 26001), (CAR, 26007), (CAR, 26007))
    assert style_numbers(ids, instances, table, seed=3)[0][0, 0, 2:].tolist() == [alone, alone]


def test_a_seed_draws_evenly_and_differently(table):
    instances = torch.arange(26000, 46000, dtype=torch.int32)[None, None]
    ids = torch.full_like(instances, CAR, dtype=torch.uint8)
    drawn = {seed: style_numbers(ids, instances, table, seed=seed)[0] for seed in (0, 1, 2**40)}
    for numbers in drawn.values():
        counts = torch.bincount(numbers.ravel(), minlength=10)
        assert len(counts) == 10
        # 2000 each; five standard deviations of a fair draw.
        assert (counts - 2000).abs().max() < 5 * 45
    for one, other in ((0, 1), (0, 2**40), (1, 2**40)):
        assert 0.05 < (drawn[one] == drawn[other]).float().mean() < 0.15


def test_known_draws_stay_what_they_are(table):
    """Films painted with a seed must come out alike with the next version too."""
    instances = torch.arange(26000, 26008, dtype=torch.int32)[None, None]
    ids = torch.full_like(instances, CAR, dtype=torch.uint8)
    assert style_numbers(ids, instances, table, seed=0)[0][0, 0].tolist() == [
        4,
        6,
        1,
        4,
        5,
        2,
        7,
        8,
    ]


def test_a_number_beyond_a_class_never_reaches_another(table):
    ids, instances = scene((ROAD, ROAD), (SKY, SKY))
    planes, _ = style_planes(ids, instances, table, choice=StyleChoice(((ROAD, 9), (SKY, 9))))
    assert planes[0, :, 0].T.tolist() == [[0.125, 0.75], [0.0, 0.0]]


# -- averaging -------------------------------------------------------------------------------------


def test_the_mean_of_every_instance_and_channel_by_itself():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 13, 17, generator=generator)
    instances = torch.randint(0, 5, (2, 13, 17), generator=generator) * 7000
    expected = torch.empty_like(features)
    for n in range(2):
        for instance in instances[n].unique():
            mask = instances[n] == instance
            expected[n][:, mask] = features[n][:, mask].double().mean(dim=1, keepdim=True).float()
    for kind in (torch.int32, torch.int64):
        assert torch.equal(average_instances(features, instances.to(kind), 28000), expected)
    crop = average_instances(features[..., :9, :11], instances[..., :9, :11], 28000)
    assert crop.shape == (2, 3, 9, 11)


def test_the_device_s_way_to_average_gives_the_same():
    generator = torch.Generator().manual_seed(0)
    features, index = (
        torch.randn(3, 200, generator=generator),
        torch.randint(0, 9, (200,), generator=generator),
    )
    host, device = torch.empty(3, 200), torch.empty(3, 200)
    features_module._average_on_host(features, index, 12, host)
    features_module._average(features, index, 12, device)
    torch.testing.assert_close(device, host)


class _Made(TorchDispatchMode):
    """Keeps the device and the type of every tensor that is made."""

    def __init__(self):
        super().__init__()
        self.kinds = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.kinds.add((made.device.type, made.dtype))
        return made


def test_metal_is_given_no_float64():
    """On tensors without values: there is no such device here."""
    with FakeTensorMode(), _Made() as made:
        features = torch.randn(2, 12, device="mps")
        index = torch.zeros(12, dtype=torch.int32, device="mps")
        averaged = features_module._means(features, index, 5)
    assert averaged.device.type == "mps"
    assert averaged.shape == (2, 12)
    assert ("cpu", torch.float64) in made.kinds
    assert ("mps", torch.float64) not in made.kinds


def test_a_device_without_float64_gives_the_same(monkeypatch):
    features = torch.randn(2, 40, requires_grad=True)
    index = torch.randint(0, 5, (40,))
    expected = features_module._means(features, index, 5)
    plain = features_module._means

    def on_host(*args):
        monkeypatch.undo()
        return plain(*args)

    monkeypatch.setattr(features_module, "_WITHOUT_FLOAT64", "cpu")
    monkeypatch.setattr(features_module, "_means", on_host)
    averaged = plain(features, index, 5)
    assert torch.equal(averaged, expected)
    assert averaged.requires_grad


def test_averaging_a_large_picture_is_fast():
    """Processor time, which other work on the machine does not lengthen much: 32 ms at 2048x1024
    where this was written."""
    blocks = torch.randint(
        0, 34000, (64, 128), generator=torch.Generator().manual_seed(0), dtype=torch.int32
    )
    instances = blocks.repeat_interleave(16, 0).repeat_interleave(16, 1)[None]
    features = torch.randn(1, 3, 1024, 2048)
    spent = []
    for _ in range(3):
        began = time.process_time()
        average_instances(features, instances, 33999)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.1


def test_gradients_flow_through_the_means():
    features = torch.rand(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    instances = torch.tensor([[[0, 0, 1, 1], [0, 5, 5, 1], [5, 5, 5, 1]]])

    def averaged(x: torch.Tensor) -> torch.Tensor:
        return average_instances(x, instances, 5)

    assert torch.autograd.gradcheck(averaged, (features,))
    torch.testing.assert_close(averaged(features), averaged(features.detach()))
