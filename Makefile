# The verbs of this project.  Each is a thin door to meson, ninja or a script in dev/; README.md tells which two to know.
#
#   make              build into build/ (programs under the field's names in build/compat/)
#   make run          install what is needed, build, and show VMs talking through a VLAN switch (root)
#   make clean-run    take away whatever 'make run' left
#   make test         install what is needed, then every check there is (root)
#   make check        unit tests: seconds, no root, no network
#   make cases        the whole product in network namespaces (root);  K=words picks cases
#   make lint         layers, format, spelling, paths
#   make fuzz T=name  one fuzz target for SECONDS=60;  without T, all of them, SECONDS each
#   make bench        measurements against the peers, as ratios (root);  K=words picks some
#   make asan|tsan    unit tests with the sanitizers;  make clang builds and checks with clang
#   make install      into PREFIX=/usr/local (DESTDIR= is honoured)
BUILD ?= build
PREFIX ?= /usr/local
SECONDS ?= 60
MESON_ARGS ?=
PYTEST_ARGS ?=

.PHONY: all programs run clean-run test check cases lint fuzz bench asan tsan clang install clean deps

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD) $(MESON_ARGS)

deps:
	dev/install-packages

run: deps
	$(MAKE) programs
	dev/demo

programs: $(BUILD)/build.ninja
	ninja -C $(BUILD) programs

clean-run:
	dev/demo --clean

test: deps
	dev/test-all

check: all
	meson test -C $(BUILD) --suite unit --quiet

cases: all
	dev/run-cases $(BUILD) $(if $(K),-k '$(K)') $(PYTEST_ARGS)

lint:
	dev/lint

fuzz:
	SECONDS_EACH=$(SECONDS) dev/fuzz $(T)

bench: all
	bench/run $(if $(K),-k '$(K)')
	SLUICE_BUILD=$(BUILD) bench/ovsdb $(if $(K),-k '$(K)')

asan:
	dev/check-variant asan

tsan:
	dev/check-variant tsan

clang:
	dev/check-variant clang

install: all
	meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX)) >/dev/null
	meson install -C $(BUILD) --quiet $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clean:
	rm -rf build build-*
