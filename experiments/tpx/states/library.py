"""Libraries of states, and the files of their sessions."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from threading import Lock

from tpx.states.counts import cut

# A session is also used in so many parts.
QUARTERS = 4


def write_session(path, counts):
    path.write_text(json.dumps(counts, separators=(',', ':')))
    return path


class Files:
    """The files of sessions, whole or in quarters. Each is written once."""

    def __init__(self, scratch):
        self.scratch, self.lock = scratch, Lock()

    def of(self, session, quarter=None):
        name = session.name if quarter is None else f'{session.name}-q{quarter}'
        path = self.scratch / f'{name}.json'
        with self.lock:
            if not path.exists():
                counts = session.counts
                if quarter is not None:
                    length = counts['windows'] // QUARTERS
                    counts = cut(counts, quarter * length, (quarter + 1) * length)
                write_session(path, counts)
        return path

    @contextlib.contextmanager
    def library(self, learned):
        """A library of pairs of a state and a file. Its files are hard links."""
        folder = Path(tempfile.mkdtemp(prefix='library-', dir=self.scratch))
        try:
            for state, file in learned:
                (folder / state).mkdir(exist_ok=True)
                os.link(file, folder / state / file.name)
            yield folder
        finally:
            shutil.rmtree(folder)
