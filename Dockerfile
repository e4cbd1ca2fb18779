# voxgrad serve on processors only.
#
#   docker build -t voxgrad .
#   docker run -p 8020:8020 -e VOXGRAD_TOKEN=... -v voxgrad:/data voxgrad
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY presets presets
COPY voxgrad voxgrad
# The CPU build of torch is a tenth of the size of the GPU build.
RUN python -m venv /opt/voxgrad \
    && /opt/voxgrad/bin/pip install --no-cache-dir -c constraints.txt \
        --index-url https://download.pytorch.org/whl/cpu torch torchaudio \
    && /opt/voxgrad/bin/pip install --no-cache-dir -c constraints.txt '.[serve]' \
    && find /opt/voxgrad -name __pycache__ -prune -exec rm -rf {} +

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home voxgrad && install -d -o voxgrad /data
COPY --from=build /opt/voxgrad /opt/voxgrad
ENV PATH=/opt/voxgrad/bin:$PATH \
    VOXGRAD_HOME=/data \
    NUMBA_CACHE_DIR=/tmp/numba \
    PYTHONUNBUFFERED=1
USER voxgrad
VOLUME /data
EXPOSE 8020 10200
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8020/healthz', timeout=5)"]
STOPSIGNAL SIGTERM
# Other machines can reach it, so it does not start without VOXGRAD_TOKEN.
ENTRYPOINT ["voxgrad", "serve", "--host", "0.0.0.0"]
