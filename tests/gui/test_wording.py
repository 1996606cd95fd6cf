"""What errors of the engine say to do, in the names of the window's controls."""

import pytest
from vidtrans_gui import wording
from vidtrans_gui.film_panel import FilmPanel
from vidtrans_gui.project import REOPENING, Project

from vidtrans.errors import InputError, Note, Remedy
from vidtrans.media.damage import DamageError


def test_every_setting_of_a_remedy_has_a_control(qapp, remedied_settings):
    words = {setting: wording.setting_words(setting) for setting in remedied_settings}
    assert not [word for word in words.values() if "--" in word]
    # The plain words of a setting without a control are its own name.
    assert not [name for name, word in words.items() if word == name.replace("_", " ")]
    assert len(set(words.values())) == len(words)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Name it with {labels}.", "Name it with Labels (panel Film)."),
        ("Try {precision:bf16} or {size_hw}.", "Try Precision “bf16” or Size (panel Film)."),
        ("Give {overwrite}.", "Give “replace what is there”."),
        ("See {snapshot_every:9}.", "See snapshot every “9”."),
    ],
)
def test_a_remedy_names_controls(qapp, text, shown):
    assert wording.sentence(InputError("no.", remedy=Remedy(text))) == f"no. {shown}"


def test_other_errors_keep_their_words(qapp):
    assert wording.sentence(ValueError("a rate is a number")) == "a rate is a number"


def test_a_note_names_controls(qapp):
    note = Note("Every frame begins a scene.", Remedy("See {scene_cuts}."))
    assert wording.remark(note) == "Every frame begins a scene. See Cuts (panel Film)."
    assert wording.remark("plain") == "plain"


def test_damage_names_the_control_that_goes_on(qapp, qtbot):
    panel = FilmPanel()
    qtbot.addWidget(panel)
    said = wording.sentence(DamageError("is cut off.", where="labels.mkv", frame=7))
    assert "Damaged frames (panel Film) goes on over damaged frames" in said
    panel.show_project(Project.read(input="labels.mkv"))
    assert panel.damaged.currentData() is False
    with qtbot.waitSignal(panel.changed) as changed:
        panel.damaged.setCurrentIndex(1)
        panel.damaged.activated.emit(1)
    assert changed.args[1] == {"skip_damaged": True}
    panel.show_project(Project.read(input="labels.mkv", skip_damaged=True))
    assert panel.damaged.currentData() is True
    assert "skip_damaged" in REOPENING
