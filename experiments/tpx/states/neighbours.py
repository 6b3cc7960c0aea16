"""States of other software, some of them near neighbours, and anomalies."""

import os
import shutil
import time

from tpx.loads import Load
from tpx.process import run

PORTS = {'redis': 8481, 'http': 8482}
# Packages by the program that they install.
PACKAGES = {
    'redis-server': 'redis-server',
    'redis-benchmark': 'redis-tools',
    'fio': 'fio',
    'sqlite3': 'sqlite3',
    'stress-ng': 'stress-ng',
    'xz': 'xz-utils',
    'rsync': 'rsync',
    'git': 'git',
    'ab': 'apache2-utils',
    'openssl': 'openssl',
}
# Neighbours stand next to each other.
STATES = [
    'idle',
    'redis_get',
    'redis_set',
    'redis_fsync',
    'fio_read',
    'fio_write',
    'sqlite_insert',
    'sqlite_select',
    'stress_fork',
    'stress_switch',
    'stress_vm',
    'xz',
    'gzip',
    'rsync',
    'tar_copy',
    'git_gc',
    'http_server',
    'openssl',
]
PAIRS = [
    ('redis_get', 'redis_set'),
    ('redis_set', 'redis_fsync'),
    ('fio_read', 'fio_write'),
    ('sqlite_insert', 'sqlite_select'),
    ('stress_fork', 'stress_switch'),
    ('xz', 'gzip'),
    ('rsync', 'tar_copy'),
]
# Each begins within a load.
ANOMALIES = {
    'cpu_hog': 'redis_get',
    'memory_hog': 'redis_get',
    'disk_writer': 'sqlite_insert',
    'fork_storm': 'redis_get',
    'udp_storm': 'http_server',
    'connect_storm': 'http_server',
    'connections': 'redis_get',
    'hang': 'redis_get',
    'sync_storm': 'sqlite_select',
    'timer_storm': 'http_server',
    'dropped_caches': 'tar_copy',
    'file_storm': 'redis_set',
    'pipe_storm': 'sqlite_select',
}
# The groups that name the cause of an anomaly. A group belongs here if the kernel hits its
# tracepoints because of what the anomaly itself does: `sched` and `task` for processes that begin
# and end, `jbd2` for a sync. Groups that only show a slower load (`tcp` while a program takes the
# CPU) do not belong here, and groups that nearly all work hits (`irq`, `workqueue`, `rcu`) do not
# either. Some anomalies have few tracepoints of their own. A program that only calculates is seen
# by the scheduler, by the timer interrupts of busy CPUs, by the registers that it uses, and by the
# signals that end its runs. A stopped server is seen by its signal, and by the traffic that ends.
# This table was written before there were any results.
CAUSES = {
    'cpu_hog': {'sched', 'timer_migration', 'irq_vectors', 'ipi', 'x86_fpu', 'signal'},
    'memory_hog': {
        'exceptions', 'kmem', 'memcg', 'vmscan', 'compaction', 'pagemap', 'huge_memory', 'thp',
        'mmap', 'mmap_lock', 'migrate', 'oom',
    },
    'disk_writer': {'block', 'writeback', 'ext4', 'jbd2', 'wbt', 'filemap', 'iocost'},
    'fork_storm': {
        'sched', 'task', 'exceptions', 'mmap', 'mmap_lock', 'maple_tree', 'percpu', 'signal',
        'kmem',
    },
    'udp_storm': {'udp', 'icmp', 'net', 'skb', 'sock', 'fib', 'napi'},
    'connect_storm': {'tcp', 'sock', 'net', 'skb', 'fib', 'napi'},
    'connections': {'tcp', 'sock', 'net', 'skb', 'napi'},
    'hang': {'signal', 'tcp', 'sock', 'net', 'skb', 'napi'},
    'sync_storm': {'block', 'writeback', 'ext4', 'jbd2', 'wbt'},
    'timer_storm': {'timer', 'irq_vectors', 'signal'},
    'dropped_caches': {'filemap', 'vmscan', 'block', 'readahead', 'pagemap', 'ext4'},
    'file_storm': {'ext4', 'jbd2', 'timestamp', 'writeback'},
    'pipe_storm': {'sched', 'ipi', 'csd', 'irq_vectors', 'lock', 'timestamp', 'kmem'},
}  # fmt: skip
# A state is also seen beside other work of so many CPUs.
OTHER_WORK = (0.5, 1)
# A file of this many bytes is compressed and copied.
DATA = 64 << 20


