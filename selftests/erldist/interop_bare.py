#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
interop_bare.py NAME@HOST COOKIE PUPPET: a node that offers the mandatory distribution
flags and no others, with nothing but Python. It has a net_kernel and a server, both
answer to the caller's pid. It closes the connection when it is sent an operation that
it did not offer, as other small implementations do. The program PUPPET (of
userlib/tests) is the native process that it tests against. Prints TAP lines without
numbers.
"""
import hashlib
import os
import select
import socket
import struct
import subprocess
import sys
import time

# EXTENDED_REFERENCES to HANDSHAKE_23 of OTP 25, UNLINK_ID, V4_NC
FLAGS = 0x01070F94 | 0x2000000 | 1 << 34
CREATION = 77
MONITORS = 0x8 | 0x20
LINK, SEND, EXIT, REG_SEND, EXIT2, UNLINK_ID, UNLINK_ID_ACK = 1, 2, 3, 6, 8, 35, 36
MANDATORY = (LINK, SEND, EXIT, REG_SEND, EXIT2, UNLINK_ID, UNLINK_ID_ACK)
MONITOR_P, DEMONITOR_P, MONITOR_P_EXIT = 19, 20, 21
WAIT = 30 * int(os.environ.get("INTEROP_SLOW", "1"))


class Atom(str):
    """An atom; str is a binary."""


class Pid(tuple):
    """(node, id, serial, creation)"""


class Ref(tuple):
    """(node, creation, words)"""


class Cons(tuple):
    """(head, tail): an improper list of one element"""


def put_atom(a):
    b = a.encode()
    return struct.pack(">BB", 119, len(b)) + b


def encode(t):
    if isinstance(t, Atom):
        return put_atom(t)
    if isinstance(t, Pid):
        return b"X" + put_atom(t[0]) + struct.pack(">III", *t[1:])
    if isinstance(t, Ref):
        return (b"Z" + struct.pack(">H", len(t[2])) + put_atom(t[0]) +
                struct.pack(f">I{len(t[2])}I", t[1], *t[2]))
    if isinstance(t, Cons):
        return b"l" + struct.pack(">I", 1) + encode(t[0]) + encode(t[1])
    if isinstance(t, tuple):
        return struct.pack(">BB", 104, len(t)) + b"".join(map(encode, t))
    if isinstance(t, list):
        if not t:
            return b"j"
        return b"l" + struct.pack(">I", len(t)) + b"".join(map(encode, t)) + b"j"
    if isinstance(t, bytes):
        return b"m" + struct.pack(">I", len(t)) + t
    if isinstance(t, int) and 0 <= t < 256:
        return struct.pack(">BB", 97, t)
    if isinstance(t, int) and 0 <= t < 1 << 64:
        return struct.pack("<BBBQ", 110, 8, 0, t)
    raise ValueError(f"not encoded here: {t!r}")


class Reader:
    """Takes terms from bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        v = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return v if len(v) > 1 else v[0]

    def bytes(self, n):
        self.at += n
        return self.data[self.at - n:self.at]

    def list(self, n):
        items = [self.term() for _ in range(n)]
        tail = self.term()
        if tail == []:
            return items
        return Cons((items[0], tail))

    def term(self):
        tag = self.take("B")
        if tag == 119:
            return Atom(self.bytes(self.take("B")).decode())
        if tag == 118:
            return Atom(self.bytes(self.take("H")).decode())
        if tag == 88:
            return Pid((self.term(), *self.take("III")))
        if tag == 90:
            n = self.take("H")
            node = self.term()
            creation, *words = self.take(f"{n + 1}I")
            return Ref((node, creation, tuple(words)))
        if tag == 104:
            return tuple(self.term() for _ in range(self.take("B")))
        if tag == 106:
            return []
        if tag == 107:
            return list(self.bytes(self.take("H")))
        if tag == 108:
            return self.list(self.take("I"))
        if tag == 109:
            return bytes(self.bytes(self.take("I")))
        if tag == 97:
            return self.take("B")
        if tag == 98:
            return self.take("i")
        if tag == 110:
            n, sign = self.take("BB")
            v = int.from_bytes(self.bytes(n), "little")
            return -v if sign else v
        raise ValueError(f"tag {tag}")


