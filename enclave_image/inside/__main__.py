"""The entry point in the image: ``/usr/bin/python3 -I -S -B /app``."""

from enclave_image.inside.job_server import main

if __name__ == "__main__":
    main()
