"""What a careless or hostile neighbour may bring: each gets a clear error or a counted drop, and nothing else changes."""
import contextlib
import fcntl
import json
import os
import shutil
import socket
import struct

import pytest

from lab import eventually, frame, in_namespace


def works(lab, sw, a, b):
    assert a.pings(b)
    assert sw.vsctl("list-br") == "br0"


@pytest.fixture
def pair(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    return a, b


# ---- From the database. ----


def test_names_of_sixteen_characters(lab, br0, pair):
    name = "abcdefghijklmnop"
    br0.vsctl("add-port", "br0", name, check=False)
    row = br0.interface(name)
    assert row["ofport"] == -1 and row["error"]
    br0.vsctl("add-port", "br0", name[:15], "--", "set", "interface", name[:15], "type=internal")
    assert br0.interface(name[:15])["ofport"] > 0
    works(lab, br0, *pair)


@pytest.mark.ours_only("the peer cuts the name short and goes on")
def test_a_bridge_with_a_name_too_long(lab, br0, pair):
    br0.vsctl("add-br", "abcdefghijklmnop", "--", "set", "bridge", "abcdefghijklmnop", "datapath_type=netdev", check=False)
    row = br0.interface("abcdefghijklmnop")
    assert row["ofport"] in (-1, []) and row["error"]
    br0.vsctl("del-br", "abcdefghijklmnop")
    works(lab, br0, *pair)


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", "..", "x y", "é"])
def test_names_that_are_no_device_names(lab, br0, pair, name):
    br0.vsctl("add-br", name, check=False)
    br0.vsctl("add-port", "br0", name + "1", check=False)
    assert not list(br0.dir.parent.glob("*.mgmt"))
    br0.vsctl("--if-exists", "del-br", name)
    br0.vsctl("--if-exists", "del-port", name + "1")
    works(lab, br0, *pair)


def test_two_bridges_claim_one_device(lab, br0, pair):
    br0.add_bridge("br1")
    done = br0.vsctl("add-port", "br1", "a", check=False)
    assert done.returncode == 1  # a Port's name is unique
    # By another port's interface of the same name, the schema refuses it, too.
    done = br0.vsctl("--id=@i", "create", "interface", "name=a", "--", "--id=@p", "create", "port", "name=a2", "interfaces=@i",
                     "--", "add", "bridge", "br1", "ports", "@p", check=False)
    assert done.returncode == 1
    br0.vsctl("del-br", "br1")
    works(lab, br0, *pair)


def test_types_that_nobody_knows(lab, br0, pair):
    br0.vsctl("add-port", "br0", "odd", "--", "set", "interface", "odd", "type=teleport", check=False)
    row = br0.interface("odd")
    assert row["ofport"] == -1 and row["error"]
    br0.vsctl("add-port", "br0", "lonely", "--", "set", "interface", "lonely", "type=patch", check=False)
    assert br0.interface("lonely")["ofport"] in (-1, [])
    br0.vsctl("add-port", "br0", "self", "--", "set", "interface", "self", "type=patch", "options:peer=self", check=False)
    works(lab, br0, *pair)


def test_absurd_settings(lab, br0, pair):
    br0.vsctl("set", "bridge", "br0", "other_config:mac-aging-time=never", "other_config:mac-table-size=-5", "other_config:hwaddr=01:00:00:00:00:00",
              "other_config:datapath-id=xyz", "--", "set", "open_vswitch", ".", "other_config:vlan-limit=-7", "other_config:max-idle=99999999999999999999")
    works(lab, br0, *pair)


def test_a_patch_loop_ends(lab, br0, pair):
    """Two bridges joined by two pairs of patch ports, and no spanning tree: every frame would go round for ever."""
    br0.add_bridge("br1")
    words = []
    for n in (0, 1):
        words += ["--", "add-port", "br0", f"x{n}", "--", "set", "interface", f"x{n}", "type=patch", f"options:peer=y{n}",
                  "--", "add-port", "br1", f"y{n}", "--", "set", "interface", f"y{n}", "type=patch", f"options:peer=x{n}"]
    br0.vsctl(*words)
    pair[0].send(*[frame(src=pair[0].mac) for _ in range(10)])
    for n in (0, 1):
        br0.vsctl("del-port", f"x{n}")
    br0.vsctl("del-br", "br1")
    eventually(lambda: pair[0].pings(pair[1], count=1))


# ---- From the wire. ----


def test_odd_frames(lab, br0, pair):
    a, b = pair
    odd = [b"\xff" * 6 + a_mac + rest for a_mac in (bytes(6), b"\xff" * 6, bytes.fromhex("020000000001"))
           for rest in (b"\x08\x00", b"\x08\x00\x45", b"\x08\x00\x4f" + bytes(5), b"\x86\xdd\x60", b"\x08\x06\x00\x01", b"\x81\x00\x00\x05",
                        b"\x88\xa8" + b"\x00\x01\x81\x00" * 10, b"\x00\x00", b"\x05\xdc" + bytes(10), b"\x88\x47" + bytes(30),
                        b"\x08\x00\x45\x00\xff\xff" + bytes(14), b"\x86\xdd\x60\x00\x00\x00\xff\xff\x00\xff" + bytes(32))]
    for f in odd:
        with contextlib.suppress(OSError):  # the sender's own kernel refuses the shortest
            a.send(f)
    assert a.pings(b)


def open_tap(sw, name, persist=False):
    """The user's end of a tap device, as QEMU holds it: frames behind a virtio header of 10 bytes."""
    fd = in_namespace(sw.ns, lambda: os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
    in_namespace(sw.ns, lambda: fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x0002 | 0x1000 | 0x4000)))  # TAP, NO_PI, VNET_HDR
    fcntl.ioctl(fd, 0x400454D0, 0x01 | 0x02 | 0x04)  # TUNSETOFFLOAD: checksum, TSO4, TSO6
    sw.inside("ip", "link", "set", "dev", name, "up")
    return fd


