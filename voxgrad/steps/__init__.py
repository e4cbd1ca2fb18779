"""The steps, one per file: each reads artifacts and writes one."""
