#!/usr/bin/env python3
"""pcapng.py FILE INTERFACE...: are all blocks of a pcapng file whole, time in order, its interfaces these,
and the checksums of every TCP segment over IPv4 right? Prints how many frames there are."""
import struct
import sys


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def check_frame(frame):
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return
    header = (frame[14] & 15) * 4
    length = struct.unpack(">H", frame[16:18])[0]
    tcp = frame[14 + header:14 + length]
    assert checksum(frame[14:14 + header]) == 0xffff, "an IP checksum"
    assert checksum(frame[26:34] + struct.pack(">HH", 6, len(tcp)) + tcp) == 0xffff, "a TCP checksum"


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    at, names, frames, before = 0, [], 0, 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and data[at + length - 4:at + length] == data[at + 4:at + 8], "a length"
        body = data[at + 8:at + length - 4]
        if kind == 1:
            code, size = struct.unpack_from("<HH", body, 8)
            assert code == 2
            names.append(body[12:12 + size].decode())
        elif kind == 6:
            interface, high, low, kept, size = struct.unpack_from("<5I", body)
            assert interface < len(names) and kept == size <= len(body) - 20 < size + 4
            assert before <= high << 32 | low, "time goes back"
            before, frames = high << 32 | low, frames + 1
            check_frame(body[20:20 + size])
        else:
            assert kind == 0x0a0d0d0a and at == 0
        at += length
    assert sorted(names) == sorted(sys.argv[2:]), names
    print(frames)


main()
