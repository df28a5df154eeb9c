# The image of every process of either side: `docker run IMAGE COMMAND` is `sxg COMMAND`.
FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY bridge bridge
COPY webkit webkit
COPY provider provider
COPY consumer_sim consumer_sim
COPY sxg sxg
COPY mappings mappings
RUN python -m venv /opt/sxg && /opt/sxg/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .

FROM python:3.13-slim-trixie
# pg_dump, for `sxg backup`; not older than the server of docker-compose.yml.
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/sxg --shell /usr/sbin/nologin sxg \
    && install -d -o sxg -g sxg -m 0700 /var/lib/sxg
COPY --from=build /opt/sxg /opt/sxg
ENV PATH=/opt/sxg/bin:$PATH PYTHONUNBUFFERED=1
USER sxg
WORKDIR /var/lib/sxg
ENTRYPOINT ["sxg"]
CMD ["--help"]
