"""The icons, drawn as strokes on a 24 x 24 grid and tinted with the theme's colours."""

# ruff: noqa: E501 - path data reads no better when it is broken
from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from vidtrans_gui.theme import Theme

_FILLED = 'fill="currentColor" stroke="none"'
_SHAPES = {
    "play": f'<path {_FILLED} d="M7 4.5v15l12.5-7.5z"/>',
    "reverse": f'<path {_FILLED} d="M17 4.5v15L4.5 12z"/>',
    "pause": f'<path {_FILLED} d="M6.5 5h4v14h-4zM13.5 5h4v14h-4z"/>',
    "stop": f'<path {_FILLED} d="M6 6h12v12H6z"/>',
    "next": f'<path {_FILLED} d="M5 5v14l9-7z"/><path d="M18 5v14" stroke-width="2.4"/>',
    "previous": f'<path {_FILLED} d="M19 5v14l-9-7z"/><path d="M6 5v14" stroke-width="2.4"/>',
    "first": f'<path {_FILLED} d="M12.5 5v14L6 12zM20 5v14l-7-7z"/><path d="M4.5 5v14" stroke-width="2.2"/>',
    "last": f'<path {_FILLED} d="M11.5 5v14l6.5-7zM4 5v14l7-7z"/><path d="M19.5 5v14" stroke-width="2.2"/>',
    "loop": '<path d="M17 3l3.5 3.5L17 10"/><path d="M20 6.5H8a4.5 4.5 0 0 0-4.5 4.5v1"/>'
    '<path d="M7 21l-3.5-3.5L7 14"/><path d="M4 17.5h12a4.5 4.5 0 0 0 4.5-4.5v-1"/>',
    "in": '<path d="M14 4H8v16h6"/><path d="M12 12h8m-3-3 3 3-3 3"/>',
    "out": '<path d="M10 4h6v16h-6"/><path d="M12 12H4m3-3-3 3 3 3"/>',
    "single": '<rect x="3.5" y="5.5" width="17" height="13" rx="1.5"/>',
    "wipe": '<rect x="3.5" y="5.5" width="17" height="13" rx="1.5"/><path d="M12 3v18" stroke-width="2"/>'
    f'<path {_FILLED} opacity=".45" d="M4 6h8v12H4z"/>',
    "side": '<rect x="2.5" y="6.5" width="8.5" height="11" rx="1"/><rect x="13" y="6.5" width="8.5" height="11" rx="1"/>',
    "blink": '<path d="M2.5 12S6 6 12 6s9.5 6 9.5 6-3.5 6-9.5 6-9.5-6-9.5-6z"/><circle cx="12" cy="12" r="2.8"/>',
    "fit": '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/>',
    "actual": '<path d="M6 8l2.5-1.5V18M15.5 8 18 6.5V18"/><path d="M12.2 9.5v.1M12.2 15v.1" stroke-width="2.4"/>',
    "zoom-in": '<circle cx="10.5" cy="10.5" r="6.5"/><path d="M15.5 15.5 21 21M10.5 7.5v6M7.5 10.5h6"/>',
    "zoom-out": '<circle cx="10.5" cy="10.5" r="6.5"/><path d="M15.5 15.5 21 21M7.5 10.5h6"/>',
    "open": '<path d="M3 18.5V5.5h6l2 2.5h9v3"/><path d="M3 18.5 6 11h16l-3 7.5z"/>',
    "save": '<path d="M4 4h12.5L20 7.5V20H4z"/><path d="M8 4v5h7V4M7.5 20v-6.5h9V20"/>',
    "new": '<path d="M6 3h8l4.5 4.5V21H6z"/><path d="M14 3v5h4.5"/>',
    "export": '<path d="M12 15.5V3.5m-4 4 4-4 4 4"/><path d="M5 12v8h14v-8"/>',
    "undo": '<path d="M8.5 5 4 9.5 8.5 14"/><path d="M4 9.5h10a5.5 5.5 0 0 1 0 11h-3"/>',
    "redo": '<path d="M15.5 5 20 9.5 15.5 14"/><path d="M20 9.5H10a5.5 5.5 0 0 0 0 11h3"/>',
    "relabel": '<path d="M3.5 12.5V4h8.5l8.5 8.5-8 8z"/><circle cx="8" cy="8" r="1.4"/>',
    "delete": '<path d="M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10 10.5v6M14 10.5v6"/>',
    "style": '<path d="M12 3.5a8.5 8.5 0 1 0 0 17c1.7 0 2-1.2 1.3-2.2-.8-1.2 0-2.8 1.7-2.8h2.5a3 3 0 0 0 3-3c0-5-3.8-9-8.5-9z"/>'
    f'<circle {_FILLED} cx="8" cy="10.5" r="1.3"/><circle {_FILLED} cx="12" cy="7.5" r="1.3"/><circle {_FILLED} cx="16" cy="10" r="1.3"/>',
    "picture": '<rect x="3.5" y="4.5" width="17" height="15" rx="1.5"/><circle cx="8.5" cy="9.5" r="1.6"/><path d="m4 17 5-4.5 3.5 3 3.5-4 4.5 5"/>',
    "reset": '<path d="M5 5v5h5"/><path d="M5.5 10A7.5 7.5 0 1 1 4.7 14"/>',
    "cut": '<circle cx="6.5" cy="17.5" r="2.6"/><circle cx="17.5" cy="17.5" r="2.6"/><path d="M8 15.5 16.5 4M16 15.5 7.5 4"/>',
    "retry": '<path d="M19 5v5h-5"/><path d="M18.5 10A7.5 7.5 0 1 0 19.3 14"/>',
    "cancel": '<path d="M6 6l12 12M18 6 6 18"/>',
    "reveal": '<path d="M3 18.5V5.5h6l2 2.5h10v10.5z"/><path d="M9.5 13.5h6m-2.5-2.5 2.5 2.5L13 16"/>',
    "copy": '<rect x="8.5" y="8.5" width="11.5" height="11.5" rx="1.5"/><path d="M15.5 8.5V4H4v11.5h4.5"/>',
    "model": '<path d="M12 3l8 4.5v9L12 21l-8-4.5v-9z"/><path d="M4 7.5l8 4.5 8-4.5M12 12v9"/>',
    "import": '<path d="M12 3.5v12m-4-4 4 4 4-4"/><path d="M5 14v6h14v-6"/>',
    "help": '<circle cx="12" cy="12" r="8.5"/><path d="M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8"/><path d="M12 16.6v.1" stroke-width="2.4"/>',
    "film": '<rect x="3.5" y="4.5" width="17" height="15" rx="1.5"/><path d="M8 4.5v15M16 4.5v15M3.5 9.5H8M3.5 14.5H8M16 9.5h4.5M16 14.5h4.5"/>',
    "up": '<path d="M12 20V5m-6 6 6-6 6 6"/>',
    "down": '<path d="M12 4v15m-6-6 6 6 6-6"/>',
    "settings": '<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>',
    "more": '<path d="M6 6l6 6-6 6M12.5 6l6 6-6 6"/>',
    "warning": '<path d="M12 4 2.5 20h19z"/><path d="M12 10v5"/><path d="M12 17.5v.1" stroke-width="2.4"/>',
}


