# Owns the commands of the project: `make demo` and `make test` set everything up themselves.
.DELETE_ON_ERROR:
.PHONY: help setup build demo check test bench bench-agent format clean

export PATH := $(CURDIR)/node_modules/.bin:$(PATH):/usr/sbin:/sbin

SOURCES := $(shell find src native tools package.json tsconfig.json -type f 2>/dev/null)

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing
	@tools/setup.sh

build: setup ## make bin/heddle runnable
	@$(MAKE) --no-print-directory dist/heddle.mjs

build/heddle.node: $(wildcard native/addon/*)
	@native/addon/build.sh
	@touch $@

dist/heddle.mjs: build/heddle.node $(SOURCES)
	@echo "Building…" >&2
	@node tools/build.ts
	@touch $@

demo: build ## two hosts with two InfiniBand cards each: the trouble, the plan, the cure, with real packets
	@bin/heddle lab run lab/seed-003.yaml --scenario demo

check: setup build/heddle.node ## types, lint, format, import rules, pure tests
	@node --version | grep -q '^v24\.'
	@echo "Types…" >&2 && tsc -p .
	@echo "Lint and import rules…" >&2 && oxlint --type-aware --deny-warnings src test tools bench
	@echo "Format…" >&2 && prettier --check --log-level=warn .
	@echo "Pure tests…" >&2 && tools/vitest.sh --project pure

test: check build ## everything
	@tools/test.sh

build/bench-run: bench/run.c
	@mkdir -p build
	@$(or $(CC),cc) -O2 -Wall -Wextra -o $@ $<

bench: build build/bench-run ## measure, a few minutes; `make bench QUICK=1` for a glance
	@tools/in-namespace.sh node bench/bench.ts $(if $(QUICK),--quick)

bench-agent: build ## measure the agent: repairs, a storm, idleness; five minutes
	@tools/in-namespace.sh node bench/agent/agent.ts $(if $(QUICK),--quick)

format: setup ## lay the sources out
	@prettier --write --log-level=warn .

clean: ## take away what was built
	@rm -rf build dist
