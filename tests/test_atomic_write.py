"""A file under its name is whole: the old one, or the new one."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

import pytest

from vidtrans import atomic_write
from vidtrans.atomic_write import PartialFile, whole_file
from vidtrans.errors import OutputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def failing(number, calls):
    def fail(*arguments, **_):
        calls.append(arguments)
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def by_context(tmp_path):
    def write(target, data=b"new"):
        with whole_file(target, what="the file") as temporary:
            temporary.write_bytes(data)

    return write


@pytest.fixture
def by_raw_file(tmp_path):
    def write(target, data=b"new"):
        file = PartialFile(target, overwrite=True)
        try:
            file.write(data)
            file.commit()
        finally:
            file.discard()

    return write


@pytest.fixture(params=["by_context", "by_raw_file"])
def write(request):
    """``write(path, data)``: both forms keep the same promises."""
    return request.getfixturevalue(request.param)


def test_the_new_content_replaces_the_old_and_nothing_else_is_left(write, tmp_path):
    target = tmp_path / "a.txt"
    for data in (b"old", b"new"):
        write(target, data)
        assert target.read_bytes() == data
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_it_has_the_permissions_of_any_new_file(write, tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["a" * 250, "ü" * 125])
def test_a_name_as_long_as_the_file_system_takes(write, tmp_path, name):
    write(tmp_path / name)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_leaves_the_old_content_and_no_partial_file(write, tmp_path, monkeypatch, call):
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    calls = []
    owner = os if call == "fsync" else atomic_write.Path
    monkeypatch.setattr(owner, call, failing(errno.ENOSPC, calls))
    with pytest.raises(OutputError, match="there is no space left on the disk") as caught:
        write(target)
    assert calls
    assert caught.value.where == str(target)
    assert target.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_exception_in_the_block_leaves_nothing(tmp_path):
    def interrupted():
        with whole_file(tmp_path / "a", what="the file") as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def fsync_of_folders(number, synced):
    """``os.fsync`` that answers ``number`` for folders; ``synced`` lists whether each was one."""
    fsync = os.fsync

    def sync(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        synced.append(is_folder)
        if is_folder and number:
            raise OSError(number, os.strerror(number))
        fsync(handle)

    return sync


@pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")
def test_the_content_is_synced_before_the_rename_and_the_name_after_it(
    write, tmp_path, monkeypatch
):
    order = []
    monkeypatch.setattr(os, "fsync", fsync_of_folders(0, order))
    replace = atomic_write.Path.replace
    monkeypatch.setattr(
        atomic_write.Path, "replace", lambda *paths: order.append("rename") or replace(*paths)
    )
    write(tmp_path / "a")
    assert order == [False, "rename", True]


@pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EBADF, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_folders_is_told_once(
    write, tmp_path, monkeypatch, caplog, number
):
    atomic_write._warn_of_no_sync.cache_clear()
    synced = []
    monkeypatch.setattr(os, "fsync", fsync_of_folders(number, synced))
    with caplog.at_level(logging.WARNING):
        write(tmp_path / "a")
        write(tmp_path / "b")
    assert synced == [False, True] * 2
    assert [record.message for record in caplog.records] == [
        f"{tmp_path}: its file system cannot sync a folder ({os.strerror(number).lower()}), so a"
        " power cut may lose a new file's name"
    ]
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")
def test_a_disk_that_fails_while_the_name_is_synced_is_an_error(write, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", fsync_of_folders(errno.EIO, []))
    with pytest.raises(OutputError, match="the medium or the connection failed"):
        write(tmp_path / "a")


def test_a_file_system_without_permissions(write, tmp_path, monkeypatch):
    """CIFS and exFAT answer EPERM to chmod."""
    calls = []
    for owner, name in ((os, "chmod"), (os, "fchmod"), (atomic_write.Path, "chmod")):
        if hasattr(owner, name):
            monkeypatch.setattr(owner, name, failing(errno.EPERM, calls))
    write(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_missing_folder_is_told(write, tmp_path):
    with pytest.raises(OutputError, match="its folder does not exist"):
        write(tmp_path / "none" / "a")


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    target = tmp_path / "a"
    with whole_file(target, what="the file") as first, whole_file(target, what="it") as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
        assert first != second
    assert target.read_bytes() == b"first"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_failed_write_is_not_forgotten(tmp_path, monkeypatch):
    file = PartialFile(tmp_path / "a", overwrite=False)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file.fileno())
    os.close(full)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"data")
    with pytest.raises(OutputError, match="there is no space left on the disk"):
        file.commit()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    file = PartialFile(tmp_path / "a", overwrite=False)
    file.write(b"new")
    (tmp_path / "a").write_bytes(b"somebody's")
    with pytest.raises(OutputError, match="exists already"):
        file.commit()
    assert (tmp_path / "a").read_bytes() == b"somebody's"
    assert names(tmp_path) == ["a"]
