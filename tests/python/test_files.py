"""Files are written whole or not at all, whatever happens on the way."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnrs import files, locks
from rnnrs.files import check_writable, write_atomically

OLD, NEW = b"the old file", b"the new one" * 1000


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "model.rnn"
    path.write_bytes(OLD)
    return path


def only(path):
    """Whether nothing else lies beside a file."""
    return os.listdir(path.parent) == [path.name]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_what_is_written_is_read_again(tmp_path_factory, first, second):
    path = tmp_path_factory.mktemp("files") / "f"
    for data in (first, second):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert only(path)


def test_a_path_may_be_a_string_and_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomically("f", NEW)
    assert (tmp_path / "f").read_bytes() == NEW


def test_a_name_as_long_as_names_may_be(tmp_path):
    path = tmp_path / ("é" * 127)
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW and only(path)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_new_file_follows_the_umask_and_an_old_one_keeps_its_mode(tmp_path, target):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new", NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    target.chmod(0o604)
    write_atomically(target, NEW)
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_a_link_stays_a_link_and_its_destination_is_written(tmp_path, target):
    link, far = tmp_path / "link", tmp_path / "far"
    far.symlink_to("link")
    link.symlink_to(target.name)
    write_atomically(far, NEW)
    assert far.is_symlink() and link.is_symlink()
    assert target.read_bytes() == NEW
    dangling = tmp_path / "dangling"
    dangling.symlink_to("not yet")
    write_atomically(dangling, OLD)
    assert (tmp_path / "not yet").read_bytes() == OLD


def test_the_bytes_are_on_the_disk_before_the_name_and_the_folder_after(target, monkeypatch):
    calls = []

    def fsync(handle, really=os.fsync):
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        really(handle)

    def replace(source, destination, really=os.replace):
        calls.append("replace")
        assert os.path.dirname(source) == os.path.dirname(destination)
        really(source, destination)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_atomically(target, NEW)
    assert calls == ["file", "replace", "folder"]


@pytest.mark.parametrize("call", ["open", "chmod", "fsync", "replace", "write"])
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        PermissionError(errno.EACCES, "Permission denied", "another file"),
        KeyboardInterrupt(),
        MemoryError("none left"),
    ],
    ids=["disk full", "no permission", "Ctrl-C", "no memory"],
)
def test_whatever_fails_the_old_file_stays(target, monkeypatch, call, error):
    def fail(*arguments, **options):
        raise error

    class File:
        """A file on which nothing but half of the bytes can be written."""

        def __init__(self, *arguments, really=open):
            self._file = really(*arguments)

        def __enter__(self):
            return self

        def __exit__(self, *details):
            self._file.close()

        def write(self, data):
            self._file.write(data[: len(data) // 2])
            fail()

    if call == "open":
        monkeypatch.setattr(files, "open", fail, raising=False)
    elif call == "write":
        monkeypatch.setattr(files, "open", File, raising=False)
    else:
        monkeypatch.setattr(os, call, fail)
    with pytest.raises(type(error)) as caught:
        write_atomically(target, NEW)
    assert target.read_bytes() == OLD and only(target)
    if isinstance(error, OSError):
        assert caught.value.errno == error.errno
        assert caught.value.filename == str(target)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL of POSIX")
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_kill_between_leaves_the_old_file(target, call):
    script = f"""
        import os, signal
        from rnnrs.files import write_atomically
        os.{call} = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
        write_atomically({str(target)!r}, b"new")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_bytes() == OLD


def test_a_full_disk_is_named():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with (
        pytest.raises(OSError, match="No space") as caught,
        files._named("model.rnn"),
        open("/dev/full", "wb", buffering=0) as file,
    ):
        file.write(b"x")
    assert caught.value.filename == "model.rnn"


