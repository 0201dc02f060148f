"""Ports of the kernels that tests start: each worker draws from a range of its own.

Jupyter asks the system for free ports, lets go of them and tells the kernel to take them; two workers that ask in the
same moment can be told the same ones, and one kernel dies. The ranges lie below those that systems give out themselves.
"""

import itertools
import os
import socket

from jupyter_client.connect import LocalPortCache

FIRST, WIDTH = 20_000, 2_000


def pytest_configure(config):
    """Give the kernels of this worker their ports."""
    first = FIRST + WIDTH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    start = first + os.getpid() % WIDTH  # so that two runs on one machine seldom begin at the same port
    ports = itertools.cycle([*range(start, first + WIDTH), *range(first, start)])

    def free_port(self, ip: str) -> int:
        for port in itertools.islice(ports, WIDTH):
            with socket.socket() as tried:
                try:
                    tried.bind((ip, port))
                except OSError:
                    continue
                return port
        raise RuntimeError(f"no free port from {first} to {first + WIDTH - 1}")

    LocalPortCache.find_available_port = free_port
