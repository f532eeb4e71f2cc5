"""lab - hosts, cables and switches for the whole-product cases.

A Lab owns everything a case makes: network namespaces, cables (veth pairs), programs, a scratch directory.  Lab.close() takes all of it away again.
The switch under test has a namespace of its own, so that cases may run beside one another and device names need no prefix:

    lab = Lab()
    sw = lab.switch()                       # ours; lab.switch(PEER) is Debian's Open vSwitch
    sw.vsctl("add-br", "br0")
    a, b = lab.host("a", sw), lab.host("b", sw)      # namespaces with 10.0.0.1, 10.0.0.2, cabled to sw's devices "a" and "b"
    sw.vsctl("add-port", "br0", "a", "tag=5")
    assert a.pings(b)
    with b.capture() as seen:               # tcpdump on b's eth0
        a.send(frame(src=..., dst=...))
    assert seen.frames()[0].vlans == [...]

Nothing here sleeps for a duration and hopes: what takes time is awaited with eventually().
"""
import contextlib
import ctypes
import dataclasses
import ipaddress
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

OURS = "sluice"
PEER = "debian"

BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", "build")).resolve()
COMPAT = BUILD / "compat"
TIMEOUT = 20  # seconds that anything here may take before it counts as hung


class Failed(Exception):
    """A program said no; the text is what it printed."""

    def __init__(self, command, code, out, err):
        super().__init__(f"{' '.join(map(str, command))}: exit code {code}\n{out}{err}")
        self.code, self.out, self.err = code, out, err


