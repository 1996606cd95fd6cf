"""The options of each system under their published names, with the published defaults.

A field that the published code lacks says so. What a system is trained on (sizes, crops, layouts)
is a matter of the data's settings, not of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from vidtrans.errors import UsageError
from vidtrans.model.options import option_value
from vidtrans.model.street_classes import foreground_classes
from vidtrans.nets.street import StreetConfig
from vidtrans.validation import did_you_mean, first_problem

System = Literal["pix2pix", "pix2pixhd", "vid2vid", "street"]
Count = Annotated[int, Field(ge=0, le=4096)]
Positive = Annotated[int, Field(ge=1, le=4096)]
Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]
NormKind = Literal["batch", "instance"]

# fmt: off
PASSED_OVER = frozenset({
    "name", "model", "gpu_ids", "checkpoints_dir", "dataroot", "dataset_mode", "phase", "isTrain",
    "verbose", "debug", "suffix", "batchSize", "batch_size", "loadSize", "load_size", "fineSize",
    "crop_size", "resize_or_crop", "preprocess", "no_flip", "direction", "which_direction",
    "serial_batches", "nThreads", "num_threads", "max_dataset_size", "tf_log", "display_freq",
    "display_id", "display_port", "display_server", "display_env", "display_ncols",
    "display_winsize", "print_freq", "no_html", "update_html_freq", "save_latest_freq",
    "save_epoch_freq", "save_by_iter", "continue_train", "load_pretrain", "which_epoch", "epoch",
    "load_iter", "data_type", "no_first_frame", "max_t_step", "add_face_disc", "init_type",
    "init_gain", "resize_mode", "wandb_project_name", "use_wandb", "densepose_only",
    "openpose_only", "remove_face_labels", "basic_point_only", "random_drop_prob",
    "random_scale_points", "use_single_G", "aspect_ratio", "no_canny_edge", "no_dist_map",
    "use_instance_feat", "use_encoded_image", "cluster_path", "n_clusters", "local_rank", "fp16",
    "use_dropout",
})
# fmt: on
"""Published options that decide nothing here: the data's, those of folders, displays and saving."""


