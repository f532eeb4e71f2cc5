"""TCP and UDP with all offloads on, between every pair of kinds of device: what arrives is what was sent, and its checksums are right.

Kinds: 'system' is a veth of the host's (AF_PACKET), 'internal' a device the switch makes and that is moved into the guest's namespace, 'patched' a
system device on a second bridge behind a pair of patch ports, 'vlan' one in an access VLAN whose peers see a tagged trunk inside the switch.
"""
import hashlib
import itertools
import os
import socket
import threading

import pytest

from lab import TIMEOUT, eventually, in_namespace, run

KINDS = ["system", "internal", "patched"]


def attach(lab, sw, kind, name):
    """A host of the kind on bridge br0, with its offloads on (as the kernel has them by default)."""
    if kind == "internal":
        host = lab.host(name)
        device = "i" + name
        sw.vsctl("add-port", "br0", device, "--", "set", "interface", device, "type=internal")
        eventually(lambda: device in sw.devices())
        run("ip", "-n", sw.ns, "link", "set", "dev", device, "netns", host.ns)
        host.device = device
        run("ip", "-n", host.ns, "link", "set", "dev", device, "address", host.mac, "up")
        run("ip", "-n", host.ns, "address", "add", f"{host.ip}/24", "dev", device)
        run("ip", "-n", host.ns, "address", "add", f"{host.ip6}/64", "dev", device, "nodad")
        return host
    host = lab.host(name, sw)
    if kind == "patched":
        bridge = "p" + name
        sw.add_bridge(bridge)
        sw.vsctl("add-port", "br0", name + "0", "--", "set", "interface", name + "0", "type=patch", f"options:peer={name}1",
                 "--", "add-port", bridge, name + "1", "--", "set", "interface", name + "1", "type=patch", f"options:peer={name}0",
                 "--", "add-port", bridge, name)
    else:
        sw.add_port("br0", name)
    return host


def transfer_tcp(a, b, address, size, family=socket.AF_INET):
    """Sends random bytes from a to b; returns (hash sent, hash received)."""
    data = os.urandom(size)
    got = hashlib.sha256()
    server = in_namespace(b.ns, lambda: socket.create_server((address, 7000), family=family))
    server.settimeout(TIMEOUT)

    def receive():
        peer, _ = server.accept()
        peer.settimeout(TIMEOUT)
        while chunk := peer.recv(1 << 16):
            got.update(chunk)
        peer.close()

    thread = threading.Thread(target=receive)
    thread.start()

    def connect():
        s = socket.socket(family)
        s.settimeout(TIMEOUT)
        return s

    with in_namespace(a.ns, connect) as s:
        s.connect((address, 7000))
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        thread.join(TIMEOUT)
    server.close()
    assert not thread.is_alive()
    return hashlib.sha256(data).hexdigest(), got.hexdigest()


