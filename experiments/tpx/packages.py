"""Debian's packages that an experiment needs."""

import contextlib
import os
from pathlib import Path

from tpx.process import Failed, run
from tpx.progress import say

SERVICE_POLICY = Path('/usr/sbin/policy-rc.d')


def missing(packages):
    """The packages that are not installed, in the same order."""
    known = run(['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n']).stdout
    installed = {line.split()[0] for line in known.splitlines() if line.endswith(' installed')}
    return [package for package in packages if package not in installed]


def install(packages, tell=say):
    """Installs packages without starting their services."""
    if not packages:
        return
    tell('apt-get install ' + ' '.join(packages))
    with contextlib.suppress(Failed):
        run(['apt-get', '-q', 'update'])
    with no_services():
        run(
            ['apt-get', '-q', '-y', '--no-install-recommends', 'install', *packages],
            env={**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'},
        )


@contextlib.contextmanager
def no_services():
    """Prevents packages from starting services, unless the machine has its own policy."""
    is_ours = not SERVICE_POLICY.exists()
    if is_ours:
        SERVICE_POLICY.write_text('#!/bin/sh\nexit 101\n')
        SERVICE_POLICY.chmod(0o755)
    try:
        yield
    finally:
        if is_ours:
            SERVICE_POLICY.unlink()


def versions(packages):
    """The version of each package, as dpkg reports it, by name."""
    known = run(['dpkg-query', '-W', '-f', '${Package} ${Version}\n', *packages]).stdout
    return dict(line.split() for line in known.splitlines())
