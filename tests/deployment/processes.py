"""What every process that a test starts has: a port of its own, and an end with the test."""

import ctypes
import signal
import socket

# Linux: the signal that a process gets when the one that started it ends (prctl(2)).
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """Run in a new process: it is killed when the one that started it ends, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
