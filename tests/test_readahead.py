"""Reading ahead: the same contents and errors in the same order, a bounded number of files held."""

import threading
import time
from contextlib import suppress

import pytest

from pipeline.errors import ImageError, VanishedFile
from pipeline.files import readahead
from pipeline.files.readahead import reading_ahead
from pipeline.files.sources import read_small, read_source

READERS = 8


def files(folder, count, size=10):
    paths = [folder / f"{number:03}" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number % 256]) * size)
    return paths


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 40])
def test_all_are_given_as_they_are(tmp_path, count):
    paths = files(tmp_path, count)
    with reading_ahead(paths, read_source, read_small) as read:
        assert [read(path) for path in paths] == [read_source(path) for path in paths]


def test_errors_come_in_their_turn_and_do_not_disturb_the_others(tmp_path):
    paths = files(tmp_path, 20)
    paths[3].unlink()
    paths[4].write_bytes(b"")
    found = []
    with reading_ahead(paths, read_source, read_small) as read:
        for path in paths:
            try:
                found.append(type(read(path)).__name__)
            except ImageError as error:
                found.append(type(error).__name__)
    assert found == ["Source"] * 3 + ["VanishedFile", "EmptyFile"] + ["Source"] * 15


def test_no_more_are_held_than_there_is_room(tmp_path):
    begun: list[str] = []

    def counting(path, most):
        begun.append(path.name)
        return read_small(path, most)

    paths = files(tmp_path, 60)
    with reading_ahead(paths, read_source, counting) as read:
        for turn, path in enumerate(paths, start=1):
            read(path)
            time.sleep(0.001)
            assert len(begun) <= turn + READERS
    assert sorted(begun) == [path.name for path in paths], "each once"


def test_large_files_are_read_in_their_turn_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(readahead, "_SMALL", 100)
    readers: list[threading.Thread] = []

    def noting(path):
        readers.append(threading.current_thread())
        return read_source(path)

    paths = files(tmp_path, 5, size=101)
    with reading_ahead(paths, noting, read_small) as read:
        assert [read(path) for path in paths] == [read_source(path) for path in paths]
    assert set(readers) == {threading.current_thread()}


def test_waiting_is_shared(tmp_path):
    met = threading.Barrier(READERS, timeout=20)

    def slowly(path, most):
        met.wait()  # until as many are at it at once
        return read_small(path, most)

    paths = files(tmp_path, 3 * READERS)
    with reading_ahead(paths, read_source, slowly) as read:
        assert len([read(path) for path in paths]) == 3 * READERS


def test_what_is_not_asked_for_any_more_is_not_read(tmp_path):
    begun: list[str] = []

    def counting(path, most):
        begun.append(path.name)
        return read_small(path, most)

    paths = files(tmp_path, 60)
    with reading_ahead(paths, read_source, counting) as read:
        read(paths[0])
    readers = [thread for thread in threading.enumerate() if thread.name == "segpipe-reader"]
    for thread in readers:
        thread.join(10)
        assert not thread.is_alive()
    assert len(begun) <= 1 + READERS


def test_one_that_hangs_is_waited_for_by_nobody_else(tmp_path):
    hung = threading.Event()

    def hanging(path, most):
        if path.name == "001":
            hung.wait(20)
        return read_small(path, most)

    paths = files(tmp_path, 12)
    given_up = threading.Event()
    with reading_ahead(paths, read_source, hanging) as read:
        read(paths[0])

        def take():
            read(paths[1])
            given_up.set()

        threading.Thread(target=take, daemon=True).start()
        time.sleep(0.05)
        assert [read(path).data[0] for path in paths[2:]] == list(range(2, 12))
        assert not given_up.is_set()
    hung.set()
    assert given_up.wait(20)


def test_a_file_that_goes_before_its_turn_was_there_when_it_was_read(tmp_path):
    """Or not: either way it is told as any other."""
    paths = files(tmp_path, 3)
    with reading_ahead(paths, read_source, read_small) as read:
        read(paths[0])
        paths[1].unlink()
        with suppress(VanishedFile):
            assert read(paths[1]).data == b"\1" * 10
        assert read(paths[2]).data == b"\2" * 10
