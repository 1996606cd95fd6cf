"""Styles made from pictures: features of every instance, clustered class by class."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from vidtrans.errors import InputError, ModelError
from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.model import Card
from vidtrans.sequence.model import Model
from vidtrans.styles.clustering import cluster_classes, encode_instances, make_styles

ROAD, CAR = 7, 26
CARD = Card(
    system="pix2pixhd",
    generator={"channels": 4, "downsamplings": 1, "blocks": 1, "feature_nc": 3},
    encoder={"channels": 4, "downsamplings": 1, "feature_nc": 3},
)


@pytest.fixture(scope="module")
def model(random_networks):
    return Model(random_networks(CARD), device="cpu")


def parked_cars(index, height=24, width=40):
    """Two cars of random colours on a road."""
    random = np.random.default_rng(index)
    ids = np.full((height, width), ROAD, np.uint8)
    instances = ids.astype(np.int32)
    image = np.full((height, width, 3), 90, np.uint8)
    for number, left in ((1, 2), (2, 20)):
        ids[8:20, left : left + 12] = CAR
        instances[8:20, left : left + 12] = 26000 + number
        image[8:20, left : left + 12] = random.integers(0, 256, 3)
    return LabelFrame(index, ids, FrameTime(index, Fraction(1)), instances, image)


def test_the_features_of_each_instance_are_the_encoder_s(model):
    frame = parked_cars(0)
    found = encode_instances(model, frame)
    assert found.planes.tolist() == [ROAD, CAR, CAR]
    image = torch.from_numpy(frame.image).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        planes = model.networks.encoder(image, torch.from_numpy(frame.instances)[None], 26002)[
            0
        ].numpy()
    for row, (y, x) in zip(found.features, ((0, 0), (10, 5), (10, 25)), strict=True):
        np.testing.assert_allclose(row, planes[:, y, x], atol=1e-6)


def test_small_instances_are_left_out(model):
    frame = parked_cars(0)
    frame.instances[0, 0] = 26099
    frame.ids[0, 0] = CAR
    assert len(encode_instances(model, frame, least_share=0).planes) == 4
    assert len(encode_instances(model, frame, least_share=2 / (24 * 40)).planes) == 3


def test_without_instances_a_class_is_one_thing(model):
    found = encode_instances(model, replace(parked_cars(0), instances=None))
    assert found.planes.tolist() == [ROAD, CAR]


def test_styles_of_a_film(model):
    frames = [parked_cars(n) for n in range(8)]
    styles = make_styles(model, frames, clusters=5)
    assert sorted(styles) == [ROAD, CAR]
    assert len(styles[CAR]) == 5
    assert len(styles[ROAD]) <= 5
    assert make_styles(model, frames, clusters=5) == styles


def test_clusters_are_found_the_commonest_first():
    random = np.random.default_rng(0)
    middles = np.array([[0.8, 0.8, 0.8], [-0.8, 0.0, 0.5], [0.0, -0.9, -0.9]])
    samples = np.concatenate(
        [m + random.normal(0, 0.02, (n, 3)) for m, n in zip(middles, (10, 60, 30), strict=True)]
    )
    found = cluster_classes({CAR: random.permutation(samples)}, clusters=3)
    np.testing.assert_allclose(found[CAR], middles[[1, 2, 0]], atol=0.02)


def test_fewer_samples_than_clusters():
    samples = np.array([[0.1, 0.2], [0.3, 0.4], [0.3, 0.4]])
    assert cluster_classes({CAR: samples, ROAD: samples[:0]}, clusters=10) == {
        CAR: [[0.3, 0.4], [0.1, 0.2]]
    }


def test_a_model_without_an_encoder(random_networks):
    bare = CARD.model_copy(update={"encoder": None, "name": "bare"})
    with pytest.raises(ModelError, match="bare: has no feature encoder"):
        encode_instances(Model(random_networks(bare), device="cpu"), parked_cars(0))


def test_pictures_of_another_size(model):
    frame = parked_cars(0)
    with pytest.raises(InputError, match="the labels are 40x24, and there is a picture of 20x24"):
        encode_instances(model, replace(frame, image=frame.image[:, :20]))
    with pytest.raises(InputError, match="there is no picture"):
        encode_instances(model, replace(frame, image=None))
