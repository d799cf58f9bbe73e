#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What erldistd tells the service manager while it holds no node: no module, no root.
build=$(realpath "$1")
if ! command -v python3 > /dev/null; then
	echo "ok 1 - the service manager # SKIP there is no python3"
	echo "1..1"
	exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 - "$build/erldistd" "$dir" << 'END'
import os, signal, socket, subprocess, sys, time

daemon, directory = sys.argv[1:]
nodes = directory + "/nodes"
number = 0
bad = 0


def ok(good, text):
    global number, bad
    number += 1
    bad += not good
    print("%s %d - %s" % ("ok" if good else "not ok", number, text.replace("\n", " ")))


def start(address, **more):
    more = dict(dict(os.environ, NOTIFY_SOCKET=address), **more)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(address.replace("@", "\0", 1))
    manager.settimeout(10)
    log = open(directory + "/log", "w")
    child = subprocess.Popen([daemon, "--config", nodes], stderr=log,
                             env=more)
    return manager, child


def hear(manager):
    try:
        return manager.recv(4096).decode()
    except socket.timeout:
        return ""


# the next that is not about the watchdog
def news(manager):
    text = hear(manager)
    while text == "WATCHDOG=1":
        text = hear(manager)
    return text


os.mkdir(nodes)
manager, child = start(directory + "/manager", WATCHDOG_USEC="1000000")
ok(news(manager) == "READY=1\nSTATUS=0 nodes", "ready, and how many nodes there are")
times = []
while len(times) < 4 and hear(manager) == "WATCHDOG=1":
    times.append(time.monotonic())
ok(len(times) == 4 and max(b - a for a, b in zip(times, times[1:])) < 1,
   "the watchdog, in time")
before = time.monotonic()
child.send_signal(signal.SIGHUP)
text = news(manager)
ok(text.startswith("RELOADING=1\nMONOTONIC_USEC="), "SIGHUP: " + text)
told = int(text.rpartition("=")[2] or 0) / 1e6
ok(before <= told <= time.monotonic(), "with the time")
ok(news(manager) == "READY=1\nSTATUS=0 nodes", "and it is done")
with open(nodes + "/a.conf", "w") as f:
    f.write("nonsense\n")
child.send_signal(signal.SIGHUP)
news(manager)
text = news(manager)
ok(text == "READY=1\nSTATUS=the last configuration was refused; 0 nodes", text)
ok(child.poll() is None, "it goes on")
child.send_signal(signal.SIGTERM)
ok(news(manager) == "STOPPING=1", "SIGTERM")
ok(child.wait() == 0, "status 0")
os.unlink(nodes + "/a.conf")

# the reader of the log has gone
reader, writer = os.pipe()
child = subprocess.Popen([daemon, "--config", nodes], stderr=writer)
os.close(writer)
said = os.read(reader, 500)
os.close(reader)
with open(nodes + "/a.conf", "w") as f:
    f.write("nonsense\n")
child.send_signal(signal.SIGHUP)
try:
    status = child.wait(1)
except subprocess.TimeoutExpired:
    status = None
ok(b"there is no node" in said and status is None, "it goes on without a log: %s" % status)
child.terminate()
ok(child.wait() == 0, "status 0")
os.unlink(nodes + "/a.conf")

name = "@erldist-test-%d" % os.getpid()
manager, child = start(name, WATCHDOG_USEC="400000", WATCHDOG_PID="1")
ok(news(manager) == "READY=1\nSTATUS=0 nodes", "an abstract address")
manager.settimeout(1)
ok(hear(manager) == "", "a watchdog of another process")
child.terminate()
child.wait()

# names that are resolved one after the other, each slowly
os.mkdir(directory + "/bin")
with open(directory + "/bin/getent", "w") as f:
    f.write("#!/bin/sh\nsleep 1\necho 127.0.0.1 STREAM x\n")
os.chmod(directory + "/bin/getent", 0o700)
manager, child = start(name + "-slow", WATCHDOG_USEC="4000000",
                       PATH=directory + "/bin:" + os.environ["PATH"])
ok(news(manager) == "READY=1\nSTATUS=0 nodes", "it starts")
with open(nodes + "/a.conf", "w") as f:
    f.write("".join("listen = slow%d:0\n" % i for i in range(8)) + "nonsense\n")
child.send_signal(signal.SIGHUP)
times = [time.monotonic()]
text = ""
while not text.startswith("READY=1"):
    text = hear(manager)
    if text == "WATCHDOG=1" or text == "":
        times.append(time.monotonic())
    if text == "":
        break
longest = max(b - a for a, b in zip(times, times[1:] + [time.monotonic()]))
ok(text.startswith("READY=1") and times[-1] - times[0] > 5 and longest < 4,
   "the watchdog hears of a slow reload: %.1f s, %.1f s at most" % (times[-1] - times[0], longest))
child.terminate()
child.wait()
os.unlink(nodes + "/a.conf")
print("1..%d" % number)
sys.exit(bad != 0)
END
