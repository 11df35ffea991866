#!/bin/bash
# A sweep on a Ray cluster that lives as long as this Slurm job:
#   sbatch slurm.sh RECIPE.toml /shared/runs/NAME
# Submit it again after a time limit, a failure or an scancel: it goes on where it was.
#SBATCH --job-name=interlaw
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=24:00:00
#SBATCH --signal=B:INT@120
#SBATCH --requeue

set -euo pipefail
set -m  # else the sweep, in the background, would not hear the interrupt

recipe=${1:?expected a recipe: sbatch slurm.sh RECIPE.toml OUT}
out=${2:?expected a folder that every node mounts, or a URL: sbatch slurm.sh RECIPE.toml OUT}
# a port of this job's own, so that two jobs may share a node
port=$((20000 + SLURM_JOB_ID % 10000))
export RAY_USAGE_STATS_ENABLED=0

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
read -r head_ip _ < <(srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address)
address=$head_ip:$port

srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
  ray start --head --node-ip-address="$head_ip" --port="$port" --include-dashboard=false --block &

for _ in $(seq 60); do
  ray health-check --address "$address" && break
  sleep 2
done

if ((${#nodes[@]} > 1)); then
  srun --overlap --nodes=$((${#nodes[@]} - 1)) --ntasks=$((${#nodes[@]} - 1)) --exclude="$head" \
    ray start --address="$address" --block &
fi

# one trial takes 4 cores and a GPU; the signal before the time limit stops the sweep as Ctrl-C does
interlaw sweep "$recipe" --out "$out" --executor ray --address "$address" \
  --resources-per-trial cpu=4,gpu=1 --device cuda &
sweep=$!
# a signal ends a wait before the sweep has ended: wait again, until no signal came between
trap 'signalled=yes; kill -INT "$sweep" 2>/dev/null || true' INT TERM
signalled=yes
while [[ $signalled == yes ]]; do
  signalled=no
  status=0
  wait "$sweep" || status=$?
done
# the two Ray steps end with the job
exit "$status"
