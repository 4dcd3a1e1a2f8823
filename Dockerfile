# specvae with its compiled scorer, for a scheduler: no compiler in the image, a user without rights, one entry point.
#
#   docker build --tag specvae .
#   docker run --rm --volume "$PWD:/data" specvae score scene.tif
#
# `--build-arg EXTRAS=[cluster,s3]` installs extras. The torch of constraints.txt comes from whichever index pip is set up
# with; from one that has CPU builds the image is a third of the size.

FROM debian:bookworm-slim AS build
ARG EXTRAS=""
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev python3-dev python3-venv
COPY . /src
RUN python3 -m venv /opt/specvae
RUN /opt/specvae/bin/python -m pip install --no-cache-dir --constraint /src/constraints.txt "/src$EXTRAS"
# An image that scored by torch would be ten times as slow to start: where the scorer was not compiled, the build fails.
RUN cd / && /opt/specvae/bin/python -c "from specvae.scoring.kernel.library import best_variant; assert best_variant(), 'not compiled'"

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates libexpat1 python3 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 specvae && install --directory --owner specvae /data
COPY --from=build /opt/specvae /opt/specvae
USER specvae
WORKDIR /data
ENV PYTHONUNBUFFERED=1
RUN ["/opt/specvae/bin/specvae", "--version"]
ENTRYPOINT ["/opt/specvae/bin/specvae"]
CMD ["--help"]
