"""What the site makes of the package: pages of commands and rooms, tables, links, diagrams."""
