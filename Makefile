# Owns the commands of the project: `make demo` and `make test` set everything up themselves.
.DELETE_ON_ERROR:
.PHONY: help setup setup-tests build install uninstall demo check test chaos bench bench-egress bench-agent bench-spread bench-gateway bench-bridge fuzz-bridge manual tour format clean

export PATH := $(CURDIR)/node_modules/.bin:$(PATH):/usr/sbin:/sbin

SOURCES := $(shell find src native tools package.json tsconfig.json -type f 2>/dev/null)

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing
	@tools/setup.sh

setup-tests:
	@tools/setup.sh --tests

build: setup ## make bin/heddle runnable
	@$(MAKE) --no-print-directory dist/man

build/heddle.node: $(wildcard native/addon/*)
	@native/addon/build.sh
	@touch $@

build/umad-rmpp.so: $(wildcard native/fabric/*)
	@native/fabric/build.sh

BPF := $(patsubst native/bpf/%.bpf.c,build/bpf/%.o,$(wildcard native/bpf/*.bpf.c))

$(BPF) &: $(wildcard native/bpf/*)
	@native/bpf/build.sh
	@touch $(BPF)

dist/heddle.cjs: build/heddle.node build/umad-rmpp.so $(BPF) $(SOURCES)
	@echo "Building…" >&2
	@node tools/build.ts
	@touch $@

# After the program, because its build begins with an empty dist.
dist/man: dist/heddle.cjs $(wildcard docs/*.md docs/roles/*.md docs/from/*.md lab/README.md)
	@node tools/manual/write-pages.ts
	@touch $@

install: build ## put program, manual and completions where the system finds them: PREFIX=/usr/local DESTDIR=
	@DESTDIR='$(DESTDIR)' PREFIX='$(or $(PREFIX),/usr/local)' tools/place.sh place

uninstall: ## take away what install put there
	@DESTDIR='$(DESTDIR)' PREFIX='$(or $(PREFIX),/usr/local)' tools/place.sh take-away

demo: build ## the trouble, the plan, the cure, with real packets: two cards in one subnet; users with a gateway of their own
	@bin/heddle lab run lab/seed-003.yaml --scenario demo
	@if [ "$$(id -u)" -eq 0 ]; then bin/heddle lab run lab/seed-001.yaml --scenario demo; else \
	  echo "The second part, chosen users with a gateway of their own, takes real root: sudo make demo"; fi

check: setup-tests build/heddle.node $(BPF) ## types, lint, format, import rules, pure tests
	@node --version | grep -q '^v24\.'
	@echo "Types…" >&2 && tsc -p .
	@echo "Lint and import rules…" >&2 && oxlint --type-aware --deny-warnings src test tools bench
	@echo "Format…" >&2 && prettier --check --log-level=warn --cache --cache-strategy=content .
	@echo "Pure tests…" >&2 && tools/vitest.sh --project pure

test: check build ## everything
	@tools/test.sh

chaos: setup-tests build ## random faults on hosts with an agent, 10,000 in some ten minutes, as root; SEED=, FAULTS=, LABS=; BURST= ONLY= for one
	@if [ "$$(id -u)" -ne 0 ]; then echo "Chaos needs root: control groups, BPF, several users." >&2; exit 1; fi
	@tools/in-root-namespace.sh node test/chaos/chaos.ts $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) \
	  $(if $(LABS),--labs $(LABS)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(BURST),--burst $(BURST)) $(if $(ONLY),--only $(ONLY))

fuzz-bridge: setup-tests build/heddle.node ## ten million hostile packets against the bridge's rules: PACKETS=10000000 SEED=
	@node --expose-gc tools/fuzz-bridge.ts $(or $(PACKETS),10000000) $(SEED)

define BUILD_TOOL
@mkdir -p build
@$(or $(CC),cc) -O2 -Wall -Wextra -pthread -o $@ $<
endef

build/bench-%: bench/%.c
	$(BUILD_TOOL)

build/egress-%: bench/egress/%.c
	$(BUILD_TOOL)

build/bridge-%: bench/bridge/%.c
	$(BUILD_TOOL)

bench: build build/bench-run bench-egress bench-gateway ## measure, some minutes, as root half an hour; `make bench QUICK=1` for a glance
	@tools/in-namespace.sh node bench/bench.ts $(if $(QUICK),--quick)
	@tools/in-namespace.sh node bench/explain.ts $(if $(QUICK),--quick)

bench-egress: build build/bench-run build/egress-load ## the part of the bench that needs root: what egress costs, and what it lets through
	@if [ "$$(id -u)" -eq 0 ]; then \
	  tools/in-root-namespace.sh node bench/egress/endings.ts && \
	  tools/in-root-namespace.sh node bench/egress/cost.ts $(if $(QUICK),--quick); \
	else echo "What egress costs is not measured: it needs root (BPF, and users other than this one)." >&2; fi

bench-agent: build ## measure the agent: repairs, a storm, idleness; five minutes
	@tools/in-namespace.sh node bench/agent/agent.ts $(if $(QUICK),--quick)
	@if [ "$$(id -u)" -eq 0 ]; then tools/in-root-namespace.sh node bench/agent/idle.ts $(if $(QUICK),--quick); \
	else echo "Idle with programs that mark sockets is not measured: it needs root." >&2; fi

build/bench/written-up.o build/bench/written-up-prints.o &: bench/written-up.bpf.c native/bpf/heddle.h native/bpf/build.sh
	@native/bpf/build.sh bench/written-up.bpf.c build/bench written-up
	@native/bpf/build.sh bench/written-up.bpf.c build/bench written-up-prints -DPRINTS

build/bench/frames.o: bench/frames.bpf.c native/bpf/heddle.h native/bpf/build.sh
	@native/bpf/build.sh $< build/bench frames

bench-spread: build build/bench-packets build/bench-sink build/bench/frames.o build/bench/written-up.o ## measure what spreading costs a packet (root); `QUICK=1` for a glance
	@tools/in-root-namespace.sh node bench/spread-programs.ts
	@tools/in-root-namespace.sh node bench/spread.ts $(if $(QUICK),--quick)
	@tools/in-root-namespace.sh node bench/spread-frames.ts $(if $(QUICK),--quick)

bench-gateway: build build/bench-flood build/bench-ask ## measure what a gateway costs and how it fails over, for twenty minutes (root)
	@if [ "$$(id -u)" -eq 0 ]; then \
	  tools/in-root-namespace.sh node bench/gateway-cost.ts $(if $(QUICK),--rounds 3) && \
	  tools/in-root-namespace.sh node bench/gateway-load.ts && \
	  tools/in-root-namespace.sh node bench/gateway.ts $(if $(QUICK),--rounds 1); fi

bench-bridge: build build/bridge-relay build/bridge-load ## measure what a bridge carries, and what a message costs (better as root)
	@if [ "$$(id -u)" -eq 0 ]; then fence=tools/in-root-namespace.sh; else fence=tools/in-namespace.sh; fi; \
	  $$fence node bench/bridge.ts $(if $(QUICK),1) && \
	  $$fence node bench/bridge/cost.ts $(if $(QUICK),1 1,30 2) && \
	  tools/in-namespace.sh node bench/bridge/ip.ts $(if $(QUICK),1,30) && \
	  tools/in-namespace.sh node bench/bridge/recovery.ts $(if $(QUICK),3,30)

manual: setup ## write what of the manual comes from the program's own definitions
	@node tools/manual/manual.ts

tour: build ## run the commands of docs/TOUR.md in labs, and write down what they say
	@node tools/manual/write-tour.ts

format: setup ## lay the sources out
	@prettier --write --log-level=warn .

clean: ## take away what was built
	@rm -rf build dist
