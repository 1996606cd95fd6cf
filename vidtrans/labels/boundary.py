"""The boundary plane: where one instance ends and the next begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vidtrans.frame import Ids


def boundary(instances: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """True where a pixel's instance id differs from that of any of its four neighbours; both sides
    are set.

    int32 (any integer type) [H,W] -> bool [H,W]. The border of the picture is no boundary.
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
    """Instances for want of an instance map: every class is one thing, so boundaries run between
    classes.

    [H,W] ids -> int32 [H,W]. It is what Cityscapes' own maps do for stuff, which keeps its plain
    id.
    """
    return ids.astype(np.int32)