class Neighbours:
    """Starts the loads of a state, and anomalies. `prepare` runs once for a work folder."""

    def __init__(self, work):
        self.work = work
        self.data, self.tree, self.repo = work / 'data', work / 'tree', work / 'repo'

    def prepare(self):
        if not self.data.exists():
            # Half of it can be compressed.
            half = os.urandom(DATA // 2)
            self.data.write_bytes(half + b'tp-perf ' * (DATA // 16))
        if not self.tree.exists():
            part = self.work / 'tree.part'
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree('/usr/lib/python3', part, symlinks=True)
            part.rename(self.tree)
        if not self.repo.exists():
            part = self.work / 'repo.part'
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(self.tree, part, symlinks=True)
            git = ['git', '-C', part, '-c', 'user.name=x', '-c', 'user.email=x@example.org']
            run(['git', 'init', '-q', part])
            run([*git, 'add', '-A'])
            run([*git, 'commit', '-q', '-m', 'all'])
            part.rename(self.repo)
        sql = 'create table if not exists t(a integer primary key, b text);'
        sql += 'insert into t(b) select hex(randomblob(50)) from generate_series(1, 50000);'
        if not (self.work / 'select.db').exists():
            run(['sqlite3', self.work / 'part.db', sql])
            (self.work / 'part.db').rename(self.work / 'select.db')

    def start(self, name, running):
        """Starts a load or an anomaly. It is added to `running` before it starts."""
        running.append(Load())
        getattr(self, name)(running[-1])

    def other_work(self, cpus, running):
        """Starts calculations that take this part of a CPU."""
        running.append(Load())
        running[-1].again(f'stress-ng -q -t 5 --cpu 1 --cpu-load {round(100 * cpus)}')

    def idle(self, load):
        pass

    def redis(self, load, options, test):
        port = str(PORTS['redis'])
        folder = self.work / 'redis'
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        server = ['redis-server', '--port', port, '--bind', '127.0.0.1', '--dir', str(folder)]
        load.spawn([*server, '--save', '', *options])
        time.sleep(0.5)
        load.again(f'redis-benchmark -q -p {port} -c 20 -t {test} -n 100000 > /dev/null')

    def redis_get(self, load):
        self.redis(load, [], 'get')

    def redis_set(self, load):
        self.redis(load, [], 'set')

    def redis_fsync(self, load):
        self.redis(load, ['--appendonly', 'yes', '--appendfsync', 'everysec'], 'set')

    def fio(self, load, what):
        words = f'fio --name=x --filename={self.work}/fio --size=64M --rw={what} --bs=4k'
        load.again(f'{words} --runtime=5 --time_based --output=/dev/null --ioengine=psync')

    def fio_read(self, load):
        self.fio(load, 'randread')

    def fio_write(self, load):
        self.fio(load, 'randwrite --fsync=32')

    def sqlite_insert(self, load):
        database = self.work / 'insert.db'
        database.unlink(missing_ok=True)
        run(['sqlite3', database, 'create table t(a integer primary key, b text)'])
        sql = 'insert into t(b) select hex(randomblob(50)) from generate_series(1, 2000);'
        load.again(f'sqlite3 {database} "{sql}"')

    def sqlite_select(self, load):
        sql = "select count(*) from t where b like '%ABCD%';"
        load.again(f'sqlite3 {self.work}/select.db "{sql}" > /dev/null')

    def stress(self, load, options):
        load.again(f'stress-ng -q -t 5 {options}')

    def stress_fork(self, load):
        self.stress(load, '--fork 1')

    def stress_switch(self, load):
        self.stress(load, '--switch 1')

    def stress_vm(self, load):
        self.stress(load, '--vm 1 --vm-bytes 128M')

    def xz(self, load):
        load.again(f'xz -1 -c {self.data} > /dev/null')

    def gzip(self, load):
        load.again(f'gzip -1 -c {self.data} > /dev/null')

    def rsync(self, load):
        load.again(f'rsync -a --delete --ignore-times {self.tree}/ {self.work}/rsynced/')

    def tar_copy(self, load):
        copy = f'{self.work}/copied'
        load.again(f'mkdir -p {copy} && tar -cf - -C {self.tree} . | tar -xf - -C {copy}')

    def git_gc(self, load):
        load.again(f'git -C {self.repo} -c gc.auto=0 repack -q -a -d -f --threads=1')

    def http_server(self, load):
        port = str(PORTS['http'])
        words = ['python3', '-m', 'http.server', '--bind', '127.0.0.1', port]
        load.spawn([*words, '-d', str(self.tree)])
        time.sleep(0.5)
        load.again(f'ab -q -c 4 -n 2000 http://127.0.0.1:{port}/')

    def openssl(self, load):
        load.again('openssl speed -seconds 2 sha256 > /dev/null 2>&1')

    def cpu_hog(self, load):
        load.again('openssl speed -seconds 1 md5 > /dev/null 2>&1')

    def memory_hog(self, load):
        self.stress(load, '--vm 1 --vm-bytes 60%')

    def disk_writer(self, load):
        load.again(f'dd if=/dev/zero of={self.work}/written bs=1M count=64 conv=fsync 2> /dev/null')

    def fork_storm(self, load):
        load.again('for i in 1 2 3 4 5 6 7 8; do /bin/true; done')

    def python(self, load, code):
        load.spawn(['python3', '-c', code])

    def udp_storm(self, load):
        self.python(
            load,
            """import socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    one.sendto(b'x' * 100, ('127.0.0.1', 9))
""",
        )

    def connect_storm(self, load):
        self.python(
            load,
            f"""import socket
while True:
    socket.create_connection(('127.0.0.1', {PORTS['http']})).close()
""",
        )

    def connections(self, load):
        code = f"""import socket
all = [socket.create_connection(('127.0.0.1', {PORTS['redis']})) for _ in range(200)]
while True:
    for one in all:
        one.sendall(b'PING\\r\\n'); one.recv(100)
"""
        self.python(load, code)

    def hang(self, load):
        load.spawn(['sh', '-c', 'pkill -STOP redis-server; sleep 3600'])

    def sync_storm(self, load):
        load.again(f'date > {self.work}/synced && sync')

    def timer_storm(self, load):
        self.stress(load, '--timer 1 --timer-freq 20000')

    def dropped_caches(self, load):
        load.again('echo 3 > /proc/sys/vm/drop_caches && sleep 0.5')

    def file_storm(self, load):
        folder = f'{self.work}/files'
        load.again(
            f'mkdir -p {folder} && touch {folder}/$(seq -s " {folder}/" 200) && rm -r {folder}'
        )

    def pipe_storm(self, load):
        self.stress(load, '--pipe 1')
