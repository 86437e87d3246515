"""Reads files while others write them: whatever a daemon could read must be whole.

A configfile is whole when its CM MIC is right, which needs no secret. A generation of a set is whole
when it is the same each time it is read.
"""

import hashlib
import os
import random
import threading

import docsis_check


def whole_configfile(data):
    """None, or why these bytes are no whole configfile."""
    try:
        docsis_check.check(data, None, flows=False)
        return None
    except docsis_check.ConfigError as error:
        return str(error)


def files_below(root):
    """All files below a folder, relative, without what the feeder keeps for itself."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".nmsp-")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return found


def digest(folder):
    """SHA-256 over names and bytes of a folder; None when it went away meanwhile."""
    total = hashlib.sha256()
    try:
        for name in sorted(files_below(folder)):
            with open(os.path.join(folder, name), "rb") as file:
                total.update(f"{name}\0".encode() + hashlib.sha256(file.read()).digest())
    except OSError:
        return None
    return total.hexdigest() if os.path.isdir(folder) else None


class Watcher:
    """A thread. roots: of configfiles; sets: roots with generations. `broken` tells what was met."""

    def __init__(self, roots, sets=(), pause=0.002):
        self.roots, self.sets, self.pause = list(roots), list(sets), pause
        self.reads, self.broken = 0, []
        self._generations, self._names = {}, {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="watcher")
        self._thread.start()

    def _run(self):
        rng = random.Random(1)
        while not self._over.wait(self.pause):
            root = rng.choice(self.roots)
            self._look_at_file(root, rng)
            if self.sets and self.reads % 50 == 0:
                self._look_at_set(rng.choice(self.sets))

    def _look_at_file(self, root, rng):
        names = self._names.get(root)
        if not names or self.reads % 200 == 0:
            names = self._names[root] = files_below(root)
        self.reads += 1
        if not names:
            return
        name = rng.choice(names)
        try:
            with open(os.path.join(root, name), "rb") as file:
                problem = whole_configfile(file.read())
        except OSError:
            return  # it was removed
        if problem:
            self.broken.append(f"{root}/{name}: {problem}")

    def _look_at_set(self, root):
        try:
            name = os.readlink(os.path.join(root, "current"))
        except OSError:
            return
        found = digest(os.path.join(root, name))
        try:
            still = os.readlink(os.path.join(root, "current")) == name
        except OSError:
            still = False
        if found is None or not still:
            return
        if self._generations.setdefault((root, name), found) != found:
            self.broken.append(f"{root}/{name} changed while it was in service")

    def stop(self):
        """Ends it; returns self."""
        self._over.set()
        self._thread.join()
        return self
