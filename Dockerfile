# Two images: `production` for workers, relay and setup, and `local`, which adds what the two sandboxes need.
# Everything that is installed comes from the hashed locks.
FROM python:3.12.12-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/mlc \
    && /opt/mlc/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
# The build backend, of the version that the development lock names, stays out of the final images.
RUN python -m venv /opt/build \
    && awk '/^[a-z]/ {keep = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/} keep' requirements-dev.lock \
        > /tmp/build.lock \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes -r /tmp/build.lock \
    && /opt/build/bin/python -m hatchling build -t wheel -d /tmp/wheel \
    && /opt/mlc/bin/python -m pip install --no-cache-dir --no-deps /tmp/wheel/*.whl

FROM build AS build-local
RUN /opt/mlc/bin/python -m pip install --no-cache-dir --require-hashes -r requirements-local.lock

FROM python:3.12.12-slim-bookworm AS runtime
# A named volume takes over the owner of the directory it is mounted on.
RUN groupadd --gid 10001 mlc \
    && useradd --uid 10001 --gid 10001 --create-home --home-dir /home/mlc --shell /usr/sbin/nologin mlc \
    && install -d -o mlc -g mlc /data
ENV PATH=/opt/mlc/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLBACKEND=Agg MPLCONFIGDIR=/tmp/matplotlib
# By number, so that an orchestrator sees without looking inside that it is not root.
USER 10001:10001
WORKDIR /home/mlc
ENTRYPOINT ["mlc"]
CMD ["worker"]

FROM runtime AS local
COPY --from=build-local /opt/mlc /opt/mlc

# The last one, which a build without a target makes.
FROM runtime AS production
COPY --from=build /opt/mlc /opt/mlc
