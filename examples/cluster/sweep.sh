#!/bin/bash
# A grid of trainings side by side, each a job of SLURM on a GPU of its own; then their comparison:
#
#     bash examples/cluster/sweep.sh seed=1,2,3 encoder=mbert,xlmr data=clirmatrix data.path=FOLDER
#
# It waits for its jobs: start it in tmux on the login node. The same command does what is left after a failure. Without
# SLURM they run on this machine, all at once:
#
#     LAUNCHER=submitit_local bash examples/cluster/sweep.sh

set -euo pipefail

launcher="${LAUNCHER:-submitit_slurm}"
settings=(hydra/launcher="$launcher" hydra.launcher.timeout_min=240 hydra.launcher.cpus_per_task=4 hydra.launcher.mem_gb=32)
if [ "$launcher" = submitit_slurm ]; then
    settings+=(hydra.launcher.partition="${PARTITION:-gpu}" hydra.launcher.gpus_per_node=1 hydra.launcher.signal_delay_s=120)
fi

# Three seeds of the demo, if nothing is said.
if [ $# -eq 0 ]; then
    set -- seed=1,2,3
fi
clir train -m "${settings[@]}" hydra.sweep.dir="${SWEEP:-sweeps/first}" resume=auto "$@"
