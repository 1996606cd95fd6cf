"""What errors of the engine say to do, in the names of the window's controls."""

import pytest
from vidtrans_gui import wording

from vidtrans.errors import InputError, Note, Remedy


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
