"""Kinds of device: what a frame must look like behind each, and what the kernel may do to one."""
import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import random
import signal
import socket
import time

import pytest
from lab import Host, eventually, frame, in_namespace, run

BYTES = random.Random(1).randbytes(3_000_000)


def sockets(a, b, ip, kind):
    """A socket of host a, and one of host b that listens (or is bound) at the address."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET

    def make():
        return socket.socket(family, kind)

    here, there = in_namespace(a.ns, make), in_namespace(b.ns, make)
    for s in (here, there):
        s.settimeout(10)
    there.bind((ip, 5000))
    return here, there


def tcp(a, b, ip=None):
    """Moves BYTES from a to b; true if they are the same at the end."""
    here, there = sockets(a, b, ip or b.ip, socket.SOCK_STREAM)
    with here, there:
        there.listen()
        here.connect((ip or b.ip, 5000))
        line = there.accept()[0]
        with line, concurrent.futures.ThreadPoolExecutor() as pool:
            line.settimeout(10)
            sent = pool.submit(lambda: (here.sendall(BYTES), here.shutdown(socket.SHUT_WR)))
            got = b"".join(iter(lambda: line.recv(1 << 20), b""))
            sent.result()
    return got == BYTES


def udp(a, b, ip=None, size=1400, n=200):
    """Sends n datagrams from a to b; true if they all arrive, as they were."""
    here, there = sockets(a, b, ip or b.ip, socket.SOCK_DGRAM)
    with here, there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        wanted = {BYTES[i:i + size] for i in range(0, n * size, size)}
        for datagram in wanted:
            here.sendto(datagram, (ip or b.ip, 5000))
        return {there.recv(65536) for _ in range(n)} == wanted


def plugged(lab, sw, name, kind):
    """A host behind a port of this kind.  An internal or tap port becomes the host's own device."""
    if kind == "system":
        host = lab.host(name, sw)
        sw.add_port("br0", name)
        return host
    host = lab.host(name)
    sw.vsctl("add-port", "br0", name, "--", "set", "interface", name, "type=" + kind)
    host.device = name
    run("ip", "-n", sw.ns, "link", "set", "dev", name, "netns", host.ns)
    run("ip", "-n", host.ns, "link", "set", "dev", name, "address", host.mac, "up")
    run("ip", "-n", host.ns, "address", "add", f"{host.ip}/24", "dev", name)
    run("ip", "-n", host.ns, "address", "add", f"{host.ip6}/64", "dev", name, "nodad")
    return host


KINDS = ["system", "internal", "tap"]


@pytest.mark.parametrize("one,other", itertools.product(KINDS, KINDS))
def test_tcp_and_udp_pass_between_every_two_kinds(lab, br0, one, other):
    a, b = plugged(lab, br0, "a", one), plugged(lab, br0, "b", other)
    assert a.pings(b)
    assert a.pings(b.ip6)
    assert tcp(a, b)
    assert tcp(a, b, b.ip6)
    assert udp(a, b)
    assert udp(a, b, b.ip6)
    assert udp(a, b, size=5000)  # in fragments


def bad_sums(capture):
    """Frames whose checksums tshark finds wrong, or does not find."""
    checks = sum((["-o", f"{p}.check_checksum:TRUE"] for p in ("ip", "tcp", "udp")), [])
    rows = run("tshark", "-r", capture.path, *checks, "-T", "fields", "-E", "separator=|", "-e", "frame.len", "-e", "ip.checksum.status",
               "-e", "tcp.checksum.status", "-e", "udp.checksum.status", "-Y", "tcp or udp").splitlines()
    rows = [r.split("|") for r in rows]
    assert len(rows) > 20
    return [r for r in rows if int(r[0]) > 1514 or "0" in r[1:] or not (r[2] or r[3])]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [4, 6])
def test_a_device_without_offloads_gets_whole_frames(lab, br0, kind, family):
    a, b = plugged(lab, br0, "a", kind), plugged(lab, br0, "b", "system")
    run("ip", "netns", "exec", br0.ns, "ethtool", "-K", "b", "tx", "off", "tso", "off", "gso", "off")
    assert a.pings(b)
    to = b.ip6 if family == 6 else b.ip
    with b.capture("ip6" if family == 6 else "ip") as seen:
        assert tcp(a, b, to)
        assert udp(a, b, to)
    seen.stop()
    assert not bad_sums(seen)


