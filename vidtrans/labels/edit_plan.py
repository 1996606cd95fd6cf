"""Edits resolved to a model's planes, and applied to label frames.

Labels and instances change together, before boundaries are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from vidtrans.errors import InputError, Remedy, UsageError
from vidtrans.frame import Bytes, LabelFrame, StyleChoice
from vidtrans.labels.edit import (
    DeleteInstance,
    Edit,
    EditList,
    FirstFrame,
    RelabelClass,
    RelabelInstance,
    ResetAt,
    StyleClass,
    StyleInstance,
)
from vidtrans.labels.scheme import Scheme, canonical

Instances = npt.NDArray[np.int32]
_SAMPLE = 4096
"""Pixels of a class in which its commonest instance id is looked for. All pixels of a large picture
would take longer than the rest of the edit."""


@dataclass(frozen=True)
class EditPlan:
    """Edits resolved for a model: a pure function of label frames.

    Attributes:
        edits: the edits, in the order in which they apply.
        planes: pairs of a class name that occurs in ``edits`` and the model's plane of it.
        things: planes that have instances.
        fill_plane: the plane that a deleted instance leaves where it covered the whole picture.
    """

    edits: EditList = field(default_factory=EditList)
    planes: tuple[tuple[str, int], ...] = ()
    things: frozenset[int] = frozenset()
    fill_plane: int = 0

    @classmethod
    def of(cls, edits: EditList, scheme: Scheme | None, label_nc: int) -> EditPlan:
        """Resolves the class names of ``edits``.

        Args:
            edits: the edits.
            scheme: names the model's planes; None: class names in ``edits`` are plane numbers.
            label_nc: the model's label planes; 0: it paints from pictures.

        Raises:
            UsageError: the model has no class of a name (the nearest are offered), or no labels.
        """
        names: dict[str, int] = {}
        for edit in edits.edits:
            if isinstance(edit, RelabelClass | RelabelInstance | DeleteInstance) and label_nc == 0:
                raise UsageError("the model paints from pictures, so there are no labels to edit.")
            for name in _names(edit):
                names[name] = _plane(name, scheme, label_nc)
        classes = [
            entry
            for entry in (() if scheme is None else scheme.classes)
            if 0 <= entry.id < label_nc
        ]
        things = frozenset(entry.id for entry in classes if entry.has_instances)
        unlabeled = (entry.id for entry in classes if canonical(entry.name) == "unlabeled")
        return cls(edits, tuple(names.items()), things, next(unlabeled, 0))

    def active(self, index: int) -> tuple[Edit, ...]:
        """The edits whose range holds frame ``index``, in order."""
        return tuple(edit for edit in self.edits.edits if edit.active(index))

    def apply(self, labels: LabelFrame) -> LabelFrame:
        """``labels`` after every edit whose range holds its index.

        Returns:
            The changed frame; the same object where nothing changes.

        Raises:
            InputError: an edit is about an instance and the frame has no instance map.
        """
        plane = dict(self.planes)
        ids, instances = labels.ids, labels.instances
        for edit in self.active(labels.index):
            if isinstance(edit, RelabelClass):
                ids, instances = self._relabel(
                    ids, instances, ids == plane[edit.source], plane[edit.target]
                )
            elif isinstance(edit, RelabelInstance | DeleteInstance):
                if instances is None:
                    raise InputError(
                        f"an edit is about instance {edit.instance}, and there is no instance map.",
                        frame=labels.index,
                        remedy=Remedy("Give one with {instances}."),
                    )
                chosen = instances == edit.instance
                if not chosen.any():
                    continue
                if isinstance(edit, RelabelInstance):
                    ids, instances = self._relabel(ids, instances, chosen, plane[edit.target])
                else:
                    ids, instances = self._delete(ids, instances, chosen)
        styles = self.style_choice(labels.index)
        if ids is labels.ids and instances is labels.instances and styles is None:
            return labels
        return replace(labels, ids=ids, instances=instances, styles=styles or labels.styles)

    def resets(self, index: int) -> bool:
        """Whether the history is reset before frame ``index`` because of an edit."""
        return any(
            edit.start == index
            for edit in self.edits.edits
            if isinstance(edit, ResetAt | FirstFrame)
        )

    def picture(self, index: int) -> Path | None:
        """The picture file given as frame ``index``; the last of several."""
        given = [
            edit
            for edit in self.edits.edits
            if isinstance(edit, FirstFrame) and edit.start == index
        ]
        return Path(given[-1].picture) if given else None

    def styles(self, index: int) -> tuple[StyleClass | StyleInstance, ...]:
        """The edits that choose styles in frame ``index``; of two for the same thing the later
        counts."""
        return tuple(
            edit for edit in self.active(index) if isinstance(edit, StyleClass | StyleInstance)
        )

    def style_choice(self, index: int) -> StyleChoice | None:
        """The styles of frame ``index`` by plane and instance id; None where none is chosen."""
        plane = dict(self.planes)
        chosen = self.styles(index)
        if not chosen:
            return None
        return StyleChoice(
            tuple(
                (plane[edit.name], edit.style) for edit in chosen if isinstance(edit, StyleClass)
            ),
            tuple(
                (edit.instance, edit.style) for edit in chosen if isinstance(edit, StyleInstance)
            ),
        )

    def _relabel(
        self, ids: Bytes, instances: Instances | None, chosen: npt.NDArray[np.bool_], target: int
    ) -> tuple[Bytes, Instances | None]:
        if not chosen.any():
            return ids, instances
        changed = ids.copy()
        changed[chosen] = target
        if instances is None or target in self.things:
            return changed, instances
        # A class without instances is one area: without this, the shapes of what was there would
        # stay as boundaries.
        merged = instances.copy()
        merged[chosen] = _area_id(ids, instances, chosen, target)
        return changed, merged

    def _delete(
        self, ids: Bytes, instances: Instances, chosen: npt.NDArray[np.bool_]
    ) -> tuple[Bytes, Instances]:
        # From stuff where there is any, else the car beside a deleted one would grow into the gap.
        things = np.isin(ids, list(self.things)) if self.things else np.zeros_like(chosen)
        for source in (~(chosen | things), ~chosen):
            if source.any():
                break
        else:
            return np.full_like(ids, self.fill_plane), np.full_like(instances, self.fill_plane)
        _, nearest = cv2.distanceTransformWithLabels(
            (~source).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        # OpenCV numbers the source pixels from 1 in its own order; at a source pixel the number is
        # its own.
        place_of = np.empty(int(nearest.max()) + 1, np.int64)
        places = np.flatnonzero(source)
        place_of[nearest.ravel()[places]] = places
        from_ = place_of[nearest[chosen]]
        filled, merged = ids.copy(), instances.copy()
        filled[chosen] = ids.ravel()[from_]
        merged[chosen] = instances.ravel()[from_]
        return filled, merged


def _names(edit: Edit) -> Sequence[str]:
    if isinstance(edit, RelabelClass):
        return edit.source, edit.target
    if isinstance(edit, RelabelInstance):
        return (edit.target,)
    return (edit.name,) if isinstance(edit, StyleClass) else ()


def _plane(name: str, scheme: Scheme | None, label_nc: int) -> int:
    if name.strip().isdecimal():
        plane = int(name)
    elif scheme is None:
        raise UsageError(f"the model knows its classes by number only, and {name!r} is no number.")
    else:
        plane = scheme.find(name).id
    if not 0 <= plane < label_nc:
        raise UsageError(
            f"class {name!r} is plane {plane}, and the model has the planes 0 to {label_nc - 1}."
        )
    return plane


def _area_id(ids: Bytes, instances: Instances, chosen: npt.NDArray[np.bool_], target: int) -> int:
    """The instance id for pixels that become class ``target``, which has no instances: the
    commonest id of the class's other pixels, else ``target`` itself if that id is free, else a new
    one."""
    there = instances[(ids == target) & ~chosen]
    if there.size:
        values, counts = np.unique(there[:: max(1, there.size // _SAMPLE)], return_counts=True)
        return int(values[counts.argmax()])
    if not (instances[~chosen] == target).any():
        return target
    return int(instances.max()) + 1
