# Targets need only Go unless noted.
SHELL   := /bin/sh
GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
# The module of the server and the commands, and that of the client: ./... of one does not reach into the other.
MODULES := . client
# A count: before Go 1.27 a run with a time limit may fail without a finding (go.dev/issue/75804).
FUZZTIME ?= 20000x
FAULTS ?= .
# Pinned: npx would take the latest version.
REDOCLY := REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true npx --yes @redocly/cli@2.77.0
# A module of its own, so that its many dependencies do not choose the versions of the other tools.
RELEASE_TOOL := $(GO) tool -modfile=tools/release/go.mod goreleaser
RELEASE ?= --snapshot
SWAGGER_UI := 5.35.0
# Rulesets are looked for beside the ruleset file, so that one has to lie where npx keeps the packages.
SPECTRAL := npx --yes -p @stoplight/spectral-cli@6.16.3 -p @ibm-cloud/openapi-ruleset@1.33.17 -- sh -c

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Serve a demo with 60 webhooks from a temporary database
	@echo "Compiling. The first time takes a few minutes, later ones seconds."
	@$(MAKE) --no-print-directory --silent build
	@bin/packhooks serve --demo

.PHONY: build
build: ## Build bin/packhooks: one static binary, versioned by its commit
	CGO_ENABLED=0 $(GO) build -buildvcs=auto -ldflags '-s -w' -o bin/packhooks ./cmd/packhooks

.PHONY: install
install: build ## Copy bin/packhooks to GOBIN, or to GOPATH/bin
	@dir=$$($(GO) env GOBIN); dir=$${dir:-$$($(GO) env GOPATH)/bin}; mkdir -p "$$dir" && cp bin/packhooks "$$dir" && echo "$$dir/packhooks"

.PHONY: generate
generate: ## Validate api/openapi.yaml, and regenerate everything that comes from it
	$(GO) generate ./...

.PHONY: check-generate
check-generate: ## Fail if committed generated files are out of date
	find gen client -name '*.gen.go' -delete
	$(MAKE) generate
	@drift=$$(git status --porcelain -- gen client/models.gen.go client/internal docs/contract.md) && test -z "$$drift" || \
		{ echo "generated output differs from what is committed:"; echo "$$drift"; exit 1; }

.PHONY: docs-assets
docs-assets: ## Vendor Swagger UI into server/docs (needs npm)
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	(cd "$$dir" && npm pack --silent swagger-ui-dist@$(SWAGGER_UI) && tar -xzf *.tgz) && \
	for f in swagger-ui-bundle.js swagger-ui.css; do gzip -9nc "$$dir/package/$$f" > server/docs/$$f.gz; done && \
	cp "$$dir/package/favicon-32x32.png" server/docs/ && \
	for f in LICENSE NOTICE; do cp "$$dir/package/$$f" server/docs/swagger-ui.$$f; done

.PHONY: release
release: ## Build archives for six platforms, checksums and SBOMs into dist; RELEASE= for a tagged commit
	$(RELEASE_TOOL) release --config deploy/goreleaser.yaml --clean --skip=publish,announce $(RELEASE)

.PHONY: test
test: ## Run the tests
	$(GO) test ./...
	$(GO) -C client test ./...

.PHONY: race
race: ## Run the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 30m ./...
	CGO_ENABLED=1 $(GO) -C client test -race -timeout 30m ./...

.PHONY: cross-validate
cross-validate: ## Validate the traffic of the server tests with another validator
	$(GO) -C tools test -count=1 ./crossvalidate

.PHONY: prism
prism: ## Run the conformance checks against Prism's mock (needs npm)
	$(GO) test -tags prism -count=1 -run Prism ./conformance

.PHONY: faults
faults: ## Kill, stop and overload the real binary; prints figures (Linux; PostgreSQL where installed)
	$(GO) test -tags faults -count=1 -timeout 60m -v -run '$(FAULTS)' ./cmd/packhooks/faults

.PHONY: lint
lint: ## Lint the Go code, the tools included
	$(GO) vet -tags bench,faults,prism,specedits ./...
	$(GO) -C client vet ./...
	$(TOOL) golangci-lint run
	cd client && $(GO) tool -modfile=../tools/go.mod golangci-lint run
	$(GO) -C tools tool golangci-lint run

.PHONY: lint-spec
lint-spec: ## Lint the contract under Redocly, Spectral and IBM's rules (needs npm)
	$(REDOCLY) lint --config api/redocly.yaml api/openapi.yaml
	$(SPECTRAL) 'modules=$$(dirname "$$(dirname "$$(command -v spectral)")") && cp api/spectral.yaml "$$modules/packhooks.yaml" && \
		spectral lint --fail-severity hint --ruleset "$$modules/packhooks.yaml" api/openapi.yaml'

.PHONY: breaking
breaking: ## Check api/openapi.yaml for breaking changes against api/released.yaml, and its version
	$(GO) -C tools run ./breaking ../api/released.yaml ../api/openapi.yaml ../CHANGELOG.md

.PHONY: breaking-edits
breaking-edits: ## Edit the contract in fifty ways; check which version each needs
	$(GO) -C tools test -count=1 ./breaking

.PHONY: spec-edits
spec-edits: ## Edit copies of the contract; check each step of CONTRIBUTING.md, and stored webhooks
	$(GO) test -tags specedits -count=1 -timeout 30m -v ./cmd/packhooks/specedits

.PHONY: bench
bench: ## Measure the server against a hand-written stack (Linux; needs wrk; PostgreSQL where installed)
	$(GO) test -tags bench -count=1 -timeout 20m -v ./cmd/packhooks/bench

.PHONY: microbench
microbench: ## Run the benchmarks of Go packages
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) -C client test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20000x)
	@for dir in $(MODULES); do $(GO) -C $$dir test -list '^Fuzz' ./... | \
	awk '/^Fuzz/{t[n++]=$$1} /^ok/{for(i=0;i<n;i++)print $$2,t[i]; n=0}' | \
	while read -r pkg target; do echo "$$pkg $$target"; \
		$(GO) -C $$dir test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; done || exit 1; done

.PHONY: vuln
vuln: ## Look for known vulnerabilities (needs https://vuln.go.dev)
	$(TOOL) govulncheck ./...
	cd client && $(GO) tool -modfile=../tools/go.mod govulncheck ./...
