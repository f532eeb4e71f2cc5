"""Copies of frames: to a port, into a VLAN, of some VLANs, cut, counted."""
import pytest
from lab import eventually, frame

OTHER = "02:00:00:00:00:99"


def mirrored(br0, *settings):
    """A mirror m0 on br0 whose settings may name ports as @name."""
    names = sorted({w[1:] for s in settings for w in s.split("=")[1].split(",") if w.startswith("@")})
    words = [w for n in names for w in ("--", f"--id=@{n}", "get", "port", n)]
    br0.vsctl(*words, "--", "--id=@m", "create", "mirror", "name=m0", *settings, "--", "add", "bridge", "br0", "mirrors", "@m")


@pytest.fixture
def four(lab, br0):
    hosts = {name: lab.host(name, br0) for name in ("a", "b", "c", "tap")}
    for name in hosts:
        br0.add_port("br0", name)
    return hosts


def seen(host, send, where=lambda f: True):
    """Frames with our marker type that arrive at the host while 'send' runs."""
    with host.capture() as capture:
        send()
        got = capture.frames(where=lambda f: f.ethertype == 0x88B5 and where(f), timeout=1)
    return got


def test_what_a_port_lets_in_is_copied(br0, four):
    a, b, tap = four["a"], four["b"], four["tap"]
    mirrored(br0, "select_src_port=@a", "output_port=@tap")
    b.send(frame(src=b.mac, dst=OTHER))  # b is known now
    assert len(seen(tap, lambda: a.send(frame(src=a.mac, dst=b.mac)))) == 1
    assert seen(tap, lambda: b.send(frame(src=b.mac, dst=a.mac))) == []
    eventually(lambda: br0.rows("Mirror")[0]["statistics"].get("tx_packets", 0) >= 1, 10, 0.2)


def test_the_port_for_copies_is_for_nothing_else(br0, four):
    a, tap = four["a"], four["tap"]
    mirrored(br0, "select_src_port=@b", "output_port=@tap")
    assert seen(tap, lambda: a.send(frame(src=a.mac))) == []
    assert seen(a, lambda: tap.send(frame(src=tap.mac))) == []
    br0.vsctl("clear", "bridge", "br0", "mirrors")
    eventually(lambda: len(seen(tap, lambda: a.send(frame(src=a.mac)))) == 1)


def test_everything_of_one_vlan_is_copied_once(br0, four):
    a, tap = four["a"], four["tap"]
    mirrored(br0, "select_all=true", "select_vlan=10", "output_port=@tap")
    got = seen(tap, lambda: a.send(frame(src=a.mac, tags=[10]), frame(src=a.mac, tags=[20]), frame(src=a.mac)))
    assert [f.vlans for f in got] == [[10]]


def test_copies_go_into_a_vlan(br0, four):
    a, b, c = four["a"], four["b"], four["c"]
    br0.vsctl("set", "port", "a", "tag=10", "--", "set", "port", "b", "tag=10", "--", "set", "port", "c", "trunks=99")
    mirrored(br0, "select_src_port=@a", "output_vlan=99")
    got = seen(c, lambda: a.send(frame(src=a.mac, dst=b.mac)))
    assert [f.vlans for f in got] == [[99]]


def test_copies_are_cut(br0, four):
    a, tap = four["a"], four["tap"]
    mirrored(br0, "select_src_port=@a", "output_port=@tap", "snaplen=100")
    (copy,) = seen(tap, lambda: a.send(frame(src=a.mac, payload=b"x" * 500)))
    assert len(copy.raw) == 100
