"""File systems that fail: loop images whose power is cut, small ones, read-only ones.

Everything here is mounted in a mount namespace of its own (`own_mounts` at the beginning), since a
copy of a mount elsewhere keeps a shut-down file system alive.
"""

import fcntl
import os
import struct
import subprocess
import sys
import tempfile

EXT4_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2            # what is not on disk is lost, the journal's own part too
FLAG = "NMSP_OWN_MOUNTS"


def own_mounts():
    """Starts this program again in a mount namespace of its own."""
    if os.geteuid() == 0 and not os.environ.get(FLAG):
        os.environ[FLAG] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])


def run(*argv):
    """A command; its message is the error's."""
    done = subprocess.run(list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, argv))}: {done.stdout.strip()}")
    return done.stdout


def missing_loop():
    """None when loop images can be mounted here, else the reason in one line."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            Image(os.path.join(folder, "probe"), 16).unmount()
        return None
    except OSError as error:
        return f"no loop devices: {error}"


class Disk:
    """What every file system here can do; `path`: where it is mounted."""

    path = None

    def fill(self):
        """Leaves no room."""
        fd = os.open(os.path.join(self.path, "filler"), os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(fd, bytes(4096)):
                pass
        except OSError:
            pass
        finally:
            os.close(fd)

    def empty(self):
        """Room again."""
        os.unlink(os.path.join(self.path, "filler"))

    def remount(self, how):
        """'ro' or 'rw'."""
        run("mount", "-o", f"remount,{how}", self.path)


class Image(Disk):
    """ext4 in a file, mounted at `path`; megabytes: its size."""

    def __init__(self, path, megabytes):
        self.path, self.image = path, path + ".img"
        os.makedirs(path, exist_ok=True)
        run("truncate", "-s", f"{megabytes}M", self.image)
        run("mkfs.ext4", "-q", "-F", self.image)
        self.mount()

    def mount(self):
        """Mounts it (again: the journal is replayed)."""
        run("mount", "-o", "loop", self.image, self.path)

    def unmount(self):
        """Unmounts it; nobody may use it any more."""
        run("umount", self.path)

    def cut(self):
        """From now on nothing reaches the disk, and what was only in memory is lost."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, EXT4_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)


class Small(Disk):
    """A tmpfs of a few megabytes at `path`."""

    def __init__(self, path, megabytes):
        self.path = path
        os.makedirs(path, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", path)

    def unmount(self):
        """Unmounts it, used or not."""
        run("umount", "-l", self.path)
