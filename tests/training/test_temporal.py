"""Which frames a temporal discriminator sees, and which are kept between chunks."""

import torch
from vidtrans_training.temporal import Frames, TemporalScale


def frames(first: int, count: int) -> Frames:
    """Frames whose pictures hold their number, real ones plus 100, and whose flow 20 times it."""
    numbers = torch.arange(first, first + count, dtype=torch.float32).view(-1, 1, 1, 1)
    return Frames(numbers + 100, numbers, 20 * numbers.expand(-1, 2, -1, -1))


def seen(groups) -> list[list[float]]:
    """The numbers of each group's generated frames."""
    return groups.fake[:, :-4, 0, 0].tolist() if groups.fake.shape[1] > 4 else []


def test_groups_end_at_the_newest_frame_and_every_third_before_it():
    groups, kept = TemporalScale(0, 3).groups(None, frames(0, 7), 0)
    assert seen(groups) == [[4, 5, 6], [1, 2, 3]]
    assert groups.real[0, :, 0, 0].tolist() == [104, 105, 106, 5, 5, 6, 6]
    assert groups.fake[0, 3:, 0, 0].tolist() == groups.real[0, 3:, 0, 0].tolist()
    assert kept.fake.flatten().tolist() == [5, 6]


def test_distant_groups_wait_until_there_are_enough_frames():
    scale = TemporalScale(1, 3)
    groups, kept = scale.groups(None, frames(0, 4), 0)
    assert groups is None
    groups, kept = scale.groups(kept, frames(4, 4), 4)
    assert seen(groups) == [[1, 4, 7]]
    assert kept.fake.flatten().tolist() == [2, 3, 4, 5, 6, 7]
    groups, kept = scale.groups(kept, frames(8, 4), 8)
    assert seen(groups) == [[5, 8, 11], [2, 5, 8]]


def test_groups_of_two():
    groups, _ = TemporalScale(1, 2).groups(None, frames(0, 5), 0)
    assert groups.fake[:, :2, 0, 0].tolist() == [[2, 4], [0, 2]]
    assert groups.fake.shape[1] == 2 + 2


def test_a_group_ends_in_the_new_chunk():
    scale = TemporalScale(0, 3)
    _, kept = scale.groups(None, frames(0, 4), 0)
    groups, _ = scale.groups(kept, frames(4, 1), 4)
    assert seen(groups) == [[2, 3, 4]]


def test_sparse_groups_do_not_overlap_and_take_adjacent_flow():
    near, far = TemporalScale(0, 3, sparse=True), TemporalScale(1, 3, sparse=True)
    assert (near.flow_distance, far.flow_distance, TemporalScale(1, 3).flow_distance) == (1, 1, 3)
    groups, kept = near.groups(None, frames(0, 7), 0)
    assert seen(groups) == [[1, 2, 3], [4, 5, 6]]
    assert kept.fake.flatten().tolist() == [5, 6]
    groups, kept = far.groups(None, frames(0, 7), 0)
    assert seen(groups) == [[0, 3, 6]]
    # Frames 9 and 12 lie in the next chunk, which begins at frame 7.
    groups, kept = far.groups(kept, frames(7, 7), 7)
    assert seen(groups) == [[6, 9, 12]]


def test_kept_frames_do_not_remember_how_they_were_generated():
    new = frames(0, 4)
    fake = new.fake.clone().requires_grad_(True)
    _, kept = TemporalScale(0, 3).groups(None, Frames(new.real, fake * 2, new.flow), 0)
    assert not kept.fake.requires_grad