def test_a_host_without_offloads_is_understood(lab, br0):
    a, b = plugged(lab, br0, "a", "system"), plugged(lab, br0, "b", "internal")
    a.offload(False)
    assert tcp(a, b)
    assert tcp(b, a)
    assert udp(b, a)


def udp_train(a, b, ip, size=1200, n=30):
    """One call of UDP_SEGMENT sends n datagrams; true if they arrive one by one."""
    here, there = sockets(a, b, ip, socket.SOCK_DGRAM)
    with here, there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        here.setsockopt(socket.SOL_UDP, 103, size)
        here.sendto(BYTES[: n * size - 5], (ip, 5000))
        return b"".join(there.recv(65536) for _ in range(n)) == BYTES[: n * size - 5]


@pytest.mark.ours_only("the peer loses them")
@pytest.mark.parametrize("one,other", itertools.product(KINDS[:2], KINDS[:2]))
def test_udp_trains_pass(lab, br0, one, other):
    a, b = plugged(lab, br0, "a", one), plugged(lab, br0, "b", other)
    assert a.pings(b)
    assert udp_train(a, b, b.ip)
    assert udp_train(a, b, b.ip6)
    if other == "system":
        run("ip", "netns", "exec", br0.ns, "ethtool", "-K", "b", "tx", "off", "tso", "off", "gso", "off")
        with b.capture("udp") as seen:
            assert udp_train(a, b, b.ip)
            assert udp_train(a, b, b.ip6)
            assert udp(a, b)
        seen.stop()
        assert not bad_sums(seen)


@pytest.mark.ours_only("the peer cuts them up or loses them")
def test_64_kib_pieces_pass_as_they_are(lab, br0):
    a, b = plugged(lab, br0, "a", "system"), plugged(lab, br0, "b", "system")
    with b.capture("tcp") as seen:
        assert tcp(a, b)
    seen.stop()
    assert max(len(f.raw) for f in seen.frames()) > 30000


@pytest.mark.parametrize("offloads", ["on", "off"])
def test_tagged_frames_keep_tag_and_offloads(lab, br0, offloads):
    """Two bridges with a trunk between them: tags go into 64 KiB pieces, and come out of what the kernel hands over beside the frame."""
    br0.add_bridge("br1")
    br0.inside("ip", "link", "add", "t0", "type", "veth", "peer", "name", "t1")
    for bridge, trunk in (("br0", "t0"), ("br1", "t1")):
        br0.inside("ip", "link", "set", "dev", trunk, "up")
        br0.inside("ethtool", "-K", trunk, "tx", offloads, "tso", offloads, "gso", offloads)
        br0.add_port(bridge, trunk)
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a", "tag=7")
    br0.add_port("br1", "b", "tag=7")
    with br0.capture("t1") as seen:
        assert a.pings(b)
        assert tcp(a, b)
        assert tcp(b, a, a.ip6)
        assert udp(a, b)
    seen.stop()
    assert {tuple(f.vlans) for f in seen.frames(where=lambda f: f.src == a.mac)} == {(7,)}
    biggest = max(len(f.raw) for f in seen.frames())
    assert biggest > 30000 if offloads == "on" else biggest <= 1518


def test_jumbo_frames(lab, br0):
    a, b = lab.host("a", br0, mtu=9000), lab.host("b", br0, mtu=9000)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b, size=8000)
    assert tcp(a, b)


def answers(a, sw, device, ip):
    """Does the switch's own host answer on that device?"""
    a.run("ip", "neigh", "flush", "all")
    return a.pings(ip, count=2, within=0.5)


def test_the_host_does_not_answer_what_the_switch_takes(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.inside("ip", "address", "add", "10.0.0.200/24", "dev", "a")
    assert answers(a, br0, "a", "10.0.0.200")
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b)
    assert not answers(a, br0, "a", "10.0.0.200")
    br0.vsctl("del-port", "br0", "a")
    eventually(lambda: answers(a, br0, "a", "10.0.0.200"))


@pytest.mark.ours_only("the peer leaves the host in")
def test_a_switch_that_was_killed_gives_the_device_back(lab, br0):
    a = lab.host("a", br0)
    br0.inside("ip", "address", "add", "10.0.0.200/24", "dev", "a")
    br0.add_port("br0", "a")
    assert not answers(a, br0, "a", "10.0.0.200")
    br0.kill("ovs-vswitchd")
    eventually(lambda: answers(a, br0, "a", "10.0.0.200"))


