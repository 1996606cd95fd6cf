"""Which scheme and encoding a label video has, from its first frames: decided with reasons, or
refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vidtrans.errors import InputError, Remedy, UsageError
from vidtrans.frame import Frame, Ids
from vidtrans.labels.evidence import (
    MATRIX_MISTAKES,
    ColourEvidence,
    ValueEvidence,
    colour_evidence,
    colour_fit,
    street_score,
    turned_scheme,
    value_evidence,
)
from vidtrans.labels.reader import ENCODINGS, Encoding, image_of
from vidtrans.labels.scheme import Scheme, builtin_schemes, canonical, load_scheme
from vidtrans.validation import did_you_mean

# Where several schemes say the same of all that was seen, the first of these is named.
_PREFERENCE = (
    "cityscapes",
    "gta5",
    "kitti-360",
    "bdd100k",
    "carla",
    "carla-0.9.13",
    "cityscapes-train",
)

_FLAT = 0.6
"""Less of a grey picture equal to its right neighbour, and it is a photo (label maps: over 0.9;
photos: under 0.4)."""
_MARGIN = 1.0
"""Nats a pixel by which the likeliest reading must lead. Real Cityscapes maps renumbered as any
other scheme: 1.8 or more."""
_FEW_VALUES = 3
"""Fewer values than these are no evidence: a mask of 0 and 255 is not a street."""
_CORE_DISTANCE = 10
"""Lossy codecs move the colour of an area by a few steps; this is more than any crf below 40
does."""
_GOOD_FIT = 0.97
_MANY_COLOURS = 64
_WARNING = "Warning: "


@dataclass(frozen=True, slots=True)
class Detection:
    """What an input is taken for. ``confidence`` 0..1; ``reasons``: sentences for people, warnings
    included.

    ``scheme``: with its colours as the film shows them, which differ from the scheme's own where
    the film was decoded with the wrong matrix; then a reason says so.
    """

    scheme: Scheme
    encoding: Encoding
    confidence: float
    reasons: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the reasons that a person must hear of even where nobody asked."""
        return tuple(reason for reason in self.reasons if reason.startswith(_WARNING))

    def __str__(self) -> str:
        return f"{self.scheme.name}:{self.encoding}"


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """What the setting ``labels`` asks for; None is left to detection."""

    scheme: Scheme | None = None
    encoding: Encoding | None = None


def parse_labels(text: str) -> LabelChoice:
    """``auto`` | ``SCHEME`` | ``SCHEME:ENCODING`` | ``auto:ENCODING`` | ``PALETTE.toml`` |
    ``PALETTE.json:ENCODING``.

    Raises UsageError for an unknown scheme or encoding (nearest names offered), InputError for a
    bad palette file.
    """
    name, encoding = text.strip(), None
    head, colon, tail = name.rpartition(":")
    # A Windows path has a colon of its own, but then what follows it is no encoding and there is a
    # separator in it.
    if colon and not (len(head) == 1 and ("\\" in tail or "/" in tail)):
        name, encoding = head, _encoding(tail)
    if not name:
        raise UsageError(
            "the setting labels needs a scheme, a palette file or auto.",
            hint=f"Known: {', '.join(builtin_schemes())}.",
        )
    return LabelChoice(None if name == "auto" else load_scheme(name), encoding)


def detect(
    frames: Sequence[Frame], *, lossy: bool | None = None, expected: Scheme | None = None
) -> Detection:
    """Scheme and encoding of the first frames of an input.

    ``lossy``: whether the codec alters pixels, None where that is not known. ``expected``: the
    model's own scheme; it decides only where the pictures leave several readings about as likely.
    Raises InputError when the pictures are no label map (a photo), or could be several schemes:
    then the message names the options to pass.
    """
    return resolve(LabelChoice(), frames, lossy=lossy, expected=expected)


