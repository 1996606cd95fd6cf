"""Random access against the whole film, bit by bit: seeking in any order, cuts, edits, little
memory, layers."""

import random
from contextlib import ExitStack

import numpy as np
import pytest

from vidtrans.labels.edit import (
    DeleteInstance,
    EditList,
    FirstFrame,
    RelabelClass,
    RelabelInstance,
    ResetAt,
)
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.pipeline.stream import translate_stream
from vidtrans.preview import Budgets
from vidtrans.preview.film import open_film

FRAMES, CUTS = 120, (44, 82)
LONG, LONG_CUTS = 300, (110, 205)


def never() -> bool:
    return False


def other_scene(n: int) -> np.ndarray:
    """A street that shares nothing with ``scene``: trees, a wall, and a person who walks."""
    ids = np.full((32, 64), 21, np.uint8)
    ids[20:] = 12
    ids[10:26, (2 * n) % 56 : (2 * n) % 56 + 4] = 24
    return ids


@pytest.fixture(scope="module")
def film_settings(tmp_path_factory, scene, grey_film, tiny_model):
    """``film_settings(frames, cuts)``: a film of 64x32 with two cuts, and its instance maps."""

    def make(frames, cuts):
        folder = tmp_path_factory.mktemp("film")
        ids = [other_scene(n) if cuts[0] <= n < cuts[1] else scene(n) for n in range(frames)]
        instances = [
            np.where(np.isin(i, (24, 26)), i.astype(np.uint16) * 1000 + 1, i).astype(np.uint16)
            for i in ids
        ]
        return ConvertSettings(
            input=str(grey_film(folder / "labels.mkv", ids)),
            instances=str(grey_film(folder / "instances.mkv", instances)),
            output="unused.mkv",
            model=str(tiny_model),
            labels="cityscapes",
            device="cpu",
        )

    return make


@pytest.fixture(scope="module")
def settings(film_settings):
    return film_settings(FRAMES, CUTS)


@pytest.fixture(scope="module")
def long_settings(film_settings):
    return film_settings(LONG, LONG_CUTS)


@pytest.fixture
def open_access():
    """``open_access(settings, **budgets)``: random access to a film; closed at the end."""
    with ExitStack() as stack:

        def make(settings, **budgets):
            return stack.enter_context(open_film(settings, Budgets(**budgets))).access

        yield make


def whole_film(settings: ConvertSettings, edits: EditList = EditList()) -> list[np.ndarray]:
    """What ``convert`` writes."""
    from vidtrans.pipeline.setup import open_input

    with open_input(settings.model_copy(update={"edits": edits})) as render:
        state = render.start()
        stream = translate_stream(
            render.frames,
            render.label_reader,
            render.painter,
            instances=render.instances,
            state=state,
        )
        return [translation.picture for translation in stream]


@pytest.fixture(scope="module")
def expected():
    """Whole films, made once for each settings and edits."""
    made = {}

    def make(settings, edits=EditList()):
        key = repr((settings, edits))
        if key not in made:
            made[key] = whole_film(settings, edits)
        return made[key]

    return make


def paint_all(access, layer="final"):
    """Scene after scene: a seek right to the end would skip over scenes."""
    for last in (CUTS[0] - 1, CUTS[1] - 1, FRAMES - 1):
        access.paint(last, [layer], never)


def check(access, film, frames, layer="final"):
    for frame in frames:
        assert access.paint(frame, [layer], never) is not None
        assert np.array_equal(access.cached(frame, [layer])[layer], film[frame]), f"frame {frame}"


def test_the_film_is_worth_the_test(settings, expected):
    film = expected(settings)
    assert len(film) == FRAMES
    # Every picture depends on the one before: an error in the history could not hide.
    assert all(not np.array_equal(film[t], film[t - 1]) for t in range(1, FRAMES))


def test_random_seeks_give_the_pictures_of_convert(long_settings, expected, open_access):
    access = open_access(long_settings)
    check(access, expected(long_settings), random.Random(1).sample(range(LONG), 60))
    assert access.cuts.cuts() == LONG_CUTS


def test_little_memory_costs_time_not_truth(settings, expected, open_access):
    state = 64 * 32 * 3 * 4 + 64 * 32 * 2
    access = open_access(
        settings,
        picture_bytes=20_000,
        snapshot_bytes=3 * state,
        label_bytes=10_000,
        snapshot_every=8,
    )
    check(access, expected(settings), random.Random(2).sample(range(FRAMES), 25))
    assert access.pictures.bytes <= 20_000
    assert 0 < access.snapshots.bytes <= 3 * state
    assert access.source.bytes <= 10_000


