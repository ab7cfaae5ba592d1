# microstage: from training to FPGA-ready FINN-ONNX and to bit-exact C.  `make help` explains.
#
# make is the door; the runner (shared/microstage_runner) resolves keys, orders the stages and skips what is published.
# docs/adr/0001 says why. Every variable on the command line goes to it, so that a misspelt one is an error.

# What was typed is text: `value` reads it without expanding it, `override` keeps it from replacing what stands here,
# and nothing of it is exported, as make would expand it then. The loop variable is called `=`: nobody can type that.
override typed_names := $(foreach =,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $=))),$=))
override define line_break


endef
$(foreach =,$(typed_names),$(if $(findstring $(line_break),$(value $=)),\
  $(error $= holds a line break, which no variable may: leave it out)))
override quoted = '$(subst ','\'',$1)'
override typed := $(foreach =,$(typed_names),$(call quoted,$==$(value $=)))
unexport $(typed_names)
override MAKEOVERRIDES :=
ifneq ($(filter VENDOR,$(typed_names)),)
override MICROSTAGE_VENDOR := $(value VENDOR)
export MICROSTAGE_VENDOR
endif
override python := $(call quoted,$(or $(value PYTHON),python3))
override MICROSTAGE := PYTHONPATH=shared PYTHONDONTWRITEBYTECODE= $(python) -m microstage_runner

override SHELL := bash
override .SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:

##@ Stages: everything up to and including
.PHONY: train export qcdq streamline cbackend rtl
train:       ## train and quantise the network
export:      ## write it as QONNX
qcdq:        ## rebuild it as QCDQ parts and prove the integers
streamline:  ## make it integer-only FINN-ONNX
cbackend:    ## compile its integers to C and run the self test
rtl:         ## or to SystemVerilog, proven under Verilator and on yosys' netlist: LANES= DEVICE=ecp5-25 PLACE=1
train export qcdq streamline cbackend rtl:
	@$(MICROSTAGE) $@ $(typed)

##@ Looking
.PHONY: path why runs resume verify sign report accuracy compare sweep explain estimate-file ready binfiles python \
  variables doctor sbom
path:        ## print the folder of an artefact: STAGE=
why:         ## say why a stage would run again: STAGE=
runs:        ## every training here, finished or cut off, by id; RUN= takes one on: make export RUN=1b6f
resume:      ## go on with a training that was cut off: RUN=
verify:      ## hash the artefacts again; integers compared per boundary; who signed them: PUBLIC_KEY=
sign:        ## vouch for what is published already: SIGNING_KEY=; with it, every stage signs what it makes
report:      ## the closing table of the selected run, and its page with everything known of it: OPEN=1 opens it
accuracy:    ## train on every fold; errors per harmonic and source, beside the textbook: NOMINAL=32
compare:     ## trainings beside each other: RUNS="1b6f 90ac"; or every form of one network: MODEL=lenet
sweep:       ## every combination of listed values, up to STAGE=: CYCLES=0.25,0.5,1 JOBS=2 ENGINE=snakemake PROFILE=slurm
explain:     ## every layer in floats beside its integers; where the error of one answer comes from: SAMPLE=17
estimate-file: ## harmonics over time of a recording, events, pictures: FILE=x.cfg CHANNEL=IA,IB RUN= ONNX=folder
ready:       ## train the networks that estimate-file takes by default, and put them into this checkout
binfiles:    ## the benchmark runner's folder, classified file by file: MODEL=kws-w3a3, ENCODING=eembc
python:      ## run a script of your own where a stage's packages are: STAGE=train SCRIPT=my.py ARGS="..."
variables:   ## every variable of every stage
doctor:      ## what this machine has and lacks
sbom:        ## bills of materials of STAGE= or of every stage, and every licence
path why runs resume verify sign report accuracy compare sweep explain estimate-file ready binfiles python \
  variables doctor sbom:
	@$(MICROSTAGE) $@ $(typed)

##@ Making ready
.PHONY: images base environments data vendor interpreter
images:      ## build every stage's container image but rtl's, which STAGE=rtl builds
base:        ## build stand-in base images where no registry is reachable
environments: ## make every stage's virtual environment (RUNNER=local) but rtl's, which STAGE=rtl makes
data:        ## download a dataset: DATASET=ev-cpw
vendor:      ## collect all that is ever downloaded into VENDOR=dir; any other target then takes it from there
interpreter: ## compile microstage-run, which infers with network files (*.msn): CC=
images base environments data vendor interpreter:
	@$(MICROSTAGE) $@ $(typed)

##@ Another machine
.PHONY: pack unpack push pull
pack:        ## one file with all that STAGE= needs; IMAGE=1 adds its image
unpack:      ## BUNDLE=: run its stage here and pack the artefact, or publish the artefact that came home
push:        ## the selected artefacts, and the images that are here, to an OCI registry: REGISTRY=host:port/prefix
pull:        ## fetch them; with REGISTRY= every stage looks there before it is made
pack unpack push pull:
	@$(MICROSTAGE) $@ $(typed)

