"""What TensorFlow says while it starts stays off the terminal; everything else comes through."""

import os

import pytest

from magxr.models.quiet import starting_quietly

NOISE = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795409803.661622    3330 port.cc:153] oneDNN custom operations are on.\n"
    b"W0000 00:00:1795409803.662306    3330 cudart_stub.cc:31] Could not find cuda drivers.\n"
)
ERROR = b"E0000 00:00:1795409803.661622    3330 cuda.cc:9] failed call to cuInit\n"


def test_only_the_noise_is_dropped(capfd):
    with starting_quietly():
        os.write(2, NOISE + ERROR)
        os.write(2, b"a line of Python\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == ERROR.decode() + "a line of Python\nafter\n"


def test_what_was_said_before_an_exception_is_shown(capfd):
    def broken():
        with starting_quietly():
            os.write(2, b"libcuda is broken\n")
            raise ImportError

    with pytest.raises(ImportError):
        broken()
    assert capfd.readouterr().err == "libcuda is broken\n"
