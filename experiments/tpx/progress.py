"""What a script tells its user while it runs, on standard error."""

import sys
import time

START = time.monotonic()


def clock(seconds):
    """`02:05` for 125 seconds. Minutes go on beyond an hour."""
    whole = int(seconds)
    return f'{whole // 60:02}:{whole % 60:02}'


def tell(text):
    print(text, file=sys.stderr, flush=True)


def say(text):
    """Tells the text with the time since the script started."""
    tell(f'[{clock(time.monotonic() - START)}] {text}')
