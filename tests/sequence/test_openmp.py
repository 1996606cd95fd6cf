"""The workers of PyTorch's operations on a CPU."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from vidtrans.sequence import openmp
from vidtrans.sequence.openmp import end_idle_workers

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or openmp._runtime() is None,
    reason="PyTorch has another runtime than GNU's OpenMP here",
)


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def test_the_workers_of_the_calling_thread_end_and_come_again():
    """In a thread of its own, so that its workers end with it whatever happens."""

    def count() -> list[int]:
        before = torch.get_num_threads()
        torch.set_num_threads(3)
        try:
            counts = [threads()]
            for _ in range(2):
                torch.ones(1 << 20).add_(1)
                counts.append(threads())
                end_idle_workers()
                counts.append(threads())
            return counts
        finally:
            torch.set_num_threads(before)

    with ThreadPoolExecutor(1) as pool:
        start, *counts = pool.submit(count).result()
    assert [n - start for n in counts] == [2, 0, 2, 0]


def test_another_runtime_is_left_alone(monkeypatch):
    monkeypatch.setattr(openmp, "_runtime", lambda: None)
    end_idle_workers()
