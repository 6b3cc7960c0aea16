"""Workloads that can be started and stopped. No process group outlives its load."""

import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tpx.process import signal_group

NULL = subprocess.DEVNULL


class Load:
    """The processes that run during a session. Each has its own process group."""

    def __init__(self):
        self.groups, self.rounds = [], None

    def spawn(self, words, ending=signal.SIGTERM, **options):
        """Starts a command, which the signal `ending` will end. `options` are those of Popen."""
        process = subprocess.Popen(
            words, stdin=NULL, stdout=NULL, stderr=NULL, start_new_session=True, **options
        )
        process.ending = ending
        self.groups.append(process)
        return process

    def again(self, line):
        """Repeats a shell line until the load stops, or until the line fails.

        Each round writes a byte to a file, so that `stop` can count the rounds.
        """
        self.rounds = tempfile.NamedTemporaryFile(prefix='tp-perf-rounds-')  # noqa: SIM115
        return self.spawn(['sh', '-c', f'while {line}; do printf . >> {self.rounds.name}; done'])

    def alive(self):
        """Whether all started processes are still running."""
        return all(process.poll() is None for process in self.groups)

    def stop(self, patience=5):
        """Ends every group, with SIGKILL after this many seconds. Returns the number of rounds.

        It returns None if nothing was repeated.
        """
        for number in (None, signal.SIGKILL):
            for process in reversed(self.groups):
                signal_group(process, number or process.ending)
            end = time.monotonic() + patience
            while time.monotonic() < end and any(map(self._exists, self.groups)):
                time.sleep(0.05)
        done = None
        if self.rounds:
            done = Path(self.rounds.name).stat().st_size
            self.rounds.close()
        self.groups, self.rounds = [], None
        return done

    @staticmethod
    def _exists(process):
        process.poll()
        return signal_group(process, 0)


def apache_config(folder, site, port, more=''):
    """The configuration of an Apache that serves `site` on the loopback and writes to `folder`."""
    return f"""ServerRoot /usr/lib/apache2
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/httpd.pid
ErrorLog {folder}/httpd.log
DocumentRoot {site}
User www-data
Group www-data
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
{more}"""


def apache(config):
    """The command that serves a configuration in the foreground."""
    return ['/usr/sbin/apache2', '-f', str(Path(config)), '-D', 'FOREGROUND']
