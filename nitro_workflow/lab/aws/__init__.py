"""A lab on AWS: what it is opened with, what it will make, what it leaves and how that ends.

Steps know nothing of it: they work with the `Cloud` and the `Host` of its pair.
"""
