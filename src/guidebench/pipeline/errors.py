"""The one exception that a user's mistake raises."""


class UserError(Exception):
    """Bad input: one line that names the file or config key, what was found and what is allowed."""
