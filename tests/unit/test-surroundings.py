#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the programs do in poor surroundings: without standard descriptors, with odd signals, unread. TAP.

test-surroundings.py BUILD-ROOT
"""

import atexit
import itertools
import os
import pathlib
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tty

build = pathlib.Path(sys.argv[1])
PATIENCE = 30
work = pathlib.Path(tempfile.mkdtemp(prefix='confd-ha-test.'))
atexit.register(shutil.rmtree, work, ignore_errors=True)
# Copies: the build may be in a home or a builder's directory, where other users are not let in.
PROGRAMS = {name: shutil.copy(build / path, work) for name, path in {
    'confd-had': 'src/service/confd-had', 'confd-ha-node': 'src/node/confd-ha-node',
    'confd-hactl': 'src/ctl/confd-hactl'}.items()}
count = failed = 0


def is_so(name, fact, words=''):
    global count, failed
    count += 1
    failed += not fact
    print(f'{"ok" if fact else "not ok"} {count} - {name}')
    if not fact and words:
        print('# ' + str(words).replace('\n', '\n# '))


def is_not_tried(name, why):
    global count
    count += 1
    print(f'ok {count} - {name} # SKIP {why}')


def eventually(fact):
    """What fact() returns once that is true, or last of all."""
    until = time.monotonic() + PATIENCE
    while not (result := fact()) and time.monotonic() < until:
        time.sleep(0.01)
    return result


class Bus:
    """A bus to which one can connect, and which says nothing."""

    def __init__(self):
        self.path = work / 'bus'
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen(16)


bus = Bus()
numbers = itertools.count()
(work / 'empty.conf').touch(mode=0o644)


def arguments(name):
    return [PROGRAMS[name]] + {
        'confd-had': [f'--config={work}/empty.conf'],
        'confd-ha-node': [f'--config={work}/empty.conf', f'--ipc=unix:{work}/{next(numbers)}.ipc', f'--data={work}/{next(numbers)}'],
        'confd-hactl': ['--timeout=60', 'wait', 'master'],
    }[name]


def start(name, before=lambda: None, **more):
    environment = os.environ | {'DBUS_SYSTEM_BUS_ADDRESS': f'unix:path={bus.path}'}
    environment.pop('JOURNAL_STREAM', None)
    # The sanitizer would set the limit for core files itself.
    environment['ASAN_OPTIONS'] = environment.get('ASAN_OPTIONS', '') + ':disable_coredump=0'
    return subprocess.Popen(arguments(name), preexec_fn=before, env=environment, **more)


def end(process):
    process.kill()
    return process.wait()


def is_up(name, process):
    """It has opened what it opens at first: a socket."""
    def look():
        if process.poll() is not None:
            return True
        for fd in pathlib.Path(f'/proc/{process.pid}/fd').iterdir():
            try:
                if os.readlink(fd).startswith('socket:'):
                    return True
            except FileNotFoundError:
                pass
        return False
    return eventually(look) and process.poll() is None


def signals(process, which):
    try:
        status = pathlib.Path(f'/proc/{process.pid}/status').read_text()
    except FileNotFoundError:
        return set(signal.Signals)
    mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith(which + ':')), 16)
    return {s for s in signal.Signals if mask >> (s - 1) & 1}


def descriptor(process, n):
    try:
        return os.readlink(f'/proc/{process.pid}/fd/{n}')
    except FileNotFoundError:
        return None


def closed():
    for fd in range(3):
        os.close(fd)


def odd_signals():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGCHLD})


for name in PROGRAMS:
    process = start(name, closed)
    up = is_up(name, process)
    links = [descriptor(process, n) for n in range(3)] if up else None
    is_so(f'{name} has /dev/null where it was given no descriptors', links == ['/dev/null'] * 3, links)
    end(process)

    process = start(name, odd_signals, restore_signals=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    is_up(name, process)
    # While a thread is made, all are blocked for a moment.
    eventually(lambda: not signals(process, 'SigBlk') & {signal.SIGUSR2, signal.SIGCHLD})
    ignored, blocked = signals(process, 'SigIgn'), signals(process, 'SigBlk')
    is_so(f'{name} can wait for its children whatever it inherits', signal.SIGCHLD not in ignored, ignored)
    is_so(f'{name} blocks no signal that it does not read', not blocked & {signal.SIGUSR2, signal.SIGCHLD}, blocked)
    wanted = name != 'confd-hactl'
    is_so(f'{name} {"outlives" if wanted else "ends at"} a pipe that nobody reads', (signal.SIGPIPE in ignored) == wanted, ignored)
    end(process)


def may_be_looked_into(name, core_limit):
    """Whether what /proc shows of it belongs to its user, and not to root: so it is where core files may be made."""
    def other_user():
        resource.setrlimit(resource.RLIMIT_CORE, (core_limit, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
    process = start(name, other_user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    is_up(name, process)
    owner = os.stat(f'/proc/{process.pid}/status').st_uid
    end(process)
    return owner != 0


for path in (work, bus.path):
    path.chmod(0o777)
for name in ('confd-had', 'confd-ha-node'):
    is_so(f'no core file is made of {name}, and nobody of its user looks into it', not may_be_looked_into(name, 0))
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        is_not_tried(f'{name} may be dumped where the limit for core files says so', 'this machine allows no core files')
    else:
        is_so(f'{name} may be dumped where the limit for core files says so', may_be_looked_into(name, 4096))

# ---- nobody reads what they say ----

class Controller:
    """An HA controller on a node's IPC port: the handshake, a token, orders and replies."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.path = str(path)
        eventually(self.connect)
        self.socket.sendall(bytes([17, 0, 60, 0, 0, 0, 0, 20, 9]))
        self.take(9)
        self.frame(b'token')

    def connect(self):
        try:
            self.socket.connect(self.path)
            return True
        except OSError:
            return False

    def take(self, n):
        data = b''
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def frame(self, body):
        self.socket.sendall(struct.pack('>I', len(body)) + body)

    def order(self, number):
        self.frame(bytes([131, 104, 1, 97, number]))
        return self.take(struct.unpack('>I', self.take(4))[0])


