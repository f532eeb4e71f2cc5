"""ovs-vsctl against Debian's: the same lines to both, each with a database of its own, must say the same and leave the same database.

What may differ: uuids, the order of rows that have none, log lines, and refusals of getopt (which name the program by its path).
"""
import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

from lab import COMPAT, eventually, run

SCHEMA = "src/ovsdb/vswitch.ovsschema"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z\|.*\n?", re.M)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def canonical(text):
    """One spelling for what may differ."""
    text = LOG_LINE.sub("", text)
    text = re.sub(r"^\S*/ovs-vsctl: ", "ovs-vsctl: ", text, flags=re.M)
    text = UUID.sub("U", text)
    text = re.sub(r"\bU\b(, U\b)+", "U...", text)
    return text


class Side:
    def __init__(self, lab, name, vsctl, server):
        self.dir = lab.dir / name
        self.dir.mkdir()
        self.vsctl = vsctl
        self.env = os.environ | {"OVS_RUNDIR": str(self.dir), "OVS_DBDIR": str(self.dir), "OVS_LOGDIR": str(self.dir),
                                 "OVS_SYSLOG_METHOD": "null"}
        run("/usr/bin/ovsdb-tool", "create", self.dir / "conf.db", os.path.join(ROOT, SCHEMA), env=self.env)
        self.server = subprocess.Popen([server, "conf.db", f"--remote=punix:{self.dir}/db.sock", "--unixctl=none.ctl", "-vconsole:off"],
                                       cwd=self.dir, env=self.env)
        lab.defer(self.stop)
        eventually(lambda: (self.dir / "db.sock").exists())

    def stop(self):
        self.server.kill()
        self.server.wait()

    def say(self, words):
        done = subprocess.run([self.vsctl, "--no-wait", *words], env=self.env, capture_output=True, text=True, timeout=20)
        return done.returncode, *(canonical(text.replace(str(self.dir), "DIR")) for text in (done.stdout, done.stderr))

    def contents(self):
        """Every table, rows in an order that does not depend on uuids."""
        text = run("/usr/bin/ovsdb-client", "-f", "csv", "dump", f"unix:{self.dir}/db.sock", "Open_vSwitch", env=self.env)
        tables = canonical(text).split("\n\n")
        return [sorted(table.splitlines()) for table in tables]


@pytest.fixture(params=["debian", "ours"])
def twins(lab, request):
    """Our side's database is served by Debian's server, then by ours."""
    debian = "/usr/sbin/ovsdb-server"
    return (Side(lab, "peer", shutil.which("ovs-vsctl", path="/usr/bin:/bin"), debian),
            Side(lab, "ours", str(COMPAT / "ovs-vsctl"), debian if request.param == "debian" else str(COMPAT / "ovsdb-server")))


def unordered(out):
    """Rows may come in another order."""
    if out.startswith('{"'):
        table = json.loads(out)
        return table["headings"], sorted(map(str, table["data"]))
    return sorted(out.splitlines())


def same(twins, line):
    words = shlex.split(line)
    theirs, ours = (side.say(words) for side in twins)
    assert ours[0] == theirs[0], f"{line}: exit code {ours[0]}, {theirs[0]} expected; {ours[2]}"
    assert unordered(ours[1]) == unordered(theirs[1]), line
    assert ours[2] == theirs[2], line
    return ours


SET_UP = """
init
add-br br0
add-br br0
--may-exist add-br br0
add-br br1 -- set bridge br1 datapath_type=netdev fail-mode=secure other-config:datapath-id=0123 protocols=[OpenFlow10,OpenFlow13]
add-port br0 p1
add-port br0 p1
--may-exist add-port br0 p1 tag=5
add-port br0 p2 tag=5 -- set interface p2 type=internal options:x="hello world" external-ids:iface-id=abc
add-port br0 p3 vlan_mode=native-tagged tag=9 trunks=1,2,3
add-bond br0 bond0 e1 e2 lacp=active bond_mode=balance-tcp
--fake-iface add-bond br1 bond1 f1 f2
add-br vlan7 br0 7
add-port vlan7 q1
add-port vlan7 q2
"""

