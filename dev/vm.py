"""vm - small virtual machines for the demo and for cases: Debian's cloud kernel, busybox, one virtio network card.

    image = Image.make(directory)            # unpacks a kernel package and packs an initramfs; None with image_problem() if it cannot be
    vm = Machine(image, "vm1", netns="sw", tap="tap1", mac="02:..", address="10.0.0.1/24", directory=d)
    vm.wait_ready()                          # the guest's shell answers
    code, text = vm.run("ping -c 1 10.0.0.2")
    vm.stop()

The kernel package is downloaded and unpacked, never installed: no hook of it runs on the host.  The guest's console is a unix socket with a shell
behind it that answers each line with what it printed and the exit code.  KVM is used where it works, else QEMU's software emulation.
"""
import gzip
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

# In the order in which they need one another; those the kernel has built in are not there, and not missed.
MODULES = ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "failover", "net_failover", "virtio_net"]

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo -icrnl
dmesg -n 1
for m in $(cat /modules/order); do insmod /modules/$m.ko 2>/dev/null; done
for word in $(cat /proc/cmdline); do
    case $word in
    guest.address=*) address=${word#*=} ;;
    guest.name=*) hostname ${word#*=} ;;
    esac
done
ip link set lo up
ip link set eth0 up
ip address add $address dev eth0
echo '<ready>'
while read -r line; do
    eval "$line" </dev/null 2>&1
    echo "<exit $?>"
done
poweroff -f
"""


def _run(*command, **more):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **more).stdout


def image_problem():
    """Why no virtual machine can run here, or None."""
    if os.uname().machine != "x86_64":
        return f"the guest kernel is for x86_64, this is {os.uname().machine}"
    for program in ("qemu-system-x86_64", "cpio", "dpkg"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if not os.path.exists("/bin/busybox"):
        return "busybox-static is not installed"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return None


class Image:
    """A kernel and an initramfs on disk."""

    def __init__(self, kernel, initramfs):
        self.kernel, self.initramfs = kernel, initramfs

    @staticmethod
    def make(directory):
        """Uses what is in the directory already; else makes it.  RuntimeError says what is missing."""
        directory = pathlib.Path(directory)
        image = Image(directory / "vmlinuz", directory / "initramfs.gz")
        if image.kernel.exists() and image.initramfs.exists():
            return image
        problem = image_problem()
        if problem:
            raise RuntimeError(problem)
        directory.mkdir(parents=True, exist_ok=True)
        tree = directory / "kernel"
        shutil.rmtree(tree, ignore_errors=True)
        _unpack_kernel(directory, tree)
        (found,) = (tree / "boot").glob("vmlinuz-*")
        _pack_initramfs(directory / "root", tree, image.initramfs)
        shutil.copy(found, image.kernel)
        shutil.rmtree(tree)
        return image


def _unpack_kernel(directory, tree):
    """The newest installed or downloadable cloud kernel, as files."""
    try:
        depends = _run("apt-cache", "depends", "--important", "linux-image-cloud-amd64")
    except subprocess.CalledProcessError:
        depends = ""
    names = re.findall(r"Depends: (linux-image-\S+)", depends)
    if not names:
        raise RuntimeError("apt knows no cloud kernel (apt-get update?)")
    try:
        _run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", names[0], cwd=directory)
    except subprocess.CalledProcessError as e:
        raise RuntimeError(f"{names[0]} could not be downloaded: {e.stderr.strip()}") from None
    (package,) = directory.glob(f"{names[0]}_*.deb")
    _run("dpkg", "-x", package, tree)
    package.unlink()


def _pack_initramfs(root, kernel, target):
    shutil.rmtree(root, ignore_errors=True)
    for d in ("bin", "dev", "proc", "sys", "tmp", "modules"):
        (root / d).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    order = []
    for name in MODULES:
        for module in (kernel / "lib/modules").rglob(f"{name}.ko"):
            shutil.copy(module, root / "modules" / module.name)
            order.append(name)
    (root / "modules/order").write_text("\n".join(order) + "\n")
    for program in ("/usr/bin/iperf3",):
        _copy_with_libraries(program, root)
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    names = "\n".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
    archive = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], input=names.encode(), cwd=root, check=True, capture_output=True).stdout
    target.write_bytes(gzip.compress(archive, 1))
    shutil.rmtree(root)


def _copy_with_libraries(program, root):
    if not os.path.exists(program):
        return
    shutil.copy(program, root / "bin")
    for line in _run("ldd", program).splitlines():
        for library in re.findall(r"(/\S+)", line):
            place = root / library.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(library), place)


def kvm_works():
    """Does this kernel let us start a virtual CPU?"""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    probe = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-M", "pc", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio"]
    try:
        done = subprocess.run(probe, input=b"quit\n", capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


class Machine:
    def __init__(self, image, name, tap, mac, address, directory, netns=None, memory_mb=160, kvm=False):
        self.name, self.directory = name, pathlib.Path(directory)
        self.socket_path = self.directory / f"{name}.console"
        self.pid_path = self.directory / f"{name}.pid"
        command = ["ip", "netns", "exec", netns] if netns else []
        command += ["qemu-system-x86_64", "-name", name, "-nodefaults", "-no-user-config", "-display", "none", "-M", "pc",
                    *(["-accel", "kvm", "-cpu", "host"] if kvm else ["-accel", "tcg", "-cpu", "max"]),
                    "-m", memory_mb, "-kernel", image.kernel, "-initrd", image.initramfs,
                    "-append", f"console=ttyS0 quiet panic=-1 tsc=unstable guest.name={name} guest.address={address}",
                    "-netdev", f"tap,id=n0,ifname={tap},script=no,downscript=no",
                    "-device", f"virtio-net-pci,netdev=n0,mac={mac},romfile=",
                    "-chardev", f"socket,id=c0,path={self.socket_path},server=on,wait=off", "-serial", "chardev:c0",
                    "-pidfile", self.pid_path, "-daemonize"]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr.strip()}")
        self.console = socket.socket(socket.AF_UNIX)
        self.console.connect(str(self.socket_path))
        self.heard = ""

    def _hear(self, pattern, timeout):
        """Reads the console until the pattern is there; returns the match and what stood before it."""
        end = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.heard)
            if match:
                before, self.heard = self.heard[: match.start()], self.heard[match.end() :]
                return match, before
            self.console.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.console.recv(65536)
            except TimeoutError:
                raise RuntimeError(f"{self.name}: no answer within {timeout} s; the console's last words: {self.heard[-300:]!r}") from None
            if not data:
                raise RuntimeError(f"{self.name}: the machine ended; the console's last words: {self.heard[-300:]!r}")
            self.heard += data.decode(errors="replace").replace("\r", "")

    def wait_ready(self, timeout=120):
        self._hear("<ready>", timeout)

    def run(self, line, timeout=60):
        """Runs one line of shell in the guest; returns (exit code, what it printed)."""
        self.console.settimeout(10)
        self.console.sendall(line.encode() + b"\n")
        match, text = self._hear(r"<exit (\d+)>\n", timeout)
        return int(match.group(1)), text

    def stop(self):
        self.console.close()
        kill_by_pidfile(self.pid_path)
        self.socket_path.unlink(missing_ok=True)


def kill_by_pidfile(path):
    """Ends the process a pid file names, if it is a QEMU that still runs, and removes the file."""
    try:
        pid = int(path.read_text())
        if b"qemu" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
            while pathlib.Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
                time.sleep(0.01)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        pass
    path.unlink(missing_ok=True)


def _state(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"
