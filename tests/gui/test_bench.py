"""``python -m vidtrans_gui.bench``."""

from vidtrans_gui.bench import measure


def test_the_editor_is_started_until_its_first_picture():
    figures = measure(rounds=1)
    assert figures["wall_s"] > 0
    assert figures["cpu_s"] > 0
