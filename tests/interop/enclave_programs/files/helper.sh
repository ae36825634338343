#!/bin/sh
# A helper process attests: hf/nsm's own example, whose output the shell sends to the parent.
attestation | socat -u - VSOCK-CONNECT:3:9100