def virtio(flags=0, kind=0, hdr_len=0, gso_size=0, csum_start=0, csum_offset=0):
    return struct.pack("<BBHHHH", flags, kind, hdr_len, gso_size, csum_start, csum_offset)


def test_absurd_virtio_headers(lab, br0, pair):
    a, b = pair
    fd = open_tap(br0, "vm0")
    try:
        br0.add_port("br0", "vm0")
        body = frame(src="02:00:00:00:09:09", ethertype=0x0800, payload=bytes.fromhex("45000028000040004006000000000000ffffffff") + bytes(2000))
        headers = [virtio(1, 0, 0, 0, 0xFFFF, 0xFFFF), virtio(1, 0, 0, 0, 34, 0xFFF0), virtio(1, 1, 0xFFFF, 1, 34, 16), virtio(1, 1, 54, 0, 34, 16),
                   virtio(0, 1, 54, 1400, 34, 16), virtio(1, 4, 54, 65535, 34, 16), virtio(1, 3, 42, 8, 34, 6), virtio(1, 0x81, 0, 1, 0, 0),
                   virtio(1, 7, 1, 1, 1, 1), virtio(0xFF, 0xFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF)]
        for h in headers:
            for size in (len(body), 60, 20, 14):
                with contextlib.suppress(OSError):  # the kernel refuses some itself
                    os.write(fd, h + body[:size])
        assert a.pings(b)
        with a.capture() as capture:
            os.write(fd, virtio() + frame(src="02:00:00:00:09:09", payload=b"good"))
            capture.frames(1, lambda f: f.payload.startswith(b"good"))
    finally:
        os.close(fd)


# ---- From a client of the database. ----


def db_socket(sw):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(str(sw.dir / "db.sock"))
    return s


@pytest.mark.parametrize("text", [b"{", b'{"method":"echo","params":[', b"\0\0\0", b"]", b'{"a":1}', b'[1,2,3]', b'{"method":5,"id":1,"params":[]}',
                                  b"[" * 100000, b'{"method":"\\ud800","id":1,"params":[]}', b"GET / HTTP/1.0\r\n\r\n"])
def test_json_that_is_none(br0, text):
    with contextlib.closing(db_socket(br0)) as s:
        with contextlib.suppress(OSError):
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
    assert br0.vsctl("list-br") == "br0"


def ask(s, method, *params):
    s.sendall(json.dumps({"method": method, "params": params, "id": 7}).encode())
    text = b""
    while True:
        text += s.recv(65536)
        with contextlib.suppress(ValueError):
            return json.loads(text)


def test_transactions_that_are_none(br0):
    before = br0.vsctl("-f", "json", "list", "bridge")
    with contextlib.closing(db_socket(br0)) as s:
        assert ask(s, "no_such_method")["error"]
        for op in ({"op": "frobnicate"}, {"op": "insert", "table": "Nope", "row": {}}, {"op": "insert", "table": "Bridge", "row": {"nope": 1}},
                   {"op": "update", "table": "Bridge", "where": [], "row": {"stp_enable": 7}}, {"op": "delete", "table": "Bridge"}, 5, "x", None):
            answer = ask(s, "transact", "Open_vSwitch", {"op": "update", "table": "Bridge", "where": [], "row": {"stp_enable": True}}, op)
            assert answer["error"] or any(r and r.get("error") for r in answer["result"]), op
        assert ask(s, "transact", "No_Database", {"op": "comment", "comment": "x"})["error"]
    assert br0.vsctl("-f", "json", "list", "bridge") == before


def test_a_client_that_does_not_read(br0):
    """It asks for everything again and again and takes no answer; others are served meanwhile."""
    with contextlib.closing(db_socket(br0)) as s:
        s.setblocking(False)
        request = json.dumps({"method": "get_schema", "params": ["Open_vSwitch"], "id": 1}).encode()
        with contextlib.suppress(BlockingIOError, ConnectionError):
            for _ in range(2000):
                s.sendall(request)
        assert br0.vsctl("list-br") == "br0"


def test_a_half_written_database_file(lab, sw):
    sw.add_bridge("br0")
    sw.vsctl("set", "bridge", "br0", "external_ids:x=1")
    sw.stop_daemon()
    sw.stop_db()
    whole = sw.conf.read_bytes()
    sw.conf.write_bytes(whole[:-7])  # the last record lost its tail
    sw.start_db()
    assert sw.vsctl("--no-wait", "list-br") == "br0"
    sw.vsctl("--no-wait", "set", "bridge", "br0", "external_ids:y=2")
    sw.stop_db()
    sw.start_db()  # what was written behind the cut is whole
    assert sw.get("bridge", "br0", "external_ids:y").strip('"') == "2"


def test_a_file_that_is_no_database(lab):
    sw = lab.switch(start=False)
    for text in (b"", b"hello", b"OVSDB JSON 5 0123456789012345678901234567890123456789\n{}\n", os.urandom(5000)):
        sw.conf.write_bytes(text)
        done = sw.inside(sw.program("ovsdb-server"), sw.conf, "--remote=punix:" + str(sw.dir / "db.sock"), "--detach", "--pidfile", "--no-chdir",
                         "-vconsole:off", check=False)
        assert done.returncode != 0
        assert sw.conf.read_bytes() == text  # nobody "repaired" somebody's file
    shutil.rmtree(sw.dir)
