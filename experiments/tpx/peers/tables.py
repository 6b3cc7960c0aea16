"""Makes PEERS.md from peers.json."""

from collections import Counter
from pathlib import Path
from string import Template

from tpx.io import read_json
from tpx.peers import EVENTS, RING_KB
from tpx.peers.capture_tables import capture_tables
from tpx.peers.counter_text import counting_text
from tpx.peers.idle_text import idle_text
from tpx.peers.log_tables import log_table, own_table
from tpx.peers.pair_tables import pair_tables
from tpx.peers.runs import failures_of_pairs

TEMPLATE = Path(__file__).with_name('PEERS.md.template')


def write_page(source):
    """Writes PEERS.md next to a JSON file. Returns its path."""
    target = source.with_name('PEERS.md')
    target.write_text(page(read_json(source), source.name))
    return target


def page(results, source):
    """The text of PEERS.md. `source` is the name of the file that has the figures."""
    facts = results['facts']
    captures, failed_captures = capture_tables(results)
    events, failed_events = log_table(results, 'events')
    second, failed_second = log_table(results, 'second')
    quiet, quiet_seconds, own = own_table(results)
    failed = failures(
        pairs=failures_of_pairs(results),
        captures=failed_captures,
        events=failed_events,
        second=failed_second,
    )
    slow = {run['repeat'] for run in results['second'] if run['peer'] == 'bpftrace'}
    values = {
        **facts,
        'tp_perf': facts['tp-perf'],
        'source': source,
        'repeats': max((run['repeat'] for run in results['load']), default=0),
        'slow_repeats': len(slow),
        'tracepoints': f'{results["tracepoints"]:,}',
        'ring_mib': RING_KB // 1024,
        'commands': commands_rows(results['commands']),
        'pairs_per_block': results.get('pairs_per_block', 'all'),
        'build_command': results['build'],
        'number_of_events': f'{EVENTS:,}',
        'pairs': pair_tables(results),
        'captures': captures,
        'events': events,
        'second': second,
        'counting': counting_text(results),
        'quiet': quiet,
        'quiet_seconds': quiet_seconds,
        'own': own,
        'idle': idle_text(results),
        'unrested': unrested_text(results),
        'failed': f'\n## Failures\n\n{failed}' if failed else '',
    }
    return Template(TEMPLATE.read_text(encoding='utf-8')).substitute(values)


def commands_rows(commands):
    def escaped(command):
        return command.replace('|', '\\|')

    return '\n'.join(f'| `{name}` | `{escaped(command)}` |' for name, command in commands.items())


def failures(**by_kind):
    """Each failure once, with the number of times it happened."""
    times = Counter(
        (peer, kind, message) for kind, failed in by_kind.items() for peer, message in failed
    )
    return ''.join(
        f'- `{peer}`, {kind}: {message}' + (f' ({count} times)' if count > 1 else '') + '\n'
        for (peer, kind, message), count in sorted(times.items())
    )


def unrested_text(results):
    """Names the measurements before which the machine did not become idle."""
    found = [
        f'block {one["block"]} of the pairs of `{one["peer"]}` ({one["unrested"]:.2f} CPUs busy)'
        for one in results['pairs']
        if one.get('unrested')
    ]
    found += [
        f'the second of `{one["peer"]}` in repeat {one["repeat"]} ({one["unrested"]:.2f})'
        for one in results['second']
        if one.get('unrested')
    ]
    if busy := results.get('windows_unrested'):
        found.append(f'the windows of the idle machine ({busy:.2f})')
    if not found:
        return ''
    text = 'The machine did not become idle (fewer than 0.02 busy CPUs within a minute) before: '
    return f'\n{text}' + ', '.join(found) + '.\n'
