"""The queue: jobs and their rows in SQLite, and which one comes next."""
