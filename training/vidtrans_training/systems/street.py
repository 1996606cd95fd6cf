"""The small street network, a vid2vid generator made for CPUs, under vid2vid's losses and
discriminators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from vidtrans.labels.scheme import Scheme
from vidtrans.model.street_classes import street_classes
from vidtrans.nets.extent import extents
from vidtrans.nets.painting import Conditioning, History, Painting, SceneMeasurements
from vidtrans.nets.street import StreetConfig, StreetGenerator
from vidtrans.nets.street_geometry import estimate_scene
from vidtrans_training.clip import Clip
from vidtrans_training.initialise import draw_weights
from vidtrans_training.options import StreetOptions
from vidtrans_training.perceptual import VGG19
from vidtrans_training.systems.system import boundaries, condition_planes
from vidtrans_training.systems.vid2vid import SequenceSystem

FIRST_INSTANCE = 1000
"""Instance ids from here on are those of single things, as in Cityscapes."""


class StreetSystem(SequenceSystem[StreetOptions]):
    """The street network on whole pictures.

    Where the camera is in the street (metres travelled, distances of the facades) is taken from the
    clip, or estimated from labels and the teacher's flow: the network's own flow is still wrong
    when training begins.

    Args:
        options: Its options.
        device: Where the networks live.
        vgg: VGG19 for the perceptual loss; None only with ``no_vgg``.
        scheme: The label scheme of the planes; None: Cityscapes.
    """

    def __init__(
        self,
        options: StreetOptions,
        device: torch.device,
        *,
        vgg: VGG19 | None,
        scheme: Scheme | None = None,
    ) -> None:
        super().__init__(options, device, vgg=vgg)
        self.classes = street_classes(scheme)
        # Its own initialisation: residual blocks begin near the identity.
        self.generator = StreetGenerator(generator_config(options), self.classes).to(device)
        discriminators = self._discriminators(options.label_nc + 1, 3, "instance")
        for network in discriminators.values():
            draw_weights(network, zero_biases=False)
            network.to(device)
        self.networks = {"G": self.generator, **discriminators}
        self._optimise(list(self.generator.parameters()))
        self.train()

    def chunks(self, clip: Clip) -> Iterator[Clip]:
        """Chunks as in vid2vid, with the scene of each frame and, with ``feature_nc``, the mean
        colour of each thing."""
        yield from super().chunks(self.prepared(clip))

    def prepared(self, clip: Clip) -> Clip:
        """``clip`` with its scene, and with styles as its features."""
        if clip.scene is None:
            clip = replace(clip, scene=self._scene(clip))
        if self.options.feature_nc and clip.features is None:
            clip = replace(clip, features=mean_colours(clip))
        return clip

    @torch.no_grad()
    def _scene(self, clip: Clip) -> Tensor:
        assert clip.labels is not None, "the street network paints from labels"
        flow = self._flow(clip, 1)
        scene: Tensor | None = None
        scenes = []
        for t in range(len(clip)):
            now = slice(t, t + 1)
            motion = None if t == 0 else flow[now]
            scene = estimate_scene(scene, clip.labels[now], motion, self.classes)
            scenes.append(scene)
        return torch.cat(scenes)

    def _first_history(self, chunk: Clip) -> History | None:
        if self.options.no_first_img:
            return None
        assert chunk.scene is not None
        past = self.n_frames - 1
        return chunk.real[:past].flatten(0, 1)[None], chunk.scene[past - 1 : past]

    def _paint(
        self, chunk: Clip, newest: int, history: History | None, *, first_chunk: bool
    ) -> Painting:
        assert chunk.labels is not None
        assert chunk.scene is not None
        window, now = slice(newest - self.n_frames + 1, newest + 1), slice(newest, newest + 1)
        edges = boundaries(chunk)
        conditioning = Conditioning(
            ids=chunk.labels[None, window],
            boundary=edges[None, window],
            features=None if chunk.features is None else chunk.features[now],
            measured=SceneMeasurements(extents(chunk.labels[now], edges[now]), chunk.scene[now]),
        )

        def paint() -> Painting:
            return self.generator(conditioning, history)  # type: ignore[no-any-return]

        return self.recomputed(paint)

    def _condition(self, chunk: Clip) -> Tensor:
        return condition_planes(chunk, self.options.label_nc, use_instance=True)

    def _own_losses(self, real: Tensor, shown: list[Tensor]) -> dict[str, Tensor]:
        distances = torch.stack([F.l1_loss(fake, real) for fake in shown])
        return {"G_L1": self.options.lambda_L1 * distances.sum()}


def generator_config(options: StreetOptions) -> StreetConfig:
    """The generator that ``options`` describe."""
    return StreetConfig(
        label_nc=options.label_nc,
        fg_labels=options.fg_labels,
        n_frames=options.n_frames_G,
        channels=options.channels,
        blocks=options.blocks,
        texture_channels=options.texture_channels,
        feature_nc=options.feature_nc,
        least_weight=options.least_weight,
    )


def mean_colours(clip: Clip) -> Tensor:
    """The mean colour over the whole clip of the thing that a pixel is of, float [T,3,H,W] in
    [-1,1]; 0 where it is of none."""
    assert clip.instances is not None, "styles are colours of instances"
    things = torch.where(clip.instances < FIRST_INSTANCE, 0, clip.instances)
    ids, place = torch.unique(things, return_inverse=True)
    pixels = clip.real.movedim(1, -1).reshape(-1, clip.real.shape[1])
    sums = pixels.new_zeros(len(ids), pixels.shape[1]).index_add_(0, place.reshape(-1), pixels)
    counts = torch.bincount(place.reshape(-1), minlength=len(ids)).clamp(min=1)
    colours = sums / counts[:, None].to(sums.dtype)
    colours[ids == 0] = 0
    return colours[place].movedim(-1, 1).contiguous()
