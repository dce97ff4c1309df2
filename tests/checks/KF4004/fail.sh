#!/bin/bash
set -e
echo one
