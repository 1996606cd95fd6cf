"""The scheme of label pictures: the candidate with the best score, if that is good enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from vidtrans.errors import InputError, Remedy
from vidtrans.frame import Frame
from vidtrans.labels.colour_mistakes import COLOUR_MISTAKES, ColourMistake
from vidtrans.labels.encodings import (
    FOUND,
    Encoding,
    grey_palette,
    ids_in_blue,
    red_holds_ids,
    stored_values,
)
from vidtrans.labels.frame_statistics import (
    FLAT_SHARE,
    ColourStatistics,
    ValueStatistics,
    colour_statistics,
    counted_colours,
    interpolated_share,
    is_mixture,
    palette_statistics,
    squared_distances,
    value_statistics,
)
from vidtrans.labels.overlay import is_overlay
from vidtrans.labels.reader import image_of
from vidtrans.labels.scheme import Scheme, builtin_schemes, canonical
from vidtrans.labels.scheme_scores import (
    ColourScore,
    ValueScore,
    candidate_schemes,
    distinct,
    likely_meaning,
    score_colours,
    score_values,
)
from vidtrans.labels.street_prior import LARGEST_SURPRISE, UNLABELED_SKY, USUAL_SURPRISE

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
built-in scheme has 183 classes."""
_INTERPOLATED = 0.06
"""The least share of interpolated edges of ids that were resized with interpolation
(`interpolated_share`: at most 0.016 otherwise, at least 0.13 then)."""
_SKY_SHARE = 0.02
"""The least share of unlabeled pixels at the top that is told as a missing sky."""
_MOSTLY = 0.5
"""The share of unlabeled pixels over which a scheme given by hand is warned of."""
_UNSURE = 0.7
"""Below this confidence detection warns that the reading may be another."""
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
_WHITE = (255, 255, 255)
_LEAST_INNER = 0.3
"""The least share of inner pixels: pictures with less (noise, leaves) have no areas at all."""
_NEAR_COVERAGE = 0.5
"""Below this coverage no scheme is near enough to be named, and one given by hand is refused:
photos have at most 0.21."""
_LASTING = 0.5
"""Colours of classes last: of two frames that have less than this in common, as a share of the
colours of either, the colours number something else."""
_LABELS_INNER, _LABELS_TOP, _TOP_COLOURS = 0.6, 0.9, 64
"""What pictures in unknown colours must have to be called labels: inner pixels, and the share of
those that the commonest colours have. Labels after crf 30 have 0.80 and 0.90, photos up to 0.70 and
up to 0.54."""
_MISTAKEN_COLOURS = 512
"""The commonest colours, by which mistakes are recognised: label films have 0.97 of their inner
pixels in fewer."""
_MISTAKEN_CLASSES = 3
"""Fewer classes than these are too few to tell a mistake, such as a gamma, from another palette."""
_CERTAIN_FRINGE, _LEAST_FRINGE = 4, 0.0005
"""A pixel of a lossless picture that is farther than the distance from every colour of its scheme
is one of a blurred edge; the least share of such pixels that calls for cleaning."""
_DRAWN_SHARE = 0.001
"""The least share of one unknown colour that is told: the writing of one class name has about 0.003
of a picture of 1024x512."""
_LEAST_CLASSES = 2
"""A picture of one class, or of one and unlabeled, tells no scheme: many have that colour."""

