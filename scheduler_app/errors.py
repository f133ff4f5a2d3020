"""The error for whatever the user is told in one line, with no traceback."""


class CommandError(Exception):
    """A mistake of the user or the surroundings: told in one line, with no traceback.

    `status` is the exit status: 2 for a wrong call or setting, 1 for everything else.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status
