"""An open film with a model, ready for random access."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vidtrans.labels.edit import EditList
from vidtrans.labels.scheme import load_scheme
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.pipeline.setup import Render, open_input
from vidtrans.preview.access import RandomAccess
from vidtrans.preview.records import Budgets, Opened
from vidtrans.preview.source import LabelSource
from vidtrans.sequence.model import Model


@dataclass(frozen=True, eq=False)
class Film:
    """What ``convert`` would open for the same settings, and random access to it."""

    render: Render
    access: RandomAccess

    @property
    def model(self) -> Model:
        return self.render.painter.model

    def opened(self, generation: int) -> Opened:
        """The film's facts, for whoever shows them."""
        render, model = self.render, self.model
        detection = render.detection
        return Opened(
            generation=generation,
            info=render.info,
            frames=self.access.frames,
            size_hw=render.painter.sizing.scaled_hw,
            card=model.card,
            scheme=render.label_reader.scheme,
            encoding="pictures" if detection is None else detection.encoding,
            reasons=() if detection is None else detection.reasons,
            model_scheme=load_scheme(model.label_scheme) if model.label_scheme else None,
            label_nc=model.label_nc,
            has_instances=self.access.source.has_instances,
            device=str(model.device),
            precision=model.precision,
        )


@contextmanager
def open_film(
    settings: ConvertSettings, budgets: Budgets, *, model: Model | None = None
) -> Iterator[Film]:
    """Open what ``convert`` would open, without edits. ``model``: the one that ``settings`` name,
    if it is loaded already.

    Raises InputError, ModelError or UsageError with one sentence; nothing is left open.
    """
    without_edits = settings.model_copy(update={"edits": EditList()})
    with open_input(without_edits, model=model) as render:
        source = LabelSource(
            render.reader,
            render.label_reader,
            instances=render.instances,
            budget=budgets.label_bytes,
        )
        yield Film(render, RandomAccess(source, render.painter, render.start(), budgets))
