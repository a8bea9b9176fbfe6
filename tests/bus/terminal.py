#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program on a terminal as a person would: terminal.py SCRIPT COMMAND...

SCRIPT is a text of lines: "expect REGEX" waits until that has appeared since the last expect, "send TEXT" types it (with
Python's escapes), "run SHELL" runs something beside it, "resize ROWS COLUMNS" changes the window, "settings" fails unless
the terminal is set as it was in the beginning. Then the end of the program is waited for. Prints all that the terminal got;
the exit status is the program's, or 98 when something has not come within $DEADLINE seconds."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

DEADLINE = float(os.environ.get("DEADLINE", "30"))


class Terminal:
    def __init__(self, command):
        waits, go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Not before the settings have been looked at, which the program may change at once.
            os.read(waits, 1)
            os.close(waits)
            os.close(go)
            os.execvp(command[0], command)
        self.resize(24, 80)
        self.settings = termios.tcgetattr(self.fd)
        os.write(go, b".")
        os.close(go)
        os.close(waits)
        self.output = b""
        self.seen = 0
        self.open = True

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, until):
        """Reads once; whether there was something before `until`."""
        left = until - time.monotonic()
        if left <= 0 or not self.open:
            return False
        if not select.select([self.fd], [], [], left)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.open = bool(data)
        self.output += data
        return self.open

    def expect(self, pattern):
        until = time.monotonic() + DEADLINE
        regex = re.compile(pattern.encode(), re.S)
        while True:
            found = regex.search(self.output, self.seen)
            if found:
                self.seen = found.end()
                return
            if not self.read(until):
                self.fail("not seen: " + pattern)

    def fail(self, words):
        sys.stdout.buffer.write(self.output)
        print("\nterminal.py: " + words)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        sys.exit(98)

    def end(self):
        until = time.monotonic() + DEADLINE
        while self.open:
            if not self.read(until) and self.open:
                self.fail("it does not end")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def main():
    terminal = Terminal(sys.argv[2:])
    for line in sys.argv[1].splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "expect":
            terminal.expect(rest)
        elif word == "send":
            os.write(terminal.fd, rest.encode().decode("unicode_escape").encode("latin-1"))
        elif word == "run":
            subprocess.run(rest, shell=True, check=True, stdout=subprocess.DEVNULL, timeout=DEADLINE)
        elif word == "resize":
            terminal.resize(*map(int, rest.split()))
        elif word == "settings":
            if termios.tcgetattr(terminal.fd) != terminal.settings:
                terminal.fail("the terminal is not as it was")
        elif word:
            terminal.fail("what is '%s'?" % word)
    status = terminal.end()
    sys.stdout.buffer.write(terminal.output)
    sys.exit(status if status >= 0 else 128 - status)


main()