ASK = """
show
list-br
--real list-br
--fake list-br
list-ports br0
list-ports vlan7
list-ports br1
list-ports none
list-ifaces br0
list-ifaces vlan7
br-exists br0
br-exists none
br-exists vlan7
br-to-vlan br0
br-to-vlan vlan7
br-to-parent vlan7
br-to-parent br0
br-to-parent none
port-to-br p1
port-to-br q1
port-to-br br0
port-to-br e1
port-to-br none
iface-to-br e1
iface-to-br q1
iface-to-br br0
iface-to-br none
get-fail-mode br0
get-fail-mode br1
get-controller br0
get-manager
get-ssl
br-get-external-id br0
get bridge br0 name
get Bridge br1 other_config:datapath-id protocols fail-mode _uuid
get bridge br1 other-config:none
--if-exists get bridge br1 other-config:none
--if-exists get bridge none name
get bridge none name
get int p2 options:x
get int p2 options external_ids
get interface p2 name options:x -- get port p2 tag
get int p2 o
get q p2 o
get nothing x y
get bridge br0 name:key
get bridge br0
get bridge br0 name=x
get bridge br0 ""
get
--id=x get bridge br0
-- --id=@a get bridge br0 -- get bridge br1 name
-- get bridge br0 -- get
--columns=name,tag,trunks,vlan_mode list port
--columns=name,tag -f table list port
--columns=name,tag -f csv list port
--columns=name,tag,trunks -f json list port
--columns=name,tag,trunks -f html list port p3
--columns=name,tag,trunks -f table -d json list port
--columns=name,trunks -d bare list port p3
--columns=name,trunks -f table --no-heading list port p3
--bare --columns=name,trunks list port p3 p2
--columns=name list port p1 none
--if-exists --columns=name list port p1 none
--columns=na,ta list port p1
--columns= list port p1
--columns=foo list port
--max-column-width=6 -f table --columns=name,vlan_mode list port p3
--columns=name find port tag=5
--columns=name find port tag!=5
--columns=name find port tag>5
--columns=name find port tag>=5
--columns=name find port tag<=5
--columns=name find port tag=[]
--columns=name find port tag!=[]
--columns=name find port trunks{>=}1,2
--columns=name find port trunks{<}1,2,3,4
--columns=name find port name{in}p1,p2
--columns=name find port name{not-in}p1,p2
--columns=name find port trunks{in}1,2,3,4
--columns=name find port trunks{not-in}2
--columns=name find interface options:x="\\"hello world\\""
--columns=name find interface external_ids:iface-id=abc
--columns=name find interface external_ids:iface-id!=abc
--columns=name find interface type=internal name=p2
--columns=name find interface type=internal name=none
--columns=name find interface options:x{=}[]
--columns=name find interface name:x=y
--columns=name find interface none=y
--columns=name find interface name
--no-heading --columns=name find interface name=p2
--oneline list-br -- list-ports br0 -- get int p2 options
--oneline list-br -- init -- get int p2 name
comment a b c -- list-br
list bridge -- list-br
wait-until bridge br0
wait-until bridge br0 name=br0
"""

