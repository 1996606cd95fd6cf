"""Styles at work: which style paints which class and instance of a frame, checked on the host,
painted on the device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidtrans.errors import InputError, ModelError, Remedy, UsageError
from vidtrans.frame import LabelFrame, StyleChoice
from vidtrans.model.card_styles import centres_of, check_choice, check_number, class_names
from vidtrans.model.networks import Networks
from vidtrans.nets.features import StyleTable, average_instances, style_planes
from vidtrans.sequence.transfer import DeviceFrame


class Styling:
    """The styles of a model's networks on a device."""

    def __init__(self, networks: Networks, device: torch.device) -> None:
        self._networks = networks
        self._card = networks.card
        self._centres = centres_of(networks.card)
        self._table: StyleTable | None = None
        if self._centres:
            self._table = StyleTable.of(self._centres, networks.label_nc, networks.feature_nc).to(
                device
            )

    def check(self, choice: StyleChoice) -> None:
        """Raises UsageError where the model has not the styles of ``choice``."""
        check_choice(self._card, self._networks.feature_nc, choice)
        encoder = self._networks.encoder
        if choice.instances and encoder is not None and encoder.config.by_label:
            raise UsageError(
                "the model's styles belong to whole classes, and one was chosen for an instance."
            )

    def check_frame(self, frame: LabelFrame) -> None:
        """Whether what ``frame`` is to be painted with is there.

        Raises UsageError where a style is chosen that the model has not, ModelError where the model
        needs styles and has none, InputError where one is chosen for an instance and the frame has
        no instance map.
        """
        choice, networks = frame.styles, self._networks
        if choice is not None:
            self.check(choice)
        if not networks.feature_nc:
            return
        if frame.instances is not None and frame.instances.size and frame.instances.min() < 0:
            raise InputError(
                f"the instance map holds {frame.instances.min()}, and ids from 0 up are needed.",
                frame=frame.index,
            )
        if self._table is None and (networks.encoder is None or frame.image is None):
            raise ModelError(
                "takes style features, and there is nothing to make them of: the file holds no"
                " styles"
                + (", and no pictures were given." if networks.encoder is not None else "."),
                where=self._card.name or "the model",
                hint=(
                    None
                    if networks.encoder is None
                    else "Make styles from pictures with labels first."
                ),
            )
        for instance, style in dict(choice.instances if choice is not None else ()).items():
            if frame.instances is None:
                raise InputError(
                    f"a style is chosen for instance {instance}, and there is no instance map.",
                    frame=frame.index,
                    remedy=Remedy("Give one with {instances}."),
                )
            pixels = frame.ids[frame.instances == instance]
            if pixels.size:
                plane = int(np.bincount(pixels).argmax())
                name = f"{class_names(self._card).get(plane, plane)} (of instance {instance})"
                check_number(name, len(self._centres.get(plane, ())), style, self._card)

    def planes(self, frame: DeviceFrame, *, seed: int | None) -> Tensor | None:
        """Feature planes float [1,F,H,W] of the padded size; None where the network takes none.

        Read off the frame's picture by the encoder, instance by instance, where there is a picture;
        else painted from the model's styles. Chosen styles go before both; a ``seed`` goes before
        the picture.
        """
        networks = self._networks
        if not networks.feature_nc:
            return None
        encoder = networks.encoder
        regions, largest = frame.instances, frame.largest_instance
        if regions is None or (encoder is not None and encoder.config.by_label):
            regions, largest = frame.ids, max(frame.present, default=0)
        if regions is None:
            raise InputError(
                "the model paints instances in styles, and there is no instance map.",
                frame=frame.index,
            )
        read: Tensor | None = None
        if encoder is not None and frame.image is not None and seed is None:
            # The padding must not weigh in an instance's mean.
            assert frame.viewport is not None
            features = frame.viewport.crop(encoder.model(frame.image).float())
            averaged = average_instances(features, frame.viewport.crop(regions), largest)
            read = frame.viewport.reflect(averaged)
            if frame.styles is None:
                return read
        assert self._table is not None
        assert frame.ids is not None
        styled, chosen = style_planes(
            frame.ids, regions, self._table, choice=frame.styles, seed=seed
        )
        return (
            styled if read is None or chosen is None else torch.where(chosen[:, None], styled, read)
        )


def checked_seed(seed: int | None, networks: Networks) -> int | None:
    """Raises UsageError where ``seed`` is out of range, or nothing in the model could vary by
    it."""
    if seed is None:
        return None
    if not 0 <= seed < 1 << 63:
        raise UsageError(f"the seed is {seed}, and 0 to 2^63 - 1 is possible.")
    if not networks.card.styles and not networks.has_dropout:
        name = networks.card.name or "the model"
        raise UsageError(
            f"a seed was given, and nothing in {name} varies by one: it has neither styles nor"
            " dropout."
        )
    return seed
