# The menu. Each line calls cargo or `cargo xtask`, which anyone may call instead.
.DEFAULT_GOAL := help
.PHONY: help demo test test-cluster faults check update generate bench bench-reload web docs release image-root

help:     ## this list
	@sed -n 's/^\([a-z-]*\):\( *\)## /  make \1\2 /p' $(firstword $(MAKEFILE_LIST))
demo:     ## a real HAProxy, the controller on a folder of manifests, two backends; ONCE=1 ends by itself
	@cargo xtask demo $(if $(ONCE),--once)
test:     ## everything: lints, all tests with two versions of HAProxy, the page in a browser
	@cargo xtask test
test-cluster: ## the controller's tests on the real API server in the folder KUBEBUILDER_ASSETS
	@cargo xtask cluster
faults:   ## all faults with two versions of HAProxy, as a table of what was seen
	@cargo xtask faults
check:    ## what to run before a commit: format, lints, and the tests that start no process
	@cargo xtask check
update:   ## rewrites what the case files expect; review the difference like code
	@cargo xtask update
generate: ## writes the reference under docs/ from the code
	@cargo xtask generate
bench:    ## measures what the design promises, and says where it falls short
	@cargo xtask bench
bench-reload: ## the rows of it about what clients notice of changes; BENCH_SCALE=10 does a tenth
	@cargo xtask bench live
web:      ## builds the playground to web-demo/dist
	@cargo xtask web
docs:     ## the documentation as a site with live examples: target/site
	@cargo xtask docs
release:  ## the controller, optimised: target/release/haproxy-ingress
	@cargo build --release -p haproxy-ingress
image-root: ## the root file system of the controller's image, without Docker: target/image-root
	@cargo xtask image-root