@pytest.mark.parametrize("act", [check_writable, lambda path: write_atomically(path, NEW)])
def test_places_where_no_file_can_be(tmp_path, target, act):
    cases = [
        (tmp_path / "missing" / "f", FileNotFoundError, "the folder .*missing does not exist"),
        (target / "f", NotADirectoryError, "is not a folder"),
        (tmp_path, IsADirectoryError, "is a folder"),
        (tmp_path / ("f" * 300), OSError, "too long"),
    ]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        cases.append((tmp_path / "pipe", OSError, "is not an ordinary file"))
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    cases.append((loop, OSError, "is not an ordinary file|symbolic links"))
    before = sorted(os.listdir(tmp_path))
    for path, error, message in cases:
        if act is check_writable and "too long" in message:
            continue  # known to the file system only
        with pytest.raises(error, match=message) as caught:
            act(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == before
    assert target.read_bytes() == OLD


def test_a_folder_that_may_not_be_written_to(target, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="may not be written to"):
        write_atomically(target, NEW)
    assert target.read_bytes() == OLD and only(target)
    monkeypatch.undo()
    check_writable(target)


def hold(path, *, kill=False):
    """A process that claims a file, says so, and waits for a line; with `kill` it is killed before."""
    program = f"""
        import os, signal, sys
        from rnnrs import files, locks
        with files.claimed({str(path)!r}):
            print("held", flush=True)
            if {kill}:
                os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
                files.write_atomically({str(path)!r}, b"new")
            sys.stdin.readline()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    return process


def end(process):
    process.communicate(b"\n", timeout=60)


def test_a_second_run_on_a_file_is_refused_at_once_also_through_a_link(tmp_path, target):
    link = tmp_path / "link"
    link.symlink_to(target.name)
    process = hold(target)
    for path in (target, link, os.path.relpath(target)):
        with (
            pytest.raises(
                BlockingIOError, match=f"another run is writing it .process {process.pid}"
            ) as caught,
            files.claimed(path),
        ):
            pass
        assert caught.value.filename == str(path)
    with files.claimed(tmp_path / "other"):
        pass
    end(process)
    with files.claimed(link):
        pass
    assert sorted(os.listdir(tmp_path)) == ["link", "model.rnn"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL of POSIX")
def test_the_next_run_sweeps_what_a_killed_run_left_and_nothing_else(tmp_path, target):
    process = hold(target, kill=True)
    assert process.wait(timeout=60) == -signal.SIGKILL
    process.stdin.close(), process.stdout.close()
    left = set(os.listdir(tmp_path)) - {target.name}
    assert {name.rpartition(".")[2] for name in left} == {"lock", "part"}
    other, mine = tmp_path / "other.rnn", tmp_path / ".rnnrs-mine.part"
    mine.write_bytes(b"mine")
    with files.claimed(other):
        assert left <= set(os.listdir(tmp_path))  # of another output
    with files.claimed(target):
        pass
    assert sorted(os.listdir(tmp_path)) == [mine.name, target.name]
    assert target.read_bytes() == OLD


def test_a_file_that_is_being_written_is_not_swept(target, monkeypatch):
    def replace(source, destination, really=os.replace):
        program = f"from rnnrs import files\nwith files.claimed({str(target)!r}): pass"
        subprocess.run([sys.executable, "-c", program], check=True)
        really(source, destination)

    monkeypatch.setattr(os, "replace", replace)
    write_atomically(target, NEW)
    assert target.read_bytes() == NEW and only(target)


def test_a_thread_may_claim_a_file_again_and_another_may_not(target):
    errors = []

    def claim():
        try:
            with files.claimed(target):
                errors.append(None)
        except BlockingIOError as error:
            errors.append(error.strerror)

    with files.claimed(target):
        with files.claimed(target):
            pass
        thread = threading.Thread(target=claim)
        thread.start()
        thread.join()
    claim()
    assert errors == ["another thread is writing it", None]
    assert only(target)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork of POSIX")
def test_a_lock_ends_with_its_process_not_with_those_it_forked(target):
    program = f"""
        import os, sys, time
        from rnnrs import files, locks
        with files.claimed({str(target)!r}):
            if os.fork() == 0:
                os.close(0), os.close(1)
                time.sleep(60)
            print("held", flush=True)
            sys.stdin.readline()
            os._exit(0)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == b"held\n"
    end(process)
    try:
        with files.claimed(target):
            pass
    finally:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="flock of POSIX")
@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_said(target, monkeypatch, number):
    def flock(handle, operation):
        raise OSError(number, "no locks")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="model.rnn: this file system has no locks"), files.claimed(target):
        write_atomically(target, NEW)
    assert target.read_bytes() == NEW and only(target)
