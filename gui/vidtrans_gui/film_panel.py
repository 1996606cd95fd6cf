"""The dock of the film: its properties, and the settings for labels, size, cuts and rate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from vidtrans.labels.scheme import builtin_schemes
from vidtrans.media.naming import names_pictures
from vidtrans.pipeline.settings import format_size, parse_cuts, parse_rate, parse_size
from vidtrans.preview import Opened
from vidtrans_gui import wording
from vidtrans_gui.forms import add_row, keep_arrows, leave_on_enter
from vidtrans_gui.project import Project

PALETTE = "\0palette"


class FilmPanel(QWidget):
    """The panel of the film.

    Signals:
        changed(text, values): New values of project fields, and the name of the undo step.
        palette_wanted(): A palette file shall be chosen.
        instances_wanted(): Instance maps shall be chosen.
        refused(message): An entered value is not valid.
    """

    changed = Signal(str, dict)
    palette_wanted = Signal()
    instances_wanted = Signal()
    refused = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(
            Qt.WidgetAttribute.WA_StyledBackground
        )  # the dock's colour, not the window's
        self.facts = QLabel(self)
        self.facts.setWordWrap(True)
        self.facts.setProperty("role", "muted")
        self.read_as = QLabel(self)
        self.read_as.setWordWrap(True)
        self.labels = QComboBox(self)
        self.labels.setAccessibleName(self.tr("Label scheme"))
        self.labels.setToolTip(
            self.tr("Which classes the numbers or colours of the film stand for")
        )
        self.instances = QComboBox(self)
        self.instances.setAccessibleName(self.tr("Instance maps"))
        self.instances.setToolTip(self.tr("A film or folder that tells single instances apart"))
        self.size_field = QLineEdit(self)
        self.size_field.setPlaceholderText(self.tr("the film's own"))
        self.size_field.setAccessibleName(self.tr("Size to paint at"))
        self.size_field.setToolTip(
            self.tr("Width x height, such as 1024x512; empty for the film's own size")
        )
        self.fit = QComboBox(self)
        self.fit.addItem(self.tr("keep the shape, pad"), "pad")
        self.fit.addItem(self.tr("stretch to it"), "resize")
        self.fit.setAccessibleName(self.tr("How to reach the size"))
        self.cuts = QLineEdit(self)
        self.cuts.setAccessibleName(self.tr("Scene cuts"))
        self.cuts.setPlaceholderText("auto")
        self.cuts.setToolTip(self.tr("auto, off, or the first frames of scenes, such as 120, 300"))
        self.rate = QLineEdit(self)
        self.rate.setAccessibleName(self.tr("Frames a second"))
        self.rate.setPlaceholderText("25")
        self.rate.setToolTip(
            self.tr("Of a folder of pictures, such as 17 or 30000/1001; a film has its own times")
        )
        self.seed = QLineEdit(self)
        self.seed.setMaxLength(18)  # below 2^63
        self.seed.setAccessibleName(self.tr("Seed of looks"))
        self.seed.setPlaceholderText(self.tr("the first style of each class"))
        self.seed.setToolTip(
            self.tr(
                "A number draws a look for each thing, the same one every time; for models that"
                " have styles or dropout"
            )
        )
        self.damaged = QComboBox(self)
        self.damaged.addItem(self.tr("stop there"), False)
        self.damaged.addItem(self.tr("go on with the labels before"), True)
        self.damaged.setAccessibleName(self.tr("Damaged frames"))
        for box in (self.labels, self.instances, self.fit, self.damaged):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        keep_arrows(self.labels, self.instances, self.fit, self.damaged)
        leave_on_enter(self.size_field, self.cuts, self.rate, self.seed)

        form = QFormLayout()
        form.setVerticalSpacing(7)
        add_row(form, self.tr("Labels:"), self.labels)
        add_row(form, self.tr("Instances:"), self.instances)
        add_row(form, self.tr("Size:"), self.size_field)
        add_row(form, self.tr("Fit:"), self.fit)
        add_row(form, self.tr("Cuts:"), self.cuts)
        add_row(form, self.tr("Rate:"), self.rate)
        add_row(form, self.tr("Seed:"), self.seed)
        add_row(form, self.tr("Damaged frames:"), self.damaged)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(9)
        layout.addWidget(self.facts)
        layout.addWidget(self.read_as)
        layout.addLayout(form)
        layout.addStretch(1)
        self.labels.activated.connect(self._labels_chosen)
        self.instances.activated.connect(self._instances_chosen)
        for field, name, step, parse in (
            (
                self.size_field,
                "size_hw",
                self.tr("Change size"),
                lambda text: parse_size(text) if text else None,
            ),
            (
                self.cuts,
                "scene_cuts",
                self.tr("Change scene cuts"),
                lambda text: parse_cuts(text or "auto"),
            ),
            (self.rate, "rate", self.tr("Change frame rate"), self._rate),
            (self.seed, "seed", self.tr("Change seed"), self._seed),
        ):
            field.editingFinished.connect(partial(self._entered, step, name, field, parse))
        self.fit.activated.connect(
            lambda: self.changed.emit(self.tr("Change fit"), {"fit": self.fit.currentData()})
        )
        self.damaged.activated.connect(
            lambda: self.changed.emit(
                self.tr("Change damaged frames"), {"skip_damaged": self.damaged.currentData()}
            )
        )
        self._project = Project()
        self.show_project(self._project)
        self.show_film(None)

    def show_project(self, project: Project) -> None:
        """Fill the fields with the project's values."""
        self._project = project
        self.labels.clear()
        self.labels.addItem(self.tr("find out"), "auto")
        for name in builtin_schemes():
            self.labels.addItem(name, name)
        if self.labels.findData(project.render.labels) < 0:
            self.labels.addItem(Path(project.render.labels).name, project.render.labels)
        self.labels.addItem(self.tr("Palette file…"), PALETTE)
        self.labels.setCurrentIndex(self.labels.findData(project.render.labels))
        self.instances.clear()
        self.instances.addItem(self.tr("none"), None)
        if project.render.instances:
            self.instances.addItem(Path(project.render.instances).name, project.render.instances)
        self.instances.addItem(self.tr("Choose…"), PALETTE)
        self.instances.setCurrentIndex(1 if project.render.instances else 0)
        self.size_field.setText(
            "" if project.render.size_hw is None else format_size(project.render.size_hw)
        )
        self.fit.setCurrentIndex(self.fit.findData(project.render.fit))
        self.fit.setEnabled(project.render.size_hw is not None)
        self.damaged.setCurrentIndex(self.damaged.findData(project.render.skip_damaged))
        cuts = project.render.scene_cuts
        self.cuts.setText(cuts if isinstance(cuts, str) else ", ".join(map(str, cuts)))
        self.rate.setText("" if project.render.rate is None else str(project.render.rate))
        self.seed.setText("" if project.render.seed is None else str(project.render.seed))
        # A rate given for a film, which has its own, can be removed.
        self.rate.setEnabled(
            project.input is not None
            and (project.render.rate is not None or names_pictures(project.input))
        )
        self.setEnabled(project.input is not None)

    def show_film(self, film: Opened | None) -> None:
        """Show the properties of the open film; None clears them."""
        if film is None:
            self.facts.setText("")
            self.read_as.setText("")
            return
        info = film.info
        height, width = info.size_hw
        lines = [
            f"<b>{escape(Path(info.source).name)}</b>",
            (
                self.tr("{0} × {1}, {2} frames at {3:.6g} a second").format(
                    width, height, film.frames, float(info.rate)
                )
                if film.times.constant
                else self.tr(
                    "{0} × {1}, {2} frames in {3} at a variable rate, {4:.3g} a second on average"
                ).format(width, height, film.frames, film.times.length, _mean_rate(film))
            ),
            f"{info.codec}, {info.kind}",
        ]
        if film.reduced:
            lines.append(
                self.tr("Preview at {0} × {1}, export at {2} × {3}").format(
                    film.size_hw[1], film.size_hw[0], film.full_hw[1], film.full_hw[0]
                )
            )
        lines += [escape(wording.remark(each)) for each in film.remarks]
        self.facts.setText("<br>".join(lines))
        self.read_as.setText(self.tr("Read as {0}").format(film.scheme.title))
        self.read_as.setToolTip("\n".join(film.reasons))

    def _labels_chosen(self) -> None:
        chosen = self.labels.currentData()
        if chosen == PALETTE:
            self.show_project(self._project)
            self.palette_wanted.emit()
        else:
            self.changed.emit(self.tr("Change label scheme"), {"labels": chosen})

    def _instances_chosen(self) -> None:
        chosen = self.instances.currentData()
        if chosen == PALETTE:
            self.show_project(self._project)
            self.instances_wanted.emit()
        else:
            self.changed.emit(self.tr("Change instance maps"), {"instances": chosen})

    def _entered(
        self, step: str, name: str, field: QLineEdit, parse: Callable[[str], object]
    ) -> None:
        """Change the project's ``name`` to the value of ``field``, or refuse an invalid one.

        ``step`` names the undo step.
        """
        try:
            value = parse(field.text().strip())
        except ValueError as error:
            self.show_project(self._project)
            self.refused.emit(wording.sentence(error))
            return
        if value != self._project.flat()[name]:
            self.changed.emit(step, {name: value})

    def _rate(self, text: str) -> object:
        rate = parse_rate(text) if text else None
        if rate is not None and rate <= 0:
            raise ValueError(self.tr("a rate is more than 0 frames a second"))
        return rate

    def _seed(self, text: str) -> object:
        if text and not text.isdecimal():
            raise ValueError(self.tr("a seed is a whole number from 0 up, not {0}").format(text))
        return int(text) if text else None


def _mean_rate(film: Opened) -> float:
    return film.frames / max(1e-3, float(film.times.seconds(film.frames)))
