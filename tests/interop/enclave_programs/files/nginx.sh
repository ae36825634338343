#!/bin/sh
# Debian's nginx, unmodified, behind a forwarder.
set -e
ip link set lo up
mkdir -p /tmp/www /var/lib/nginx /var/log/nginx
echo "nginx inside" > /tmp/www/index.html
nginx -c /enclave-nginx.conf
exec socat VSOCK-LISTEN:5000,reuseaddr,fork TCP:127.0.0.1:8080
