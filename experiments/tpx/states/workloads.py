"""Produces each state of the machine."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

from tpx.kernel_build import KernelTree
from tpx.loads import Load, apache, apache_config
from tpx.process import Failed, run
from tpx.progress import tell

PORTS = {'apache': 8474, 'nginx': 8475, 'postgres': 8476, 'network': 8477}
STATES = [
    'idle',
    'build-j1',
    'build-j2',
    'apache',
    'nginx',
    'postgres',
    'compression',
    'walk',
    'network',
]
MIXTURES = ['apache+compression', 'build-j1+network', 'postgres+walk']
# About fifteen seconds of work on one CPU.
TARGETS = ['kernel/time/', 'kernel/sched/']
PACKED = ['kernel', 'mm', 'fs', 'net', 'include', 'arch/x86']
USER = 'postgres'


class Workloads:
    """Starts the loads of a state. `prepare` runs once for a work folder."""

    def __init__(self, work):
        self.work = work
        self.kernel = KernelTree(work, tell)
        self.postgres_bin = sorted(Path('/usr/lib/postgresql').glob('*/bin'))[-1]
        self.data = work / 'data.tar'
        self.cluster = work / 'cluster'

    def prepare(self):
        self.prepare_kernel()
        self.prepare_data()
        site = self.work / 'site'
        site.mkdir(exist_ok=True)
        (site / 'index.html').write_text('x' * 4096)
        self.work.chmod(0o755)
        more = 'KeepAlive On\nMaxKeepAliveRequests 0\n'
        config = apache_config(self.work, site, PORTS['apache'], more)
        (self.work / 'httpd.conf').write_text(config)
        (self.work / 'nginx.conf').write_text(nginx_config(self.work, site, PORTS['nginx']))
        self.prepare_cluster()

    def prepare_kernel(self):
        ready = self.kernel.tree / '.prepared'
        if not ready.exists():
            self.kernel.unpack()
            self.kernel.prepare(2)
            ready.touch()

    def prepare_data(self):
        if not self.data.exists():
            # The file gets its name only when it is complete.
            part = self.data.with_suffix('.part')
            run(['tar', '-cf', part, '-C', self.kernel.source, *PACKED])
            part.rename(self.data)

    def prepare_cluster(self):
        ready = self.cluster / '.ready'
        if ready.exists():
            return
        shutil.rmtree(self.cluster, ignore_errors=True)
        self.cluster.mkdir()
        shutil.chown(self.cluster, USER)
        initdb = [str(self.postgres_bin / 'initdb'), '-D', str(self.cluster), '-A', 'trust']
        run(as_user(*initdb), cwd='/')
        server = Load()
        try:
            self.postgres_server(server)
            run(as_user('createdb', *database(), 'bench'), cwd='/')
            run(as_user('pgbench', *database(), '-q', '-i', '-s', '5', 'bench'), cwd='/')
        finally:
            server.stop()
        ready.touch()

    def postgres_server(self, load):
        words = [str(self.postgres_bin / 'postgres'), '-D', str(self.cluster), *database('-k')]
        # SIGINT is the fast shutdown of postgres. After SIGTERM it would wait for its clients.
        load.spawn(as_user(*words, '-c', 'listen_addresses='), signal.SIGINT, cwd='/')
        for _ in range(200):
            words = ['pg_isready', '-q', *database()]
            if subprocess.run(words, check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise Failed('postgres does not answer')

    def start(self, state, running):
        """Starts the loads of a state, or of a mixture.

        Each load is added to `running` before it starts, so that an interruption ends it too.
        """
        for part in state.split('+'):
            running.append(Load())
            getattr(self, part.replace('-', '_'))(running[-1])

    def idle(self, load):
        pass

    def build(self, load, jobs):
        make = ' '.join(self.kernel.make(f'-j{jobs}', *TARGETS))
        load.again(f'{self.kernel.cleaning(TARGETS)} && {make}')

    def build_j1(self, load):
        self.build(load, 1)

    def build_j2(self, load):
        self.build(load, 2)

    def requests(self, load, server):
        time.sleep(0.5)
        load.again(f'ab -q -k -c 8 -n 20000 http://127.0.0.1:{PORTS[server]}/index.html')

    def apache(self, load):
        load.spawn(apache(self.work / 'httpd.conf'))
        self.requests(load, 'apache')

    def nginx(self, load):
        load.spawn(['/usr/sbin/nginx', '-c', str(self.work / 'nginx.conf')])
        self.requests(load, 'nginx')

    def postgres(self, load):
        self.postgres_server(load)
        load.again(' '.join(as_user('pgbench', *database(), '-n', '-c', '4', '-T', '5', 'bench')))

    def compression(self, load):
        load.again(f'zstd -q -3 -c {self.data} > /dev/null')

    def walk(self, load):
        load.again(f"find {self.kernel.source} /usr -xdev -printf '%s\\n' > /dev/null")

    def network(self, load):
        port = str(PORTS['network'])
        load.spawn(['iperf3', '-s', '-B', '127.0.0.1', '-p', port])
        time.sleep(0.5)
        load.again(f'iperf3 -c 127.0.0.1 -p {port} -t 5')


def as_user(*words):
    return ['setpriv', '--reuid', USER, '--regid', USER, '--clear-groups', *words]


def database(socket='-h'):
    """The options of a client for the place of the server. The server itself has another one."""
    return [socket, '/tmp', '-p', str(PORTS['postgres'])]


def nginx_config(folder, site, port):
    return f"""user www-data;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
daemon off;
events {{ worker_connections 256; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    server {{ listen 127.0.0.1:{port}; root {site}; }}
}}
"""
