"""The boundary plane: where one instance ends and the next begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vidtrans.frame import Ids


def boundary(instances: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Where a pixel's instance id differs from that of any of its four neighbours.

    Both sides of an edge are set; the border of the picture is none. It is the published systems'
    edge map (Wang et al. 2018a, section 3.2).

    Args:
        instances: any integer type, [H,W].

    Returns:
        bool [H,W].
    """
    edges = np.zeros(instances.shape, np.bool_)
    across = instances[:, 1:] != instances[:, :-1]
    edges[:, 1:] = across
    edges[:, :-1] |= across
    down = instances[1:] != instances[:-1]
    edges[1:] |= down
    edges[:-1] |= down
    return edges


def instances_from_labels(ids: Ids) -> npt.NDArray[np.int32]:
    """Instance ids where there is no instance map: each class is one instance.

    Boundaries then run between classes. Cityscapes' instance maps do so for stuff, which keeps its
    plain id.

    Args:
        ids: uint8 or uint16 [H,W].

    Returns:
        int32 [H,W].
    """
    return ids.astype(np.int32)
