"""The preview's worker: answers by value, newer requests before older ones, nothing left
running."""

import random
import threading
import time

import numpy as np
import pytest

from vidtrans.labels.edit import DeleteInstance, EditList, FirstFrame, RelabelClass
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.pipeline.setup import open_input
from vidtrans.pipeline.stream import Painter, translate_stream
from vidtrans.preview import Answer, Budgets, Failed, Opened, PreviewEngine, Request
from vidtrans.preview import engine as engine_module

FRAMES = 70


class Events:
    """What an engine told, and in which thread; ``wait`` until there is a certain one."""

    def __init__(self):
        self.all = []
        self.threads = []
        self._more = threading.Condition()

    def __call__(self, event):
        with self._more:
            self.all.append(event)
            self.threads.append(threading.current_thread().name)
            self._more.notify_all()

    def wait(self, wanted, timeout_s=60):
        def found():
            return next((event for event in self.all if wanted(event)), None)

        with self._more:
            assert self._more.wait_for(lambda: found() is not None, timeout_s), (
                f"waited in vain, got {self.all}"
            )
            return found()

    def exact(self, number):
        return self.wait(
            lambda e: isinstance(e, Answer) and e.request.id == number and e.approximation is None
        )

    def answers(self, number):
        return [e for e in self.all if isinstance(e, Answer) and e.request.id == number]


@pytest.fixture(scope="module")
def settings(tmp_path_factory, scene, grey_film, tiny_model):
    film = grey_film(
        tmp_path_factory.mktemp("film") / "labels.mkv", [scene(n) for n in range(FRAMES)]
    )
    return ConvertSettings(
        input=str(film),
        output="unused.mkv",
        model=str(tiny_model),
        labels="cityscapes",
        device="cpu",
    )


@pytest.fixture(scope="module")
def film(settings):
    with open_input(settings) as render:
        return [
            t.picture for t in translate_stream(render.frames, render.label_reader, render.painter)
        ]


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def engine(events):
    made = PreviewEngine(events, budgets=Budgets(snapshot_every=8))
    yield made
    assert made.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("vidtrans")]


@pytest.fixture
def slow(monkeypatch):
    """The generator paints a frame each time that ``slow`` is released."""
    gate, step = threading.Semaphore(0), Painter.step

    def gated(self, state, read):
        assert gate.acquire(timeout=60)
        return step(self, state, read)

    monkeypatch.setattr(Painter, "step", gated)
    yield gate
    gate.release(10_000)


def test_opened_tells_the_film(engine, events, settings):
    generation = engine.open(settings)
    opened = events.wait(lambda e: isinstance(e, Opened))
    assert opened.generation == generation
    assert (opened.frames, opened.size_hw, opened.label_nc) == (FRAMES, (32, 64), 35)
    assert opened.scheme.name == opened.model_scheme.name == "cityscapes"
    assert (opened.device, opened.precision, opened.has_instances) == ("cpu", "fp32", False)


def test_random_requests_are_answered_exactly(engine, events, settings, film):
    engine.open(settings)
    for number, frame in enumerate(random.Random(1).sample(range(FRAMES), 25)):
        engine.submit(Request(number, frame))
        answer = events.exact(number)
        assert np.array_equal(answer.pictures["final"], film[frame])
        assert answer.time.pts >= 0
        assert not answer.pictures["final"].flags.writeable


def test_a_frame_at_hand_is_answered_within_submit(engine, events, settings, film):
    engine.open(settings)
    assert engine.submit(Request(1, 5)) is False
    events.exact(1)
    assert engine.submit(Request(2, 5)) is True
    assert events.all[-1].request.id == 2
    assert events.threads[-1] == threading.current_thread().name
    assert np.array_equal(events.all[-1].pictures["final"], film[5])


def test_a_newer_request_cancels_an_older_one(engine, events, settings, film, slow):
    engine.open(settings)
    events.wait(lambda e: isinstance(e, Opened))
    engine.submit(Request(1, 60, approximate=False))
    slow.release(3)
    engine.submit(Request(2, 4, approximate=False))
    slow.release(5)
    answer = events.exact(2)
    assert np.array_equal(answer.pictures["final"], film[4])
    assert events.answers(1) == []
    # What the cancelled one painted was not lost: at most its one frame in flight and the rest up
    # to 4.
    assert answer.replayed <= 5


