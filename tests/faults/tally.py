"""Counts points, losses and times; makes the table and the line at the end."""

import json
import os

RESULTS = os.environ.get("NMSP_FAULT_RESULTS")  # a file that several stories append to


class Tally:
    """Points by kind. A loss: something is lost, half, left over, or never comes right."""

    def __init__(self):
        self.kinds = {}

    def add(self, kind, seconds=None, losses=()):
        """One point tried; seconds: until all was right again."""
        row = self.kinds.setdefault(kind, {"points": 0, "losses": 0, "seconds": [], "first": None})
        row["points"] += 1
        row["losses"] += bool(losses)
        row["first"] = row["first"] or (losses[0] if losses else None)
        if seconds is not None:
            row["seconds"].append(round(seconds, 2))

    def keep(self):
        """Appends all to the results file, when there is one."""
        if RESULTS:
            with open(RESULTS, "a") as file:
                file.write(json.dumps(self.kinds) + "\n")

    def merge(self, path):
        """Adds what other stories kept; returns self."""
        with open(path) as file:
            for kinds in map(json.loads, file):
                for kind, row in kinds.items():
                    mine = self.kinds.setdefault(
                        kind, {"points": 0, "losses": 0, "seconds": [], "first": None})
                    for key in ("points", "losses", "seconds"):
                        mine[key] += row[key]
                    mine["first"] = mine["first"] or row["first"]
        return self

    def total(self, key):
        """Sum over all kinds."""
        return sum(row[key] for row in self.kinds.values())

    def longest(self):
        """The longest convergence of all."""
        return max((value for row in self.kinds.values() for value in row["seconds"]), default=0.0)

    def summary(self):
        """The one line."""
        return (f"faults: {self.total('points')} points tried, {self.total('losses')} losses, "
                f"longest convergence {self.longest():.2f} s")

    def table(self):
        """A line per kind."""
        lines = [f"{'kind':34} {'points':>6} {'losses':>6} {'median s':>9} {'longest s':>9}"]
        for kind, row in sorted(self.kinds.items()):
            times = sorted(row["seconds"])
            middle = f"{times[len(times) // 2]:.2f}" if times else "-"
            longest = f"{times[-1]:.2f}" if times else "-"
            lines.append(f"{kind:34} {row['points']:6} {row['losses']:6} {middle:>9} {longest:>9}"
                         + (f"  {row['first'][:120]}" if row["first"] else ""))
        return lines