def test_a_device_with_another_name_is_another_device(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b)
    for old, new in (("b", "other"), ("other", "b")):
        br0.inside("ip", "link", "set", "dev", old, "down")
        br0.inside("ip", "link", "set", "dev", old, "name", new)
        br0.inside("ip", "link", "set", "dev", new, "up")
        if new == "other":
            eventually(lambda: not a.pings(b, count=1, within=0.3))
    eventually(lambda: a.pings(b))


def test_an_internal_port_in_another_namespace(lab, br0):
    a, b = plugged(lab, br0, "a", "system"), plugged(lab, br0, "b", "internal")
    assert a.pings(b)
    run("ip", "-n", b.ns, "link", "set", "dev", "b", "mtu", "1400")
    eventually(lambda: br0.interface("b")["mtu"] == 1400 and br0.interface("b")["link_state"] == "up")
    assert br0.interface("b")["mac_in_use"] == b.mac
    assert not br0.interface("b")["error"]
    br0.vsctl("del-port", "br0", "b")
    eventually(lambda: "b:" not in b.run("ip", "-br", "link"))
    eventually(lambda: b.run("ip", "-br", "link").count("\n") == 1)


def test_the_namespace_of_an_internal_port_goes(lab, br0):
    plugged(lab, br0, "a", "internal")
    ns = [n for n in run("ip", "netns").split() if n.endswith("-a")][-1]
    run("ip", "netns", "del", ns)
    eventually(lambda: "a" in br0.devices(), timeout=40)  # the kernel takes namespaces away one after another, in its own time
    br0.vsctl("del-port", "br0", "a")
    eventually(lambda: "a" not in br0.devices())


@pytest.mark.ours_only("queues are chosen otherwise there")
def test_a_tap_with_several_queues(lab, br0):
    a = plugged(lab, br0, "a", "system")
    br0.vsctl("add-port", "br0", "t", "--", "set", "interface", "t", "type=internal", "options:n_rxq=2")
    b = Host(lab, "b", 99)
    b.device = "t"
    run("ip", "-n", br0.ns, "link", "set", "dev", "t", "netns", b.ns)
    run("ip", "-n", b.ns, "link", "set", "dev", "t", "up")
    run("ip", "-n", b.ns, "address", "add", f"{b.ip}/24", "dev", "t")
    assert a.pings(b)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert all(pool.map(lambda hosts: tcp(*hosts), [(a, b), (b, a)]))


NUMBERED = 0x88B6


def numbered(host, first, n):
    """In small portions: the kernel's own queue between the ends of a cable holds 1000."""
    for at in range(first, first + n, 100):
        host.send(*[frame("02:00:00:00:00:02", "02:00:00:00:00:01", ethertype=NUMBERED, payload=i.to_bytes(4, "big")) for i in range(at, at + 100)])
        time.sleep(0.001)


@pytest.mark.ours_only("a way of ours to receive")
def test_dense_traffic_comes_through_a_ring_in_order(lab, br0):
    """What piles up while the switch is held makes full bursts, so that the ring is made; nothing comes twice or out of order then or later."""
    a, b = plugged(lab, br0, "a", "system"), plugged(lab, br0, "b", "system")
    assert a.pings(b)
    pid = br0.pid("ovs-vswitchd")
    has_ring = lambda: "socket:" in pathlib.Path(f"/proc/{pid}/maps").read_text()
    ear = in_namespace(b.ns, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    with ear:
        ear.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        ear.bind((b.device, NUMBERED))
        ear.settimeout(1)
        assert not has_ring()
        os.kill(pid, signal.SIGSTOP)
        numbered(a, 0, 4000)
        os.kill(pid, signal.SIGCONT)
        numbered(a, 4000, 2000)
        eventually(has_ring)
        numbered(a, 6000, 1000)
        assert tcp(a, b)  # longer frames go beside the ring
        assert udp(a, b)
        numbered(a, 7000, 1000)
        eventually(lambda: not has_ring(), timeout=30)
        numbered(a, 8000, 1000)
        got = []
        with contextlib.suppress(TimeoutError):
            while True:
                got.append(int.from_bytes(ear.recv(100)[14:18], "big"))
    assert got == sorted(set(got))
    assert got[-1] == 8999 and len(got) > 8990
    assert tcp(b, a)
