"""The scheme of label pictures: the candidate with the best score, if that is good enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vidtrans.errors import InputError, Remedy
from vidtrans.frame import Frame
from vidtrans.labels.colour_matrix import MATRIX_MISTAKES
from vidtrans.labels.encodings import FOUND, Encoding, stored_values
from vidtrans.labels.frame_statistics import (
    FLAT_SHARE,
    ColourStatistics,
    ValueStatistics,
    colour_statistics,
    palette_statistics,
    value_statistics,
)
from vidtrans.labels.reader import image_of
from vidtrans.labels.scheme import Scheme, builtin_schemes, canonical
from vidtrans.labels.scheme_scores import (
    ColourScore,
    ValueScore,
    candidate_schemes,
    distinct,
    score_colours,
    score_values,
)

# --- values ---
_MARGIN = 1.0
"""Nats a pixel by which the likeliest scheme must lead: 2.7 times as likely. Real Cityscapes maps,
renumbered as any other scheme, lead by 1.8 or more."""
_ALONE_LEAD = 3.0
"""The lead that is taken for the confidence where no other scheme has all the values: 0.95."""
_LEAST_LEAD = 0.3
"""The lead that is taken for the confidence where the model's own scheme decided: 0.26 or more."""
_FEW_VALUES = 3
"""Fewer values than these fit nearly every scheme: a mask of 0 and 255 is not a street."""
_MANY_VALUES = 200
"""A grey picture with more values is a photo (those have 210 or more at 512x256); the largest
built-in scheme has 46 classes."""
_LOSSY_RARE = 0.002
"""Values with at most this share are ignored after a lossy codec, which makes values between ids at
every edge."""

# --- colours: measured on Cityscapes labels after x264 (4:2:0) and on Cityscapes photos ---
_SAME_COLOUR = 10
"""RGB distance within which a colour is a palette's: codecs move the colours of areas by a few
steps."""
_LEAST_COVERAGE = 0.97
"""The least coverage of a scheme that is taken. At 512x256 crf 23 leaves 0.996, crf 30 0.98; photos
have at most 0.21."""
_EQUAL_COVERAGE = 0.001
"""Schemes whose coverages differ by no more share the colours seen."""
_LEAST_INNER = 0.3
"""The least share of inner pixels: pictures with less (noise, leaves) have no areas at all."""
_LABELS_INNER, _LABELS_TOP, _TOP_COLOURS = 0.6, 0.9, 64
"""What pictures in unknown colours must have to be called labels: inner pixels, and the share of
those that the commonest colours have. Labels after crf 30 have 0.80 and 0.90, photos up to 0.70 and
up to 0.54."""
_LEAST_CLASSES = 2
"""A picture of one class, or of one and unlabeled, tells no scheme: many have that colour."""

_WARNING = "Warning: "


