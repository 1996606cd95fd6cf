"""The street generator: a vid2vid generator small enough for two CPU cores.

It composes pictures as vid2vid does (Wang et al. 2018, "Video-to-Video Synthesis", eq. 4): optical
flow warps the previous picture, a weight says where to paint anew, and foreground objects have a
head of their own. It differs from the published networks in these points:

- Labels are looked up in tables at 1/4 and 1/2 of the size instead of being convolved as planes
  (`vidtrans.nets.lookup`); the trunk works at 1/8 and 1/16.
- Flow comes first, and the warped picture is an input of what follows, so that the network sees
  what it carries over before it decides what to paint anew. The warped picture is corrected by a
  residual, for a picture that is resampled again and again blurs.
- The positions of pixels on the ground and on the facades are estimated in metres
  (`vidtrans.nets.street_geometry`) and used as positional encoding and to sample learned textures
  (`vidtrans.nets.street_texture`, `vidtrans.nets.instance_texture`), so that what is painted anew
  agrees with what is carried over.
- There is no normalisation layer: a picture depends neither on the rest of a batch nor on a
  frame's statistics, which would make colours flicker.

Attributes of modules have the names of their tensors in bundles, which stay as they are: ``look_*``
are label lookups, ``place_*`` 1x1 convolutions of the perspective encoding, ``past_*`` convolutions
of earlier pictures, ``scene_mid`` the positional MLP, ``things`` the textures of instances,
``*_shown`` shortcuts to the RGB outputs; ``_fine``, ``_mid``, ``_wide`` and ``_deep`` are 1/2, 1/4,
1/8 and 1/16 of the size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets import extent, street_geometry, street_inference
from vidtrans.nets.instance_texture import InstanceTexture, instance_uv
from vidtrans.nets.lookup import LabelLookup
from vidtrans.nets.painting import Conditioning, History, Painting
from vidtrans.nets.perspective import PLANES, perspective_planes
from vidtrans.nets.street_classes import StreetClasses
from vidtrans.nets.street_geometry import (
    SurfaceEncoding,
    encode_surface,
    estimate_scene,
    surface_coordinates,
)
from vidtrans.nets.street_inference import StreetPainter
from vidtrans.nets.street_texture import COLOURS, StreetTexture
from vidtrans.nets.viewport import Box, Viewport
from vidtrans.nets.warp import warp


@dataclass(frozen=True)
class StreetConfig:
    """Sizes of a `StreetGenerator`.

    Attributes:
        label_nc: Label planes.
        fg_labels: Label planes of foreground objects; none: no foreground head.
        n_frames: T, label frames in the window.
        channels: Channels at 1/2, 1/4, 1/8 and 1/16 of the size.
        blocks: Residual blocks at 1/8 on the way down, at 1/16, at 1/8 on the way up, at 1/4, and
            at 1/2.
        texture_channels: Features of a texel.
        feature_nc: Style planes of each instance, as pix2pixHD's; here 0, or 3: the instance's mean
            colour in [-1,1].
        flow_scale: Pixels of flow for an output of 1.
        least_weight: Least weight of the newly painted picture, everywhere and in every frame, or
            what is carried over for many frames smears.
    """

    label_nc: int = 35
    fg_labels: tuple[int, ...] = ()
    n_frames: int = 2
    channels: tuple[int, int, int, int] = (24, 48, 96, 160)
    blocks: tuple[int, int, int, int, int] = (1, 2, 1, 1, 1)
    texture_channels: int = 8
    feature_nc: int = 0
    flow_scale: float = 10.0
    least_weight: float = 0.05


class _Residual(nn.Module):
    """x + conv(relu(conv(x))); starts near the identity, so that depth needs no norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.kaiming_normal_(self.second.weight, nonlinearity="linear")
        with torch.no_grad():
            self.second.weight.mul_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.second(F.relu(self.first(x), inplace=True))
        return x + change


