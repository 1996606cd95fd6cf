"""Timecodes, the timeline's scale, and the clock of playing: no widgets."""

from fractions import Fraction

import pytest
from vidtrans_gui.player import Player
from vidtrans_gui.timescale import TimeScale

from vidtrans.media.times import FilmTimes, from_timecode, to_timecode

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("frame", "rate", "text"),
    [
        (0, Fraction(25), "00:00:00:00"),
        (24, Fraction(25), "00:00:00:24"),
        (90061 * 25 + 7, Fraction(25), "25:01:01:07"),
        (1799, NTSC, "00:00:59;29"),
        (1800, NTSC, "00:01:00;02"),  # the two numbers that a minute leaves out
        (17982, NTSC, "00:10:00;00"),  # and that a tenth minute does not
        (3600, Fraction(60000, 1001), "00:01:00;04"),
        (48, Fraction(24000, 1001), "00:00:02:00"),
        (5, Fraction(1, 2), "00:00:05:00"),
    ],
)
def test_timecode(frame, rate, text):
    assert to_timecode(frame, rate) == text
    assert from_timecode(text, rate) == frame


def test_every_drop_frame_number_comes_back():
    for frame in range(0, 40000, 7):
        assert from_timecode(to_timecode(frame, NTSC), NTSC) == frame


@pytest.mark.parametrize(
    ("text", "frame"), [("12", 12), ("1:12", 37), ("2.0", 50), (" 00:01:00:00 ", 1500)]
)
def test_short_timecodes(text, frame):
    assert from_timecode(text, Fraction(25)) == frame


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4:5", "-3", "1::2"])
def test_nonsense_is_refused(text):
    with pytest.raises(ValueError, match="timecode"):
        from_timecode(text, Fraction(25))


def test_numbers_that_drop_frame_leaves_out_are_refused():
    with pytest.raises(ValueError, match="does not exist"):
        from_timecode("00:01:00;01", NTSC)


def test_a_film_fills_the_timeline_and_zoom_stays_under_the_pointer():
    whole = TimeScale.whole(1000, 500)
    assert whole.x(0) == 0
    assert whole.x(1000) == 500
    near = whole.zoomed(4, 200)
    assert near.frame(200) == whole.frame(200) == 400
    assert near.per_frame == 2
    assert near.zoomed(1 / 100, 0).is_whole
    assert near.scrolled(10**6).x(1000) == pytest.approx(500)
    assert near.scrolled(-5).first == 0


def test_a_playhead_out_of_sight_turns_the_page():
    near = TimeScale.whole(1000, 500).zoomed(8, 0)
    assert near.showing(50) is near
    turned = near.showing(700)
    assert 0 < turned.x(700) < 500


@pytest.mark.parametrize("frames", [1, 10, 300, 15000, 10**6])
def test_written_ticks_do_not_touch(frames):
    scale = TimeScale.whole(frames, 900)
    large, fine = scale.ticks(Fraction(25))
    assert large * scale.per_frame >= 96 or frames < 10
    assert large % fine == 0


@pytest.fixture
def playing(qapp):
    """A player under a clock of ours; ``asked`` collects the frames that it wants."""
    now = [0.0]
    player = Player(clock=lambda: now[0])
    player.set_film(FilmTimes.at_rate(100, Fraction(25)))
    player.now, player.asked = now, []
    player.wanted.connect(player.asked.append)
    yield player
    player.pause()


def pass_time(player, seconds, *, cached=True, answer=True):
    """Let ``seconds`` go by, in steps of a millisecond; every wanted frame comes at once."""
    for _ in range(round(seconds * 1000)):
        player.now[0] += 0.001
        before = len(player.asked)
        player.tick()
        if answer and len(player.asked) > before:
            player.arrived(player.asked[-1], cached=cached)


def test_frames_at_hand_play_in_real_time(playing):
    playing.play()
    pass_time(playing, 1.0)
    assert playing.asked == list(range(1, 25)) or playing.asked == list(range(1, 26))


def test_a_stall_is_made_up_for_by_skipping_where_pictures_are_cached(playing):
    playing.play()
    pass_time(playing, 0.1)
    playing.now[0] += 0.4  # the window was busy elsewhere
    pass_time(playing, 0.1)
    assert playing.asked[-1] in (14, 15)
    assert len(playing.asked) < 10


def test_slow_pictures_are_all_shown_one_after_the_other(playing):
    playing.play()
    for _ in range(10):
        playing.now[0] += 0.2
        playing.tick()
        playing.arrived(playing.asked[-1], cached=False)
    assert playing.asked == list(range(1, 11))


def test_nothing_is_asked_while_a_picture_is_awaited(playing):
    playing.play()
    pass_time(playing, 1.0, answer=False)
    assert playing.asked == [1]


def test_it_stops_at_the_out_point_and_starts_again_from_in(playing):
    playing.set_range(10, 20)
    playing.set_frame(18)
    playing.play()
    pass_time(playing, 0.5)
    assert playing.asked == [19]
    assert not playing.playing
    playing.play()
    assert playing.asked[-1] == 10


def test_loop(playing):
    playing.set_range(10, 13)
    playing.loop = True
    playing.set_frame(10)
    playing.play()
    pass_time(playing, 0.3)
    assert playing.asked[:6] == [11, 12, 10, 11, 12, 10]
    assert playing.playing


def test_j_k_l(playing):
    playing.set_frame(50)
    playing.faster(1)
    playing.faster(1)
    playing.faster(1)
    assert playing.speed == 4
    pass_time(playing, 0.2)
    assert 65 <= playing.asked[-1] <= 71
    playing.faster(-1)
    assert playing.speed == -1
    pass_time(playing, 0.2)
    assert playing.asked[-1] < playing.asked[-2]
    playing.pause()
    assert playing.speed == 0
