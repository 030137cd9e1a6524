#!/usr/bin/env python3
"""initramfs.py BUSYBOX INIT OUT [NAME=PROGRAM...]: the smallest initramfs, and programs that are
to be in it; the same bytes on every machine.

Written by hand, in cpio's "newc" format, because the device nodes in it would need root to exist
in a folder, and because cpio would take inode numbers, times and owners from that folder.
"""
import stat
import sys


class Cpio:
    def __init__(self):
        self.out = bytearray()
        self.inode = 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        name = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        # magic, then: inode mode uid gid nlink mtime size, device, rdevice, name size, check
        fields = [self.inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(name), 0]
        self.out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.pad()
        self.out += data
        self.pad()

    def pad(self):
        self.out += bytes(-len(self.out) % 4)


def main():
    busybox, init, out, *programs = sys.argv[1:]
    cpio = Cpio()
    for folder in ("bin", "dev", "proc", "sys", "tmp"):
        cpio.add(folder, stat.S_IFDIR | 0o755)
    # The kernel opens this for init's input and output before init can mount devtmpfs.
    cpio.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    with open(busybox, "rb") as file:
        cpio.add("bin/busybox", stat.S_IFREG | 0o755, file.read())
    cpio.add("bin/sh", stat.S_IFLNK | 0o777, b"busybox")
    with open(init, "rb") as file:
        cpio.add("init", stat.S_IFREG | 0o755, file.read())
    for program in programs:
        name, path = program.split("=", 1)
        with open(path, "rb") as file:
            cpio.add(name, stat.S_IFREG | 0o755, file.read())
    cpio.inode = -1
    cpio.add("TRAILER!!!", 0)
    cpio.out += bytes(-len(cpio.out) % 512)
    with open(out, "wb") as file:
        file.write(cpio.out)


main()
