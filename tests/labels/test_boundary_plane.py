"""Boundaries against a plain loop, as the definition has it."""

import cv2
import numpy as np
import pytest

from vidtrans.labels import boundary, instances_from_labels


def by_loop(instances):
    height, width = instances.shape
    rows = instances.tolist()
    edges = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < height and 0 <= u < width and rows[v][u] != rows[y][x]:
                    edges[y, x] = True
    return edges


def test_both_sides_of_a_boundary():
    instances = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [3, 1, 2, 2]], np.int32)
    assert boundary(instances).astype(int).tolist() == [[0, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (13, 9)])
def test_any_shape(shape):
    instances = np.random.default_rng(3).integers(0, 3, shape, dtype=np.int32) * 1000
    assert np.array_equal(boundary(instances), by_loop(instances))


def test_ids_that_differ_by_256_or_65536_are_different():
    assert boundary(np.array([[0, 256, 65792]], np.int32)).all()


def test_real_instance_maps(real):
    paths = sorted((real / "pairs" / "instances").glob("*.png"))
    assert len(paths) == 4
    for place, path in enumerate(paths):
        whole = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.int32)
        edges = boundary(whole)
        # The first map whole; of the others the band where cars and people are, since a plain loop
        # is slow.
        rows = slice(0, whole.shape[0]) if place == 0 else slice(400, 520)
        assert np.array_equal(edges[rows][1:-1], by_loop(whole[rows])[1:-1])
        assert 0.001 < edges.mean() < 0.1


def test_instances_for_want_of_a_map():
    ids = np.array([[7, 7, 26]], np.uint8)
    instances = instances_from_labels(ids)
    assert instances.dtype == np.int32
    assert boundary(instances).tolist() == [[False, True, True]]
