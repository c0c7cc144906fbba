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
# What else go test gets, such as -cpu=1 or -benchtime=3s.
BENCHFLAGS ?=
# How much each fuzz target runs: executions, or a duration such as 5m. With a
# duration go test now and then reports its own deadline as a failure.
FUZZTIME ?= 20000x
# How often the crash tests make trouble, how many sets of random traces sim
# makes, how many random histories of compaction it plays, and what all draw at
# random from; 0 takes another seed each time.
ROUNDS ?= 20
SEEDS ?= 10000
SEED ?= 0

# What the binaries call themselves. Outside of a repository they know nothing.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS = -X main.version=$(VERSION) -X main.revision=$(REVISION)

# What a release is built for and where it goes. Everything in it is dated to
# its commit.
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
DIST ?= dist
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)

.PHONY: help build build-cross release functions image release-check test test-race e2e sdk sim sql deploy-check terraform-check crash compaction compaction-cost load bursts fuzz bench bench-smoke lint fmt generate check-generate clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' Makefile

build: ## Build the binaries into bin/
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

build-cross: ## Build the binaries for linux/arm64 into bin/linux-arm64/
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -trimpath -ldflags '-s -w $(LDFLAGS)' -o bin/linux-arm64/ ./cmd/...

# The settings of the machine are kept out, so that everybody gets the same
# bytes with the same version of Go.
release: ## Build binaries, archives, checksums and bills of materials into DIST
	rm -rf $(DIST)
	@set -e; for platform in $(PLATFORMS); do \
		os=$${platform%/*} arch=$${platform#*/}; \
		echo "build $$platform"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch GOAMD64=v1 GOARM64=v8.0 GOFLAGS= GOEXPERIMENT= \
			$(GO) build -trimpath -buildvcs=false -ldflags '-s -w -buildid= $(LDFLAGS)' -o $(DIST)/build/$${os}_$$arch/spanlake ./cmd/spanlake; \
	done
	$(GO) run ./internal/release -version '$(or $(VERSION),dev)' -epoch $(SOURCE_DATE_EPOCH) -from $(DIST)/build -to $(DIST) LICENSE README.md
	rm -r $(DIST)/build

# What AWS Lambda (provided.al2023) takes, of which none may be larger than it is
# good for a start.
FUNCTIONS := ingest flush compact query
FUNCTION_BYTES := 47185920
ARCHITECTURES ?= arm64 amd64
functions: ## Build the zips of the functions, with checksums, into DIST/functions
	rm -rf $(DIST)/functions
	@set -e; for function in $(FUNCTIONS); do for arch in $(ARCHITECTURES); do \
		echo "build $$function $$arch"; \
		out=$(DIST)/functions/build/$${function}_linux_$$arch/bootstrap; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch GOAMD64=v1 GOARM64=v8.0 GOFLAGS= GOEXPERIMENT= \
			$(GO) build -tags lambda.norpc -trimpath -buildvcs=false -ldflags '-s -w -buildid= $(LDFLAGS)' -o $$out ./functions/$$function; \
		test $$(wc -c <$$out) -le $(FUNCTION_BYTES) || { echo "$$out is larger than $(FUNCTION_BYTES) bytes"; exit 1; }; \
	done; done
	$(GO) run ./internal/release -version '$(or $(VERSION),dev)' -epoch $(SOURCE_DATE_EPOCH) -from $(DIST)/functions/build -to $(DIST)/functions LICENSE
	rm -r $(DIST)/functions/build

image: ## Build the container image for this machine (needs docker with BuildKit)
	docker build -t spanlake:$(or $(VERSION),dev) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) .

release-check: ## Build a release twice, with separate caches, and compare
	$(MAKE) release DIST=dist/first
	cache=$$(mktemp -d) && GOCACHE=$$cache $(MAKE) release DIST=dist/second && rm -rf $$cache
	cmp dist/first/SHA256SUMS dist/second/SHA256SUMS

test: ## Run all tests
	$(GO) test $(PKG)

# The detector is for what happens at the same time. The rest of the end-to-end
# and simulation tests compares answers, and would take it a quarter of an hour, as
# do the tests that are skipped. In the other packages that are left out nothing
# happens at the same time; of those of blocks, in all but a few tests.
RACELESS := Conformance|TestSharedRetention|TestSharedErasures|TestHugeResult|TestFiltersAreExact|TestSamplesAreExact|TestTablesAreExact|TestMergeMemory|TestBlocksAnswerAsMemoryDoes|TestCompareDoesNotDependOnBlocks|TestModel|TestMergeIsWhatEncodeMakes|Nonsense
test-race: ## Run the tests with the race detector (needs a C compiler)
	$(GO) test -race -skip '$(RACELESS)' $$($(GO) list $(PKG) | grep -vE '/internal/(e2e|sim|benchtable|block|block/[a-z]+|corpus|jsonvalue|lint|llm|llm/price|otlp|release)$$|/schema$$|/traceql')
	$(GO) test -race -run 'TestEncodeIsAFunction|TestListsOfPages|TestReaders|Fetch|Tail|Trace' ./internal/block
	$(GO) test -race -run 'TestSearch|TestMetrics' ./internal/sim -sim.rounds=8
	$(GO) test -race -run TestReadYourWrites ./internal/e2e

e2e: ## Run the end-to-end tests, all of them on S3 too
	$(GO) test -count=1 -timeout 30m ./internal/e2e -full

