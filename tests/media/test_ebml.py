"""EBML as RFC 8794 defines it, and as libavformat writes it."""

import pytest

from vidtrans.media.ebml import ElementId, elements, make_element, read_element

EBML_ID = b"\x1a\x45\xdf\xa3"


@pytest.mark.parametrize("length", range(1, 9))
@pytest.mark.parametrize("value", [0, 1, 100])
def test_sizes_of_every_length(length, value):
    """RFC 8794, section 4: as many leading zeros as bytes follow, then the value."""
    size = (value | 1 << (7 * length)).to_bytes(length, "big")
    element = read_element(b"??" + EBML_ID + size + b"content", 2)
    assert (element.id, element.start) == (ElementId.EBML, 2)
    assert (element.content, element.size) == (6 + length, value)
    assert element.end == element.content + value


@pytest.mark.parametrize("length", range(1, 9))
def test_a_size_of_all_ones_is_unknown(length):
    size = ((1 << (7 * length + 1)) - 1).to_bytes(length, "big")
    assert read_element(EBML_ID + size).size is None


def test_a_header_that_is_not_all_there_is_none():
    whole = make_element(ElementId.SEGMENT, b"")
    assert [read_element(whole[:end]) for end in range(len(whole))] == [None] * len(whole)
    assert read_element(whole).size == 0


def test_what_is_no_length_is_passed_over_byte_by_byte():
    assert read_element(b"\0\0\0").content == 2


def test_children_stop_at_a_header_that_is_cut_off_and_after_an_unknown_size():
    one, two = make_element(ElementId.VIDEO, b"abc"), make_element(ElementId.TRACKS, b"")
    data = one + two
    assert [data[e.start : e.end] for e in elements(data, 0, len(data))] == [one, two]
    assert [e.id for e in elements(data[:-1], 0, len(data))] == [ElementId.VIDEO]
    unknown = EBML_ID + b"\xff" + one
    assert [e.id for e in elements(unknown, 0, len(unknown))] == [ElementId.EBML]


def test_elements_tile_a_file_of_libavformat(tmp_path, run_ffmpeg):
    path = tmp_path / "film.mkv"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x32:r=25:d=1", "-c:v", "ffv1", path)
    data = path.read_bytes()
    header, segment = elements(data, 0, len(data))
    assert (header.id, header.start, segment.id) == (ElementId.EBML, 0, ElementId.SEGMENT)
    assert header.end == segment.start
    assert segment.end == len(data)
    at, found = segment.content, []
    for element in elements(data, segment.content, segment.end):
        assert element.start == at
        at = element.end
        found.append(element.id)
    assert at == segment.end
    assert {ElementId.TRACKS, ElementId.CLUSTER} <= set(found)
