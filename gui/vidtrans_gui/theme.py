"""Dark and light colours of the window: neutral greys around pictures and one accent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

Appearance = Literal["system", "dark", "light"]


@dataclass(frozen=True)
class Theme:
    """Colours by purpose, as ``#rrggbb``; ``surround``, around pictures, is a neutral grey."""

    dark: bool
    window: str
    panel: str
    field: str
    raised: str
    hover: str
    border: str
    text: str
    muted: str
    faint: str
    accent: str
    on_accent: str
    surround: str
    cached: str
    snapshot: str
    cut: str
    playhead: str
    warning: str
    error: str


DARK = Theme(
    dark=True,
    window="#202020",
    panel="#282828",
    field="#1b1b1b",
    raised="#363636",
    hover="#404040",
    border="#151515",
    text="#dcdcdc",
    muted="#9a9a9a",
    faint="#5c5c5c",
    accent="#5b9bd5",
    on_accent="#0e1216",
    surround="#171717",
    cached="#4f8a6b",
    snapshot="#8fb8a2",
    cut="#d9a441",
    playhead="#ef6a5b",
    warning="#d9a441",
    error="#e5695e",
)
LIGHT = Theme(
    dark=False,
    window="#e9e9e9",
    panel="#f4f4f4",
    field="#ffffff",
    raised="#ffffff",
    hover="#dedede",
    border="#c6c6c6",
    text="#1f1f1f",
    muted="#5f5f5f",
    faint="#a5a5a5",
    accent="#2a6fb0",
    on_accent="#ffffff",
    surround="#bdbdbd",
    cached="#4f9a72",
    snapshot="#2f6b4b",
    cut="#a86f00",
    playhead="#c73a2b",
    warning="#8a5a00",
    error="#b3261e",
)


def theme_of(palette: QPalette) -> Theme:
    """The theme that a palette was made from, for widgets that paint themselves."""
    return DARK if palette.color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


def choose(appearance: Appearance) -> Theme:
    """The theme of an appearance; ``system`` is the platform's, dark where that is unknown."""
    if appearance == "system":
        scheme = QGuiApplication.styleHints().colorScheme()
        return LIGHT if scheme == Qt.ColorScheme.Light else DARK
    return LIGHT if appearance == "light" else DARK


def apply(app: QApplication, theme: Theme) -> None:
    """Set style, palette and stylesheet of the application."""
    if app.style().objectName().lower() != "fusion":
        app.setStyle("Fusion")
    app.setPalette(_palette(theme))
    app.setStyleSheet(_stylesheet(theme))


