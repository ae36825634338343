"""The two applications of the workflow: `app` runs in the enclave, `parent` on its instance.

Packaged into the enclave's image: `app` and the modules it imports (`query`, `opening`, `keys`,
`result`). `parent` is not: it is in no measurement and nobody needs to trust it.
"""