def test_a_seek_costs_no_more_than_the_frames_since_a_snapshot(settings, open_access):
    access = open_access(settings, picture_bytes=30_000)
    paint_all(access)
    for frame in random.Random(3).sample(range(FRAMES), 25):
        painted = access.paint(frame, ["final"], never)
        assert painted <= frame % access.budgets.snapshot_every + 1


def test_a_cut_far_ahead_is_found_by_reading_not_by_painting(long_settings, expected, open_access):
    access = open_access(long_settings)
    access.paint(0, ["final"], never)
    assert access.paint(210, ["final"], never) == 210 - LONG_CUTS[1] + 1
    check(access, expected(long_settings), [210, 205, 204])


@pytest.mark.parametrize("cuts", ["off", (20, 44)])
def test_cuts_that_were_given(settings, expected, open_access, cuts):
    settings = settings.model_copy(update={"scene_cuts": cuts})
    access = open_access(settings)
    if cuts != "off":
        assert access.paint(49, ["final"], never) == 6
    check(access, expected(settings), [49, 19, 20, 21, 100])


EDITS = {
    "relabelled": EditList((RelabelClass("sidewalk", "road", 20, 30),)),
    "an instance": EditList(
        (DeleteInstance(26001, 30), RelabelInstance(24001, "building", 50, 60))
    ),
    "over a cut": EditList((RelabelClass("vegetation", "building", 40, 60),)),
    "reset": EditList((ResetAt(27), ResetAt(70))),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits_give_the_pictures_of_convert(settings, expected, open_access, name):
    access = open_access(settings)
    paint_all(access)
    access.edit(EDITS[name])
    check(access, expected(settings, EDITS[name]), random.Random(4).sample(range(FRAMES), 30))
    access.edit(EditList())
    check(access, expected(settings), random.Random(5).sample(range(FRAMES), 20))


def test_a_given_picture_starts_the_film_anew(settings, expected, open_access, tmp_path):
    import cv2

    look = np.random.default_rng(1).integers(0, 256, (32, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "look.png"), look)
    edits = EditList((FirstFrame(str(tmp_path / "look.png"), 20),))
    access = open_access(settings)
    access.edit(edits)
    film = expected(settings, edits)
    assert np.array_equal(film[20], look[..., ::-1])
    check(access, film, [25, 20, 19, 60])
    # The file is painted over: what came from it is stale.
    cv2.imwrite(str(tmp_path / "look.png"), 255 - look)
    access.edit(edits)
    assert access.cached(19, ["final"]) is not None
    assert access.cached(25, ["final"]) is None
    access.paint(20, ["final"], never)
    assert np.array_equal(access.cached(20, ["final"])["final"], 255 - look[..., ::-1])


def test_given_pictures_stay_within_their_budget(settings, expected, open_access, tmp_path):
    import cv2

    noise = np.random.default_rng(2)
    edits = []
    for frame in (5, 12, 20, 27):
        path = tmp_path / f"given_{frame}.png"
        cv2.imwrite(str(path), noise.integers(0, 256, (32, 64, 3), np.uint8))
        edits.append(FirstFrame(str(path), frame))
    access = open_access(settings, reference_bytes=2 * 32 * 64 * 3)
    access.edit(EditList(tuple(edits)))
    check(access, expected(settings, EditList(tuple(edits))), [28, 5, 12, 21, 6])
    assert 0 < access.reference_frames.bytes <= 2 * 32 * 64 * 3


def test_an_edit_spoils_only_what_comes_after_it_in_its_scene(settings, open_access):
    access = open_access(settings)
    paint_all(access)
    for layer_spans in access.cached_ranges().values():
        assert layer_spans == ((0, FRAMES),)
    access.edit(EditList((RelabelClass("sidewalk", "road", 20, 30),)))
    assert access.cached_ranges() == {
        "final": ((0, 20), (CUTS[0], FRAMES))
    }  # the generator forgets at the cut
    assert [frame for frame in access.snapshot_frames() if 20 < frame < CUTS[0]] == []
    access.edit(EditList((RelabelClass("sidewalk", "road", 20),)))
    assert access.cached_ranges() == {"final": ((0, 20),)}
    access.edit(EditList())  # undone: at once all there
    assert access.cached_ranges() == {"final": ((0, FRAMES),)}


def test_what_lies_before_an_edit_is_not_painted_again(settings, expected, open_access):
    """The edit begins between two snapshots; its frames are changed over and over."""
    access = open_access(settings, snapshot_every=8)
    paint_all(access)
    for number, target in enumerate(("bus", "truck", "train")):
        edits = EditList((RelabelClass("car", target, 5, 30),))
        access.edit(edits)
        painted = access.paint(12, ["final"], never)
        # Frame 4 is painted once more for the state before frame 5, and never again.
        assert painted == (13 if number == 0 else 8)
    film = expected(settings, edits)
    assert np.array_equal(access.cached(12, ["final"])["final"], film[12])


def test_the_state_before_a_frame_that_may_be_edited_is_kept(settings, open_access):
    access = open_access(settings, snapshot_every=8)
    access.paint(5, ["final"], never, keep_state=True)
    access.paint(CUTS[0] - 1, ["final"], never)
    access.edit(EditList((RelabelClass("car", "bus", 5, None),)))
    assert access.replay(5) == 1


def test_layers_share_states_and_are_those_of_convert(settings, expected, open_access):
    access = open_access(settings)
    for layer in ("flow", "occlusion", "warped", "raw", "foreground"):
        layered = settings.model_copy(update={"layer": layer})
        check(access, expected(layered), [20, 44], layer)
    assert access.paint(30, ["final"], never) <= 30 % 24 + 1
    access.paint(60, ["final"], never)
    assert (
        access.paint(60, ["final", "flow"], never) == 1
    )  # the state before the last frames is kept


def test_labels_need_no_painting(settings, expected, open_access):
    access = open_access(settings)
    access.edit(EDITS["over a cut"])
    film = expected(settings.model_copy(update={"layer": "labels"}), EDITS["over a cut"])
    for frame in (50, 0, 39, 110):
        access.paint_labels(frame)
        assert np.array_equal(access.cached(frame, ["labels"])["labels"], film[frame])
    assert access.step_s() is None


def test_another_size_and_padding(settings, expected, open_access):
    settings = settings.model_copy(update={"size_hw": (24, 40), "fit": "pad"})
    access = open_access(settings)
    check(access, expected(settings), [7, 60])
    edited, original = access.labels(7)
    assert edited is original
    assert edited.size_hw == (20, 40)  # as the pictures are: padding stays inside the engine


def test_a_stopped_paint_keeps_what_is_done(settings, open_access):
    access = open_access(settings)
    asked = iter(range(100))
    assert access.paint(40, ["final"], lambda: next(asked) == 30) is None
    assert access.cached_ranges() == {"final": ((0, 30),)}
    assert access.paint(40, ["final"], never) == 11


def test_first_frames_of_the_film(settings, expected, open_access, tmp_path):
    import cv2

    cv2.imwrite(
        str(tmp_path / "first.png"),
        np.random.default_rng(2).integers(0, 256, (32, 64, 3), np.uint8),
    )
    settings = settings.model_copy(update={"first_frame": (str(tmp_path / "first.png"),)})
    check(open_access(settings), expected(settings), [30, 0, 1, 50])


def test_published_networks_with_two_scales_and_instances(
    settings, expected, open_access, published_networks, tmp_path
):
    """Three frames in the window, boundaries, statistics of the frame: more to remember than the
    small model has."""
    from vidtrans.model import write_bundle

    networks = published_networks()
    path = tmp_path / "vid2vid.safetensors"
    write_bundle(path, networks.card, networks.tensors())
    settings = settings.model_copy(update={"model": str(path)})
    access = open_access(settings, snapshot_every=5)
    access.paint(30, ["final"], never)
    edits = EditList((DeleteInstance(26001, 10, 20),))
    access.edit(edits)
    check(access, expected(settings, edits), [12, 45, 9, 1, 0, 31, 46])


def test_image_systems_need_no_replay(settings, expected, open_access, random_networks, tmp_path):
    from vidtrans.model import Card, write_bundle

    card = Card(system="pix2pixhd", generator={"channels": 4, "downsamplings": 1, "blocks": 1})
    networks = random_networks(card)
    write_bundle(tmp_path / "image.safetensors", card, networks.tensors())
    settings = settings.model_copy(update={"model": str(tmp_path / "image.safetensors")})
    access = open_access(settings)
    for frame in (110, 50, 3):
        assert access.paint(frame, ["final"], never) == 1
    edits = EditList((RelabelClass("car", "truck", 40, 45),))
    access.edit(edits)
    assert access.cached(50, ["final"]) is not None
    check(access, expected(settings, edits), [42, 50, 82])
    assert access.snapshots.bytes == 0


@pytest.mark.cuda
def test_on_a_gpu_too(settings, expected, open_access):
    """Uploads and downloads on streams of their own, states that come back from host memory:
    still the same bits."""
    import os

    import torch

    if not torch.cuda.is_available():
        assert os.environ.get("VIDTRANS_REQUIRE_CUDA") != "1", "there is no CUDA GPU"
        pytest.skip("there is no CUDA GPU")
    settings = settings.model_copy(update={"device": "cuda"})
    check(open_access(settings), expected(settings), random.Random(6).sample(range(FRAMES), 40))
