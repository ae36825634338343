# Brings the loopback up, starts a web server on it, and forwards vsock to the server.
set -e
ip link set lo up
ip -brief address show lo
mkdir -p /tmp/www
echo "served inside" > /tmp/www/index.html
busybox httpd -p 127.0.0.1:8080 -h /tmp/www
exec socat VSOCK-LISTEN:5000,reuseaddr,fork TCP:127.0.0.1:8080
