# The front door. Every target works on a bare Debian 12; what is missing is installed by scripts/setup.sh.
PREFIX ?= /usr/local
MGD := build/release/mgd

.DEFAULT_GOAL := help
.PHONY: help demo test build bench format lint fuzz clean install

help:  ## this list
	@echo "mgd: small networks from big ones, by masked generative distillation"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo:  ## set up, build the program alone, and distil a small network on handwritten digits (minutes)
	@scripts/setup.sh build digits
	@scripts/build.sh release mgd
	@$(MGD) demo digits

test:  ## set up, build and run all tests
	@scripts/setup.sh test digits
	@scripts/build.sh
	@scripts/test.sh

build:  ## set up and build the program (build/release/mgd) with the libraries, without the tests
	@scripts/setup.sh build
	@scripts/build.sh release mgd

bench: build  ## time kernels and steps
	@build/release/mgd bench

format:  ## format the C++ sources in place
	@scripts/setup.sh lint
	@scripts/check_format.sh --fix

lint:  ## check formatting, include arrows, file sizes and paths in the documents
	@scripts/lint.sh

fuzz:  ## fuzz every parser for SECONDS=60 each (clang)
	@scripts/setup.sh fuzz
	@scripts/fuzz.sh $(or $(SECONDS),60)

clean:  ## remove build/ (keeps .venv and .cache)
	@rm -rf build

install: build  ## install to DESTDIR and PREFIX (default /usr/local)
	@cmake --install build/release --prefix "$(PREFIX)"
