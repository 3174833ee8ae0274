# Kills the process groups that the processes "$@" belong to; prints killed, gone or alive for all of them together.
said=gone
for pid in "$@"; do
  group=
  # The process may not lead its group: a forced command can stand between sshd and it.
  if read -r line 2>/dev/null <"/proc/$pid/stat"; then
    line=${line##*) }
    group=${line#* }
    group=${group#* }
    group=${group%% *}
  elif [ ! -r /proc/self/stat ]; then
    group=$(ps -o pgid= -p "$pid" 2>/dev/null | tr -d ' ')
  fi
  case $group in ''|*[!0-9]*|0|1) group=$pid ;; esac
  own=
  if read -r line 2>/dev/null </proc/self/stat; then
    line=${line##*) }
    own=${line#* }
    own=${own#* }
    own=${own%% *}
  fi
  [ "$group" = "$own" ] && continue
  if kill -KILL -- "-$group" 2>/dev/null; then
    [ "$said" = gone ] && said=killed
  elif [ -d "/proc/$pid" ]; then
    said=alive
  fi
done
echo "$said"