def run(*command, check=True, timeout=TIMEOUT, stdin=None, env=None):
    """Runs a command to its end and returns what it printed; Failed if it says no and check is on."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, errors="replace", timeout=timeout, input=stdin, env=env)
    if check and done.returncode:
        raise Failed(command, done.returncode, done.stdout, done.stderr)
    return done.stdout if check else done


def eventually(what, timeout=10, every=0.02):
    """Calls what() until it returns something true, and returns that; fails with its last answer or exception."""
    end = time.monotonic() + timeout
    while True:
        error, answer = None, None
        try:
            answer = what()
            if answer:
                return answer
        except (AssertionError, Failed, OSError) as e:
            error = e
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s; last answer: {answer!r}") from error
        time.sleep(every)


def in_namespace(name, fn):
    """Calls fn() on a thread that has entered the namespace, e.g. to open a socket there."""
    result = []

    def body():
        with open(f"/run/netns/{name}") as ns:
            if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0x40000000):  # CLONE_NEWNET
                result.append((None, OSError(ctypes.get_errno(), f"setns {name}")))
                return
        try:
            result.append((fn(), None))
        except OSError as e:
            result.append((None, e))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = result[0]
    if error:
        raise error
    return value


# ---- Frames. ----


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def frame(dst="ff:ff:ff:ff:ff:ff", src="02:00:00:00:00:01", tags=(), ethertype=0x88B5, payload=b"sluice"):
    """An Ethernet frame, padded to 60 bytes.  tags: VLAN ids or (tpid, tci) pairs, outermost first."""
    head = mac(dst) + mac(src)
    for tag in tags:
        tpid, tci = tag if isinstance(tag, tuple) else (0x8100, tag)
        head += struct.pack("!HH", tpid, tci)
    return (head + struct.pack("!H", ethertype) + payload).ljust(60, b"\0")


@dataclasses.dataclass
class Frame:
    """One frame as it was on the wire."""

    raw: bytes
    dst: str
    src: str
    tags: list  # (tpid, pcp, vid), outermost first
    ethertype: int
    payload: bytes

    @property
    def vlans(self):
        return [vid for _, _, vid in self.tags]


def parse_frame(raw):
    text = raw.hex()
    dst, src = (":".join(text[i : i + 2] for i in range(at, at + 12, 2)) for at in (0, 12))
    at, tags = 12, []
    while True:
        (kind,) = struct.unpack_from("!H", raw, at)
        if kind not in (0x8100, 0x88A8) or len(raw) < at + 6:
            return Frame(raw, dst, src, tags, kind, raw[at + 2 :])
        (tci,) = struct.unpack_from("!H", raw, at + 2)
        tags.append((kind, tci >> 13, tci & 0xFFF))
        at += 4


def read_pcap(path):
    """The whole frames of a pcap file, even if it is still being written."""
    data = path.read_bytes()
    if len(data) < 24:
        return []
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, frames = 24, []
    while at + 16 <= len(data):
        (size,) = struct.unpack_from(order + "I", data, at + 8)
        if at + 16 + size > len(data):
            break
        frames.append(parse_frame(data[at + 16 : at + 16 + size]))
        at += 16 + size
    return frames


class Capture:
    """tcpdump on one device.  As a context: what passes while the body runs, plus what frames(n) waits for."""

    def __init__(self, lab, netns, device, filter="", direction="in"):
        self.path = lab.dir / f"{netns}-{device}-{lab.next_number()}.pcap"
        command = ["ip", "netns", "exec", netns, "tcpdump", "-i", device, "-n", "-U", "--immediate-mode", "-s", "0",
                   "-Q", direction, "-w", str(self.path), *([filter] if filter else [])]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        lab.defer(self.stop)
        line = b""
        while b"listening on" not in line:
            line = self.process.stderr.readline()
            if not line:
                raise Failed(command, self.process.wait(), "", "tcpdump ended")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(TIMEOUT)
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def frames(self, n=None, where=lambda f: True, timeout=5):
        """The frames so far that satisfy 'where'; with n, waits until there are at least that many."""
        pick = lambda: [f for f in read_pcap(self.path) if where(f)]
        if n is not None:
            eventually(lambda: len(pick()) >= n, timeout)
        return pick()

    def tshark(self, *fields, filter=""):
        """Rows of fields as tshark prints them; repeated fields (tags of one frame) are joined by commas."""
        command = ["tshark", "-r", self.path, "-T", "fields", "-E", "separator=|", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
        for f in fields:
            command += ["-e", f]
        if filter:
            command += ["-Y", filter]
        return [line.split("|") for line in run(*command).splitlines()]


# ---- Hosts. ----


class Host:
    """A namespace with one device, eth0, at the far end of a cable."""

    def __init__(self, lab, name, number, mtu=None):
        self.lab, self.name = lab, name
        self.ns = lab.namespace(name)
        self.device = "eth0"
        self.ip = str(ipaddress.ip_address("10.0.0.0") + number)
        self.ip6 = f"fd00::{number:x}"
        self.mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        self.mtu = mtu

    def plug_into(self, netns, device):
        """Cables eth0 to a new device in the other namespace, and brings both up."""
        self.cable = device
        run("ip", "-n", self.ns, "link", "add", self.device, "address", self.mac, "type", "veth", "peer", "name", device, "netns", netns)
        run("ip", "netns", "exec", self.ns, "sysctl", "-qw", f"net.ipv6.conf.{self.device}.accept_dad=0",
            f"net.ipv6.conf.{self.device}.router_solicitations=0")
        if self.mtu:
            run("ip", "-n", self.ns, "link", "set", "dev", self.device, "mtu", self.mtu)
            run("ip", "-n", netns, "link", "set", "dev", device, "mtu", self.mtu)
        run("ip", "netns", "exec", netns, "sysctl", "-qw", f"net.ipv6.conf.{device}.disable_ipv6=1")
        run("ip", "-n", self.ns, "link", "set", "dev", self.device, "up")
        run("ip", "-n", netns, "link", "set", "dev", device, "up")
        run("ip", "-n", self.ns, "address", "add", f"{self.ip}/24", "dev", self.device)
        run("ip", "-n", self.ns, "address", "add", f"{self.ip6}/64", "dev", self.device, "nodad")
        return self

    def run(self, *command, **more):
        return run("ip", "netns", "exec", self.ns, *command, **more)

    def start(self, *command, **more):
        """A program that runs until the case ends."""
        process = subprocess.Popen(["ip", "netns", "exec", self.ns, *map(str, command)], **more)
        self.lab.defer(lambda: end_process(process))
        return process

    def pings(self, other, count=3, within=1, size=None, interval=0.05):
        """True if at least one of 'count' echo requests comes back.  'other' is a Host or an address."""
        target = other.ip if isinstance(other, Host) else other
        more = ["-s", str(size), "-M", "do"] if size else []
        done = self.run("ping", "-q", "-n", "-c", str(count), "-i", str(interval), "-W", str(within), *more, target, check=False)
        return done.returncode == 0

    def vlan(self, vid, number, proto="802.1Q"):
        """A VLAN device on eth0 with an address of its own; returns the address."""
        name = f"{self.device}.{vid}"
        ip = str(ipaddress.ip_address(f"10.{vid >> 8}.{vid & 255}.0") + number)
        run("ip", "-n", self.ns, "link", "add", "link", self.device, "name", name, "type", "vlan", "proto", proto, "id", vid)
        run("ip", "-n", self.ns, "link", "set", "dev", name, "up")
        run("ip", "-n", self.ns, "address", "add", f"{ip}/24", "dev", name)
        return ip

    def capture(self, filter="", direction="in"):
        return Capture(self.lab, self.ns, self.device, filter, direction)

    def send(self, *frames):
        """Puts raw frames on the wire."""
        with contextlib.closing(self.raw_socket()) as s:
            for f in frames:
                s.send(f)

    def raw_socket(self):
        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.bind((self.device, 0))
            return s

        return in_namespace(self.ns, make)

    def offload(self, on):
        word = "on" if on else "off"
        for where, device in ((self.ns, self.device),):
            run("ip", "netns", "exec", where, "ethtool", "-K", device, *sum(([f, word] for f in ("tx", "tso", "gso", "gro")), []), check=False)


def end_process(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# ---- Switches. ----


class Switch:
    """A database server and a switch daemon with private directories, in a namespace of their own.

    'db' and 'daemon' say whose program each is (OURS or PEER); 'tools' whose ovs-vsctl and friends drive them.
    """

    def __init__(self, lab, db, daemon, tools, name):
        self.lab, self.name, self.tools = lab, name, tools
        self.whose = {"ovsdb-server": db, "ovs-vswitchd": daemon}
        self.ns = lab.namespace(name)
        self.dir = lab.dir / name
        self.dir.mkdir()
        self.conf = self.dir / "conf.db"
        self.vswitchd_options = []
        self.env = os.environ | {"OVS_RUNDIR": str(self.dir), "OVS_LOGDIR": str(self.dir), "OVS_DBDIR": str(self.dir),
                                 "OVS_SYSCONFDIR": str(self.dir), "OVS_SYSLOG_METHOD": "null"}
        self.env.pop("OVS_PKGDATADIR", None)
        self.next_host = 1

    # Programs.

    def program(self, name, whose=None):
        if (whose or self.whose.get(name, self.tools)) == OURS:
            return str(COMPAT / name)
        return shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin") or f"/usr/sbin/{name}"

    def schema(self, whose):
        return COMPAT / "vswitch.ovsschema" if whose == OURS else pathlib.Path("/usr/share/openvswitch/vswitch.ovsschema")

    def inside(self, *command, check=True, **more):
        return run("ip", "netns", "exec", self.ns, *command, check=check, env=self.env, **more)

    def pid(self, name):
        try:
            return int((self.dir / f"{name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def start_db(self):
        whose = self.whose["ovsdb-server"]
        if not self.conf.exists():
            self.inside(self.program("ovsdb-tool", whose), "create", self.conf, self.schema(whose))
        self.inside(self.program("ovsdb-server"), self.conf, "--remote=punix:" + str(self.dir / "db.sock"),
                    "--remote=db:Open_vSwitch,Open_vSwitch,manager_options", "--pidfile", "--log-file", "--detach", "--no-chdir",
                    "-vconsole:off")

    def start_daemon(self):
        self.inside(self.program("ovs-vswitchd"), "unix:" + str(self.dir / "db.sock"), "--pidfile", "--log-file", "--detach",
                    "--no-chdir", "-vconsole:off", *self.vswitchd_options)

    def start(self):
        self.start_db()
        self.vsctl("--no-wait", "init")
        self.start_daemon()
        return self

    def stop_daemon(self, cleanup=False):
        self.end("ovs-vswitchd", *(["--cleanup"] if cleanup else []))

    def stop_db(self):
        self.end("ovsdb-server")

    def stop(self):
        self.stop_daemon(cleanup=True)
        self.stop_db()

    def end(self, name, *words):
        """Asks a program to exit, and sees it gone; kills it (and fails) when it does not go."""
        pid = self.pid(name)
        if pid is None:
            return
        asked = self.appctl("-t", name, "exit", *words, check=False)
        try:
            eventually(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 5)
        except AssertionError:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"{name} (pid {pid}) did not exit when asked: {asked.stdout}{asked.stderr}") from None

    def kill(self, name):
        """kill -9, and waits until the process is gone."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not pathlib.Path(f"/proc/{pid}").exists())

    def discard(self):
        """At the end of a case: whatever still runs is ended without ceremony."""
        for name in ("ovs-vswitchd", "ovsdb-server"):
            pid = self.pid(name)
            if pid and pathlib.Path(f"/proc/{pid}").exists():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    # Tools.

    def vsctl(self, *words, check=True, **more):
        """What ovs-vsctl printed, without the last line feed (check=False: the finished process)."""
        done = self.inside(self.program("ovs-vsctl"), "--timeout=10", "--db=unix:" + str(self.dir / "db.sock"), *words, check=check, **more)
        return done.rstrip("\n") if check else done

    def appctl(self, *words, check=True, **more):
        done = self.inside(self.program("ovs-appctl"), "--timeout=10", *words, check=check, **more)
        return done.rstrip("\n") if check else done

    def ofctl(self, *words, check=True, whose=PEER, **more):
        """Debian's ovs-ofctl: ours knows the commands about rules only."""
        done = self.inside(self.program("ovs-ofctl", whose), *words, check=check, **more)
        return done.rstrip("\n") if check else done

    def rows(self, table, *columns):
        """All rows of a table as dictionaries of plain Python values."""
        options = ["--columns=" + ",".join(columns)] if columns else []
        answer = json.loads(self.vsctl("--format=json", *options, "list", table))
        return [dict(zip(answer["headings"], map(plain, row))) for row in answer["data"]]

    def get(self, table, record, column):
        return self.vsctl("get", table, record, column)

    def interface(self, name):
        (row,) = [r for r in self.rows("Interface") if r["name"] == name]
        return row

    def log(self, name="ovs-vswitchd"):
        path = self.dir / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def complaints(self, name="ovs-vswitchd"):
        """Log lines that start scripts and test suites take for a failure."""
        return [line for line in self.log(name).splitlines() if any(f"|{level}|" in line for level in ("WARN", "ERR", "EMER"))]

    # Bridges and devices.

    def add_bridge(self, name="br0", *more):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", *more)

    def add_port(self, bridge, device, *settings):
        self.vsctl("add-port", bridge, device, *settings)

    def devices(self):
        """Names of the network devices in the switch's namespace."""
        return [link["ifname"] for link in json.loads(run("ip", "-n", self.ns, "-j", "link"))]

    def capture(self, device, filter="", direction="in"):
        return Capture(self.lab, self.ns, device, filter, direction)


