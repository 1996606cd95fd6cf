"""vid2vid (Wang et al., "Video-to-Video Synthesis", 2018b)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from vidtrans.errors import InputError
from vidtrans.nets.conditioning import pyramid
from vidtrans.nets.painting import Conditioning, History, Painting, push
from vidtrans.nets.vid2vid import Scale, Vid2Vid, Vid2VidConfig
from vidtrans.nets.warp import warp
from vidtrans_training.clip import Clip
from vidtrans_training.discriminators import MultiscaleDiscriminator, NormKind
from vidtrans_training.initialise import copy_branch_biases, draw_weights
from vidtrans_training.losses import (
    discriminator_loss,
    feature_matching,
    generator_loss,
    masked_l1,
    perceptual_loss,
)
from vidtrans_training.optimisers import adam, set_rate
from vidtrans_training.options import SequenceOptions, Vid2VidOptions
from vidtrans_training.perceptual import VGG19
from vidtrans_training.systems.system import (
    Generated,
    Phase,
    System,
    boundaries,
    condition_planes,
    frozen,
)
from vidtrans_training.temporal import Frames, Groups, TemporalScale

SequenceOptionsT = TypeVar("SequenceOptionsT", bound=SequenceOptions)

WIDEST_FOR_VGG = 1024
"""Pictures are halved until they are at most so wide before VGG19 sees them."""
LONGEST = 128
"""Frames of the longest sequence that training grows to."""
WIDEST_FIRST_LAYER = 64
"""Channels that a discriminator's first layer has at most."""


@dataclass(frozen=True, eq=False)
class Carried:
    """What a chunk hands on to the next one, all of it detached.

    Args:
        history: For each scale its last pictures.
        fake: The last generated picture [1,C,H,W].
        kept: For each temporal scale the frames that its next groups reach back to.
        frames: Frames generated so far.
    """

    history: History
    fake: Tensor
    kept: tuple[Frames | None, ...]
    frames: int


@dataclass(frozen=True, eq=False)
class Window:
    """Which frames of a chunk are generated: ``first`` is the first of them, and each of the
    ``count`` lies ``first`` frames after the oldest one that it is told of."""

    first: int
    count: int

    @property
    def new(self) -> slice:
        """The generated frames within the chunk."""
        return slice(self.first, self.first + self.count)

    @property
    def before(self) -> slice:
        """The frames one before those."""
        return slice(self.first - 1, self.first + self.count - 1)