def _labels(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(int(part) for part in value.strip("[]() ").split(",") if part.strip())
    return (value,) if isinstance(value, int) else value


Labels = Annotated[tuple[Count, ...], BeforeValidator(_labels)]


class CommonOptions(BaseModel):
    """What all systems have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lr: Factor = 2e-4
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    loss_weights: Mapping[str, Factor] = Field(default_factory=dict)
    """Not published: a further factor for each of G's losses by name; 0 switches one off."""

    @classmethod
    def loss_names(cls) -> tuple[str, ...]:
        """The names that ``loss_weights`` may have."""
        raise NotImplementedError

    @field_validator("loss_weights")
    @classmethod
    def _known_losses(cls, value: Mapping[str, float]) -> Mapping[str, float]:
        for name in value:
            if name not in cls.loss_names():
                raise ValueError(
                    f"{name} is no loss of G. {did_you_mean(name, cls.loss_names())}".rstrip(" ?.")
                )
        return value


class StillOptions(CommonOptions):
    """What pix2pix and pix2pixHD share."""

    pool_size: Count = 0
    """Generated pictures of earlier steps that the discriminator may see; 0: none."""


class Pix2PixOptions(StillOptions):
    """pix2pix. ``hinge`` in ``gan_mode`` is not published.

    The older names ``niter`` and ``niter_decay`` are taken for ``n_epochs`` and
    ``n_epochs_decay``.
    """

    input_nc: Positive = 3
    output_nc: Positive = 3
    netG: Literal[  # noqa: N815
        "unet_32", "unet_64", "unet_128", "unet_256", "unet_512", "resnet_9blocks", "resnet_6blocks"
    ] = "unet_256"
    ngf: Positive = 64
    netD: Literal["basic", "n_layers", "pixel"] = "basic"  # noqa: N815
    ndf: Positive = 64
    n_layers_D: Positive = 3  # noqa: N815
    norm: NormKind = "batch"
    no_dropout: bool = False
    gan_mode: Literal["vanilla", "lsgan", "hinge"] = "vanilla"
    lambda_L1: Factor = 100.0  # noqa: N815
    lr_policy: Literal["linear", "step", "plateau", "cosine"] = "linear"
    n_epochs: Count = 100
    n_epochs_decay: Count = 100
    epoch_count: Count = 1
    lr_decay_iters: Positive = 50

    @model_validator(mode="before")
    @classmethod
    def _older_names(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        newer = {"niter": "n_epochs", "niter_decay": "n_epochs_decay"}
        return {newer.get(name, name): value for name, value in values.items()}

    @classmethod
    def loss_names(cls) -> tuple[str, ...]:
        return ("G_GAN", "G_L1")

    @property
    def epochs(self) -> int:
        """Epochs of the whole schedule."""
        return self.n_epochs + self.n_epochs_decay


class Pix2PixHDOptions(StillOptions):
    """pix2pixHD. ``gan`` is not published: the adversarial loss by name, instead of
    ``no_lsgan``."""

    label_nc: Count = 35
    input_nc: Positive = 3
    output_nc: Positive = 3
    netG: Literal["global", "local"] = "global"  # noqa: N815
    ngf: Positive = 64
    norm: NormKind = "instance"
    n_downsample_global: Count = 4
    n_blocks_global: Count = 9
    n_local_enhancers: Count = 1
    n_blocks_local: Count = 3
    no_instance: bool = False
    instance_feat: bool = False
    label_feat: bool = False
    load_features: bool = False
    feat_num: Positive = 3
    nef: Positive = 16
    n_downsample_E: Count = 4  # noqa: N815
    num_D: Positive = 2  # noqa: N815
    n_layers_D: Positive = 3  # noqa: N815
    ndf: Positive = 64
    no_lsgan: bool = False
    gan: Literal["ls", "log", "hinge"] | None = None
    no_ganFeat_loss: bool = False  # noqa: N815
    no_vgg_loss: bool = False
    lambda_feat: Factor = 10.0
    niter: Count = 100
    niter_decay: Count = 100
    niter_fix_global: Count = 0

    @model_validator(mode="after")
    def _consistent(self) -> Pix2PixHDOptions:
        if self.niter_fix_global and self.netG != "local":
            raise ValueError("niter_fix_global trains a local enhancer alone, and netG is global")
        if self.instance_feat and self.label_feat:
            raise ValueError("instance_feat and label_feat exclude one another")
        return self

    @classmethod
    def loss_names(cls) -> tuple[str, ...]:
        return ("G_GAN", "G_GAN_Feat", "G_VGG")

    @property
    def epochs(self) -> int:
        """Epochs of the whole schedule."""
        return self.niter + self.niter_decay

    @property
    def uses_features(self) -> bool:
        """Whether G takes feature planes."""
        return self.instance_feat or self.label_feat

    @property
    def trains_encoder(self) -> bool:
        """Whether the feature planes come from an encoder that is trained along."""
        return self.uses_features and not self.load_features


class SequenceOptions(CommonOptions):
    """What vid2vid and street share: discriminators, losses and schedule of a recurrent
    generator."""

    n_frames_G: Annotated[int, Field(ge=2, le=16)] = 3  # noqa: N815
    n_frames_D: Annotated[int, Field(ge=2, le=16)] = 3  # noqa: N815
    n_scales_temporal: Count = 2
    num_D: Positive = 2  # noqa: N815
    n_layers_D: Positive = 3  # noqa: N815
    ndf: Positive = 64
    gan_mode: Literal["ls", "original", "hinge"] = "ls"
    """Has no effect, as in the published code, which takes any text for least squares."""
    gan: Literal["ls", "log", "hinge"] = "ls"
    """Not published: the adversarial loss."""
    TTUR: bool = False
    lambda_feat: Factor = 10.0
    lambda_F: Factor = 10.0  # noqa: N815
    lambda_T: Factor = 10.0  # noqa: N815
    no_vgg: bool = False
    no_ganFeat: bool = False  # noqa: N815
    sparse_D: bool = False  # noqa: N815
    no_first_img: bool = False
    max_frames_backpropagate: Positive = 1
    max_frames_per_gpu: Positive = 1
    n_frames_total: Positive = 30
    n_gpus_gen: int = 1
    """GPUs that share one sequence in the published code; here more frames in one chunk."""
    niter: Count = 10
    niter_decay: Count = 10
    niter_step: Positive = 5
    niter_fix_global: Count = 0

    @classmethod
    def loss_names(cls) -> tuple[str, ...]:
        temporal = [f"{name}{scale}" for name in ("G_T_GAN", "G_T_GAN_Feat") for scale in range(8)]
        return (
            *("G_GAN", "G_GAN_Feat", "G_VGG", "G_Warp", "F_Flow", "F_Warp", "W"),
            *temporal,
        )

    @property
    def epochs(self) -> int:
        """Epochs of the whole schedule."""
        return self.niter + self.niter_decay


class Vid2VidOptions(SequenceOptions):
    """vid2vid. ``label_nc`` 0: the condition is a picture of ``input_nc`` channels."""

    label_nc: Count = 0
    input_nc: Positive = 3
    output_nc: Positive = 3
    netG: str = "composite"  # noqa: N815
    """Has no effect: ``n_scales_spatial`` says which scales there are."""
    norm: NormKind = "batch"
    ngf: Positive = 128
    n_scales_spatial: Annotated[int, Field(ge=1, le=6)] = 1
    n_downsample_G: Positive = 3  # noqa: N815
    n_blocks: Count = 9
    n_blocks_local: Count = 3
    use_instance: bool = False
    fg: bool = False
    fg_labels: Labels = (26,)
    no_flow: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Vid2VidOptions:
        if self.fg and not self.label_nc:
            raise ValueError("fg needs labels, and label_nc is 0")
        return self


class StreetOptions(SequenceOptions):
    """The small street network, trained by vid2vid's losses: see `vidtrans.nets.street`."""

    label_nc: Positive = 35
    fg_labels: Labels = Field(default_factory=foreground_classes)
    n_frames_G: Annotated[int, Field(ge=2, le=16)] = 2  # noqa: N815
    channels: tuple[Positive, Positive, Positive, Positive] = StreetConfig.channels
    blocks: tuple[Count, Count, Count, Count, Count] = StreetConfig.blocks
    texture_channels: Positive = 8
    feature_nc: Literal[0, 3] = 0
    """3: each thing's mean colour is a style."""
    least_weight: Annotated[float, Field(ge=0, le=1)] = 0.05
    mean_textures: bool = False
    """Textures begin as the mean colours that the data show at each place."""
    lambda_L1: Factor = 0.0  # noqa: N815
    """A direct comparison of the raw and the final picture with the real one, beside vid2vid's
    losses; the small network learns from it faster."""

    @classmethod
    def loss_names(cls) -> tuple[str, ...]:
        return (*super().loss_names(), "G_L1")


OPTIONS: dict[str, type[Pix2PixOptions | Pix2PixHDOptions | Vid2VidOptions | StreetOptions]] = {
    "pix2pix": Pix2PixOptions,
    "pix2pixhd": Pix2PixHDOptions,
    "vid2vid": Vid2VidOptions,
    "street": StreetOptions,
}

Options = Pix2PixOptions | Pix2PixHDOptions | Vid2VidOptions | StreetOptions


def parse_options(system: str, values: Mapping[str, Any]) -> Options:
    """``values`` under their published names as the options of ``system``.

    Args:
        system: pix2pix, pix2pixHD, vid2vid (in any case) or street.
        values: What is not given has the published default. Texts mean what ``opt.txt`` means by
            them. Published options that decide nothing in training are passed over.

    Raises:
        UsageError: An unknown system or option (with the nearest known one), a wrong value.
    """
    kind = OPTIONS.get(system.lower())
    if kind is None:
        raise UsageError(f"there is no system {system!r}. {did_you_mean(system, OPTIONS)}".rstrip())
    read = {
        name: option_value(value) if isinstance(value, str) else value
        for name, value in values.items()
        if name in kind.model_fields or name not in PASSED_OVER
    }
    try:
        return kind.model_validate(read)
    except ValidationError as error:
        raise UsageError(f"{system} option {first_problem(error, kind)}") from error
