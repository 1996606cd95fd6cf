"""Styles of a model from films of pictures, labels and instances: ``vidtrans models styles``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np

from vidtrans.errors import InputError, ModelError, UsageError
from vidtrans.frame import LabelFrame
from vidtrans.media.reader import Reader, open_reader
from vidtrans.model import Bundle, find_bundle, read_bundle, read_folder
from vidtrans.model.card_styles import with_styles
from vidtrans.pipeline.settings import RenderSettings
from vidtrans.pipeline.setup import Render, open_render
from vidtrans.sequence.loading import load_model
from vidtrans.styles.clustering import CLUSTERS, LEAST_SHARE, make_styles

OnFrame = Callable[[int], None]


@dataclass(frozen=True)
class StyleSources:
    """The films, folders or patterns that styles are made from, frame by frame.

    Attributes:
        pictures: real pictures.
        labels: their label maps.
        instances: their instance maps, None where there are none.
        scheme: the setting ``labels``: ``auto``, a scheme, or a palette file.
        every: one frame in so many is used, at least 1.
    """

    pictures: str
    labels: str
    instances: str | None = None
    scheme: str = "auto"
    every: int = 1


def bundle_with_styles(
    model: str | PathLike[str],
    sources: StyleSources,
    *,
    clusters: int = CLUSTERS,
    seed: int = 0,
    least_share: float = LEAST_SHARE,
    device: str = "auto",
    on_frame: OnFrame | None = None,
) -> Bundle:
    """A model with styles made from films, in place of its own.

    Args:
        model: the name of an installed model, a bundle, or a published folder.
        sources: the films.
        clusters: the largest number of styles of a class, at least 1.
        seed: where k-means begins.
        least_share: instances that cover a smaller share of a frame (0..1) are left out.
        device: as in ``convert``.
        on_frame: called with the number of each frame that was read.

    Raises:
        ModelError: the model has no encoder.
        InputError: a film cannot be read, ends before the labels, or is of another size.
        UsageError: ``clusters`` or ``sources.every`` is less than 1, or the scheme is unknown.
    """
    if clusters < 1 or sources.every < 1:
        raise UsageError(
            f"clusters is {clusters} and every is {sources.every}; both are at least 1."
        )
    path = find_bundle(model)
    loaded = load_model(path, device=device)
    if loaded.networks.encoder is None or not loaded.label_nc:
        raise ModelError("has no feature encoder, and styles are made with one.", where=path)
    with ExitStack() as stack:
        pictures = stack.enter_context(open_reader(sources.pictures, labels=False))
        labels = stack.enter_context(open_reader(sources.labels))
        settings = RenderSettings(labels=sources.scheme, instances=sources.instances)
        render = stack.enter_context(open_render(labels, settings, model=loaded))
        frames = _pictured(pictures, render, sources.every, on_frame)
        centres = make_styles(loaded, frames, clusters=clusters, seed=seed, least_share=least_share)
    bundle = read_folder(path) if path.is_dir() else read_bundle(path)
    return replace(bundle, card=with_styles(bundle.card, centres))


def _pictured(
    pictures: Reader, render: Render, every: int, on_frame: OnFrame | None
) -> Iterator[LabelFrame]:
    """Label frames with their pictures. Raises InputError where another film ends before the
    labels."""
    instances = render.instances
    others = [iter(pictures)] if instances is None else [iter(pictures), iter(instances)]
    for index, frame in enumerate(render.frames):
        beside = [next(other, None) for other in others]
        for found, reader in zip(beside, (pictures, instances), strict=False):
            if found is None and reader is not None:
                raise InputError(
                    f"ends after {index} frames, and there are more label maps.",
                    where=reader.info.source,
                )
        if index % every:
            continue
        picture = beside[0]
        assert picture is not None
        read, _ = render.label_reader.read(frame, beside[1] if instances is not None else None)
        if on_frame is not None:
            on_frame(index)
        yield replace(read, image=np.asarray(picture.pixels, dtype=np.uint8))
