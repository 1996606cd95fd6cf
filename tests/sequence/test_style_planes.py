"""Styles on a model: chosen, drawn, read off pictures, or asked of a model that has none."""

import numpy as np
import pytest
import torch

from vidtrans.errors import InputError, ModelError, UsageError
from vidtrans.labels.edit import (
    DeleteInstance,
    EditList,
    FirstFrame,
    RelabelClass,
    ResetAt,
    StyleClass,
    StyleInstance,
)
from vidtrans.model import Card
from vidtrans.sequence.model import Model

ROAD, SKY, CAR = 7, 23, 26
STYLES = {
    str(CAR): [[x, -x, x / 2] for x in np.linspace(-1, 1, 5).tolist()],
    str(ROAD): [[0.3, 0.1, -0.2]],
}


def card(**more):
    generator = {
        "channels": 4,
        "downsamplings": 1,
        "blocks": 1,
        "feature_nc": 3,
        **more.pop("generator", {}),
    }
    encoder = {"channels": 4, "downsamplings": 1, "feature_nc": 3}
    return Card(
        **{
            "name": "hd",
            "system": "pix2pixhd",
            "generator": generator,
            "encoder": encoder,
            "styles": STYLES,
        }
        | more
    )


@pytest.fixture(scope="module")
def make(random_networks):
    def make(seed=None, **more):
        return Model(random_networks(card(**more)), device="cpu", seed=seed)

    return make


@pytest.fixture(scope="module")
def model(make):
    return make()


@pytest.fixture
def street():
    """Two frames: road, sky, and two cars that move; labels and instances [2,24,32]."""
    labels = np.full((2, 24, 32), SKY, np.uint8)
    labels[:, 12:] = ROAD
    instances = labels.astype(np.uint16)
    for t in range(2):
        for number, left in ((1, 2 + 3 * t), (2, 18 + 3 * t)):
            labels[t, 10:18, left : left + 8] = CAR
            instances[t, 10:18, left : left + 8] = 26000 + number
    return labels, instances


def features_of(model, labels, instances, **more):
    """The planes that the generator is given, [T,3,H,W]."""
    seen = []
    generator = model.networks.generator
    forward = generator.forward

    def spy(conditioning, history=None):
        seen.append(conditioning.viewport.crop(conditioning.features)[0].clone())
        return forward(conditioning, history)

    generator.forward = spy
    try:
        model.translate(labels=labels, instances=instances, **more)
    finally:
        del generator.forward
    return torch.stack(seen)


def at(planes, mask):
    """The one feature vector of the pixels of ``mask`` [H,W]."""
    vectors = planes[:, torch.from_numpy(mask)].T.unique(dim=0)
    assert len(vectors) == 1
    return vectors[0].tolist()


def test_first_styles_where_nothing_is_said(model, street):
    labels, instances = street
    planes = features_of(model, labels, instances)
    assert at(planes[0], labels[0] == CAR) == pytest.approx(STYLES["26"][0])
    assert at(planes[0], labels[0] == ROAD) == pytest.approx(STYLES["7"][0])
    assert at(planes[0], labels[0] == SKY) == [0, 0, 0]


def test_chosen_styles_of_a_class_and_of_one_car(model, street):
    labels, instances = street
    edits = EditList((StyleClass("car", 3), StyleInstance(26002, 1)))
    planes = features_of(model, labels, instances, edits=edits)
    for t in range(2):
        assert at(planes[t], instances[t] == 26001) == pytest.approx(STYLES["26"][3])
        assert at(planes[t], instances[t] == 26002) == pytest.approx(STYLES["26"][1])


def test_a_choice_with_a_range_of_frames(model, street):
    labels, instances = street
    planes = features_of(model, labels, instances, edits=EditList((StyleClass("car", 3, start=1),)))
    assert at(planes[0], labels[0] == CAR) == pytest.approx(STYLES["26"][0])
    assert at(planes[1], labels[1] == CAR) == pytest.approx(STYLES["26"][3])


def test_drawn_styles_stay_with_their_car(make, street):
    labels, instances = street
    drawn = set()
    for seed in range(8):
        planes = features_of(make(seed), labels, instances)
        looks = [
            [tuple(at(planes[t], instances[t] == n)) for n in (26001, 26002)] for t in range(2)
        ]
        assert looks[0] == looks[1]
        drawn.update(looks[0])
    assert len(drawn) > 2


