import os
import sys
import unittest

from tpx.loads import Load
from tpx.process import Background, Failed, last_lines, run


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Run(unittest.TestCase):
    def test_returns_what_was_printed(self):
        self.assertEqual(run(['echo', 1]).stdout, '1\n')

    def test_a_failure_has_its_last_words(self):
        with self.assertRaisesRegex(Failed, r'^sh ended with 3: b / c / d$'):
            run(['sh', '-c', 'printf "a\nb\nc\nd\n" >&2; exit 3'])

    def test_a_failure_without_an_error_has_its_output(self):
        with self.assertRaisesRegex(Failed, 'x$'):
            run(['sh', '-c', 'echo x; exit 1'])

    def test_allowed_codes(self):
        self.assertEqual(run(['sh', '-c', 'exit 3'], allowed=(0, 3)).returncode, 3)

    def test_last_lines(self):
        self.assertEqual(last_lines('\na\nb\nc\nd\n'), 'b / c / d')
        self.assertEqual(last_lines(None), '')


class Groups(unittest.TestCase):
    def test_background_ends_with_its_block(self):
        with Background(['sleep', '100']) as sleeper:
            self.assertTrue(sleeper.alive())
        self.assertFalse(exists(sleeper.process.pid))

    def test_load_ends_all_that_it_started(self):
        load = Load()
        first, second = (load.spawn(['sleep', '100']) for _ in range(2))
        self.assertTrue(load.alive())
        self.assertIsNone(load.stop())
        self.assertLess(first.wait(), 0)
        self.assertLess(second.wait(), 0)

    def test_load_ends_what_ignores_the_signal(self):
        load = Load()
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        code = 'import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); '
        code += f'os.write({writer}, b"x"); signal.pause()'
        process = load.spawn([sys.executable, '-c', code], pass_fds=[writer])
        os.close(writer)
        # It ignores the signal from now on.
        os.read(reader, 1)
        load.stop(patience=0)
        process.wait()
        self.assertEqual(process.returncode, -9)

    def test_a_failing_line_ends_the_load_and_did_no_round(self):
        load = Load()
        load.again('false').wait()
        self.assertFalse(load.alive())
        self.assertEqual(load.stop(), 0)

    def test_rounds_are_counted(self):
        load = Load()
        # It fails after three rounds.
        load.again('test ${n:=0} -lt 3 && n=$((n + 1))').wait()
        self.assertEqual(load.stop(), 3)