def test_while_it_replays_it_shows_an_approximation(engine, events, settings, film, slow):
    engine.open(settings)
    slow.release(1)  # for the approximation alone
    engine.submit(Request(1, 50))
    first = events.wait(lambda e: isinstance(e, Answer))
    assert first.approximation == "no_history"
    assert not np.array_equal(first.pictures["final"], film[50])
    slow.release(10_000)
    assert np.array_equal(events.exact(1).pictures["final"], film[50])
    assert [a.approximation for a in events.answers(1)] == ["no_history", None]


def test_a_neighbour_stands_in_where_there_is_one(engine, events, settings, monkeypatch, film):
    engine.open(settings)
    engine.submit(Request(1, 20))
    events.exact(1)
    step = Painter.step

    def slower(self, state, read):
        time.sleep(0.1)
        return step(self, state, read)

    monkeypatch.setattr(Painter, "step", slower)
    access = engine._film.access
    access._step_s.clear()
    engine.submit(Request(2, 23, layers=("final", "labels")))
    events.exact(2)
    near, exact = events.answers(2)
    assert near.approximation == "near"
    assert np.array_equal(near.pictures["final"], film[20])
    assert np.array_equal(near.pictures["labels"], exact.pictures["labels"])
    assert np.array_equal(exact.pictures["final"], film[23])


def test_where_a_quick_picture_would_delay_the_exact_one_the_labels_come_alone(
    engine, events, settings, slow, film
):
    """Three frames of a second each: a quick picture would cost a fourth."""
    engine.open(settings)
    slow.release(1)
    engine.submit(Request(1, 0))
    events.exact(1)
    engine._film.access._step_s.extend([1.0] * 32)
    engine._film.access.pictures.clear()
    engine.submit(Request(2, 3, layers=("final", "labels")))
    first = events.wait(lambda e: isinstance(e, Answer) and e.request.id == 2)
    assert first.approximation == "waiting"
    assert list(first.pictures) == ["labels"]
    slow.release(3)
    assert np.array_equal(events.exact(2).pictures["final"], film[3])


@pytest.mark.parametrize(
    ("scale", "size_hw"), [("full", (32, 64)), ("half", (16, 32)), ("quarter", (8, 16))]
)
def test_the_preview_has_a_size_of_its_own(engine, events, settings, scale, size_hw):
    engine.open(settings, scale=scale)
    opened = events.wait(lambda e: isinstance(e, Opened))
    assert (opened.size_hw, opened.full_hw) == (size_hw, (32, 64))
    assert opened.reduced == (scale != "full")
    engine.submit(Request(1, 3, layers=("final", "labels")))
    assert {each.shape for each in events.exact(1).pictures.values()} == {(*size_hw, 3)}


def test_a_given_picture_suits_the_export_whatever_the_preview_s_size(
    engine, events, settings, tmp_path
):
    import cv2

    picture = np.full((32, 64, 3), (40, 90, 200), np.uint8)
    cv2.imwrite(str(tmp_path / "first.png"), picture)
    edits = EditList((FirstFrame(str(tmp_path / "first.png"), 2),))
    for size in (None, "48x24"):
        sized = settings.model_copy(update={"size_hw": size and (24, 48)})
        generation = engine.open(sized, edits, scale="half")
        events.wait(lambda e, now=generation: isinstance(e, Opened) and e.generation == now)
        engine.submit(Request(generation, 2))
        shown = events.exact(generation).pictures["final"]
        assert np.abs(shown.astype(int) - picture[0, 0, ::-1]).max() <= 1
    cv2.imwrite(str(tmp_path / "wrong.png"), picture[:20])
    engine.edit(EditList((FirstFrame(str(tmp_path / "wrong.png"), 2),)))
    engine.submit(Request(9, 2))
    failed = events.wait(lambda e: isinstance(e, Failed))
    assert "has the size 64x20, and the film 48x24" in failed.message


def test_edits_are_checked_before_they_are_used(engine, events, settings):
    engine.open(settings)
    assert engine.check(EditList((RelabelClass("car", "nonsense"),))) is None, "nothing is open"
    events.wait(lambda e: isinstance(e, Opened))
    assert engine.check(EditList((RelabelClass("car", "bus"),))) is None
    assert "nonsense" in str(engine.check(EditList((RelabelClass("car", "nonsense"),))))
    assert "instance maps" in str(engine.check(EditList((DeleteInstance(26001),))))
    assert not [e for e in events.all if isinstance(e, Failed)]


