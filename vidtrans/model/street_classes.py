"""What the street network knows of a label scheme, by class names."""

from __future__ import annotations

from vidtrans.labels.scheme import Scheme, builtin_schemes, canonical, load_scheme
from vidtrans.nets.street_classes import StreetClasses

GROUND = ("ground", "road", "sidewalk", "parking", "rail track", "terrain")
FACADES = ("building", "wall", "fence")
VEHICLES = (("car",), ("truck", "bus", "caravan", "trailer", "train"))
OBJECTS = (
    ("person",),
    ("rider",),
    ("motorcycle", "bicycle"),
    ("traffic light",),
    ("traffic sign",),
)


def street_classes(scheme: Scheme | str | None = None) -> StreetClasses:
    """The classes of ``scheme`` that the street network knows; those that it has not are left out.

    Args:
        scheme: A label scheme, or the name of a built-in one as a card gives it. Anything else
            stands for Cityscapes, which the network was trained on.
    """
    scheme = _scheme(scheme)
    by_name = {canonical(entry.name): entry.id for entry in scheme.classes if entry.id >= 0}

    def ids(names: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(by_name[canonical(name)] for name in names if canonical(name) in by_name)

    return StreetClasses(
        ground=ids(GROUND),
        facades=ids(FACADES),
        vehicles=tuple(ids(names) for names in VEHICLES),
        objects=tuple(ids(names) for names in OBJECTS),
    )


def foreground_classes(scheme: Scheme | str | None = None) -> tuple[int, ...]:
    """The classes whose single things instance maps tell apart: the street network's foreground
    where its card names none."""
    return tuple(
        entry.id for entry in _scheme(scheme).classes if entry.has_instances and entry.id >= 0
    )


def _scheme(scheme: Scheme | str | None) -> Scheme:
    if isinstance(scheme, Scheme):
        return scheme
    # A card is somebody's file: its scheme's name shall open no other file.
    return load_scheme(scheme if scheme in builtin_schemes() else "cityscapes")
