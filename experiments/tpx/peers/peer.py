"""The base of all peers, and the peer that does nothing."""

import os
import shutil

from tpx.process import run


class Peer:
    """A way to record. `load`, `events_log` and `second_log` return figures by name.

    A peer that can switch its events on and off also has `pairs` or `attached`. A peer that
    detaches in the background has `settle`.
    """

    name = command = ''
    # A slow peer is measured less often.
    is_slow = False
    # The files that it leaves in the scratch folder.
    outputs = ()

    def tidy(self):
        for path in self.outputs:
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)


class Nothing(Peer):
    name = 'nothing'
    command = 'make …'

    def load(self, build):
        build.run()
        return {}


def count_lines(path):
    with open(path, 'rb') as file:
        return sum(block.count(b'\n') for block in iter(lambda: file.read(1 << 20), b''))


def sort_by_time(source, target):
    """Sorts the lines of a file by the number at their begin."""
    with open(target, 'wb') as out:
        run(['sort', '-n', source], stdout=out, env={**os.environ, 'LC_ALL': 'C'})