CHANGE = """
set bridge br0 fail_mode=standalone
set bridge br0 fail_mode=foo
set bridge br0 fail_mode=[]
set bridge br0 fail_mode
set bridge br0 fail_mode=
set bridge br0 name=x
set bridge br0 flood_vlans=1-3 stp_enable=true
set bridge br0 flood_vlans=5000
set bridge br0 flood_vlans=a
set bridge br0 flood_vlans=3-1
set bridge br0 flood_vlans=1,1
set bridge br0 stp_enable=maybe
set bridge br0 external_ids=a
set bridge br0 external_ids={a=b,c=d}
set bridge br0 external_ids:"e f"=g
set bridge br0 external_ids:x="{}"
set bridge br0 name:x=y
set bridge none stp_enable=true
--if-exists set bridge none stp_enable=true
set int p1 ofport_request=70000
set int p1 ofport_request=5
set Interface p1 mtu_request=9000 -- set port p1 tag=6
set port bond0 other_config:lacp-time=fast other_config:bond-rebalance-interval=0
get port bond0 other_config
add bridge br0 flood_vlans 10 11
add bridge br0 flood_vlans 10
add bridge br0 external_ids a=other h=i
get bridge br0 external_ids
add bridge br0 external_ids b
add bridge br0 flood_vlans
remove bridge br0 flood_vlans 10
remove bridge br0 flood_vlans 99
remove bridge br0 external_ids a=nomatch
remove bridge br0 external_ids a
remove bridge br0 external_ids h=i c
get bridge br0 external_ids flood_vlans
remove bridge br0 name br0
remove int p1 type x
clear bridge br0 flood_vlans external_ids
clear bridge br0 stp_enable
clear bridge br0 name
clear bridge br0 nothing
--if-exists clear bridge none flood_vlans
br-set-external-id br0 k v
br-set-external-id br0 k2 v2
br-set-external-id vlan7 k v
br-get-external-id br0
br-get-external-id br0 k
br-get-external-id br0 none
br-get-external-id vlan7
br-get-external-id vlan7 k
br-set-external-id br0 k
br-set-external-id vlan7 k
br-get-external-id vlan7
set-controller br0 tcp:1.2.3.4:6653
set-controller br0 tcp:1.2.3.4:6653 ptcp:6654
--inactivity-probe=5000 set-controller br1 tcp:1.2.3.4:6653
set-controller br1 foo:1
get-controller br0
get-controller br1
get-controller vlan7
set-controller vlan7 tcp:1.2.3.4
del-controller vlan7
del-controller br1
get controller br0 target
set controller br0 max_backoff=1000
set-fail-mode br0 secure
set-fail-mode br0 x
set-fail-mode vlan7 secure
del-fail-mode br0
set-manager ptcp:6640 tcp:10.0.0.1:6640
--inactivity-probe=7000 set-manager ptcp:6640
get-manager
set manager ptcp:6640 max_backoff=2000
get manager ptcp:6640 max_backoff inactivity_probe
del-manager
get-manager
set-ssl key.pem cert.pem ca.pem
--bootstrap set-ssl key.pem cert.pem ca.pem
get-ssl
set ssl . ca_cert=other.pem
get ssl . ca_cert
del-ssl
get-ssl
add-aa-mapping br0 1000 5
add-aa-mapping br0 1001 6
add-aa-mapping br0 x 6
get-aa-mapping br0
del-aa-mapping br0 1000 5
del-aa-mapping br0 1001 7
get-aa-mapping br0
-- --id=@d create datapath datapath_version=x capabilities:recirc=true capabilities:ct_state=true -- set open . datapaths:netdev=@d
list-dp-cap netdev
list-dp-cap none
add-zone-tp netdev zone=1 icmp_first=1 icmp_reply=2
add-zone-tp netdev zone=2 tcp_established=10
add-zone-tp netdev zone=1 icmp_first=1
--may-exist add-zone-tp netdev zone=1 icmp_first=3
add-zone-tp none zone=1 icmp_first=3
add-zone-tp netdev zone=1
list-zone-tp netdev
list-zone-tp none
del-zone-tp netdev zone=9
--if-exists del-zone-tp netdev zone=9
del-zone-tp netdev zone=1
list-zone-tp netdev
add-bond-iface bond0 e1
add-bond-iface bond0 e3
--may-exist add-bond-iface bond0 e3
--may-exist add-bond-iface bond0 p1
add-bond-iface none e4
add-bond-iface br0 e4
del-bond-iface bond0 p1
del-bond-iface bond0 e3
del-bond-iface e2
del-bond-iface e1
del-bond-iface none
--if-exists del-bond-iface none
--may-exist add-bond br0 bond0 e1 e2
--may-exist add-bond br1 bond1 f1 f2
--may-exist add-port br1 p1
--may-exist add-br vlan7
--may-exist add-br vlan7 br0 8
--may-exist add-br vlan7 br1 7
--may-exist add-br vlan7 br0 7
--may-exist add-br br0 br0 7
add-br v2 br0 7
add-br v2 vlan7 8
add-br v2 none 8
add-br v2 br0 5000
add-br v2 br0
add-br p1
add-br ""
add-port br0 ""
add-port br0 e1
add-port br0 br1
add-port none p9
add-port br0 p9 nothing=5
add-port br0 p9 tag=5000
add-bond br0 bx g1
add-bond br0 bx g1 tag=5
set port p1 qos=@q -- --id=@q create qos type=linux-htb other-config:max-rate=1000000 queues:0=@q0 queues:1=@q1 -- --id=@q0 create queue other-config:min-rate=1 -- --id=@q1 create queue other-config:min-rate=2
--columns=type,other_config list qos
get qos p1 type other_config:max-rate
set qos p1 other_config:max-rate=2000000
set port p1 qos=@q
set port p1 qos=[]
--all destroy qos
--all destroy queue -- list queue
-- --id=@m create mirror name=m0 select-all=true -- add bridge br0 mirrors @m
-- --id=@p get port p1 -- set mirror m0 output-port=@p
get mirror m0 name select_all
clear bridge br0 mirrors
-- --id=@n create netflow targets=\\"1.2.3.4:2055\\" -- set bridge br0 netflow=@n
get netflow br0 targets
-- --id=@s create sflow targets=\\"1.2.3.4:6343\\" sampling=64 -- set bridge br0 sflow=@s
-- --id=@i create ipfix targets=\\"1.2.3.4:4739\\" -- set bridge br0 ipfix=@i
-- --id=@br get bridge br0 -- --id=@c create flow_sample_collector_set id=1 bridge=@br
--columns=id,ipfix list flow_sample_collector_set 1
--columns=id list flow_sample
--all destroy flow_sample
--id=@x create flow_table name=t0 -- set bridge br0 flow_tables:0=@x
get flow_table t0 name
create bridge name=orphan
--id=@x create bridge name=orphan
destroy bridge none
--if-exists destroy bridge none
--all --if-exists destroy queue
--all destroy queue x
del-port p1 -- add-port br1 p1 -- list-ports br1
del-port br0 q1
del-port br1 p2
del-port vlan7 q1
del-port none
--if-exists del-port none
del-port br0
--if-exists del-port br0
--with-iface del-port e1
--with-iface del-port none
--if-exists --with-iface del-port none
add-port br0 x1 -- del-port x1 -- list-ports br0
add-br t1 -- add-port t1 t2 -- set interface t2 type=internal -- list-ports t1
add-br t3 -- del-br t3
--dry-run add-br dry
--dry-run create qos type=linux-htb -- list-br
br-exists dry
emer-reset
show
--columns=name,other_config list bridge
del-br vlan7
list-br
del-br none
--if-exists del-br none
del-br br0
del-br br1
del-br t1
show
"""

