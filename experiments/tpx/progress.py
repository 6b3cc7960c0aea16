"""Progress messages of a script, on standard error."""

import sys
import time

START = time.monotonic()


def clock(seconds):
    """`02:05` for 125 seconds. Minutes continue beyond an hour."""
    whole = int(seconds)
    return f'{whole // 60:02}:{whole % 60:02}'


def tell(text):
    print(text, file=sys.stderr, flush=True)


def say(text):
    """Prints a message with the time since the script started."""
    tell(f'[{clock(time.monotonic() - START)}] {text}')
