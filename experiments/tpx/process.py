"""Processes that a script starts. They end with the script, whatever happens to it."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

# The signals by which users end a script.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
QUIET = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}


class Failed(Exception):
    """An operation failed. The message is for the user."""


def main_of(name, main):
    """Runs `main` and exits with its code. Prints failures with the name of the script."""
    try:
        code = main()
    except Failed as error:
        print(f'{name}: {error}', file=sys.stderr)
        code = 1
    sys.exit(code)


def run(words, allowed=(0,), ending=signal.SIGTERM, **options):
    """Runs a command to its end, in its own process group, and returns its output.

    `options` are those of Popen. A code that is not in `allowed` raises Failed with the last lines
    that the command printed.
    """
    words = [str(word) for word in words]
    pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, **options}
    process = subprocess.Popen(words, text=True, errors='replace', start_new_session=True, **pipes)
    try:
        out, said = process.communicate()
    except BaseException:
        end_group(process, ending)
        raise
    if process.returncode not in allowed:
        raise Failed(
            f'{Path(words[0]).name} ended with {process.returncode}: {last_lines(said or out)}'
        )
    return subprocess.CompletedProcess(words, process.returncode, out, said)


def last_lines(text):
    """The last three lines of a text, joined to one."""
    return ' / '.join((text or '').strip().splitlines()[-3:])


def signal_group(process, number):
    """Sends a signal to a process group. Returns whether the group still exists."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def end_group(process, ending=signal.SIGTERM):
    """Ends a process group. No process of it is left afterwards."""
    signal_group(process, ending)
    # The kernel takes a minute to detach from all tracepoints.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(180)
    signal_group(process, signal.SIGKILL)
    process.wait()


class Background:
    """A process group that runs as long as the `with` block. `options` are those of Popen."""

    def __init__(self, words, ending=signal.SIGTERM, **options):
        self.words = [str(word) for word in words]
        self.ending = ending
        self.options = {**QUIET, **options}

    def __enter__(self):
        self.process = subprocess.Popen(self.words, start_new_session=True, **self.options)
        return self

    def __exit__(self, *_):
        end_group(self.process, self.ending)

    def alive(self):
        return self.process.poll() is None


def exit_on_signals(keep_ignored=False):
    """Turns the ending signals into SystemExit, so that every `finally` and `with` block runs.

    With `keep_ignored`, a signal that was ignored from the start (`nohup`) stays ignored.
    """
    for number in ENDING:
        if not keep_ignored or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _exit)


def _exit(number, _):
    # A second signal would interrupt the clean-up.
    ignore_signals()
    sys.exit(128 + number)


def ignore_signals():
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def only_one(path, message):
    """Locks a file until this process ends. Creates the file if necessary."""
    file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Failed(message) from error
