# `make` or `make help` says what the targets do.
.DEFAULT_GOAL := help
.PHONY: help build demo test race sim torture fuzz bench lint models ci clean

help: ## what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  \1\t\2/' | expand -t 10

build: ## the binary, ./newel, static
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o newel ./cmd/newel

demo: ## deploy and run the order-fulfilment example
	go run ./cmd/newel demo order-fulfilment

test: ## everything that `go test` covers, under three minutes
	go test ./...

race: ## the tests of the concurrent parts with the race detector (needs cgo)
	CGO_ENABLED=1 go test -race ./internal/engine/... ./internal/store/... ./internal/lambda/... ./internal/sqs/... ./machine/...

sim: ## the seeded simulation with 2,000 seeds
	NEWEL_SIM_SEEDS=2000 go test -count=1 -timeout 30m -run Sim ./machine/ ./internal/sim/

torture: ## the real binary killed, starved of disk, fed damaged files and requests, crowded: docs/reliability.md
	NEWEL_TORTURE=full go test -count=1 -v -timeout 20m -run Torture ./e2e/

fuzz: ## every fuzz target for FUZZTIME (default 30s) each
	.ci/fuzz $${FUZZTIME:-30s}

bench: ## part benchmarks, then the jobs of the whole server
	go test -run '^$$' -bench . -benchtime 1s ./asl/... ./machine/ ./internal/store/...
	go run ./cmd/newel bench

lint: ## golangci-lint, if it is installed
	golangci-lint run

models: ## regenerate the tables of the API models: make models MODELS=DIR
	go run ./internal/aws/gen -models "$(MODELS)"

ci: ## what the continuous integration runs
	.ci/run

clean: ## remove what the targets above made
	rm -rf newel dist
