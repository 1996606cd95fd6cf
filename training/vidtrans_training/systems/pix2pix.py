"""pix2pix (Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks",
2017)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from vidtrans.nets.painting import Conditioning
from vidtrans.nets.pix2pix import Pix2PixConfig, UNet
from vidtrans.nets.resnet import Resnet, ResnetConfig
from vidtrans_training.clip import Clip
from vidtrans_training.discriminators import PatchDiscriminator, PixelDiscriminator
from vidtrans_training.initialise import draw_weights
from vidtrans_training.losses import GanKind, discriminator_loss, generator_loss
from vidtrans_training.optimisers import adam, pix2pix_schedule
from vidtrans_training.options import Pix2PixOptions
from vidtrans_training.systems.still import StillSystem
from vidtrans_training.systems.system import Generated, Phase, frozen

_BASIC_LAYERS = 3
_GAN: dict[str, GanKind] = {"vanilla": "log", "lsgan": "ls", "hinge": "hinge"}


class Pix2Pix(StillSystem[Pix2PixOptions]):
    """A picture (``clip.images``) becomes another. T pictures of a clip are one batch.

    The discriminator steps first; the generator then faces the updated one.

    Args:
        options: Its options.
        device: Where the networks live.
        stored: For each network by name whether its instance norms keep running statistics, as
            checkpoints of some versions do.
    """

    n_phases = 2

    def __init__(
        self,
        options: Pix2PixOptions,
        device: torch.device,
        *,
        stored: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(options, device)
        self.gan = _GAN[options.gan_mode]
        self.G = pix2pix_generator(options, stored="G" in stored)
        inputs = options.input_nc + options.output_nc
        self.D: nn.Module
        if options.netD == "pixel":
            self.D = PixelDiscriminator(inputs, options.ndf, options.norm, stored="D" in stored)
        else:
            layers = _BASIC_LAYERS if options.netD == "basic" else options.n_layers_D
            self.D = PatchDiscriminator(
                inputs, options.ndf, layers, options.norm, stored="D" in stored
            )
        for network in (self.G, self.D):
            draw_weights(network, zero_biases=True)
            network.to(device)
        self.networks = {"G": self.G, "D": self.D}
        self.optimisers = {
            name: adam(network.parameters(), options.lr, options.beta1)
            for name, network in self.networks.items()
        }
        self.schedules = {
            name: pix2pix_schedule(optimiser, options)
            for name, optimiser in self.optimisers.items()
        }
        self.train()

    @property
    def generator_networks(self) -> dict[str, nn.Module]:
        return {"G": self.G}

    def generate(self, chunk: Clip, carried: Any = None) -> Generated:
        assert chunk.images is not None, "pix2pix paints from pictures"
        conditioning = Conditioning(image=chunk.images[:, None])
        return Generated(self.recomputed(lambda: self.G(conditioning, None).picture))

    def phases(self, chunk: Clip, generated: Generated) -> Iterator[Phase]:
        assert chunk.images is not None
        condition, real, fake = chunk.images, chunk.real, generated.pictures
        pairs = torch.cat([condition, fake], dim=1)

        of_fake = self.D(self.pool.query(pairs)).scores
        of_real = self.D(torch.cat([condition, real], dim=1)).scores
        losses = {
            "D_fake": discriminator_loss(of_fake, real=False, kind=self.gan),
            "D_real": discriminator_loss(of_real, real=True, kind=self.gan),
        }
        yield Phase(losses, {"D": 0.5 * (losses["D_fake"] + losses["D_real"])})

        with frozen(self.D):
            of_fake = self.D(pairs).scores
        losses = {
            "G_GAN": generator_loss(of_fake, self.gan),
            "G_L1": self.options.lambda_L1 * F.l1_loss(fake, real),
        }
        yield Phase(losses, {"G": self.weighted(losses)})

    def _end_epoch(self) -> None:
        with warnings.catch_warnings():
            # A resumed run steps its schedule before its optimisers have stepped at all.
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            for schedule in self.schedules.values():
                if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
                    schedule.step(0.0)  # as published: of no metric, so its patience decides
                else:
                    schedule.step()


def pix2pix_generator(options: Pix2PixOptions, *, stored: bool = False) -> UNet | Resnet:
    """The generator that ``netG`` names. Batch norm takes the batch's statistics while it is
    trained."""
    kept = stored or options.norm == "batch"
    if found := re.fullmatch(r"unet_(\d+)", options.netG):
        return UNet(
            Pix2PixConfig(
                input_nc=options.input_nc,
                output_nc=options.output_nc,
                channels=options.ngf,
                downsamplings=int(found[1]).bit_length() - 1,
                norm=options.norm,
                statistics="running" if options.norm == "batch" else "frame",
                stored=kept,
                dropout_layers=not options.no_dropout,
            )
        )
    return Resnet(
        ResnetConfig(
            input_nc=options.input_nc,
            output_nc=options.output_nc,
            channels=options.ngf,
            blocks=int(options.netG.removeprefix("resnet_").removesuffix("blocks")),
            norm=options.norm,
            statistics="running" if options.norm == "batch" else "frame",
            stored=kept,
            dropout_layers=not options.no_dropout,
        )
    )
