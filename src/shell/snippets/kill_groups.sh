# Kills the process groups that the processes "$@" belong to, outer ones first; prints what became of the last, innermost
# one: killed, gone or alive. A `su` or `sudo` around it that may not be killed ends with it.
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
  # dash knows no `--` here.
  if kill -KILL "-$group" 2>/dev/null; then
    said=killed
  elif [ -d "/proc/$pid" ]; then
    said=alive
  else
    said=gone
  fi
done
echo "$said"