class SequenceSystem(System[SequenceOptionsT]):
    """What vid2vid and street share: chunks, discriminators of pictures and of motion, losses.

    All losses are computed from the weights before the step; then the generator steps, then the
    discriminator of pictures, then those of motion, each with an Adam of its own.

    Args:
        options: Its options.
        device: Where the networks live.
        vgg: VGG19 for the perceptual loss; None only with ``no_vgg``.
    """

    n_frames: int
    """Frames of the window that a picture is generated from, itself included (``n_frames_G``)."""

    def __init__(
        self, options: SequenceOptionsT, device: torch.device, *, vgg: VGG19 | None
    ) -> None:
        super().__init__(options, device)
        if vgg is None and not options.no_vgg:
            raise ValueError("the perceptual loss is on, and there is no VGG19")
        self.vgg = None if options.no_vgg or vgg is None else vgg.to(device)
        self.n_frames = options.n_frames_G
        self.temporal = [
            TemporalScale(scale, options.n_frames_D, options.sparse_D)
            for scale in range(options.n_scales_temporal)
        ]
        self.n_frames_bp = 1
        self.rate = options.lr

    def _discriminators(
        self,
        condition_nc: int,
        output_nc: int,
        norm: NormKind,
        stored: frozenset[str] | None = None,
    ) -> dict[str, MultiscaleDiscriminator]:
        """D and D_T0, D_T1, ...: the first sees a frame's condition and its picture, the others a
        group's pictures and flows. ``stored``: those whose instance norms keep running statistics;
        None: all, as published."""
        options = self.options
        widths = [
            min(WIDEST_FIRST_LAYER, options.ndf * 2 ** (options.num_D - 1 - scale))
            for scale in range(options.num_D)
        ]
        frames = options.n_frames_D
        inputs = {"D": condition_nc + output_nc}
        for at in self.temporal:
            inputs[f"D_T{at.scale}"] = frames * output_nc + (frames - 1) * 2
        return {
            name: MultiscaleDiscriminator(
                channels,
                widths,
                options.n_layers_D,
                norm,
                features=not options.no_ganFeat,
                stored=stored is None or name in stored,
            )
            for name, channels in inputs.items()
        }

    def _optimise(self, trained: list[nn.Parameter]) -> None:
        """Makes the optimisers: of ``trained`` as G, of D, and of each D_T."""
        options = self.options
        lr, beta1 = options.lr, options.beta1
        slow, fast, betas = lr, lr, (beta1, 0.999)
        if options.TTUR:
            slow, fast, betas = lr / 2, lr * 2, (0.0, 0.9)
        self.optimisers = {
            "G": adam(trained, slow, *betas),
            "D": adam(self.networks["D"].parameters(), fast, *betas),
        }
        for at in self.temporal:
            name = f"D_T{at.scale}"
            self.optimisers[name] = adam(self.networks[name].parameters(), lr, beta1)

    @property
    def generator_networks(self) -> dict[str, nn.Module]:
        return {n: network for n, network in self.networks.items() if not n.startswith("D")}

    def chunk_frames(self, epoch: int) -> int:
        """Generated frames of a chunk after ``epoch`` epochs: they double every ``niter_step``
        epochs up to ``max_frames_per_gpu`` on each of the GPUs that share a sequence."""
        options = self.options
        gpus = max(options.n_gpus_gen, 1)
        first = min(options.max_frames_per_gpu, max(options.n_frames_total // gpus, 1))
        each = min(options.max_frames_per_gpu, first << (epoch // options.niter_step))
        return each * gpus

    def sequence_frames(self, epoch: int, longest: int) -> int:
        """Generated frames of a sequence.

        Args:
            epoch: Epochs that have ended before.
            longest: Frames of the longest sequence of the data.
        """
        most = max(min(LONGEST, longest) - (self.n_frames - 1), 1)
        return min(most, self.options.n_frames_total << (epoch // self.options.niter_step))

    def chunks(self, clip: Clip) -> Iterator[Clip]:
        """Parts of ``chunk_frames`` generated frames, each with the ``n_frames`` - 1 frames before
        it; what is left of the sequence at its end is not used.

        Raises:
            InputError: The clip is too short for one.
        """
        size, past = self.chunk_frames(self.epoch), self.n_frames - 1
        generated = len(clip) - past
        if generated < 1:
            raise InputError(
                f"A sequence of {len(clip)} frames is too short: at least {self.n_frames} are"
                " needed for one to be generated.",
                where=clip.names[0] if clip.names else None,
            )
        size = min(size, generated)
        for start in range(0, generated - size + 1, size):
            yield clip.frames(start, start + size + past)

    def _window(self, chunk: Clip) -> Window:
        return Window(self.n_frames - 1, len(chunk) - self.n_frames + 1)

    @abstractmethod
    def _paint(
        self, chunk: Clip, newest: int, history: History | None, *, first_chunk: bool
    ) -> Painting:
        """Frame ``newest`` of the chunk, from the frames and pictures before it."""

    @abstractmethod
    def _first_history(self, chunk: Clip) -> History | None:
        """What a sequence begins with."""

    def generate(self, chunk: Clip, carried: Carried | None = None) -> Generated:
        """The chunk's frames one after another, each from the pictures before it.

        No gradient passes through the history at every ``n_frames_bp``-th frame.
        """
        window = self._window(chunk)
        history = self._first_history(chunk) if carried is None else carried.history
        paintings: list[Painting] = []
        for number in range(window.count):
            if history is not None and number % self.n_frames_bp == 0:
                history = tuple(part.detach() for part in history)
            painting = self._paint(
                chunk, window.first + number, history, first_chunk=carried is None
            )
            history = self._pushed(history, painting)
            paintings.append(painting)
        fake = torch.cat([painting.picture for painting in paintings])
        real = chunk.real[window.new]
        kept: list[Frames | None] = []
        start = 0 if carried is None else carried.frames
        for number, at in enumerate(self.temporal):
            new = Frames(real, fake.detach(), self._flow(chunk, at.flow_distance)[window.new])
            before = None if carried is None else carried.kept[number]
            kept.append(at.groups(before, new, start)[1])
        assert history is not None
        return Generated(
            pictures=fake,
            raw=_joined([p.raw for p in paintings]),
            warped=_joined([p.warped for p in paintings]),
            flow=_joined([p.flow for p in paintings]),
            weight=_joined([p.weight for p in paintings]),
            foreground=_joined([p.foreground for p in paintings]),
            before=carried,
            carried=Carried(
                tuple(part.detach() for part in history),
                fake[-1:].detach(),
                tuple(kept),
                start + window.count,
            ),
        )

    def _pushed(self, history: History | None, painting: Painting) -> History:
        """The history after a frame. After the first of a sequence without a history it shows that
        frame alone."""
        if history is None:
            repeated = (part.repeat(1, self.n_frames - 1, 1, 1) for part in painting.scales)
            return (*repeated, *painting.memory)
        return push(history, painting)

    def _flow(self, chunk: Clip, distance: int) -> Tensor:
        if distance not in chunk.flow:
            raise InputError(
                f"The sample lacks the teacher's flow over {distance} frames, which the temporal"
                " discriminators look at.",
                where=chunk.names[-1] if chunk.names else None,
            )
        return chunk.flow[distance]

    @abstractmethod
    def _condition(self, chunk: Clip) -> Tensor:
        """What D sees of each frame beside its picture, [T,C,H,W]."""

    def phases(self, chunk: Clip, generated: Generated) -> Iterator[Phase]:
        window = self._window(chunk)
        real, fake, raw = chunk.real[window.new], generated.pictures, generated.raw
        condition = self._condition(chunk)[window.new]
        shown = [fake] if raw is None else [fake, raw]

        losses = self._picture_losses(condition, real, shown)
        losses |= self._motion_losses(chunk, window, generated)
        losses |= self._own_losses(real, shown)
        own = {name: losses.pop(name) for name in ("D_real", "D_fake")}
        objectives = {"D": 0.5 * (own["D_fake"] + own["D_real"])}
        for at, groups in self._groups(chunk, window, generated):
            of_groups = self._temporal_losses(at, groups)
            names = (f"D_T_real{at.scale}", f"D_T_fake{at.scale}")
            own |= {name: of_groups.pop(name) for name in names}
            objectives[f"D_T{at.scale}"] = 0.5 * (own[names[1]] + own[names[0]])
            losses |= of_groups
        yield Phase(losses | own, {"G": self.weighted(losses)} | objectives)

    def _picture_losses(
        self, condition: Tensor, real: Tensor, shown: list[Tensor]
    ) -> dict[str, Tensor]:
        """What D and VGG19 say of the final and of the raw pictures, added up."""
        options = self.options
        zero = real.new_zeros(())
        losses = dict.fromkeys(("G_VGG", "G_GAN", "G_GAN_Feat", "D_real", "D_fake"), zero)
        of_real = self.networks["D"](torch.cat([condition, real], dim=1))
        seen_real = None if self.vgg is None else self.vgg(_narrowed(real))
        for fake in shown:
            pairs = torch.cat([condition, fake], dim=1)
            of_detached = self.networks["D"](pairs.detach())
            with frozen(self.networks["D"]):
                of_fake = self.networks["D"](pairs)
            losses["D_real"] = losses["D_real"] + discriminator_loss(
                of_real.scores, real=True, kind=options.gan
            )
            losses["D_fake"] = losses["D_fake"] + discriminator_loss(
                of_detached.scores, real=False, kind=options.gan
            )
            losses["G_GAN"] = losses["G_GAN"] + generator_loss(of_fake.scores, options.gan)
            if not options.no_ganFeat:
                losses["G_GAN_Feat"] = losses["G_GAN_Feat"] + options.lambda_feat * (
                    feature_matching(of_fake.activations, of_real.activations, options.n_layers_D)
                )
            if self.vgg is not None and seen_real is not None:
                losses["G_VGG"] = losses["G_VGG"] + options.lambda_feat * perceptual_loss(
                    self.vgg(_narrowed(fake)), seen_real
                )
        return losses

    def _motion_losses(
        self, chunk: Clip, window: Window, generated: Generated
    ) -> dict[str, Tensor]:
        """Flow, warping and occlusion weight, where the teacher's flow is trusted."""
        options = self.options
        real, before_real = chunk.real[window.new], chunk.real[window.before]
        taught = self._flow(chunk, 1)[window.new]
        trusted = chunk.confidence[1][window.new]
        carried: Carried | None = generated.before
        fake = generated.pictures
        first = before_real[:1] if carried is None else carried.fake
        before_fake = torch.cat([first, fake[:-1]]).detach()

        zero = real.new_zeros(())
        losses = {
            "G_Warp": options.lambda_T * masked_l1(fake, warp(before_fake, taught), trusted),
            "F_Flow": zero,
            "F_Warp": zero,
            "W": zero,
        }
        if generated.flow is not None and generated.weight is not None:
            # A first frame without a history has no flow.
            moved = slice(len(real) - len(generated.flow), None)
            taught, trusted = taught[moved], trusted[moved]
            losses["F_Flow"] = self.flow_weight * masked_l1(generated.flow, taught, trusted)
            losses["F_Warp"] = options.lambda_T * masked_l1(
                warp(before_real[moved], generated.flow), real[moved], trusted
            )
            if options.no_first_img:
                weight = generated.weight
                losses["W"] = masked_l1(weight, torch.zeros_like(weight), trusted)
        return losses

    def _own_losses(self, real: Tensor, shown: list[Tensor]) -> dict[str, Tensor]:
        """Losses of G that vid2vid does not have; ``shown`` are the final and the raw pictures."""
        return {}

    @property
    def flow_weight(self) -> float:
        """The factor of F_Flow: flow is in pixels, so it halves with every finer scale."""
        return self.options.lambda_F

    def _groups(
        self, chunk: Clip, window: Window, generated: Generated
    ) -> Iterator[tuple[TemporalScale, Groups]]:
        """The groups of each temporal scale that has something to see."""
        carried: Carried | None = generated.before
        start = 0 if carried is None else carried.frames
        for number, at in enumerate(self.temporal):
            new = Frames(
                chunk.real[window.new],
                generated.pictures,
                self._flow(chunk, at.flow_distance)[window.new],
            )
            kept = None if carried is None else carried.kept[number]
            groups = at.groups(kept, new, start)[0]
            if groups is not None:
                yield at, groups

    def _temporal_losses(self, at: TemporalScale, groups: Groups) -> dict[str, Tensor]:
        options = self.options
        network = self.networks[f"D_T{at.scale}"]
        of_real, of_detached = network(groups.real), network(groups.fake.detach())
        with frozen(network):
            of_fake = network(groups.fake)
        zero = groups.real.new_zeros(())
        matched = zero
        if not options.no_ganFeat:
            matched = options.lambda_feat * feature_matching(
                of_fake.activations, of_real.activations, options.n_layers_D
            )
        s = at.scale
        return {
            f"G_T_GAN{s}": generator_loss(of_fake.scores, options.gan),
            f"G_T_GAN_Feat{s}": matched,
            f"D_T_real{s}": discriminator_loss(of_real.scores, real=True, kind=options.gan),
            f"D_T_fake{s}": discriminator_loss(of_detached.scores, real=False, kind=options.gan),
            f"G_T_Warp{s}": zero,  # always 0, as published
        }

    def _end_epoch(self) -> None:
        options, epoch = self.options, self.epoch
        if epoch > options.niter and options.niter_decay:
            self.rate = options.lr * (1 - (epoch - options.niter) / options.niter_decay)
            for name in ("G", "D"):  # D_T's rate never falls
                set_rate(self.optimisers[name], self.rate)
        if epoch % options.niter_step == 0:
            self._lengthen(epoch // options.niter_step)
        if epoch == options.niter_fix_global:
            self._release()

    def _lengthen(self, doublings: int) -> None:
        """Gradients pass through more frames, as many as fit evenly into the chunks so far."""
        frames = self.chunk_frames(self.epoch - 1)
        if self.n_frames_bp < frames:
            wanted = min(self.options.max_frames_backpropagate, 2**doublings)
            self.n_frames_bp = frames // math.ceil(frames / wanted)

    def _release(self) -> None:
        """Trains what was fixed until now."""


class Vid2VidSystem(SequenceSystem[Vid2VidOptions]):
    """vid2vid: a window of labels (or pictures) and its own last pictures in, the next picture
    out.

    Args:
        options: Its options.
        device: Where the networks live.
        vgg: VGG19 for the perceptual loss; None only with ``no_vgg``.
        stored: Discriminators whose instance norms keep running statistics; None: all of them, as
            published.
    """

    def __init__(
        self,
        options: Vid2VidOptions,
        device: torch.device,
        *,
        vgg: VGG19 | None,
        stored: frozenset[str] | None = None,
    ) -> None:
        super().__init__(options, device, vgg=vgg)
        self.generator = Vid2Vid(generator_config(options))
        self.networks = {
            f"G{scale}": self.generator.get_submodule(f"G{scale}")
            for scale in range(options.n_scales_spatial)
        }
        condition_nc = (options.label_nc or options.input_nc) + options.use_instance
        self.networks |= self._discriminators(condition_nc, options.output_nc, options.norm, stored)
        for network in self.networks.values():
            draw_weights(network, zero_biases=False)
            if isinstance(network, Scale):
                copy_branch_biases(network)
            network.to(device)
        self.finest_alone = bool(options.niter_fix_global) and options.n_scales_spatial > 1
        finest = self.networks[f"G{options.n_scales_spatial - 1}"]
        trained = finest if self.finest_alone else self.generator
        self._optimise(list(trained.parameters()))
        self.train()

    def _first_history(self, chunk: Clip) -> History:
        """The first real pictures at every scale, coarsest first; zeros with ``no_first_img``."""
        first = chunk.real[: self.n_frames - 1]
        if self.options.no_first_img:
            first = torch.zeros_like(first)
        scales = pyramid(first, self.options.n_scales_spatial)
        return tuple(pictures.flatten(0, 1)[None] for pictures in scales)

    def _paint(
        self, chunk: Clip, newest: int, history: History | None, *, first_chunk: bool
    ) -> Painting:
        options = self.options
        window = slice(newest - self.n_frames + 1, newest + 1)
        shown = chunk.labels if options.label_nc else chunk.images
        assert shown is not None
        conditioning = Conditioning(
            ids=shown[None, window] if options.label_nc else None,
            boundary=boundaries(chunk)[None, window] if options.use_instance else None,
            image=None if options.label_nc else shown[None, window],
        )

        def paint() -> Painting:
            return self.generator(  # type: ignore[no-any-return]
                conditioning,
                history,
                raw_only=options.no_first_img and first_chunk,
                finest_alone=self.finest_alone,
            )

        return self.recomputed(paint)

    def _condition(self, chunk: Clip) -> Tensor:
        options = self.options
        return condition_planes(chunk, options.label_nc, use_instance=options.use_instance)

    @property
    def flow_weight(self) -> float:
        return self.options.lambda_F / (1 << (self.options.n_scales_spatial - 1))

    def _release(self) -> None:
        if not self.finest_alone:
            return
        # The published script goes on with the old optimiser, so that coarser scales are never
        # trained; this does what was meant.
        self.finest_alone = False
        self.optimisers["G"] = adam(self.generator.parameters(), self.rate, self.options.beta1)


def generator_config(options: Vid2VidOptions) -> Vid2VidConfig:
    """The generator that ``options`` describe."""
    return Vid2VidConfig(
        label_nc=options.label_nc,
        input_nc=options.input_nc,
        output_nc=options.output_nc,
        n_frames=options.n_frames_G,
        use_instance=options.use_instance,
        flow=not options.no_flow,
        foreground=options.fg,
        foreground_labels=options.fg_labels,
        channels=options.ngf,
        downsamplings=options.n_downsample_G,
        blocks=options.n_blocks,
        local_blocks=options.n_blocks_local,
        scales=options.n_scales_spatial,
        norm=options.norm,
    )


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


def _narrowed(pictures: Tensor) -> Tensor:
    while pictures.shape[-1] > WIDEST_FOR_VGG:
        pictures = nn.functional.avg_pool2d(pictures, 2)
    return pictures