def read_all(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise EOFError("the stream has ended")
        data += part
    return data


def register(name, port):
    """With epmd, for as long as the socket that is returned lives."""
    s = socket.create_connection(("127.0.0.1", int(os.environ.get("ERL_EPMD_PORT", "4369"))))
    b = name.encode()
    req = struct.pack(">BHBBHHH", 120, port, 72, 0, 6, 5, len(b)) + b + struct.pack(">H", 0)
    s.sendall(struct.pack(">H", len(req)) + req)
    code, result = read_all(s, 2)
    if code not in (118, 121) or result:
        raise OSError("epmd refuses the name")
    read_all(s, 4 if code == 118 else 2)
    return s


class Peer:
    """The node, its one connection and the puppet"""

    def __init__(self, node, cookie, puppet):
        self.node, self.cookie = node, cookie
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.epmd = register(node.split("@")[0], self.listener.getsockname()[1])
        self.flags = FLAGS
        self.net_kernel = Atom("yes")
        self.conn = None
        self.connections = 0
        self.garbage = []
        self.received = b""
        self.got = []
        self.lines = []
        self.puppet = subprocess.Popen([puppet, "puppet"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        self.said = b""

    def pid(self, n):
        return Pid((self.node, n, 0, CREATION))

    # Connection

    def handshake(self, s):
        def message():
            return read_all(s, struct.unpack(">H", read_all(s, 2))[0])

        def send(b):
            s.sendall(struct.pack(">H", len(b)) + b)

        def digest(challenge):
            return hashlib.md5(f"{self.cookie}{challenge}".encode()).digest()

        name = message()
        if name[0] != ord("N"):
            raise OSError("an old handshake")
        send(b"sok")
        mine, b = 12345, self.node.encode()
        send(struct.pack(">BQIIH", ord("N"), self.flags, mine, CREATION, len(b)) + b)
        reply = message()
        if reply[0] != ord("r") or reply[5:] != digest(mine):
            raise OSError("the cookies differ")
        send(b"a" + digest(struct.unpack(">I", reply[1:5])[0]))

    def accept(self):
        s, _ = self.listener.accept()
        s.settimeout(WAIT)
        self.handshake(s)
        self.conn = s
        self.received = b""
        self.connections += 1

    def close(self):
        self.conn.close()
        self.conn = None

    def send(self, ctl, payload=None):
        b = b"p\x83" + encode(ctl)
        if payload is not None:
            b += b"\x83" + encode(payload)
        self.conn.sendall(struct.pack(">I", len(b)) + b)

    def frames(self):
        while len(self.received) >= 4:
            n = struct.unpack_from(">I", self.received)[0]
            if len(self.received) < 4 + n:
                return
            body = self.received[4:4 + n]
            self.received = self.received[4 + n:]
            if n:
                self.frame(body)
            else:
                self.conn.sendall(b"\0\0\0\0")

    def frame(self, body):
        r = Reader(body)
        if r.take("BB") != (112, 131):
            self.garbage.append(body[:16])
            return
        ctl = r.term()
        payload = None
        if r.at < len(body):
            r.take("B")
            payload = r.term()
        if self.flags & MONITORS and ctl[0] in (MONITOR_P, DEMONITOR_P):
            if ctl[0] == MONITOR_P and not self.net_kernel:
                self.send((MONITOR_P_EXIT, ctl[2], ctl[1], ctl[3], Atom("DOWN")))
            return
        if ctl[0] not in MANDATORY:
            self.garbage.append(ctl)
            return
        if ctl[0] == UNLINK_ID:
            self.send((UNLINK_ID_ACK, ctl[1], ctl[3], ctl[2]))
        if ctl[0] == REG_SEND and self.serve(ctl[3], payload):
            return
        self.got.append((ctl, payload))

    def serve(self, name, m):
        if name not in ("net_kernel", "server") or not isinstance(m, tuple) or \
                m[0] != "$gen_call":
            return False
        (caller, tag), request = m[1:]
        if name == "net_kernel" and not self.net_kernel:
            return True
        reply = self.net_kernel if name == "net_kernel" else (Atom("echo"), request)
        if request == Atom("big"):
            reply = b"x" * 200000
        if request != Atom("mute"):
            self.send((SEND, Atom(""), caller), (tag, reply))
        return True

    # Waiting

    def pump(self, what, done):
        """Serves until done() is true, or a test fails."""
        end = time.monotonic() + WAIT
        while not done():
            if self.garbage:
                self.close()
                raise AssertionError(f"{what}: was sent {self.garbage[0]!r}")
            fds = [self.listener, self.puppet.stdout] + ([self.conn] if self.conn else [])
            ready, _, _ = select.select(fds, [], [], min(0.1, max(0, end - time.monotonic())))
            if not ready and time.monotonic() >= end:
                raise AssertionError(f"{what}: not in {WAIT} s; got {self.got!r}")
            if self.listener in ready:
                self.accept()
            elif self.conn in ready:
                part = self.conn.recv(1 << 16)
                if not part:
                    raise AssertionError(f"{what}: the connection is closed")
                self.received += part
                self.frames()
            elif self.puppet.stdout in ready:
                self.said += os.read(self.puppet.stdout.fileno(), 1 << 16)
                *lines, self.said = self.said.split(b"\n")
                self.lines += [line.decode() for line in lines]

    def ask(self, line):
        self.puppet.stdin.write(line.encode() + b"\n")
        self.puppet.stdin.flush()

    def answer(self, what):
        self.pump(what, lambda: self.lines)
        return self.lines.pop(0)

    def do(self, line):
        self.ask(line)
        return self.answer(line)

    def next(self, what):
        self.pump(what, lambda: self.got)
        return self.got.pop(0)

    def command(self, *args):
        p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.pump(" ".join(args), lambda: p.poll() is not None)
        return p.returncode, p.stdout.read().decode().strip()


def equal(a, b):
    if a != b:
        raise AssertionError(f"{a!r} is not {b!r}")


# Tests. Each begins with nothing to be read.

def ping(p):
    status, text = p.command("erldist", "ping", p.node)
    equal((status, text[:9]), (0, "pong from"))


def ping_others(p):
    """What ergo is like: its net_kernel knows no is_auth (2.x), or it has none (3.x)."""
    p.flags |= MONITORS
    for p.net_kernel in (Atom("nil"), None):
        status, text = p.command("erldist", "ping", p.node)
        equal((status, text[:9]), (0, "pong from"))
        equal(text.endswith("; net_adm:ping/1 says pang"), True)


def call(p):
    equal(p.do(f"call 20000 {{server,'{p.node}'}} {{hello,[1,2]}}"), "reply {echo,{hello,[1,2]}}")
    equal(p.command("erldist", "call", f"{{server,'{p.node}'}}", "hello"), (0, "{echo,hello}"))
    equal(len(p.do(f"call 20000 {{server,'{p.node}'}} big")), len("reply <<\"\">>") + 200000)


def call_in_vain(p):
    equal(p.do(f"call 300 {{server,'{p.node}'}} mute")[:15], "error ETIMEDOUT")


def called(p):
    tag = Ref((p.node, CREATION, (1, 2, 3)))
    p.send((REG_SEND, p.pid(1), Atom(""), Atom("puppet")),
           (Atom("$gen_call"), (p.pid(1), tag), Atom("hi")))
    equal(p.do("recv 20000"), "call 0 hi")
    equal(p.do("reply {ok,1}"), "ok")
    equal(p.next("a reply"), ((SEND, Atom(""), p.pid(1)), (tag, (Atom("ok"), 1))))


def pid_text(p, n):
    """How the puppet writes a pid of ours"""
    p.send((REG_SEND, p.pid(n), Atom(""), Atom("puppet")), p.pid(n))
    return p.do("recv 20000").removeprefix("message 0 ")


def link_from_here(p):
    mine = p.pid(2)
    text = pid_text(p, 2)
    equal(p.do("trap 1"), "ok")
    p.send((LINK, mine, p.native))
    p.send((EXIT, mine, p.native, Atom("boom")))
    equal(p.do("recv 20000"), f"exit {text} boom")


def link_from_there(p):
    text = pid_text(p, 3)
    equal(p.do(f"link {text}"), "ok")
    equal(p.next("LINK"), ((LINK, p.native, p.pid(3)), None))
    p.send((EXIT, p.pid(3), p.native, (Atom("bad"), 7)))
    equal(p.do("recv 20000"), f"exit {text} {{bad,7}}")
    equal(p.do(f"link {text}"), "ok")
    equal(p.next("LINK"), ((LINK, p.native, p.pid(3)), None))
    equal(p.do(f"unlink {text}"), "ok")
    ctl, _ = p.next("UNLINK_ID")
    equal((ctl[0], ctl[2:]), (UNLINK_ID, (p.native, p.pid(3))))


def exits(p):
    text = pid_text(p, 4)
    equal(p.do(f"exit {text} {{stop,now}}"), "ok")
    equal(p.next("EXIT2"), ((EXIT2, p.native, p.pid(4), (Atom("stop"), Atom("now"))), None))
    p.send((EXIT2, p.pid(4), p.native, Atom("go")))
    equal(p.do("recv 20000"), f"exit {text} go")


def monitors(p):
    """Nothing comes here, and what is sent behind it does."""
    for dest in (pid_text(p, 5), f"{{server,'{p.node}'}}"):
        ref = p.do(f"monitor {dest} 5").removeprefix("ref ")
        equal(p.do(f"demonitor {ref} 0"), "ok")
        p.do(f"monitor {dest} 6")
    equal(p.do(f"send {{last,'{p.node}'}} word"), "ok")
    equal(p.next("the last word"), ((REG_SEND, p.native, Atom(""), Atom("last")), Atom("word")))


def stays_up(p):
    equal(p.connections, 1)
    status, text = p.command("erldist", "peer", "show")
    equal((status, f"{p.node} up" in text), (0, True))


def lost(p):
    """What they supervise is the connection; a link to the process that ends with it"""
    text = pid_text(p, 6)
    equal(p.do(f"link {text}"), "ok")
    equal(p.next("LINK"), ((LINK, p.native, p.pid(6)), None))
    p.close()
    told = sorted(p.do("recv 20000") for _ in range(3))
    equal([t.split(" ")[0] for t in told], ["down", "down", "exit"])
    for t in told:
        equal(t.endswith(" noconnection"), True)


def ends(p):
    """The exit signal of a native process that ends, by a new connection"""
    equal(p.do(f"send {{first,'{p.node}'}} again"), "ok")
    equal(p.next("a message")[1], Atom("again"))
    text = pid_text(p, 7)
    equal(p.do(f"link {text}"), "ok")
    equal(p.next("LINK"), ((LINK, p.native, p.pid(7)), None))
    p.ask("exit self {the,'end'}")
    equal(p.next("EXIT"), ((EXIT, p.native, p.pid(7), (Atom("the"), Atom("end"))), None))
    p.close()


def run(p):
    tests = (
        ("ping", ping), ("calls, small and large, by the library and the command", call),
        ("a call without a reply", call_in_vain), ("a call from here", called),
        ("a link made here", link_from_here), ("links made there", link_from_there),
        ("exit/2 both ways", exits), ("monitors send nothing", monitors),
        ("the connection is the first one, and up", stays_up),
        ("its loss is told to monitors and links", lost), ("the end of a linked process", ends),
        ("ping of a node with another net_kernel, or none", ping_others),
    )
    for text, test in tests:
        try:
            test(p)
            print(f"ok - {text}", flush=True)
        except (AssertionError, OSError, ValueError) as e:
            print(f"not ok - {text}\n# {e}", flush=True)
            if not p.conn:
                return


def main():
    p = Peer(*sys.argv[1:])
    equal(p.answer("the puppet starts"), "ok")
    p.ask(f"send {{first,'{p.node}'}} word")
    ctl, _ = p.next("the first word")
    p.native = ctl[1]
    equal(p.answer("the first word"), "ok")
    run(p)
    p.puppet.kill()


main()