def resolve(
    choice: LabelChoice,
    frames: Sequence[Frame],
    *,
    lossy: bool | None = None,
    expected: Scheme | None = None,
) -> Detection:
    """``choice`` with what it leaves open decided from the frames. Raises as ``detect`` does."""
    if not frames:
        raise InputError("there is no frame to tell the labels from.")
    if choice.scheme is not None and choice.encoding is not None:
        return Detection(
            choice.scheme,
            choice.encoding,
            1.0,
            ("Scheme and encoding were given.",),
        )
    question = _Question(tuple(frames), choice.scheme, lossy, expected)
    encoding = choice.encoding or question.encoding()
    if choice.scheme is not None:
        reason = f"The scheme was given; {_LOOKS[encoding]}."
        return Detection(choice.scheme, encoding, 1.0, (reason, *question.warnings(encoding)))
    return question.by_colours() if encoding == "colours" else question.by_values(encoding)


_LOOKS: dict[str, str] = {
    "ids": "the pictures are grey, so their values are ids",
    "palette": "the pictures have a palette",
    "colours": "the pictures are in colour",
    "carla-red": "only the red channel holds a few small values, as CARLA's raw pictures do",
    "instances": "the pictures are grey with 16 bits and values over 1000, as id * 1000 + n is",
}


