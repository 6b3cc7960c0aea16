"""The kernel sources of Debian, and a tinyconfig tree of them: the load that is a build."""

import re
from pathlib import Path

from tpx.process import Failed, run
from tpx.progress import say

# Packages by the program that they install, which a build needs.
PACKAGES = {
    'gcc': 'gcc',
    'make': 'make',
    'flex': 'flex',
    'bison': 'bison',
    'bc': 'bc',
    'xz': 'xz-utils',
}


def tarballs(folder=Path('/usr/src')):
    """The packed kernel sources, newest version last."""
    found = Path(folder).glob('linux-source-*.tar.xz')
    return sorted(found, key=lambda path: [int(part) for part in re.findall(r'\d+', path.name)])


class KernelTree:
    """Unpacked sources, and a folder next to them in which they are built."""

    def __init__(self, work, tell=say):
        if not tarballs():
            raise Failed('no linux-source-*.tar.xz in /usr/src')
        self.tarball = tarballs()[-1]
        self.work = Path(work)
        self.source = self.work / self.name
        self.tree = self.work / 'tree'
        self.tell = tell

    @property
    def name(self):
        return self.tarball.name.removesuffix('.tar.xz')

    def unpack(self):
        self.tell(f'unpacking {self.tarball.name}')
        run(['tar', '-xf', self.tarball, '-C', self.work])

    def make(self, *words):
        return ['make', '-s', '-C', str(self.source), f'O={self.tree}', *words]

    def configure(self):
        self.tree.mkdir(exist_ok=True)
        run(self.make('tinyconfig'))

    def prepare(self, jobs):
        """Makes everything that all parts of the build need first."""
        self.configure()
        run(self.make('-j', str(jobs), 'prepare'))

    def cleaning(self, targets):
        """The shell line that removes the built files of these folders."""
        return 'rm -rf ' + ' '.join(str(self.tree / target) for target in targets)
