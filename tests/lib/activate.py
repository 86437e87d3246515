#!/usr/bin/python3
"""Becomes a program that finds its sockets open, as systemd hands them over (sd_listen_fds(3)).

    activate.py FD[,FD...] PROGRAM ARGUMENT...

The descriptors become 3, 4, ... in the order given; LISTEN_FDS and LISTEN_PID say so. Who starts it
keeps the sockets: they stay open while the program is restarted.
"""

import os
import sys

FIRST = 3


def main(argv):
    """Does not return."""
    given = [int(word) for word in argv[1].split(",")]
    # out of the way first, so that none is overwritten
    held = [os.dup(fd) for fd in given]
    while min(held) < FIRST + len(given):
        held = [os.dup(fd) if fd < FIRST + len(given) else fd for fd in held]
    for number, fd in enumerate(held):
        os.dup2(fd, FIRST + number)
    os.environ["LISTEN_FDS"] = str(len(given))
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execv(argv[2], argv[2:])


if __name__ == "__main__":
    main(sys.argv)
