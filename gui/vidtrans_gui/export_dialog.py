"""The export dialog: a preset, a file, and further settings of ``vidtrans convert``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QFrame,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vidtrans.errors import UsageError, VidtransError
from vidtrans.media.writer import parts_folder, try_encoding
from vidtrans.pipeline.settings import ConvertSettings, format_cuts, format_size
from vidtrans.pipeline.sizing import Sizing
from vidtrans.preview import Opened
from vidtrans_gui import wording
from vidtrans_gui.export_presets import PRESETS, Preset
from vidtrans_gui.forms import add_row
from vidtrans_gui.shell_command import command_line


def parse_options(text: str) -> dict[str, str]:
    """Parse encoder options.

    Args:
        text: Such as ``crf=18, preset=slow``; separated by commas or lines.

    Raises:
        UsageError: A part has no ``=``, or no name or value.
    """
    found = {}
    for part in (part.strip() for part in text.replace("\n", ",").split(",")):
        if not part:
            continue
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UsageError(f"encoder options are name=value, such as crf=18; {part!r} is not.")
        found[name.strip()] = value.strip()
    return found


@dataclass(frozen=True)
class ExportedFilm:
    """What the dialog knows of the film that is exported.

    Attributes:
        size_hw: Height and width of its labels.
        rate: Frames per second.
        time_base: The unit of its times, in seconds.
        frames: The number of frames.
        in_out: The first frame between in and out points, and the one after the last.
    """

    size_hw: tuple[int, int]
    rate: Fraction
    time_base: Fraction
    frames: int
    in_out: tuple[int, int]

    @classmethod
    def of(cls, film: Opened, in_out: tuple[int, int]) -> ExportedFilm:
        """An open film."""
        return cls(film.info.size_hw, film.info.rate, film.info.time_base, film.frames, in_out)

    @property
    def has_range(self) -> bool:
        """Whether in and out points are set."""
        return self.in_out != (0, self.frames)


_FRAME = 60
"""Pixels of a screen's height for the dialog's title bar and two lines of a problem."""
_UNKNOWN = ExportedFilm((256, 512), Fraction(25), Fraction(1, 25), 0, (0, 0))
"""Stands for a film that is not open, in checks."""


class ExportDialog(QDialog):
    """The settings of an export.

    Signals:
        queued(settings): The ``ConvertSettings`` of an export that was confirmed.
    """

    queued = Signal(object)

    def __init__(
        self,
        base: ConvertSettings,
        folder: str,
        name: str,
        parent: QWidget | None = None,
        *,
        film: ExportedFilm | None = None,
        writing: Collection[Path] = (),
    ) -> None:
        """Make the dialog.

        Args:
            base: The project's settings.
            folder: The folder of the proposed output.
            name: The proposed output's name without suffix.
            parent: The dialog's parent.
            film: What is known of the film; None where it is not open.
            writing: The outputs of exports that are not done.
        """
        super().__init__(parent)
        self._film, self._writing = film, frozenset(writing)
        self.setWindowTitle(self.tr("Export"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(620)
        self._base = base
        self.preset = QComboBox(self)
        for preset in PRESETS:
            self.preset.addItem(QCoreApplication.translate("Export", preset.title), preset.key)
        self.preset.setAccessibleName(self.tr("Preset"))
        self.output = QLineEdit(
            str(self._preset.output_for(Path(folder) / (name or "street"))), self
        )
        self.output.setAccessibleName(self.tr("Output file"))
        self.browse = QPushButton(self.tr("Choose…"), self)
        self.overwrite = QCheckBox(self.tr("replace what is there"), self)
        self.resume = QCheckBox(self.tr("go on where an interrupted export stopped"), self)
        layers: list[tuple[str, str]] = [
            (layer, wording.layer_name(layer)) for layer in wording.layers()
        ]
        layers.append(("compare", self.tr("Labels and result")))
        self.layer = self._box(self.tr("Layer"), layers, base.render.layer)
        self.layer.setToolTip(
            self.tr("What the film shows; “Labels and result” sets both side by side")
        )
        self.range = self._box(self.tr("Frames"), self._ranges(base), "film")
        if base.start is not None or base.end is not None:
            self.range.setCurrentIndex(self.range.findData("given"))
        self.range.setEnabled(self.range.count() > 1)
        self.range.setToolTip(
            self.tr("In and out points make a range; its pictures are those of the whole film")
        )
        self.advanced = QToolButton(self)
        self.advanced.setText(self.tr("More settings"))
        self.advanced.setCheckable(True)
        self.advanced.setArrowType(Qt.ArrowType.RightArrow)
        self.advanced.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._more = self._make_more(base)
        self._scroll = QScrollArea(self)
        self._scroll.setWidget(self._more)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setAccessibleName(self.tr("More settings"))
        self.problem = QLabel(self)
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.command = QPushButton(self.tr("Copy command line"), self)
        self.command.setToolTip(self.tr("The vidtrans command that makes the same film"))
        self.add = QPushButton(self.tr("Add to queue"), self)
        self.add.setProperty("primary", True)
        self.add.setDefault(True)
        cancel = QPushButton(self.tr("Cancel"), self)

        form = QFormLayout()
        form.setVerticalSpacing(9)
        form.setHorizontalSpacing(14)
        add_row(form, self.tr("Format:"), self.preset)
        add_row(form, self.tr("File:"), self.output, self.browse)
        add_row(form, "", self.overwrite)
        add_row(form, "", self.resume)
        add_row(form, self.tr("Frames:"), self.range)
        add_row(form, self.tr("Layer:"), self.layer)
        buttons = QHBoxLayout()
        buttons.addWidget(self.command)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 18, 18, 14)
        layout.setSpacing(11)
        layout.addLayout(form)
        layout.addWidget(self.advanced, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._scroll)
        layout.addWidget(self.problem)
        layout.addLayout(buttons)
        self._scroll.setVisible(False)
        self.problem.setVisible(False)
        self.preset.currentIndexChanged.connect(self._preset_chosen)
        self.output.textChanged.connect(self._check)
        self.overwrite.toggled.connect(self._check)
        self.resume.toggled.connect(self._check)
        self.browse.clicked.connect(self._browse)
        self.advanced.toggled.connect(self._unfold)
        self.command.clicked.connect(self._copy)
        self.add.clicked.connect(self.accept)
        cancel.clicked.connect(self.reject)
        self._check()

    def show_settings(self, settings: ConvertSettings) -> None:
        """Fill the fields with the settings of an export that is changed."""
        chosen = next((preset for preset in PRESETS if preset.codec == settings.codec), PRESETS[0])
        self.preset.setCurrentIndex(self.preset.findData(chosen.key))
        usual = chosen.applied(settings)
        self.output.setText(settings.output)
        for line, name in (
            (self.codec, "codec"),
            (self.pixel_format, "pixel_format"),
            (self.sound, "audio_codec"),
        ):
            value = getattr(settings, name)
            line.setText("" if value is None or value == getattr(usual, name) else value)
        if settings.encoder_options != usual.encoder_options:
            pairs = (f"{name}={value}" for name, value in settings.encoder_options.items())
            self.options.setText(", ".join(pairs))
        self.overwrite.setChecked(settings.overwrite)
        self.resume.setChecked(settings.resume)
        self.add.setText(self.tr("Change"))

    def _ranges(self, base: ConvertSettings) -> list[tuple[str, str]]:
        film = self._film
        whole = self.tr("whole film")
        if film is not None:
            whole = self.tr("whole film, {0} frames").format(film.frames)
        found = [("film", whole)]
        if film is not None and film.has_range:
            first, stop = film.in_out
            text = self.tr("from in to out: {0} to {1}, {2} frames")
            found.append(("range", text.format(first, stop - 1, stop - first)))
        if base.start is not None or base.end is not None:
            text = self.tr("from {0} up to {1}")
            end = self.tr("the end") if base.end is None else base.end
            found.append(("given", text.format(base.start or 0, end)))
        return found

    def _range(self) -> dict[str, Any]:
        """The fields of the settings for the chosen range."""
        match self.range.currentData():
            case "range":
                assert self._film is not None
                first, stop = self._film.in_out
                return {
                    "start": first or None,
                    "end": None if stop == self._film.frames else stop,
                }
            case "given":
                return {"start": self._base.start, "end": self._base.end}
            case _:
                return {"start": None, "end": None}

    def _box(self, name: str, choices: list[tuple[str, str]], chosen: str) -> QComboBox:
        box = QComboBox(self)
        for value, title in choices:
            box.addItem(title, value)
        if box.findData(chosen) < 0:
            box.addItem(chosen, chosen)
        box.setCurrentIndex(box.findData(chosen))
        box.setAccessibleName(name)
        return box

    def _line(self, name: str, text: str, hint: str, tip: str) -> QLineEdit:
        line = QLineEdit(text, self)
        line.setPlaceholderText(hint)
        line.setToolTip(tip)
        line.setAccessibleName(name)
        line.textChanged.connect(lambda: self._check())
        return line

    def _make_more(self, base: ConvertSettings) -> QWidget:
        more = QGroupBox(self)
        self.codec = self._line(
            self.tr("Encoder"),
            "",
            self.tr("the preset's"),
            self.tr("Any encoder of ffmpeg by its name, such as libx265"),
        )
        self.pixel_format = self._line(
            self.tr("Pixel format"),
            "",
            self.tr("the preset's"),
            self.tr("ffmpeg's name, such as yuv444p"),
        )
        self.options = self._line(
            self.tr("Encoder options"),
            "",
            "crf=18, preset=slow",
            self.tr("Options of the encoder, name=value"),
        )
        self.sound = self._line(
            self.tr("Sound"),
            "",
            self.tr("the preset's"),
            self.tr("copy, or an encoder of ffmpeg for sound in another codec, such as aac"),
        )
        size = "" if base.render.size_hw is None else format_size(base.render.size_hw)
        self.size_field = self._line(
            self.tr("Size"),
            size,
            self.tr("the film's own"),
            self.tr("Width x height, such as 1024x512"),
        )
        fits = [("pad", self.tr("keep the shape, pad")), ("resize", self.tr("stretch to it"))]
        self.fit = self._box(self.tr("Fit"), fits, base.render.fit)
        cuts = format_cuts(base.render.scene_cuts)
        self.cuts = self._line(
            self.tr("Scene cuts"), cuts, "auto", self.tr("auto, off, or the first frames of scenes")
        )
        self.rate = self._line(
            self.tr("Frame rate"),
            "" if base.render.rate is None else str(base.render.rate),
            "25",
            self.tr("Frames a second of an image folder"),
        )
        devices = [("auto", "auto"), ("cpu", "cpu"), ("cuda", "cuda")]
        self.device = self._box(self.tr("Device"), devices, base.render.device)
        kinds = [(kind, kind) for kind in ("auto", "fp32", "bf16", "fp16")]
        self.precision = self._box(self.tr("Precision"), kinds, base.render.precision)
        self.every = QSpinBox(self)
        self.every.setRange(0, 100_000)
        self.every.setSpecialValueText(self.tr("as suits the size"))
        self.every.setValue(base.snapshot_every or 0)
        self.every.setAccessibleName(self.tr("Frames between safe points"))
        self.every.setToolTip(
            self.tr("After so many frames what is done is safe, should the machine stop")
        )
        left, right = QFormLayout(), QFormLayout()
        rows: tuple[tuple[str, QWidget], ...]
        rows = (
            (self.tr("Encoder:"), self.codec),
            (self.tr("Pixel format:"), self.pixel_format),
            (self.tr("Options:"), self.options),
            (self.tr("Sound:"), self.sound),
            (self.tr("Size:"), self.size_field),
            (self.tr("Fit:"), self.fit),
        )
        for name, widget in rows:
            add_row(left, name, widget)
        rows = (
            (self.tr("Device:"), self.device),
            (self.tr("Precision:"), self.precision),
            (self.tr("Cuts:"), self.cuts),
            (self.tr("Rate:"), self.rate),
            (self.tr("Safe every:"), self.every),
        )
        for name, control in rows:
            add_row(right, name, control)
        row = QHBoxLayout()
        row.addLayout(left, 1)
        row.addSpacing(14)
        row.addLayout(right, 1)
        layout = QVBoxLayout(more)
        layout.addLayout(row)
        return more

    @property
    def _preset(self) -> Preset:
        return next(preset for preset in PRESETS if preset.key == self.preset.currentData())

    def settings(self) -> ConvertSettings:
        """The settings that the fields describe.

        Raises:
            UsageError: A field has no valid value.
        """
        text = self.output.text().strip()
        if not text:
            raise UsageError("the file needs a name.")
        values: dict[str, Any] = self._base.flat()
        values |= {
            "output": text,
            "layer": self.layer.currentData(),
            "size_hw": self.size_field.text().strip() or None,
            "fit": self.fit.currentData(),
            "scene_cuts": self.cuts.text().strip() or "auto",
            "rate": self.rate.text().strip() or None,
            "device": self.device.currentData(),
            "precision": self.precision.currentData(),
            "snapshot_every": self.every.value() or None,
            "overwrite": self.overwrite.isChecked(),
            "resume": self.resume.isChecked(),
        } | self._range()
        settings = self._preset.applied(ConvertSettings.read(**values))
        own = {
            "codec": self.codec.text().strip() or None,
            "pixel_format": self.pixel_format.text().strip() or None,
            "audio_codec": self.sound.text().strip() or None,
            "encoder_options": settings.encoder_options | parse_options(self.options.text()),
        }
        chosen = {name: value for name, value in own.items() if value is not None}
        if own["codec"]:  # the preset's options are those of its own encoder
            chosen["encoder_options"] = parse_options(self.options.text())
        return settings.model_copy(update=chosen)

    def _try(self, settings: ConvertSettings) -> None:
        """Refuse what would fail only once the export runs. Raises VidtransError."""
        film = self._film or _UNKNOWN
        render = settings.render
        height, width = Sizing.plan(film.size_hw, render.size_hw, render.fit).scaled_hw
        width *= 2 if render.layer == "compare" else 1
        even = (height + height % 2, width + width % 2)
        try_encoding(
            settings.output,
            size_hw=even if settings.even_sides else (height, width),
            rate=film.rate,
            time_base=film.time_base,
            codec=settings.codec,
            encoder_options=settings.encoder_options,
            pixel_format=settings.pixel_format,
            audio_codec=settings.audio_codec,
        )

    def _check(self) -> None:
        sentence = ""
        try:
            settings = self.settings()
            if Path(settings.output).parent.is_dir():
                self._try(settings)
        except VidtransError as error:
            sentence = wording.sentence(error)
        else:
            there = Path(settings.output)
            new_run = not settings.overwrite and not settings.resume
            taken = there.exists() and not (there.is_dir() and not any(there.iterdir()))
            if not there.parent.is_dir():
                sentence = self.tr("The folder {0} does not exist.").format(there.parent)
            elif there.absolute() in self._writing:
                sentence = self.tr(
                    "{0} is written by another export in the list. Choose another name."
                ).format(there.name)
            elif taken and new_run:
                sentence = self.tr(
                    "{0} exists already. Choose another name, or replace it."
                ).format(there.name)
            elif parts_folder(there).is_dir() and new_run:
                sentence = self.tr(
                    "An unfinished export of {0} is kept. Go on with it, or replace it."
                ).format(there.name)
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        self.add.setEnabled(not sentence)

    def _preset_chosen(self) -> None:
        self.output.setText(str(self._preset.output_for(self.output.text().strip() or "street")))
        self._check()

    def _unfold(self, shown: bool) -> None:
        self.advanced.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self._scroll.setVisible(shown)
        if shown:  # on a low screen they scroll
            self._scroll.setMinimumHeight(0)
            rest = self.sizeHint().height() - self._scroll.sizeHint().height()
            room = self.screen().availableSize().height() - rest - _FRAME
            self._scroll.setMinimumHeight(min(self._more.sizeHint().height() + 2, max(80, room)))
        self.adjustSize()
        area, frame = self.screen().availableGeometry(), self.frameGeometry()
        if frame.bottom() > area.bottom():
            self.move(self.x(), max(area.top(), self.y() - frame.bottom() + area.bottom()))

    def _browse(self) -> None:
        dialog = QFileDialog(self, self.tr("Export to"), self.output.text())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.fileSelected.connect(
            lambda path: self.output.setText(str(self._preset.output_for(path)))
        )
        dialog.open()

    def _copy(self) -> None:
        try:
            QGuiApplication.clipboard().setText(command_line(self.settings()))
        except UsageError as error:
            self.problem.setText(wording.sentence(error))
            self.problem.setVisible(True)

    def accept(self) -> None:
        self._check()
        if self.add.isEnabled():
            self.queued.emit(self.settings())
            super().accept()


__all__ = ["ExportDialog", "ExportedFilm", "parse_options"]
