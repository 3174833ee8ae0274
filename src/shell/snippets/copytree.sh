# copytree.sh ACT FROM TO MODE DIRMODE OWNER: compares the tree FROM with TO ("look") or makes TO hold all of it ("do").
# Answers "same" or "differs"; what TO has beyond FROM stays.
act=$1
from=$2
to=$3
mode=$4
dirmode=$5
owner=$6
begin
if ! cd -- "$from" 2>/dev/null; then
    field fail
    field "cannot enter $from"
    field end
    exit 1
fi
case $to in
/*) ;;
*) to=$OLDPWD/$to ;;
esac

# shellcheck disable=SC2016
answer=$(find . -exec sh -c '
    act=$1 to=$2 mode=$3 dirmode=$4 owner=$5
    shift 5
    fail() { printf "fail %s\n" "$1"; exit 0; }
    for f; do
        t=$to/${f#./}
        [ "$f" != . ] || t=$to
        if [ -L "$f" ]; then
            a=$(readlink -- "$f"; echo .) b=$(readlink -- "$t" 2>/dev/null; echo .)
            [ "$a" = "$b" ] && continue
            echo differs
            [ "$act" = do ] || exit 0
            rm -f -- "$t"
            words=$(cp -P -- "$f" "$t" 2>&1) || fail "$words"
        elif [ -d "$f" ]; then
            [ -d "$t" ] && continue
            echo differs
            [ "$act" = do ] || exit 0
            words=$(mkdir -p -- "$t" 2>&1) || fail "$words"
            [ -z "$dirmode" ] || words=$(chmod -- "$dirmode" "$t" 2>&1) || fail "$words"
            [ -z "$owner" ] || words=$(chown -- "$owner" "$t" 2>&1) || fail "$words"
        elif [ -f "$f" ]; then
            if [ ! -L "$t" ] && cmp -s -- "$f" "$t"; then continue; fi
            echo differs
            [ "$act" = do ] || exit 0
            n=${t%/*}/.batchssh-$$.new
            rm -f -- "$n"
            words=$(cp -p -- "$f" "$n" 2>&1) || { rm -f -- "$n"; fail "$words"; }
            [ -z "$owner" ] || words=$(chown -- "$owner" "$n" 2>&1) || { rm -f -- "$n"; fail "$words"; }
            [ -z "$mode" ] || words=$(chmod -- "$mode" "$n" 2>&1) || { rm -f -- "$n"; fail "$words"; }
            words=$(mv -f -- "$n" "$t" 2>&1) || { rm -f -- "$n"; fail "$words"; }
        fi
    done
' sh "$act" "$to" "$mode" "$dirmode" "$owner" {} + 2>&1)
case $answer in
*fail*)
    field fail
    field "${answer#*fail }"
    ;;
differs*)
    field differs
    field ""
    ;;
"")
    field same
    field ""
    ;;
*)
    field fail
    field "$answer"
    ;;
esac
field end
