"""The feed: a function of seed, epoch and position, with any workers and from any place on."""

import json
import pickle
import subprocess
import sys
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from vidtrans_training.datasets.feed import Feed, Share
from vidtrans_training.datasets.geometry import Transform
from vidtrans_training.datasets.layouts import find_layout
from vidtrans_training.datasets.material import UnknownClasses, open_material
from vidtrans_training.datasets.samples import Draw, Lengths, Samples, _window
from vidtrans_training.teacher import open_teacher

from vidtrans.errors import InputError


def stills(tiny, frames=7, kind="pix2pixhd", label_nc=35, **settings) -> Samples:
    layout = find_layout(tiny.make(kind, frames))
    material = open_material(layout, labels="cityscapes:ids", label_nc=label_nc)
    return Samples(
        material, Transform("pix2pixhd", "scale_width_and_crop", 96, 32, 16), seed=3, **settings
    )


def sequences(tiny, frames=9, kind="vid2vid", **settings) -> Samples:
    layout = find_layout(tiny.make(kind, frames))
    transform = Transform("vid2vid", "scaleWidth", 96, 32, 8)
    return Samples(
        open_material(layout, labels="cityscapes:ids", label_nc=35),
        transform,
        seed=3,
        history=2,
        distances=(1, 3),
        teacher=open_teacher("auto", layout, transform),
        **settings,
    )


def fingerprints(clips) -> list[tuple]:
    return [(clip.names, float(clip.real.double().sum()), clip.size_hw) for clip in clips]


def run(feed: Feed, count: int) -> list[tuple]:
    clips = []
    while len(clips) < count:
        clips += fingerprints(islice(feed, count - len(clips)))
    feed.close()
    return clips


def test_a_still_is_one_frame_with_all_its_parts(tiny):
    (clip,) = islice(Feed(stills(tiny)), 1)
    assert clip.real.shape == (1, 3, 32, 32)
    assert clip.labels.dtype == torch.uint8
    assert clip.instances.dtype == torch.int32
    assert clip.features.shape == (1, 3, 32, 32)
    assert 26000 in clip.instances.unique() or clip.instances.max() < 100
    assert not clip.flow


def test_an_epoch_visits_every_unit_once(tiny):
    feed = Feed(stills(tiny))
    assert len(feed) == 7
    first, second = ([clip.names[0] for clip in feed] for _ in range(2))
    assert sorted(first) == sorted(second) == sorted(set(first))
    assert first != second
    assert feed.epoch == 2


def test_a_batch_of_stills_is_stacked(tiny):
    feed = Feed(stills(tiny), batch=3)
    clips = list(feed)
    assert [clip.real.shape[0] for clip in clips] == [3, 3, 3]
    assert clips[0].labels.shape == (3, 32, 32)
    assert len(clips[0].names) == 3


def test_worker_processes_change_nothing(tiny):
    samples = stills(tiny)
    assert run(Feed(samples), 16) == run(Feed(samples, workers=2), 16)


@pytest.mark.parametrize("stop", [3, 7, 9])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_resumes_to_the_sample(tiny, stop, workers):
    samples = stills(tiny)
    whole = run(Feed(samples), 16)
    feed = Feed(samples, workers=workers)
    begun = run(feed, stop)
    state = feed.state_dict()
    resumed = Feed(samples, workers=workers)
    resumed.load_state_dict(state)
    assert begun + run(resumed, 16 - stop) == whole


def test_the_place_of_another_seed_is_refused(tiny):
    feed = Feed(stills(tiny))
    with pytest.raises(ValueError, match="seed"):
        feed.load_state_dict({"seed": 4, "epoch": 0, "position": 0})


def test_a_feed_leaves_the_networks_random_numbers_alone(tiny):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    run(Feed(stills(tiny), workers=1), 2)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("batch", [1, 2])
def test_processes_share_the_batches_of_one(tiny, batch):
    samples = stills(tiny)
    alone = Feed(samples, batch=2 * batch)
    shares = [Feed(samples, batch=batch, share=Share(rank, 2)) for rank in range(2)]
    assert len(alone) == len(shares[0]) == len(shares[1])
    for whole, first, second in zip(alone, *shares, strict=True):
        assert whole.names == first.names + second.names
        assert torch.equal(whole.real, torch.cat([first.real, second.real]))


