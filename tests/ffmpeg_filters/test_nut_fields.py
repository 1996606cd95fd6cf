"""NUT's fields, read and written."""

import pytest
from vidtrans_ffmpeg.nut import FieldReader, Incomplete, checksum, varint


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**14 - 1, 2**14, 2**40 + 5])
def test_a_varint_comes_back(value):
    data = varint(value)
    assert len(data) == max(1, -(-value.bit_length() // 7))
    reader = FieldReader(b"?" + data + b"rest", 1)
    assert reader.varint() == value
    assert reader.data[reader.at :] == b"rest"
    for end in range(len(data)):
        with pytest.raises(Incomplete):
            FieldReader(data[:end]).varint()


def test_skipping_past_the_end():
    reader = FieldReader(b"abc")
    reader.skip(3)
    with pytest.raises(Incomplete):
        reader.skip(1)


def test_the_checksum_is_that_of_libavformat(ids, send):
    """A packet and its checksum together have the checksum zero (NUT specification)."""
    data = send(ids, "-c:v", "rawvideo", "-f", "nut")
    start = data.index(b"NMzV\x1f_\x04\xad") + 8
    reader = FieldReader(data, start)
    length = reader.varint()
    assert checksum(data[reader.at : reader.at + length]) == bytes(4)
