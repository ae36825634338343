
begin proxy
# AWS's own proxy, port 8000: it carries TLS to KMS of this region, and this file lets it reach no
# other host.
cat >/etc/nitro_enclaves/vsock-proxy.yaml <<'END'
@allow-list@
END
systemctl enable --now nitro-enclaves-vsock-proxy.service ||
    fail "nitro-enclaves-vsock-proxy has not started: journalctl -u nitro-enclaves-vsock-proxy"
mark ready
