"""Files that the experiments read and write: JSON, zipped JSON, and lines of `key=value`."""

import gzip
import json
import re
from pathlib import Path


def read_json(path):
    return json.loads(Path(path).read_text(encoding='utf-8'))


def write_zipped(path, document):
    """Writes JSON with gzip: reproducible bytes, and the final name only when it is complete."""
    text = json.dumps(document, separators=(',', ':')).encode()
    part = path.with_name(path.name + '.part')
    with open(part, 'wb') as file, gzip.GzipFile('', 'wb', 9, file, mtime=0) as zipped:
        zipped.write(text)
    part.rename(path)


def read_zipped(path):
    with gzip.open(path) as file:
        return json.load(file)


def read_pairs(path):
    """Reads lines of `key=value` as a dict of strings. A value may contain `=`."""
    with open(path, encoding='utf-8') as file:
        return dict(line.rstrip('\n').split('=', 1) for line in file)


def append_pair(path, key, value):
    with open(path, 'a', encoding='utf-8') as file:
        file.write(f'{key}={value}\n')


def json_with_flat_leaves(document):
    """JSON in which every innermost list or object is on one line."""
    innermost = re.compile(r'[{\[][^{}\[\]]*[}\]]')
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return innermost.sub(lambda found: re.sub(r'\n *', ' ', found[0]), text) + '\n'


def json_within(document, width=118, depth=0):
    """JSON in which each value that fits into the width is on one line."""
    flat = json.dumps(document, ensure_ascii=False)
    if len(flat) + depth <= width or not isinstance(document, dict | list) or not document:
        return flat
    inner, outer = ' ' * (depth + 1), ' ' * depth
    if isinstance(document, dict):
        items = [
            f'{json.dumps(key, ensure_ascii=False)}: {json_within(value, width, depth + 1)}'
            for key, value in document.items()
        ]
        ends = '{}'
    else:
        items, ends = [json_within(value, width, depth + 1) for value in document], '[]'
    return ends[0] + '\n' + ',\n'.join(inner + item for item in items) + '\n' + outer + ends[1]
