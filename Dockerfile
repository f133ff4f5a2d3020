# One image for all roles; the command says which one a container is.
FROM python:3.13.9-slim-bookworm

# Each line is out when it is printed, and not lost with a process that is killed.
ENV PYTHONUNBUFFERED=1

# A fixed number: a volume keeps its owner when the image is built anew. The folder is there, and
# theirs, because a new named volume takes over the owner of the folder it is mounted on.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin averages \
    && install -d -o averages -g averages /data

WORKDIR /app
# Before the code, so that a change of the code does not install everything again.
COPY requirements.txt requirements-postgresql.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore -r requirements.txt \
    -r requirements-postgresql.txt
COPY . .
# Compiled now, since the user cannot write here; readable, also after a clone under a strict umask.
RUN chmod -R a+rX . && python -m compileall -q .

USER averages
# No shell in between: Python is process 1, and gets the SIGTERM of `docker stop`.
ENTRYPOINT ["python", "manage.py"]
CMD ["help"]
