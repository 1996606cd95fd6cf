"""From settings to samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidtrans.errors import InputError, UsageError
from vidtrans_training.datasets.layouts import Condition, find_layout, rendered_streets
from vidtrans_training.datasets.material import Material, open_material
from vidtrans_training.datasets.samples import Samples
from vidtrans_training.datasets.sources import Layout
from vidtrans_training.teacher import open_teacher

if TYPE_CHECKING:
    from vidtrans_training.settings import TrainingSettings

_SHOWN = 3
"""So many problems are named in a refusal; ``vidtrans-train check`` names all."""


@dataclass(frozen=True)
class TrainingData:
    """``training``: what is learned from. ``held_out``: sequences kept for sample films, None
    where none are."""

    training: Samples
    held_out: Samples | None


def layout_of(settings: TrainingSettings) -> Layout:
    """The layout that the settings name, without reading a pixel."""
    data = settings.data
    condition: Condition = "labels" if settings.label_nc else "pictures"
    if data.world is not None:
        return rendered_streets(
            data.root,
            streets=data.world.streets,
            frames=data.world.frames,
            size_hw=data.world.size,
            first_seed=data.world.first_seed,
            kind=data.world.kind,
            condition=condition,
        )
    return find_layout(
        data.root,
        kind=data.layout,
        phase=data.phase,
        direction=data.direction,
        condition=condition,
    )


def material_of(settings: TrainingSettings, layout: Layout) -> Material:
    """The layout opened as the settings say."""
    return open_material(
        layout,
        labels=settings.data.labels,
        scheme=settings.data.scheme,
        label_nc=settings.label_nc,
        unknown_ids=settings.data.unknown_ids,
    )


def samples_of(settings: TrainingSettings, material: Material) -> Samples:
    """Samples of a material."""
    transform, data = settings.transform, settings.data
    teacher = None
    if settings.distances:
        teacher = open_teacher(
            data.flow,
            material.layout,
            transform,
            cache=data.flow_cache,
            weights=data.flow_weights,
        )
    return Samples(
        material,
        transform,
        seed=settings.run.seed,
        history=settings.history,
        from_nothing=getattr(settings.options, "no_first_img", False),
        max_t_step=data.max_t_step,
        visits=data.visits,
        distances=settings.distances,
        teacher=teacher,
        strict=data.strict,
    )


def open_data(settings: TrainingSettings) -> TrainingData:
    """Everything that a run reads, checked as far as it can be without reading every file.

    Raises:
        InputError: There is no data, files have no partners, the first pictures cannot be read or
            are too small, or no sequence is long enough.
        UsageError: The data lacks what the options need.
    """
    layout = layout_of(settings)
    fatal = [problem for problem in layout.problems if problem.fatal]
    if fatal:
        shown = " ".join(str(problem) for problem in fatal[:_SHOWN])
        more = f" There are {len(fatal) - _SHOWN} more." if len(fatal) > _SHOWN else ""
        raise InputError(
            f"files have no partners. {shown}{more}",
            where=layout.root,
            hint=f"vidtrans-train check {layout.root} names them all.",
        )
    material = material_of(settings, layout)
    _check_parts(settings, layout)
    names = {clip.name for clip in layout.sequences}
    for name in settings.data.hold_out:
        if name not in names:
            raise UsageError(f"data.hold_out: there is no sequence '{name}' in {layout.root}.")
    training = samples_of(settings, material.without(settings.data.hold_out))
    size = training.material.size_hw()
    settings.transform.check(size)
    held_out = None
    if settings.data.hold_out:
        held_out = samples_of(settings, material.only(settings.data.hold_out))
    return TrainingData(training, held_out)


def _check_parts(settings: TrainingSettings, layout: Layout) -> None:
    options = settings.options
    needs_things = getattr(options, "use_instance", False) or (
        settings.system == "pix2pixhd" and not options.no_instance
    )
    if needs_things and not settings.label_nc and not layout.has_instances:
        raise UsageError(
            f"{layout.root} has no instance maps, and pictures are translated, so there are no"
            " boundaries.",
            hint="Set options.no_instance = true (pix2pixhd) or use_instance = false (vid2vid).",
        )
    if getattr(options, "load_features", False):
        frames = (frame for clip in layout.sequences for frame in clip.frames)
        if any(frame.features is None for frame in frames):
            raise UsageError(
                f"{layout.root} has no feature pictures ({settings.data.phase}_feat).",
                hint="Leave options.load_features out to train the encoder along.",
            )