##@ Checking
.PHONY: test lint docs docs-check fuzz chaos reproduce prove footprint simulate package-check
.PHONY: reproduce-table slurm-test quantisers bench bench-noop bench-setup bench-kernels bench-lstm bench-bnn
test:        ## every test, each in the environment of its stage: TESTS=tests/shared chooses
	@$(MICROSTAGE) $@ $(typed)

lint:        ## formatter, ruff, mypy, shellcheck, hadolint, all of locked versions: ONLY=ruff,mypy chooses; FIX=1 mends
	@$(MICROSTAGE) $@ $(typed)

docs:        ## the pages as a site, every link checked: OPEN=1 opens it
	@$(MICROSTAGE) $@ $(typed)
docs-check:  ## every command of the tutorials, typed in a fresh clone, with its duration: ONLY=comtrade
	@$(MICROSTAGE) $@ $(typed)

fuzz:        ## readers of other people's files, and the C, on made-up inputs: SECONDS=600 TARGET=onnx,msn SEED=
	@$(MICROSTAGE) $@ $(typed)

reproduce:   ## STAGE=: image and stage twice, under other circumstances; every byte compared
	@$(MICROSTAGE) $@ $(typed)

reproduce-table: ## a table of README anew, its figures beside ours: TABLE=bnn-pynq|harmonic|bench DATA_DIR=
	@$(MICROSTAGE) $@ $(typed)

slurm-test:  ## a sweep of 40 jobs on a SLURM of two nodes, unpacked here, one of which is killed; then without it
	@$(MICROSTAGE) $@ $(typed)

# Of the C that the stages make of networks: drawn ones, or those of MODEL=, ONNX= and RUN=. Each may be a list.
bench:       ## the C beside other runtimes, outputs compared first: ONNX= TFLITE= AGAINST=litert BASELINE=folder
	@$(MICROSTAGE) $@ $(typed)
prove:       ## the C beside the reference: VECTORS=10000 random vectors, every compiler; RANDOM=2000 networks
	@$(MICROSTAGE) $@ $(typed)
footprint:   ## its flash, RAM, instructions on Cortex-M and RISC-V: MODEL=drawn-resnet8 MACHINE=cortex-m4
	@$(MICROSTAGE) $@ $(typed)

simulate:    ## FINN's C++ and RTL of each layer beside the golden vectors, without Vivado: FINN_HLSLIB=folder
	@$(MICROSTAGE) $@ $(typed)

chaos:       ## kills, full disks, flipped bits and more, over runs of every family: ONLY=kills,flips TRIES=20 SEED=1
	@$(MICROSTAGE) $@ $(typed)

package-check: ## PlatformIO's and Espressif's packers on the C: ONNX=model.onnx NAME=ecg
	@$(MICROSTAGE) $@ $(typed)

quantisers:  ## methods of quantising beside brevitas' own flow, on trained weights: NETWORKS="resnet8 dae"
	@$(MICROSTAGE) $@ $(typed)
bench-noop: streamline ## what a `make streamline` costs when everything is done
	@$(MICROSTAGE) $@ $(typed)
bench-setup: ## cold set-up per stage, image sizes, what a container adds to a run
	@$(MICROSTAGE) $@ $(typed)
bench-kernels: ## the C kernels on the MLPerf Tiny layers, as a fraction of the processor's peak
	@$(MICROSTAGE) $@ $(typed)
bench-lstm:  ## a training step of the quantised LSTM beside brevitas' own and the float one
	@$(MICROSTAGE) $@ $(typed)
bench-bnn:   ## a training step of the fused binary layers beside brevitas' own, and how many times as fast
	@$(MICROSTAGE) $@ $(typed)

##@ Help
.PHONY: help
help:        ## this text
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile
	@echo; echo "Variables, with MODEL= choosing the network (make variables explains each):"
	@$(MICROSTAGE) variables | \
	  awk '/^  /{split($$1, a, "="); if (!seen[a[1]]++) printf "%s ", a[1]} END {print ""}' | fold -s -w 100
	@echo "MODEL= a network of this checkout, or path/to/model.py of your own"
	@echo "ONNX=model.onnx GOLDEN=data.npz a network that something else trained; CALIBRATION=inputs.npz where it is float"
	@echo "DRY=1 before any target: what it would run, what is there already, what it would cost; nothing is made"
	@echo "DATA_DIR= folder of recordings; RUNNER=docker|local|auto; VOLUMES= folder of artefacts; FORCE=1 runs again"

# A target that is none of these: the runner says so, and which one may be meant.
.DEFAULT:
	@$(MICROSTAGE) $(call quoted,$@) $(typed)
