"""The bar above the viewer: layer, comparison and zoom; model, device and precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from vidtrans.preview import PreviewLayer
from vidtrans_gui import wording
from vidtrans_gui.actions import Actions
from vidtrans_gui.forms import keep_arrows
from vidtrans_gui.overflow import Overflow, box_entry, button_entry
from vidtrans_gui.project import Project
from vidtrans_gui.transport import tool_button


@dataclass(frozen=True)
class Choice:
    """An entry of a box.

    Attributes:
        value: The value of the setting.
        title: The text that is shown.
        tip: The tooltip; empty for the title.
        problem: Why it cannot be used; empty if it can.
    """

    value: str
    title: str
    tip: str = ""
    problem: str = ""


class RenderBar(QFrame):
    """The render bar.

    Signals:
        changed(text, values): New values of project fields, and the name of the undo step.
        layer_chosen(layer): Another layer shall be shown; that is a matter of view, no undo step.
    """

    changed = Signal(str, dict)
    layer_chosen = Signal(str)

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self.setProperty("edge", "bottom")
        self.layer = QComboBox(self)
        self.layer.setAccessibleName(self.tr("Layer"))
        for number, layer in enumerate(wording.layers(), 1):
            self.layer.addItem(wording.layer_name(layer), layer)
            self.layer.setItemData(
                number - 1,
                f"{wording.layer_tip(layer)} (Alt+{number})",
                Qt.ItemDataRole.ToolTipRole,
            )
        self.layer.setToolTip(self.tr("What the picture side shows (Alt+1 to Alt+7)"))
        self.zoom = QLabel(self)
        self.zoom.setProperty("role", "muted")
        self.zoom.setMinimumWidth(52)
        self.zoom.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.zoom.setToolTip(self.tr("Zoom; the wheel changes it"))
        self.model = QComboBox(self)
        self.model.setAccessibleName(self.tr("Model"))
        self.model.setToolTip(self.tr("The model that paints"))
        self.model.setMinimumContentsLength(12)
        self.device = QComboBox(self)
        self.device.setAccessibleName(self.tr("Device"))
        self.device.setToolTip(self.tr("Where it paints"))
        self.precision = QComboBox(self)
        self.precision.setAccessibleName(self.tr("Precision"))
        self.precision.setToolTip(self.tr("Half precision is faster on a GPU; fp32 is exact"))
        self.export = QPushButton(self.tr("Export…"), self)
        self.export.setProperty("primary", True)
        self.export.setToolTip(actions["export"].toolTip())
        self.export.clicked.connect(actions["export"].trigger)
        actions["export"].enabledChanged.connect(self.export.setEnabled)

        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 5, 10, 5)
        layout.setSpacing(3)
        self._spare = [
            tool_button(actions, key, self)
            for key in ("open", "save", "undo", "redo", "fit", "actual")
        ]
        for button in self._spare[:4]:
            layout.addWidget(button)
        layout.addSpacing(14)
        layout.addWidget(self.layer)
        layout.addSpacing(6)
        compare = [tool_button(actions, key, self) for key in ("single", "wipe", "side", "blink")]
        for button in compare:
            layout.addWidget(button)
        layout.addSpacing(14)
        for button in self._spare[4:]:
            layout.addWidget(button)
        layout.addWidget(self.zoom)
        layout.addStretch(1)
        models = tool_button(actions, "models", self)
        layout.addWidget(models)
        for box in (self.model, self.device, self.precision):
            layout.addWidget(box)
        layout.addSpacing(10)
        layout.addWidget(self.export)
        for box, width in (
            (self.layer, 84),
            (self.model, 84),
            (self.device, 66),
            (self.precision, 66),
        ):
            box.setMinimumWidth(width)
            box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            box.setIconSize(QSize(14, 14))
            keep_arrows(box)
        buttons = [*self._spare, models, *reversed(compare)]
        self.more = Overflow(
            self,
            layout,
            [
                *((button, button_entry(button)) for button in buttons),
                *((box, box_entry(box)) for box in (self.precision, self.device)),
            ],
        )
        self.setMinimumWidth(400)  # without what gives way
        self.layer.activated.connect(lambda: self.layer_chosen.emit(self.layer.currentData()))
        self.model.activated.connect(
            lambda: self._chosen(self.tr("Change model"), "model", self.model)
        )
        self.device.activated.connect(
            lambda: self._chosen(self.tr("Change device"), "device", self.device)
        )
        self.precision.activated.connect(
            lambda: self._chosen(self.tr("Change precision"), "precision", self.precision)
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a narrow window buttons move into the menu at the end, one by one."""
        self.more.fit(event.size().width())
        super().resizeEvent(event)

    def _chosen(self, text: str, field: str, box: QComboBox) -> None:
        self.changed.emit(text, {field: box.currentData()})

    def offer(
        self, models: Sequence[Choice], devices: Sequence[Choice], precisions: Sequence[Choice]
    ) -> None:
        """Fill the boxes; entries that cannot be used are disabled, with the reason as tooltip."""
        for box, choices in (
            (self.model, models),
            (self.device, devices),
            (self.precision, precisions),
        ):
            kept = box.currentData()
            box.clear()
            for choice in choices:
                self._add(box, choice)
            box.setCurrentIndex(max(0, box.findData(kept)))

    @staticmethod
    def _add(box: QComboBox, choice: Choice) -> None:
        box.addItem(choice.title, choice.value)
        row = box.count() - 1
        box.setItemData(
            row, choice.problem or choice.tip or choice.title, Qt.ItemDataRole.ToolTipRole
        )
        item = box.model().item(row)  # type: ignore[attr-defined]
        item.setEnabled(not choice.problem)

    def show_project(self, project: Project) -> None:
        """Select the project's values, adding those that are not listed."""
        for box, value in (
            (self.model, project.render.model),
            (self.device, project.render.device),
            (self.precision, project.render.precision),
        ):
            if box.findData(value) < 0:
                self._add(
                    box, Choice(value, Path(value).stem if box is self.model else value, value)
                )
            box.setCurrentIndex(box.findData(value))

    def show_layer(self, layer: PreviewLayer) -> None:
        """Select the layer."""
        self.layer.setCurrentIndex(self.layer.findData(layer))

    def show_zoom(self, zoom: float) -> None:
        """Show the zoom, 1.0 for 100 %."""
        self.zoom.setText(f"{zoom:.0%}")