def test_without_instances_a_class_has_one_style(make, street):
    labels, _ = street
    planes = features_of(make(5), labels, None)
    at(planes[0], labels[0] == CAR)


def test_the_seed_is_a_choice_on_the_same_weights(model, street):
    labels, instances = street
    seeded = model.seeded(4)
    assert seeded.networks is model.networks
    one = seeded.translate(labels=labels, instances=instances)
    assert np.array_equal(one, model.seeded(4).translate(labels=labels, instances=instances))
    assert not np.array_equal(one, model.translate(labels=labels, instances=instances))


def test_pictures_give_the_styles_and_choices_go_before_them(model, street):
    labels, instances = street
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, 24, 32)).astype(np.float32)
    plain = features_of(model, labels, instances, images=images)
    with torch.inference_mode():
        read = model.networks.encoder(
            torch.from_numpy(images),
            torch.from_numpy(instances.astype(np.int32)),
            int(instances.max()),
        )
    torch.testing.assert_close(plain, read)
    chosen = features_of(
        model, labels, instances, images=images, edits=EditList((StyleInstance(26001, 2),))
    )
    car = torch.from_numpy(instances == 26001)[:, None].expand_as(read)
    assert at(chosen[0], instances[0] == 26001) == pytest.approx(STYLES["26"][2])
    assert torch.equal(chosen[~car], plain[~car])


def test_odd_sizes_are_padded(model, street):
    labels, instances = street
    assert model.translate(labels=labels[:, :23, :29], instances=instances[:, :23, :29]).shape == (
        2,
        3,
        23,
        29,
    )


# -- edits of labels through arrays ----------------------------------------------------------------


def test_labels_and_instances_are_edited_together(model, street):
    labels, instances = street
    edited = model.translate(
        labels=labels,
        instances=instances,
        edits=EditList((RelabelClass("sky", "road"), DeleteInstance(26001))),
    )
    by_hand, maps = labels.copy(), instances.copy()
    by_hand[labels == SKY] = ROAD
    maps[labels == SKY] = ROAD
    gone = instances == 26001
    by_hand[gone] = ROAD
    maps[gone] = ROAD
    assert np.array_equal(edited, model.translate(labels=by_hand, instances=maps))


def test_a_reset_is_an_edit_and_a_picture_is_not(published_model, street):
    recurrent = published_model(first_frames="raw")
    labels = np.concatenate([street[0], street[0]])
    reset = recurrent.translate(labels=labels, edits=EditList((ResetAt(2),)))
    assert np.array_equal(reset[2:], recurrent.translate(labels=labels[2:]))
    with pytest.raises(UsageError, match="Give its picture as first_frames"):
        recurrent.translate(labels=labels, edits=EditList((FirstFrame("a.png"),)))


# -- what is said of mistakes ----------------------------------------------------------------------


def styled(*edits):
    return EditList(edits)


def test_a_class_without_styles(model, street):
    with pytest.raises(
        UsageError, match=r"class sky has no styles\. Those with styles: road \(1\), car \(5\)"
    ):
        model.translate(labels=street[0], edits=styled(StyleClass("sky", 0)))


def test_an_unknown_class_names_the_nearest(model, street):
    with pytest.raises(UsageError, match=r"no class 'carr'\. Did you mean .*\bcar\b"):
        model.translate(labels=street[0], edits=styled(StyleClass("carr", 0)))


def test_a_number_that_the_class_has_not(model, street):
    with pytest.raises(UsageError, match="class car has no style 5; its styles are 0 to 4"):
        model.translate(labels=street[0], edits=styled(StyleClass("car", 5)))
    with pytest.raises(
        UsageError, match=r"no style 7 for instance 26001: no class has more than 0 to 4"
    ):
        model.translate(
            labels=street[0], instances=street[1], edits=styled(StyleInstance(26001, 7))
        )
    with pytest.raises(
        UsageError, match=r"class road \(of instance 7\) has no style 3; its styles are 0 to 0"
    ):
        model.translate(labels=street[0], instances=street[1], edits=styled(StyleInstance(7, 3)))