def names() -> tuple[str, ...]:
    return tuple(_SHAPES)


def icon(name: str, theme: Theme) -> QIcon:
    """The icon called ``name``, in several sizes (twice each for high-DPI), fainter where its
    action is disabled."""
    made = QIcon()
    off, on = QIcon.State.Off, QIcon.State.On
    normal, active, disabled = QIcon.Mode.Normal, QIcon.Mode.Active, QIcon.Mode.Disabled
    for colour, uses in (
        (theme.text, ((normal, off),)),
        (theme.accent, ((normal, on), (active, on))),
        (theme.faint, ((disabled, off), (disabled, on))),
    ):
        drawing = _drawing(name, colour)
        for size in (16, 20, 32, 40, 64):
            drawn = _rendered(drawing, size)
            for mode, state in uses:
                made.addPixmap(drawn, mode, state)
    return made


def pixmap(name: str, colour: str, size: int) -> QPixmap:
    """One icon as ``size`` x ``size`` device pixels."""
    return _rendered(_drawing(name, colour), size)


def _drawing(name: str, colour: str) -> QSvgRenderer:
    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        f'stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">{_SHAPES[name]}</svg>'
    ).replace("currentColor", colour)
    return QSvgRenderer(QByteArray(text.encode()))


def _rendered(drawing: QSvgRenderer, size: int) -> QPixmap:
    drawn = QPixmap(size, size)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    drawing.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return drawn