class PositionalMLP(nn.Module):
    """A network of positions alone: three 1x1 convolutions of a `SurfaceEncoding`.

    Planes that are the same along a row or a column are convolved as one row or column.
    """

    def __init__(self, hidden: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(street_geometry.PLANES, hidden, 1)
        self.second = nn.Conv2d(hidden, hidden, 1)
        self.third = nn.Conv2d(hidden, channels, 1)

    def forward(self, encoding: SurfaceEncoding) -> Tensor:
        """float [N,channels,h,w]."""
        rows, columns, cells = torch.split(
            self.first.weight,
            [street_geometry.ROWS, street_geometry.COLUMNS, street_geometry.CELLS],
            dim=1,
        )
        x = F.conv2d(
            encoding.cells.contiguous(memory_format=torch.channels_last), cells, self.first.bias
        )
        x = x + F.conv2d(encoding.rows, rows) + F.conv2d(encoding.columns, columns)
        x = F.relu(self.second(F.relu(x, inplace=True)), inplace=True)
        out: Tensor = self.third(x)
        return out


class StreetGenerator(nn.Module):
    """A `vidtrans.nets.painting.Generator` of one scale.

    Args:
        config: Sizes of the network.
        classes: Which label planes are ground, facades, vehicles, ...
    """

    size_multiple = 16
    padding_grid = extent.STRIDE
    """Padding goes to all sides, at the top and the left in multiples of the cells that labels are
    read in: the network knows where the vanishing point of the film's picture is, and cells show
    what they show without padding."""
    full_precision_layers = frozenset({"head_flow"})
    """Layers that compute in float32 whatever the type around, and keep their weights in it."""

    def __init__(self, config: StreetConfig, classes: StreetClasses) -> None:
        super().__init__()
        self.config = config
        self.classes = classes
        self.n_frames = config.n_frames
        fine, mid, wide, deep = config.channels
        blocks_in, blocks_deep, blocks_out, blocks_mid, blocks_fine = config.blocks
        past = 3 * (config.n_frames - 1)

        self.look_mid = LabelLookup(config.label_nc, mid, patch=4, n_frames=config.n_frames)
        self.look_fine = LabelLookup(config.label_nc, fine, patch=2)
        self.place_mid = nn.Conv2d(PLANES, mid, 1)
        self.extent_mid = nn.Conv2d(extent.PLANES, mid, 1, bias=False)
        self.place_wide = nn.Conv2d(PLANES, wide, 1)

        self.down_wide = nn.Conv2d(mid, wide, 3, stride=2, padding=1)
        self.past_wide = nn.Conv2d(past * 16, wide, 3, padding=1)
        self.blocks_in = nn.Sequential(*(_Residual(wide) for _ in range(blocks_in)))
        self.down_deep = nn.Conv2d(wide, deep, 3, stride=2, padding=1)
        self.blocks_deep = nn.Sequential(*(_Residual(deep) for _ in range(blocks_deep)))
        self.up_wide = nn.Conv2d(deep, wide * 4, 1)
        self.blocks_out = nn.Sequential(*(_Residual(wide) for _ in range(blocks_out)))
        self.up_mid = nn.Conv2d(wide, mid * 4, 1)
        self.skip_mid = nn.Conv2d(mid, mid, 1)

        self.head_flow = nn.Conv2d(mid, 2 * 16, 3, padding=1)
        self.past_mid = nn.Conv2d(3 * 16, mid, 3, padding=1)
        self.scene_mid = PositionalMLP(96, mid)
        self.blocks_mid = nn.Sequential(*(_Residual(mid) for _ in range(blocks_mid)))
        self.up_fine = nn.Conv2d(mid, fine * 4, 3, padding=1)
        self.texture = StreetTexture(config.texture_channels)
        self.things = InstanceTexture(config.texture_channels)
        self.texture_fine = nn.Conv2d(config.texture_channels, fine, 1)
        self.texture_shown = nn.Conv2d(config.texture_channels, 3 * 4, 1, bias=False)
        if config.feature_nc:
            self.style_mid = nn.Conv2d(config.feature_nc, mid, 1, bias=False)
            tinted = (config.texture_channels + 1) * config.feature_nc
            self.style_fine = nn.Conv2d(tinted, fine, 1, bias=False)
            self.style_shown = nn.Conv2d(tinted, 3 * 4, 1, bias=False)
            for layer in (self.style_mid, self.style_fine, self.style_shown):
                nn.init.zeros_(layer.weight)  # styles change nothing at first
        self.mix_fine = nn.Conv2d(fine, fine, 3, padding=1)
        self.blocks_fine = nn.Sequential(*(_Residual(fine) for _ in range(blocks_fine)))
        self.head = nn.Conv2d(fine, (10 if config.fg_labels else 7) * 4, 3, padding=1)
        with torch.no_grad():
            self.head_flow.weight.mul_(0.1)
            self.head_flow.bias.zero_()  # type: ignore[union-attr]
            # The residual of the warped picture is 0 at first.
            self.head.weight[-12:].zero_()
            self.head.bias[-12:].zero_()  # type: ignore[index]
            # A texture's colours pass to the picture unchanged at first.
            self.texture_shown.weight.zero_()
            for colour in range(COLOURS):
                self.texture_shown.weight[colour * 4 : colour * 4 + 4, colour] = 1
        foreground = torch.zeros(config.label_nc, dtype=torch.float32)
        foreground[list(config.fg_labels)] = 1
        self.register_buffer("foreground", foreground, persistent=False)
        self._prepared: StreetPainter | None = None
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, conditioning: Conditioning, history: History | None) -> Painting:
        """Paints one frame from label planes.

        Args:
            conditioning: Labels uint8 [N,T,H,W] of sizes divisible by 16, boundaries where there
                are any, and the style planes where the network has styles. Where the viewport is a
                crop, also what was measured on the whole picture.
            history: The pictures before, [N,3*(T-1),H,W], then the scene of the frame before,
                [N,3], where there is one. None: nothing is carried over.

        Raises:
            ValueError: Where the conditioning has no labels, another number of frames or an unfit
                size, lacks the style planes, or shows a crop of which nothing was measured.
        """
        ids, boundary = conditioning.ids, conditioning.boundary
        if ids is None or ids.shape[1] != self.n_frames or ids.shape[2] % 16 or ids.shape[3] % 16:
            found = "no labels" if ids is None else f"labels of shape {tuple(ids.shape)}"
            raise ValueError(
                f"The street generator takes labels [N,{self.n_frames},H,W] of sizes divisible by"
                f" 16, not {found}."
            )
        styles = conditioning.features if self.config.feature_nc else None
        if self.config.feature_nc and styles is None:
            raise ValueError(
                f"The street generator takes {self.config.feature_nc} style planes, and none were"
                " given."
            )
        view = conditioning.viewport or Viewport.whole((ids.shape[2], ids.shape[3]))
        measured = conditioning.measured
        if measured is None and not view.shows_all:
            raise ValueError(
                "The street generator was given a crop, and nothing measured on the whole picture."
            )
        if street_inference.applies(self, conditioning):
            return self._painter().paint(conditioning, history, view)
        previous = None if history is None else history[0].float()

        extents = (
            extent.extents(ids[:, -1], None if boundary is None else boundary[:, -1], view)
            if measured is None
            else measured.extents
        )
        x_mid = self._encode_labels(ids, boundary, view, extents, styles)
        trunk = self._trunk(x_mid, previous, view)
        y = F.relu(_shuffle_channels_last(self.up_mid(trunk)) + self.skip_mid(x_mid), inplace=True)
        flow = warped = None
        if previous is not None:
            flow = self._flow(y)
            warped = warp(previous[:, -3:], flow)
            y = y + self.past_mid(_unshuffle(warped, 4))

        if measured is None:
            scene_before = None if history is None or len(history) == 1 else history[1]
            own_flow = None if flow is None else view.crop(flow)
            scene = estimate_scene(scene_before, view.crop(ids[:, -1]), own_flow, self.classes)
        else:
            scene = measured.scene
        encoding = encode_surface(surface_coordinates(scene, view, 4))
        y = self.blocks_mid(y + self.scene_mid(encoding))

        newest_boundary = None if boundary is None else boundary[:, -1:]
        fine = _shuffle_channels_last(self.up_fine(y)) + self.look_fine(
            ids[:, -1:], newest_boundary
        )
        texture = self._sample_textures(scene, view, extents, ids)
        shortcut = self.texture_shown(texture)
        fine = fine + self.texture_fine(texture)
        if styles is not None:
            products = _style_products(texture, styles[:, :, ::2, ::2])
            fine = fine + self.style_fine(products)
            shortcut = shortcut + self.style_shown(products)
        fine = F.relu(fine, inplace=True)
        fine = self.blocks_fine(F.relu(self.mix_fine(fine), inplace=True))
        outputs = _shuffle(self._add_shortcut(self.head(fine), shortcut), 2)
        return replace(self._compose(outputs, ids, view, flow, warped), memory=(scene,))

    def _painter(self) -> StreetPainter:
        """The weights as they are now, prepared for inference on a CPU."""
        if self._prepared is None or not self._prepared.fits(self):
            self._prepared = StreetPainter(self)
        return self._prepared

    def _encode_labels(
        self,
        ids: Tensor,
        boundary: Tensor | None,
        view: Viewport,
        extents: Tensor,
        styles: Tensor | None,
    ) -> Tensor:
        """Labels, positions, extents and styles, at 1/4 of the size."""
        sizes = extent.extent_planes(extents, view.picture_hw[0])
        x = self.place_mid(perspective_planes(view, 4, ids.device)) + self.extent_mid(sizes)
        if styles is not None:
            x = x + self.style_mid(
                styles[:, :, ::4, ::4].contiguous(memory_format=torch.channels_last)
            )
        return F.relu(self.look_mid(ids, boundary) + x, inplace=True)

    def _trunk(self, x_mid: Tensor, previous: Tensor | None, view: Viewport) -> Tensor:
        """The layers at 1/8 and 1/16 of the size; gives features at 1/8."""
        x = self.down_wide(x_mid) + self.place_wide(perspective_planes(view, 8, x_mid.device))
        if previous is not None:
            x = x + self.past_wide(_unshuffle(F.avg_pool2d(previous, 2), 4))
        x = self.blocks_in(F.relu(x, inplace=True))
        deep = self.blocks_deep(F.relu(self.down_deep(x), inplace=True))
        out: Tensor = self.blocks_out(x + _shuffle_channels_last(self.up_wide(deep)))
        return out

    def _flow(self, y: Tensor) -> Tensor:
        # A flow of some pixels needs more than bfloat16's eight bits.
        with torch.autocast(y.device.type, enabled=False):
            return _shuffle(self.head_flow(y.float()), 4) * self.config.flow_scale

    def _add_shortcut(self, head: Tensor, shortcut: Tensor) -> Tensor:
        """Add the textures' colours to the RGB channels of the head.

        The head gives, four values for each (of 2x2 pixels): RGB newly painted, the weight, RGB of
        the foreground where there is one, and RGB of the residual of the warped picture.
        """
        parts = [head[:, :12] + shortcut, head[:, 12:16]]
        if self.config.fg_labels:
            parts += [head[:, 16:28] + shortcut, head[:, 28:]]
        else:
            parts.append(head[:, 16:])
        return torch.cat(parts, dim=1)

    def _compose(
        self,
        outputs: Tensor,
        ids: Tensor,
        view: Viewport,
        flow: Tensor | None,
        warped: Tensor | None,
    ) -> Painting:
        """The picture of its layers, from the outputs of the head."""
        raw = merged = torch.tanh(outputs[:, :3])
        weight = None
        if flow is not None and warped is not None:
            least = self.config.least_weight
            weight = least + (1 - least) * torch.sigmoid(outputs[:, 3:4])
            unknown = _disoccluded(ids[:, -1], ids[:, -2], flow, view.content)
            weight = weight.masked_fill(unknown, 1.0)
            warped = (warped + 0.5 * torch.tanh(outputs[:, -3:])).clamp(-1, 1)
            merged = torch.lerp(warped, raw, weight)
        if not self.config.fg_labels:
            return Painting(merged, (merged,), raw, warped, flow, weight)
        foreground = torch.tanh(outputs[:, 4:7])
        mask = self.foreground[ids[:, -1].int()][:, None]  # type: ignore[index]
        picture = torch.lerp(merged, foreground, mask)
        raw = torch.lerp(raw, foreground, mask) if warped is not None else picture
        return Painting(picture, (picture,), raw, warped, flow, weight, foreground, mask)

    def _sample_textures(
        self, scene: Tensor, view: Viewport, extents: Tensor, ids: Tensor
    ) -> Tensor:
        """Features of the street's and of the instances' textures, float [N,C,H/2,W/2]."""
        cells = ids[:, -1, ::2, ::2]
        facade, ground = self.classes.is_facade(cells), self.classes.is_ground(cells)
        street = self.texture(surface_coordinates(scene, view, 2), facade, ground)
        instances = self.things(instance_uv(extents, cells, view, self.classes))
        both: Tensor = street + instances
        return both.contiguous(memory_format=torch.channels_last)