@dataclass(frozen=True)
class _Question:
    """The first frames and what is known besides."""

    frames: tuple[Frame, ...]
    scheme: Scheme | None
    lossy: bool | None
    expected: Scheme | None

    def candidates(self) -> list[Scheme]:
        schemes = [load_scheme(name) for name in _PREFERENCE]
        if self.expected is not None and self.expected not in schemes:
            schemes.append(self.expected)
        return schemes

    def encoding(self) -> Encoding:
        first = self.frames[0]
        if first.palette is not None:
            return "palette"
        if first.pixels.ndim == 2 or all(_equal_channels(frame) for frame in self.frames):
            deep = first.pixels.dtype == np.uint16
            if deep and all(_stretched(frame.pixels) for frame in self.frames):
                raise InputError(
                    "the pictures have 16 bits, but only multiples of 257: ids of 8 bits that a"
                    " conversion has stretched.",
                    where=first.source or None,
                    frame=first.index,
                    hint="Leave them 8 bits (ffmpeg: -pix_fmt gray).",
                )
            return (
                "instances"
                if deep and any(_over_thousand(frame.pixels) for frame in self.frames)
                else "ids"
            )
        red_only = all(_red_only(frame.pixels) for frame in self.frames)
        return (
            "carla-red"
            if red_only and (self.scheme is None or self.scheme.channel == "red")
            else "colours"
        )

    def warnings(self, encoding: Encoding) -> tuple[str, ...]:
        if self.lossy and encoding != "colours":
            return (
                (
                    f"{_WARNING}ids arrive through a lossy codec, which alters them without a word;"
                    " use a lossless one (ffmpeg: -c:v rawvideo or -c:v ffv1)."
                ),
            )
        return ()

    def by_values(self, encoding: Encoding) -> Detection:
        first = self.frames[0]
        reasons = [f"{_sentence(encoding)}."]
        if encoding == "palette" and (named := self._by_painted_palette()) is not None:
            return named
        # A lossy codec makes values between ids at every edge; they must not decide.
        pictures = [_values(frame, encoding) for frame in self.frames]
        evidence = value_evidence(pictures, rare=0.002 if self.lossy else 0.0)
        if evidence.flat < _FLAT or len(evidence.shares) > 200:
            raise self._no_labels(
                f"it has {len(evidence.shares)} different grey values, and {evidence.flat:.0%} of"
                " its pixels equal the next one"
            )
        known = [
            (scheme, _names(scheme, evidence))
            for scheme in self.candidates()
            if _fits(scheme, evidence) and (encoding != "carla-red" or scheme.channel == "red")
        ]
        if not known:
            raise self._no_scheme(evidence)
        scored = sorted(
            ((street_score(evidence, names), scheme, names) for scheme, names in known),
            key=lambda entry: -entry[0],
        )
        best = scored[0][0]
        rivals = [entry for entry in scored if best - entry[0] < _MARGIN]
        listed = _listed(evidence.shares)
        chosen = self._agreeing(rivals)
        if chosen is None or (len(evidence.shares) < _FEW_VALUES and chosen[1] != self.expected):
            readings = ", ".join(f"{scheme.name}:{encoding}" for _, scheme, _ in _distinct(scored))
            raise InputError(
                f"the label values {listed} could be of several schemes.",
                where=first.source or None,
                frame=first.index,
                remedy=Remedy("Say which with {labels}: {readings}.", {"readings": readings}),
            )
        score, scheme, names = chosen
        others = [entry for entry in scored if not _same_meaning(entry[2], names)]
        lead = score - others[0][0] if others else 3.0
        if not others:
            reasons.append(f"Of the known schemes only {scheme.name} has all the values {listed}.")
        elif lead >= _MARGIN:
            reasons.append(
                f"The values {listed} make a street as {scheme.title}; as {others[0][1].title} they"
                " hardly would."
            )
        else:
            reasons.append(
                f"The values {listed} could also be {others[0][1].title}; the model was trained on"
                f" {scheme.name}."
            )
        sure = round(float(1 - np.exp(-max(lead, 0.3))), 3)
        return Detection(scheme, encoding, sure, (*reasons, *self.warnings(encoding)))

    def by_colours(self) -> Detection:
        evidence = colour_evidence([image_of(frame) for frame in self.frames])
        if evidence.inner < 0.3:
            raise self._no_labels(
                f"only {evidence.inner:.0%} of its pixels lie in areas of one colour"
            )
        return self._by_colour_evidence(evidence, "colours")

    def _by_painted_palette(self) -> Detection | None:
        """A palette picture whose used colours are a scheme's; None where its indices must be
        taken for ids."""
        seen: dict[tuple[int, ...], float] = {}
        for frame in self.frames:
            assert frame.palette is not None
            counts = (
                np.bincount(frame.pixels.ravel(), minlength=256)
                / frame.pixels.size
                / len(self.frames)
            )
            for index in np.flatnonzero(counts):
                colour = tuple(frame.palette[index].tolist())
                seen[colour] = seen.get(colour, 0.0) + float(counts[index])
        evidence = ColourEvidence(
            np.array(list(seen), np.uint8), np.array(list(seen.values())), 1.0, False
        )
        if max(colour_fit(evidence, scheme, 0)[0] for scheme in self.candidates()) < 1.0 - 1e-9:
            return None
        return self._by_colour_evidence(evidence, "palette")

    def _by_colour_evidence(self, evidence: ColourEvidence, encoding: Encoding) -> Detection:
        distance = 0 if encoding == "palette" else _CORE_DISTANCE
        coloured = [scheme for scheme in self.candidates() if scheme.colours()]
        fits = [(*colour_fit(evidence, scheme, distance), scheme) for scheme in coloured]
        best = max(fit for fit, _, _ in fits)
        mistake = None
        if best < _GOOD_FIT and encoding == "colours":
            for told, turned in MATRIX_MISTAKES:
                as_shown = [turned_scheme(scheme, turned) for scheme in coloured]
                again = [(*colour_fit(evidence, scheme, distance), scheme) for scheme in as_shown]
                if (fit := max(entry[0] for entry in again)) >= max(best, _GOOD_FIT):
                    mistake, fits, best = told, again, fit
        if best < _GOOD_FIT:
            raise self._unknown_colours(evidence, max(fits, key=lambda entry: entry[0]))
        rivals = [(fit, ids, scheme) for fit, ids, scheme in fits if best - fit < 0.001]
        fit, ids, scheme = next(
            (entry for entry in rivals if self._is_expected(entry[2])), rivals[0]
        )
        names = {value: scheme.name_of(value) or "" for value in ids}
        if (
            len(ids - {value for value, name in names.items() if canonical(name) == "unlabeled"})
            < 2
        ):
            raise self._no_labels(
                f"its areas show fewer than two classes of {scheme.name}, the nearest scheme"
            )
        shown = ", ".join(names[value] for value in sorted(ids)[:8])
        more = f" and {len(ids) - 8} more" if len(ids) > 8 else ""
        reasons = [
            f"{_sentence(encoding)}, and {fit:.1%} of the inner pixels have colours of"
            f" {scheme.title}: {shown}{more}."
        ]
        also = [other.name for _, _, other in rivals if other != scheme]
        if also:
            reasons.append(f"The colours seen mean the same in {', '.join(also)}.")
        if mistake:
            reasons.append(
                f"{_WARNING}the colours are off as those of a film encoded with {mistake}, so its"
                " matrix tag is missing or wrong; they are read as they are shown."
            )
        if encoding == "colours" and (self.lossy or evidence.fringed):
            reasons.append(
                "Edges are blurred, as after a lossy codec: their pixels will take their"
                " neighbours' class."
            )
        return Detection(
            scheme, encoding, round(fit * (1.0 if len(ids) > 2 else 0.9), 3), tuple(reasons)
        )

    def _is_expected(self, scheme: Scheme) -> bool:
        return self.expected is not None and scheme.name == self.expected.name

    def _agreeing(
        self, rivals: list[tuple[float, Scheme, dict[int, str]]]
    ) -> tuple[float, Scheme, dict[int, str]] | None:
        """The rival to take: all mean the same, or one is what the model expects; None where it
        would be a guess."""
        mine = [entry for entry in rivals if entry[1] == self.expected]
        if mine:
            return mine[0]
        if len(_distinct(rivals)) > 1:
            return None
        return min(rivals, key=lambda entry: _rank(entry[1]))

    def _no_labels(self, because: str) -> InputError:
        first = self.frames[0]
        return InputError(
            f"this is not a label map: {because}, as in a photo.",
            where=first.source or None,
            frame=first.index,
            remedy=Remedy(
                "If it holds labels all the same, name them, for example"
                " {labels:cityscapes:colours}."
            ),
        )

    def _no_scheme(self, evidence: ValueEvidence) -> InputError:
        first = self.frames[0]
        missing = {
            scheme: {
                value: share
                for value, share in evidence.shares.items()
                if scheme.name_of(value) is None
            }
            for scheme in self.candidates()
        }
        nearest_scheme = min(missing, key=lambda scheme: sum(missing[scheme].values()))
        lossy = " The codec is lossy, which ruins ids." if self.lossy else ""
        return InputError(
            f"no known scheme has all its label values; the nearest, {nearest_scheme.name}, lacks"
            f" {_listed(missing[nearest_scheme])} ({sum(missing[nearest_scheme].values()):.1%} of"
            f" the pixels).{lossy}",
            where=first.source or None,
            frame=first.index,
            remedy=Remedy(
                "Describe the scheme in a palette file ({labels:mine.toml}) or name one of"
                " {known}.",
                {"known": ", ".join(builtin_schemes())},
            ),
        )

    def _unknown_colours(
        self, evidence: ColourEvidence, best: tuple[float, frozenset[int], Scheme]
    ) -> InputError:
        first = self.frames[0]
        fit, _, scheme = best
        top = np.sort(evidence.shares)[::-1][:_MANY_COLOURS].sum()
        if evidence.inner < 0.6 or top < 0.9:
            return self._no_labels(
                f"{len(evidence.colours)} different colours, and only {fit:.0%} of the inner pixels"
                f" have one of {scheme.name}, the nearest scheme"
            )
        palette = np.array([colour for colour, _ in scheme.colours()], np.float32)
        far = ((evidence.colours[:, None].astype(np.float32) - palette) ** 2).sum(axis=2).min(
            axis=1
        ) > _CORE_DISTANCE**2
        order = [at for at in np.argsort(-evidence.shares) if far[at]][:3]
        shown = ", ".join(f"({', '.join(map(str, evidence.colours[at]))})" for at in order)
        return InputError(
            f"these may be labels, but no known scheme has their colours; {scheme.name}, the"
            f" nearest, lacks {shown} and others ({1 - fit:.0%} of the inner pixels).",
            where=first.source or None,
            frame=first.index,
            remedy=Remedy("Describe the colours in a palette file: {labels:mine.toml}."),
        )


