# Everything that a contributor or the pipeline runs. Needs Go; what else a
# target needs it fetches into bin/.

GO ?= go
# The pinned version of what lint and fmt use.
GOLANGCI_VERSION := v2.15.0
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)

# Packages to test, benchmark or fuzz.
PKG ?= ./...
# Which benchmarks, a regular expression.
BENCH ?= .
# How long each fuzz target runs.
FUZZTIME ?= 10s
# How often the crash test kills the server.
ROUNDS ?= 20

.PHONY: help build build-cross test test-race e2e crash fuzz bench bench-smoke lint fmt generate check-generate clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' Makefile

build: ## Build the binaries into bin/
	$(GO) build -trimpath -o bin/ ./cmd/...

build-cross: ## Build the binaries for linux/arm64 into bin/linux-arm64/
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -trimpath -ldflags '-s -w' -o bin/linux-arm64/ ./cmd/...

test: ## Run all tests
	$(GO) test $(PKG)

# End to end, the detector is for what happens at the same time. The rest of
# these tests compares answers, and would take it a quarter of an hour.
test-race: ## Run the tests with the race detector (needs a C compiler)
	$(GO) test -race $$($(GO) list $(PKG) | grep -v /internal/e2e$$)
	$(GO) test -race -run TestReadYourWrites ./internal/e2e

e2e: ## Run the end-to-end tests, also when nothing has changed
	$(GO) test -count=1 ./internal/e2e/...

crash: ## Kill the server ROUNDS times and look for what it acknowledged
	$(GO) test -count=1 -timeout 60m -v -run TestCrash ./internal/e2e -crash.rounds=$(ROUNDS)

fuzz: ## Run every fuzz target for FUZZTIME
	@set -e; \
	tests=$$($(GO) test -list '^Fuzz' $(PKG)); \
	echo "$$tests" | \
	awk '/^Fuzz/ {target[++n] = $$1} $$1 == "ok" {for (i = 1; i <= n; i++) print $$2, target[i]; n = 0}' | \
	while read -r pkg target; do \
		echo "== $$pkg $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg" || exit 1; \
	done

bench: ## Run the benchmarks that match BENCH
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

bench-smoke: ## Run every benchmark once, so that none rots
	$(GO) test -run '^$$' -bench . -benchtime 1x $(PKG)

lint: $(GOLANGCI) ## Check form and style
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GOLANGCI) run ./...

fmt: $(GOLANGCI) ## Format the code
	$(GOLANGCI) fmt ./...

generate: ## Write the generated files anew
	$(GO) generate ./...
	$(GO) mod tidy

# Compares with the state before, so that it also works on changes that are
# not committed yet.
check-generate: ## Fail if generate would change a file
	@set -e; \
	state() { git status --porcelain --untracked-files=all; git diff; }; \
	before=$$(state); \
	$(MAKE) generate; \
	test "$$before" = "$$(state)" || { echo "generated files were out of date, see git diff"; exit 1; }

clean: ## Remove what the other targets have built
	rm -rf bin

# Renamed after its version, so that a new version replaces it.
$(GOLANGCI):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv bin/golangci-lint $@
