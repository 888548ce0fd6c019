# evalrun on the processor alone: docs/how-to/container.md has the commands. No key is copied in.
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 evalrun && mkdir /work /cache && chown evalrun /work /cache
COPY . /src
RUN pip install --no-cache-dir '/src[local,report]' && rm -rf /src
USER evalrun
ENV HF_HOME=/cache XDG_CACHE_HOME=/cache
WORKDIR /work
ENTRYPOINT ["evalrun"]
