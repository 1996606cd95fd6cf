"""The embedded vid2vid generator: small enough for a street at 512x256 in real time on two CPU
cores.

It paints as vid2vid does (Wang et al. 2018, "Video-to-Video Synthesis", eq. 4): a flow carries the
last picture over, a weight says what to paint anew, and foreground objects are painted by a head of
their own. What is carried over is touched up, for a picture that is moved again and again blurs.
Unlike the published networks it looks labels up instead of convolving their planes, works at 1/2 to
1/16 of the size, and sees the carried-over picture before it decides what to paint anew. It knows
where on the ground and on the house fronts a pixel lies and how far the camera has come
(`vidtrans.nets.street_geometry`), so that what it paints anew agrees with what it carries over. It
has no norm, so a picture never depends on the rest of a batch or on a frame's statistics, which
would make colours flicker.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets import extent, street_geometry
from vidtrans.nets.lookup import LabelLookup
from vidtrans.nets.painting import Conditioning, History, Painting
from vidtrans.nets.place import PLANES, place_planes
from vidtrans.nets.street_classes import StreetClasses
from vidtrans.nets.street_geometry import (
    ScenePlanes,
    places,
    scene_after,
    scene_planes,
)
from vidtrans.nets.texture import COLOURS, StreetTexture
from vidtrans.nets.things import ThingTexture, thing_places
from vidtrans.nets.viewport import Box, Viewport
from vidtrans.nets.warp import warp


@dataclass(frozen=True)
class StreetConfig:
    """Sizes of a `StreetGenerator`.

    ``label_nc``: label planes. ``fg_labels``: those of foreground objects (none: no foreground
    head). ``n_frames``: T, label frames in the window. ``channels``: at 1/2, 1/4, 1/8 and 1/16 of
    the size. ``blocks``: residual blocks at 1/8 on the way down, at 1/16, at 1/8 on the way up, at
    1/4, and at 1/2. ``texture_channels``: see `vidtrans.nets.texture`. ``feature_nc``: style planes
    of each thing, as pix2pixHD's; here 0, or 3: the thing's mean colour within [-1,1].
    ``flow_scale``: pixels that the flow head's 1 means. ``least_weight``: so much of every pixel is
    painted anew in each frame at least, or what is carried over for many frames smears.
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


