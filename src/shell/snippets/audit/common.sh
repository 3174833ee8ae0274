# What the looks of `audit` have in common. Their $1 is a folder that stands for `/`: empty on a host, filled in tests.
# The answer is lines `KEY: TEXT`; what says how it was looked and is not to be compared is a line `note: TEXT`.

has() {
    command -v "$1" >/dev/null 2>&1
}

note() {
    printf 'note: %s\n' "$1"
}

# refuse TEXT: there is no answer, and why.
refuse() {
    printf '%s\n' "$1" >&2
    exit 3
}

# first FILE: its first line in $line; false when it cannot be read.
first() {
    line=
    if [ -r "$1" ] && [ -f "$1" ]; then
        { read -r line <"$1"; } 2>/dev/null || [ -n "$line" ]
    else
        return 1
    fi
}

# answer FUNCTION: what it prints, or nothing at all when it fails.
answer() {
    text=$("$1") || exit "$?"
    field answer
    field "$text"
    field end
    field ""
}