@dataclass(frozen=True, slots=True)
class Detection:
    """What an input is taken for.

    Attributes:
        scheme: the scheme, its colours as the film shows them: they differ from its own where the
            film was decoded with the wrong matrix, and then a reason says so.
        encoding: how the pictures hold the ids.
        confidence: 0..1. For values 1 - exp(-lead), with the lead over the next scheme in nats a
            pixel; for colours the coverage; 1 where both were given.
        reasons: sentences for people, warnings included.
    """

    scheme: Scheme
    encoding: Encoding
    confidence: float
    reasons: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The reasons that are warnings: they are shown even where nobody asked for reasons."""
        return tuple(reason for reason in self.reasons if reason.startswith(_WARNING))

    def __str__(self) -> str:
        return f"{self.scheme.name}:{self.encoding}"


def lossy_warnings(encoding: Encoding, lossy: bool | None) -> tuple[str, ...]:
    """A warning where ids of this encoding came through a lossy codec."""
    if not lossy or encoding == "colours":
        return ()
    return (
        f"{_WARNING}ids arrive through a lossy codec, which alters them without a word; use a"
        " lossless one (ffmpeg: -c:v rawvideo or -c:v ffv1).",
    )


@dataclass(frozen=True)
class SchemeDetector:
    """Scores the known schemes on the first frames of an input, and takes the best or refuses.

    Values are scored by their log likelihood under a prior of street pictures, colours by the share
    of the pictures that a scheme's palette covers.

    Attributes:
        frames: the first frames, at least one.
        lossy: whether the codec alters pixels, None where that is not known.
        expected: the model's own scheme; it decides where several schemes score about the same.
    """

    frames: tuple[Frame, ...]
    lossy: bool | None = None
    expected: Scheme | None = None

    def detect(self, encoding: Encoding) -> Detection:
        """The scheme of the frames.

        Args:
            encoding: how the frames hold their ids (`detect_encoding`).

        Raises:
            InputError: the frames are no label map, of no known scheme, or may be of several; the
                message says which and what to do.
        """
        if encoding == "colours":
            statistics = colour_statistics([image_of(frame) for frame in self.frames])
            if statistics.inner < _LEAST_INNER:
                raise self._no_label_map(
                    f"only {statistics.inner:.0%} of its pixels lie in areas of one colour"
                )
            return self._from_colours(statistics, encoding)
        if encoding == "palette":
            statistics = palette_statistics(self.frames)
            scores = score_colours(statistics, self._candidates(), 0)
            # Where every colour is a scheme's the palette tells the scheme; else indices are ids.
            if max(score.coverage for score in scores) > 1 - 1e-9:
                return self._from_colours(statistics, encoding)
        return self._from_values(encoding)

    def _candidates(self) -> list[Scheme]:
        return candidate_schemes(self.expected)

    # -- values ------------------------------------------------------------------------------------

    def _from_values(self, encoding: Encoding) -> Detection:
        pictures = [stored_values(frame, encoding) for frame in self.frames]
        statistics = value_statistics(pictures, _LOSSY_RARE if self.lossy else 0.0)
        if statistics.flat < FLAT_SHARE or len(statistics.shares) > _MANY_VALUES:
            raise self._no_label_map(
                f"it has {len(statistics.shares)} different grey values, and"
                f" {statistics.flat:.0%} of its pixels equal the next one"
            )
        schemes = [
            scheme
            for scheme in self._candidates()
            if encoding != "carla-red" or scheme.channel == "red"
        ]
        scores = score_values(statistics, schemes)
        if not scores:
            raise self._unknown_values(statistics)
        chosen = self._choose(scores)
        few = len(statistics.shares) < _FEW_VALUES
        if chosen is None or (few and chosen.scheme != self.expected):
            raise self._ambiguous(statistics, scores, encoding)
        others = [score for score in scores if not score.agrees(chosen)]
        lead = chosen.log_likelihood - others[0].log_likelihood if others else _ALONE_LEAD
        listed = _listed(statistics.shares)
        if not others:
            why = f"Of the known schemes only {chosen.scheme.name} has all the values {listed}."
        elif lead >= _MARGIN:
            why = (
                f"The values {listed} make a street as {chosen.scheme.title}; as"
                f" {others[0].scheme.title} they hardly would."
            )
        else:
            why = (
                f"The values {listed} could also be {others[0].scheme.title}; the model was trained"
                f" on {chosen.scheme.name}."
            )
        confidence = round(float(1 - np.exp(-max(lead, _LEAST_LEAD))), 3)
        reasons = (f"{_sentence(encoding)}.", why, *lossy_warnings(encoding, self.lossy))
        return Detection(chosen.scheme, encoding, confidence, reasons)

    def _choose(self, scores: list[ValueScore]) -> ValueScore | None:
        """The score to take of ``scores``, likeliest first; None where it would be a guess."""
        best = scores[0].log_likelihood
        rivals = [score for score in scores if best - score.log_likelihood < _MARGIN]
        own = next((score for score in rivals if score.scheme == self.expected), None)
        if own is not None:
            return own
        meanings = distinct(rivals)
        return meanings[0] if len(meanings) == 1 else None

    # -- colours -----------------------------------------------------------------------------------

    def _from_colours(self, statistics: ColourStatistics, encoding: Encoding) -> Detection:
        distance = 0 if encoding == "palette" else _SAME_COLOUR
        schemes = self._candidates()
        scores = score_colours(statistics, schemes, distance)
        best = _best(scores)
        mistake = None
        if best.coverage < _LEAST_COVERAGE and encoding == "colours":
            for candidate in MATRIX_MISTAKES:
                shown = [candidate.shown(scheme) for scheme in schemes]
                again = score_colours(statistics, shown, distance)
                if _best(again).coverage >= max(best.coverage, _LEAST_COVERAGE):
                    mistake, scores, best = candidate, again, _best(again)
        if best.coverage < _LEAST_COVERAGE:
            raise self._unknown_colours(statistics, best)
        rivals = [s for s in scores if best.coverage - s.coverage < _EQUAL_COVERAGE]
        expected = None if self.expected is None else self.expected.name
        chosen = next((score for score in rivals if score.scheme.name == expected), rivals[0])
        scheme, names = chosen.scheme, chosen.names
        if sum(canonical(name) != "unlabeled" for name in names.values()) < _LEAST_CLASSES:
            raise self._no_label_map(
                f"its areas show fewer than two classes of {scheme.name}, the nearest scheme"
            )
        shown_names = ", ".join(list(names.values())[:8])
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        reasons = [
            f"{_sentence(encoding)}, and {chosen.coverage:.1%} of the inner pixels have colours of"
            f" {scheme.title}: {shown_names}{more}."
        ]
        also = [score.scheme.name for score in rivals if score.scheme != scheme]
        if also:
            reasons.append(f"The colours seen mean the same in {', '.join(also)}.")
        if mistake is not None:
            reasons.append(
                f"{_WARNING}the colours are off as those of a film encoded with"
                f" {mistake.description}, so its matrix tag is missing or wrong; they are read as"
                " they are shown."
            )
        if encoding == "colours" and (self.lossy or statistics.fringed):
            reasons.append(
                "Edges are blurred, as after a lossy codec: their pixels will take their"
                " neighbours' class."
            )
        # Two colours are weaker evidence than more: a tenth off.
        confidence = round(chosen.coverage * (1.0 if len(names) > 2 else 0.9), 3)
        return Detection(scheme, encoding, confidence, tuple(reasons))

    # -- refusals ----------------------------------------------------------------------------------

    def _refused(self, message: str, remedy: Remedy) -> InputError:
        first = self.frames[0]
        return InputError(message, where=first.source or None, frame=first.index, remedy=remedy)

    def _no_label_map(self, because: str) -> InputError:
        return self._refused(
            f"this is not a label map: {because}, as in a photo.",
            Remedy(
                "If it holds labels all the same, name them, for example"
                " {labels:cityscapes:colours}."
            ),
        )

    def _ambiguous(
        self, statistics: ValueStatistics, scores: list[ValueScore], encoding: Encoding
    ) -> InputError:
        readings = ", ".join(f"{score.scheme.name}:{encoding}" for score in distinct(scores))
        return self._refused(
            f"the label values {_listed(statistics.shares)} could be of several schemes.",
            Remedy("Say which with {labels}: {readings}.", {"readings": readings}),
        )

    def _unknown_values(self, statistics: ValueStatistics) -> InputError:
        shares = statistics.shares
        missing = {
            scheme: [value for value in shares if scheme.name_of(value) is None]
            for scheme in self._candidates()
        }
        nearest, values = min(
            missing.items(), key=lambda entry: sum(shares[value] for value in entry[1])
        )
        lossy = " The codec is lossy, which ruins ids." if self.lossy else ""
        return self._refused(
            f"no known scheme has all its label values; the nearest, {nearest.name}, lacks"
            f" {_listed(values)} ({sum(shares[value] for value in values):.1%} of the"
            f" pixels).{lossy}",
            Remedy(
                "Describe the scheme in a palette file ({labels:mine.toml}) or name one of"
                " {known}.",
                {"known": ", ".join(builtin_schemes())},
            ),
        )

    def _unknown_colours(self, statistics: ColourStatistics, best: ColourScore) -> InputError:
        top = np.sort(statistics.shares)[::-1][:_TOP_COLOURS].sum()
        if statistics.inner < _LABELS_INNER or top < _LABELS_TOP:
            return self._no_label_map(
                f"{len(statistics.colours)} different colours, and only {best.coverage:.0%} of the"
                f" inner pixels have one of {best.scheme.name}, the nearest scheme"
            )
        palette = [colour for colour, _ in best.scheme.colours()]
        unknown = statistics.near(palette, _SAME_COLOUR) < 0
        commonest = [at for at in np.argsort(-statistics.shares) if unknown[at]][:3]
        shown = ", ".join(f"({', '.join(map(str, statistics.colours[at]))})" for at in commonest)
        return self._refused(
            f"these may be labels, but no known scheme has their colours; {best.scheme.name}, the"
            f" nearest, lacks {shown} and others ({1 - best.coverage:.0%} of the inner pixels).",
            Remedy("Describe the colours in a palette file: {labels:mine.toml}."),
        )


def _best(scores: list[ColourScore]) -> ColourScore:
    return max(scores, key=lambda score: score.coverage)


def _sentence(encoding: Encoding) -> str:
    return FOUND[encoding][0].upper() + FOUND[encoding][1:]


def _listed(values: Iterable[int]) -> str:
    every = sorted(values)
    return ", ".join(map(str, every[:12])) + (f" ... {every[-1]}" if len(every) > 12 else "")
