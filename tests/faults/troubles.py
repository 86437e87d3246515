"""Troubles that last: a full disk, a read-only one, a wrong owner, daemons that refuse or hang, a
clock that jumps. Each: it begins, changes go on, status says why, other targets go on; it ends, and
all is right again.

A trouble is a generator: what comes before its yield makes it, what comes after ends it. It yields
the target that it hits and words of the error that its status must show.
"""

import os
import shutil
import time

import processes
from waiting import Timeout, wait_until

import disks
import kills
import oracle

UNHIT = {"tftpd": "dhcpd", "dhcpd": "tftpd"}


def make_disk(path):
    """A small tmpfs."""
    return disks.Small(path, 6)


def full(barn):
    """No room is left."""
    barn.disk.fill()
    yield "tftpd", "No space left on device"
    barn.disk.empty()


def read_only(barn):
    """The file system was remounted read-only, as ext4 does after an error."""
    barn.disk.remount("ro")
    yield "tftpd", "Read-only file system"
    barn.disk.remount("rw")


def wrong_owner(barn):
    """Somebody gave the folder to root."""
    for folder in (barn.tftp_root, os.path.join(barn.tftp_root, "cm"), os.path.join(barn.tftp_root, ".nmsp-tmp")):
        os.chown(folder, 0, 0)
        os.chmod(folder, 0o755)
    yield "tftpd", "Permission denied"
    for folder in (barn.tftp_root, os.path.join(barn.tftp_root, "cm"), os.path.join(barn.tftp_root, ".nmsp-tmp")):
        os.chown(folder, *barn.owner)


def root_gone(barn):
    """The folder above the target's is gone, as when a disk was not mounted."""
    os.rename(barn.feeds, barn.feeds + ".away")
    yield "tftpd", "No such file or directory"
    os.rename(barn.feeds + ".away", barn.feeds)


def refused(barn):
    """dhcpd refuses what it is to be given."""
    barn.db.psql("UPDATE nmsp.pool SET dhcpd_text = 'nonsense here;' WHERE id = 1")
    yield "dhcpd", "netgw/1.conf line 11: semicolon expected"
    barn.db.psql("UPDATE nmsp.pool SET dhcpd_text = '' WHERE id = 1")


def daemon_program_gone(barn):
    """The daemon is not installed (any more)."""
    with open(barn.commands) as file:
        text = file.read()
    with open(barn.commands, "w") as file:
        file.write("dhcpd-check /usr/sbin/no-such-dhcpd -t\n")
    yield "dhcpd", "No such file or directory"
    with open(barn.commands, "w") as file:
        file.write(text)


def reload_hangs(barn):
    """The reload command never ends."""
    barn.write_commands(hang="/bin/sleep 1000")
    barn.db.psql("UPDATE nmsp_feed.feed SET reload_command = 'hang', command_timeout = '1 s' WHERE name = 'dhcpd'")
    yield "dhcpd", "took too long and was killed"
    barn.db.psql("UPDATE nmsp_feed.feed SET reload_command = NULL, command_timeout = '60 s' WHERE name = 'dhcpd'")
    barn.write_commands()


RELOAD = """#!/bin/sh
cd "$1"
[ -e fails ] && { echo 'it is not my day'; exit 3; }
[ -e hangs ] && { echo $$ > hanging; exec sleep 1000; }
touch done
"""


def reload_by(barn):
    """dhcpd's reload becomes a script with a folder of its own; returns the folder."""
    folder = os.path.join(barn.folder, "reload")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o777)
    script = os.path.join(folder, "script")
    with open(script, "w") as file:
        file.write(RELOAD)
    os.chmod(script, 0o755)
    barn.write_commands(reload=f"{script} {folder}")
    barn.db.psql("UPDATE nmsp_feed.feed SET reload_command = 'reload' WHERE name = 'dhcpd'")
    return folder


def reloaded(barn, folder):
    """Waits until the reload has succeeded, with no further change; then all is as it was before."""
    wait_until(lambda: os.path.exists(os.path.join(folder, "done")), bool, 30, "a reload")
    barn.db.psql("UPDATE nmsp_feed.feed SET reload_command = NULL WHERE name = 'dhcpd'")
    shutil.rmtree(folder)