def test_an_instance_without_instance_maps(model, street):
    with pytest.raises(
        InputError, match="style is chosen for instance 26001, and there is no instance map"
    ):
        model.translate(labels=street[0], edits=styled(StyleInstance(26001, 1)))


def test_styles_asked_of_models_that_take_no_features(make, published_model, street):
    plain = make(generator={"feature_nc": 0}, encoder=None, styles={})
    with pytest.raises(
        UsageError, match=r"no styles to choose from.*pix2pixhd that takes no features"
    ):
        plain.translate(labels=street[0], edits=styled(StyleClass("car", 0)))
    with pytest.raises(UsageError, match="first_frame"):
        published_model().translate(labels=street[0], edits=styled(StyleClass("car", 0)))


def test_a_model_with_features_and_no_styles(make, street):
    bare = make(styles={})
    with pytest.raises(
        ModelError,
        match=r"hd: takes style features.*holds no styles, and no pictures.*Make styles",
    ):
        bare.translate(labels=street[0])
    with pytest.raises(UsageError, match="takes features, and its file holds no styles"):
        bare.translate(labels=street[0], edits=styled(StyleClass("car", 0)))
    without_encoder = make(styles={}, encoder=None)
    with pytest.raises(ModelError, match=r"holds no styles\.$"):
        without_encoder.translate(labels=street[0])


def test_instances_below_zero(model, street):
    with pytest.raises(InputError, match="frame 0: the instance map holds -1"):
        model.translate(labels=street[0], instances=street[1].astype(np.int32) - ROAD - 1)


def test_a_seed_where_nothing_varies(published_model, make):
    with pytest.raises(UsageError, match="nothing in the model varies by one"):
        published_model().seeded(3)
    with pytest.raises(UsageError, match="seed is -1"):
        make(-1)


def test_an_instance_of_a_model_with_styles_for_classes(make, street):
    by_label = make(encoder={"channels": 4, "downsamplings": 1, "by_label": True})
    with pytest.raises(UsageError, match="belong to whole classes"):
        by_label.translate(
            labels=street[0], instances=street[1], edits=styled(StyleInstance(26001, 1))
        )


def test_a_seed_of_pix2pix_drops_the_same_in_every_frame(random_networks):
    networks = random_networks(
        Card(system="pix2pix", generator={"channels": 2, "downsamplings": 6}, label_scheme=None)
    )
    images = np.repeat(
        np.random.default_rng(0).uniform(-1, 1, (1, 3, 50, 70)).astype(np.float32), 3, axis=0
    )
    plain = Model(networks, device="cpu").translate(images=images)
    one, two = (
        Model(networks, device="cpu", seed=seed).translate(images=images) for seed in (1, 2)
    )
    assert plain.shape == (3, 3, 50, 70)
    assert np.array_equal(one[0], one[2])
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, plain)


# -- vid2vid with styles ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def make_street(random_networks):
    """The small street architecture, told each thing's style."""
    generator = {"channels": (4, 8, 8, 8), "blocks": (1, 1, 1, 1, 1), "feature_nc": 3}
    card = Card(
        name="town",
        system="vid2vid",
        architecture="street",
        generator=generator,
        first_frames="raw",
        styles=STYLES,
    )

    def make(seed=None):
        return Model(random_networks(card), device="cpu", seed=seed)

    return make


def test_a_car_keeps_its_style_while_pictures_are_carried_over(make_street, street):
    labels, instances = (np.repeat(part, 3, axis=0) for part in street)
    edits = EditList((StyleInstance(26002, 4, start=3),))
    planes = features_of(make_street(3), labels, instances)
    edited = features_of(make_street(3), labels, instances, edits=edits)
    for t in range(6):
        assert at(planes[t], instances[t] == 26001) == at(planes[0], instances[0] == 26001)
        wanted = STYLES["26"][4] if t >= 3 else at(planes[0], instances[0] == 26002)
        assert at(edited[t], instances[t] == 26002) == pytest.approx(wanted)


def test_styles_change_what_a_street_model_paints(make_street, street):
    labels, instances = street
    plain = make_street().translate(labels=labels, instances=instances)
    chosen = make_street().translate(
        labels=labels, instances=instances, edits=EditList((StyleClass("car", 4),))
    )
    assert np.abs(plain - chosen)[:, :, labels[0] == CAR].max() > 1e-3
