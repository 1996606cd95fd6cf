"""What the street network knows of label schemes, against the numbers that its weights know."""

import dataclasses

import pytest

from vidtrans.labels.scheme import load_scheme
from vidtrans.model import build, find_bundle, read_bundle
from vidtrans.model.networks import empty
from vidtrans.model.street_classes import foreground_classes, street_classes
from vidtrans.nets.street_classes import StreetClasses

# Cityscapes' labelIds, which the embedded weights were trained with.
TRAINED = StreetClasses(
    ground=(6, 7, 8, 9, 10, 22),
    facades=(11, 12, 13),
    vehicles=((26,), (27, 28, 29, 30, 31)),
    objects=((24,), (25,), (32, 33), (19,), (20,)),
)


def test_cityscapes_has_the_classes_that_the_weights_know():
    assert street_classes() == street_classes("cityscapes") == TRAINED
    assert foreground_classes() == tuple(range(24, 34))


def test_other_schemes_are_asked_by_name():
    scheme = load_scheme("cityscapes-train")
    assert street_classes(scheme).ground == scheme.ids("road", "sidewalk", "terrain")
    assert street_classes(scheme).vehicles == (
        scheme.ids("car"),
        scheme.ids("truck", "bus", "train"),
    )


def test_a_plane_shows_one_thing():
    with pytest.raises(ValueError, match="one is listed for several"):
        dataclasses.replace(TRAINED, facades=(*TRAINED.facades, TRAINED.ground[0]))


def test_the_embedded_model_is_built_with_them():
    bundle = read_bundle(find_bundle("street"))
    generator = build(bundle.card, bundle.tensors, where=bundle.where).generator
    assert generator.classes == TRAINED
    assert generator.config.fg_labels == tuple(range(24, 34))


def test_a_model_is_built_once(monkeypatch):
    built = []

    def counted(card, where):
        built.append(where)
        return empty(card, where)

    monkeypatch.setattr("vidtrans.model.networks.empty", counted)
    bundle = read_bundle(find_bundle("street"))
    generator = build(bundle.card, bundle.tensors, where=bundle.where).generator
    assert len(built) == 1
    assert generator.foreground.nonzero().flatten().tolist() == list(range(24, 34))


def test_a_large_constant_that_no_file_holds_has_its_values(monkeypatch):
    monkeypatch.setattr("vidtrans.model.networks._CONSTANT", 0)
    bundle = read_bundle(find_bundle("street"))
    generator = build(bundle.card, bundle.tensors, where=bundle.where).generator
    assert generator.foreground.nonzero().flatten().tolist() == list(range(24, 34))


def test_a_silent_card_has_the_foreground_that_it_always_had(published_networks):
    assert published_networks(foreground=True).generator.config.foreground_labels == (26,)


def test_kinds_are_counted():
    with pytest.raises(ValueError, match="2 kinds of vehicles"):
        dataclasses.replace(TRAINED, vehicles=((26,),))