WARNING = "Warning: "
"""How reasons begin that nobody should miss."""


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
        fringed: whether pixels along edges mix the colours of both sides, and are to be cleaned.
    """

    scheme: Scheme
    encoding: Encoding
    confidence: float
    reasons: tuple[str, ...]
    fringed: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """The reasons that are warnings: they are shown even where nobody asked for reasons."""
        return tuple(reason for reason in self.reasons if reason.startswith(WARNING))

    def __str__(self) -> str:
        return f"{self.scheme.name}:{self.encoding}"


def lossy_warnings(encoding: Encoding, lossy: bool | None) -> tuple[str, ...]:
    """A warning where ids of this encoding came through a lossy codec."""
    if not lossy or encoding == "colours":
        return ()
    return (
        f"{WARNING}ids arrive through a lossy codec, which alters them without a word; use a"
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
        given: the scheme where it was given by hand: the only candidate.
    """

    frames: tuple[Frame, ...]
    lossy: bool | None = None
    expected: Scheme | None = None
    given: Scheme | None = None

    def detect(self, encoding: Encoding) -> Detection:
        """The scheme of the frames.

        Args:
            encoding: how the frames hold their ids (`detect_encoding`).

        Raises:
            InputError: the frames are no label map, of no known scheme, or may be of several; the
                message says which and what to do.
        """
        if encoding == "colours":
            statistics = self._colour_statistics()
            if statistics.inner < _LEAST_INNER:
                raise self._no_label_map(
                    f"only {statistics.inner:.0%} of its pixels lie in areas of one colour"
                )
            return self._from_colours(statistics, encoding)
        if encoding == "palette":
            statistics = palette_statistics(self.frames)
            scores = score_colours(statistics, self._candidates(), 0)
            # Where every colour is a scheme's the palette tells the scheme; else indices are ids.
            if max((score.coverage for score in scores), default=0.0) > 1 - 1e-9:
                return self._from_colours(statistics, encoding)
            return self._from_palette()
        if encoding == "instances":
            return self._from_instances()
        return self._from_values(encoding)

    def _candidates(self) -> list[Scheme]:
        return candidate_schemes(self.expected) if self.given is None else [self.given]

    # -- values ------------------------------------------------------------------------------------

    def check(self, scheme: Scheme, encodings: Sequence[Encoding]) -> Detection:
        """A scheme that was given by hand, tried on the frames.

        Args:
            scheme: the scheme that was given.
            encodings: how the frames may hold their ids; the first where none is likelier.

        Returns:
            The scheme and the likeliest encoding, with warnings where the frames do not suit them.

        Raises:
            InputError: the frames are in colour, and hardly any has a colour of the scheme.
        """
        if encodings[0] == "colours":
            return replace(self, given=scheme)._check_colours(scheme)
        tried = [(encoding, *self._try_values(scheme, encoding)) for encoding in encodings]
        encoding, _, warnings = min(tried, key=lambda each: each[1])
        return Detection(scheme, encoding, 1.0, warnings)

    def _check_colours(self, scheme: Scheme) -> Detection:
        statistics = self._colour_statistics()
        scores = score_colours(statistics, [scheme], _SAME_COLOUR)
        if not scores:  # the reader says so
            return Detection(scheme, "colours", 1.0, ())
        try:
            found = self._from_colours(statistics, "colours")
        except InputError:
            coverage = scores[0].coverage
            if coverage < _NEAR_COVERAGE:
                raise
            warnings = (
                (
                    f"{WARNING}{1 - coverage:.0%} of the inner pixels have no colour of"
                    f" {scheme.name}: they take that of the class whose colour is nearest, or are"
                    f" unlabeled{self._strangest(statistics, scheme)}."
                ),
            )
            fringed = bool(self.lossy) or self._fringed(scheme)
            return Detection(scheme, "colours", round(coverage, 3), warnings, fringed)
        return replace(found, reasons=found.warnings)

    def _strangest(self, statistics: ColourStatistics, scheme: Scheme) -> str:
        """The commonest colour that a scheme lacks, and what it is read as."""
        pairs = scheme.colours()
        palette = [colour for colour, _ in pairs]
        unknown = statistics.near(palette, _SAME_COLOUR) < 0
        at = int(np.argmax(np.where(unknown, statistics.shares, -1)))
        nearest = int(squared_distances(statistics.colours[at : at + 1], palette).argmin())
        colour = ", ".join(map(str, statistics.colours[at]))
        return f"; ({colour}) is nearest to {scheme.name_of(pairs[nearest][1])}"

    def _try_values(self, scheme: Scheme, encoding: Encoding) -> tuple[float, tuple[str, ...]]:
        """The surprise of a reading, infinite where the scheme lacks a value, and its warnings."""
        if encoding == "ids" and any(frame.pixels.ndim == 3 for frame in self.frames):
            return np.inf, ()  # the reader checks that channels are equal
        pictures = [stored_values(frame, encoding) for frame in self.frames]
        statistics = value_statistics(pictures, _LOSSY_RARE if self.lossy else 0.0)
        scores = score_values(statistics, [scheme])
        if not scores or len(statistics.shares) < _FEW_VALUES:
            return np.inf, ()
        score = scores[0]
        void = sum(
            statistics.shares[value]
            for value, name in score.names.items()
            if canonical(name) == "unlabeled"
        )
        if void > _MOSTLY:
            return score.surprise, (
                f"{WARNING}as {scheme.name} {void:.0%} of the pixels are unlabeled.",
            )
        if score.surprise > LARGEST_SURPRISE and scheme.name in builtin_schemes():
            return score.surprise, (
                f"{WARNING}as {scheme.name} the labels hardly make a street:"
                f" {_street(score, statistics)}.",
            )
        return score.surprise, tuple(_sky_warnings(score, statistics))

    def _from_palette(self) -> Detection:
        """Palettes of greys hold the ids where a program renumbered them; other indices are ids."""
        greys = [grey_palette(frame) for frame in self.frames]
        if all(grey is not None for grey in greys):
            try:
                return self._from_values("ids")
            except InputError as refusal:
                try:
                    return self._from_values("palette")
                except InputError:
                    raise refusal from None
        return self._from_values("palette")

    def _from_instances(self) -> Detection:
        """Values over 1000 are id * 1000 + n, or Mapillary's id * 256 + n."""
        found: list[Detection] = []
        refusals: list[InputError] = []
        encodings: tuple[Encoding, ...] = ("instances", "instances-256")
        for encoding in encodings:
            try:
                found.append(self._from_values(encoding))
            except InputError as refusal:
                refusals.append(refusal)
        if not found:
            raise refusals[0]
        return max(found, key=lambda detection: detection.confidence)

    def _from_values(self, encoding: Encoding) -> Detection:
        pictures = [stored_values(frame, encoding) for frame in self.frames]
        statistics = value_statistics(pictures, _LOSSY_RARE if self.lossy else 0.0)
        if statistics.flat < FLAT_SHARE or len(statistics.shares) > _MANY_VALUES:
            raise self._no_label_map(
                f"it has {len(statistics.shares)} different grey values, and"
                f" {statistics.flat:.0%} of its pixels equal the next one"
            )
        if not self.lossy and all(interpolated_share(p) > _INTERPOLATED for p in pictures):
            raise self._refused(
                "these are ids that were resized with interpolation or blurred: along edges they"
                " have values between those of both sides, which are other classes.",
                Remedy("Resize ids to their nearest pixel (ffmpeg: -vf scale=...:flags=neighbor)."),
            )
        scores = score_values(statistics, self._candidates())
        if not scores:
            raise self._unknown_values(statistics)
        streets = [score for score in scores if score.surprise <= LARGEST_SURPRISE]
        own = [score for score in scores if score.scheme == self.expected]
        if not streets and not own:
            raise self._no_street(statistics, scores, encoding)
        chosen = self._choose(streets or own)
        few = len(statistics.shares) < _FEW_VALUES
        if chosen is None or (few and chosen.scheme != self.expected):
            raise self._ambiguous(statistics, streets, encoding)
        if encoding == "carla-red":  # of schemes that mean the same, the one that is stored so
            red = (s for s in scores if s.scheme.channel == "red" and s.agrees(chosen))
            chosen = next(red, chosen)
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
        likeness = float(np.exp(-max(0.0, chosen.surprise - USUAL_SURPRISE)))
        confidence = round(float(1 - np.exp(-max(lead, _LEAST_LEAD))) * likeness, 3)
        reasons = [f"{_sentence(encoding)}.", why, *lossy_warnings(encoding, self.lossy)]
        reasons += _sky_warnings(chosen, statistics)
        if likeness < _UNSURE:
            reasons.append(
                f"{WARNING}as {chosen.scheme.name} they make an unusual street"
                f" ({_street(chosen, statistics)}), so this reading is only {confidence:.0%} sure;"
                " see whether its classes are right (vidtrans inspect)."
            )
        return Detection(chosen.scheme, encoding, confidence, tuple(reasons))

    def _choose(self, scores: list[ValueScore]) -> ValueScore | None:
        """The score to take of ``scores``, likeliest first; None where it would be a guess."""
        best = scores[0].log_likelihood
        rivals = [score for score in scores if best - score.log_likelihood < _MARGIN]
        own = next((score for score in rivals if score.scheme == self.expected), None)
        if own is not None:
            return own
        meanings = distinct(rivals)
        return meanings[0] if len(meanings) == 1 else None

    def _colour_statistics(self) -> ColourStatistics:
        """Of all pixels where these have the colours of a scheme, else of those inside areas."""
        pictures = [image_of(frame) for frame in self.frames]
        found = colour_statistics(pictures)
        scores = score_colours(found, self._candidates(), _SAME_COLOUR)
        if found.fringed or not scores or _best(scores).coverage >= _LEAST_COVERAGE:
            return found
        inside = colour_statistics(pictures, only_inner=True)
        return inside if inside.inner >= _LEAST_INNER else found

    # -- colours -----------------------------------------------------------------------------------

    def _from_colours(self, statistics: ColourStatistics, encoding: Encoding) -> Detection:
        distance = 0 if encoding == "palette" else _SAME_COLOUR
        scores = score_colours(statistics, self._candidates(), distance)
        if not scores:
            raise self._refused(
                f"these pictures are in colour, and scheme {self.given} has no colours.",
                Remedy("Name a scheme that has, with {labels}, or give a palette file."),
            )
        best = _best(scores)
        mistake = None
        if best.coverage < _LEAST_COVERAGE and encoding == "colours":
            mistake, scores = self._mistaken(statistics, scores)
            best = _best(scores)
        if best.coverage < _LEAST_COVERAGE:
            raise self._unknown_colours(statistics, best)
        rivals = self._rivals(statistics, scores, distance)
        expected = None if self.expected is None else self.expected.name
        chosen = next((score for score in rivals if score.scheme.name == expected), rivals[0])
        scheme, names = chosen.scheme, chosen.names
        least = _LEAST_CLASSES if self.given is None else 1
        if sum(canonical(name) != "unlabeled" for name in names.values()) < least:
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
                f"{WARNING}the colours are {mistake.description}; they are read as they are shown."
            )
        fringed = encoding == "colours" and (bool(self.lossy) or self._fringed(scheme))
        if fringed:
            reasons.append(
                "Edges are blurred, as after a lossy codec: their pixels will take their"
                " neighbours' class."
            )
        if not self.lossy and encoding == "colours":
            reasons += self._drawn(scheme)
        # Two colours are weaker evidence than more: a tenth off.
        confidence = round(chosen.coverage * (1.0 if len(names) > 2 else 0.9), 3)
        return Detection(scheme, encoding, confidence, tuple(reasons), fringed)

    def _rivals(
        self, statistics: ColourStatistics, scores: list[ColourScore], distance: float
    ) -> list[ColourScore]:
        """The scores that explain the colours equally well.

        White does not decide: it is as often writing as the lane markings of the schemes that have
        it.
        """
        coloured = statistics.without(_WHITE)
        again = score_colours(coloured, [score.scheme for score in scores], distance)
        best = _best(again).coverage
        rivals = [
            score
            for score, without in zip(scores, again, strict=True)
            if best - without.coverage < _EQUAL_COVERAGE and score.coverage >= _LEAST_COVERAGE
        ]
        return likely_meaning(statistics, rivals or [_best(scores)], distance)

    def _mistaken(
        self, statistics: ColourStatistics, scores: list[ColourScore]
    ) -> tuple[ColourMistake | None, list[ColourScore]]:
        """The mistake that explains the colours, None where none does, and the scores with it."""
        common = statistics.commonest(_MISTAKEN_COLOURS)
        found, best = None, max(_best(scores).coverage, _LEAST_COVERAGE)
        for mistake in COLOUR_MISTAKES:
            shown = [mistake.shown(scheme) for scheme in self._candidates()]
            again = score_colours(common, shown, _SAME_COLOUR)
            top = _best(again)
            if top.coverage > best and len(top.ids) >= _MISTAKEN_CLASSES:
                # The commonest colours alone may fit by chance, as those of a dark photo.
                every = score_colours(statistics, shown, _SAME_COLOUR)
                if _best(every).coverage >= _LEAST_COVERAGE:
                    found, best, scores = mistake, top.coverage, every
        return found, scores

    def _drawn(self, scheme: Scheme) -> list[str]:
        """A warning where the commonest colour that is no class's is no mixture of two either."""
        palette = np.array([colour for colour, _ in scheme.colours()])
        colours, counts = counted_colours(np.concatenate([image_of(f) for f in self.frames]))
        squared = squared_distances(colours, palette)
        shown = palette[np.unique(squared.argmin(axis=1)[squared.min(axis=1) <= _SAME_COLOUR**2])]
        unknown = np.where(squared.min(axis=1) > _SAME_COLOUR**2, counts, 0)
        share = unknown.max() / counts.sum()
        colour = colours[int(unknown.argmax())]
        if share < _DRAWN_SHARE or is_mixture(colour, shown, _SAME_COLOUR):
            return []
        return [
            f"{WARNING}{share:.1%} of the pixels have the colour ({', '.join(map(str, colour))}),"
            f" which is no class of {scheme.name}, as of writing or outlines drawn into the"
            " pictures; they take the class of their neighbours or of the nearest colour."
        ]

    def _fringed(self, scheme: Scheme) -> bool:
        """Whether pixels have colours between those of the scheme."""
        palette = np.array([colour for colour, _ in scheme.colours()])
        off = pixels = 0
        for frame in self.frames:
            colours, counts = counted_colours(image_of(frame))
            squared = squared_distances(colours, palette).min(axis=1)
            off += int(counts[squared > _CERTAIN_FRINGE**2].sum())
            pixels += int(counts.sum())
        return off > _LEAST_FRINGE * pixels

    # -- refusals ----------------------------------------------------------------------------------

    def _refused(self, message: str, remedy: Remedy) -> InputError:
        first = self.frames[0]
        return InputError(message, where=first.source or None, frame=first.index, remedy=remedy)

    def _no_label_map(self, because: str) -> InputError:
        return self._refused(
            f"this is not a label map: {because}, as in a photo{self._overlaid()}.",
            Remedy(
                "If it holds labels all the same, describe their colours or values in a palette"
                " file: {labels:mine.toml}."
            ),
        )

    def _overlaid(self) -> str:
        """What is said where the pictures look like labels blended over photos."""
        overlaid = all(
            frame.pixels.ndim == 3 and is_overlay(image_of(frame), self._candidates())
            for frame in self.frames
        )
        return " with labels laid over it: the labels cannot be told from the photo" * overlaid

    def _no_street(
        self, statistics: ValueStatistics, scores: list[ValueScore], encoding: Encoding
    ) -> InputError:
        likeliest = min(scores, key=lambda score: score.surprise)
        if encoding == "carla-red" and all(
            red_holds_ids(frame.pixels[..., ::-1]) for frame in self.frames
        ):
            turned = [replace(f, pixels=f.pixels[..., ::-1]) for f in self.frames]
            pictures = [stored_values(frame, encoding) for frame in turned]
            again = score_values(value_statistics(pictures), self._candidates())
            if any(score.surprise <= LARGEST_SURPRISE for score in again):
                return ids_in_blue(self.frames[0])
        return self._refused(
            f"the label values {_listed(statistics.shares)} make a street under no known scheme;"
            f" the nearest, {likeliest.scheme.name}, would have"
            f" {_street(likeliest, statistics)}.",
            Remedy(
                "They may be a class list of your own: describe it in a palette file"
                " ({labels:mine.toml})."
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
        if self.given is not None:
            return self._refused(
                f"only {best.coverage:.0%} of the inner pixels have colours of scheme"
                f" {self.given.name}, which lacks {shown} and others, so this is not a label map of"
                " this scheme.",
                Remedy("Name the right scheme with {labels}, or give a palette file."),
            )
        nearest = (
            f"{best.scheme.name}, the nearest, lacks {shown} and others ({1 - best.coverage:.0%} of"
            " the inner pixels)"
            if best.coverage > _NEAR_COVERAGE
            else f"the commonest are {shown}"
        )
        segments = (
            " They differ from frame to frame, as numbers of segments do (COCO panoptic), whose"
            " classes stand in a JSON file and not in the picture."
            if self._colours_change()
            else ""
        )
        return self._refused(
            f"these may be labels, but no known scheme has their colours; {nearest}.{segments}",
            Remedy("Describe the colours in a palette file: {labels:mine.toml}."),
        )

    def _colours_change(self) -> bool:
        """Whether most colours of each frame are not in the frame before."""
        seen = []
        for frame in self.frames:
            colours, counts = counted_colours(image_of(frame))
            common = colours[np.argsort(-counts)[:_TOP_COLOURS]]
            seen.append({tuple(colour) for colour in common.tolist()})
        return len(seen) > 1 and all(
            len(one & other) < _LASTING * min(len(one), len(other)) for one, other in pairwise(seen)
        )


def _sky_warnings(score: ValueScore, statistics: ValueStatistics) -> list[str]:
    """A warning where a reading has no sky, and what is unlabeled lies where the sky would."""
    if any(canonical(name) == "sky" for name in score.names.values()):
        return []
    void = [value for value, name in score.names.items() if canonical(name) == "unlabeled"]
    share = sum(statistics.shares[value] for value in void)
    if share < _SKY_SHARE or min(statistics.heights[value] for value in void) > UNLABELED_SKY:
        return []
    return [
        f"{WARNING}there is no sky, and {share:.0%} of the pixels, at the top, are unlabeled, as in"
        " CARLA before 0.9.10; where they are the sky, the edit unlabeled=sky (relabel) paints it."
    ]


def _street(score: ValueScore, statistics: ValueStatistics) -> str:
    """The commonest classes of a reading, as '37% road, 24% wall'."""
    shares: dict[str, float] = defaultdict(float)
    for value, name in score.names.items():
        shares[name] += statistics.shares[value]
    common = sorted(shares, key=lambda name: -shares[name])[:5]
    return ", ".join(f"{shares[name]:.0%} {name}" for name in common)


def _best(scores: list[ColourScore]) -> ColourScore:
    return max(scores, key=lambda score: score.coverage)


def _sentence(encoding: Encoding) -> str:
    return FOUND[encoding][0].upper() + FOUND[encoding][1:]


def _listed(values: Iterable[int]) -> str:
    every = sorted(values)
    return ", ".join(map(str, every[:12])) + (f" ... {every[-1]}" if len(every) > 12 else "")
