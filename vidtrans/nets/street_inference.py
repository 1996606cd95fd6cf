"""The street generator on a CPU, without gradients: the same pictures, faster.

`vidtrans.nets.street.StreetGenerator` states the network plainly; this module computes what it
computes, up to rounding, and differs in how:

- Everything between two convolutions is a matrix [pixels, channels], which channels_last
  convolutions take without a copy; 1x1 convolutions are matrix products that add to what is there.
- What depends on the viewport alone (the perspective encoding, the positions aside on the ground,
  and their first layers) is computed once. What depends on small integers alone (the extents of
  runs, and patches of one label) is looked up in tables that hold the layer's output.
- Textures are sampled where the labels show them (`vidtrans.nets.street_sampling`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets import extent, street_geometry
from vidtrans.nets.inference_layers import are_plain
from vidtrans.nets.lookup import LabelLookup
from vidtrans.nets.painting import Conditioning, History, Painting
from vidtrans.nets.perspective import perspective_planes
from vidtrans.nets.prepared_convolution import PreparedConvolution
from vidtrans.nets.street_geometry import SurfaceCoordinates, estimate_scene, surface_coordinates
from vidtrans.nets.street_sampling import TextureSampler
from vidtrans.nets.viewport import Viewport
from vidtrans.nets.warp import warp_interleaved

if TYPE_CHECKING:
    from vidtrans.nets.street import StreetGenerator

Indices = npt.NDArray[np.int32]
Codes = npt.NDArray[np.uint8]

_CELLS_AT_ONCE = 8192
"""Cells whose positional encoding is computed at once: it stays in the cores' caches."""
VIEWPORTS_KEPT = 4
"""Viewports whose planes are kept: those of a film, and of a preview beside it."""


def applies(street: StreetGenerator, conditioning: Conditioning) -> bool:
    """Whether `StreetPainter` can paint this: one picture on a CPU in float32, without
    gradients."""
    ids, boundary = conditioning.ids, conditioning.boundary
    assert ids is not None
    return (
        not torch.is_grad_enabled()
        and not are_plain()
        and not torch.is_autocast_enabled("cpu")
        and ids.device.type == "cpu"
        and ids.dtype == torch.uint8
        and (boundary is None or boundary.dtype == torch.bool)
        and len(ids) == 1
        and street.up_fine.weight.dtype == torch.float32
        and street.up_fine.weight.device.type == "cpu"
        and 2 * street.config.label_nc <= 256
    )


@dataclass(frozen=True, eq=False)
class _Patches:
    """A `LabelLookup` as tables of rows [channels].

    Attributes:
        patch: Pixels of a cell along each side.
        frames: Frames of the window.
        label_nc: Labels; a code is the label, plus ``label_nc`` on a boundary.
        rows: The rows that the codes at each position pick, [positions * codes, channels].
        flat: Their sums where all positions have one code, [codes + 1, channels]; the last is 0.
    """

    patch: int
    frames: int
    label_nc: int
    rows: Tensor
    flat: Tensor

    @classmethod
    def of(cls, lookup: LabelLookup) -> _Patches:
        rows = torch.cat([lookup.labels, lookup.labels + lookup.boundary], dim=1).detach()
        flat = torch.cat([rows.sum(dim=0), rows.new_zeros(1, rows.shape[2])])
        return cls(lookup.patch, lookup.n_frames, lookup.label_nc, rows.flatten(0, 1), flat)

    def find(self, codes: Codes) -> tuple[Indices, Tensor, Tensor]:
        """Look patches up.

        Args:
            codes: uint8 [T,H,W], contiguous.

        Returns:
            The row of ``flat`` of each cell, [h*w], the last one for cells that show several codes;
            the numbers of those, [n], and their sums, [n,channels].
        """
        p, t = self.patch, self.frames
        h, w = codes.shape[1] // p, codes.shape[2] // p
        # A cell's row of pixels is one word of memory: comparing words compares them all.
        words = codes.view(np.uint16 if p == 2 else np.uint32).reshape(t, h, p, w)
        first = words[0, :, 0]
        code = codes[0, ::p, ::p]
        repeated = code.astype(words.dtype) * words.dtype.type(0x0101 if p == 2 else 0x01010101)
        mixed = first != repeated
        for frame in range(t):
            for row in range(p):
                mixed |= words[frame, :, row] != first
        rows = code.astype(np.int32)
        rows[mixed] = len(self.flat) - 1
        cells = np.flatnonzero(mixed)
        picked = codes.reshape(t, h, p, w, p).transpose(1, 3, 0, 2, 4)[mixed]
        positions = t * p * p
        index = picked.reshape(-1, positions).astype(np.int32)
        index += np.arange(positions, dtype=np.int32) * (2 * self.label_nc)
        sums = F.embedding_bag(torch.from_numpy(index), self.rows, mode="sum")
        return rows.ravel(), torch.from_numpy(cells), sums


