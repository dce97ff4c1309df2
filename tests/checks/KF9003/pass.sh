#!/bin/bash
set -e
echo 'cafe'