def test_a_frame_that_is_looked_at_is_ready_for_an_edit(engine, events, settings, monkeypatch):
    """It was painted while playing, far from any snapshot; nothing before it is painted again."""
    monkeypatch.setattr(engine_module, "_REST_S", 0.0)
    engine.open(settings)
    engine.submit(Request(1, 0, ahead=30))
    events.exact(1)
    wait_for(lambda: engine.status().cached.get("final") == ((0, 31),))
    assert engine.submit(Request(2, 13, with_labels=True)) is True
    access = engine._film.access
    wait_for(lambda: access.snapshots.frames() == (8, 13, 16, 24))
    engine.edit(EditList((RelabelClass("car", "bus", 13, None),)))
    engine.submit(Request(3, 13))
    assert events.exact(3).replayed == 1


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_opened_tells_the_times(engine, events, settings):
    engine.open(settings)
    times = events.wait(lambda e: isinstance(e, Opened)).times
    assert times.constant
    assert times.timecode(30) == "00:00:01:05"


def test_where_a_quick_picture_takes_a_while_the_labels_come_before_it(
    engine, events, settings, slow, film
):
    engine.open(settings)
    slow.release(1)
    engine.submit(Request(1, 0))
    events.exact(1)
    engine._film.access._step_s.extend([1.0] * 32)
    engine._film.access.pictures.clear()
    slow.release(10_000)
    engine.submit(Request(2, 20, layers=("final", "labels")))
    assert np.array_equal(events.exact(2).pictures["final"], film[20])
    kinds = [answer.approximation for answer in events.answers(2)]
    assert kinds == ["waiting", "no_history", None]


def test_labels_come_where_they_are_asked_for(engine, events, settings):
    engine.open(settings, EditList((RelabelClass("car", "truck", 10),)))
    engine.submit(Request(1, 12, layers=("labels",), with_labels=True))
    answer = events.exact(1)
    assert answer.replayed == 0
    assert 26 not in answer.labels.ids
    assert 26 in answer.original.ids
    # At hand: the picture at once, then the labels.
    assert engine.submit(Request(2, 12, layers=("labels",), with_labels=True)) is True
    events.wait(lambda e: isinstance(e, Answer) and e.request.id == 2 and e.labels is not None)
    assert [a.labels is None for a in events.answers(2)] == [True, False]


def test_it_paints_ahead_until_asked_again(engine, events, settings):
    engine.open(settings)
    engine.submit(Request(1, 0, ahead=30))
    events.exact(1)
    end = time.monotonic() + 60
    while engine.status().cached.get("final") != ((0, 31),):
        assert time.monotonic() < end
        time.sleep(0.005)
    status = engine.status()
    assert status.snapshots == (0, 8, 16, 24)
    assert status.picture_bytes == 31 * 32 * 64 * 3
    assert status.snapshot_bytes > 0
    assert (status.cuts, status.cuts_known_to) == ((), 31)
    assert len(events.answers(1)) == 1


def test_edits_answer_at_once_where_they_do_not_reach(engine, events, settings, film):
    engine.open(settings)
    engine.submit(Request(1, 30))
    events.exact(1)
    engine.edit(EditList((RelabelClass("sidewalk", "road", 20),)))
    assert engine.submit(Request(2, 10)) is True
    assert engine.submit(Request(3, 30)) is False
    assert not np.array_equal(events.exact(3).pictures["final"], film[30])
    engine.edit(EditList())
    assert engine.submit(Request(4, 30)) is True
    assert np.array_equal(events.exact(4).pictures["final"], film[30])


def test_edits_that_do_not_suit_are_told_and_the_old_ones_stay(engine, events, settings, tmp_path):
    engine.open(settings)
    engine.submit(Request(1, 3))
    events.exact(1)
    engine.edit(EditList((RelabelClass("pavment", "road"),)))
    assert "pavment" in events.wait(lambda e: isinstance(e, Failed)).message
    engine.edit(EditList((DeleteInstance(26001),)))
    assert (
        "instance maps"
        in events.wait(lambda e: isinstance(e, Failed) and "instance" in e.message).message
    )
    assert engine.submit(Request(2, 3)) is True
    engine.edit(EditList((FirstFrame(str(tmp_path / "none.png"), 2),)))
    engine.submit(Request(3, 3))
    failed = events.wait(lambda e: isinstance(e, Failed) and e.request is not None)
    assert failed.request.id == 3
    assert "none.png" in failed.message
    engine.edit(EditList())
    assert engine.submit(Request(4, 3)) is True


