# SPDX-License-Identifier: Apache-2.0
"""Owns what a power cut makes of a data directory, from the journal that preload.c has kept.

Of each file the pieces that no sync has covered are kept, dropped or torn between sectors, each for itself; of the changes of
names that no sync of the directory has covered either the last ones are lost, as from a journal, or any of them. The seed decides.
What came before a sync that failed is as uncertain after the next one that does not. A sync covers what came before it was called.
PART is the directory that is kept: "data", a node's; "state", a service's. """

import os
import random
import struct

HEAD = struct.Struct("<II7QII")
WRITE, SIZE, SYNC, SYNC_FAILED, RENAME, UNLINK, CREATE, DIRECTORY_SYNC = range(1, 9)
SECTOR = 512
SYNC_USEC = 15000


def beside(directory, what, part):
    """What is kept for that part, beside it."""
    return directory / (what if part == "data" else f"{what}.{part}")


def environment(preload, directory, fault, part="data"):
    """What a program needs in its environment for the pretence; fault: (call, number, error) or None."""
    graves = beside(directory, "graves", part)
    graves.mkdir(exist_ok=True)
    env = {"LD_PRELOAD": str(preload), "CHAOS_DATA": f"{directory}/{part}", "CHAOS_JOURNAL": str(beside(directory, "journal", part)),
           "CHAOS_GRAVES": str(graves), "CHAOS_SYNC_USEC": str(SYNC_USEC)}
    if fault:
        beside(directory, "fired", part).unlink(missing_ok=True)
        env.update({"CHAOS_FAULT": " ".join(map(str, fault)), "CHAOS_FIRED": str(beside(directory, "fired", part))})
    return env


def fired(directory, part="data"):
    """Whether the call came that was to fail, since the program was started."""
    return beside(directory, "fired", part).exists()


class Piece:
    """A change of a file's bytes or of its size."""

    def __init__(self, kind, durable, offset, length, old, old_size, sequence):
        self.kind, self.durable, self.offset, self.length, self.old, self.old_size = kind, durable, offset, length, old, old_size
        self.new, self.sequence, self.doubtful = b"", sequence, False


def read_journal(path):
    """Pieces by inode and pending changes of names, as of the end."""
    pieces, doubtful, names = {}, set(), []
    data = path.read_bytes()
    at = 0
    while at + HEAD.size <= len(data):
        kind, durable, inode, offset, length, old_length, old_size, grave, sequence, name_size, other_size = HEAD.unpack_from(data, at)
        at += HEAD.size
        name, other = data[at:at + name_size].decode(), data[at + name_size:at + name_size + other_size].decode()
        at += name_size + other_size
        old = data[at:at + old_length]
        at += old_length
        if at > len(data):
            break  # it was killed before it could write
        if kind in (WRITE, SIZE):
            pieces.setdefault(inode, []).append(Piece(kind, bool(durable), offset, length, old, old_size, sequence))
        elif kind == SYNC and inode not in doubtful:
            pieces[inode] = [piece for piece in pieces.get(inode, []) if piece.sequence > offset]
        elif kind == SYNC:
            for piece in pieces.get(inode, []):
                piece.durable |= not piece.doubtful and piece.sequence <= offset
        elif kind == SYNC_FAILED:
            doubtful.add(inode)
            for piece in pieces.get(inode, []):
                piece.doubtful = True
        elif kind == DIRECTORY_SYNC:
            names = [change for change in names if change[-1] > offset]
        else:
            names.append((kind, inode, name, other, grave, sequence))
    return {inode: left for inode, left in pieces.items() if left}, names


def back(fd, pieces):
    """Undoes all of them, and keeps what they had brought."""
    for piece in reversed(pieces):
        if piece.kind == WRITE:
            piece.new = os.pread(fd, piece.length, piece.offset)
        if piece.old:
            os.pwrite(fd, piece.old, piece.offset)
        os.ftruncate(fd, piece.old_size)
        if piece.kind == SIZE and piece.old:
            os.pwrite(fd, piece.old, piece.offset)


def forth(fd, pieces, rng, mood):
    """Does again what the disk has kept. Returns how much was lost."""
    lost = 0
    for piece in pieces:
        fate = "keep" if piece.durable or mood == "keep" else "drop" if mood == "drop" else rng.choice(("keep", "keep", "drop", "drop", "tear"))
        lost += fate != "keep"
        if fate == "drop":
            continue
        if piece.kind == SIZE:
            if fate == "keep":
                os.ftruncate(fd, piece.length)
        elif fate == "keep":
            os.pwrite(fd, piece.new, piece.offset)
        else:
            end, whole = piece.offset + len(piece.new), rng.random() < 0.5
            cut = rng.randrange(piece.offset // SECTOR, end // SECTOR + 1)
            for sector in range(piece.offset // SECTOR, (end + SECTOR - 1) // SECTOR):
                if sector < cut if whole else rng.random() < 0.5:
                    begin, stop = max(piece.offset, sector * SECTOR), min(end, (sector + 1) * SECTOR)
                    os.pwrite(fd, piece.new[begin - piece.offset:stop - piece.offset], begin)
    return lost


def undo_name(data, graves, change):
    kind, _, name, other, grave, _ = change
    buried = graves / str(grave)
    if kind == CREATE:
        (data / name).unlink(missing_ok=True)
    elif kind == UNLINK and grave:
        os.link(buried, data / name)
    elif kind == RENAME:
        if (data / other).exists():
            os.rename(data / other, data / name)
        if grave:
            os.link(buried, data / other)


def names_lost(changes, rng):
    """Which changes of names are not on the disk, last one first: what hangs on a lost one is lost with it."""
    if rng.random() < 0.5:
        return list(reversed(changes[rng.randint(0, len(changes)):]))
    lost, touched = [], set()
    for change in changes:
        involved = {change[1], change[2]} | ({change[3]} if change[3] else set())
        if touched & involved or rng.random() < 0.5:
            lost.append(change)
            touched |= involved
    return list(reversed(lost))


def forget(directory, part="data"):
    """All that has been written so far is on the disk: of a program that lives for an hour the way back fills the memory."""
    journal = beside(directory, "journal", part)
    if journal.exists():
        os.truncate(journal, 0)
        for grave in os.scandir(beside(directory, "graves", part)):
            os.unlink(grave.path)


def cut(directory, seed, part="data"):
    """After the program has been killed. Returns in words what was lost."""
    rng = random.Random(f"power {seed}")
    journal, graves = beside(directory, "journal", part), beside(directory, "graves", part)
    pieces, names = read_journal(journal)
    files = {}
    for place in (graves, directory / part):
        for entry in os.scandir(place):
            if entry.is_file(follow_symlinks=False):
                files[entry.inode()] = entry.path
    mood = rng.choice(("any", "any", "any", "drop", "drop", "keep"))
    lost = total = 0
    for inode in sorted(pieces, key=lambda number: files.get(number, "")):
        total += len(pieces[inode])
        if inode in files:
            fd = os.open(files[inode], os.O_RDWR)
            try:
                back(fd, pieces[inode])
                lost += forth(fd, pieces[inode], rng, mood)
            finally:
                os.close(fd)
    undone = names_lost(names, rng) if mood != "keep" else []
    for change in undone:
        undo_name(directory / part, graves, change)
    for grave in os.scandir(graves):
        os.unlink(grave.path)
    journal.write_bytes(b"")
    return f"{lost} of {total} pieces, {len(undone)} of {len(names)} changes of names"
