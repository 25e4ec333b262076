# What there is to do here. `make` prints the targets. Needs Go, gcc, make, git, and for some targets apt (Debian).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

MODULE := github.com/crmops/rollout-operator
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE ?= crm-rollout-operator:$(VERSION)
LDFLAGS := -s -w -X $(MODULE)/internal/version.Version=$(VERSION)

# The packages that cannot do I/O: their tests take milliseconds.
PURE := $(patsubst %,./%/...,$(wildcard internal/plan internal/admit internal/advance internal/gate internal/calendar internal/decide internal/effect internal/forecast internal/record internal/measure))
# Packages with RBAC markers.
MARKED := $(patsubst %,paths=./%/...,$(wildcard controllers cmd))
# Tests run with the race detector: controllers, collectors and providers are where goroutines meet. RACE= switches it off.
RACE ?= -race
TESTS ?= ./...
# The simulation of whole rollouts has no goroutines, so the race detector would find nothing in it and make it take six times as long.
SIMULATION := ./test/sequence

# Real programs for tests and demonstrations, each built or fetched when first needed. A command that fails ends the recipe.
ASSETS = KUBEBUILDER_ASSETS=$$(hack/controlplane.sh); export KUBEBUILDER_ASSETS
PROMETHEUS_BINARY = PROMETHEUS=$$(hack/prometheus.sh); export PROMETHEUS
FLUX_ENGINE = FLUX=$$(hack/flux.sh); export FLUX
HELM_BINARY = HELM=$$(hack/tool.sh helm); export HELM
MANAGER_BINARY = MANAGER=$(CURDIR)/bin/manager; export MANAGER
PLUGIN_BINARY = PLUGIN=$(CURDIR)/bin/kubectl-crm_rollout; export PLUGIN

##@ Everyday

.PHONY: help
help: ## Print this.
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the manager and the plugin of kubectl into bin.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/manager ./cmd/kubectl-crm_rollout

.PHONY: generate
generate: ## Make everything that is made from the sources: deep copies, CRDs, roles, docs/api.md, the chart's copies.
	generator=$$(hack/tool.sh controller-gen)
	"$$generator" object:headerFile=hack/boilerplate.go.txt paths=./api/...
	"$$generator" crd:allowDangerousTypes=false paths=./api/... output:crd:dir=config/crd/bases
	if [ -n "$(MARKED)" ]; then "$$generator" rbac:roleName=manager $(MARKED) output:rbac:dir=config/rbac; fi
	mkdir -p docs
	"$$(hack/tool.sh crd-ref-docs)" --log-level=ERROR --config=hack/crd-ref-docs.yaml --renderer=markdown --max-depth=12 \
	  --source-path=./api/v1alpha1 --output-path=docs/api.md
	if [ -x hack/chart.sh ]; then hack/chart.sh; fi

.PHONY: fmt
fmt: ## Format all Go files.
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

.PHONY: lint
lint: ## Check the rules of the house: golangci-lint with the Kubernetes API linter, and hack/words.sh.
	"$$(hack/tool.sh golangci-lint)" run ./...
	hack/words.sh

.PHONY: test-unit
test-unit: ## Test the rules alone: milliseconds, no servers.
	go test $(PURE) ./api/...

.PHONY: test
test: build ## Test everything: rules, providers against a real Prometheus, PostgreSQL and MariaDB, a real API server and GitOps engine, renderings, the image. TESTS=, RACE=.
	$(ASSETS)
	$(PROMETHEUS_BINARY)
	$(FLUX_ENGINE)
	$(HELM_BINARY)
	$(MANAGER_BINARY)
	$(PLUGIN_BINARY)
	run=("$$(hack/tool.sh gotestsum)" --format=pkgname --format-hide-empty-pkg --)
	if [ '$(TESTS)' = ./... ]; then
	  "$${run[@]}" -count=1 -timeout=20m $(SIMULATION)
	  "$${run[@]}" $(RACE) -count=1 -timeout=20m $$(go list ./... | grep -v '/$(SIMULATION:./%=%)$$')
	else
	  "$${run[@]}" $(RACE) -count=1 -timeout=20m $(TESTS)
	fi

.PHONY: demo
demo: build ## Watch eight sites go through a rollout in two waves, with one hold. KEEP=1 leaves it running, CLUSTER=kubeconfig.
	if [ -z "$${CLUSTER:-}" ]; then $(ASSETS); fi
	$(PROMETHEUS_BINARY)
	$(MANAGER_BINARY)
	go run ./test/demo

.PHONY: bench
bench: build ## Measure what the operator costs while hundreds of sites wait, in about ten minutes. QUIET=5m, the longest period.
	$(ASSETS)
	$(MANAGER_BINARY)
	go run ./test/bench

##@ Proof

.PHONY: verify
verify: ## Check that generated files are fresh, that the code is formatted and tidy, that lint finds nothing, and lint-proof.
	hack/changes.sh $(MAKE) --no-print-directory generate
	unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go'))
	if [ -n "$$unformatted" ]; then printf 'not formatted (make fmt):\n%s\n' "$$unformatted" >&2; exit 1; fi
	go mod tidy -diff
	go vet ./...
	$(MAKE) --no-print-directory lint lint-proof

.PHONY: lint-proof
lint-proof: ## Plant a violation of each rule in a copy of the tree and expect lint to find it.
	GOLANGCI_LINT=$$(hack/tool.sh golangci-lint); export GOLANGCI_LINT
	go run ./hack/lintproof

##@ Ground

.PHONY: controlplane
controlplane: ## Build the control plane for tests (etcd, kube-apiserver, kube-controller-manager, kubectl); prints its directory.
	@hack/controlplane.sh

.PHONY: prometheus
prometheus: ## Find, fetch or build Prometheus; prints its path.
	@hack/prometheus.sh

.PHONY: flux
flux: ## Build Flux's kustomize-controller, which applies git commits in tests; prints its directory.
	@hack/flux.sh

.PHONY: tools
tools: ## Build the developer tools; prints their paths.
	@for tool in controller-gen crd-ref-docs gotestsum golangci-lint helm; do hack/tool.sh "$$tool"; done

.PHONY: image
image: ## Build the container image without a Docker engine and run the manager in it once. IMAGE=name:tag.
	VERSION=$(VERSION) hack/image.sh . $(IMAGE)

.PHONY: clean
clean: ## Remove everything that was built or fetched.
	rm -rf bin