REFUSE = """
foo
--foo list-br
list-br --real
list-br x
add-br
add-br --may-exist x
add-port
set
-- --
--
--if-exists list-br
--id=@x list-br
-- --id list-br
-- --real=5 list-br
-- --real --real list-br
--real --real list-br
--columns=a --columns=b list bridge
--format=foo show
--data=foo show
-t x show
--timeout=-5 show
list-br -- foo
create
create nothing x=y
find
wait-until
"""


def lines(text):
    return [line for line in text.strip().splitlines() if line]


def test_words(twins):
    for line in lines(SET_UP):
        same(twins, line)
    assert twins[0].contents() == twins[1].contents()
    for line in lines(ASK + REFUSE):
        if line != "list bridge -- list-br":
            same(twins, line)
    assert twins[0].contents() == twins[1].contents()
    for line in lines(CHANGE):
        same(twins, line)
        assert twins[0].contents() == twins[1].contents(), line


def test_no_server(twins):
    for side in twins:
        side.stop()
    code, out, err = same(twins, "list-br")
    assert code == 1
    assert "database connection failed" in err


def test_timeout_is_an_alarm(twins):
    assert same(twins, "-t 1 wait-until bridge none")[0] == -14


def test_completion_words(twins):
    theirs, ours = (set(lines(side.say(["--commands"])[1])) for side in twins)
    assert theirs <= ours, theirs - ours
    theirs, ours = (set(lines(side.say(["--options"])[1])) for side in twins)
    assert theirs <= ours, theirs - ours