@dataclass(frozen=True, eq=False)
class _Places:
    """What depends on the weights and on the viewport alone.

    Attributes:
        mid: `place_mid` of the perspective encoding, [h*w at 1/4, channels].
        wide: `place_wide` of it at 1/8.
        looked_up: Rows [n, channels]: `_Patches.flat` of the labels; then `extent_mid` of each pair
            of extents up and down, of which a pair's row is ``up * reach[0] + down``; then the same
            for left and right.
        reach: Greatest extents plus one: up or down, and left or right.
        aside: The first layer of `scene_mid` of the positions aside on the ground, and its bias,
            [h, w at 1/4, hidden].
    """

    mid: Tensor
    wide: Tensor
    looked_up: Tensor
    reach: tuple[int, int]
    aside: Tensor


def _pairs(reach: int, dtype: torch.dtype = torch.uint8) -> tuple[Tensor, Tensor]:
    """All pairs of numbers below ``reach``, each [reach, reach]."""
    numbers = torch.arange(reach, dtype=torch.int32).to(dtype)
    before, after = torch.meshgrid(numbers, numbers, indexing="ij")
    return before, after


class StreetPainter:
    """A street generator's weights, prepared for `paint`.

    It holds what they were when it was made: see `fits`.
    """

    def __init__(self, street: StreetGenerator) -> None:
        self._street = street
        self._made_of = _versions(street)
        self._places: dict[Viewport, _Places] = {}
        config = street.config
        self._look_mid = _Patches.of(street.look_mid)
        self._look_fine = _Patches.of(street.look_fine)
        self._up_wide = _Product.of_layer(street.up_wide)
        self._up_mid = _Product.of_layer(street.up_mid)
        self._skip_mid = _Product.of_layer(street.skip_mid)
        self._scene_second = _Product.of_layer(street.scene_mid.second)
        self._scene_third = _Product.of_layer(street.scene_mid.third)
        prepared = PreparedConvolution.of_layer
        self._down_wide, self._down_deep = prepared(street.down_wide), prepared(street.down_deep)
        self._past_wide, self._past_mid = prepared(street.past_wide), prepared(street.past_mid)
        self._up_fine, self._mix_fine = prepared(street.up_fine), prepared(street.mix_fine)
        self._blocks_in, self._blocks_deep = _residuals(street.blocks_in, street.blocks_deep)
        self._blocks_out, self._blocks_mid = _residuals(street.blocks_out, street.blocks_mid)
        (self._blocks_fine,) = _residuals(street.blocks_fine)
        # The flow comes out as rows (of 4 pixels) of (x, y), in pixels.
        order = torch.arange(32).reshape(2, 4, 4).permute(1, 2, 0).flatten()
        self._flow = PreparedConvolution(
            street.head_flow.weight[order] * config.flow_scale,
            _bias(street.head_flow)[order] * config.flow_scale,
        )
        # sigmoid(x) is (1 + tanh(x / 2)) / 2.
        factor = torch.ones(street.head.out_channels)
        factor[12:16] = 0.5
        self._head = PreparedConvolution(
            street.head.weight * factor[:, None, None, None], _bias(street.head) * factor
        )
        self._textures = TextureSampler(street.texture, street.things, street.classes)
        self._texture_fine, self._texture_shown = _texture_weights(street)
        self._foreground = (street.get_buffer("foreground") > 0).numpy().astype(np.uint8)
        self._foreground = np.pad(self._foreground, (0, 256 - len(self._foreground)))

    def fits(self, street: StreetGenerator) -> bool:
        """Whether the weights of ``street`` are still those that this was made of."""
        return self._made_of is not None and self._made_of == _versions(street)

    def paint(
        self, conditioning: Conditioning, history: History | None, view: Viewport
    ) -> Painting:
        """Paint one frame; arguments, result and meaning are those of `StreetGenerator.forward`."""
        street = self._street
        assert conditioning.ids is not None
        newest = conditioning.ids[:, -1]
        ids = conditioning.ids[0].numpy()
        height, width = ids.shape[1:]
        mid_hw, fine_hw = (height // 4, width // 4), (height // 2, width // 2)
        previous = None if history is None else history[0].float()
        styles = conditioning.features if street.config.feature_nc else None
        boundary = conditioning.boundary
        codes = ids
        if boundary is not None:
            codes = ids + boundary[0].numpy().view(np.uint8) * np.uint8(street.config.label_nc)
        codes = np.ascontiguousarray(codes)
        places = self._place(view)
        measured = conditioning.measured
        extents = (
            extent.extents(newest, None if boundary is None else boundary[:, -1], view)
            if measured is None
            else measured.extents
        )

        x_mid = self._encode_labels(codes, extents, styles, places)
        trunk = self._trunk(_image(x_mid, mid_hw), previous, places)
        y = self._up_mid.shuffled(trunk)
        self._skip_mid.add_to(y, x_mid).relu_()
        flow = warped = None
        if previous is not None:
            flow = _pixel_rows(self._flow.of(_image(y, mid_hw)), (height, width))
            warped = warp_interleaved(previous[:, -3:], flow)
            self._past_mid.add_to(_image(y, mid_hw), _cells(warped))

        if measured is None:
            before = None if history is None or len(history) == 1 else history[1]
            planar_flow = None if flow is None else view.crop(flow.permute(0, 3, 1, 2))
            scene = estimate_scene(before, view.crop(newest), planar_flow, street.classes)
        else:
            scene = measured.scene
        self._add_positions(y, surface_coordinates(scene, view, 4), places)
        _refine(_image(y, mid_hw), self._blocks_mid)

        rows, mixed, sums = self._look_fine.find(codes[-1:])
        fine = self._look_fine.flat.index_select(0, torch.from_numpy(rows))
        fine.index_copy_(0, mixed, sums)
        texture = self._textures.sample(scene, view, extents, ids[-1, ::2, ::2])
        products = _style_products(texture, styles)
        fine.addmm_(products.t(), self._texture_fine)
        fine_image = self._up_fine.add_shuffled(_image(fine, fine_hw), _image(y, mid_hw)).relu_()
        fine_image = self._mix_fine.of(fine_image, relu=True)
        _refine(fine_image, self._blocks_fine)
        outputs = _planes(_pixels(self._head.of(fine_image)), fine_hw)
        colours = _interleaved(self._texture_shown @ products, fine_hw)
        return self._compose(outputs, colours, ids, view, flow, warped, scene)

    def _place(self, view: Viewport) -> _Places:
        kept = self._places.get(view)  # asked once: another thread may paint with this one too
        if kept is not None:
            return kept
        street, device = self._street, torch.device("cpu")
        reach = tuple(min(-(-length // extent.STRIDE), 256) for length in view.picture_hw)
        weight = street.extent_mid.weight[:, :, 0, 0]
        axes = []
        for number, length in enumerate(reach):
            before, after = _pairs(length)
            none = torch.zeros_like(before)
            pairs = torch.stack(
                (before, after, none, none) if number == 0 else (none, none, before, after)
            )
            planes = extent.extent_planes(pairs[None], view.picture_hw[0])[0].flatten(1)
            own = slice(0, extent.PLANES // 2) if number == 0 else slice(extent.PLANES // 2, None)
            axes.append((weight[:, own] @ planes[own]).t().contiguous())
        scene = torch.zeros(1, 3)
        scene[:, 1:] = 1.0
        aside = street_geometry.aside_planes(surface_coordinates(scene, view, 4))
        first = street.scene_mid.first
        columns = slice(street_geometry.PLANES - street_geometry.CELLS, None)
        cell_weight = first.weight[:, columns, 0, 0][:, : aside.shape[1]]
        places = _Places(
            mid=_pixels(
                F.conv2d(
                    perspective_planes(view, 4, device),
                    street.place_mid.weight,
                    street.place_mid.bias,
                )
            ),
            wide=_pixels(
                F.conv2d(
                    perspective_planes(view, 8, device),
                    street.place_wide.weight,
                    street.place_wide.bias,
                )
            ),
            looked_up=torch.cat([self._look_mid.flat, *axes]),
            reach=(reach[0], reach[1]),
            aside=torch.addmm(_bias(first), aside[0].flatten(1).t(), cell_weight.t()).view(
                *aside.shape[2:], -1
            ),
        )
        self._places[view] = places
        for oldest in list(self._places)[:-VIEWPORTS_KEPT]:
            self._places.pop(oldest, None)
        return places

    def _encode_labels(
        self, codes: Codes, extents: Tensor, styles: Tensor | None, places: _Places
    ) -> Tensor:
        """Labels, positions, extents and styles, [h*w at 1/4, channels]."""
        rows, mixed, sums = self._look_mid.find(codes)
        up, down, left, right = (part.ravel() for part in extents[0].numpy())
        index = np.empty((len(rows), 3), np.int32)
        index[:, 0] = rows
        for column, before, after, first, reach in (
            (1, up, down, len(self._look_mid.flat), places.reach[0]),
            (2, left, right, len(self._look_mid.flat) + places.reach[0] ** 2, places.reach[1]),
        ):
            np.multiply(before, reach, out=index[:, column], dtype=np.int32)
            index[:, column] += after
            index[:, column] += first
        x = F.embedding_bag(torch.from_numpy(index), places.looked_up, mode="sum")
        x += places.mid
        x.index_add_(0, mixed, sums)
        if styles is not None:
            planes = styles[0, :, ::4, ::4].float().flatten(1)
            x.addmm_(planes.t(), self._street.style_mid.weight[:, :, 0, 0].t())
        return x.relu_()

    def _trunk(self, x_mid: Tensor, previous: Tensor | None, places: _Places) -> Tensor:
        """The layers at 1/8 and 1/16 of the size; gives features at 1/8."""
        x = self._down_wide.of(x_mid)
        _pixels(x).add_(places.wide)
        if previous is not None:
            self._past_wide.add_to(x, _cells(_halved(previous)))
        _refine(x.relu_(), self._blocks_in)
        deep = self._down_deep.of(x, relu=True)
        _refine(deep, self._blocks_deep)
        _pixels(x).add_(self._up_wide.shuffled(deep))
        _refine(x, self._blocks_out)
        return x

    def _add_positions(self, y: Tensor, surface: SurfaceCoordinates, places: _Places) -> None:
        """Add what `scene_mid` gives to ``y`` [h*w at 1/4, channels]."""
        first = self._street.scene_mid.first.weight[:, :, 0, 0]
        n_rows, n_columns = street_geometry.ROWS, street_geometry.COLUMNS
        rows, columns = street_geometry.row_planes(surface), street_geometry.column_planes(surface)
        up = street_geometry.up_planes(surface)[0]
        of_up = first[:, -len(up) :].t()
        of_rows = (rows[0, :, :, 0].t() @ first[:, :n_rows].t())[:, None]
        of_columns = columns[0, :, 0].t() @ first[:, n_rows : n_rows + n_columns].t()
        _, height, width = surface.shape
        step = max(_CELLS_AT_ONCE // width, 1)
        for top in range(0, height, step):
            lines = slice(top, min(top + step, height))
            cells = slice(lines.start * width, lines.stop * width)
            x = places.aside[lines] + of_columns
            x.view(-1, x.shape[2]).addmm_(up[:, lines].flatten(1).t(), of_up)
            hidden = self._scene_second.of((x.add_(of_rows[lines])).relu_().flatten(0, 1)).relu_()
            self._scene_third.add_to(y[cells], hidden)

    def _compose(
        self,
        outputs: Tensor,
        colours: Tensor,
        ids: Codes,
        view: Viewport,
        flow: Tensor | None,
        warped: Tensor | None,
        scene: Tensor,
    ) -> Painting:
        """The picture of its layers.

        Args:
            outputs: The head's, before activation: [C,H/2,2,W].
            colours: What the textures add to them, [3,H/2,2,W].
            ids: The window's labels.
            view: What they show of the film's picture.
            flow: [1,H,W,2].
            warped: The previous picture along the flow, [1,3,H,W]; changed in place.
            scene: See `estimate_scene`.
        """
        _, h, _, width = outputs.shape
        raw = _plane_of(outputs, 3)
        torch.add(outputs[:3], colours, out=raw).tanh_()
        merged, weight = raw, None
        if flow is not None and warped is not None:
            least = self._street.config.least_weight
            weight = _plane_of(outputs, 1)
            torch.tanh(outputs[3:4], out=weight).mul_((1 - least) / 2).add_((1 + least) / 2)
            unknown = _disoccluded(ids[-1], ids[-2], flow[0].numpy(), view)
            weight.view(-1, width).masked_fill_(torch.from_numpy(unknown), 1.0)
            lower = warped.view(3, h, 2, width)
            lower.add_(outputs[-3:].tanh_(), alpha=0.5).clamp_(-1, 1)
            merged = torch.lerp(lower, raw, weight)
            weight = weight.view(1, 1, 2 * h, width)
        whole = merged.view(1, 3, 2 * h, width)
        raw, merged = (whole if merged is raw else raw.view(1, 3, 2 * h, width)), whole
        planar = None if flow is None else flow.permute(0, 3, 1, 2)
        if not self._street.config.fg_labels:
            return Painting(merged, (merged,), raw, warped, planar, weight, memory=(scene,))
        shown = _plane_of(outputs, 3)
        torch.add(outputs[4:7], colours, out=shown).tanh_()
        foreground = shown.view(1, 3, 2 * h, width)
        chosen = cv2.LUT(ids[-1], self._foreground)
        for layer in (raw,) if merged is raw else (raw, merged):
            for shown_plane, plane in zip(foreground[0].numpy(), layer[0].numpy(), strict=True):
                cv2.copyTo(shown_plane, chosen, plane)
        mask = torch.from_numpy(chosen)[None, None].float()
        return Painting(merged, (merged,), raw, warped, planar, weight, foreground, mask, (scene,))


@dataclass(frozen=True, eq=False)
class _Product:
    """A 1x1 convolution as a matrix product.

    Attributes:
        weight: [in, out].
        bias: [out].
    """

    weight: Tensor
    bias: Tensor

    @classmethod
    def of_layer(cls, layer: nn.Conv2d) -> _Product:
        return cls(layer.weight[:, :, 0, 0].t().contiguous().detach(), _bias(layer))

    def of(self, x: Tensor) -> Tensor:
        """Of rows [pixels, in]."""
        return torch.addmm(self.bias, x, self.weight)

    def shuffled(self, image: Tensor) -> Tensor:
        """Of an image [1,in,h,w], four values for each pixel of an image twice as large:
        [2h*2w, out/4]."""
        return _shuffled(self.of(_pixels(image)), (image.shape[2], image.shape[3]))

    def add_to(self, out: Tensor, x: Tensor) -> Tensor:
        return out.addmm_(x, self.weight).add_(self.bias)


def _versions(street: nn.Module) -> tuple[tuple[int, int], ...] | None:
    """What changes when a weight does; None where nobody can tell."""
    versions: list[tuple[int, int]] = []
    # Not ``street.parameters()``, which is slow: this is asked for every frame.
    waiting: list[nn.Module | None] = [street]
    while waiting:
        module = waiting.pop()
        if module is None:
            continue
        waiting += module._modules.values()
        for weight in (*module._parameters.values(), *module._buffers.values()):
            if weight is None:
                continue
            if weight.is_inference():
                return None
            versions.append((weight.data_ptr(), weight._version))
    return tuple(versions)


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias.detach()


def _image(rows: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Rows [h*w,C] as an image [1,C,h,w] in channels_last, a view."""
    return rows.view(1, *size_hw, -1).permute(0, 3, 1, 2)


def _pixels(image: Tensor) -> Tensor:
    """An image [1,C,h,w] as rows [h*w,C], a view where it is in channels_last."""
    return image.permute(0, 2, 3, 1).reshape(-1, image.shape[1])


_Residuals = list[tuple[PreparedConvolution, PreparedConvolution]]


def _residuals(*stages: nn.Sequential) -> tuple[_Residuals, ...]:
    """The two convolutions of each residual block of each stage."""
    prepared = PreparedConvolution.of_layer
    return tuple(
        [
            (prepared(cast(nn.Module, block.first)), prepared(cast(nn.Module, block.second)))
            for block in stage
        ]
        for stage in stages
    )


def _refine(image: Tensor, blocks: _Residuals) -> None:
    """Residual blocks, in place."""
    for first, second in blocks:
        second.add_to(image, first.of(image, relu=True))


def _shuffled(rows: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """A pixel shuffle by 2 of channels ordered (2, 2, C): rows [h*w,4C] to [2h*2w,C]."""
    h, w = size_hw
    return rows.view(h, w, 2, 2, -1).transpose(1, 2).reshape(4 * h * w, -1)


def _pixel_rows(flow: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """The flow's channels (4, 4, 2) of cells as [1,H,W,2]."""
    height, width = size_hw
    cells = _pixels(flow).view(height // 4, width // 4, 4, 8)
    return cells.transpose(1, 2).reshape(1, height, width, 2)


def _halved(pictures: Tensor) -> Tensor:
    """Means of 2x2 pixels: [1,C,H,W] to [1,C,H/2,W/2]."""
    _, channels, height, width = pictures.shape
    rows = pictures.contiguous().view(-1, width).numpy()
    means = cv2.resize(rows, (width // 2, len(rows) // 2), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(means).view(1, channels, height // 2, width // 2)


def _cells(picture: Tensor) -> Tensor:
    """The inverse of a pixel shuffle by 4: [1,C,H,W] to [1,16*C,H/4,W/4] in channels_last."""
    _, channels, height, width = picture.shape
    # Four pixels move as one value of 16 bytes, five times as fast.
    fours = picture.contiguous().numpy().view(np.complex128)
    fours = fours.reshape(channels, height // 4, 4, width // 4).transpose(1, 3, 0, 2)
    rows = np.ascontiguousarray(fours).view(np.float32)
    return _image(torch.from_numpy(rows), (height // 4, width // 4))


def _planes(head: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """A pixel shuffle by 2 of channels ordered (C, 2, 2): rows [h*w,4C] to planes [C,h,2,2w], in
    memory [C,2,h,2w]."""
    h, w = size_hw
    # Two pixels move as one value of 8 bytes.
    pairs = torch.from_numpy(cv2.transpose(head.numpy().view(np.float64))).view(torch.float32)
    return pairs.view(-1, 2, h, 2 * w).transpose(1, 2)


def _interleaved(halves: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """As `_planes`, of channels ordered (2, C, 2), each a row of pixels: [4C,h*w]."""
    h, w = size_hw
    left, right = halves.view(2, -1, w).numpy()
    return torch.from_numpy(cv2.merge([left, right])).view(-1, 2, h, 2 * w).transpose(1, 2)


def _plane_of(outputs: Tensor, channels: int) -> Tensor:
    """Memory for planes [channels,h,2,W] without gaps."""
    return outputs.new_empty(channels, *outputs.shape[1:])


def _style_products(texture: Tensor, styles: Tensor | None) -> Tensor:
    """The inputs of what textures and styles add to the picture, [K, cells].

    One; the texture's channels; and where there are styles, for each of them the style and its
    products with the channels.

    Args:
        texture: [cells, channels].
        styles: [1,S,H,W].
    """
    cells, channels = texture.shape
    count = 0 if styles is None else styles.shape[1]
    products = torch.empty(1 + count, 1 + channels, cells)
    products[0, 0] = 1
    cv2.transpose(texture.numpy(), products[0, 1:].numpy())
    if styles is not None:
        factors = styles[0, :, ::2, ::2].float().flatten(1)
        torch.mul(products[0], factors[:, None], out=products[1:])
    return products.flatten(0, 1)


def _texture_weights(street: StreetGenerator) -> tuple[Tensor, Tensor]:
    """The weights of `_style_products` in the fine features, [K, fine], and in the colours, each
    for 2x2 pixels ordered (column, RGB, row), [12, K]."""
    channels, styles = street.config.texture_channels, street.config.feature_nc
    parts = [(_bias(street.texture_fine)[None], street.texture_fine.weight[:, :, 0, 0].t())]
    shown = [(torch.zeros(1, 12), street.texture_shown.weight[:, :, 0, 0].t())]
    if styles:
        for layer, into in ((street.style_fine, parts), (street.style_shown, shown)):
            weight = layer.weight[:, :, 0, 0].t()
            own, products = weight[:styles], weight[styles:].view(channels, styles, -1)
            into += [(own[s : s + 1], products[:, s]) for s in range(styles)]
    fine = torch.cat([part for pair in parts for part in pair]).detach().contiguous()
    colours = torch.cat([part for pair in shown for part in pair]).detach()
    colours = colours.view(-1, 3, 2, 2).permute(3, 1, 2, 0).flatten(0, 2)
    return fine, colours.contiguous()


def _disoccluded(
    newest: Codes, previous: Codes, flow: npt.NDArray[np.float32], view: Viewport
) -> npt.NDArray[np.bool_]:
    """Where the previous picture did not show what is seen now, bool [H,W]; see
    `vidtrans.nets.street`."""
    box = view.content
    shown = previous[box.top : box.bottom, box.left : box.right]
    height, width = newest.shape
    x = flow[..., 0] + np.arange(-box.left, width - box.left, dtype=np.float32)
    y = flow[..., 1] + np.arange(-box.top, height - box.top, dtype=np.float32)[:, None]
    # Nearest neighbour, rounded half to even; no label is 255.
    found = cv2.remap(
        shown, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(255,)
    )
    unknown: npt.NDArray[np.bool_] = found != newest
    return unknown