def _sentence(encoding: Encoding) -> str:
    return _LOOKS[encoding][0].upper() + _LOOKS[encoding][1:]


def _encoding(text: str) -> Encoding:
    name = {"colors": "colours", "color": "colours", "colour": "colours"}.get(text, text)
    for known in ENCODINGS:
        if known == name:
            return known
    raise UsageError(f"there is no label encoding '{text}'.", hint=did_you_mean(text, ENCODINGS))


def _values(frame: Frame, encoding: Encoding) -> Ids:
    if encoding == "instances":
        deep = frame.pixels.astype(np.uint16)
        return np.where((deep < 1000) | (deep == 65535), deep, deep // 1000).astype(np.uint16)
    if frame.pixels.ndim == 2:
        return frame.pixels
    return np.ascontiguousarray(frame.pixels[..., 0]).astype(np.uint8)


def _equal_channels(frame: Frame) -> bool:
    pixels = frame.pixels
    return pixels.ndim == 3 and bool((pixels[..., :1] == pixels[..., 1:]).all())


def _over_thousand(pixels: Ids) -> bool:
    return bool(((pixels >= 1000) & (pixels != 65535)).any())


def _stretched(pixels: Ids) -> bool:
    """White stays white when 8 bits become 16, so every value is multiplied: 7 becomes 1799,
    which looks like an instance."""
    return bool(pixels.any() and not (pixels % 257).any())


def _red_only(pixels: Ids) -> bool:
    """Few small values in large areas of the red channel; green and blue empty, or an actor that
    red's areas hold."""
    red = np.ascontiguousarray(pixels[..., 0])
    if int(red.max()) > 32 or (red[:, 1:] == red[:, :-1]).mean() < _FLAT:
        return False
    if not pixels[..., 1:].any():
        return True
    # The instance camera: green and blue tell actors apart, so they never change less often than
    # red does.
    red_edges = red[:, 1:] != red[:, :-1]
    whole_edges = (pixels[:, 1:] != pixels[:, :-1]).any(axis=2)
    return len(np.unique(red)) > 2 and bool(
        whole_edges.mean() < 0.4 and (whole_edges >= red_edges).all()
    )


def _fits(scheme: Scheme, evidence: ValueEvidence) -> bool:
    return all(scheme.name_of(value) is not None for value in evidence.shares)


def _names(scheme: Scheme, evidence: ValueEvidence) -> dict[int, str]:
    return {value: scheme.name_of(value) or "" for value in evidence.shares}


def _same_meaning(one: dict[int, str], other: dict[int, str]) -> bool:
    return all(canonical(one[value]) == canonical(other[value]) for value in one)


def _distinct(
    rivals: list[tuple[float, Scheme, dict[int, str]]],
) -> list[tuple[float, Scheme, dict[int, str]]]:
    kept: list[tuple[float, Scheme, dict[int, str]]] = []
    for entry in sorted(rivals, key=lambda entry: _rank(entry[1])):
        if not any(_same_meaning(entry[2], other[2]) for other in kept):
            kept.append(entry)
    return kept


def _rank(scheme: Scheme) -> int:
    return _PREFERENCE.index(scheme.name) if scheme.name in _PREFERENCE else len(_PREFERENCE)


def _listed(values: Iterable[int]) -> str:
    every = sorted(values)
    return ", ".join(map(str, every[:12])) + (f" ... {every[-1]}" if len(every) > 12 else "")