# The SDKs lie in the user's cache, where the first run has npm put them.
sdk: ## Run agents with real SDKs against the server (needs Node.js 20 and npm)
	$(GO) test -count=1 -timeout 15m -tags sdk -run TestSDK ./internal/e2e

sim: ROUNDS = 240
sim: ## Compare the engine with the plain evaluator on ROUNDS sets of random traces, play SEEDS histories of compaction
	$(GO) test -count=1 -timeout 60m -v -run 'TestSearch|TestMetrics' ./internal/sim -sim.rounds=$(ROUNDS) -sim.seed=$(SEED)
	$(GO) test -count=1 -timeout 60m -v -run 'TestModel$$' ./compactor -model.seeds=$(SEEDS) -model.seed=$(SEED)

# DuckDB is a module of its own, which nothing else depends on; go test does
# not see that the page has changed.
sql: ## Run the SQL of docs/sql.md on real blocks (needs a C++ compiler)
	$(GO) test -count=1 -tags sql -run TestSQL ./internal/e2e

# Helm, compose, Kubernetes' types and HCL are a module of their own, too, and go test does not
# see that a chart has changed.
deploy-check: ## Render the Helm chart, read the compose file and terraform/, start the programs as they say
	cd deploy/test && $(GO) vet ./... && $(GO) test -count=1 ./...

# What is decided is in modules/plan, which needs no provider and so no network. The
# rest takes the provider of AWS.
terraform-check: ## Check the form of terraform/ and test what it decides, with terraform if there is one
	@if ! command -v terraform >/dev/null; then \
		echo "!!! terraform is not installed: modules/plan was tested by deploy-check only, form and refusals by nobody"; exit 0; \
	fi; set -e; \
	export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1; \
	terraform fmt -check -recursive terraform; \
	work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	cp -r terraform/modules/plan/. "$$work"; cd "$$work"; rm -rf .terraform; \
	terraform init -input=false -no-color >/dev/null; \
	terraform validate -no-color; \
	terraform test -no-color

# ROUNDS with two ingesters, a querier and a NATS server, and a fifth as many
# with one process on a folder and on S3 each.
crash: ## Kill processes ROUNDS times and look for what they acknowledged
	$(GO) test -count=1 -timeout 60m -v -run TestCrash ./internal/e2e -crash.rounds=$(ROUNDS) -crash.seed=$(SEED)

# At least so often spans are sent and counted, on S3, while compactors are killed;
# with 600 and more the windows are 2, 10 and 60 s.
compaction: ROUNDS = 600
compaction: ## Merge blocks under traffic for minutes while compactors are killed, and count
	$(GO) test -count=1 -timeout 60m -v -run 'TestCompaction$$' ./internal/e2e -compact.rounds=$(ROUNDS)

# What merging costs, as ratios: CPU, bytes at rest, write amplification, memory.
compaction-cost: TIME = 20s
compaction-cost: ## Send spans for TIME, with merging and without, and say what it costs
	$(GO) test -count=1 -timeout 30m -v -run 'TestCompactionCost$$' ./internal/e2e -compact.time=$(TIME)

# Half a minute with fifty queries at once while spans arrive as fast as they are
# taken, then how much one project's heavy queries slow another's down.
load: TIME = 30s
load: ## Ask and send as much as possible for TIME, and say how that went
	$(GO) test -count=1 -timeout 30m -v -run 'TestLoad|TestFairness' ./internal/e2e -load.time=$(TIME) -load.spans=500000

# Functions that run only when they are invoked, and what that costs.
bursts: ROUNDS = 100
bursts: ## Invoke the functions in ROUNDS bursts, count every span, say what a burst costs
	$(GO) test -count=1 -timeout 60m -v -run TestScaleToZero ./internal/e2e -bursts=$(ROUNDS)

# As go test -fuzz does, but a package is built once for all of its targets.
fuzz: ## Run every fuzz target for FUZZTIME
	@set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	cache=$$($(GO) env GOCACHE)/fuzz; \
	$(GO) test -list '^Fuzz' $(PKG) >"$$work/list"; \
	awk '/^Fuzz/ {targets = targets " " $$1} $$1 == "ok" {if (targets) print $$2 targets; targets = ""}' "$$work/list" | \
	while read -r pkg targets; do \
		$(GO) test -c -fuzz . -o "$$work/fuzz.test" "$$pkg"; \
		dir=$$($(GO) list -f '{{.Dir}}' "$$pkg"); \
		for target in $$targets; do \
			echo "== $$pkg $$target"; \
			(cd "$$dir" && "$$work/fuzz.test" -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) \
				-test.fuzzminimizetime 100x -test.fuzzcachedir "$$cache/$$pkg") || exit 1; \
		done || exit 1; \
	done

bench: ## Run the benchmarks that match BENCH and print tables
	@$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(BENCHFLAGS) $(PKG) | $(GO) run ./internal/benchtable

bench-smoke: ## Run every benchmark once, on little, so that none rots
	$(GO) test -run '^$$' -bench . -benchtime 1x -short $(PKG)

lint: $(GOLANGCI) ## Check form and style
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GOLANGCI) run ./...

fmt: $(GOLANGCI) ## Format the code
	$(GOLANGCI) fmt ./...

generate: ## Write the generated files anew
	$(GO) generate ./...
	cd deploy/test && $(GO) generate ./...
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
	rm -rf bin dist

# Renamed after its version, so that a new version replaces it.
$(GOLANGCI):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv bin/golangci-lint $@