def test_a_sequence_has_flow_at_every_distance(tiny):
    feed = Feed(sequences(tiny), lengths=lambda epoch: Lengths(4, 2))
    (clip,) = islice(feed, 1)
    assert clip.real.shape == (6, 3, 64, 96)
    assert set(clip.flow) == {1, 3}
    assert not clip.flow[3][:3].any()
    assert not clip.confidence[1][:1].any()
    # 2 pixels of 128 to the left; at 96 wide 1.5, to the other side where mirrored.
    inside = clip.flow[1][1:, 0, :, 16:-16].median()
    assert abs(abs(float(inside)) - 1.5) < 0.2
    inside = clip.flow[3][3:, 0, :, 16:-16].median()
    assert abs(abs(float(inside)) - 4.5) < 0.4
    assert clip.confidence[1][1:].mean() > 0.8


@pytest.mark.parametrize("flip", [False, True])
def test_the_street_tells_where_the_camera_is(tiny, flip):
    layout = find_layout(tiny.make("world"))
    route = [[float(n), 5.0, 8.0 + n] for n in range(5)]
    layout.sequences[0].world.write_text(json.dumps({"route": route}))
    samples = Samples(
        open_material(layout, labels="cityscapes:ids"),
        Transform("street", "scaleWidth", 128, 128, 16, flip=flip),
        seed=3,
        history=1,
    )
    seen = set()
    for position in range(8):
        clip = samples.draw(Draw(0, position, 0, Lengths(2, 1))).clip
        frames = [int(name.split("/")[-1].split(".")[0]) for name in clip.names]
        left, right = clip.scene[0, 1:].tolist()
        seen.add(left == 5)
        assert clip.scene[:, 0].tolist() == frames
        assert {left, right} == {5, 8 + frames[0]}
    assert seen == ({True, False} if flip else {True})
    layout.sequences[0].world.write_text(json.dumps({"route": route[1:]}))
    with pytest.raises(InputError, match=r"world\.json: route has the shape \(4, 3\)"):
        samples.draw(Draw(0, 0, 0, Lengths(2, 1)))


def test_sequences_lengthen_with_the_epochs(tiny):
    feed = Feed(sequences(tiny), lengths=lambda epoch: Lengths(2 * 2**epoch, 2))
    lengths = [[len(clip) for clip in feed] for _ in range(3)]
    assert lengths == [[4, 4], [6, 6], [8, 8]]  # 9 frames: 7 generated at most, in twos


def test_an_epoch_visits_a_sequence_as_often_as_asked(tiny):
    feed = Feed(sequences(tiny, visits=3), lengths=lambda epoch: Lengths(1, 1))
    starts = [clip.names[0] for clip in feed]
    assert len(starts) == 6
    assert len(set(starts)) > 2


def test_windows_are_whole_chunks_at_steps_that_fit():
    seen = set()
    for seed in range(300):
        indices = _window(12, Lengths(4, 2), 2, 3, np.random.default_rng(seed))
        (step,) = {b - a for a, b in pairwise(indices)}
        assert len(indices) == 6
        assert 0 <= indices[0] <= indices[-1] < 12
        seen.add((step, indices[0]))
    assert {step for step, _ in seen} == {1, 2}  # at 3 the sequence is too short
    assert {start for step, start in seen if step == 1} == set(range(7))
    assert {start for step, start in seen if step == 2} == {0, 1}


def test_from_nothing_the_first_generated_frame_may_be_the_first_of_all():
    draws = [np.random.default_rng(seed) for seed in range(300)]
    windows = [_window(9, Lengths(3, 1), 2, 2, rng, from_nothing=True) for rng in draws]
    assert [0, 0, 0, 1, 2] in windows
    assert [0, 0, 1, 2, 3] in windows
    assert [0, 0, 0, 2, 4] in windows
    assert max(indices[-1] for indices in windows) == 8
    assert {len(indices) for indices in windows} == {5}


