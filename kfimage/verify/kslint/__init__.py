"""Rules for any RHEL 8.7 kickstart, one module per theme; kfimage.verify.kickstart runs them all."""