def plain(value):
    """A value in OVSDB's JSON as Python has it: sets become lists, maps dictionaries, uuids strings."""
    if isinstance(value, list) and len(value) == 2:
        kind, inside = value
        if kind == "set":
            return [plain(v) for v in inside]
        if kind == "map":
            return {plain(k): plain(v) for k, v in inside}
        if kind in ("uuid", "named-uuid"):
            return inside
    return value


# ---- The lab. ----


class Lab:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sl-"))  # short: names of unix sockets are
        self.tag = self.dir.name[3:]
        self.undo = []
        self.number = 0
        self.hosts = 0

    def next_number(self):
        self.number += 1
        return self.number

    def defer(self, fn):
        """fn() is called at the end, last first."""
        self.undo.append(fn)

    def namespace(self, name):
        ns = f"{self.tag}-{name}"
        run("ip", "netns", "add", ns)
        self.defer(lambda: run("ip", "netns", "del", ns, check=False))
        run("ip", "-n", ns, "link", "set", "lo", "up")
        return ns

    def switch(self, whose=None, db=None, tools=None, name="sw", start=True):
        """A running switch.  Whose program each part is: 'whose' unless said otherwise."""
        whose = whose or os.environ.get("SLUICE_PRODUCT", OURS)
        sw = Switch(self, db or whose, whose, tools or whose, name)
        self.defer(sw.discard)
        return sw.start() if start else sw

    def host(self, name, switch=None, device=None, mtu=None):
        """A host; with a switch, cabled to a new device (named like the host) in the switch's namespace."""
        self.hosts += 1
        host = Host(self, name, self.hosts, mtu)
        if switch:
            host.plug_into(switch.ns, device or name)
        return host

    def cable(self, one, device, other, other_device):
        """A veth pair between two switches (or two bridges of one)."""
        run("ip", "-n", one.ns, "link", "add", device, "type", "veth", "peer", "name", other_device, "netns", other.ns)
        for sw, dev in ((one, device), (other, other_device)):
            sw.inside("sysctl", "-qw", f"net.ipv6.conf.{dev}.disable_ipv6=1")
            run("ip", "-n", sw.ns, "link", "set", "dev", dev, "up")

    def close(self, keep=False):
        while self.undo:
            fn = self.undo.pop()
            try:
                fn()
            except Exception as e:  # the rest must still be taken away
                print(f"lab: {e}")
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)