class _ByPlace(nn.Module):
    """What is painted at a place of the street: three layers, cell by cell.

    The first is a 1x1 convolution of all planes; those that are the same along a row or a column
    are convolved as one.
    """

    def __init__(self, inner: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(street_geometry.PLANES, inner, 1)
        self.second = nn.Conv2d(inner, inner, 1)
        self.third = nn.Conv2d(inner, channels, 1)

    def forward(self, planes: ScenePlanes) -> Tensor:
        rows, columns, cells = torch.split(
            self.first.weight,
            [street_geometry.ROWS, street_geometry.COLUMNS, street_geometry.CELLS],
            dim=1,
        )
        x = F.conv2d(
            planes.cells.contiguous(memory_format=torch.channels_last), cells, self.first.bias
        )
        x = x + F.conv2d(planes.rows, rows) + F.conv2d(planes.columns, columns)
        x = F.relu(self.second(F.relu(x, inplace=True)), inplace=True)
        out: Tensor = self.third(x)
        return out


class StreetGenerator(nn.Module):
    """A whole `vidtrans.nets.painting.Generator` of one scale."""

    size_multiple = 16
    padding_grid = extent.STRIDE
    """Padding goes to all sides, at the top and the left in multiples of the cells that labels are
    read in: the network knows where the vanishing point of the film's picture is, and cells show
    what they show without padding."""

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
        self.scene_mid = _ByPlace(96, mid)
        self.blocks_mid = nn.Sequential(*(_Residual(mid) for _ in range(blocks_mid)))
        self.up_fine = nn.Conv2d(mid, fine * 4, 3, padding=1)
        self.texture = StreetTexture(config.texture_channels)
        self.things = ThingTexture(config.texture_channels)
        self.texture_fine = nn.Conv2d(config.texture_channels, fine, 1)
        self.texture_shown = nn.Conv2d(config.texture_channels, 3 * 4, 1, bias=False)
        if config.feature_nc:
            self.style_mid = nn.Conv2d(config.feature_nc, mid, 1, bias=False)
            tinted = (config.texture_channels + 1) * config.feature_nc
            self.style_fine = nn.Conv2d(tinted, fine, 1, bias=False)
            self.style_shown = nn.Conv2d(tinted, 3 * 4, 1, bias=False)
            for layer in (self.style_mid, self.style_fine, self.style_shown):
                nn.init.zeros_(layer.weight)  # at first all things look alike
        self.mix_fine = nn.Conv2d(fine, fine, 3, padding=1)
        self.blocks_fine = nn.Sequential(*(_Residual(fine) for _ in range(blocks_fine)))
        self.head = nn.Conv2d(fine, (10 if config.fg_labels else 7) * 4, 3, padding=1)
        with torch.no_grad():
            self.head_flow.weight.mul_(0.1)
            self.head_flow.bias.zero_()  # type: ignore[union-attr]
            # At first nothing is touched up.
            self.head.weight[-12:].zero_()
            self.head.bias[-12:].zero_()  # type: ignore[index]
            # Colours of a texture are shown as they are.
            self.texture_shown.weight.zero_()
            for colour in range(COLOURS):
                self.texture_shown.weight[colour * 4 : colour * 4 + 4, colour] = 1
        foreground = torch.zeros(config.label_nc, dtype=torch.float32)
        foreground[list(config.fg_labels)] = 1
        self.register_buffer("foreground", foreground, persistent=False)
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
        old = None if history is None else history[0].float()

        newest_boundary = None if boundary is None else boundary[:, -1:]
        steps = (
            extent.extents(ids[:, -1], None if boundary is None else boundary[:, -1], view)
            if measured is None
            else measured.extents
        )
        x_mid = self._labels(ids, boundary, view, steps, styles)
        x = self._body(x_mid, old, view)
        y = F.relu(_spread(self.up_mid(x)) + self.skip_mid(x_mid), inplace=True)
        flow = warped = None
        if old is not None:
            flow = self._flow(y)
            warped = warp(old[:, -3:], flow)
            y = y + self.past_mid(_unshuffle(warped, 4))
        if measured is None:
            before = None if history is None or len(history) == 1 else history[1]
            moved = None if flow is None else view.crop(flow)
            now = scene_after(before, view.crop(ids[:, -1]), moved, self.classes)
        else:
            now = measured.scene
        y = self.blocks_mid(y + self.scene_mid(scene_planes(places(now, view, 4))))
        fine = _spread(self.up_fine(y)) + self.look_fine(ids[:, -1:], newest_boundary)
        texture = self._textures(now, view, steps, ids).contiguous(
            memory_format=torch.channels_last
        )
        shown = self.texture_shown(texture)
        fine = fine + self.texture_fine(texture)
        if styles is not None:
            tinted = _tinted(texture, styles[:, :, ::2, ::2])
            fine, shown = fine + self.style_fine(tinted), shown + self.style_shown(tinted)
        fine = F.relu(fine, inplace=True)
        fine = self.blocks_fine(F.relu(self.mix_fine(fine), inplace=True))
        head = self.head(fine)
        if self.config.fg_labels:
            head = torch.cat(
                [head[:, :12] + shown, head[:, 12:16], head[:, 16:28] + shown, head[:, 28:]], dim=1
            )
        else:
            head = torch.cat([head[:, :12] + shown, head[:, 12:]], dim=1)
        planes = _to_pixels(head, 2)
        return replace(self._compose(planes, ids, view, flow, warped), memory=(now,))

    def _labels(
        self,
        ids: Tensor,
        boundary: Tensor | None,
        view: Viewport,
        steps: Tensor,
        styles: Tensor | None,
    ) -> Tensor:
        size = extent.extent_planes(steps, view.picture_hw[0])
        planes = self.place_mid(place_planes(view, 4, ids.device)) + self.extent_mid(size)
        if styles is not None:
            planes = planes + self.style_mid(
                styles[:, :, ::4, ::4].contiguous(memory_format=torch.channels_last)
            )
        return F.relu(self.look_mid(ids, boundary) + planes, inplace=True)

    def _body(self, x_mid: Tensor, old: Tensor | None, view: Viewport) -> Tensor:
        x = self.down_wide(x_mid) + self.place_wide(place_planes(view, 8, x_mid.device))
        if old is not None:
            x = x + self.past_wide(_unshuffle(F.avg_pool2d(old, 2), 4))
        x = self.blocks_in(F.relu(x, inplace=True))
        deep = self.blocks_deep(F.relu(self.down_deep(x), inplace=True))
        out: Tensor = self.blocks_out(x + _spread(self.up_wide(deep)))
        return out

    def _flow(self, y: Tensor) -> Tensor:
        # A flow of some pixels needs more than bfloat16's eight bits.
        with torch.autocast(y.device.type, enabled=False):
            return _to_pixels(self.head_flow(y.float()), 4) * self.config.flow_scale

    def _compose(
        self,
        planes: Tensor,
        ids: Tensor,
        view: Viewport,
        flow: Tensor | None,
        warped: Tensor | None,
    ) -> Painting:
        raw = merged = torch.tanh(planes[:, :3])
        weight = None
        if flow is not None and warped is not None:
            least = self.config.least_weight
            weight = least + (1 - least) * torch.sigmoid(planes[:, 3:4])
            weight = weight.masked_fill(_changed(ids[:, -1], ids[:, -2], flow, view.content), 1.0)
            warped = (warped + 0.5 * torch.tanh(planes[:, -3:])).clamp(-1, 1)
            merged = torch.lerp(warped, raw, weight)
        if not self.config.fg_labels:
            return Painting(merged, (merged,), raw, warped, flow, weight)
        front = torch.tanh(planes[:, 4:7])
        mask = self.foreground[ids[:, -1].int()][:, None]  # type: ignore[index]
        picture = torch.lerp(merged, front, mask)
        raw = torch.lerp(raw, front, mask) if warped is not None else picture
        return Painting(picture, (picture,), raw, warped, flow, weight, front, mask)

    def _textures(self, now: Tensor, view: Viewport, steps: Tensor, ids: Tensor) -> Tensor:
        """What the textures of the street and of the things in it hold, float [N,C,H/2,W/2]."""
        cells = ids[:, -1, ::2, ::2]
        front, ground = self.classes.is_front(cells), self.classes.is_ground(cells)
        street = self.texture(places(now, view, 2), front, ground)
        both: Tensor = street + self.things(thing_places(steps, cells, view, self.classes))
        return both


def _tinted(texture: Tensor, styles: Tensor) -> Tensor:
    """``styles`` [N,S,h,w] and their products with each channel of ``texture`` [N,C,h,w]:
    [N,S+C*S,h,w]. What part of a texture takes a thing's colour, and how much of it, is a texture
    as well."""
    products = (texture[:, :, None] * styles[:, None]).flatten(1, 2)
    return torch.cat([styles.to(products.dtype), products], dim=1).contiguous(
        memory_format=torch.channels_last
    )


def _changed(newest: Tensor, previous: Tensor, flow: Tensor, content: Box) -> Tensor:
    """Where the flow leads out of the film's picture, which is at ``content``, or to another
    label: bool [N,1,H,W]. What lies there was not this thing."""
    height, width = newest.shape[-2:]
    with torch.no_grad():
        x = (torch.arange(width, device=flow.device) + flow[:, 0]).round().long()
        y = (torch.arange(height, device=flow.device)[:, None] + flow[:, 1]).round().long()
        inside = (x >= content.left) & (x < content.right)
        inside = inside & (y >= content.top) & (y < content.bottom)
        source = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
        there = previous.flatten(1).gather(1, source.flatten(1)).view_as(newest)
        return (~inside | (there != newest))[:, None]


def _spread(x: Tensor) -> Tensor:
    """[N,4C,h,w] -> [N,C,2h,2w] as a pixel shuffle does, but with a cell's C channels side by side:
    far faster in channels_last."""
    n, channels, h, w = x.shape
    cells = x.permute(0, 2, 3, 1).reshape(n, h, w, 2, 2, channels // 4)
    return (
        cells.permute(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * w, channels // 4).permute(0, 3, 1, 2)
    )


def _to_pixels(x: Tensor, by: int) -> Tensor:
    """A pixel shuffle into the default layout, which the work on whole planes wants; in float32."""
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
    return F.pixel_unshuffle(picture, by).contiguous(memory_format=torch.channels_last)
