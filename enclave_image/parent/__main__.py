"""The entry point on the instance: ``python -m enclave_image.parent``, or this file."""

from enclave_image.parent.parent_application import main

if __name__ == "__main__":
    main()