def mono_font(points: float | None = None) -> QFont:
    """The platform's fixed-width font, for timecodes and counts; ``points`` sets its size."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    if points is not None:
        font.setPointSizeF(points)
    return font


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for name, colour in {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.field,
        role.AlternateBase: theme.panel,
        role.Text: theme.text,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.error,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.muted,
        role.Link: theme.accent,
        role.Light: theme.hover,
        role.Midlight: theme.raised,
        role.Mid: theme.border,
        role.Dark: theme.border,
        role.Shadow: "#000000",
        role.Accent: theme.accent,
    }.items():
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(theme.faint))
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(theme.raised))
    return palette


def _stylesheet(t: Theme) -> str:
    data = (Path(__file__).parent / "data").as_posix()
    return f"""
    QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.border}; padding: 4px 6px; }}
    QMainWindow::separator {{ background: {t.border}; width: 3px; height: 3px; }}
    QMainWindow::separator:hover {{ background: {t.accent}; }}
    QMenuBar {{ background: {t.panel}; padding: 2px 4px; border-bottom: 1px solid {t.border}; }}
    QMenuBar::item {{ padding: 4px 9px; border-radius: 3px; background: transparent; }}
    QMenuBar::item:selected {{ background: {t.hover}; }}
    QMenu {{ background: {t.panel}; border: 1px solid {t.border}; padding: 4px; }}
    QMenu::item {{ padding: 5px 26px 5px 22px; border-radius: 3px; }}
    QMenu::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
    QMenu::item:disabled {{ color: {t.faint}; background: transparent; }}
    QMenu::separator {{ height: 1px; background: {t.border}; margin: 4px 6px; }}
    QStatusBar {{ background: {t.panel}; border-top: 1px solid {t.border}; color: {t.muted}; }}
    QStatusBar::item {{ border: none; }}
    QStatusBar QLabel {{ color: {t.muted}; padding: 2px 6px; }}
    QDockWidget {{ titlebar-close-icon: none; titlebar-normal-icon: none; }}
    QDockWidget::title {{ background: {t.panel}; padding: 6px 9px; border-bottom: 1px solid {t.border}; text-align: left; }}
    QDockWidget > QWidget {{ background: {t.panel}; }}
    QTabBar {{ background: {t.window}; }}
    QTabBar::tab {{ background: {t.window}; color: {t.muted}; padding: 6px 12px; border: none;
        border-top: 2px solid transparent; }}
    QTabBar::tab:selected {{ background: {t.panel}; color: {t.text}; border-top-color: {t.accent}; }}
    QTabBar::tab:hover:!selected {{ color: {t.text}; }}
    QTabWidget::pane {{ border: 1px solid {t.border}; background: {t.panel}; }}
    #bar {{ background: {t.panel}; }}
    #bar[edge="bottom"] {{ border-bottom: 1px solid {t.border}; }}
    #bar[edge="top"] {{ border-top: 1px solid {t.border}; }}
    QToolButton {{ border: 1px solid transparent; border-radius: 4px; padding: 4px; background: transparent; }}
    QToolButton:hover:enabled {{ background: {t.hover}; }}
    QToolButton:pressed:enabled, QToolButton:checked {{ background: {t.field}; border-color: {t.border}; }}
    QToolButton:checked {{ color: {t.accent}; }}
    QToolButton:focus {{ border-color: {t.accent}; }}
    QToolButton::menu-indicator {{ image: none; }}
    QPushButton {{ background: {t.raised}; border: 1px solid {t.border}; border-radius: 4px; padding: 5px 14px;
        min-height: 18px; }}
    QPushButton:hover:enabled {{ background: {t.hover}; }}
    QPushButton:pressed:enabled {{ background: {t.field}; }}
    QPushButton:focus {{ border-color: {t.accent}; }}
    QPushButton:disabled {{ color: {t.faint}; }}
    QPushButton[primary="true"] {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; }}
    QPushButton[primary="true"]:disabled {{ background: {t.raised}; color: {t.faint}; border-color: {t.border}; }}
    QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit {{
        background: {t.field}; border: 1px solid {t.border}; border-radius: 4px; padding: 3px 6px; min-height: 18px;
        selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
    QSpinBox QLineEdit {{ background: transparent; border: none; padding: 0 6px; min-height: 0; }}
    QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus {{ border-color: {t.accent}; }}
    QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
    QCheckBox {{ spacing: 7px; }}
    QCheckBox::indicator {{ width: 14px; height: 14px; border: 1px solid {t.faint}; border-radius: 3px;
        background: {t.field}; }}
    QCheckBox::indicator:hover, QCheckBox::indicator:focus {{ border-color: {t.accent}; }}
    QCheckBox::indicator:checked {{ background: {t.accent}; border-color: {t.accent}; image: url({data}/check.svg); }}
    QLineEdit:disabled, QSpinBox:disabled, QComboBox:disabled {{ color: {t.faint}; }}
    QComboBox::drop-down {{ border: none; width: 20px; }}
    QComboBox::down-arrow {{ image: url({data}/chevron-down.svg); width: 10px; height: 10px; }}
    QSpinBox::up-button, QSpinBox::down-button {{ border: none; width: 16px; background: transparent; }}
    QSpinBox[plain="true"]::up-button, QSpinBox[plain="true"]::down-button {{ width: 0; height: 0; }}
    QSpinBox[plain="true"]::up-arrow, QSpinBox[plain="true"]::down-arrow {{ image: none; width: 0; height: 0; }}
    QSpinBox::up-arrow {{ image: url({data}/chevron-up.svg); width: 9px; height: 9px; }}
    QSpinBox::down-arrow {{ image: url({data}/chevron-down.svg); width: 9px; height: 9px; }}
    QListWidget {{ background: {t.field}; border: 1px solid {t.border}; border-radius: 4px; padding: 2px; }}
    QListWidget::item {{ padding: 4px 3px; border-radius: 3px; }}
    QTreeView {{ background: {t.field}; border: 1px solid {t.border}; border-radius: 4px; }}
    QTreeView::item {{ padding: 3px; }}
    QComboBox QAbstractItemView {{ background: {t.panel}; border: 1px solid {t.border};
        selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
    QAbstractItemView {{ background: {t.panel}; alternate-background-color: {t.panel}; border: none; outline: none; }}
    QAbstractItemView::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
    QHeaderView::section {{ background: {t.panel}; color: {t.muted}; border: none;
        border-bottom: 1px solid {t.border}; padding: 4px 6px; }}
    QProgressBar {{ background: {t.field}; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }}
    QProgressBar::chunk {{ background: {t.accent}; border-radius: 3px; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {t.hover}; border-radius: 4px; min-height: 24px; min-width: 24px; margin: 1px; }}
    QScrollBar::handle:hover {{ background: {t.faint}; }}
    QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{
        background: none; border: none; width: 0; height: 0; }}
    QGroupBox {{ border: 1px solid {t.border}; border-radius: 5px; margin-top: 9px; padding: 9px 9px 7px 9px; }}
    QGroupBox::title {{ subcontrol-origin: margin; left: 9px; padding: 0 4px; color: {t.muted}; }}
    QLabel[role="muted"] {{ color: {t.muted}; }}
    QLabel[role="warning"] {{ color: {t.warning}; }}
    QLabel[role="error"] {{ color: {t.error}; }}
    QLabel[role="heading"] {{ font-size: 15pt; font-weight: 600; }}
    QLabel[role="title"] {{ font-weight: 600; }}
    QFrame[role="card"] {{ background: {t.panel}; border: 1px solid {t.border}; border-radius: 8px; }}
    """