def _style_products(texture: Tensor, styles: Tensor) -> Tensor:
    """``styles`` [N,S,h,w] and their products with each channel of ``texture`` [N,C,h,w]:
    [N,S+C*S,h,w]. The products let a texture say which part of an instance takes its colour, and
    how much of it."""
    products = (texture[:, :, None] * styles[:, None]).flatten(1, 2)
    return torch.cat([styles.to(products.dtype), products], dim=1).contiguous(
        memory_format=torch.channels_last
    )


def _disoccluded(newest: Tensor, previous: Tensor, flow: Tensor, content: Box) -> Tensor:
    """Where the previous picture did not show what is seen now: bool [N,1,H,W].

    There the flow leads to another label, or out of the film's picture, which lies at ``content``.
    """
    height, width = newest.shape[-2:]
    with torch.no_grad():
        x = (torch.arange(width, device=flow.device) + flow[:, 0]).round().long()
        y = (torch.arange(height, device=flow.device)[:, None] + flow[:, 1]).round().long()
        inside = (x >= content.left) & (x < content.right)
        inside = inside & (y >= content.top) & (y < content.bottom)
        source = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
        label = previous.flatten(1).gather(1, source.flatten(1)).view_as(newest)
        return (~inside | (label != newest))[:, None]


def _shuffle_channels_last(x: Tensor) -> Tensor:
    """[N,4C,h,w] to [N,C,2h,2w]: a pixel shuffle of another channel order, (2, 2, C) instead of
    (C, 2, 2), which is much faster in channels_last."""
    n, channels, h, w = x.shape
    cells = x.permute(0, 2, 3, 1).reshape(n, h, w, 2, 2, channels // 4)
    return (
        cells.permute(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * w, channels // 4).permute(0, 3, 1, 2)
    )


def _shuffle(x: Tensor, by: int) -> Tensor:
    """A pixel shuffle to float32 in the default layout, in which whole planes are processed."""
    x = x.float().contiguous()
    if x.requires_grad:
        return F.pixel_shuffle(x, by)
    # The same, three times faster; but its gradient would be slow.
    n, channels, h, w = x.shape
    cells = x.view(n, channels // by**2, by, by, h, w)
    out = cells.new_empty(n, channels // by**2, h * by, w * by)
    for row in range(by):
        for column in range(by):
            out[:, :, row::by, column::by] = cells[:, :, row, column]
    return out


def _unshuffle(picture: Tensor, by: int) -> Tensor:
    """The inverse of a pixel shuffle, in channels_last."""
    return F.pixel_unshuffle(picture, by).contiguous(memory_format=torch.channels_last)
