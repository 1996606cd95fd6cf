"""Viewports: padding and crops, with positions counted by hand."""

import pytest
import torch

from vidtrans.nets.viewport import Box, Viewport

CPU = torch.device("cpu")


def test_a_whole_picture_is_all_content():
    view = Viewport.whole((4, 8))
    assert view.content == Box(0, 4, 0, 8)
    assert view.shows_all
    assert view.rows(2, CPU).tolist() == [[1, 3]]
    assert view.columns(4, CPU).tolist() == [[2, 6]]
    picture = torch.arange(32).view(4, 8)
    assert view.reflect(picture) is picture
    assert torch.equal(view.crop(picture), picture)


def test_padding_at_the_bottom_and_the_right():
    view = Viewport.padded((3, 4), (5, 6))
    assert view.content == Box(0, 3, 0, 4)
    assert view.reflect(torch.arange(12).view(3, 4)).tolist() == [
        [0, 1, 2, 3, 2, 1],
        [4, 5, 6, 7, 6, 5],
        [8, 9, 10, 11, 10, 9],
        [4, 5, 6, 7, 6, 5],
        [0, 1, 2, 3, 2, 1],
    ]


def test_padding_on_all_sides_keeps_to_its_grid():
    assert Viewport.padded((10, 10), (16, 26), grid=4).origins == ((0, -8),)
    view = Viewport.padded((3, 4), (7, 8), grid=2)
    assert view.content == Box(2, 5, 2, 6)
    assert view.shows_all
    picture = torch.arange(12).view(1, 3, 4)
    padded = view.reflect(picture)
    assert padded[0, 0].tolist() == [10, 9, 8, 9, 10, 11, 10, 9]
    assert torch.equal(view.crop(padded), picture)
    assert view.crop(torch.zeros(1, 1, 4, 4)).shape == (1, 1, 2, 2)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_coordinates_of_padding_are_those_of_what_it_reflects(length):
    view = Viewport((length, length), (16, 16), ((-4, -7),))
    pixels = torch.arange(length * length).view(length, length)
    rows = view.rows(1, CPU)[0].floor().long()
    columns = view.columns(1, CPU)[0].floor().long()
    assert torch.equal(pixels[rows][:, columns], view.reflect(pixels))


def test_crops_have_coordinates_in_their_pictures():
    view = Viewport((100, 200), (8, 16), ((4, 0), (92, 184)))
    assert view.rows(4, CPU).tolist() == [[6, 10], [94, 98]]
    assert view.columns(8, CPU).tolist() == [[4, 12], [188, 196]]
    assert view.content == Box(0, 8, 0, 16)
    assert not view.shows_all
    with pytest.raises(ValueError, match="padded differently"):
        _ = Viewport((8, 8), (16, 16), ((0, 0), (-4, 0))).content
