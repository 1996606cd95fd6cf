"""Styles with a real model: the sheet of thumbnails, the chosen style in the picture, and back."""

import threading

import numpy as np
import pytest
from vidtrans_gui.main_window import MainWindow
from vidtrans_gui.style_dialog import StyleDialog
from vidtrans_gui.style_thumbs import around, paint_styles

from vidtrans.errors import VidtransError
from vidtrans.labels.edit import EditList, StyleClass
from vidtrans.model import Card, write_bundle
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.preview import PreviewEngine
from vidtrans.sequence.model import Model
from vidtrans.styles.sheet import WARM_UP_FRAMES

CARD = Card(
    name="styled",
    system="pix2pixhd",
    generator={"channels": 2, "downsamplings": 1, "blocks": 1, "feature_nc": 3},
    encoder={"channels": 2, "downsamplings": 1, "feature_nc": 3},
    styles={"7": [[0.5, -0.5, 0.25]], "26": [[-1.0, 0.0, 1.0], [1.0, 1.0, -1.0], [0.0, -1.0, 0.5]]},
)


@pytest.fixture(scope="module")
def styled_model(tmp_path_factory, random_networks):
    path = tmp_path_factory.mktemp("styled") / "styled.safetensors"
    write_bundle(path, CARD, random_networks(CARD).tensors())
    return path


def settings(film, model):
    return ConvertSettings(input=str(film), output="unused.mkv", model=str(model), device="cpu")


def test_every_style_is_painted_and_cut_out(label_film, styled_model):
    box = (slice(14, 26), slice(0, 40))
    thumbs = list(
        paint_styles(
            settings(label_film, styled_model), EditList(), 3, "car", 3, box, stop=threading.Event()
        )
    )
    assert [thumb.style for thumb in thumbs] == [0, 1, 2]
    assert all(thumb.picture.shape == (12, 40, 3) for thumb in thumbs)
    assert not np.array_equal(thumbs[0].picture, thumbs[1].picture)


def test_a_model_with_a_memory_shows_no_paint_of_before(
    label_film, scene, tmp_path, random_networks
):
    """Its thumbnail is the picture of a film that had the style all along, not one that only
    begins to change."""
    generator = {"channels": (4, 8, 8, 8), "blocks": (1, 1, 1, 1, 1), "feature_nc": 3}
    card = Card(
        system="vid2vid",
        architecture="street",
        generator=generator,
        first_frames="raw",
        styles=CARD.styles,
    )
    networks = random_networks(card)
    write_bundle(tmp_path / "town.safetensors", card, networks.tensors())
    whole = (slice(0, 32), slice(0, 64))
    film = settings(label_film, tmp_path / "town.safetensors")
    thumbs = list(
        paint_styles(film, EditList(), WARM_UP_FRAMES, "car", 3, whole, stop=threading.Event())
    )
    labels = np.stack([scene(n) for n in range(WARM_UP_FRAMES + 1)])
    for style, thumb in enumerate(thumbs):
        painted = Model(networks, device="cpu").translate(
            labels=labels, edits=EditList((StyleClass("car", style),))
        )[-1]
        expected = (
            np.clip(np.rint((painted + 1) * 127.5), 0, 255).astype(np.uint8).transpose(1, 2, 0)
        )
        assert np.array_equal(thumb.picture, expected)


def test_painting_ends_when_nobody_looks_any_more(label_film, styled_model):
    stop = threading.Event()
    box = (slice(0, 32), slice(0, 64))
    painting = paint_styles(
        settings(label_film, styled_model), EditList(), 3, "car", 3, box, stop=stop
    )
    assert next(painting).style == 0
    stop.set()
    assert list(painting) == []


def test_a_model_that_cannot_says_so(label_film, tiny_model):
    box = (slice(0, 8), slice(0, 8))
    with pytest.raises(VidtransError, match="style"):
        list(
            paint_styles(
                settings(label_film, tiny_model),
                EditList(),
                0,
                "car",
                1,
                box,
                stop=threading.Event(),
            )
        )


def test_the_box_around_a_mask():
    mask = np.zeros((200, 400), bool)
    mask[100:180, 10:110] = True
    assert around(mask) == (slice(80, 200), slice(0, 135))
    assert around(np.zeros((20, 30), bool)) == (slice(0, 20), slice(0, 30))


def test_a_style_from_the_sheet_to_the_picture(
    qtbot, preferences, tmp_path, label_film, styled_model, pixels
):
    preferences.put("model", str(styled_model))
    window = MainWindow(preferences, tmp_path / "state", engine=PreviewEngine)
    window.show()
    window.files.open(str(label_film))
    seen = []
    window.session.shown.connect(
        lambda shown: seen.append(shown) if shown.approximation is None else None
    )
    qtbot.waitUntil(lambda: window.editing._shown is not None and bool(seen))
    before = pixels.from_qimage(window.viewer.result)

    window.editing.pick_class("car")
    window.actions_["style"].trigger()
    sheet = next(found for found in window.findChildren(StyleDialog) if found.isVisible())
    assert sheet.sheet.count() == 3
    qtbot.waitUntil(lambda: sheet.note.text() == "")
    sheet.sheet.setCurrentRow(1)
    seen.clear()
    sheet.accept()
    assert window.document.project.render.edits.edits == (StyleClass("car", 1),)
    qtbot.waitUntil(lambda: bool(seen))
    assert not np.array_equal(pixels.from_qimage(window.viewer.result), before)
    seen.clear()
    window.document.undo.undo()
    qtbot.waitUntil(lambda: bool(seen))
    assert np.array_equal(pixels.from_qimage(window.viewer.result), before)
    window.shut_down()
    window.deleteLater()