def transfer_udp(a, b, sizes, gso=0):
    """Datagrams of the sizes from a to b; returns (sent, received).  gso: one send is cut into datagrams of that size by the device or on the way to it."""
    receiver = in_namespace(b.ns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    receiver.bind((b.ip, 7001))
    receiver.settimeout(5)
    sender = in_namespace(a.ns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    if gso:
        sender.setsockopt(socket.IPPROTO_UDP, 103, gso)  # UDP_SEGMENT
    sent = [os.urandom(n) for n in sizes]
    received = []
    for datagram in sent:
        sender.sendto(datagram, (b.ip, 7001))
        whole = b""
        while len(whole) < len(datagram):
            whole += receiver.recv(1 << 16)
        received.append(whole)
    sender.close()
    receiver.close()
    return sent, received


def checksums_are_right(capture, protocol):
    """tshark's verdict on every packet of the capture that is whole on the wire: 1 is right, 0 is wrong, 2 was not looked at."""
    status = capture.tshark(f"{protocol}.checksum.status", filter=protocol)
    assert status, "nothing was captured"
    return {row[0] for row in status}


@pytest.mark.parametrize("one, other", itertools.product(KINDS, KINDS))
@pytest.mark.ours_only("Open vSwitch 3.1 does not carry TCP whose checksum the sender left to the device")
def test_what_arrives_is_what_was_sent(lab, br0, one, other):
    a, b = attach(lab, br0, one, "a"), attach(lab, br0, other, "b")
    eventually(lambda: a.pings(b, count=1))
    sent, got = transfer_tcp(a, b, b.ip, 3 << 20)
    assert sent == got
    sent, got = transfer_tcp(b, a, a.ip6, 1 << 20, socket.AF_INET6)
    assert sent == got
    sent, got = transfer_udp(a, b, [1, 100, 1472, 1473, 9000, 60000])
    assert sent == got
    sent, got = transfer_udp(a, b, [14000], gso=1400)
    assert sent == got


@pytest.mark.parametrize("one, other", [("system", "system"), ("internal", "system"), ("system", "internal")])
@pytest.mark.ours_only("Open vSwitch 3.1 does not carry TCP whose checksum the sender left to the device")
def test_checksums_are_whole_where_the_receiver_looks(lab, br0, one, other):
    """To a device that cannot take unfinished packets they must come finished: every checksum right, nothing longer than the MTU."""
    a, b = attach(lab, br0, one, "a"), attach(lab, br0, other, "b")
    eventually(lambda: a.pings(b, count=1))
    switch_side = b.cable if other == "system" else None
    if switch_side:  # a veth whose both ends have every offload off is like a card that has none
        br0.inside("ethtool", "-K", switch_side, "tx", "off", "tso", "off", "gso", "off")
    run("ip", "netns", "exec", b.ns, "ethtool", "-K", b.device, "rx", "off", "gro", "off", check=False)
    if not switch_side:
        sent, got = transfer_tcp(a, b, b.ip, 1 << 20)
        assert sent == got
        return
    with b.capture("tcp or udp") as capture:
        sent, got = transfer_tcp(a, b, b.ip, 1 << 18)
        assert sent == got
        sent, got = transfer_udp(a, b, [1, 1472])
        assert sent == got
        capture.frames(10)
    assert checksums_are_right(capture, "tcp") == {"1"}
    assert checksums_are_right(capture, "udp") == {"1"}
    assert max(len(f.raw) for f in capture.frames()) <= 1514


@pytest.mark.ours_only("Open vSwitch 3.1 does not carry TCP whose checksum the sender left to the device")
def test_large_packets_stay_large(lab, br0):
    """Between devices that can, TCP travels in pieces far above the MTU."""
    a, b = attach(lab, br0, "system", "a"), attach(lab, br0, "system", "b")
    eventually(lambda: a.pings(b, count=1))
    with b.capture("tcp") as capture:
        transfer_tcp(a, b, b.ip, 8 << 20)
        capture.frames(5)
    assert max(len(f.raw) for f in capture.frames()) > 10000


@pytest.mark.ours_only("Open vSwitch 3.1 does not carry TCP whose checksum the sender left to the device")
def test_through_a_vlan(lab, br0):
    """Access port, tagged trunk, another bridge, access port: tags are pushed and popped, offloads go on."""
    br0.add_bridge("br1")
    lab.cable(br0, "t0", br0, "t1")
    br0.add_port("br0", "t0", "trunks=9")
    br0.add_port("br1", "t1", "trunks=9")
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a", "tag=9")
    br0.add_port("br1", "b", "tag=9")
    eventually(lambda: a.pings(b, count=1))
    with br0.capture("t1", "tcp or vlan") as capture:
        assert len(set(transfer_tcp(a, b, b.ip, 4 << 20))) == 1
        capture.frames(5)
    assert {tuple(f.vlans) for f in capture.frames(where=lambda f: f.ethertype == 0x0800)} == {(9,)}
    assert len(set(transfer_tcp(b, a, a.ip, 4 << 20))) == 1
    sent, got = transfer_udp(b, a, [1, 1472, 1473, 30000])
    assert sent == got


def test_jumbo_frames(lab, br0):
    a, b = lab.host("a", br0, mtu=9000), lab.host("b", br0, mtu=9000)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b, size=8900)