def test_frames_before_a_sequence_are_its_first_and_stand_still(tiny):
    feed = Feed(sequences(tiny, from_nothing=True, visits=20), lengths=lambda epoch: Lengths(2, 1))
    clip = next(clip for clip in feed if clip.names[0] == clip.names[2])
    assert torch.equal(clip.real[0], clip.real[2])
    assert not clip.flow[1][:3].any()
    assert clip.confidence[1][1:3].all()
    assert clip.flow[1][3, 0].abs().median() > 0.5
    assert clip.flow[3][3, 0].abs().median() > 0.5  # one frame lies between


def test_a_sequence_shorter_than_a_chunk_is_one_short_chunk():
    assert _window(5, Lengths(6, 6), 2, 1, np.random.default_rng(0)) == [0, 1, 2, 3, 4]


def test_one_picture_alone_trains_stills_and_no_sequences(tiny):
    samples = stills(tiny, frames=1)
    assert [len(clip) for clip in Feed(samples)] == [1]
    with pytest.raises(InputError, match="no sequence has 3 frames; the longest has 1"):
        sequences(tiny, frames=1)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_corrupt_picture_in_the_middle_of_an_epoch_does_not_end_the_run(tiny, workers):
    samples = stills(tiny)
    bad = tiny.root / "pix2pixhd/train_img/0004.png"
    bad.write_bytes(bad.read_bytes()[:200])
    told = []
    feed = Feed(samples, workers=workers, on_fault=lambda fault, epoch: told.append((fault, epoch)))
    names = [clip.names[0] for clip in feed]
    assert len(names) == 7
    assert str(bad) not in names
    ((fault, epoch),) = told
    assert (fault.where, epoch) == (str(bad), 0)
    assert "truncated or damaged" in fault.message
    assert len(list(feed)) == 7
    assert [epoch for _, epoch in told] == [0, 1]
    feed.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_picture_ends_a_strict_run_with_its_name(tiny, workers):
    samples = stills(tiny, strict=True)
    bad = tiny.root / "pix2pixhd/train_img/0004.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"0004\.png") as caught:
        list(Feed(samples, workers=workers))
    assert "Traceback" not in str(caught.value)


def test_a_data_set_of_damaged_files_ends_the_run(tiny):
    samples = stills(tiny)
    for path in (tiny.root / "pix2pixhd/train_img").iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        list(Feed(samples))


@pytest.mark.parametrize("workers", [0, 1])
def test_unknown_classes_end_the_run(tiny, workers):
    with pytest.raises(UnknownClasses, match="label_nc is 20"):
        list(Feed(stills(tiny, label_nc=20), workers=workers))


def test_samples_can_be_sent_to_another_process(tiny):
    samples = sequences(tiny)
    draw = Draw(0, 0, 0, Lengths(2, 2))
    again = pickle.loads(pickle.dumps(samples))
    assert torch.equal(again.draw(draw).clip.real, samples.draw(draw).clip.real)


@pytest.mark.posix
@pytest.mark.parametrize(
    "fault", ["raise ValueError('the step failed')", "kill(workers[0].pid, 9)"]
)
def test_a_run_that_fails_in_the_middle_of_an_epoch_ends(tiny, tmp_path, fault):
    """Workers ignore SIGTERM, by which multiprocessing ends them at exit before it waits."""
    pickled = tmp_path / "samples"
    pickled.write_bytes(pickle.dumps(stills(tiny)))
    program = f"""
import multiprocessing, pickle
from os import kill
from pathlib import Path
from vidtrans_training.datasets.feed import Feed
feed = Feed(pickle.loads(Path({str(pickled)!r}).read_bytes()), workers=2)
for clip in feed:
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    {fault}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "Exception ignored" not in done.stderr
