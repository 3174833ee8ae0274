# Everyday commands. `just` alone lists them.

[private]
default:
    @just --list --unsorted

# everything CI checks on one machine
check:
    scripts/test

# the tests, as quickly as they go
test *ARGS:
    cargo test {{ ARGS }}

# the demo on a throw-away fleet
demo *ARGS:
    scripts/demo {{ ARGS }}

# review changed snapshots
snap:
    cargo insta review

# every example playbook with its inventory
plan-examples:
    cargo test --test examples

# what may come into the build, the advisories included (needs the network)
deny:
    cargo deny check

# the file of a new module, from the smallest one there is, and what is left to do
new-module NAME:
    cp --no-clobber src/modules/ping.rs src/modules/{{ NAME }}.rs
    @echo "now: write src/modules/{{ NAME }}.rs, and add \`{{ NAME }}\` to modules! in src/modules/mod.rs"

# fuzz a target, or `all`, for so many minutes of CPU time each (docs/fuzzing.md)
fuzz TARGET MINUTES="30":
    scripts/fuzz {{ TARGET }} {{ MINUTES }}
