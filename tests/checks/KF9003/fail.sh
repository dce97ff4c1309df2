#!/bin/bash
set -e
echo 'café'
