"""What an operator carries from a lab into production, as files.

The policies are those of the lab, written by the same functions, for accounts and names of the
operator's own; around them the templates that make the set-up, what the parent instance needs, a
job for CI, and a runbook.
"""
