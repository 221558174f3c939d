# FilamentBox: build, try, test, measure. Needs a Rust toolchain, a C compiler and Node.js (Debian, Ubuntu: apt install
# gcc libc6-dev make nodejs npm).

DEMO_DIR ?= target/demo
PROFILE ?= quick
BINARY = target/$(PROFILE)/filamentbox

.PHONY: help build run test soak mutants vm browser bench check docs clean

help: ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

build: ## The program, quickly optimised (PROFILE=release for the one that is shipped)
	cargo build --locked --profile $(PROFILE) --bin filamentbox
	@echo "built $(BINARY)"

run: build ## A simulated box, live in this terminal (Ctrl-C stops it); settings from FILAMENTBOX_* variables
	@scripts/run-demo.sh "$(BINARY)" "$(DEMO_DIR)"

test: ## Everything: installs the real servers that the tests need, then runs all tests
	scripts/install-test-servers.sh
	scripts/check-page.sh tests
	FILAMENTBOX_REQUIRE_SERVERS=1 cargo test --locked --workspace
	$(MAKE) mutants
	$(MAKE) soak
	$(MAKE) vm
	$(MAKE) browser

soak: ## The long tests only: 12,000 schedules of mishaps, months of work, outages and kill -9 against real servers
	FILAMENTBOX_REQUIRE_SERVERS=1 FILAMENTBOX_SOAK=1 cargo test --locked --workspace --profile quick -- soak

mutants: ## Breaks each safety rule in turn: the simulated world must notice every time
	scripts/mutation-check.sh

vm: ## The program against the kernel's GPIO, I2C and IIO, in a virtual machine (x86-64 Debian or Ubuntu; ONLY=part of a name)
	scripts/install-test-servers.sh
	scripts/vm-kernel.sh target/vm || [ $$? -eq 3 ]
	FILAMENTBOX_REQUIRE_SERVERS=1 FILAMENTBOX_VM=1 cargo test --locked -p filamentbox --profile quick --test vm -- $(ONLY)

browser: build ## The page in Chromium: first run, switching, offline, settings, axe, Lighthouse (pictures: target/screenshots)
	scripts/install-test-servers.sh
	FILAMENTBOX_REQUIRE_SERVERS=1 scripts/check-page.sh browser

bench: ## Memory, CPU, wake-ups, bytes written, start-up, size, backlog rate, the page under slow clients; printed, never asserted
	scripts/install-test-servers.sh
	cargo build --locked --release --bin filamentbox
	cargo bench --locked -p filamentbox --bench daemon
	FILAMENTBOX_BINARY=$(CURDIR)/target/release/filamentbox scripts/check-page.sh bench

check: ## Formatting, lints, dependencies and generated documentation
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
	scripts/check-docs.sh
	scripts/check-page.sh types

docs: ## Writes the generated documentation anew
	cargo run --locked --quiet --bin filamentbox -- config describe --markdown > docs/CONFIGURATION.md
	cargo run --locked --quiet --bin filamentbox -- openapi > docs/openapi.json

clean: ## Removes what was built and the demo's data
	cargo clean
