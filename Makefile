# lbtest's everyday commands. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
CARGO ?= cargo
EXPERIMENTS ?=
SCENARIO ?= kill-slave
# Seconds for each fuzz target.
TIME ?= 60

# Test targets by their name: those with `docker` in it need an engine, those with `truth` measure time and must
# have the machine for themselves, the others do not care.
TESTS := $(basename $(notdir $(wildcard tests/*.rs)))
named = $(foreach test,$(TESTS),$(if $(findstring $(1),$(test)),$(test)))
DOCKER_TESTS := $(call named,docker)
TIMING_TESTS := $(call named,truth)
PLAIN_TESTS := $(filter-out $(DOCKER_TESTS) $(TIMING_TESTS),$(TESTS))
flags = --all-features $(addprefix --test=,$(1))

.PHONY: help build engine base-image demo prerequisites test-prerequisites test test-unit test-timing test-docker fuzz lint bench bench-parts bench-memory bench-up clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## The executable, target/release/lbtest
	$(CARGO) build --release

engine: ## A Docker engine that answers (installs and starts docker.io on Debian and Ubuntu)
	@compose/docker-engine.sh

base-image: engine ## The image debian:bookworm-slim: pulled, or made where no registry answers
	@compose/base-image.sh

demo: prerequisites base-image build ## A real failover, start to end (SCENARIO=kill-app for another)
	@code=0; target/release/lbtest run scenarios/$(SCENARIO).toml || code=$$?; \
	latest=$$(ls -1dt reports/$(SCENARIO)/*/ 2>/dev/null | head -n 1); \
	[ -z "$$latest" ] || printf '\nThe report: %sreport.html\nThe figures: %srun.json\n' "$$latest" "$$latest"; \
	exit $$code

prerequisites:
	@.ci/prerequisites

test-prerequisites:
	@.ci/prerequisites test

test: test-prerequisites base-image ## Everything: lint, unit, integration, timing and Docker tests
	$(MAKE) lint
	$(MAKE) test-unit
	$(MAKE) test-timing
	$(MAKE) test-docker

test-unit: ## Tests that need neither Docker nor a quiet machine
	$(CARGO) test --no-fail-fast --lib --bins $(call flags,$(PLAIN_TESTS))
	$(CARGO) test --doc --all-features

test-timing: test-prerequisites ## Tests that compare measured times with known ones, one after the other
ifneq ($(TIMING_TESTS),)
	$(CARGO) test --no-fail-fast $(call flags,$(TIMING_TESTS)) -- --test-threads=1
endif

test-docker: base-image ## Tests that break real containers, one after the other (they share ports)
ifneq ($(DOCKER_TESTS),)
	$(CARGO) test --no-fail-fast $(call flags,$(DOCKER_TESTS)) -- --test-threads=1
endif

fuzz: ## Random responses against the parser, and compared with hyper (TIME=60: seconds for each)
	@$(CARGO) fuzz --version >/dev/null 2>&1 || \
	{ echo "fuzz: cargo-fuzz is not installed: cargo install cargo-fuzz --locked" >&2; exit 3; }
	@command -v c++ >/dev/null || \
	{ echo "fuzz: no C++ compiler, which libFuzzer is built with: install g++ or clang" >&2; exit 3; }
	@mkdir -p fuzz/corpus/response_parser fuzz/corpus/against_hyper
	@# The sanitizers' flags are unstable: RUSTC_BOOTSTRAP lets a stable toolchain take them.
	@for target in response_parser against_hyper; do \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $$target fuzz/corpus/$$target fuzz/seeds -- \
			-dict=fuzz/fuzz.dict -max_len=4096 -print_final_stats=1 -max_total_time=$(TIME) || exit 1; \
	done

lint: ## Formatting, clippy, documentation; licences and advisories where cargo-deny is installed
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --all-features -- -D warnings
	@# What has to be there without optional features.
	$(CARGO) clippy --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --all-features
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check; \
	else echo "lint: cargo-deny is not installed: licences and advisories are not checked (cargo install cargo-deny --locked)"; fi

bench: build ## lbtest beside wrk, ab, oha, h2load, hey and pgbench (EXPERIMENTS='http sql', ROUNDS, SECONDS, SMOKE=1)
	@.ci/prerequisites
	@CARGO='$(CARGO)' benches/peers/install.sh
	LBTEST=$${LBTEST:-$(CURDIR)/target/release/lbtest} $(CARGO) bench --bench peers -- $(EXPERIMENTS)

bench-parts: ## What a record, an arrival, a response and the analysis cost, by Criterion
	$(CARGO) bench --bench recorder --bench schedule --bench parser --bench analysis

bench-memory: build ## Peak memory of 30 s and of five minutes at 20 000/s (RATE, SHORT, LONG)
	benches/memory.sh

bench-up: base-image build ## Bring-up against docker compose up --wait
	benches/up.sh

clean: ## Containers, networks and volumes that any run left; build products
	@if [ -x target/release/lbtest ]; then target/release/lbtest clean; \
	elif [ -x target/debug/lbtest ]; then target/debug/lbtest clean; fi
	$(CARGO) clean
