# Leadline. `make help` lists the targets; README.md tells the rest.
#
#   make CXX=clang++        the other compiler
#   make WERROR=1           warnings are errors (what .ci/run uses)
#   make V=1                shows the commands
#   make BUILD=build/x SANITIZE=address,undefined
#                           another build beside the normal one: every file it makes lies under BUILD

BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
CXX      ?= g++
SANITIZE ?=
WERROR   ?=
V        ?=

# Nothing here depends on order, so use all cores, unless the caller (or a make above us) has already said how many.
ifeq ($(MAKELEVEL)$(filter -j% --jobserver%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(if $(WERROR),-Werror)
# A sanitizer's first finding ends the program: a test that goes on after one would hide it.
SANITIZER := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
OPTIMIZE = $(if $(SANITIZE),-O1 -g1,-O2 -g)
COMPILE = $(CXX) -std=c++20 $(OPTIMIZE) $(WARNINGS) -pthread $(SANITIZER) -Isrc $(CPPFLAGS) $(CXXFLAGS)
LINK := $(CXX) $(SANITIZER) $(CXXFLAGS) $(LDFLAGS)
LIBS := -lfcgi -lcjson -lsqlite3 -lpthread $(LDLIBS)

SOURCES    := $(sort $(wildcard src/*.cc src/*/*.cc))
UNIT_TESTS := $(sort $(wildcard tests/unit/*.cc))
MIGRATIONS := $(sort $(wildcard sql/sqlite/[0-9]*.sql))
CXX_FILES  := $(sort $(wildcard src/*.cc src/*.h src/*/*.cc src/*/*.h tests/*/*.cc tests/*/*.h))
SCRIPTS    := $(shell grep -rlE --exclude-dir=node_modules '^\#!.*[ /](ba)?sh$$' .ci scripts tests 2>/dev/null)

say = $(if $(V),,@echo '  $(1)';)
objects = $(patsubst %.cc,$(BUILD)/obj/%.o,$(1))
GENERATED    := $(BUILD)/gen/migrations.cc
MAIN_OBJECT  := $(call objects,src/main.cc)
CORE_OBJECTS := $(filter-out $(MAIN_OBJECT),$(call objects,$(SOURCES))) $(BUILD)/obj/gen/migrations.o
TEST_OBJECTS := $(call objects,$(UNIT_TESTS))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help all run test bench scale fault fuzz unit e2e browser asan tsan check check-format check-shell check-clang-tidy check-cppcheck \
        check-openapi check-clang tidy format clean install FORCE

help: ## this list
	@sed -nE 's/^([a-z][a-z0-9-]*):.*## (.*)/\1\t\2/p' Makefile | expand -t 18

all: $(BUILD)/leadline ## build build/leadline (the default)

# --- Running and testing: one step after the other, so that their outputs do not mix. ---

run: ## build it and serve on 127.0.0.1:8080 with nginx in front and demo leads, until Ctrl-C
	@scripts/install-deps build run
	@$(MAKE) --no-print-directory all
	@exec scripts/run-dev

test: ## build it and run every test
	@scripts/install-deps build run test
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory e2e
	@$(if $(wildcard tests/browser/run),$(MAKE) --no-print-directory browser)

unit: $(BUILD)/tests/unit ## the unit tests alone
	@$<

# E2E="serve lock": only these.
e2e: $(BUILD)/leadline ## the end-to-end tests alone: nginx, FastCGI, CGI and SQLite, all real
	@LEADLINE_BIN=$(abspath $<) tests/e2e/run $(E2E)

browser: $(BUILD)/leadline
	@scripts/install-deps browser
	@LEADLINE_BIN=$(abspath $<) tests/browser/run

# A sanitizer makes the program several times slower: bounds in time are as much longer, and the case that only waits out
# a 15 s lock is left to `make test`.
SANITIZED := LEADLINE_SLOW=5 LEADLINE_QUICK=1

asan: ## the unit and end-to-end tests under AddressSanitizer and UBSan
	@scripts/install-deps build run test
	@UBSAN_OPTIONS=print_stacktrace=1 $(MAKE) --no-print-directory BUILD=build/asan SANITIZE=address,undefined unit
	@$(SANITIZED) UBSAN_OPTIONS=print_stacktrace=1 $(MAKE) --no-print-directory BUILD=build/asan SANITIZE=address,undefined e2e

# ThreadSanitizer's fixed memory map collides with the wider address randomisation of newer kernels; a container may
# forbid switching it off, and then it has to do without.
tsan: NO_ASLR = $(shell setarch -R true 2>/dev/null && echo setarch -R)
tsan: ## the unit and end-to-end tests under ThreadSanitizer
	@scripts/install-deps build run test
	@TSAN_OPTIONS=halt_on_error=1 $(NO_ASLR) $(MAKE) --no-print-directory BUILD=build/tsan SANITIZE=thread unit
	@$(SANITIZED) TSAN_OPTIONS=halt_on_error=1 $(NO_ASLR) $(MAKE) --no-print-directory BUILD=build/tsan SANITIZE=thread e2e

# BENCH="--quick --only rows": the words of tests/bench/run.
bench: ## how near the service comes to what nginx and its gateway can do at best (10 minutes, 3 GB in build/bench)
	@scripts/install-deps build run test
	@$(MAKE) --no-print-directory all
	+@tests/bench/run $(BENCH)

scale: ## how the API does at 10,000 and 1,000,000 leads, as ratios (some minutes, 2 GB in build/scale)
	@scripts/install-deps build run test
	@$(MAKE) --no-print-directory all
	@tests/bench/scale

fault: ## break the world around it: power cuts, no memory, kill -9, full disks, hostile peers (some minutes; QUICK=1: one and a half)
	@scripts/install-deps build run test
	+@tests/fault/run $(if $(QUICK),--quick)

SECONDS ?= 60
fuzz: ## let libFuzzer look for inputs that break a parser: make fuzz SECONDS=60
	@scripts/install-deps build check
	+@tests/fuzz/run $(SECONDS)

# --- Static checks. ---

check: ## all static checks: format, tidy, shellcheck, clang-tidy, cppcheck
	@scripts/install-deps build check browser
	@$(MAKE) --no-print-directory --keep-going check-format tidy check-shell check-openapi check-clang check-clang-tidy check-cppcheck

tidy: ## layers, lengths, banned calls
	@scripts/tidy

format: ## let clang-format rewrite the C++ files
	@clang-format -i $(CXX_FILES)

check-format:
	@clang-format --dry-run --Werror $(CXX_FILES)

check-openapi:
	@tests/openapi/run

check-shell:
	@shellcheck $(SCRIPTS)

# clang-tidy counts the warnings of system headers on stderr even when it shows none of them.
check-clang-tidy:
	@set -o pipefail; printf '%s\n' $(SOURCES) | \
	  xargs -P $(shell nproc) -n 1 sh -c 'clang-tidy --quiet "$$0" -- -std=c++20 -Isrc 2>&1' | \
	  { grep -vE '^[0-9]+ warnings? (generated|treated)' || true; }
check-clang-tidy: SHELL := /bin/bash

# The other compiler's opinion, without what takes it long.
check-clang:
	@printf '%s\n' $(SOURCES) | xargs -P $(shell nproc) -n 4 \
	  clang++ -std=c++20 -fsyntax-only $(WARNINGS) -Werror -Isrc

check-cppcheck:
	@cppcheck --quiet --std=c++20 --language=c++ --enable=warning,performance,portability --inline-suppr \
	  --suppress=missingIncludeSystem --suppress=unknownMacro --error-exitcode=1 -Isrc -j $(shell nproc) src

# --- Files. ---

$(BUILD)/leadline: $(MAIN_OBJECT) $(CORE_OBJECTS)
	@mkdir -p $(@D)
	$(call say,link $@) $(LINK) -o $@ $^ $(LIBS)

$(BUILD)/tests/unit: $(TEST_OBJECTS) $(CORE_OBJECTS)
	@mkdir -p $(@D)
	$(call say,link $@) $(LINK) -o $@ $^ $(LIBS)

# The tests need to be compiled fast, not to be fast.
$(BUILD)/obj/tests/unit/%.o: private OPTIMIZE = -O0 -g1
$(BUILD)/obj/tests/unit/%.o: private CPPFLAGS += -DDOCTEST_CONFIG_SUPER_FAST_ASSERTS

$(BUILD)/obj/%.o: %.cc $(BUILD)/compile-command
	@mkdir -p $(@D)
	$(call say,compile $<) $(COMPILE) -MMD -MP -c -o $@ $<

$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.cc $(BUILD)/compile-command
	@mkdir -p $(@D)
	$(call say,compile $<) $(COMPILE) -MMD -MP -c -o $@ $<

# The schema travels inside the binary, so that it and the program cannot be of different versions. Declared in store/schema.h.
$(GENERATED): $(MIGRATIONS) Makefile
	@mkdir -p $(@D)
	@{ echo '// Made by the Makefile from sql/sqlite/. Edit those.'; \
	   echo 'namespace leadline {'; \
	   echo 'extern const char* const kMigrations[];'; \
	   echo 'extern const int kMigrationCount;'; \
	   echo 'const char* const kMigrations[] = {'; \
	   for file in $(MIGRATIONS); do printf 'R"~~~~('; cat "$$file"; printf ')~~~~",\n'; done; \
	   echo '};'; \
	   echo 'const int kMigrationCount = $(words $(MIGRATIONS));'; \
	   echo '}  // namespace leadline'; } > $@

# Changes only when the compiler or its flags do; then everything is built anew.
$(BUILD)/compile-command: FORCE
	@mkdir -p $(@D)
	@echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' > $@

install: all ## install under DESTDIR and PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/leadline
	install -m 755 $(BUILD)/leadline $(DESTDIR)$(PREFIX)/bin/leadline
	for file in $(sort $(wildcard nginx/*.conf) $(shell find sql docs dashboard -type f 2>/dev/null)); do \
	  install -D -m 644 "$$file" "$(DESTDIR)$(PREFIX)/share/leadline/$$file" || exit 1; \
	done

clean: ## remove build/, the demo database with it
	rm -rf build

-include $(patsubst %.o,%.d,$(MAIN_OBJECT) $(CORE_OBJECTS) $(TEST_OBJECTS))
