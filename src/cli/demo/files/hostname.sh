#!/bin/sh
# `hostname` of one host of the fleet: its name is the name of the folder this file is in.
here=${0%/*}
echo "${here##*/}"