def gives_orders(name):
    """Orders that are logged are answered; in time, or an exception tells."""
    try:
        controller = Controller(work / name)
        for _ in range(200):
            controller.order(6)  # be relay: fails, which is logged
        return True
    except (OSError, EOFError) as e:
        print('#', repr(e))
        return False


def node(name, before=lambda: None, environment=None, **more):
    arguments = [PROGRAMS['confd-ha-node'], f'--config={work}/empty.conf', f'--ipc=unix:{work}/{name}',
                 f'--data={work}/{name}.data']
    environment = {k: v for k, v in os.environ.items() if k != 'JOURNAL_STREAM'} | (environment or {})
    return subprocess.Popen(arguments, preexec_fn=before, env=environment, stdout=subprocess.DEVNULL, **more)


def stop(process):
    process.terminate()
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        return end(process)


def fill(fd):
    os.set_blocking(fd, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(fd, b'x' * size)
        except BlockingIOError:
            pass
    os.set_blocking(fd, True)


def tells_losses(fd):
    """Whether they are told once all that lies there is read, without another line that would bring it."""
    os.set_blocking(fd, False)
    seen = b''

    def look():
        nonlocal seen
        try:
            seen += os.read(fd, 65536)
        except BlockingIOError:
            pass
        return b'lines of the log are lost' in seen
    return eventually(look)


def nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def terminal():
    reader, writer = os.openpty()
    tty.setraw(writer)
    return reader, writer


def pair():
    return [s.detach() for s in socket.socketpair()]


ways = {'a pipe': (os.pipe, lambda: None), 'a terminal': (terminal, lambda: None), 'a socket': (pair, lambda: None)}
if os.getuid() == 0:
    ways['a pipe of another user'] = (os.pipe, nobody)
for words, (make, user) in ways.items():
    try:
        reader, writer = make()
    except OSError:
        if words != 'a terminal':
            raise
        is_not_tried(f'orders are carried out while nobody reads the log from {words}', 'this machine has no pseudo-terminals')
        continue
    fill(writer)
    name = words.replace(' ', '-')
    process = node(name, user, stderr=writer)
    os.close(writer)
    is_so(f'orders are carried out while nobody reads the log from {words}', gives_orders(name))
    is_so(f'what was lost is told once {words} is read', tells_losses(reader))
    is_so(f'the node ends in time when nobody reads the log from {words}', stop(process) == 0)
    os.close(reader)

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(f'{work}/manager')
manager.settimeout(PATIENCE)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
    other.setblocking(False)
    try:
        while True:
            other.sendto(b'FILL=1', f'{work}/manager')
    except BlockingIOError:
        pass


def told(wanted):
    try:
        while wanted not in manager.recv(4096):
            pass
        return True
    except TimeoutError:
        return False


process = node('managed', environment={'NOTIFY_SOCKET': f'{work}/manager', 'WATCHDOG_USEC': '200000'},
               stderr=subprocess.DEVNULL)
is_so('orders are carried out while the service manager reads nothing', gives_orders('managed'))
is_so('the manager is told that the node is ready when it reads again', told(b'READY=1'))
is_so('the watchdog is fed from then on', told(b'WATCHDOG=1') and told(b'WATCHDOG=1'))
is_so('the node ends in time, and says so', stop(process) == 0 and told(b'STOPPING=1'))

# ---- what only a person can mend ----

def ends_with(status, words, name, switch):
    process = subprocess.run([PROGRAMS['confd-ha-node'], f'--config={work}/empty.conf', f'--ipc=unix:{work}/{next(numbers)}.ipc',
                              f'--data={work}/{next(numbers)}', switch], stderr=subprocess.PIPE, timeout=PATIENCE, text=True,
                             env={k: v for k, v in os.environ.items() if k != 'JOURNAL_STREAM'})
    is_so(name, process.returncode == status and words in process.stderr, f'{process.returncode}: {process.stderr}')


(work / 'file').touch()
(work / 'damaged').mkdir(mode=0o700)
(work / 'damaged' / 'current').write_text('store-1.mdb\n')
(work / 'damaged' / 'store-1.mdb').write_bytes(b'not a store' * 4096)
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(f'{work}/taken')
    listener.listen()
    ends_with(1, 'another process listens there', 'an address in use is worth another start', f'--ipc=unix:{work}/taken')
ends_with(78, 'no socket', 'a file where the IPC socket belongs is for a person to mend', f'--ipc=unix:{work}/file')
ends_with(78, 'file/data', 'a data directory that cannot be is for a person to mend', f'--data={work}/file/data')
ends_with(78, 'damaged', 'a damaged store is for a person to mend', f'--data={work}/damaged')

(work / 'bad.conf').write_text('[ConfD]\nRequestTimeoutSec=soon\n')
process = subprocess.run([PROGRAMS['confd-had'], f'--config={work}/bad.conf'], stderr=subprocess.DEVNULL, timeout=PATIENCE,
                         env={**os.environ, 'NOTIFY_SOCKET': f'{work}/manager'})
is_so('a service with a bad configuration tells the manager which line it is',
      process.returncode == 78 and told(f'STATUS={work}/bad.conf:2: '.encode()))

print(f'1..{count}')
sys.exit(failed > 0)