def test_a_film_with_unfit_edits_opens_without_them(engine, events, settings):
    engine.open(settings, EditList((RelabelClass("pavment", "road"),)))
    events.wait(lambda e: isinstance(e, Failed))
    assert [type(e) for e in events.all] == [Opened, Failed]
    engine.submit(Request(1, 0))
    events.exact(1)


@pytest.mark.parametrize("field", ["input", "model", "device"])
def test_what_cannot_be_opened_is_a_sentence(engine, events, settings, field, tmp_path):
    generation = engine.open(settings.model_copy(update={field: str(tmp_path / "none.x")}))
    failed = events.wait(lambda e: isinstance(e, Failed))
    assert (failed.generation, failed.request, failed.details) == (generation, None, "")
    assert failed.kind in ("InputError", "ModelError", "UsageError")
    engine.open(settings)
    engine.submit(Request(1, 0))
    events.exact(1)


def test_a_frame_outside_the_film_is_a_sentence(engine, events, settings):
    engine.open(settings)
    for number, frame in ((1, FRAMES), (2, -1)):
        engine.submit(Request(number, frame))
        failed = events.wait(lambda e, n=number: isinstance(e, Failed) and e.request.id == n)
        assert f"{FRAMES} frames" in failed.message


def test_what_nobody_expected_is_told_with_details_and_work_goes_on(
    engine, events, settings, monkeypatch
):
    engine.open(settings)
    with monkeypatch.context() as broken:
        broken.setattr(Painter, "step", lambda *_: 1 / 0)
        engine.submit(Request(1, 0))
        failed = events.wait(lambda e: isinstance(e, Failed))
        assert "ZeroDivisionError" in failed.message + failed.details
    engine.submit(Request(2, 0))
    events.exact(2)


def test_a_film_is_replaced_while_it_works(
    engine, events, settings, slow, film, grey_film, scene, tmp_path
):
    engine.open(settings)
    engine.submit(Request(1, 60))
    other = grey_film(tmp_path / "other.mkv", [scene(n) for n in range(5, 15)])
    second = engine.open(settings.model_copy(update={"input": str(other)}))
    engine.submit(Request(2, 0))
    slow.release(10_000)
    events.exact(2)
    assert events.wait(lambda e: isinstance(e, Opened) and e.generation == second).frames == 10
    assert [
        a.request.id for a in events.all if isinstance(a, Answer) and a.approximation is None
    ] == [2]


def test_the_model_is_loaded_once(engine, events, settings, monkeypatch):
    import vidtrans.pipeline.setup as module

    loaded, load = [], module.load_model
    monkeypatch.setattr(module, "load_model", lambda *a, **k: loaded.append(a) or load(*a, **k))
    for labels in ("cityscapes", "cityscapes:ids"):
        generation = engine.open(settings.model_copy(update={"labels": labels}))
        events.wait(lambda e, g=generation: isinstance(e, Opened) and e.generation == g)
    assert len(loaded) == 1


def test_nothing_comes_after_close(events, settings, slow):
    engine = PreviewEngine(events)
    engine.open(settings)
    engine.submit(Request(1, 60))
    threading.Timer(0.1, slow.release, [10_000]).start()
    assert engine.close()
    told = len(events.all)
    engine.submit(Request(2, 0))
    engine.open(settings)
    time.sleep(0.05)
    assert len(events.all) == told
    assert engine.close()


def test_submitting_never_waits_for_the_model(engine, events, settings, slow):
    """A window's thread asks a hundred times while the generator is stuck in one frame."""
    engine.open(settings)
    events.wait(lambda e: isinstance(e, Opened))
    engine.submit(Request(0, 60))
    time.sleep(0.05)
    began = time.perf_counter()
    for number in range(1, 101):
        engine.submit(Request(number, number % FRAMES))
        engine.status()
        engine.edit(EditList((RelabelClass("car", "truck", number),)))
    assert (
        time.perf_counter() - began < 2.0
    )  # each of three hundred calls: milliseconds, on a busy machine too
