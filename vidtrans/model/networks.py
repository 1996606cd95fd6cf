"""The networks of a model, built from its card and tensors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vidtrans.errors import ModelError
from vidtrans.labels.scheme import load_scheme
from vidtrans.model.card import Card
from vidtrans.model.card_styles import check_card_styles
from vidtrans.model.street_classes import foreground_classes, street_classes
from vidtrans.model.tensor_check import check_tensors
from vidtrans.nets.dropout import has_dropout
from vidtrans.nets.painting import Generator
from vidtrans.nets.pix2pix import Pix2PixConfig, UNet
from vidtrans.nets.pix2pixhd import Encoder, EncoderConfig, Pix2PixHD, Pix2PixHDConfig
from vidtrans.nets.resnet import Resnet, ResnetConfig
from vidtrans.nets.vid2vid import Vid2Vid, Vid2VidConfig
from vidtrans.nets.viewport import Viewport
from vidtrans.validation import did_you_mean, first_problem

_LARGEST = {
    "channels": 4096,
    "blocks": 64,
    "local_blocks": 64,
    "scales": 6,
    "downsamplings": 8,
    "local_enhancers": 4,
}
"""The largest values that a card may ask for, far above all published ones: a card that asks for
more is refused before memory or time are spent."""
_LARGEST_OTHER = 4096
_LONGEST_LIST = 256  # as many as there are label planes


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of a model.

    Attributes:
        card: the model's card.
        generator: the generator.
        first: the single-image generator of vid2vid's first frames, None where there is none.
        encoder: pix2pixHD's feature encoder, None where there is none.
    """

    card: Card
    generator: Generator
    first: Pix2PixHD | None = None
    encoder: Encoder | None = None

    def modules(self) -> Iterator[nn.Module]:
        """The networks that there are, the generator first."""
        for network in (self.generator, self.first, self.encoder):
            if network is not None:
                yield cast(nn.Module, network)

    def tensors(self) -> dict[str, Tensor]:
        """All parameters and buffers by their bundle names (see `vidtrans.model.bundle`)."""
        return dict(_named(self.generator, self.first, self.encoder))

    @property
    def config(self) -> Any:
        """The generator's configuration."""
        return self.generator.config  # type: ignore[attr-defined]

    @property
    def label_nc(self) -> int:
        """Label planes that the generator takes; 0: it takes pictures."""
        return int(getattr(self.config, "label_nc", 0))

    @property
    def use_boundary(self) -> bool:
        """Whether the generator takes a plane of instance boundaries."""
        if self.card.architecture == "street":
            return True
        return bool(getattr(self.config, "use_instance", False))

    @property
    def feature_nc(self) -> int:
        """Style planes that the generator takes; 0 where it takes none."""
        return int(getattr(self.config, "feature_nc", 0))

    @property
    def has_dropout(self) -> bool:
        """Whether the generator has layers that may drop values at test time."""
        return has_dropout(cast(nn.Module, self.generator))

    @property
    def output_nc(self) -> int:
        """Channels of the pictures that the generator paints."""
        return int(getattr(self.config, "output_nc", 3))

    @property
    def image_nc(self) -> int:
        """Channels of the pictures that the model takes, for its generator or its encoder; 0: it
        takes none."""
        if not self.label_nc:
            return int(getattr(self.config, "input_nc", 3))
        return 0 if self.encoder is None else self.encoder.config.input_nc

    @property
    def scales(self) -> int:
        """Scales of the generator's pyramid; its history has pictures of each."""
        return int(getattr(self.config, "scales", 1))

    @property
    def size_multiple(self) -> int:
        """Pixels: every network takes heights and widths that are multiples of it."""
        return math.lcm(*(int(cast(Any, network).size_multiple) for network in self.modules()))

    def padded(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """The smallest size at least as large as ``size_hw`` that every network takes."""
        multiple = self.size_multiple
        least = max(int(getattr(network, "smallest_side", 1)) for network in self.modules())
        height, width = (math.ceil(max(side, least) / multiple) * multiple for side in size_hw)
        return height, width

    def viewport(self, size_hw: tuple[int, int], least_hw: tuple[int, int] = (1, 1)) -> Viewport:
        """How a film's picture of ``size_hw`` lies in the working picture that the networks see.

        Args:
            size_hw: Height and width of the film's picture.
            least_hw: The working picture is at least so large; what is more than ``size_hw`` is
                padding.
        """
        height, width = (max(pair) for pair in zip(size_hw, least_hw, strict=True))
        grid = getattr(self.generator, "padding_grid", None)
        return Viewport.padded(size_hw, self.padded((height, width)), grid)


def build(card: Card, tensors: Mapping[str, Tensor], *, where: str) -> Networks:
    """Builds the networks of a model. No memory is taken before card and tensors are known to fit.

    Args:
        card: describes the networks.
        tensors: their parameters and buffers, by their bundle names.
        where: the file, for messages.

    Raises:
        ModelError: the card describes no network, its styles do not suit the network, or the
            tensors are not exactly the network's.
    """
    with torch.device("meta"), _Constants(), _Skipping(*_DRAWING, Tensor.mul_):
        networks = empty(card, where)
    check_card_styles(card, label_nc=networks.label_nc, feature_nc=networks.feature_nc, where=where)
    expected = networks.tensors()
    converted = check_tensors(expected, tensors, where=where)
    for prefix, module in _prefixed(networks.generator, networks.first, networks.encoder):
        own = {name: converted[prefix + name] for name in module.state_dict()}
        module.load_state_dict(own, strict=True, assign=True)
        module.requires_grad_(False)
    if any(buffer.is_meta for module in networks.modules() for buffer in module.buffers()):
        # Large buffers that no file holds have no values on the meta device: now that all is known
        # to fit, the network is built again in memory.
        with _Skipping(*_DRAWING):
            networks = empty(card, where)
        for prefix, module in _prefixed(networks.generator, networks.first, networks.encoder):
            own = {name: converted[prefix + name] for name in module.state_dict()}
            module.load_state_dict(own, strict=True)
            module.requires_grad_(False)
    return networks


_DRAWING = (Tensor.normal_, Tensor.uniform_)


_CONSTANT = 1 << 12
"""Elements of a constant that is made in memory at once. Planes of classes have at most some
hundreds."""


class _Constants(TorchFunctionMode):
    """Small tensors of zeros or of given values are made in memory in spite of the meta device:
    the constants of a network, which no file holds."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in (torch.zeros, torch.tensor) and made.is_meta and made.numel() <= _CONSTANT:
            return func(*args, **((kwargs or {}) | {"device": "cpu"}))
        return made


class _Skipping(TorchFunctionMode):
    """Initialisation draws no numbers: a file's take their place. On the meta device, whose tensors
    hold none, PyTorch's functions that draw or scale them load its compiler first, which takes a
    second."""

    def __init__(self, *skipped: Any) -> None:
        super().__init__()
        self._skipped = skipped

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in self._skipped:
            return args[0]
        return func(*args, **(kwargs or {}))


def empty(card: Card, where: str) -> Networks:
    """Builds the networks that ``card`` describes, with the weights of their construction.

    Args:
        card: describes the networks.
        where: the file, for messages.

    Raises:
        ModelError: the card describes no network.
    """
    try:
        if card.architecture == "street":
            from vidtrans.nets.street import StreetConfig, StreetGenerator

            things = {"fg_labels": foreground_classes(card.label_scheme)}
            generator: Any = StreetGenerator(
                _config(StreetConfig, things | card.generator), street_classes(card.label_scheme)
            )
        elif card.system == "vid2vid":
            # The published default, where a card is silent.
            cars = {"foreground_labels": load_scheme("cityscapes").ids("car")}
            generator = Vid2Vid(_config(Vid2VidConfig, cars | card.generator))
        elif card.system == "pix2pixhd":
            generator = Pix2PixHD(_config(Pix2PixHDConfig, card.generator))
        elif card.generator.get("kind") == "resnet":
            generator = Resnet(_config(ResnetConfig, card.generator))
        else:
            generator = UNet(_config(Pix2PixConfig, card.generator))
        first = None if card.first is None else Pix2PixHD(_config(Pix2PixHDConfig, card.first))
        encoder = None if card.encoder is None else Encoder(_config(EncoderConfig, card.encoder))
    except (ValidationError, ValueError, TypeError) as error:
        reason = first_problem(error) if isinstance(error, ValidationError) else str(error)
        reason += "" if reason.endswith((".", "?")) else "."
        raise ModelError(f"describes no network of {card.system}: {reason}", where=where) from error
    return Networks(card, generator, first, encoder)


def _config(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """``values`` as a configuration. Raises ValueError, ValidationError or TypeError."""
    known = (
        [f.name for f in dataclasses.fields(kind)]
        if dataclasses.is_dataclass(kind)
        else list(kind.model_fields)
    )
    unknown = [name for name in values if name not in known]
    if unknown:
        nearest = did_you_mean(unknown[0], known)
        raise ValueError(f"{unknown[0]!r} is no setting of the network. {nearest}")
    config = TypeAdapter(kind).validate_python(dict(values))
    # Checked as the network will see them: "1000000" and 1e6 have become integers by now.
    for name in known:
        value = getattr(config, name)
        largest = _LARGEST.get(name, _LARGEST_OTHER)
        listed = value if isinstance(value, list | tuple) else (value,)
        if len(listed) > _LONGEST_LIST:
            raise ValueError(f"{name} has {len(listed)} values, and {_LONGEST_LIST} are possible")
        for each in listed:
            if isinstance(each, int) and not 0 <= each <= largest:
                raise ValueError(f"{name} is {each}, and 0 to {largest} is possible")
    return config


def _prefixed(
    generator: Any, first: nn.Module | None, encoder: nn.Module | None
) -> Iterator[tuple[str, nn.Module]]:
    # vid2vid's scales are submodules G0, G1, ... of one generator already.
    yield ("" if isinstance(generator, Vid2Vid) else "G."), generator
    for prefix, network in (("first.", first), ("E.", encoder)):
        if network is not None:
            yield prefix, network


def _named(
    generator: Any, first: nn.Module | None, encoder: nn.Module | None
) -> Iterator[tuple[str, Tensor]]:
    for prefix, module in _prefixed(generator, first, encoder):
        for name, tensor in module.state_dict().items():
            yield prefix + name, tensor
