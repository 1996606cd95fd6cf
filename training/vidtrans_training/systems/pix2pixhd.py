"""pix2pixHD (Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with
Conditional GANs", 2018a)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from vidtrans.errors import InputError
from vidtrans.nets.painting import Conditioning
from vidtrans.nets.pix2pixhd import Encoder, EncoderConfig, Pix2PixHD, Pix2PixHDConfig
from vidtrans_training.clip import Clip
from vidtrans_training.discriminators import MultiscaleDiscriminator
from vidtrans_training.initialise import draw_weights
from vidtrans_training.losses import (
    GanKind,
    discriminator_loss,
    feature_matching,
    generator_loss,
    perceptual_loss,
)
from vidtrans_training.optimisers import adam, set_rate
from vidtrans_training.options import Pix2PixHDOptions
from vidtrans_training.perceptual import VGG19
from vidtrans_training.systems.still import StillSystem
from vidtrans_training.systems.system import (
    Generated,
    Phase,
    boundaries,
    condition_planes,
    frozen,
)


class Pix2PixHDSystem(StillSystem[Pix2PixHDOptions]):
    """Labels become a picture, on their own or with the encoded features of the real one.

    All losses are computed from the weights before the step; then the generator (and the encoder
    with it) steps, then the discriminator.

    Args:
        options: Its options.
        device: Where the networks live.
        vgg: VGG19 for the perceptual loss; None only with ``no_vgg_loss``.
        stored: For each network by name whether its instance norms keep running statistics.
    """

    def __init__(
        self,
        options: Pix2PixHDOptions,
        device: torch.device,
        *,
        vgg: VGG19 | None,
        stored: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(options, device)
        if vgg is None and not options.no_vgg_loss:
            raise ValueError("the perceptual loss is on, and there is no VGG19")
        self.vgg = None if options.no_vgg_loss or vgg is None else vgg.to(device)
        self.gan: GanKind = options.gan or ("log" if options.no_lsgan else "ls")
        self.G = Pix2PixHD(generator_config(options, stored="G" in stored))
        inputs = (options.label_nc or options.input_nc) + (not options.no_instance)
        self.D = MultiscaleDiscriminator(
            inputs + options.output_nc,
            [options.ndf] * options.num_D,
            options.n_layers_D,
            options.norm,
            features=not options.no_ganFeat_loss,
            stored="D" in stored,
        )
        self.networks = {"G": self.G, "D": self.D}
        self.E: Encoder | None = None
        if options.trains_encoder:
            self.networks["E"] = self.E = Encoder(encoder_config(options, stored="E" in stored))
        for network in self.networks.values():
            draw_weights(network, zero_biases=False)
            network.to(device)
        self.rate = options.lr
        self.optimisers = {
            "G": adam(self._first_trained(), options.lr, options.beta1),
            "D": adam(self.D.parameters(), options.lr, options.beta1),
        }
        self.train()

    def _first_trained(self) -> list[nn.Parameter]:
        """What G's optimiser trains at first: with ``niter_fix_global`` the last enhancer alone,
        and the encoder."""
        prefix = f"model{self.options.n_local_enhancers}" if self.options.niter_fix_global else ""
        parameters = [p for name, p in self.G.named_parameters() if name.startswith(prefix)]
        return parameters + ([] if self.E is None else list(self.E.parameters()))

    @property
    def generator_networks(self) -> dict[str, nn.Module]:
        return {name: network for name, network in self.networks.items() if name != "D"}

    def generate(self, chunk: Clip, carried: Any = None) -> Generated:
        options = self.options
        conditioning = Conditioning(
            ids=None if chunk.labels is None or not options.label_nc else chunk.labels[:, None],
            boundary=None if options.no_instance else boundaries(chunk)[:, None],
            image=None if chunk.images is None or options.label_nc else chunk.images[:, None],
            features=self.features(chunk) if options.uses_features else None,
        )
        return Generated(self.recomputed(lambda: self.G(conditioning, None).picture))

    def features(self, chunk: Clip) -> Tensor:
        """Feature planes [N,F,H,W]: those read from files, or the encoder's, averaged over each
        instance (``label_feat``: over each label)."""
        if self.E is None:
            if chunk.features is None:
                raise InputError("load_features is set, and the sample has no feature pictures.")
            return chunk.features
        regions = chunk.labels if self.options.label_feat else chunk.instances
        if regions is None:
            what = "labels" if self.options.label_feat else "an instance map"
            raise InputError(f"Features are averaged over {what}, and the sample has none.")
        regions = regions.int()
        return self.E(chunk.real, regions, int(regions.max()))  # type: ignore[no-any-return]

    def phases(self, chunk: Clip, generated: Generated) -> Iterator[Phase]:
        options = self.options
        fake, real = generated.pictures, chunk.real
        condition = condition_planes(chunk, options.label_nc, use_instance=not options.no_instance)
        pairs = torch.cat([condition, fake], dim=1)

        of_real = self.D(torch.cat([condition, real], dim=1))
        of_detached = self.D(self.pool.query(pairs))
        with frozen(self.D):
            of_fake = self.D(pairs)

        losses = {"G_GAN": generator_loss(of_fake.scores, self.gan)}
        if not options.no_ganFeat_loss:
            losses["G_GAN_Feat"] = options.lambda_feat * feature_matching(
                of_fake.activations, of_real.activations, options.n_layers_D
            )
        if self.vgg is not None:
            losses["G_VGG"] = options.lambda_feat * perceptual_loss(self.vgg(fake), self.vgg(real))
        own = {
            "D_real": discriminator_loss(of_real.scores, real=True, kind=self.gan),
            "D_fake": discriminator_loss(of_detached.scores, real=False, kind=self.gan),
        }
        yield Phase(
            losses | own,
            {"G": self.weighted(losses), "D": 0.5 * (own["D_fake"] + own["D_real"])},
        )

    def _end_epoch(self) -> None:
        options = self.options
        if self.epoch == options.niter_fix_global:
            # The published script goes on with the old optimiser, so that the global part is never
            # trained; this does what was meant.
            everything = [*self.G.parameters(), *([] if self.E is None else self.E.parameters())]
            self.optimisers["G"] = adam(everything, options.lr, options.beta1)
        if self.epoch > options.niter and options.niter_decay:
            self.rate -= options.lr / options.niter_decay
            for optimiser in self.optimisers.values():
                set_rate(optimiser, self.rate)


def generator_config(options: Pix2PixHDOptions, *, stored: bool = False) -> Pix2PixHDConfig:
    """The generator that ``options`` describe."""
    return Pix2PixHDConfig(
        label_nc=options.label_nc,
        input_nc=options.input_nc,
        output_nc=options.output_nc,
        use_instance=not options.no_instance,
        feature_nc=options.feat_num if options.uses_features else 0,
        channels=options.ngf,
        downsamplings=options.n_downsample_global,
        blocks=options.n_blocks_global,
        local_enhancers=options.n_local_enhancers if options.netG == "local" else 0,
        local_blocks=options.n_blocks_local,
        norm=options.norm,
        statistics="running" if options.norm == "batch" else "frame",
        stored=stored,
    )


def encoder_config(options: Pix2PixHDOptions, *, stored: bool = False) -> EncoderConfig:
    """The feature encoder that ``options`` describe."""
    return EncoderConfig(
        input_nc=options.output_nc,
        feature_nc=options.feat_num,
        channels=options.nef,
        downsamplings=options.n_downsample_E,
        norm=options.norm,
        statistics="running" if options.norm == "batch" else "frame",
        stored=stored,
        by_label=options.label_feat,
    )
