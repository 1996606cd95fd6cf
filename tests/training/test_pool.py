"""The pool of generated pictures."""

import torch
from vidtrans_training.pool import PicturePool


def pair(number: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), float(number))


def test_without_a_size_there_is_no_pool():
    pool = PicturePool(0)
    assert [pool.query(pair(n)).item() for n in range(3)] == [0, 1, 2]
    assert pool.pairs == []


def test_pairs_go_in_until_it_is_full_then_old_ones_come_out():
    pool = PicturePool(3, seed=5)
    assert [pool.query(pair(n)).item() for n in range(3)] == [0, 1, 2]
    used = [pool.query(pair(n)).item() for n in range(3, 203)]
    old = sum(value < n for n, value in enumerate(used, start=3))
    # Half of 200, give or take four deviations of a fair coin.
    assert 100 - 29 < old < 100 + 29
    assert len(pool.pairs) == 3
    # What came out was replaced: nothing is used twice.
    assert len(set(used)) == len(used)


def test_a_state_put_back_goes_on_the_same_way():
    pool, other = PicturePool(2, seed=1), PicturePool(2, seed=9)
    for number in range(6):
        pool.query(pair(number))
    other.load_state_dict(pool.state_dict())
    assert [pool.query(pair(n)).item() for n in range(9)] == [
        other.query(pair(n)).item() for n in range(9)
    ]


def test_a_fixed_pool_stores_nothing_and_queries_are_detached():
    pool = PicturePool(2)
    with pool.fixed():
        pool.query(pair(1))
    assert pool.pairs == []
    assert not pool.query(pair(1).requires_grad_(True)).requires_grad
