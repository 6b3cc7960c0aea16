"""Markdown tables, and figures as words."""

import statistics


def table(head, rows, right=()):
    """A Markdown table. The columns whose numbers are in `right` are aligned to the right."""
    rule = ['---:' if column in right else '---' for column in range(len(head))]
    lines = ['| ' + ' | '.join(map(str, row)) + ' |' for row in [head, rule, *rows]]
    return '\n'.join(lines) + '\n'


def minus(text):
    """The text with minus signs instead of hyphens."""
    return text.replace('-', '−')


def spread(values, form='{:.2f}', unit=''):
    """`1.43 (1.41–1.50)`: the median, the least and the most. `–` without a value."""
    values = [value for value in values if value is not None]
    if not values:
        return '–'
    bounds = (statistics.median(values), min(values), max(values))
    middle, least, most = (minus(form.format(value)) for value in bounds)
    return f'{middle}{unit}' if len(values) == 1 else f'{middle}{unit} ({least}–{most})'


def range_of(values, form):
    """The median, and the range if its ends differ as text. `form` is a function."""
    low, high = form(min(values)), form(max(values))
    return form(statistics.median(values)) + (f' ({low}–{high})' if low != high else '')


def with_interval(value, bounds, form):
    """`0.42 (0.31 – 0.57)`, or the value alone if there are no bounds."""
    text = form.format(value)
    if bounds is not None:
        text += ' (' + ' – '.join(form.format(bound) for bound in bounds) + ')'
    return minus(text)


def percent(share):
    return f'{100 * share:.1f} %'


def whole(number):
    return f'{number:,.0f}'


def milliseconds(nanoseconds):
    value = nanoseconds / 1e6
    return f'{value:,.0f} ms' if value >= 100 else f'{value:.1f} ms'


def plural(number, word):
    return f'{whole(number)} {word}' + ('' if number == 1 else 's')


def listed(words):
    """`a`, `b` and `c`; `none` for an empty list."""
    words = [f'`{word}`' for word in words]
    if len(words) > 1:
        words = [', '.join(words[:-1]), words[-1]]
    return ' and '.join(words) or 'none'


def points(items):
    return '\n'.join(f'- {item}' for item in items) + '\n'
