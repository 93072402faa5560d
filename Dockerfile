# One image for worker, relay and the local sandboxes. Everything that is installed comes from the hashed locks.
FROM python:3.12.12-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock requirements-dev.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/mlc \
    && /opt/mlc/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
# The build backend, of the version that the development lock names, stays out of the final image.
RUN python -m venv /opt/build \
    && awk '/^[a-z]/ {keep = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/} keep' requirements-dev.lock \
        > /tmp/build.lock \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes -r /tmp/build.lock \
    && /opt/build/bin/python -m hatchling build -t wheel -d /tmp/wheel \
    && /opt/mlc/bin/python -m pip install --no-cache-dir --no-deps /tmp/wheel/*.whl

FROM python:3.12.12-slim-bookworm
# A named volume takes over the owner of the directory it is mounted on.
RUN groupadd --gid 10001 mlc \
    && useradd --uid 10001 --gid 10001 --create-home --home-dir /home/mlc --shell /usr/sbin/nologin mlc \
    && install -d -o mlc -g mlc /data
COPY --from=build /opt/mlc /opt/mlc
ENV PATH=/opt/mlc/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLBACKEND=Agg MPLCONFIGDIR=/tmp/matplotlib
# By number, so that an orchestrator sees without looking inside that it is not root.
USER 10001:10001
WORKDIR /home/mlc
ENTRYPOINT ["mlc"]
CMD ["worker"]
