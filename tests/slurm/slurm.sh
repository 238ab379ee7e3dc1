#!/usr/bin/env bash
# A real SLURM of one node on loopback, for the tests: no systemd, nothing outside its own folder.
#
#   sudo tests/slurm/slurm.sh install     # Debian, Ubuntu: packages slurm-wlm and munge
#   sudo tests/slurm/slurm.sh start       # munged, slurmctld and slurmd, all by hand
#   tests/slurm/slurm.sh check            # runs a job; 0 if it ran
#   eval "$(tests/slurm/slurm.sh env)"    # what a shell needs to use it
#   sudo tests/slurm/slurm.sh stop
#
# MAGXR_SLURM is its folder (/tmp/magxr-slurm).
set -euo pipefail
HOME_OF_SLURM=${MAGXR_SLURM:-/tmp/magxr-slurm}
export SLURM_CONF=$HOME_OF_SLURM/slurm.conf
PATH=$PATH:/usr/sbin:/sbin

installed() { command -v slurmctld slurmd sbatch munged >/dev/null; }

install() {
  installed && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "SLURM is not installed, and only root can install it here, with apt-get" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends slurm-wlm munge
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

configure() {
  mkdir -p "$HOME_OF_SLURM"/{munge,state,spool,log}
  chmod 755 "$HOME_OF_SLURM" "$HOME_OF_SLURM"/* # jobs and clients reach munge's socket through it
  head -c 1024 /dev/urandom >"$HOME_OF_SLURM/munge/key"
  chmod 600 "$HOME_OF_SLURM/munge/key"
  local name cpus memory
  name=$(hostname -s)
  # More processors than there are: jobs of tests wait for each other otherwise, and wait they hardly work.
  cpus=8
  memory=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
  # ReturnToService and SlurmdParameters: the node is up although it counts other processors than it has.
  cat >"$SLURM_CONF" <<EOF
ClusterName=magxr
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$HOME_OF_SLURM/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
StateSaveLocation=$HOME_OF_SLURM/state
SlurmdSpoolDir=$HOME_OF_SLURM/spool
SlurmctldPidFile=$HOME_OF_SLURM/slurmctld.pid
SlurmdPidFile=$HOME_OF_SLURM/slurmd.pid
SlurmctldLogFile=$HOME_OF_SLURM/log/slurmctld.log
SlurmdLogFile=$HOME_OF_SLURM/log/slurmd.log
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
SchedulerParameters=sched_interval=2,bf_interval=2,sched_min_interval=0
MinJobAge=60
KillWait=2
NodeName=$name NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=short Nodes=$name Default=YES MaxTime=01:00:00 State=UP
PartitionName=closed Nodes=$name MaxTime=01:00:00 State=DOWN
EOF
  echo 'ConstrainCores=no' >"$HOME_OF_SLURM/cgroup.conf"
}

running() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

start() {
  installed || { echo "SLURM is not installed: $0 install" >&2; exit 1; }
  if running "$HOME_OF_SLURM/slurmctld.pid" && running "$HOME_OF_SLURM/slurmd.pid"; then return; fi
  stop
  configure
  (umask 022 && munged --force --key-file "$HOME_OF_SLURM/munge/key" --socket "$HOME_OF_SLURM/munge/socket" \
    --pid-file "$HOME_OF_SLURM/munge/pid" --log-file "$HOME_OF_SLURM/log/munged.log" \
    --seed-file "$HOME_OF_SLURM/munge/seed" 2>/dev/null)
  slurmctld -c
  slurmd -c
  for _ in $(seq 60); do
    sinfo --noheader --format=%T 2>/dev/null | grep -q '^idle' && return
    sleep 0.5
  done
  echo "the node did not come up; see $HOME_OF_SLURM/log" >&2
  tail -n 20 "$HOME_OF_SLURM"/log/*.log >&2
  exit 1
}

check() { [ "$(srun --partition=short --time=1 --mem=64M echo runs 2>/dev/null)" = runs ]; }

stop() {
  if running "$HOME_OF_SLURM/slurmctld.pid"; then scancel --user=root 2>/dev/null || true; fi
  for pid in "$HOME_OF_SLURM"/{slurmd.pid,slurmctld.pid,munge/pid}; do
    if running "$pid"; then
      kill "$(cat "$pid")"
      for _ in $(seq 50); do running "$pid" || break; sleep 0.1; done
      if running "$pid"; then kill -9 "$(cat "$pid")"; fi
    fi
  done
  rm -rf "$HOME_OF_SLURM"
}

case ${1:-} in
  install | start | check | stop) "$1" ;;
  env) echo "export SLURM_CONF=$SLURM_CONF" ;;
  *) sed -n '2,10p' "$0" >&2; exit 2 ;;
esac
