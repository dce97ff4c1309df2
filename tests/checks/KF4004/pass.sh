#!/bin/bash
set -e
printf 'one\r\n'
