"""Runs tp-perf."""

import subprocess

from tpx.process import Failed

# The exit code of `check` when it raises an alarm.
ALARM = 3


def run_tool(words, allowed=(0,)):
    words = [str(word) for word in words]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode not in allowed:
        said = done.stderr.strip()[-2000:]
        raise Failed(f'`tp-perf {words[1]} …` exited with code {done.returncode}: {said}')
    return done


def has_verb(tool, verb):
    words = [str(tool), verb, '--help']
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0