def reload_fails(barn):
    """The reload fails for a while; it must be tried until it succeeds."""
    folder = reload_by(barn)
    with open(os.path.join(folder, "fails"), "w"):
        pass
    yield "dhcpd", "it is not my day"
    os.unlink(os.path.join(folder, "fails"))
    reloaded(barn, folder)


def reload_cut_short(barn):
    """The feeder is killed while the reload runs: the new files are in place, the daemon was not told."""
    folder = reload_by(barn)
    with open(os.path.join(folder, "hangs"), "w"):
        pass
    yield "dhcpd", None
    hanging = os.path.join(folder, "hanging")
    wait_until(lambda: processes.read_pid(hanging), bool, 30, "a reload under way")
    kills.feeder(barn)
    kills.kill([processes.read_pid(hanging)])
    os.unlink(os.path.join(folder, "hangs"))
    reloaded(barn, folder)


def check_hangs(barn):
    """So does the check before."""
    barn.write_commands()
    with open(barn.commands, "w") as file:
        file.write("dhcpd-check /bin/sleep 1000\n")
    barn.db.psql("UPDATE nmsp_feed.feed SET command_timeout = '1 s' WHERE name = 'dhcpd'")
    yield "dhcpd", "took too long and was killed"
    barn.write_commands()
    barn.db.psql("UPDATE nmsp_feed.feed SET command_timeout = '60 s' WHERE name = 'dhcpd'")


def clock_set_back(barn):
    """A target failed, then the clock was set back by a day: what it remembers lies in the future.
    These columns are all that the feeder keeps of the clock."""
    barn.disk.remount("ro")
    yield "tftpd", "Read-only file system"
    barn.disk.remount("rw")
    barn.db.psql("UPDATE nmsp_feed.target SET attempted_at = attempted_at + interval '1 day', error_at = error_at + "
                 "interval '1 day', next_attempt = next_attempt + interval '1 day', applied_at = applied_at + interval '1 day';"
                 "UPDATE nmsp_feed.change SET at = at + interval '1 day'")


TROUBLES = {
    "disk full": full,
    "read-only root": read_only,
    "wrong owner": wrong_owner,
    "root gone": root_gone,
    "daemon refuses": refused,
    "daemon not installed": daemon_program_gone,
    "reload hangs": reload_hangs,
    "reload fails": reload_fails,
    "reload cut short": reload_cut_short,
    "check hangs": check_hangs,
    "clock set back": clock_set_back,
}


def change_all(barn, rng):
    """Something that touches every artifact of both targets."""
    barn.db.psql(f"UPDATE nmsp.service_class SET ds_rate = {rng.randrange(1, 2**31)};"
                 f"UPDATE nmsp.setting SET max_lease_time = {rng.randrange(7200, 90000)}")


def goes_on(barn, feed, rng):
    """Whether a target that is not hit has a change within the deadline; seconds."""
    begin = time.monotonic()
    mark = rng.randrange(1, 2**31)
    if feed == "dhcpd":
        barn.db.psql(f"UPDATE nmsp.pool SET lease_time = {mark % 7200 + 1} WHERE id = 2")
        wait_until(lambda: oracle.generation(barn, "dhcpd"), lambda lines: not lines, 30, "dhcpd")
    else:
        barn.db.psql(f"UPDATE nmsp.netgw_secret SET shared_secret = '{mark}'")
        wait_until(lambda: oracle.files(barn, barn.tftp_root, "tftpd"), lambda lines: not lines, 30, "tftpd")
    return time.monotonic() - begin


def trouble(barn, tally, kind, rng, both_hit=("disk full", "read-only root", "root gone", "clock set back")):
    """One trouble from begin to end; returns losses and what to tell."""
    losses, told, seconds = [], [], None
    run = TROUBLES[kind](barn)
    feed, words = next(run)
    change_all(barn, rng)
    try:
        if words:
            told.append(f"status: {barn.error(feed, words)[:160]}")
        if words and kind not in both_hit:
            told.append(f"{UNHIT[feed]} had a change after {goes_on(barn, UNHIT[feed], rng):.2f} s meanwhile")
        for _ in run:
            pass
    except Timeout as error:
        losses.append(str(error)[:600])
        run.close()
    try:
        seconds, _ = oracle.converge(barn, time.monotonic(), kills.DEADLINE)
    except Timeout as error:
        losses.append(str(error)[:1500])
    tally.add(kind, seconds, losses)
    return losses, told
