"""perf_event_open(2) and its ioctls, as far as the experiments need them, on x86-64."""

import contextlib
import ctypes
import mmap
import os
import struct
import time
from pathlib import Path

from tpx.process import Failed

# System calls.
PERF_EVENT_OPEN, PIDFD_GETFD = 298, 438
# Types of events, and the event that counts nothing.
TRACEPOINT, SOFTWARE, DUMMY = 2, 1, 9
# The fields of a sample.
IP, TID, TIME, CPU, PERIOD, RAW, IDENTIFIER, CGROUP = (
    1 << bit for bit in (0, 1, 2, 7, 8, 10, 16, 21)
)
# Flags of the attribute.
DISABLED, INHERIT, SAMPLE_ID_ALL, WATERMARK, USE_CLOCKID = (1 << bit for bit in (0, 1, 18, 14, 25))
# Flags of the system call.
CLOEXEC, PID_CGROUP = 8, 4
# The numbers of the ioctls.
ENABLE, DISABLE, SET_OUTPUT, SET_FILTER = 0x2400, 0x2401, 0x2405, 0x40082406
# Offsets in the page before the ring.
DATA_HEAD, DATA_TAIL = 1024, 1032
ATTRIBUTE_BYTES = 136
RING = 8 << 20
libc = ctypes.CDLL(None, use_errno=True)


def check(result, name):
    if result < 0:
        raise Failed(f'{name}: {os.strerror(ctypes.get_errno())}')
    return result


def perf_open(kind, config, cpu, group, sample, flags, period, of=(-1, 0)):
    """Opens an event on a CPU, in a group unless that is -1. `of` has the process (-1 for all), or the
    descriptor of a cgroup, and the flag for it."""
    number, more = of
    attribute = struct.pack(
        '=IIQQQQQIIQQQQIi', kind, ATTRIBUTE_BYTES, config, period, sample, 0, flags, RING // 2,
        0, 0, 0, 0, 0, 0, time.CLOCK_MONOTONIC,
    )  # fmt: skip
    # The rest is zero.
    buffer = ctypes.create_string_buffer(attribute, ATTRIBUTE_BYTES)
    return check(libc.syscall(PERF_EVENT_OPEN, buffer, number, cpu, group, CLOEXEC | more), 'perf_event_open')


class EventSet:
    """Events that are recorded in one way, off at first. Each CPU has a group led by a dummy."""

    def __init__(self, ids, cpus, sample, kernel_filter=None, of=(-1, 0), inherit=False):
        flags = SAMPLE_ID_ALL | WATERMARK | USE_CLOCKID | (INHERIT if inherit else 0)
        self.leaders, self.events, self.rings = [], [], []
        for cpu in cpus:
            leader = perf_open(SOFTWARE, DUMMY, cpu, -1, sample, flags | DISABLED, 1, of)
            self.rings.append(mmap.mmap(leader, RING + mmap.PAGESIZE))
            self.leaders.append(leader)
            for number in ids:
                event = perf_open(TRACEPOINT, number, cpu, leader, sample, flags, 1, of)
                check(libc.ioctl(event, SET_OUTPUT, leader), 'PERF_EVENT_IOC_SET_OUTPUT')
                if kernel_filter:
                    result = libc.ioctl(event, SET_FILTER, kernel_filter)
                    check(result, 'PERF_EVENT_IOC_SET_FILTER')
                self.events.append(event)

    def switch(self, request):
        for leader in self.leaders:
            check(libc.ioctl(leader, request, 0), 'ioctl')

    def close(self):
        for ring in self.rings:
            ring.close()
        for event in self.events + self.leaders:
            os.close(event)

    def hits(self):
        return sum(struct.unpack('=Q', os.read(event, 8))[0] for event in self.events)

    def drain(self):
        """Empties the rings. Returns whether a ring was full, so that the kernel wrote less."""
        full = False
        for ring in self.rings:
            head, tail = struct.unpack_from('=QQ', ring, DATA_HEAD)
            full |= head - tail > RING - 4096
            struct.pack_into('=Q', ring, DATA_TAIL, head)
        return full


@contextlib.contextmanager
def borrowed_events(pid):
    """The perf events of another process, as descriptors of this process."""
    process, events = os.pidfd_open(pid), []
    try:
        for number in os.listdir(f'/proc/{pid}/fd'):  # noqa: PTH208
            # The process may have closed some of them.
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(f'/proc/{pid}/fd/{number}') != 'anon_inode:[perf_event]':  # noqa: PTH115
                    continue
                event = libc.syscall(PIDFD_GETFD, process, int(number), 0)
                events.append(check(event, 'pidfd_getfd'))
        yield events
    finally:
        os.close(process)
        for event in events:
            os.close(event)


def lost_samples(path):
    """The number of samples that a perf.data file reports as lost.

    The records of the kernel (LOST) and what perf reads from the counters at the end
    (LOST_SAMPLES, which `perf script` does not print) count the same losses. The latter include
    the last ones.
    """
    with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return lost_in(content, Path(path).name)


def lost_in(content, name='it'):
    """As `lost_samples`, for the bytes of the file."""
    magic, _, _, _, _, offset, size = struct.unpack_from('<8s6Q', content)
    if magic != b'PERFILE2':
        raise Failed(f'{name} is not a perf.data file')
    header, number = struct.Struct('<IHH'), struct.Struct('<Q')
    lost, lost_at_end, end = 0, 0, offset + size
    while offset < end:
        kind, _, length = header.unpack_from(content, offset)
        if kind == 2:
            lost += number.unpack_from(content, offset + 16)[0]
        elif kind == 13:
            lost_at_end += number.unpack_from(content, offset + 8)[0]
        # A record of length 0 is damaged, and the rest cannot be read.
        offset += length or end
    return max(lost, lost_at_end)
