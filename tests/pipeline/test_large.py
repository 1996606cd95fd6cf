"""Pictures that take a lot of memory are painted where that was allowed."""

from types import SimpleNamespace

import pytest

from vidtrans.errors import InputError
from vidtrans.media.reader import open_reader
from vidtrans.pipeline import large
from vidtrans.pipeline.settings import RenderSettings
from vidtrans.pipeline.setup import open_render


def opened(film, tiny_model, **values):
    settings = RenderSettings.read(
        model=str(tiny_model), device="cpu", labels="cityscapes", **values
    )
    with open_reader(film) as reader, open_render(reader, settings) as render:
        return render.remarks


def test_a_large_picture_is_refused_with_an_estimate_before_any_work(label_film, tiny_model):
    with pytest.raises(InputError) as found:
        opened(label_film, tiny_model, size_hw=(4320, 7680), fit="resize")
    assert "painted with 7680x4320 pixels, which takes about 9.3 GB of memory each" in str(
        found.value
    )
    assert 'size_hw="3840x2160"' in str(found.value)
    assert 'max_pixels="7680x4320"' in str(found.value)


def test_it_is_painted_where_that_is_allowed(label_film, tiny_model, monkeypatch):
    memory = SimpleNamespace(available=64 << 30)
    monkeypatch.setattr(large.psutil, "virtual_memory", lambda: memory)
    size = {"size_hw": "7680x4320", "fit": "resize"}
    assert opened(label_film, tiny_model, **size, max_pixels="7680x4320") == ()
    assert opened(label_film, tiny_model, **size, max_pixels="40000000") == ()
    memory.available = 4 << 30
    (remark,) = opened(label_film, tiny_model, **size, max_pixels="7680x4320")
    assert "takes about 9.3 GB of memory, and 4.3 GB are free" in remark


def test_a_limit_of_ones_own(label_film, tiny_model):
    assert opened(label_film, tiny_model, max_pixels="64x32") == ()
    with pytest.raises(InputError, match="painted with 64x32 pixels"):
        opened(label_film, tiny_model, max_pixels=64 * 32 - 1)
