"""An open film with a model, ready for random access."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from vidtrans.labels.edit import EditList
from vidtrans.media.times import FilmTimes
from vidtrans.model.card_styles import card_scheme
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.pipeline.setup import Render, open_render, open_source
from vidtrans.pipeline.sizing import Sizing
from vidtrans.preview.access import RandomAccess
from vidtrans.preview.records import Budgets, Opened, PreviewScale
from vidtrans.preview.scale import scale_factor
from vidtrans.preview.source import LabelSource
from vidtrans.sequence.model import Model


@dataclass(frozen=True, eq=False)
class Film:
    """An open film and random access to its pictures.

    Attributes:
        render: What ``convert`` opens for the same settings.
        access: Random access to the pictures.
        full_hw: Height and width of the pictures that ``convert`` writes.
        times: When each frame is shown.
    """

    render: Render
    access: RandomAccess
    full_hw: tuple[int, int]
    times: FilmTimes

    @property
    def model(self) -> Model:
        """The model that paints."""
        return self.render.painter.model

    def opened(self, generation: int) -> Opened:
        """The properties of the film and of the model, as an event of ``generation``."""
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
            model_scheme=card_scheme(model.card, where=model.card.name or "the model"),
            label_nc=model.label_nc,
            has_instances=self.access.source.has_instances,
            device=str(model.device),
            precision=model.precision,
            full_hw=self.full_hw,
            times=self.times,
            remarks=render.remarks,
        )


@contextmanager
def open_film(
    settings: ConvertSettings,
    budgets: Budgets,
    *,
    model: Model | None = None,
    scale: PreviewScale = "full",
) -> Iterator[Film]:
    """Open what ``convert`` would open, without edits.

    Args:
        settings: The settings; output and encoder are ignored.
        budgets: Limits of memory.
        model: The model that ``settings`` name, if it is loaded already.
        scale: The size of the pictures.

    Yields:
        The open film. It is closed at the end of the context.

    Raises:
        InputError: The film, the instance maps or a picture cannot be read.
        ModelError: The model cannot be loaded.
        UsageError: The settings do not suit the film or the model.
    """
    asked = settings.render.model_copy(update={"edits": EditList()})
    with ExitStack() as stack:
        reader = stack.enter_context(open_source(settings))
        full_hw = Sizing.plan(reader.info.size_hw, asked.size_hw, asked.fit).scaled_hw
        factor = scale_factor(scale, full_hw, asked)
        if factor > 1:
            size_hw = max(1, round(full_hw[0] / factor)), max(1, round(full_hw[1] / factor))
            asked = asked.model_copy(update={"size_hw": size_hw, "fit": "resize"})
        render = stack.enter_context(open_render(reader, asked, model=model, given_hw=full_hw))
        source = LabelSource(
            render.reader,
            render.label_reader,
            instances=render.instances,
            budget=budgets.label_bytes,
        )
        access = RandomAccess(source, render.painter, render.start(), budgets)
        yield Film(render, access, full_hw, reader.times())
