"""The AWS Nitro Enclaves workflow, every step of it for real.

The package has four floors; imports go down only::

    faces      widgets  cli  lessons
    workflow   lab
    services   host  cloud  enclave  vsock
    formats    attestation  image  policy  nsm  cms  encoding        errors

Nothing heavy is imported here: ``import nitro_workflow`` stays below 150 ms.
"""

__version__ = "0.1.0"
